"""Feature matching against a critic (pix2pixHD, equation 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def feature_matching(fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """L1 between the critic's features of fake and real, logits left out.

    One feature list per scale; mean over scales, each layer weighted by 4 / (layers + 1) (vid2vid). The real side is
    detached.
    """
    terms = []
    for fake_features, real_features in zip(fake, real, strict=True):
        weight = 4.0 / (len(fake_features) - 1)
        terms += [
            weight * F.l1_loss(f.float(), r.detach().float())
            for f, r in zip(fake_features[:-1], real_features[:-1], strict=True)
        ]
    return torch.stack(terms).sum() / len(fake)
