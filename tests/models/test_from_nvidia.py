"""NVIDIA's weights: a forward pass written straight from the specification of their code (sections 1.1 to 1.4), purely
functional, on random weights in their format, gives the frames that the converted run gives.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from nvidia import BLOCKS, CAR, CLASSES, DOWN, FINER, SCALES, SIZE, State, random_checkpoint
from torch import Tensor

from videosynth.cli import main
from videosynth.models.base import load
from videosynth.models.vid2vid.from_nvidia import convert
from videosynth.types import Clip, Request, UserError


@pytest.fixture(scope="module")
def states() -> list[State]:
    return random_checkpoint()


@pytest.fixture
def folder(states, tmp_path) -> Path:
    for k, state in enumerate(states):
        torch.save(state, tmp_path / f"latest_net_G{k}.pth")
    return tmp_path


# their forward pass, from the specification


def conv7(s: State, name: str, x: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (3, 3, 3, 3), mode="reflect"), s[f"{name}.weight"], s[f"{name}.bias"])


def norm(s: State, name: str, x: Tensor) -> Tensor:
    """Batch norm in training mode on a batch of one: the statistics of this picture."""
    return F.batch_norm(x, None, None, s[f"{name}.weight"], s[f"{name}.bias"], training=True)


def trunk(s: State, name: str, x: Tensor, halvings: int) -> Tensor:
    x = F.relu(norm(s, f"{name}.2", conv7(s, f"{name}.1", x)))
    for k in range(halvings):
        i = 4 + 3 * k
        x = F.conv2d(x, s[f"{name}.{i}.weight"], s[f"{name}.{i}.bias"], stride=2, padding=1)
        x = F.relu(norm(s, f"{name}.{i + 1}", x))
    return x


def blocks(s: State, name: str, first: int, count: int, x: Tensor) -> Tensor:
    for i in range(first, first + count):
        p, y = f"{name}.{i}.conv_block", x
        for conv in (1, 5):
            y = F.pad(y, (1, 1, 1, 1), mode="reflect")
            y = norm(s, f"{p}.{conv + 1}", F.conv2d(y, s[f"{p}.{conv}.weight"], s[f"{p}.{conv}.bias"]))
            y = F.relu(y) if conv == 1 else y
        x = x + y
    return x


def up(s: State, name: str, first: int, doublings: int, x: Tensor) -> Tensor:
    for k in range(doublings):
        i = first + 3 * k
        weight, bias = s[f"{name}.{i}.weight"], s[f"{name}.{i}.bias"]
        x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)
        x = F.relu(norm(s, f"{name}.{i + 1}", x))
    return x


def warped(x: Tensor, flow: Tensor) -> Tensor:
    """Bilinear, by hand: value at (x + flow), clamped to the border."""
    height, width = x.shape[-2:]
    xs = (torch.arange(width).view(1, -1) + flow[0, 0]).clamp(0, width - 1)
    ys = (torch.arange(height).view(-1, 1) + flow[0, 1]).clamp(0, height - 1)
    x0, y0 = xs.floor().long().clamp(max=width - 2), ys.floor().long().clamp(max=height - 2)
    a, b = xs - x0, ys - y0
    p = x[0]
    top = p[:, y0, x0] * (1 - a) + p[:, y0, x0 + 1] * a
    bottom = p[:, y0 + 1, x0] * (1 - a) + p[:, y0 + 1, x0 + 1] * a
    return (top * (1 - b) + bottom * b)[None]


def scale_frame(s: State, scale: int, maps: Tensor, past: Tensor, coarse: tuple[Tensor, Tensor, Tensor] | None):
    if scale == 0:
        deep = 4 + 3 * DOWN
        h = blocks(s, "model_down_seg", deep, BLOCKS - BLOCKS // 2, trunk(s, "model_down_seg", maps, DOWN))
        h = h + blocks(s, "model_down_img", deep, BLOCKS - BLOCKS // 2, trunk(s, "model_down_img", past, DOWN))
        img_feat = up(s, "model_up_img", 0, DOWN, blocks(s, "model_res_img", 0, BLOCKS // 2, h))
        flow_feat = up(s, "model_up_flow", 0, DOWN, blocks(s, "model_res_flow", 0, BLOCKS // 2, h))
        fg_feat = up(s, "indv_up", 0, DOWN, blocks(s, "indv_res", 0, BLOCKS, trunk(s, "indv_down", maps, DOWN)))
    else:
        assert coarse is not None
        h = trunk(s, "model_down_seg", maps, 1) + trunk(s, "model_down_img", past, 1)
        img_feat = up(s, "model_up_img", FINER, 1, blocks(s, "model_up_img", 0, FINER, h + coarse[0]))
        flow_feat = up(s, "model_up_flow", FINER, 1, blocks(s, "model_up_flow", 0, FINER, h + coarse[1]))
        front = trunk(s, "indv_down", maps, 1) + coarse[2]
        fg_feat = up(s, "indv_up", FINER, 1, blocks(s, "indv_up", 0, FINER, front))
    raw = torch.tanh(conv7(s, "model_final_img.1", img_feat))
    flow = conv7(s, "model_final_flow.1", flow_feat) * 20 * 2**scale
    weight = torch.sigmoid(conv7(s, "model_final_w.1", flow_feat))
    final = raw * weight + warped(past[:, -3:], flow) * (1 - weight)
    mask = maps[:, -(CLASSES + 1) + CAR].unsqueeze(1).clamp(0, 1)
    final = torch.tanh(conv7(s, "indv_final.1", fg_feat)) * mask + final * (1 - mask)
    return final, flow, (img_feat, flow_feat, fg_feat)


def pooled(x: Tensor, times: int) -> Tensor:
    for _ in range(times):
        x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
    return x


def encoded(ids: Tensor, objects: Tensor) -> Tensor:
    """(H, W) class and instance ids to (1, 36, H, W), pixel by pixel as section 1.1 says."""
    hot = F.one_hot(ids.long(), CLASSES).permute(2, 0, 1).float()
    edge = torch.zeros(objects.shape)
    differs = objects[:, 1:] != objects[:, :-1]
    edge[:, 1:][differs] = 1
    edge[:, :-1][differs] = 1
    differs = objects[1:] != objects[:-1]
    edge[1:][differs] = 1
    edge[:-1][differs] = 1
    return torch.cat([hot, edge[None]])[None]


def their_frames(states: list[State], maps: list[Tensor], first: Tensor) -> tuple[list[Tensor], float]:
    """maps: one (1, 36, H, W) per frame, the first two belong to ``first`` (2, 3, H, W)."""
    histories = [[pooled(first[i : i + 1], SCALES - 1 - k) for i in range(2)] for k in range(SCALES)]
    frames, motion = [], 0.0
    for t in range(2, len(maps)):
        around = torch.cat(maps[t - 2 : t + 1], dim=1)
        coarse = None
        for k in range(SCALES):
            past = torch.cat(histories[k][-2:], dim=1)
            image, flow, coarse = scale_frame(states[k], k, pooled(around, SCALES - 1 - k), past, coarse)
            histories[k].append(image)
        frames.append(image)
        motion = max(motion, float(flow.abs().max()))
    return frames, motion


# the comparison


def street(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    small = torch.randint(0, CLASSES, (count, SIZE[0] // 8, SIZE[1] // 8), generator=generator)
    small[:, 2:5, 3:9] = CAR
    ids = small.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return ids.to(torch.uint8), (ids * 1000 + torch.arange(SIZE[1]).view(1, 1, -1) // 24).to(torch.int32)


def test_five_frames_agree_with_their_forward_pass(states, folder, tmp_path):
    assert main(["convert", "nvidia-vid2vid", str(folder), "--out", str(tmp_path / "run")]) == 0
    model = load(tmp_path / "run")
    ids, objects = street(7)
    first = torch.randint(0, 256, (2, 3, *SIZE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    context = Clip(frames=first[None], maps={"labels": ids[None, :2], "instances": objects[None, :2]})
    steps = [{"labels": ids[t : t + 1], "instances": objects[t : t + 1]} for t in range(2, 7)]
    ours = [f.image for f in model.generate(Request(seeds=(0,), maps=iter(steps), context=context))]
    maps = [encoded(ids[t], objects[t]) for t in range(7)]
    with torch.no_grad():
        theirs, motion = their_frames(states, maps, first.float() / 127.5 - 1)
    assert motion > 1, "the flow must matter"
    assert len(ours) == len(theirs) == 5
    for a, b in zip(ours, theirs, strict=True):
        assert float(b.std()) > 0.05
        assert float((a - b).abs().max()) < 1e-4


def test_the_architecture_is_read_off_the_tensors(folder):
    model = convert(folder).model
    shape = model.shape
    assert (shape.width, shape.downsamples, shape.blocks, shape.scales, shape.finer_blocks) == (8, 3, 9, 3, 3)
    assert (shape.past, shape.flow, shape.foreground) == (2, True, ("26",))
    assert [m.name for m in model.spec.maps] == ["labels", "instances"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "latest_net_G0.pth").unlink(), "no latest_net_G0.pth"),
        (lambda f: (f / "latest_net_G1.pth").unlink(), "one between them is missing"),
        (lambda f: (f / "latest_net_G1.pth").write_bytes(b"no"), "cannot be read safely"),
        (lambda f: edit(f, lambda s: s.pop("model_res_img.2.conv_block.5.bias")), "image_branch.2.body.5.bias"),
        (lambda f: edit(f, lambda s: s.update(extra=torch.zeros(3))), "extra"),
        (
            lambda f: edit(f, lambda s: s.update({"model_final_w.1.bias": torch.zeros(4)})),
            "model_final_w.1.bias has shape",
        ),
        (lambda f: edit(f, lambda s: s.pop("model_down_img.1.weight")), "composite generator"),
        (lambda f: edit(f, lambda s: s.pop("indv_res.0.conv_block.2.weight")), "foreground_branch.0.body.2.weight"),
        (lambda f: edit(f, lambda s: s.pop("model_up_img.1.bias")), "image_branch.5.bias"),
        (lambda f: edit(f, lambda s: s.update({"nonsense.running_mean": torch.zeros(3)})), "nonsense.running_mean"),
        (
            lambda f: edit(f, lambda s: s.update({"model_final_w.1.running_var": torch.zeros(3)})),
            "model_final_w.1.running_var",
        ),
        (lambda f: torch.save({"opt": [1]}, f / "latest_net_G0.pth"), "something else than tensors"),
    ],
)
def test_faulty_files_are_refused_in_one_line(folder, tmp_path, capsys, harm, said):
    harm(folder)
    assert main(["convert", "nvidia-vid2vid", str(folder), "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert said in told[0]
    assert not (tmp_path / "run").exists()


def edit(folder: Path, change) -> None:
    state = torch.load(folder / "latest_net_G0.pth", weights_only=True)
    change(state)
    torch.save(state, folder / "latest_net_G0.pth")


@pytest.mark.parametrize("channels", [1, 3, 6, 15, CLASSES])
@pytest.mark.parametrize("flow", [True, False])
def test_faces_poses_and_streets_without_foreground(states, tmp_path, channels, flow):
    """The other published variants: fewer map channels, no foreground branch, perhaps no flow."""
    for k, state in enumerate(states):
        gone = ("indv",) if flow else ("indv", "model_res_flow", "model_up_flow", "model_final_flow", "model_final_w")
        kept = {n: t for n, t in state.items() if not n.startswith(gone)}
        kept["model_down_seg.1.weight"] = kept["model_down_seg.1.weight"][:, : 3 * channels].clone()
        torch.save(kept, tmp_path / f"latest_net_G{k}.pth")
    model = convert(tmp_path).model
    assert (model.shape.foreground, model.shape.flow, model.spec.channels) == ((), flow, channels)
    (kind,) = model.spec.maps
    size = (1, *SIZE) if kind.kind == "classes" else (1, channels, *SIZE)
    steps = [{kind.name: torch.full(size, 7 % channels, dtype=torch.uint8)} for _ in range(2)]
    frames = list(model.generate(Request(seeds=(0,), maps=iter(steps))))
    assert [f.image.shape for f in frames] == [(1, 3, *SIZE)] * 2
    assert all(f.image.isfinite().all() for f in frames)
    with pytest.raises(UserError, match="no foreground branch"):
        convert(tmp_path, foreground=("13",))


def test_norms_without_parameters(states, tmp_path):
    """Trained with --norm instance: only running statistics, no weight and bias."""
    for k, state in enumerate(states):
        norms = {n.removesuffix(".running_mean") for n in state if n.endswith(".running_mean")}
        plain = {
            n: t for n, t in state.items() if n.rpartition(".")[0] not in norms or "running" in n or "tracked" in n
        }
        torch.save(plain, tmp_path / f"latest_net_G{k}.pth")
    weights = convert(tmp_path).model.generator.state_dict()
    assert (weights["scales.0.label_trunk.2.weight"] == 1).all()
    assert (weights["scales.0.label_trunk.2.bias"] == 0).all()
