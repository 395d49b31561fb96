"""The ground of the street: which surface lies where, and its paint, averaged over the footprint of each pixel."""

from __future__ import annotations

import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_atlas import Array
from videosynth.data.worlds.street_course import Course
from videosynth.data.worlds.street_plan import BLOCK, FRONT, KERB, SIDE
from videosynth.data.worlds.street_textures import atlas

_PARKING = 3.35
_WHITE = np.array([0.93, 0.93, 0.9], np.float32)


def _span(x: Array, low: float, high: float, f: Array) -> Array:
    """The part of the pixel, ``f`` wide around ``x``, that lies between ``low`` and ``high``."""
    half = f * 0.5
    return np.clip(np.minimum(x + half, high) - np.maximum(x - half, low), 0, None) / f


def _dashes(x: Array, period: float, filled: float, f: Array) -> Array:
    """The part of the pixel that lies on stripes ``[0, filled)`` repeated every ``period``."""

    def integral(t: Array) -> Array:
        whole = np.floor(t / period)
        return whole * filled + np.minimum(t - whole * period, filled)

    return (integral(x + f * 0.5) - integral(x - f * 0.5)) / f


class Ground:
    """Surface and paint at ``n`` ground points (s from the anchor, d; footprints fs, fd in metres)."""

    def __init__(self, course: Course, s: Array, d: Array, fs: Array, fd: Array) -> None:
        self.fs, self.fd = np.maximum(fs, 1e-3), np.maximum(fd, 1e-3)
        k = np.clip(np.rint((s + course.start) / BLOCK).astype(np.int64) - course.crossings[0], 0, len(course.crossings) - 2)
        crossing_s, flags = course.crossing_s.astype(np.float32), course.crossing_flags
        self.s, self.d, self.ad = s, d, np.abs(d)
        self.e = s - crossing_s[k]
        self.ae, self.side = np.abs(self.e), flags[k, 0]
        block = np.where(self.e < 0, k - 1, k)
        self.zebra_e = np.where(flags[block, 1], s - crossing_s[block] - BLOCK / 2, 1e3).astype(np.float32)
        street = self.side & (self.ae < SIDE)
        walk = (self.ad < FRONT) | (self.side & (self.ae < SIDE + 2.6))
        road = (self.ad < KERB) | street
        self.label = np.where(road, ob.ROAD, np.where(walk, ob.PAVEMENT, ob.TERRAIN)).astype(np.uint8)
        ids = atlas().ids
        self.texture = np.array([ids["road"], ids["pavement"], ids["grass"]])[np.where(road, 0, np.where(walk, 1, 2))]
        metres = np.where(self.label == ob.PAVEMENT, np.float32(1 / 8), np.float32(1 / 16))
        # Whole repeats per block keep the texture coordinates small and the same from every anchor.
        self.u, self.v = d * metres, -s * metres
        self.fu, self.fv = self.fd * metres, self.fs * metres

    def paint(self, colour: Array) -> Array:
        """Kerbs and markings over ``colour`` (n, 3), in place; classes where they cover most of the pixel."""
        away = np.where(self.side, _span(self.ae, SIDE + 0.3, 1e4, self.fs), 1)
        kerb = _span(self.ad, KERB - 0.02, KERB + 0.28, self.fd) * away
        kerb += np.where(self.side & (self.ad > KERB), _span(self.ae, SIDE, SIDE + 0.28, self.fs), 0)
        gutter = _span(self.ad, KERB - 0.3, KERB - 0.02, self.fd) * away
        edge = _span(self.ad, FRONT - 0.2, FRONT + 0.15, self.fd) * away
        for cover, tone in ((gutter, 0.2), (kerb, 0.82), (edge, 0.42)):
            colour += (np.float32(tone) - colour) * np.minimum(cover, 1)[:, None].astype(np.float32)
        near = (self.ad < 16) & (self.label == ob.ROAD)
        lines, zebra = self._lines(near), self._zebra(near)
        cover = np.minimum(lines + zebra, 1).astype(np.float32)
        colour += (_WHITE - colour) * (0.92 * cover)[:, None]
        self.label[(lines > 0.5) & near] = ob.MARKING
        self.label[self._zebra_area & near] = ob.CROSSING
        return colour

    def _lines(self, near: Array) -> Array:
        free = np.where(self.side, _span(self.ae, 9.2, 1e4, self.fs), 1) * (1 - _span(self.zebra_e, -4, 4, self.fs))
        out = _span(self.d, -0.09, 0.09, self.fd) * _dashes(self.s, 8.0, 4.0, self.fs)
        out += _span(self.ad, _PARKING - 0.06, _PARKING + 0.06, self.fd)
        out += _span(self.ad, _PARKING, KERB - 0.3, self.fd) * _dashes(self.s, 6.4, 0.14, self.fs)
        out *= free
        ahead = np.where(self.d > 0, self.e, -self.e)
        stop = _span(ahead, -9.4, -8.9, self.fs) * _span(self.ad, 0.1, _PARKING, self.fd)
        return np.where(near, out + np.where(self.side, stop, 0), 0)

    def _zebra(self, near: Array) -> Array:
        across = _span(self.zebra_e, -2, 2, self.fs)
        corner = np.where(self.side, _span(self.ae, SIDE + 0.9, SIDE + 3.9, self.fs), 0)
        inside = _span(self.ad, 0, KERB - 0.3, self.fd)
        out = (across + corner) * inside * _dashes(self.d + 0.25, 1.0, 0.5, self.fd)
        beside = np.where(self.side, _span(self.ad, KERB + 0.6, KERB + 3.2, self.fd), 0)
        out += beside * _span(self.ae, 0, SIDE - 0.2, self.fs) * _dashes(self.e + 0.25, 1.0, 0.5, self.fs)
        area = ((np.abs(self.zebra_e) < 2) | (self.side & (np.abs(self.ae - SIDE - 2.4) < 1.5))) & (self.ad < KERB - 0.3)
        area |= self.side & (np.abs(self.ad - KERB - 1.9) < 1.3) & (self.ae < SIDE - 0.2)
        self._zebra_area = area
        return np.where(near, out, 0)
