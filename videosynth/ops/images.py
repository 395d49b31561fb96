"""The two forms of a frame: uint8 outside models, float in [-1, 1] inside."""

from __future__ import annotations

import torch
from torch import Tensor


def to_float(frames: Tensor) -> Tensor:
    """uint8 0..255 to float32 in [-1, 1], any shape."""
    return frames.float() / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """float in [-1, 1] to uint8 (rounded, clamped), any shape."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
