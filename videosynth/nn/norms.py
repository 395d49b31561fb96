"""Normalisation layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InstanceNorm(nn.Module):
    """Instance norm with affine parameters ``weight (C)`` and ``bias (C)``, eps 1e-5, biased variance.

    This is what the batch norm of the vid2vid reference really is: batch size 1, batch statistics in training and use.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        # Group norm on a contiguous copy. F.instance_norm is wrong here: on one channels-last image whose gradient comes
        # back channels-last, torch 2.13 returns wrong input gradients without a word (tests/nn/test_norms.py); and the
        # channels-last kernel of the group norm is twenty times slower backward than the contiguous one.
        # Without gradients neither matters, and the copies would cost an eighth of a frame's time.
        x = x.contiguous() if torch.is_grad_enabled() else x
        if x.is_cuda and torch.is_autocast_enabled("cuda"):
            # Autocast would make fp32 of it there, twice the memory and time, for sums that are in fp32 anyway.
            with torch.autocast("cuda", enabled=False):
                return F.group_norm(x, x.shape[1], self.weight.to(x.dtype), self.bias.to(x.dtype))
        return F.group_norm(x, x.shape[1], self.weight, self.bias)
