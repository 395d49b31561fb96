"""Blocks of the street: houses, trees, poles, signs and parked cars between two crossings."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_atlas import Array
from videosynth.data.worlds.street_plan import BLOCK, FRONT, KERB, SIDE, Plan, car_looks
from videosynth.data.worlds.street_textures import FACADES, SHOPS, SIGNS, TREES, atlas

_WALLS = np.array(
    [(0.86, 0.78, 0.62), (0.8, 0.42, 0.32), (0.92, 0.88, 0.8), (0.62, 0.32, 0.25), (0.72, 0.74, 0.76), (0.9, 0.66, 0.4),
     (0.6, 0.66, 0.6), (0.95, 0.8, 0.7), (0.5, 0.45, 0.42), (0.7, 0.8, 0.88), (0.88, 0.55, 0.45), (0.95, 0.9, 0.6)]
)  # fmt: skip
_SHOPS = np.array(
    [(0.15, 0.35, 0.3), (0.6, 0.15, 0.12), (0.2, 0.25, 0.5), (0.85, 0.75, 0.5), (0.9, 0.5, 0.15), (0.3, 0.3, 0.3)]
)
_GREENS = np.array([(0.5, 0.72, 0.24), (0.4, 0.62, 0.22), (0.62, 0.74, 0.25), (0.32, 0.55, 0.25), (0.8, 0.66, 0.2)])


WALL = np.dtype(
    [("place", "f8", 7), ("board", "?"), ("closed", "?"), ("texture", "i4"), ("repeat", "f4", 4), ("tint", "f4", 3),
     ("sun", "f4"), ("label", "u1"), ("instance", "i4"), ("key", "i8")]
)  # fmt: skip


class Block:
    """What stands between two crossings. Lists of rows in road coordinates (absolute ``s``)."""

    def __init__(self, plan: Plan, index: int) -> None:
        self.plan, self.index = plan, index
        self.rng = np.random.default_rng([plan.seed & 0xFFFFFFFF, index & 0xFFFFFFFF, 7])
        self.sun = plan.mood.sun
        self.ids = atlas().ids
        self.walls: list[tuple] = []
        self.houses: list[tuple[int, float, float, float]] = []
        self.blots: list[tuple[float, float, float, float]] = []
        self.things = 0
        first, last = (float(plan.crossing(np.array(k))) for k in (index, index + 1))
        a, b = (bool(plan.has_side(np.array(k))) for k in (index, index + 1))
        self.start, self.end = first + (SIDE + 2.6 if a else 0), last - (SIDE + 2.6 if b else 0)
        for side in (-1, 1):
            self._row(side)
            self._greenery(side)
            self._poles(side, first)
            self._backdrop(side, first, a)
        self._parked = self._parking(first, last)

    def rows(self, start: float) -> Array:
        """WALL rows, ``s`` from ``start``."""
        out = np.array(self.walls, WALL)
        out["place"][:, (0, 2)] -= start
        return out

    def cars(self, start: float) -> Array:
        """CARS rows of the parked cars, ``s`` from ``start``."""
        out = self._parked.copy()
        out["s"] -= start
        return out

    def _name(self, topic: int) -> int:
        self.things += 1
        return int(ob.instance_id(topic, self.index * 64 + self.things))

    def _add(
        self, place: tuple, texture: str, label: int, *, board: bool = False, closed: bool = True,
        repeat: tuple = (0, 1, 1, 1), tint: Array | tuple = (1, 1, 1), sun: float = 0.0, instance: int = 0,
    ) -> None:  # fmt: skip
        """``place``: s and d of the lower corners (of a board: s + width), y of bottom and top, d the top leans."""
        key = (1 << 60) + (self.index << 16) + len(self.walls)
        tint = tuple(float(t) for t in tint)
        self.walls.append((place, board, closed, self.ids[texture], repeat, tint, sun, label, instance, key))

    def _pick(self, options: Array) -> Array:
        return options[int(self.rng.integers(len(options)))] * self.rng.uniform(0.85, 1.1)

    def _front(
        self, side: int, s0: float, s1: float, d: float, y0: float, y1: float, lean: float = 0.0, **look
    ) -> None:
        """A wall along the road, its face to the road."""
        a, b = (s0, s1) if side < 0 else (s1, s0)
        sun = max(0.0, -side * self.sun[0])
        self._add((a, side * d, b, side * d, y0, y1, side * lean), label=ob.BUILDING, sun=sun, **look)

    def _ends(self, side: int, s0: float, s1: float, d0: float, d1: float, y0: float, y1: float, **look) -> None:
        """The two walls across the road's direction, facing back (at s0) and ahead (at s1)."""
        low, high = sorted((side * d0, side * d1))
        back, ahead = max(0.0, -self.sun[2]), max(0.0, self.sun[2])
        self._add((s0, low, s0, high, y0, y1, 0), label=ob.BUILDING, sun=back, **look)
        self._add((s1, high, s1, low, y0, y1, 0), label=ob.BUILDING, sun=ahead, **look)

    def _row(self, side: int) -> None:
        rng, s = self.rng, self.start + self.rng.uniform(0, 2)
        while s < self.end - 7:
            width = float(rng.choice([9, 12, 12, 15, 18]))
            width = width if s + width < self.end - 7 else self.end - s
            if rng.random() < 0.15:
                self._garden(side, s, min(s + width, self.end))
            else:
                self._house(side, s, min(s + width, self.end))
            s += width

    def _house(self, side: int, s0: float, s1: float) -> None:
        rng = self.rng
        floors, d = int(rng.integers(1, 5)), FRONT + float(rng.choice([0, 0, 0.4, 1.0]))
        top, deep = 4 + 3.0 * floors, d + rng.uniform(9, 13)
        name, tint, shop = self._name(6), self._pick(_WALLS), self._pick(_SHOPS)
        style, front = f"facade{rng.integers(FACADES)}", int(rng.integers(SHOPS))
        base = tint if front >= 4 else shop
        along, across, offset = (s1 - s0) / 12, (deep - d) / 12, rng.integers(4) / 4
        along = max(1, round(along * 4)) / 4  # whole windows
        shops = max(1, round((s1 - s0) / 8))
        self.houses.append((int(side > 0), s0, s1, top + 0.6))
        self._front(side, s0, s1, d, 0, 4, texture=f"shop{front}", repeat=(0, shops, 1, 1), tint=base, instance=name)
        upper: dict[str, Any] = {"texture": style, "tint": tint, "instance": name}
        self._front(side, s0, s1, d, 4, top, repeat=(offset, along, floors / 4, floors / 4), **upper)
        self._front(side, s0, s1, d - 0.25, top, top + 0.6, texture="plain", tint=tint * 1.08, instance=name)
        blank = rng.random() < 0.4
        wall = {"texture": "plain", "tint": tint * 0.95} if blank else {"texture": style, "tint": tint}
        rows = top / 12
        self._ends(
            side, s0, s1, d, deep, 0, top + 0.6, repeat=(0, round(across * 4) / 4, rows, rows), instance=name, **wall
        )
        if rng.random() < 0.55:
            roof = np.array([0.55, 0.25, 0.18]) if rng.random() < 0.6 else np.array([0.3, 0.32, 0.36])
            tiles, lean = (0, (s1 - s0) / 4, 1, 1), (deep - d) / 2 + 0.3
            self._front(
                side,
                s0,
                s1,
                d - 0.3,
                top + 0.6,
                top + 3.6,
                lean,
                texture="roof",
                repeat=tiles,
                tint=roof,
                instance=name,
            )
            self._ends(side, s0, s1, d, deep, top + 0.6, top + 3.5, texture="gable", tint=tint * 0.95, instance=name)

    def _garden(self, side: int, s0: float, s1: float) -> None:
        """A gap between houses: a hedge, trees, grass."""
        rng = self.rng
        if rng.random() < 0.7:
            sun = 0.35 + 0.5 * max(0.0, -side * self.sun[0])
            (a, b), d = (s0, s1) if side < 0 else (s1, s0), side * (FRONT + 0.4)
            self._add((a, d, b, d, 0, rng.uniform(0.9, 1.5), 0), "hedge", ob.VEGETATION,
                      repeat=(0, (s1 - s0) / 2.5, 1, 0.5), tint=self._pick(_GREENS), sun=sun)  # fmt: skip
        for _ in range(int(rng.integers(2, 5))):
            self._tree(rng.uniform(s0 + 1, s1 - 1), side * rng.uniform(11.5, 24), rng.uniform(5, 10))

    def _tree(self, s: float, d: float, height: float) -> None:
        rng = self.rng
        kind = int(rng.integers(TREES - 1))
        width = height * (0.62 if kind == 2 else 0.9)
        self._add((s, d, s + width, d, 0, height, 0), f"tree{kind}", ob.VEGETATION, board=True, closed=False,
                  tint=self._pick(_GREENS), sun=0.72)  # fmt: skip
        self.blots.append((s, d, height, 0))

    def _greenery(self, side: int) -> None:
        rng, s = self.rng, self.start + self.rng.uniform(2, 6)
        avenue = rng.random() < 0.55
        while s < self.end - 2:
            if rng.random() < (0.75 if avenue else 0.2):
                self._tree(s, side * (KERB + 1.0), rng.uniform(4.5, 7.5))
            elif rng.random() < 0.25:
                size = rng.uniform(0.8, 1.3)
                self._add((s, side * 8.2, s + size * 1.3, side * 8.2, 0, size, 0), "tree4", ob.VEGETATION, board=True,
                          closed=False, tint=self._pick(_GREENS), sun=0.7)  # fmt: skip
            s += rng.uniform(8, 13)

    def _poles(self, side: int, first: float) -> None:
        rng = self.rng
        grey = (0.4, 0.42, 0.42)
        for s in np.arange(self.start + 4 + 6 * (side > 0), self.end - 2, 27.0):
            d = side * (KERB + 0.45)
            self._add((s, d, s + 0.16, d, 0, 6.5, 0), "tube", ob.POLE, board=True, closed=False, tint=grey, sun=0.5)
            ends = sorted((d, d - side * 2.0))
            self._add((s, ends[0], s, ends[1], 6.4, 6.52, 0), "plain", ob.POLE, closed=False, tint=grey, sun=0.4)
            lamp = sorted((d - side * 1.4, d - side * 2.3))
            self._add(
                (s, lamp[0], s, lamp[1], 6.3, 6.48, 0), "plain", ob.POLE, closed=False, tint=(0.7, 0.7, 0.65), sun=0.5
            )
            self.blots.append((s, d, 6.5, 1))
        places = [(first + side * (SIDE + 3.4), 5 if rng.random() < 0.5 else 3)]
        places += [
            (s, int(rng.integers(SIGNS - 1)))
            for s in np.arange(self.start + 9, self.end - 4, 19.0)
            if rng.random() < 0.6
        ]
        for s, kind in places:
            self._sign(s, side, kind)

    def _sign(self, s: float, side: int, kind: int) -> None:
        d = side * (KERB + 0.7)
        high, width, tall = (2.3, 0.8, 0.8) if kind < 4 else ((2.6, 2.0, 1.3) if kind == 4 else (2.5, 0.75, 1.35))
        self._add((s, d, s + 0.09, d, 0, high + tall * 0.9, 0), "tube", ob.POLE, board=True, closed=False,
                  tint=(0.6, 0.6, 0.6), sun=0.5)  # fmt: skip
        self._add((s - 0.08, d - width / 2, s - 0.08, d + width / 2, high, high + tall, 0), f"sign{kind}", ob.SIGN,
                  closed=False, sun=0.45, instance=self._name(7))  # fmt: skip

    def _far_look(self) -> dict[str, Any]:
        style = f"facade{self.rng.integers(FACADES)}"
        return {"texture": style, "tint": self._pick(_WALLS), "instance": self._name(6)}

    def _backdrop(self, side: int, first: float, has_side: bool) -> None:
        """Farther houses, seen through gardens and over roofs; the side street and its end."""
        rng = self.rng
        for s0 in np.arange(self.start, self.end - 10, 26.0):
            s1, floors = min(s0 + rng.uniform(14, 24), self.end), int(rng.integers(4, 9))
            d, top = rng.uniform(30, 42), 3.0 * floors
            look = self._far_look()
            rows = (1, floors / 4)
            self._front(side, s0, s1, d, 0, top, repeat=(0, round((s1 - s0) / 3) / 4, *rows), **look)
            self._ends(side, s0, s1, d, d + 12, 0, top, repeat=(0, 1, *rows), **look)
        if not has_side:
            return
        for s, face in ((first - SIDE - 2.6, 1), (first + SIDE + 2.6, -1)):
            for d0 in (24.0, 40.0, 56.0):
                low, high = sorted((side * d0, side * (d0 + 15)))
                a, b = (high, low) if face > 0 else (low, high)
                floors = int(rng.integers(2, 5))
                self._add((s, a, s, b, 0, 3 * floors, 0), f"facade{rng.integers(FACADES)}", ob.BUILDING,
                          repeat=(0, 1.25, 1, floors / 4), tint=self._pick(_WALLS), sun=max(0.0, face * self.sun[2]),
                          instance=self._name(6))  # fmt: skip
        look = self._far_look()
        self._front(side, first - 9, first + 9, 72, 0, 12, repeat=(0, 1.5, 1, 1), **look)

    def _parking(self, first: float, last: float) -> Array:
        slots = np.arange(first + SIDE + 9, last - SIDE - 10, 6.4)
        slots = np.concatenate([slots, slots])
        index = self.index * 32 + np.arange(len(slots))
        right = np.arange(len(slots)) >= len(slots) // 2
        seed = self.plan.seed
        middle = np.abs(slots - (first + BLOCK / 2)) < 5
        taken = (ob.draw(seed, 8, index, 1) < 0.55) & ~(middle & bool(self.plan.has_zebra(np.array(self.index))))
        out = car_looks(seed, 8, index)
        out["s"], out["d"] = slots + ob.draw(seed, 8, index, 2) - 0.5, np.where(right, 4.4, -4.4)
        out["relative"] = np.where(right, 0, np.pi) + 0.06 * (ob.draw(seed, 8, index, 3) - 0.5)
        out["shaded"] = True
        return out[taken]


@functools.lru_cache(maxsize=64)
def _block(seed: int, index: int) -> Block:
    return Block(Plan(seed), index)


def block(plan: Plan, index: int) -> Block:
    """The block after crossing ``index`` of a drive (the last 64 are kept)."""
    return _block(plan.seed, index)
