"""The road around an *anchor* (the start of the block that the camera is in) and all that stands still along it.

Positions count from the anchor: they stay small and exact however far the drive goes.
"""

from __future__ import annotations

import functools

import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_atlas import Array
from videosynth.data.worlds.street_blocks import block
from videosynth.data.worlds.street_plan import BLOCK, FRONT, Plan
from videosynth.data.worlds.street_textures import atlas

BEHIND, AHEAD = 1, 4  # blocks drawn
_STEP = 0.5  # metres between the samples of the road's course


class Course:
    """The road around one anchor, and everything that stands still along it."""

    def __init__(self, plan: Plan, anchor: int) -> None:
        self.plan, self.anchor, self.start = plan, anchor, anchor * BLOCK
        side = np.arange(0, (AHEAD + 4) * BLOCK, _STEP)
        ahead = self._walk(side)
        back = self._walk(-side)[:0:-1]
        self._s, self._places = np.concatenate([-side[:0:-1], side]), np.concatenate([back, ahead])
        self.things = [block(plan, b) for b in range(anchor - BEHIND, anchor + AHEAD + 1)]
        self.crossings = np.arange(anchor - BEHIND - 4, anchor + AHEAD + 6)
        self.crossing_s = plan.crossing(self.crossings) - self.start
        self.crossing_flags = np.stack([plan.has_side(self.crossings), plan.has_zebra(self.crossings)], 1)

    def _walk(self, s: Array) -> Array:
        heading = self.plan.heading(s + self.start)
        pace = np.stack([np.sin(heading), np.cos(heading)], 1)
        return np.concatenate([np.zeros((1, 2)), np.cumsum((pace[1:] + pace[:-1]) * 0.5 * np.diff(s)[:, None], 0)])

    def heading(self, s: Array) -> Array:
        """Heading at ``s`` metres from the anchor."""
        return self.plan.heading(s + self.start)

    def point(self, s: Array, d: Array, y: Array | float = 0.0) -> Array:
        """World points (..., 3) of places along the road, ``s`` from the anchor."""
        s, d = np.broadcast_arrays(np.asarray(s, np.float64), np.asarray(d, np.float64))
        heading = self.heading(s)
        x = np.interp(s, self._s, self._places[:, 0]) + d * np.cos(heading)
        z = np.interp(s, self._s, self._places[:, 1]) - d * np.sin(heading)
        return np.stack([x, np.broadcast_to(y, x.shape), z], -1)

    def refine(self, x: Array, z: Array, s: Array) -> tuple[Array, Array, Array]:
        """One Newton step towards the (s, d) of ground points; also the heading there. float32 in, float32 out."""
        t = np.clip((s - self._s[0]) / _STEP, 0, len(self._s) - 2.001).astype(np.float32)
        i = t.astype(np.int32)
        table = self._table
        a = table[i]
        a += (table[i + 1] - a) * (t - i)[:, None]
        dx, dz, sin, cos = x - a[:, 0], z - a[:, 1], a[:, 2], a[:, 3]
        d = dx * cos - dz * sin
        bend = 1 + a[:, 4] * d
        return s + (dx * sin + dz * cos) / np.maximum(bend, 0.3), d, a[:, 2:4]

    @functools.cached_property
    def _table(self) -> Array:
        heading = self.heading(self._s)
        bend = np.gradient(heading, _STEP)
        columns = [self._places[:, 0], self._places[:, 1], np.sin(heading), np.cos(heading), bend]
        return np.stack(columns, 1).astype(np.float32)

    @functools.cached_property
    def still(self) -> Array:
        """QUADs of everything that stands still (parked cars too)."""
        walls = np.concatenate([b.rows(self.start) for b in self.things])
        out = np.zeros(len(walls), ob.QUAD)
        for name in ("board", "closed", "texture", "repeat", "tint", "sun", "label", "instance", "key"):
            out[name] = walls[name]
        s0, d0, s1, d1, y0, y1, lean = (walls["place"][:, i] for i in range(7))
        origin = self.point(s0, d0, y0)
        out["now"][:, 0] = origin
        out["now"][:, 1] = np.where(
            walls["board"][:, None], (s1 - s0)[:, None] * [1, 0, 0], self.point(s1, d1, y0) - origin
        )
        out["now"][:, 2] = self.point(s0, d0 + lean, y1) - origin
        out["road"][:, 0] = np.stack([s0, d0, y0], 1)
        out["road"][:, 1] = np.where(walls["board"][:, None], 0, np.stack([s1 - s0, d1 - d0, 0 * s0], 1))
        out["road"][:, 2] = np.stack([0 * s0, lean, y1 - y0], 1)
        out["shaded"] = True
        cars = np.concatenate([b.cars(self.start) for b in self.things])
        out = np.concatenate([out, car_quads(self, cars, cars)])
        out["before"] = out["now"]
        return out

    @functools.cached_property
    def skyline(self) -> Array:
        """(2, n) heights of the left and right rows of houses every 0.5 m: who casts the shadows."""
        out = np.zeros((2, len(self._s)), np.float32)
        for b in self.things:
            for side, s0, s1, height in b.houses:
                i, j = np.searchsorted(self._s, (s0 - self.start, s1 - self.start))
                out[side, i:j] = height
        return out

    def shadow(self, s: Array, d: Array, y: Array) -> Array:
        """How much of the sun the houses take at points along the road, 0..1; edges are soft."""
        sun = self.plan.mood.sun
        side = 1.0 if sun[0] > 0 else -1.0
        t = (side * FRONT - d) / np.float32(sun[0])
        place = np.clip((s + t * np.float32(sun[2]) - self._s[0]) / _STEP, 0, len(self._s) - 2.001)
        i = place.astype(np.int32)
        row = self.skyline[int(side > 0)]
        top = row[i] + (row[i + 1] - row[i]) * (place - i)
        soft = np.float32(0.4) + np.float32(0.03) * np.abs(t)
        return np.where(t > 0.05, np.clip((top - y - t * np.float32(sun[1])) / soft + 0.5, 0, 1), 0).astype(np.float32)

    @functools.cached_property
    def blots(self) -> Array:
        """(n, 4) s, d, length of the shadow, kind (0 tree, 1 pole) of things whose shadows lie on the ground."""
        rows = [row for b in self.things for row in b.blots]
        out = np.array(rows).reshape(-1, 4)
        out[:, 0] -= self.start
        return out


def car_quads(course: Course, now: Array, before: Array) -> Array:
    """QUADs of cars from their CARS rows (``s`` from the course's anchor) in this and the previous frame."""
    n = len(now)
    out = np.zeros((n, ob.CAR_PARTS), ob.QUAD)
    for name, rows in (("now", now), ("before", before)):
        place = course.point(rows["s"], rows["d"])
        out[name] = ob.car_shape(now["kind"], place, course.heading(rows["s"]) + rows["relative"])
    out["closed"] = True
    out["texture"] = ob.car_textures(atlas().ids, now["kind"])
    out["repeat"] = ob.car_repeats(now["kind"])
    out["tint"] = now["tint"][:, None]
    out["sun"] = ob.car_light(now["kind"], now["relative"], course.plan.mood.sun)
    out["road"][:, :, 0, 0], out["road"][:, :, 0, 1] = now["s"][:, None], now["d"][:, None]
    out["road"][:, :, 0, 2] = 0.8
    out["shaded"] = now["shaded"][:, None]
    out["label"], out["instance"] = ob.CAR, now["instance"][:, None]
    out["key"] = now["key"][:, None] + np.arange(ob.CAR_PARTS)
    return out.reshape(-1)
