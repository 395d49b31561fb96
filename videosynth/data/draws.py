"""Who is sampled when: a clip's draw is a pure function of (seed, step, rank, slot).

Draws are made in the main process and carry everything, so a training resumed at any step, with any number of
workers and whatever the clip length has grown to, sees exactly the clips of the uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videosynth.types import UserError

SCALES = 5  # sizes that a range of scales is drawn from; few, so that resized frames and flow can be kept


class Draw(NamedTuple):
    """One clip: ``length`` frames ``start, start + stride, ...`` of a sequence, and what is done to them.

    ``size`` (H, W) is cut out of the frames resized to ``scaled`` (H, W), at ``crop``: the fraction (0..1) of the
    free room above and left. ``colour``: factors of brightness, contrast and saturation, and a turn of hue in radians.
    ``seed`` is for whatever else the clip needs. ``coarsen``: how much the shapes of its label maps are coarsened, 0..1.
    """

    sequence: int
    start: int
    stride: int
    length: int
    size: tuple[int, int]
    scaled: tuple[int, int]
    crop: tuple[float, float]
    flip: bool
    colour: tuple[float, float, float, float] | None
    seed: int
    coarsen: float = 0.0

    @property
    def indices(self) -> range:
        return range(self.start, self.start + self.stride * self.length, self.stride)


@dataclass(frozen=True)
class DrawSettings:
    """``max_step``: largest stride; ``scale``: range of zooms (>= 1) before the crop; ``colour``: strength 0..1;
    ``coarsen``: share of the clips whose label maps are coarsened. ``step``: a fixed stride, multiplied by the drawn one.
    """

    size: tuple[int, int]
    length: int
    max_step: int = 1
    scale: tuple[float, float] = (1.0, 1.0)
    flip: bool = False
    colour: float = 0.0
    coarsen: float = 0.0
    step: int = 1

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 1 <= low <= high <= 8:
            raise UserError(f"data.scale must be [min, max] with 1 <= min <= max <= 8, not [{low}, {high}]")
        if self.max_step < 1:
            raise UserError(f"data.max_step must be 1 or more, not {self.max_step}")
        if self.step < 1:
            raise UserError(f"data.step must be 1 or more, not {self.step}")
        if self.length < 1:
            raise UserError(f"data.clip_length must be 1 or more, not {self.length}")
        if min(self.size) < 1:
            raise UserError(f"data.size must be [height, width] in pixels, not {list(self.size)}")
        if not 0 <= self.colour <= 1:
            raise UserError(f"data.colour must lie in 0..1, not {self.colour}")
        if not 0 <= self.coarsen <= 1:
            raise UserError(f"data.coarsen_labels must lie in 0..1, not {self.coarsen}")


def generator(seed: int, step: int, rank: int, slot: int) -> np.random.Generator:
    """The random numbers of one clip."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, step, rank, slot])))


def draw(
    lengths: Sequence[int] | NDArray[np.int64], settings: DrawSettings, seed: int, step: int, rank: int, slot: int
) -> Draw:
    """The clip in ``slot`` of the batch of ``rank`` at ``step``. ``lengths`` are the sequences' frame counts.

    The stride is drawn first, of those that fit into the longest sequence; then the sequence, in proportion to its
    number of possible starts; then the start, the last one included. Too short sequences are never drawn; when all
    are, it is a :class:`UserError`.
    """
    random = generator(seed, step, rank, slot)
    room = np.asarray(lengths, dtype=np.int64)
    gaps = (settings.length - 1) * settings.step
    longest = int(room.max()) if room.size else 0
    if longest < gaps + 1:
        every = f" ({settings.length}, one in {settings.step})" if settings.step > 1 else ""
        remedy = "shorten data.clip_length or data.step" if settings.step > 1 else "shorten data.clip_length"
        raise UserError(
            f"a clip needs {gaps + 1} frames{every} but the longest sequence has {longest}: "
            f"{remedy} or give longer sequences"
        )
    most = settings.max_step if gaps == 0 else min(settings.max_step, (longest - 1) // gaps)
    drawn = int(random.integers(1, most + 1))
    starts = np.maximum(room - gaps * drawn, 0)
    pick = int(random.integers(int(starts.sum())))
    sequence = int(np.searchsorted(np.cumsum(starts), pick, side="right"))
    start = pick - int(starts[:sequence].sum())
    low, high = settings.scale
    scale = low + (high - low) * int(random.integers(SCALES)) / (SCALES - 1)
    height, width = settings.size
    crop = (float(random.random()), float(random.random()))
    flip = bool(random.random() < 0.5) and settings.flip
    shifts = random.uniform(-1, 1, 4) * settings.colour
    colour = (1 + shifts[0], 1 + shifts[1], 1 + shifts[2], shifts[3] * np.pi / 4)
    seed_of_clip = int(random.integers(2**63))
    chosen, strength = random.random(), random.random()
    return Draw(
        sequence,
        start,
        drawn * settings.step,
        settings.length,
        (height, width),
        (max(height, round(height * scale)), max(width, round(width * scale))),
        crop,
        flip,
        (float(colour[0]), float(colour[1]), float(colour[2]), float(colour[3])) if settings.colour else None,
        seed_of_clip,
        float(strength) if chosen < settings.coarsen else 0.0,
    )
