"""Noise by seed, and points on paths: what videos are made from."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor


def generators(seeds: Sequence[int], name: str) -> list[torch.Generator]:
    """One CPU generator per video for the latent called ``name``: a video's noise depends on its seed alone, whatever it is
    batched with and wherever it is made.
    """
    salt = zlib.crc32(name.encode())
    return [torch.Generator().manual_seed((seed * 0x9E3779B1 + salt) % 2**63) for seed in seeds]


def normal(sources: Sequence[torch.Generator], *shape: int) -> Tensor:
    """``(B, *shape)`` from N(0, 1)."""
    return torch.stack([torch.randn(shape, generator=source) for source in sources])


def uniform(sources: Sequence[torch.Generator], *shape: int) -> Tensor:
    """``(B, *shape)`` from U(-1, 1)."""
    return torch.stack([torch.rand(shape, generator=source) * 2 - 1 for source in sources])


def integers(sources: Sequence[torch.Generator], below: int) -> Tensor:
    """``(B)`` from 0, ..., below - 1."""
    return torch.stack([torch.randint(below, (), generator=source) for source in sources])


ROUNDING = 1e-9  # of frames at a speed that is no binary fraction


def steps_of(frames: int, speed: float) -> int:
    """Steps of a path that ``frames`` points at 0, speed, 2 * speed, ... go through."""
    return math.ceil((frames - 1) * speed - ROUNDING) + 1


def points_on(steps: int, speed: float) -> int:
    """How many points at 0, speed, 2 * speed, ... a path of so many steps has: the reverse of :func:`steps_of`."""
    return math.floor((steps - 1) / speed + ROUNDING) + 1


def along(path: Tensor, positions: Tensor) -> Tensor:
    """Points of paths ``(B, T, D)`` at ``positions (N)`` in 0..T-1, linear between the steps: ``(B, N, D)``."""
    before = positions.floor().clamp(max=path.shape[1] - 1).long()
    after = (before + 1).clamp(max=path.shape[1] - 1)
    share = (positions - before).to(path).view(1, -1, 1)
    return path[:, before] + share * (path[:, after] - path[:, before])
