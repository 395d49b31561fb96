"""Networks of vid2vid (Wang et al. 2018): plain torch, bottom-up, no loss, no files.

The composite generator paints frame t as ``m * h + (1 - m) * warp(x[t-1], w)`` (equation 4): a hallucinated image h,
an occlusion mask m and a flow w, all predicted from the current and past maps and the past generated frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from videosynth import ops
from videosynth.nn.blocks import ResidualBlock, conv7, down, entry, normal_init, up
from videosynth.nn.lookup import OneHotConv


@dataclass(frozen=True)
class GeneratorShape:
    """The size of a composite generator. The defaults are the paper's coarsest scale.

    Attributes:
        width: channels at full resolution (ngf); they double with each halving.
        downsamples: halvings of height and width before the residual blocks.
        blocks: residual blocks; the first half (rounded up) in each trunk, the rest in each branch.
        past: past frames (and past maps) that the generator looks at; 0 makes a per-frame model.
        flow_scale: pixels that the flow head's output 1 stands for (20 in the reference, for frames 512 wide or more).
        refresh: smallest value of the mask: the share of the hallucinated image that every frame gets at least. 0 is the
            paper's; above it, blur and errors of repeated warping fade away however long the video is.
        persist: smallest share of the warped previous frame, where there is one. 0 is the paper's; above it, hallucinated
            details that differ from frame to frame flicker less. refresh + persist is below 1.
        flow: predict flow and mask and warp the previous frame; off, the hallucinated image is the frame.
        checkpointing: recompute activations in the backward pass (less memory, about a third more time).
    """

    width: int = 128
    downsamples: int = 3
    blocks: int = 9
    past: int = 2
    flow_scale: float = 20.0
    refresh: float = 0.0
    persist: float = 0.0
    flow: bool = True
    checkpointing: bool = False

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this."""
        return 2**self.downsamples

    @property
    def smallest(self) -> int:
        """Height and width must be at least this: reflection padding needs a second pixel in the deepest maps."""
        return max(2 * self.multiple, 4)


class Painted(NamedTuple):
    """What the composite generator says about one frame. Without flow, ``image`` is ``raw`` and the rest is None."""

    image: Tensor  # (B, 3, H, W) in [-1, 1], the composed frame
    raw: Tensor  # (B, 3, H, W) the hallucinated image h
    flow: Tensor | None  # (B, 2, H, W) pixels, backward
    mask: Tensor | None  # (B, 1, H, W) in [0, 1], 1 where the hallucinated image is used
    warped: Tensor | None  # (B, 3, H, W) the previous frame, warped


def trunk(inputs: int, shape: GeneratorShape, one_hot: tuple[tuple[int, int], ...] = ()) -> nn.Sequential:
    """Encoder: 7x7 entry, halvings with doubling width, first half of the residual blocks. ``one_hot``: which of the
    inputs are one-hot, as ranges of channels.
    """
    layers = entry(inputs, shape.width)
    layers[1] = OneHotConv(inputs, shape.width, 7, one_hot)
    for k in range(shape.downsamples):
        layers += down(shape.width * 2**k, shape.width * 2 ** (k + 1))
    deep = shape.width * 2**shape.downsamples
    layers += [ResidualBlock(deep) for _ in range(shape.blocks - shape.blocks // 2)]
    return nn.Sequential(*layers)


def branch(shape: GeneratorShape) -> nn.Sequential:
    """Decoder: second half of the residual blocks, then doublings back to full resolution."""
    deep = shape.width * 2**shape.downsamples
    layers: list[nn.Module] = [ResidualBlock(deep) for _ in range(shape.blocks // 2)]
    for k in reversed(range(shape.downsamples)):
        layers += up(shape.width * 2 ** (k + 1), shape.width * 2**k)
    return nn.Sequential(*layers)


class CompositeGenerator(nn.Module):
    """Label and history trunks, hallucination branch, flow and mask branch (specification 1.2, appendix A of the paper).

    ``map_channels`` are the channels of one frame's maps, ``one_hot`` the ranges of them that are one-hot.
    """

    def __init__(self, map_channels: int, shape: GeneratorShape, one_hot: tuple[tuple[int, int], ...] = ()) -> None:
        super().__init__()
        self.shape = shape
        frames = [map_channels * k for k in range(shape.past + 1)]
        every = tuple((first + a, first + b) for first in frames for a, b in one_hot)
        self.label_trunk = trunk(map_channels * (shape.past + 1), shape, every)
        self.image_branch = branch(shape)
        self.image_head = nn.Sequential(*conv7(shape.width, 3), nn.Tanh())
        if shape.past:
            self.history_trunk = trunk(3 * shape.past, shape)
        if shape.flow:
            self.flow_branch = branch(shape)
            self.flow_head = nn.Sequential(*conv7(shape.width, 2))
            self.mask_head = nn.Sequential(*conv7(shape.width, 1), nn.Sigmoid())
        normal_init(self)

    def _run(self, module: nn.Module, x: Tensor) -> Tensor:
        if self.shape.checkpointing and torch.is_grad_enabled():
            return checkpoint(module, x, use_reentrant=False)  # pyright: ignore[reportReturnType]
        return module(x)

    def forward(self, maps: Tensor, history: Tensor, known: Tensor) -> Painted:
        """One frame.

        maps ``(B, (past + 1) * C, H, W)``, oldest first; history ``(B, past * 3, H, W)``, oldest first, zeros where there
        is none; known ``(B,)`` bool: whether the item has a previous frame (else its frame is the hallucinated image).
        H and W are multiples of ``shape.multiple``.
        """
        dtype = next(self.parameters()).dtype  # bf16 where the weights were made so
        features = self._run(self.label_trunk, maps.to(dtype))
        if self.shape.past:
            # Without history the trunk would normalise a constant image: rounding errors, amplified 300-fold per layer,
            # would come out as noise as strong as the features. So an unknown history adds nothing.
            told = known.view(-1, 1, 1, 1).to(dtype)
            features = features + told * self._run(self.history_trunk, history.to(dtype))
        raw = self.image_head(self._run(self.image_branch, features)).float()
        if not self.shape.flow:
            return Painted(raw, raw, None, None, None)

        motion = self._run(self.flow_branch, features)
        flow = self.flow_head(motion).float() * self.shape.flow_scale
        first = ~known.view(-1, 1, 1, 1)
        mask = self.shape.refresh + (1 - self.shape.refresh - self.shape.persist) * self.mask_head(motion).float()
        mask = torch.where(first, 1.0, mask)
        warped = ops.warp(history[:, -3:].float(), flow)
        return Painted(mask * raw + (1 - mask) * warped, raw, flow, mask, warped)
