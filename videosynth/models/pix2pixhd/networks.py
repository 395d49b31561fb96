"""Networks of pix2pixHD (Wang et al. 2018, High-Resolution Image Synthesis, section 3.1): plain torch, bottom-up."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from videosynth import ops
from videosynth.models.pix2pixhd.options import GeneratorShape
from videosynth.nn.blocks import ResidualBlock, conv7, down, entry, normal_init, up
from videosynth.nn.growing import ActiveScales

WIDEST = 1024  # channels of the global generator grow no further


def global_generator(inputs: int, shape: GeneratorShape) -> nn.Sequential:
    """Maps ``(B, inputs, h, w)`` to features ``(B, width, h, w)``: the whole network but its last convolution."""
    widths = [min(shape.width * 2**k, WIDEST) for k in range(shape.downsamples + 1)]
    layers = entry(inputs, widths[0])
    for a, b in pairwise(widths):
        layers += down(a, b)
    layers += [ResidualBlock(widths[-1]) for _ in range(shape.blocks)]
    for a, b in pairwise(widths[::-1]):
        layers += up(a, b)
    return nn.Sequential(*layers)


class LocalEnhancer(nn.Module):
    """Maps at twice the size and the coarser network's features to features of half the width at that size."""

    def __init__(self, inputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(*entry(inputs, width), *down(width, 2 * width))
        self.joint = nn.Sequential(*(ResidualBlock(2 * width) for _ in range(blocks)), *up(2 * width, width))

    def forward(self, maps: Tensor, coarse: Tensor) -> Tensor:
        """maps ``(B, inputs, H, W)``, coarse ``(B, 2 * width, H/2, W/2)``; returns ``(B, width, H, W)``."""
        return self.joint(self.fine(maps) + coarse)


class Pix2PixHDGenerator(nn.Module):
    """Global generator and local enhancers; every scale has a last convolution of its own, so that each can be trained
    before the next finer one is added.
    """

    def __init__(self, inputs: int, shape: GeneratorShape) -> None:
        super().__init__()
        self.shape = shape
        self.active = ActiveScales(shape.scales)
        self.coarsest = global_generator(inputs, shape)
        widths = [shape.width // 2**k for k in range(shape.scales)]
        self.enhancers = nn.ModuleList(LocalEnhancer(inputs, w, shape.enhancer_blocks) for w in widths[1:])
        self.heads = nn.ModuleList(nn.Sequential(*conv7(w, 3), nn.Tanh()) for w in widths)
        normal_init(self)

    def resting(self, scales: int, alone: bool) -> list[str]:
        """Names of the submodules that do not train while the coarsest ``scales`` are in use (the finest of them
        ``alone``): finer scales, the other scales' last convolutions.
        """
        bodies = ["coarsest", *(f"enhancers.{k}" for k in range(self.shape.enhancers))]
        still = bodies[scales:] + (bodies[: scales - 1] if alone else [])
        return still + [f"heads.{k}" for k in range(self.shape.scales) if k != scales - 1]

    def forward(self, maps: Tensor) -> Tensor:
        """maps ``(B, inputs, H, W)``, H and W multiples of ``shape.multiple``, to pictures ``(B, 3, H, W)`` in [-1, 1],
        painted by the coarsest ``active`` networks.
        """
        scales = self.active.count
        dtype = next(self.parameters()).dtype  # bf16 where the weights were made so
        levels = ops.pyramid(maps.to(dtype), scales)[::-1]
        features = self._run(self.coarsest, levels[0])
        for enhancer, level in zip(self.enhancers, levels[1:], strict=False):
            features = self._run(enhancer, level, features)
        return self.heads[scales - 1](features).float()

    def _run(self, module: nn.Module, *inputs: Tensor) -> Tensor:
        if self.shape.checkpointing and torch.is_grad_enabled():
            return checkpoint(module, *inputs, use_reentrant=False)  # pyright: ignore[reportReturnType]
        return module(*inputs)
