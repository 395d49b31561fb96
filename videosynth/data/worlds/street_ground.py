"""The ground of the street: which surface lies where, and its paint, averaged over the footprint of each pixel."""

from __future__ import annotations

import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_atlas import Array
from videosynth.data.worlds.street_course import Course
from videosynth.data.worlds.street_plan import BLOCK, FRONT, KERB, SIDE
from videosynth.data.worlds.street_textures import atlas

_PARKING = 3.35
# Colours of road, pavement and grass as they look from afar, for pixels that lie across a border.
MEANS = np.array([(0.42, 0.416, 0.42), (0.61, 0.55, 0.48), (0.36, 0.5, 0.16)], np.float32)
_BLUR = 1.25  # of the footprint: paint of exactly a pixel's sharpness would not survive a bilinear warp
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
        self.fs, self.fd = np.maximum(fs * np.float32(_BLUR), 1e-3), np.maximum(fd * np.float32(_BLUR), 1e-3)
        k = np.clip(
            np.rint((s + course.start) / BLOCK).astype(np.int64) - course.crossings[0], 0, len(course.crossings) - 2
        )
        crossing_s, flags = course.crossing_s.astype(np.float32), course.crossing_flags
        self.s, self.d, self.ad = s, d, np.abs(d)
        self.e = s - crossing_s[k]
        self.ae, self.side = np.abs(self.e), flags[k, 0]
        block = np.where(self.e < 0, k - 1, k)
        self.zebra_e = np.where(flags[block, 1], s - crossing_s[block] - BLOCK / 2, 1e3).astype(np.float32)
        self.surface = np.where(
            (self.ad < KERB) | (self.side & (self.ae < SIDE)),
            0,
            np.where((self.ad < FRONT) | (self.side & (self.ae < SIDE + 2.6)), 1, 2),
        )
        self.label = np.array([ob.ROAD, ob.PAVEMENT, ob.TERRAIN], np.uint8)[self.surface]
        ids = atlas().ids
        self.texture = np.array([ids["road"], ids["pavement"], ids["grass"]])[self.surface]
        metres = np.where(self.label == ob.PAVEMENT, np.float32(1 / 8), np.float32(1 / 16))
        # Whole repeats per block keep the texture coordinates small and the same from every anchor.
        self.u, self.v = d * metres, -s * metres
        self.fu, self.fv = fd * metres, fs * metres

    def _within(self, half: float, beside: float) -> Array:
        """The part of the pixel within ``half`` of the middle of the road or ``beside`` of that of the side street."""
        street = np.where(self.side, _span(self.e, -beside, beside, self.fs), 0)
        return 1 - (1 - _span(self.d, -half, half, self.fd)) * (1 - street)

    def paint(self, colour: Array) -> Array:
        """Soft borders between surfaces, kerbs and markings over ``colour`` (n, 3); their classes into ``label``."""
        road = self._within(KERB, SIDE)
        walk = np.maximum(self._within(FRONT, SIDE + 2.6), road)
        shares = np.stack([road, walk - road, 1 - walk], 1).astype(np.float32)
        own = shares[np.arange(len(shares)), self.surface][:, None]
        shares[np.arange(len(shares)), self.surface] = 0
        colour = colour * own + shares @ MEANS
        away = np.where(self.side, _span(self.ae, SIDE + 0.3, 1e4, self.fs), 1)
        kerb = _span(self.ad, KERB - 0.02, KERB + 0.28, self.fd) * away
        kerb += np.where(self.side, _span(self.ad, KERB, 1e4, self.fd) * _span(self.ae, SIDE, SIDE + 0.28, self.fs), 0)
        gutter = _span(self.ad, KERB - 0.3, KERB - 0.02, self.fd) * away
        edge = _span(self.ad, FRONT - 0.2, FRONT + 0.15, self.fd) * away
        for cover, tone in ((gutter, 0.2), (kerb, 0.82), (edge, 0.42)):
            colour += (np.float32(tone) - colour) * np.minimum(cover, 1)[:, None].astype(np.float32)
        lines, zebra = self._lines() * road, self._zebra() * road
        cover = np.minimum(lines + zebra, 1).astype(np.float32)
        colour += (_WHITE - colour) * (0.92 * cover)[:, None]
        drivable = self.surface == 0
        self.label[(lines > 0.5) & drivable] = ob.MARKING
        self.label[self._zebra_area() & drivable] = ob.CROSSING
        return colour

    def _lines(self) -> Array:
        free = np.where(self.side, _span(self.ae, 9.2, 1e4, self.fs), 1) * (1 - _span(self.zebra_e, -4, 4, self.fs))
        out = _span(self.d, -0.09, 0.09, self.fd) * _dashes(self.s, 8.0, 4.0, self.fs)
        out += _span(self.ad, _PARKING - 0.06, _PARKING + 0.06, self.fd)
        out += _span(self.ad, _PARKING, KERB - 0.3, self.fd) * _dashes(self.s, 6.4, 0.14, self.fs)
        out *= free
        ahead = np.where(self.d > 0, self.e, -self.e)
        stop = _span(ahead, -9.4, -8.9, self.fs) * _span(self.ad, 0.1, _PARKING, self.fd)
        return out + np.where(self.side, stop, 0)

    def _zebra(self) -> Array:
        across = _span(self.zebra_e, -2, 2, self.fs)
        corner = np.where(self.side, _span(self.ae, SIDE + 0.9, SIDE + 3.9, self.fs), 0)
        inside = _span(self.ad, 0, KERB - 0.3, self.fd)
        out = (across + corner) * inside * _dashes(self.d + 0.25, 1.0, 0.5, self.fd)
        beside = np.where(self.side, _span(self.ad, KERB + 0.6, KERB + 3.2, self.fd), 0)
        out += beside * _span(self.ae, 0, SIDE - 0.2, self.fs) * _dashes(self.e + 0.25, 1.0, 0.5, self.fs)
        return out

    def _zebra_area(self) -> Array:
        area = ((np.abs(self.zebra_e) < 2) | (self.side & (np.abs(self.ae - SIDE - 2.4) < 1.5))) & (
            self.ad < KERB - 0.3
        )
        return area | (self.side & (np.abs(self.ad - KERB - 1.9) < 1.3) & (self.ae < SIDE - 0.2))
