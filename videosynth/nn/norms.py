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


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over whatever lies behind the channels: ``(B, C)``, ``(B, C, T)``, ``(B, C, H, W)``, ``(B, C, T, H, W)``.

    ``beta`` False leaves the shift out, as TGAN does; ``momentum`` is torch's (the share of the newest batch).
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, beta: bool = True) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        if not beta:
            self.bias = None  # pyright: ignore[reportAttributeAccessIssue]

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions behind the channels."""

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
