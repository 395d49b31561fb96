"""The networks of TGAN (Saito, Matsumoto, Saito 2017; layer tables of its reference): plain torch, bottom-up."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from videosynth import ops
from videosynth.models.tgan.options import CriticShape, GeneratorShape
from videosynth.nn.ladders import Form, PerFrame, Rung, doublings, ladder, weight_init, widths
from videosynth.nn.norms import BatchNorm

EPS = 2e-5  # of Chainer's batch norm


class TemporalGenerator(nn.Module):
    """``(B, Z)`` to a path ``(B, T, M)`` in (-1, 1); T is a power of two of at least 4."""

    def __init__(self, inputs: int, length: int, shape: GeneratorShape) -> None:
        super().__init__()
        count = length.bit_length() - 1
        if length < 4 or 2**count != length:
            raise ValueError(f"the clip length must be 4, 8, 16, 32, ..., not {length}: set schedule.clip_length")
        hidden = [4 * shape.temporal, 2 * shape.temporal, *[shape.temporal] * (count - 2)]
        rungs = [Rung(hidden[0], 1, 1, 0), *(Rung(c) for c in hidden[1:])]
        rungs.append(Rung(shape.motion, norm=False, activation="tanh"))
        self.ladder = ladder(1, inputs, rungs, transposed=True, form=Form(beta=shape.beta, eps=EPS))

    def forward(self, z: Tensor) -> Tensor:
        return self.ladder(z.unsqueeze(2)).transpose(1, 2)


class Seed(nn.Module):
    """A vector as the channels of the smallest grid: linear without bias, batch norm over all units, ReLU."""

    def __init__(self, inputs: int, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = (channels, *grid)
        units = channels * grid[0] * grid[1]
        self.layers = nn.Sequential(nn.Linear(inputs, units, bias=False), BatchNorm(units, EPS), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).unflatten(1, self.grid)


class ImageGenerator(nn.Module):
    """Pictures from what the video is (z) and where on the path they are: ``(B, Z)``, ``(B, T, M)`` to ``(B, T, 3, H, W)``."""

    def __init__(self, inputs: int, size: tuple[int, int], shape: GeneratorShape) -> None:
        super().__init__()
        count = doublings(size)
        grid = size[0] // 2**count, size[1] // 2**count
        top, *rest = widths(shape.width, count)
        self.slow = Seed(inputs, top, grid)
        self.fast = PerFrame(Seed(shape.motion, top, grid))
        up = ladder(2, 2 * top, [Rung(c) for c in (top, *rest)], transposed=True, form=Form(bias=False, eps=EPS))
        picture = ladder(2, shape.width, [Rung(3, 3, 1, 1, norm=False, activation="tanh")], transposed=True)
        self.paint = PerFrame(nn.Sequential(up, picture))

    def forward(self, z: Tensor, path: Tensor) -> Tensor:
        # z is the same in all frames: its features, and their batch statistics, are those of B vectors.
        slow = self.slow(z).unsqueeze(1).expand(-1, path.shape[1], -1, -1, -1)
        return self.paint(torch.cat([slow, self.fast(path)], dim=2))


class Video(NamedTuple):
    frames: Tensor  # (B, N, 3, H, W) in [-1, 1]
    path: Tensor  # (B, N, M) in [-1, 1]


class Generator(nn.Module):
    """``(B, Z)``, for a conditional one with a one-hot class ``(B, K)``, to a video."""

    def __init__(self, length: int, size: tuple[int, int], classes: int, shape: GeneratorShape) -> None:
        super().__init__()
        self.temporal = TemporalGenerator(shape.latent + classes, length, shape)
        self.image = ImageGenerator(shape.latent + classes, size, shape)
        weight_init(self, lambda w: nn.init.uniform_(w, -0.01, 0.01))

    def forward(self, z: Tensor, label: Tensor | None = None, positions: Tensor | None = None) -> Video:
        """``positions (N)`` on the path: 0, 1, ... without; those between two steps lie on the line between them."""
        z = z if label is None else torch.cat([z, label], dim=1)
        path = self.temporal(z)
        path = path if positions is None else ops.along(path, positions)
        return Video(self.image(z, path), path)


class Critic(nn.Module):
    """``(B, T, 3, H, W)`` to scores ``(B, S)``: one for each 16 frames at 64x64. The class is a map beside the colours."""

    def __init__(self, length: int, size: tuple[int, int], classes: int, shape: CriticShape) -> None:
        super().__init__()
        self.centre = shape.centre
        count = doublings(size)
        if length < 2**count:
            raise ValueError(
                f"the critic of frames of {size[1]}x{size[0]} needs clips of {2**count} frames or more, not {length}: "
                "set schedule.clip_length"
            )
        grid = size[0] // 2**count, size[1] // 2**count
        channels = list(reversed(widths(shape.width, count)))
        rungs = [Rung(c, norm=shape.norm and i > 0, activation="leaky") for i, c in enumerate(channels)]
        form = Form(beta=shape.beta, eps=EPS, noise=shape.noise)
        self.trunk = ladder(3, 3 + classes, rungs, form=form)
        self.score = nn.Conv2d(channels[-1], 1, grid)
        weight_init(self, lambda w: nn.init.uniform_(w, -0.01, 0.01))

    def forward(self, video: Tensor, label: Tensor | None = None) -> Tensor:
        x = (video - self.centre).transpose(1, 2)  # (B, 3, T, H, W)
        if label is not None:
            x = torch.cat([x, label[:, :, None, None, None].expand(-1, -1, *x.shape[2:])], dim=1)
        features = self.trunk(x).transpose(1, 2)  # (B, T', C, h, w)
        return self.score(features.flatten(0, 1)).reshape(features.shape[0], -1)
