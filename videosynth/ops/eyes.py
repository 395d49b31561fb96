"""What a critic of pictures is shown of a video: single frames of it (S_1 of MoCoGAN).

Real videos, fake ones and whatever belongs to them are cut at the same times. (S_T, a run of frames, is the clip that was
drawn: ``data/draws.py``.)
"""

from __future__ import annotations

import torch
from torch import Tensor


def some_frames(video: Tensor, times: Tensor) -> Tensor:
    """S_1: the frames of ``(B, T, ...)`` at ``times (B, K)``, as pictures ``(B * K, ...)``, video by video."""
    rows = torch.arange(video.shape[0], device=times.device).unsqueeze(1)
    return video[rows.to(video.device), times.to(video.device)].flatten(0, 1)


def some_times(batch: int, length: int, count: int = 1) -> Tensor:
    """``(B, K)`` different times of each video, from torch's global generator."""
    return torch.rand(batch, length).argsort(dim=1)[:, : min(count, length)]
