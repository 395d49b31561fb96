"""One drive's constants: measures of the street, bends, light, the camera's way, crossings and the looks of cars.

Everything is a pure function of the seed and of the place along the road, so any part can be made without the rest.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_atlas import Array

BLOCK = 64.0  # metres between crossings, on average
KERB, FRONT = 5.4, 9.2  # half widths of the road and of the whole street
SIDE = 3.6  # half width of a side street


@dataclass(frozen=True)
class Mood:
    """Light of one drive: colours in [0, 1], sun direction (d, up, s) along the road."""

    sun: Array
    sun_colour: Array
    ambient: Array
    zenith: Array
    horizon: Array


class Plan:
    """One drive's constants and its layout. Cheap to make; holds no pictures."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._waves = [
            (
                amplitude * (0.5 + self.one(1, 0, i)),
                1 / (length * (0.8 + 0.4 * self.one(1, 1, i))),
                6.283 * self.one(1, 2, i),
            )
            for i, (amplitude, length) in enumerate(((0.33, 95.0), (0.13, 41.0)))
        ]
        self.speed = 6.5 + 4.0 * self.one(2, 0)

    def one(self, topic: int, index: int, channel: int = 0) -> float:
        return float(ob.draw(self.seed, topic, index, channel))

    def heading(self, s: Array) -> Array:
        return sum((a * np.sin(w * s + p) for a, w, p in self._waves), np.zeros_like(s))

    def ego(self, seconds: float) -> tuple[float, float, float, float]:
        """Place along the road, to the right of its middle, yaw against the road and pitch (rad) of the camera."""
        w, p = 0.35 + 0.2 * self.one(3, 0), 6.28 * self.one(3, 1)
        s = BLOCK * (50 + 40 * self.one(3, 2)) + self.speed * (
            seconds + 0.3 / w * (np.sin(w * seconds + p) - np.sin(p))
        )
        d = 1.65 + 0.3 * np.sin(s / 23 + p)
        bend = float(self.heading(np.array(s + 9.0)) - self.heading(np.array(s)))
        yaw = 0.6 * bend + 0.025 * np.sin(s / 17 + 2 * p) + 0.3 / 23 * np.cos(s / 23 + p)
        return float(s), float(d), float(yaw), float(0.006 * np.sin(s / 7 + p) + 0.004 * np.sin(s / 2.3))

    def crossing(self, k: Array) -> Array:
        """Place of the crossing ``k``."""
        return (np.asarray(k) + 0.2 * (ob.draw(self.seed, 4, k) - 0.5)) * BLOCK

    def has_side(self, k: Array) -> Array:
        return ob.draw(self.seed, 4, k, 1) < 0.8

    def has_zebra(self, k: Array) -> Array:
        """Whether the block after crossing ``k`` has a zebra crossing in its middle."""
        return ob.draw(self.seed, 4, k, 2) < 0.45

    @functools.cached_property
    def mood(self) -> Mood:
        late = self.one(5, 0)
        side = 1 if self.one(5, 1) < 0.5 else -1
        sun = np.array([side * (0.45 + 0.25 * self.one(5, 2)), 0.75 - 0.25 * late, 0.8 * (self.one(5, 3) - 0.5)])

        def between(a: tuple[float, ...], b: tuple[float, ...]) -> Array:
            return np.array(a) * (1 - late) + np.array(b) * late

        return Mood(
            sun=sun / np.linalg.norm(sun),
            sun_colour=between((1.1, 1.06, 0.98), (1.25, 1.0, 0.68)),
            ambient=between((0.36, 0.41, 0.5), (0.34, 0.36, 0.47)),
            zenith=between((0.2, 0.42, 0.8), (0.3, 0.45, 0.72)),
            horizon=between((0.72, 0.84, 0.95), (0.98, 0.85, 0.66)),
        )


CARS = np.dtype(
    [("s", "f8"), ("d", "f8"), ("relative", "f8"), ("kind", "i4"), ("tint", "f4", 3), ("instance", "i4"), ("key", "i8"),
     ("shaded", "?")]
)  # fmt: skip


def car_looks(seed: int, topic: int, index: Array) -> Array:
    """CARS rows with looks and names drawn per object; the caller places them."""
    out = np.zeros(len(index), CARS)
    out["kind"] = np.minimum(ob.draw(seed, topic, index, 20) * 4.4, 3).astype(int) % 4
    paint = ob.CAR_PAINTS[(ob.draw(seed, topic, index, 21) * len(ob.CAR_PAINTS)).astype(int)]
    out["tint"] = np.clip(paint * (0.85 + 0.3 * ob.draw(seed, topic, index, 22))[:, None], 0, 1)
    out["instance"] = ob.instance_id(topic, index)
    out["key"] = ((np.int64(topic) << 52) + (np.asarray(index, np.int64) << 8)) if len(index) else 0
    return out
