"""The networks of VGAN (Vondrick, Pirsiavash, Torralba 2016; its reference's layer table): plain torch, bottom-up."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from videosynth.models.vgan.options import CriticShape, GeneratorShape
from videosynth.nn.ladders import Form, Rung, doublings, ladder, weight_init, widths

CRITIC_EPS = 1e-3  # of the reference's batch norms outside the generator


class Grid(NamedTuple):
    """The smallest grid of a video, and how often it is doubled."""

    length: int
    height: int
    width: int
    doublings: int

    @staticmethod
    def of(length: int, size: tuple[int, int]) -> Grid:
        """Raises ValueError where length or size is no doubled grid."""
        count = doublings(size)
        if length % 2**count:
            raise ValueError(
                f"the clip length must divide by {2**count} for frames of {size[1]}x{size[0]}, not be {length}: "
                "set schedule.clip_length"
            )
        return Grid(length // 2**count, size[0] // 2**count, size[1] // 2**count, count)


def init(module: nn.Module) -> None:
    """Weights N(0, 0.01), biases 0, norms N(1, 0.02) as in the reference."""
    weight_init(module, lambda w: nn.init.normal_(w, 0, 0.01), (1, 0.02))


class Layers(NamedTuple):
    """What a video is made of."""

    frames: Tensor  # (B, T, 3, H, W) in [-1, 1]
    mask: Tensor | None = None  # (B, T, 1, H, W) in [0, 1]: 1 where the foreground shows
    foreground: Tensor | None = None  # (B, T, 3, H, W)
    background: Tensor | None = None  # (B, 3, H, W)


class Streams(nn.Module):
    """A 3-D trunk with a foreground and a mask, and a 2-D background: ``m * f + (1 - m) * b``. One stream: f.

    The codes of trunk and background are grids: ``(B, C, 1, 1, 1)`` and ``(B, C, 1, 1)`` for a vector.
    """

    def __init__(self, first: list[Rung], trunk: list[Rung], inputs: int, ground: list[Rung] | None) -> None:
        super().__init__()
        self.trunk = ladder(3, inputs, [*first, *trunk], transposed=True)
        top = trunk[-1].channels
        self.foreground = ladder(3, top, [Rung(3, norm=False, activation="tanh")], transposed=True)
        self.mask: nn.Module | None = None
        self.background: nn.Module | None = None
        if ground is not None:
            self.mask = ladder(3, top, [Rung(1, norm=False, activation="sigmoid")], transposed=True)
            self.background = ladder(2, inputs, ground, transposed=True)

    def forward(self, code: Tensor, ground: Tensor) -> Layers:
        trunk = self.trunk(code)
        front = self.foreground(trunk).transpose(1, 2)  # (B, T, 3, H, W)
        if self.mask is None or self.background is None:
            return Layers(front)
        mask = self.mask(trunk).transpose(1, 2)
        back = self.background(ground)
        return Layers(mask * front + (1 - mask) * back.unsqueeze(1), mask, front, back)


def _ladders(channels: tuple[int, ...], shape: GeneratorShape) -> tuple[list[Rung], list[Rung] | None]:
    """Rungs that double: of the trunk, and of the background down to the picture."""
    rungs = [Rung(c) for c in channels]
    return rungs, [*rungs, Rung(3, norm=False, activation="tanh")] if shape.streams == 2 else None


class NoiseGenerator(nn.Module):
    """``(B, Z)`` to a video."""

    def __init__(self, grid: Grid, shape: GeneratorShape) -> None:
        super().__init__()
        top, *rest = widths(shape.width, grid.doublings)
        rungs, ground = _ladders(tuple(rest), shape)
        first = [Rung(top, (grid.length, grid.height, grid.width), 1, 0)]
        if ground is not None:
            ground = [Rung(top, (grid.height, grid.width), 1, 0), *ground]
        self.streams = Streams(first, rungs, shape.latent, ground)
        init(self)

    def forward(self, z: Tensor) -> Layers:
        return self.streams(z[:, :, None, None, None], z[:, :, None, None])


class FrameGenerator(nn.Module):
    """A first frame ``(B, 3, H, W)`` to a video that goes on from it (the reference's conditional network; no noise)."""

    def __init__(self, grid: Grid, shape: GeneratorShape) -> None:
        super().__init__()
        channels = widths(2 * shape.width, grid.doublings)
        down = [Rung(c, norm=i > 0) for i, c in enumerate(reversed(channels))]
        self.encoder = ladder(2, 3, down, form=Form(eps=CRITIC_EPS))
        rungs, ground = _ladders(channels[1:], shape)
        self.streams = Streams([Rung(channels[0], (grid.length, 1, 1), 1, 0)], rungs, channels[0], ground)
        init(self)

    def forward(self, first: Tensor) -> Layers:
        code = self.encoder(first)
        return self.streams(code.unsqueeze(2), code)


class Critic(nn.Module):
    """``(B, T, 3, H, W)`` to one logit ``(B, 1)``."""

    def __init__(self, grid: Grid, shape: CriticShape, outputs: int = 1) -> None:
        super().__init__()
        self.centre = shape.centre
        channels = list(reversed(widths(shape.width, grid.doublings)))
        rungs = [Rung(c, norm=shape.norm and i > 0, activation="leaky") for i, c in enumerate(channels)]
        self.trunk = ladder(3, 3, rungs, form=Form(eps=CRITIC_EPS, noise=shape.noise))
        self.score = nn.Conv3d(channels[-1], outputs, (grid.length, grid.height, grid.width))
        init(self)

    def forward(self, video: Tensor) -> Tensor:
        return self.score(self.trunk((video - self.centre).transpose(1, 2))).flatten(1)
