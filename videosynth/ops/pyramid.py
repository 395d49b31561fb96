"""Image pyramids and padding to a network's multiple."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def halve(x: Tensor) -> Tensor:
    """Average over 3x3 windows with stride 2; padding does not count (the pyramid of pix2pixHD and vid2vid)."""
    return F.avg_pool2d(x, kernel_size=3, stride=2, padding=1, count_include_pad=False)


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """``levels`` tensors, full size first."""
    out = [x]
    for _ in range(levels - 1):
        out.append(halve(out[-1]))
    return out


def pad_to_multiple(x: Tensor, multiple: int, smallest: int = 1) -> Tensor:
    """Replicate the right and lower edge of ``(B, C, H, W)`` until H and W are multiples and not less than ``smallest``
    (a multiple itself); ids may be integers.
    """
    bottom, right = (max(smallest - n, -n % multiple) for n in x.shape[-2:])
    if not bottom and not right:
        return x
    if not x.shape[1]:  # no past frames, no channels: torch refuses to pad nothing
        return x.new_zeros(x.shape[0], 0, x.shape[-2] + bottom, x.shape[-1] + right)
    if x.is_floating_point():
        return F.pad(x, (0, right, 0, bottom), mode="replicate")
    # float64 holds every id up to 2**53; float32 would merge instance ids beyond 2**24.
    return F.pad(x.double(), (0, right, 0, bottom), mode="replicate").to(x.dtype)
