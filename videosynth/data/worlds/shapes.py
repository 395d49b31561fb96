"""Moving shapes: a coloured disc or square that runs along a random curve, after the shape motion data of MoCoGAN.

Measured on the real set (4000 videos of 32 frames at 64x64): the corner of the shape runs along a Bezier curve of degree
four whose end points lie at opposite sides of the picture and are equal across the motion; the three points between are
uniform in the room that the shape has. Frame i lies at the curve's parameter i / 31. Places are cut off to whole pixels and
edges are hard: there is no anti-aliasing. All is given in pixels of a picture of 64 pixels and grows with the smaller side.
"""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LENGTH = 32  # frames in which the path is run through
ACTIONS = ("up", "left")
SHAPES = ("disc", "square")
SIZES = (8, 10, 12, 14)
UNIT = 64
_NEAR, _FAR = 1, 2  # pixels kept free at the top and left, and at the bottom and right
_BRIGHT = 96  # the brightest channel has at least this; the real set also has colours next to black
_DEGREE = 4


class Shape(NamedTuple):
    """What a seed stands for. ``ends`` and ``points`` are shares of the free room, ``colour`` is RGB."""

    action: str
    shape: str
    size: int
    colour: NDArray[np.uint8]
    across: float
    points: NDArray[np.float64]  # 3 2: along and across the motion

    @property
    def attributes(self) -> dict[str, str]:
        return {"action": self.action, "shape": self.shape, "size": str(self.size)}


def shape_of(seed: int) -> Shape:
    """The content and the motion of a seed; they do not depend on size, length or rate of the video."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([64, seed])))
    action, shape, size = (int(random.integers(n)) for n in (len(ACTIONS), len(SHAPES), len(SIZES)))
    colour = random.integers(0, 256, 3)
    while colour.max() < _BRIGHT:
        colour = random.integers(0, 256, 3)
    across, points = float(random.random()), random.random((_DEGREE - 1, 2))
    return Shape(ACTIONS[action], SHAPES[shape], SIZES[size], colour.astype(np.uint8), across, points)


def corners(shape: Shape, size: tuple[int, int], length: int = LENGTH) -> tuple[NDArray[np.int64], int]:
    """Top left corners ``T 2`` (y, x) in whole pixels in the frames of a video, and the side of the shape's box."""
    unit = min(size) / UNIT
    side = max(2, round(shape.size * unit))
    low = _NEAR * unit
    room = np.array(size) - side - (_NEAR + _FAR) * unit
    # Along the motion the path goes from the far end (1) to the near one (0); both ends are at one place across.
    shares = np.concatenate([[[1.0, shape.across]], shape.points, [[0.0, shape.across]]])
    if shape.action == "left":
        shares = shares[:, ::-1]
    t = np.linspace(0, 1, length)[:, None] if length > 1 else np.zeros((1, 1))
    weights = [comb(_DEGREE, k) * (1 - t) ** (_DEGREE - k) * t**k for k in range(_DEGREE + 1)]
    path = np.concatenate(weights, axis=1) @ (low + shares * np.maximum(room, 0))
    # Cut off, not rounded: the real set's first steps are longer (3.5 pixels) than its last ones (2.6).
    return np.floor(np.clip(path + 1e-9, 0, np.array(size) - side)).astype(np.int64), side


def render(seed: int, size: tuple[int, int], frames: range, length: int = LENGTH) -> list[NDArray[np.uint8]]:
    """Frames ``H W 3`` of a seed's video of ``length`` frames; ``frames`` are those wanted."""
    shape = shape_of(seed)
    places, side = corners(shape, size, length)
    if shape.shape == "square":
        patch = np.broadcast_to(shape.colour, (side, side, 3))
    else:
        middle = np.arange(side) - (side - 1) / 2
        inside = middle[:, None] ** 2 + middle**2 <= (side / 2) ** 2
        patch = inside[..., None] * shape.colour
    images = []
    for y, x in places[frames.start : frames.stop : frames.step]:
        image = np.zeros((*size, 3), np.uint8)
        image[y : y + side, x : x + side] = patch
        images.append(image)
    return images
