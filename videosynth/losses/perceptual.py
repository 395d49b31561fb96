"""The distance of two pictures in a frozen network's features (Johnson et al. 2016; vid2vid's G_VGG)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def perceptual(fake: Sequence[Tensor], real: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Weighted sum over layers of the mean absolute difference of the feature maps; a scalar.

    ``fake`` and ``real`` are lists of maps B C h w as a :class:`~videosynth.nn.trunks.FeatureTrunk` gives them, with
    one weight per layer. The real maps are constants: compute them once (under ``no_grad``) for several fakes.
    """
    if not len(fake) == len(real) == len(weights):
        raise ValueError(f"{len(fake)} fake maps, {len(real)} real maps and {len(weights)} weights do not match")
    terms = [w * torch.mean(torch.abs(f - r.detach())) for f, r, w in zip(fake, real, weights)]
    return torch.stack(terms).sum()
