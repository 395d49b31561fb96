"""Losses on optical flow (vid2vid, equation 6)."""

from __future__ import annotations

from torch import Tensor


def masked_l1(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """``mean |mask * (a - b)|`` over all elements, as vid2vid has it (not divided by the mask's area).

    a, b ``(..., C, H, W)``; mask ``(..., 1, H, W)`` in [0, 1].
    """
    return ((a.float() - b.float()).abs() * mask).mean()
