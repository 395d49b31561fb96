"""Backward warping and composition of optical flow (vid2vid, section 3.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_grid(height: int, width: int, device: torch.device) -> Tensor:
    """Pixel coordinates ``(1, 2, H, W)``, x then y, in float32.

    Built from ``arange`` (a ``linspace`` would freeze H and W on export) and never in bf16, which cannot
    tell neighbouring pixels apart beyond 256.
    """
    y = torch.arange(height, device=device, dtype=torch.float32).view(1, 1, height, 1).expand(1, 1, height, width)
    x = torch.arange(width, device=device, dtype=torch.float32).view(1, 1, 1, width).expand(1, 1, height, width)
    return torch.cat([x, y], dim=1)


def warp(previous: Tensor, flow: Tensor) -> Tensor:
    """Sample ``previous`` at ``x + flow(x)``: bilinear, border padding, pixel centres at integer coordinates.

    previous ``(B, C, H, W)``; flow ``(B, 2, H, W)`` in pixels, x then y. An integer shift is an exact roll (inside the
    border). Computed in float32 under any autocast; returns the dtype of ``previous``.
    """
    height, width = flow.shape[-2:]
    # All in float32: arithmetic is left alone by autocast, and grid_sample takes the widest type of its inputs.
    where = pixel_grid(height, width, flow.device) + flow.float()
    scale = torch.tensor([max(width - 1, 1) / 2, max(height - 1, 1) / 2], device=flow.device)
    grid = where.permute(0, 2, 3, 1) / scale - 1  # (B, H, W, 2), corner-aligned [-1, 1]
    out = F.grid_sample(previous.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)
    return out.to(previous.dtype)


def compose_flow(later: Tensor, earlier: Tensor) -> Tensor:
    """Flow over two steps: ``later`` leads from t to t-1, ``earlier`` from t-1 to t-2; both ``(B, 2, H, W)``."""
    return later + warp(earlier, later)


def strided_flow(flow: Tensor, stride: int) -> Tensor:
    """Flow over ``stride`` frames from flow between neighbours, both ``(B, T, 2, H, W)``: entry t leads to t - stride
    (the first ``stride`` entries lead out of the clip and mean nothing).
    """
    total = flow
    batch, length = flow.shape[:2]
    for k in range(1, min(stride, length)):
        earlier = torch.cat([flow[:, :1].expand(-1, k, -1, -1, -1), flow[:, :-k]], dim=1)
        total = compose_flow(total.flatten(0, 1), earlier.flatten(0, 1)).view(batch, length, *flow.shape[2:])
    return total
