"""Parts of a picture: boxes around what a mask marks, crops of one size, and means over objects."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth.types import DataSpec


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


def object_keys(maps: dict[str, Tensor], spec: DataSpec) -> Tensor:
    """One int64 key per object: class * 2^32 + instance, of ids ``(..., H, W)``. Without instances a class is one object;
    pixels of no class have the class -1.
    """
    labels, instances = spec.map("classes"), spec.map("instances")
    if labels is None:
        raise ValueError("objects are told apart by their classes: the data has no label maps")
    classes = maps[labels.name].long()
    known = classes < labels.channels
    if labels.void is not None:
        known &= classes != labels.void
    classes = torch.where(known, classes, -1)
    return classes * 2**32 if instances is None else classes * 2**32 + maps[instances.name].long()


def class_of(keys: Tensor) -> Tensor:
    """The class of :func:`object_keys`; -1: none."""
    return keys >> 32


def means_over(features: Tensor, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean feature per key: features ``(C, N)``, keys ``(N,)``. Returns the keys ``(K,)``, their means ``(K, C)`` and pixel
    counts ``(K,)``.
    """
    found, place = keys.unique(return_inverse=True)
    sums = features.new_zeros(len(found), len(features)).index_add_(0, place, features.T)
    counts = torch.bincount(place, minlength=len(found))
    return found, sums / counts.unsqueeze(1), counts
