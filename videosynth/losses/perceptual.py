"""The distance of two pictures in a frozen network's features (Johnson et al. 2016; vid2vid's G_VGG)."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

WIDEST = 1024  # pixels


class Trunk(Protocol):
    """What is asked of a feature network: one map per layer, one weight per layer."""

    weights: tuple[float, ...]

    def __call__(self, images: Tensor) -> list[Tensor]: ...


def perceptual(fake: Sequence[Tensor], real: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Weighted sum over layers of the mean absolute difference of the feature maps; a scalar.

    ``fake`` and ``real`` are lists of maps B C h w as a :class:`~videosynth.nn.trunks.FeatureTrunk` gives them, with
    one weight per layer. The real maps are constants: compute them once (under ``no_grad``) for several fakes.
    """
    if not len(fake) == len(real) == len(weights):
        raise ValueError(f"{len(fake)} fake maps, {len(real)} real maps and {len(weights)} weights do not match")
    terms = [w * torch.mean(torch.abs(f - r.detach())) for f, r, w in zip(fake, real, weights)]
    return torch.stack(terms).sum()


def perceptual_distances(trunk: Trunk, fakes: Sequence[Tensor], real: Tensor, recompute: bool = False) -> list[Tensor]:
    """:func:`perceptual` of each of several fakes to the same real pictures, all B 3 H W in [-1, 1]; wider ones than 1024 are
    halved first, as the public codes do. ``recompute``: the network's maps are not kept for the backward pass (less memory,
    more time).
    """
    with torch.no_grad():
        target = trunk(_halved(real))

    def distance(fake: Tensor) -> Tensor:
        return perceptual(trunk(_halved(fake)), target, trunk.weights)

    if recompute:
        return [typing.cast(Tensor, checkpoint(distance, fake, use_reentrant=False)) for fake in fakes]
    return [distance(fake) for fake in fakes]


def _halved(pictures: Tensor) -> Tensor:
    while pictures.shape[-1] > WIDEST:
        pictures = F.avg_pool2d(pictures, 2)
    return pictures
