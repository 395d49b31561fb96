"""A random checkpoint in the format of NVIDIA's vid2vid: three scales, foreground, instance edges."""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH, DOWN, BLOCKS, FINER, SCALES = 8, 3, 9, 3, 3
CLASSES, FRAMES = 35, 3
CHANNELS = (CLASSES + 1) * FRAMES
CAR = 26
SIZE = (64, 128)

State = dict[str, Tensor]


class Maker:
    """Random tensors by name: convolutions with bias, norms with all five entries."""

    def __init__(self, seed: int) -> None:
        self.state: State = {}
        self.generator = torch.Generator().manual_seed(seed)

    def random(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def conv(self, name: str, *shape: int, gain: float = 1.0) -> None:
        fan = shape[1] * shape[2] * shape[3]
        self.state[f"{name}.weight"] = self.random(*shape) * gain / fan**0.5
        outputs = shape[0]
        self.state[f"{name}.bias"] = 0.1 * self.random(outputs)

    def raised(self, name: str, inputs: int, outputs: int) -> None:
        self.state[f"{name}.weight"] = self.random(inputs, outputs, 3, 3) / (inputs * 3) ** 0.5
        self.state[f"{name}.bias"] = 0.1 * self.random(outputs)

    def norm(self, name: str, channels: int) -> None:
        # A weak history: random networks are chaotic, and rounding errors would double with every frame.
        gain = 0.2 if name.startswith("model_down_img") else 1.0
        self.state[f"{name}.weight"] = gain * (1 + 0.3 * self.random(channels))
        self.state[f"{name}.bias"] = gain * 0.3 * self.random(channels)
        self.state[f"{name}.running_mean"] = self.random(channels)
        self.state[f"{name}.running_var"] = self.random(channels).abs()
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def trunk(self, name: str, inputs: int, width: int, halvings: int) -> None:
        self.conv(f"{name}.1", width, inputs, 7, 7)
        self.norm(f"{name}.2", width)
        for k in range(halvings):
            self.conv(f"{name}.{4 + 3 * k}", width * 2 ** (k + 1), width * 2**k, 3, 3)
            self.norm(f"{name}.{5 + 3 * k}", width * 2 ** (k + 1))

    def blocks(self, name: str, first: int, count: int, channels: int) -> None:
        for i in range(first, first + count):
            for conv, norm in ((1, 2), (5, 6)):
                self.conv(f"{name}.{i}.conv_block.{conv}", channels, channels, 3, 3)
                self.norm(f"{name}.{i}.conv_block.{norm}", channels)

    def up(self, name: str, first: int, width: int, doublings: int) -> None:
        for k in range(doublings):
            wide = width * 2 ** (doublings - k)
            self.raised(f"{name}.{first + 3 * k}", wide, wide // 2)
            self.norm(f"{name}.{first + 3 * k + 1}", wide // 2)


def coarsest() -> State:
    m = Maker(0)
    deep, thin = WIDTH * 2**DOWN, WIDTH // 2
    for name, inputs in (("model_down_seg", CHANNELS), ("model_down_img", 3 * (FRAMES - 1))):
        m.trunk(name, inputs, WIDTH, DOWN)
        m.blocks(name, 4 + 3 * DOWN, BLOCKS - BLOCKS // 2, deep)
    for branch in ("img", "flow"):
        m.blocks(f"model_res_{branch}", 0, BLOCKS // 2, deep)
        m.up(f"model_up_{branch}", 0, WIDTH, DOWN)
    heads(m, WIDTH)
    m.trunk("indv_down", CHANNELS, thin, DOWN)
    m.blocks("indv_res", 0, BLOCKS, thin * 2**DOWN)
    m.up("indv_up", 0, thin, DOWN)
    m.conv("indv_final.1", 3, thin, 7, 7, gain=0.2)
    return m.state


def finer(scale: int) -> State:
    m = Maker(scale)
    width = WIDTH // 2**scale
    thin = width // 2
    for name, inputs in (("model_down_seg", CHANNELS), ("model_down_img", 3 * (FRAMES - 1))):
        m.trunk(name, inputs, width, 1)
    for branch in ("img", "flow"):
        m.blocks(f"model_up_{branch}", 0, FINER, 2 * width)
        m.up(f"model_up_{branch}", FINER, width, 1)
    heads(m, width)
    m.trunk("indv_down", CHANNELS, thin, 1)
    m.blocks("indv_up", 0, FINER, 2 * thin)
    m.up("indv_up", FINER, thin, 1)
    m.conv("indv_final.1", 3, thin, 7, 7, gain=0.2)
    return m.state


def heads(m: Maker, width: int) -> None:
    for name, outputs in (("img", 3), ("flow", 2), ("w", 1)):
        m.conv(f"model_final_{name}.1", outputs, width, 7, 7, gain=0.05 if name == "flow" else 0.2)


def random_checkpoint() -> list[State]:
    """The scales, the coarsest first."""
    return [coarsest(), finer(1), finer(2)]
