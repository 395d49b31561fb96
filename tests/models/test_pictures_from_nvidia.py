"""NVIDIA's single-picture weights: a functional forward written from the specification (1.5, 1.9) against converted runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth.cli import main
from videosynth.models.base import load

CLASSES, WIDTH, DOWN, BLOCKS = 35, 8, 3, 4

State = dict[str, Tensor]


def checkpoint(enhancer: bool, seed: int = 0) -> State:
    """A global generator, or a local enhancer of half its width on top of it without its last convolution."""
    g = torch.Generator().manual_seed(seed)
    state: State = {}

    def put(name: str, outputs: int, *shape: int) -> None:
        state[f"{name}.weight"] = torch.randn(*shape, generator=g) / (shape[1] * shape[2] * shape[3]) ** 0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(outputs, generator=g)

    def conv(name: str, outputs: int, inputs: int, side: int) -> None:
        put(name, outputs, outputs, inputs, side, side)

    def raised(name: str, inputs: int, outputs: int) -> None:
        put(name, outputs, inputs, outputs, 3, 3)

    def block(name: str, channels: int) -> None:
        conv(f"{name}.conv_block.1", channels, channels, 3)
        conv(f"{name}.conv_block.5", channels, channels, 3)
        state[f"{name}.conv_block.2.running_mean"] = torch.randn(channels, generator=g)

    conv("model.1", WIDTH, CLASSES, 7)
    for k in range(DOWN):
        conv(f"model.{4 + 3 * k}", WIDTH * 2 ** (k + 1), WIDTH * 2**k, 3)
    at = 4 + 3 * DOWN
    for k in range(BLOCKS):
        block(f"model.{at + k}", WIDTH * 2**DOWN)
    at += BLOCKS
    for k in range(DOWN):
        raised(f"model.{at + 3 * k}", WIDTH * 2 ** (DOWN - k), WIDTH * 2 ** (DOWN - k - 1))
    if not enhancer:
        conv(f"model.{at + 3 * DOWN + 1}", 3, WIDTH, 7)
        return state
    half = WIDTH // 2
    conv("model1_1.1", half, CLASSES, 7)
    conv("model1_1.4", WIDTH, half, 3)
    for k in range(3):
        block(f"model1_2.{k}", WIDTH)
    raised("model1_2.3", WIDTH, half)
    conv("model1_2.7", 3, half, 7)
    return state


def painted(state: State, x: Tensor, enhancer: bool) -> Tensor:
    """The picture, in plain functions."""

    def norm(y: Tensor) -> Tensor:
        return F.instance_norm(y)

    def conv(y: Tensor, name: str, pad: int = 0, **more: int) -> Tensor:
        y = F.pad(y, (pad,) * 4, mode="reflect") if pad else y
        return F.conv2d(y, state[f"{name}.weight"], state[f"{name}.bias"], **more)

    def lifted(y: Tensor, name: str) -> Tensor:
        y = F.conv_transpose2d(y, state[f"{name}.weight"], state[f"{name}.bias"], stride=2, padding=1, output_padding=1)
        return F.relu(norm(y))

    def block(y: Tensor, name: str) -> Tensor:
        z = F.relu(norm(conv(y, f"{name}.conv_block.1", 1)))
        return y + norm(conv(z, f"{name}.conv_block.5", 1))

    def body(y: Tensor) -> Tensor:
        y = F.relu(norm(conv(y, "model.1", 3)))
        for k in range(DOWN):
            y = F.relu(norm(conv(y, f"model.{4 + 3 * k}", stride=2, padding=1)))
        at = 4 + 3 * DOWN
        for k in range(BLOCKS):
            y = block(y, f"model.{at + k}")
        for k in range(DOWN):
            y = lifted(y, f"model.{at + BLOCKS + 3 * k}")
        return y

    if not enhancer:
        return torch.tanh(conv(body(x), f"model.{5 + 6 * DOWN + BLOCKS}", 3))
    coarse = body(F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False))
    y = F.relu(norm(conv(x, "model1_1.1", 3)))
    y = F.relu(norm(conv(y, "model1_1.4", stride=2, padding=1))) + coarse
    for k in range(3):
        y = block(y, f"model1_2.{k}")
    return torch.tanh(conv(lifted(y, "model1_2.3"), "model1_2.7", 3))


@pytest.mark.parametrize("enhancer", [False, True])
def test_a_converted_run_paints_the_same_picture(enhancer: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = checkpoint(enhancer)
    torch.save(state, tmp_path / "latest_net_G_512.pth")
    assert main(["convert", "nvidia-pix2pixhd", str(tmp_path), "--out", str(tmp_path / "run")]) == 0
    assert "every tensor has its place" in capsys.readouterr().out
    model = load(tmp_path / "run")
    assert model.spec.size == (256, 512)
    ids = torch.randint(0, CLASSES, (1, 64, 96), generator=torch.Generator().manual_seed(1))
    one_hot = F.one_hot(ids, CLASSES).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        ours = model.cell({"labels": ids})[0].image
    assert (ours - painted(state, one_hot, enhancer)).abs().max() < 1e-4
    assert ours.std() > 0.1


def test_what_does_not_fit_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    whole = checkpoint(False)
    file = tmp_path / "latest_net_G.pth"
    words = ["convert", "nvidia-pix2pixhd", str(tmp_path), "--out", str(tmp_path / "run")]
    for state, said in (
        ({**whole, "stranger.weight": torch.zeros(1)}, "stranger.weight has no place"),
        ({k: v for k, v in whole.items() if k != "model.4.bias"}, "no tensor for coarsest.4.bias"),
        ({"model_downsample.1.weight": torch.zeros(1)}, "Global_with_z"),
        ({"x": torch.zeros(1)}, "lacks model.1.weight"),
    ):
        torch.save(state, file)
        assert main(words) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
    torch.save(whole, file)
    assert main([*words, "--foreground", "26"]) == 2
    torch.save(whole, tmp_path / "latest_net_G_1024.pth")
    assert main(words) == 2
    assert "pass one of these files" in capsys.readouterr().err
    assert main([*words[:2], str(file), *words[3:]]) == 0
