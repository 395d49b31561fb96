"""Networks of vid2vid (Wang et al. 2018): plain torch, bottom-up, no loss, no files.

The composite generator paints frame t as ``m * h + (1 - m) * warp(x[t-1], w)`` (equation 4): a hallucinated image h,
an occlusion mask m and a flow w, all predicted from the current and past maps and the past generated frames. Finer
generators add detail at twice the size (section 3.3), and a foreground branch paints chosen classes (equation 9).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from videosynth import ops
from videosynth.models.vid2vid.options import GeneratorShape
from videosynth.nn.blocks import ResidualBlock, conv7, down, entry, normal_init, up
from videosynth.nn.growing import ActiveScales
from videosynth.nn.lookup import OneHotConv

Ranges = tuple[tuple[int, int], ...]  # channels (first, end) that are one-hot


class Painted(NamedTuple):
    """What a scale says about one frame. Without flow, ``image`` is ``raw``; what there is not is None."""

    image: Tensor  # (B, 3, H, W) in [-1, 1], the composed frame
    raw: Tensor  # (B, 3, H, W) the hallucinated image h (with the foreground in it)
    flow: Tensor | None  # (B, 2, H, W) pixels, backward
    mask: Tensor | None  # (B, 1, H, W) in [0, 1], 1 where the hallucinated image is used
    warped: Tensor | None  # (B, 3, H, W) the previous frame, warped
    foreground: Tensor | None  # (B, 3, H, W) the foreground branch's image


class Features(NamedTuple):
    """What a scale hands to the next finer one: features before the last convolutions, of its own size."""

    image: Tensor | None = None
    flow: Tensor | None = None
    foreground: Tensor | None = None


def _deepen(inputs: int, width: int, halvings: int, one_hot: Ranges = ()) -> list[nn.Module]:
    layers = entry(inputs, width)
    if one_hot:
        layers[1] = OneHotConv(inputs, width, 7, one_hot)
    for k in range(halvings):
        layers += down(width * 2**k, width * 2 ** (k + 1))
    return layers


def _raise(width: int, doublings: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for k in reversed(range(doublings)):
        layers += up(width * 2 ** (k + 1), width * 2**k)
    return layers


def _residual(channels: int, count: int) -> list[nn.Module]:
    return [ResidualBlock(channels) for _ in range(count)]


class Scale(nn.Module):
    """One spatial scale: label and history trunks are summed; an image branch and a flow branch go up again.

    ``inputs`` are the channels of all maps it looks at, ``index`` counts the scales from the coarsest.
    """

    def __init__(self, inputs: int, shape: GeneratorShape, index: int, one_hot: Ranges = ()) -> None:
        super().__init__()
        self.shape = shape
        self.flow_scale = shape.flow_scale * 2**index
        width = shape.width // 2**index
        if index == 0:
            halvings, deep = shape.downsamples, width * 2**shape.downsamples
            in_trunk, in_branch = shape.blocks - shape.blocks // 2, shape.blocks // 2
        else:
            halvings, deep, in_trunk, in_branch = 1, 2 * width, 0, shape.finer_blocks

        def branch() -> nn.Sequential:
            return nn.Sequential(*_residual(deep, in_branch), *_raise(width, halvings))

        self.label_trunk = nn.Sequential(*_deepen(inputs, width, halvings, one_hot), *_residual(deep, in_trunk))
        if shape.past:
            self.history_trunk = nn.Sequential(*_deepen(3 * shape.past, width, halvings), *_residual(deep, in_trunk))
        self.image_branch = branch()
        self.image_head = nn.Sequential(*conv7(width, 3), nn.Tanh())
        if shape.flow:
            self.flow_branch = branch()
            self.flow_head = nn.Sequential(*conv7(width, 2))
            self.mask_head = nn.Sequential(*conv7(width, 1), nn.Sigmoid())
        if shape.foreground:
            thin = width // 2 if shape.downsamples > 2 else width
            thick = thin * 2**halvings
            self.foreground_trunk = nn.Sequential(*_deepen(inputs, thin, halvings))
            blocks = shape.blocks if index == 0 else shape.finer_blocks
            self.foreground_branch = nn.Sequential(*_residual(thick, blocks), *_raise(thin, halvings))
            self.foreground_head = nn.Sequential(*conv7(thin, 3), nn.Tanh())

    def heads(self) -> list[str]:
        """Names of the last convolutions, which only this scale's own frames need."""
        return [name for name, _ in self.named_children() if name.endswith("_head")]

    def forward(
        self, maps: Tensor, history: Tensor, known: Tensor, told: Tensor, there: Tensor | None, coarse: Features | None
    ) -> tuple[Painted, Features]:
        """maps ``(B, inputs, H, W)``, history ``(B, past * 3, H, W)``, both oldest first; known ``(B,)`` bool: whether the
        item has a previous frame (else its frame is the hallucinated image); told ``(B,)`` bool: whether its history is
        looked at; there ``(B, 1, H, W)`` in [0, 1]: where the
        foreground is; coarse: features of the next coarser scale, ``(B, 2 * width, H/2, W/2)``.
        """
        features = self._run(self.label_trunk, maps)
        if self.shape.past:
            # Without history the trunk would normalise a constant image: rounding errors, amplified 300-fold per layer,
            # would come out as noise as strong as the features. So an unknown history adds nothing.
            before = self._run(self.history_trunk, history)
            features = features + told.view(-1, 1, 1, 1).to(before.dtype) * before  # bf16 stays bf16 under autocast
        below = Features() if coarse is None else coarse
        image = self._run(self.image_branch, added(features, below.image))
        background = raw = self.image_head(image).float()
        foreground = front = None
        if self.shape.foreground and there is not None:
            front = self._run(self.foreground_branch, added(self._run(self.foreground_trunk, maps), below.foreground))
            foreground = self.foreground_head(front).float()
            raw = there * foreground + (1 - there) * background
        if not self.shape.flow:
            return Painted(raw, raw, None, None, None, foreground), Features(image, None, front)

        motion = self._run(self.flow_branch, added(features, below.flow))
        flow = self.flow_head(motion).float() * self.flow_scale
        mask = self.shape.refresh + (1 - self.shape.refresh - self.shape.persist) * self.mask_head(motion).float()
        mask = torch.where(known.view(-1, 1, 1, 1), mask, 1.0)
        warped = ops.warp(history[:, -3:].float(), flow)
        if foreground is not None and there is not None and self.shape.foreground_rule == "replace":
            composed = there * foreground + (1 - there) * (mask * background + (1 - mask) * warped)
        else:
            composed = mask * raw + (1 - mask) * warped
        return Painted(composed, raw, flow, mask, warped, foreground), Features(image, motion, front)

    def _run(self, module: nn.Module, x: Tensor) -> Tensor:
        if self.shape.checkpointing and torch.is_grad_enabled():
            return checkpoint(module, x, use_reentrant=False)  # pyright: ignore[reportReturnType]
        return module(x)


def added(x: Tensor, more: Tensor | None) -> Tensor:
    return x if more is None else x + more


class Vid2VidGenerator(nn.Module):
    """All spatial scales, the coarsest first. ``map_channels`` are the channels of one frame's maps, ``foreground`` those
    among them that belong to the foreground, ``one_hot`` the ranges of them that are one-hot.
    """

    def __init__(
        self, map_channels: int, shape: GeneratorShape, foreground: tuple[int, ...] = (), one_hot: Ranges = ()
    ) -> None:
        super().__init__()
        self.shape = shape
        self.map_channels = map_channels
        self.foreground = foreground
        self.active = ActiveScales(shape.scales)
        self.blends = shape.flow  # the frame is composed of the hallucinated and the warped image
        inputs = shape.style + map_channels * (shape.past + 1)
        frames = [shape.style + map_channels * k for k in range(shape.past + 1)]
        every = tuple((first + a, first + b) for first in frames for a, b in one_hot)
        # Coarser scales see averaged maps, which are no longer one-hot.
        ranges = [() if index < shape.scales - 1 else every for index in range(shape.scales)]
        self.scales = nn.ModuleList(Scale(inputs, shape, index, ranges[index]) for index in range(shape.scales))
        normal_init(self)

    def resting(self, active: int, alone: bool) -> list[str]:
        """Names of the submodules that do not train while the coarsest ``active`` scales are in use (the finest of them
        ``alone``): the finer scales, and the coarser scales' last convolutions, whose frames are nobody's but their own
        history.
        """
        names = [f"scales.{k}" for k in range(active, len(self.scales))]
        for k in range(active - 1):
            heads = self.scales[k].heads()  # pyright: ignore[reportCallIssue]
            names += [f"scales.{k}"] if alone else [f"scales.{k}.{head}" for head in heads]
        return names

    def forward(
        self, maps: Tensor, histories: tuple[Tensor, ...], known: Tensor, told: Tensor | None = None
    ) -> tuple[Painted, ...]:
        """One frame at every active scale, the coarsest first.

        maps ``(B, style + (past + 1) * C, H, W)``: the looks of the objects, then the maps, oldest first; H and W multiples
        of ``shape.multiple``; histories: one ``(B, past * 3, h, w)`` per active scale, the coarsest first, zeros where there
        is none; known ``(B,)`` bool: there is a previous frame; told ``(B,)`` bool: the history is looked at (default: where
        it is known).
        """
        dtype = next(self.parameters()).dtype  # bf16 where the weights were made so
        count = self.active.count
        levels = ops.pyramid(maps, count)[::-1]
        painted: list[Painted] = []
        coarse: Features | None = None
        for scale, level, history in zip(self.scales, levels, histories, strict=False):
            there = None
            if self.foreground:
                now = level[:, -self.map_channels :]
                there = now[:, list(self.foreground)].sum(1, keepdim=True).clamp(0, 1).float()
            seen = known if told is None else told
            frame, coarse = scale(level.to(dtype), history.to(dtype), known, seen, there, coarse)
            painted.append(frame)
        return tuple(painted)
