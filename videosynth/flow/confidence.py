"""What every flow teacher shares: the forward-backward check, and the check of its input."""

from __future__ import annotations

import cv2
import numpy as np


def check_pair(current: np.ndarray, previous: np.ndarray) -> None:
    """Raise ValueError unless both are uint8 ``H W 3`` of one size."""
    if current.dtype != np.uint8 or current.ndim != 3 or current.shape[2] != 3:
        raise ValueError(f"a picture is uint8 H W 3; got {current.dtype} {current.shape}")
    if previous.dtype != np.uint8 or previous.shape != current.shape:
        raise ValueError(f"two pictures of one size; got {current.shape} and {previous.dtype} {previous.shape}")


def forward_backward(flow: np.ndarray, back: np.ndarray, threshold: float = 1.0) -> np.ndarray:
    """Where two opposite flows agree: float32 ``1 H W`` of 0 and 1.

    ``flow`` leads from this picture to the other, ``back`` from the other to this, both ``2 H W`` in pixels.
    1 where ``|flow(x) + back(x + flow(x))| < threshold`` pixels and x + flow(x) lies in the picture (its outermost
    pixels reach half a pixel beyond their centres), else 0.
    """
    height, width = flow.shape[1:]
    flow = flow.astype(np.float32, copy=False)
    x = np.arange(width, dtype=np.float32)[None, :] + flow[0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[1]
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)  # pixels are squares
    there = cv2.remap(
        np.ascontiguousarray(back.transpose(1, 2, 0), dtype=np.float32), x, y, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    error = np.hypot(flow[0] + there[..., 0], flow[1] + there[..., 1])
    return (inside & (error < threshold)).astype(np.float32)[None]
