"""The first convolution on one-hot maps as a table look-up, for making frames only.

Where one channel of many is 1 and the others are 0, a convolution adds up one row of weights per kernel position: the
multiplications by zero, an eighth of all the work of a paper-sized generator, can be left out. The result is the same.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIP = 64  # rows of a picture that are looked up at once: what bounds the memory


class OneHotConv(nn.Conv2d):
    """A convolution without padding that knows which of its input channels are one-hot: ``ranges`` of (first, end)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, ranges: tuple[tuple[int, int], ...]) -> None:
        super().__init__(inputs, outputs, kernel)
        self.ranges = ranges


class LookUpConv(nn.Module):
    """The same layer as ``conv``, stride 1, for inputs that are one-hot (or all zero) in its ranges."""

    table: Tensor
    first: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, conv: OneHotConv) -> None:
        super().__init__()
        self.ranges = conv.ranges
        self.side = conv.kernel_size[0]
        weight = conv.weight.detach()
        rows, first, before = [], [], 0
        for start, end in self.ranges:
            part = weight[:, start:end].permute(2, 3, 1, 0)  # y x class out
            part = torch.cat([part, torch.zeros_like(part[:, :, :1])], dim=2)  # the last row: no class
            rows.append(part.flatten(0, 2))
            first.append(before + torch.arange(self.side**2) * part.shape[2])
            before += len(rows[-1])
        covered = {c for start, end in self.ranges for c in range(start, end)}
        self.dense = [c for c in range(conv.in_channels) if c not in covered]
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        self.register_buffer("table", torch.cat(rows).contiguous())
        self.register_buffer("first", torch.cat(first).to(torch.int32))
        self.register_buffer("weight", weight[:, self.dense].contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias.to(weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """x ``(B, C, H + k - 1, W + k - 1)``; returns ``(B, O, H, W)``, channels-last."""
        ids = torch.stack([_ids(x[:, start:end]) for start, end in self.ranges], dim=1)  # B K h w
        height = x.shape[-2] - self.side + 1
        strips = [
            self._strip(ids[:, :, y : y + min(STRIP, height - y) + self.side - 1]) for y in range(0, height, STRIP)
        ]
        found = torch.cat(strips, dim=1).permute(0, 3, 1, 2)  # B O H W
        if not self.dense:
            return found + self.bias.view(1, -1, 1, 1)
        return found + F.conv2d(x[:, self.dense], self.weight, self.bias)

    def _strip(self, ids: Tensor) -> Tensor:
        """ids ``(B, K, h + k - 1, W + k - 1)`` to sums of rows ``(B, h, W, O)``."""
        around = ids.unfold(2, self.side, 1).unfold(3, self.side, 1)  # B K h W k k
        batch, _, height, width = around.shape[:4]
        rows = around.permute(0, 2, 3, 1, 4, 5).reshape(batch * height * width, -1) + self.first
        return F.embedding_bag(rows, self.table, mode="sum").view(batch, height, width, -1)


def _ids(hot: Tensor) -> Tensor:
    """One-hot ``(B, C, H, W)`` to int32 ids ``(B, H, W)``; C where all is zero."""
    largest, index = hot.max(dim=1)
    return torch.where(largest > 0.5, index, hot.shape[1]).to(torch.int32)
