"""Parts of a picture: boxes around what a mask marks, and crops of one size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def boxes_around(there: Tensor, margin: float = 0.25) -> tuple[Tensor, Tensor]:
    """Square boxes around the marked pixels of ``(N, H, W)`` bool masks.

    Returns ``(N, 4)`` x0, y0, x1, y1 in pixels (pixel centres are integers), a margin of ``margin`` of the longer side
    added, and ``(N,)`` bool: whether anything is marked (else the box is the whole picture).
    """
    height, width = there.shape[-2:]
    found = there.flatten(1).any(1)
    columns, rows = there.any(1).float(), there.any(2).float()
    x0, y0 = columns.argmax(1).float(), rows.argmax(1).float()
    x1, y1 = width - 1 - columns.flip(1).argmax(1).float(), height - 1 - rows.flip(1).argmax(1).float()
    half = torch.maximum(x1 - x0, y1 - y0).add(1).mul(0.5 + margin)
    centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
    boxes = torch.stack([centre_x - half, centre_y - half, centre_x + half, centre_y + half], dim=1)
    whole = boxes.new_tensor([0, 0, width - 1, height - 1])
    return torch.where(found.unsqueeze(1), boxes, whole), found


def crop(x: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Boxes of ``(N, C, H, W)`` as ``(N, C, size, size)``: bilinear, border padding, float32; gradients reach ``x``."""
    height, width = x.shape[-2:]
    steps = torch.arange(size, device=x.device, dtype=torch.float32) / max(size - 1, 1)
    across = boxes[:, 0:1] + (boxes[:, 2:3] - boxes[:, 0:1]) * steps  # N size
    along = boxes[:, 1:2] + (boxes[:, 3:4] - boxes[:, 1:2]) * steps
    grid = torch.stack(
        [
            (across / max(width - 1, 1) * 2 - 1).unsqueeze(1).expand(-1, size, -1),
            (along / max(height - 1, 1) * 2 - 1).unsqueeze(2).expand(-1, -1, size),
        ],
        dim=-1,
    )
    return F.grid_sample(x.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)
