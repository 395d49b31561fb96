"""Driving maps as a network sees them: ids become channels."""

from __future__ import annotations

import torch
from torch import Tensor

from videosynth.types import DataSpec, UserError


def one_hot(ids: Tensor, channels: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """``(B, H, W)`` integer ids to ``(B, channels, H, W)``; ids outside 0..channels-1 (void) give the zero vector."""
    index = ids.long().unsqueeze(1)
    known = (index >= 0) & (index < channels)
    out = torch.zeros(ids.shape[0], channels, *ids.shape[1:], dtype=dtype, device=ids.device)
    return out.scatter_(1, index.clamp(0, channels - 1), known.to(dtype))


def instance_edges(ids: Tensor) -> Tensor:
    """``(B, H, W)`` instance ids to a ``(B, 1, H, W)`` edge map of 0 and 1.

    A pixel is an edge when its left, right, upper or lower neighbour has another id, so borders are two pixels wide
    (vid2vid's instance channel).
    """
    edge = torch.zeros(ids.shape, dtype=torch.bool, device=ids.device)
    across = ids[:, :, 1:] != ids[:, :, :-1]
    down = ids[:, 1:] != ids[:, :-1]
    edge[:, :, 1:] |= across
    edge[:, :, :-1] |= across
    edge[:, 1:] |= down
    edge[:, :-1] |= down
    return edge.unsqueeze(1).float()


def one_hot_channels(spec: DataSpec) -> tuple[tuple[int, int], ...]:
    """The ranges (first, end) of :func:`encode_maps`'s channels that are one-hot (or zero, where there is no class)."""
    ranges, before = [], 0
    for item in spec.maps:
        if item.kind == "classes":
            ranges.append((before, before + item.channels))
        before += item.channels
    return tuple(ranges)


def encode_maps(maps: dict[str, Tensor], spec: DataSpec) -> Tensor:
    """All maps of one frame as ``(B, spec.channels, H, W)`` floats, in the order of the spec.

    Void pixels are the zero vector; dense and drawn maps are scaled from their range to [0, 1].
    """
    parts = []
    for item in spec.maps:
        value = maps[item.name]
        if item.kind == "classes":
            if item.void is not None and item.void < item.channels:
                value = torch.where(value == item.void, value.new_tensor(item.channels), value)
            parts.append(one_hot(value, item.channels))
        elif item.kind == "instances":
            parts.append(instance_edges(value))
        else:
            low, high = item.range
            parts.append((value.float() - low) / (high - low))
    return torch.cat(parts, dim=1)


def class_channels(spec: DataSpec, classes: tuple[str, ...], option: str) -> tuple[int, ...]:
    """Channels of some classes (names or ids) among those of one frame's maps.

    Raises:
        UserError: an unknown class, or no label maps at all.
    """
    if not classes:
        return ()
    before = 0
    for item in spec.maps:
        if item.kind == "classes":
            return tuple(before + item.class_id(str(name), option) for name in classes)
        before += item.channels
    raise UserError(f"{option} names classes, but the data has no label maps: leave it empty")
