"""One picture that holds every texture of the street at every resolution, so that one call filters a whole frame.

A texture is kept as a *rip-map*: averaged by powers of two along u and v independently. A facade seen at a grazing
angle is compressed along u only and a road along v only; averaging each axis by the footprint of a pixel on it keeps
the other axis sharp, and keeps the colour of a surface point nearly constant while the camera moves (which a warp of
the previous frame needs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_WIDTH = 6144  # cells are placed in shelves of this width; cv2.remap takes at most 32767
_PAD = 1  # texels around each level, so that bilinear look-ups never reach the neighbour
_BIAS = 0.35  # octaves of extra blur: at 0 a bilinear warp of the previous frame loses visible contrast


@dataclass(frozen=True)
class Texture:
    """``rgb`` (h, w, 3) and ``mask`` (h, w; where an object's own colour multiplies it) and ``alpha`` (h, w) in [0, 1].

    ``h`` and ``w`` are powers of two. ``wrap``: the texture repeats along both axes.
    """

    rgb: Array
    mask: Array
    alpha: Array | None = None
    wrap: bool = False


def _halves(picture: Array, levels: int, axis: int) -> list[Array]:
    out = [picture]
    for _ in range(levels - 1):
        p = out[-1]
        a, b = (p[:, 0::2], p[:, 1::2]) if axis == 1 else (p[0::2], p[1::2])
        out.append((a + b) * 0.5)
    return out


class Atlas:
    """Textures by name, with filtered look-ups at texture coordinates ``u`` (right) and ``v`` (down), 1 per repeat."""

    def __init__(self, textures: dict[str, Texture]) -> None:
        self.ids = {name: i for i, name in enumerate(textures)}
        items = list(textures.values())
        shapes = np.array([t.mask.shape for t in items])
        self.height, self.width = (shapes[:, i].astype(np.float32) for i in (0, 1))
        self.wrap = np.array([t.wrap for t in items])
        self.cut = np.array([t.alpha is not None for t in items])
        self.rows, self.columns = (np.log2(shapes[:, i]).astype(np.float32) for i in (0, 1))
        cells = 2 * shapes + 2 * _PAD * (np.log2(shapes).astype(int) + 1)
        self.x, self.y = np.zeros(len(items), np.float32), np.zeros(len(items), np.float32)
        x = y = shelf = 0
        for i in np.argsort(-cells[:, 0], kind="stable"):
            if x + cells[i, 1] > _WIDTH:
                x, y, shelf = 0, y + shelf, 0
            self.x[i], self.y[i] = x, y
            x, shelf = x + cells[i, 1], max(shelf, cells[i, 0])
        self.colour = np.zeros((y + shelf, _WIDTH, 4), np.uint8)
        self.alpha = np.zeros((y + shelf, _WIDTH), np.uint8)
        for i, texture in enumerate(items):
            self._place(texture, int(self.x[i]), int(self.y[i]))

    def _place(self, texture: Texture, x: int, y: int) -> None:
        alpha = np.ones_like(texture.mask) if texture.alpha is None else texture.alpha
        weight = np.maximum(alpha, 1e-3)[..., None]  # colours outside of the silhouette must not bleed in
        picture = np.concatenate([np.dstack([texture.rgb, texture.mask]) * weight, weight], 2).astype(np.float32)
        h, w = texture.mask.shape
        mode = "wrap" if texture.wrap else "edge"
        oy = y + _PAD
        for row in _halves(picture, int(np.log2(h)) + 1, 0):
            ox = x + _PAD
            for level in _halves(row, int(np.log2(w)) + 1, 1):
                full = np.concatenate([level[..., :4] / level[..., 4:], level[..., 4:]], 2)
                full = np.pad(full, ((_PAD, _PAD), (_PAD, _PAD), (0, 0)), mode=mode)
                full = (np.clip(full, 0, 1) * 255 + 0.5).astype(np.uint8)
                place = np.s_[oy - _PAD : oy - _PAD + full.shape[0], ox - _PAD : ox - _PAD + full.shape[1]]
                self.colour[place], self.alpha[place] = full[..., :4], full[..., 4]
                ox += level.shape[1] + 2 * _PAD
            oy += row.shape[0] + 2 * _PAD

    def _inside(self, texture: Array, u: Array, v: Array) -> tuple[Array, Array]:
        wrap = self.wrap[texture]
        return tuple(np.where(wrap, c - np.floor(c), np.clip(c, 0, 1)) for c in (u, v))  # type: ignore[return-value]

    @staticmethod
    def _axis(start: Array, size: Array, level: Array, coordinate: Array) -> Array:
        texels = np.ldexp(size, -level)
        return start + 2 * (size - texels) + _PAD * (2 * level + 1) + coordinate * texels - 0.5

    def coverage(self, texture: Array, u: Array, v: Array, fu: Array, fv: Array) -> Array:
        """Alpha in [0, 1] at ``n`` points; ``fu``, ``fv``: the footprint of a pixel in repeats."""
        if not len(texture):
            return np.zeros(0, np.float32)
        u, v = self._inside(texture, u, v)
        w, h = self.width[texture], self.height[texture]
        i = np.clip(np.rint(np.log2(fu * w + 1e-9)), 0, self.columns[texture]).astype(np.int32)
        j = np.clip(np.rint(np.log2(fv * h + 1e-9)), 0, self.rows[texture]).astype(np.int32)
        x, y = self._axis(self.x[texture], w, i, u), self._axis(self.y[texture], h, j, v)
        return _remap(self.alpha, x, y).astype(np.float32) / 255

    def sample(self, texture: Array, u: Array, v: Array, fu: Array, fv: Array) -> Array:
        """RGB and mask, (n, 4) in [0, 255] as float32, interpolated in position and in both resolutions."""
        u, v = self._inside(texture, u, v)
        w, h = self.width[texture], self.height[texture]
        i = np.clip(np.log2(fu * w + 1e-9) + _BIAS, 0, self.columns[texture])
        j = np.clip(np.log2(fv * h + 1e-9) + _BIAS, 0, self.rows[texture])
        i0, j0 = np.floor(i), np.floor(j)
        p, q = (i - i0)[:, None], (j - j0)[:, None]
        i1 = np.minimum(i0 + 1, self.columns[texture]).astype(np.int32)
        j1 = np.minimum(j0 + 1, self.rows[texture]).astype(np.int32)
        xs = [self._axis(self.x[texture], w, level, u) for level in (i0.astype(np.int32), i1)]
        ys = [self._axis(self.y[texture], h, level, v) for level in (j0.astype(np.int32), j1)]
        rows = []
        for y in ys:
            a, b = (_remap(self.colour, x, y).astype(np.float32) for x in xs)
            rows.append(a + (b - a) * p)
        return rows[0] + (rows[1] - rows[0]) * q


def _remap(source: Array, x: Array, y: Array) -> Array:
    """Bilinear look-up at ``n`` points (folded into rows: cv2 refuses more than 32767 columns)."""
    n, width = len(x), 1024
    rows = -(-n // width)
    grid = np.zeros((2, rows * width), np.float32)
    grid[0, :n], grid[1, :n] = x, y
    out = cv2.remap(source, grid[0].reshape(rows, width), grid[1].reshape(rows, width), cv2.INTER_LINEAR)
    return out.reshape(rows * width, *out.shape[2:])[:n]
