"""Frame by frame: PSNR, SSIM (Wang et al. 2004), gradient energy, and the distance in a trunk's features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth.nn.trunks import FeatureTrunk

Videos = Sequence[np.ndarray] | np.ndarray  # a set of videos: arrays T H W 3, or one of N T H W 3

BATCH = 8  # frames at a time through a network: bounds the memory, changes no figure


def as_tensor(frames: np.ndarray) -> Tensor:
    """uint8 T H W 3 (or floats in [0, 1]) -> float32 T 3 H W in [0, 1]."""
    if frames.ndim != 4 or frames.shape[3] != 3:
        raise ValueError(f"frames are arrays T H W 3, not of shape {frames.shape}")
    tensor = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    return tensor.float() / 255 if frames.dtype == np.uint8 else tensor.float()


def check_pair(fake: np.ndarray, real: np.ndarray) -> None:
    if fake.shape != real.shape:
        raise ValueError(f"generated frames {fake.shape} and real frames {real.shape} differ in shape")


def psnr(fake: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB of each frame, T values, at most 100 (equal frames). Higher is better."""
    check_pair(fake, real)
    errors = ((as_tensor(fake).double() - as_tensor(real).double()) ** 2).mean(dim=(1, 2, 3))
    return (-10 * torch.log10(errors.clamp(min=1e-10))).numpy()


def ssim(fake: np.ndarray, real: np.ndarray, window: Literal["uniform", "gaussian"] = "uniform") -> np.ndarray:
    """Structural similarity of each frame, T values, 1 for equal frames. Higher is better.

    ``uniform``: 7x7 mean window and sample covariance, the usual form in video prediction; ``gaussian``: the article's
    11x11 window of deviation 1.5. Both on RGB, over windows that lie wholly inside the picture.
    """
    check_pair(fake, real)
    if window == "uniform":
        line, correction = torch.full((7,), 1 / 7, dtype=torch.float64), 49 / 48
    else:
        line = torch.exp(-(torch.arange(-5, 6, dtype=torch.float64) ** 2) / (2 * 1.5**2))
        line, correction = line / line.sum(), 1.0
    if min(fake.shape[1:3]) < len(line):
        raise ValueError(f"frames of {fake.shape[1]}x{fake.shape[2]} are smaller than the SSIM window {len(line)}")

    def local_mean(x: Tensor) -> Tensor:  # separable: columns, then rows
        flat = x.flatten(0, 1).unsqueeze(1)
        flat = F.conv2d(F.conv2d(flat, line.view(1, 1, -1, 1)), line.view(1, 1, 1, -1))
        return flat.squeeze(1).unflatten(0, x.shape[:2])

    values = []
    for start in range(0, len(fake), BATCH):
        a, b = (as_tensor(x[start : start + BATCH]).double() for x in (fake, real))
        mean_a, mean_b = local_mean(a), local_mean(b)
        var_a = correction * (local_mean(a * a) - mean_a**2)
        var_b = correction * (local_mean(b * b) - mean_b**2)
        covariance = correction * (local_mean(a * b) - mean_a * mean_b)
        c1, c2 = 0.01**2, 0.03**2
        top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
        values.append((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean(dim=(1, 2, 3)))
    return torch.cat(values).numpy()


def gradient_energy(frames: np.ndarray) -> np.ndarray:
    """Mean absolute difference of neighbouring pixels, down plus across, of each frame on [0, 1]; T values.

    Its ratio to the real frames' tells blur (below 1) from noise and invented texture (above 1).
    """
    x = as_tensor(frames).double()
    down, across = (x[:, :, 1:] - x[:, :, :-1]).abs(), (x[..., 1:] - x[..., :-1]).abs()
    return (down.mean(dim=(1, 2, 3)) + across.mean(dim=(1, 2, 3))).numpy()


@torch.no_grad()
def perceptual_distance(fake: np.ndarray, real: np.ndarray, trunk: FeatureTrunk) -> np.ndarray:
    """Distance of each frame in a trunk's features, T values, 0 for equal frames. Lower is better.

    Every layer's map is brought to unit length over channels at each pixel; squared differences are summed over
    channels, averaged over pixels and summed over the layers (LPIPS without learnt weights; Zhang et al. 2018).
    """
    check_pair(fake, real)
    device = trunk.mean.device
    values = []
    for start in range(0, len(fake), BATCH):
        maps = [trunk(as_tensor(x[start : start + BATCH]).to(device) * 2 - 1) for x in (fake, real)]
        layers = [
            (F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1)).square().sum(dim=1).mean(dim=(1, 2))
            for a, b in zip(*maps)
        ]
        values.append(torch.stack(layers).sum(dim=0).double().cpu())
    return torch.cat(values).numpy()
