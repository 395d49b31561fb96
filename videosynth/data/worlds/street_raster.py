"""Camera and rasteriser: which quad each pixel sees, and where on it. All quads of a frame go through at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_atlas import Array, Atlas

NEAR = 0.3
EYE = 1.5  # height of the camera, metres
GROUND, SKY = 0, 1  # the first two surfaces of every frame: planes without bounds
CLOUD_HEIGHT = 900.0
FAR = 1000.0  # depth of the sky


@dataclass(frozen=True)
class Camera:
    """A pinhole: ``axes`` rows are right, down, ahead; focal length in pixels; pixel centres at integers."""

    place: Array
    axes: Array
    size: tuple[int, int]

    @staticmethod
    def look(place: Array, heading: float, pitch: float, size: tuple[int, int]) -> Camera:
        right, up, ahead = ob.turn(np.array(heading))
        c, s = np.cos(pitch), np.sin(pitch)
        return Camera(place, np.stack([right, -(c * up - s * ahead), c * ahead + s * up]), size)

    @property
    def focal(self) -> float:
        return 0.82 * max(self.size)

    @property
    def centre(self) -> tuple[float, float]:
        h, w = self.size
        return (w - 1) / 2, (h - 1) * 0.47

    def vectors(self, quads: Array, board: Array) -> Array:
        """(n, 3, 3) origin, u and v of world quads (n, 3, 3) in camera coordinates; boards turn to the camera."""
        origin = (quads[:, 0] - self.place) @ self.axes.T
        out = np.stack([origin, quads[:, 1] @ self.axes.T, quads[:, 2] @ self.axes.T], 1)
        # A board is never narrower than a pixel: thin poles would flicker.
        wide = np.maximum(quads[board, 1, 0], np.maximum(origin[board, 2], 0) * (1.05 / self.focal))
        out[board, 1] = wide[:, None] * [1.0, 0.0, 0.0]
        out[board, 0] -= out[board, 1] / 2
        return out

    def planes(self) -> Array:
        """(2, 3, 3): the ground and the layer of clouds in camera coordinates; u and v are world x and z."""
        y = np.array([0.0, CLOUD_HEIGHT])
        origin = np.stack([0 * y, y, 0 * y], 1)
        u, v = (np.tile(np.array(axis, float), (2, 1)) for axis in ((1, 0, 0), (0, 0, 1)))
        return self.vectors(np.stack([origin, u, v], 1), np.zeros(2, bool))


def lines(vectors: Array) -> Array:
    """(n, 3, 3) inverse of the matrices whose columns are u, v, origin: rays to (u, v, 1) / depth."""
    o, u, v = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    rows = np.stack([np.cross(v, o), np.cross(o, u), np.cross(u, v)], 1)
    volume = np.einsum("nk,nk->n", o, rows[:, 2])
    safe = np.where(np.abs(volume) < 1e-9, np.inf, volume)
    return rows / safe[:, None, None]


def _bounds(vectors: Array, camera: Camera) -> tuple[Array, Array]:
    """First and last image row of each quad (first > last where it is out of sight)."""
    o, u, v = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    corners = np.stack([o, o + u, o + u + v, o + v], 1)
    after = np.roll(corners, -1, 1)
    z0, z1 = corners[..., 2], after[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (NEAR - z0) / (z1 - z0)
        cut = corners + t[..., None] * (after - corners)
        points = np.concatenate([corners, cut], 1)
        valid = np.concatenate([z0 >= NEAR, (z0 >= NEAR) != (z1 >= NEAR)], 1)
        x, y = (camera.focal * points[..., i] / points[..., 2] + camera.centre[i] for i in (0, 1))
    h, w = camera.size
    low, high = (np.where(valid, c, fill) for c, fill in ((y, np.inf), (y, -np.inf)))
    left, right = np.where(valid, x, np.inf).min(1), np.where(valid, x, -np.inf).max(1)
    top, bottom = np.clip(np.ceil(low.min(1)), 0, h), np.clip(np.floor(high.max(1)), -1, h - 1)
    out = (left > w - 1) | (right < 0) | ~valid.any(1)
    return np.where(out, 1, top).astype(np.int64), np.where(out, 0, bottom).astype(np.int64)


@dataclass(frozen=True)
class Fragments:
    """Pixels that quads cover: flat pixel, quad, 1 / depth."""

    pixel: Array
    quad: Array
    nearness: Array


def _ragged(counts: Array) -> tuple[Array, Array]:
    """Owner and number within the owner of each item of ragged rows."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    start = np.cumsum(counts) - counts
    return owner, np.arange(len(owner), dtype=np.int32) - start.astype(np.int32)[owner]


def cover(vectors: Array, table: Array, camera: Camera) -> Fragments:
    """The pixels whose centres lie inside of each quad. ``table`` = lines(vectors)."""
    w, f, (cx, cy) = camera.size[1], camera.focal, camera.centre
    first, last = _bounds(vectors, camera)
    owner, y = _ragged(np.maximum(last - first + 1, 0))
    y = y + first[owner]
    rows = table[owner]
    base = rows[:, :, 1] * ((y - cy) / f)[:, None] + rows[:, :, 2]
    slope = rows[:, :, 0] / f
    a = np.stack([base[:, 0], base[:, 1], base[:, 2] - base[:, 0], base[:, 2] - base[:, 1], 1 / NEAR - base[:, 2]], 1)
    b = np.stack([slope[:, 0], slope[:, 1], slope[:, 2] - slope[:, 0], slope[:, 2] - slope[:, 1], -slope[:, 2]], 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = -a / b
    low = np.where(b > 0, root, -np.inf).max(1)
    high = np.where(b < 0, root, np.inf).min(1)
    empty = ((b == 0) & (a < 0)).any(1)
    x0 = np.ceil(np.clip(low + cx, 0, w)).astype(np.int64)
    x1 = np.floor(np.clip(high + cx, -1, w - 1)).astype(np.int64)
    row, x = _ragged(np.where(empty, 0, np.maximum(x1 - x0 + 1, 0)))
    x = x + x0.astype(np.int32)[row]
    nearness = base[:, 2].astype(np.float32)[row] + slope[:, 2].astype(np.float32)[row] * (
        x.astype(np.float32) - np.float32(cx)
    )
    pixel = (y * w).astype(np.int32)[row] + x
    return Fragments(pixel, owner[row], nearness)


def on_quad(table: Array, quad: Array, pixel: Array, camera: Camera) -> tuple[Array, ...]:
    """u, v, nearness and the four derivatives (du/dx, du/dy, dv/dx, dv/dy) at pixels that see ``quad``."""
    f, (cx, cy), w = np.float32(camera.focal), camera.centre, camera.size[1]
    y, x = np.divmod(pixel, w)
    x, y = (x.astype(np.float32) - np.float32(cx)) / f, (y.astype(np.float32) - np.float32(cy)) / f
    m = table.astype(np.float32).reshape(-1, 9)[quad].T
    near = m[6] * x + m[7] * y + m[8]
    depth = 1 / near
    u, v = (m[0] * x + m[1] * y + m[2]) * depth, (m[3] * x + m[4] * y + m[5]) * depth
    scale = depth / f
    slopes = ((m[i] - c * m[6 + j]) * scale for c, i, j in ((u, 0, 0), (u, 1, 1), (v, 3, 0), (v, 4, 1)))
    return (u, v, near, *slopes)


def on_texture(quads: Array, place: tuple[Array, ...], quad: Array) -> tuple[Array, Array, Array, Array]:
    """Texture coordinates and footprints of points on quads."""
    u, v, _, ux, uy, vx, vy = place
    a, b, c, d = quads["repeat"][quad].T
    return a + b * u, c - d * v, np.abs(b) * np.hypot(ux, uy), np.abs(d) * np.hypot(vx, vy)


def see(quads: Array, vectors: Array, table: Array, camera: Camera, atlas: Atlas) -> Array:
    """(H * W) index of the quad that each pixel sees. Quads 0 and 1 are the ground and the sky."""
    (h, w), (_, cy) = camera.size, camera.centre
    pixel = np.arange(h * w, dtype=np.int32)
    y, x = np.divmod(pixel, w)
    x, y = (x - camera.centre[0]) / camera.focal, (y - cy) / camera.focal
    ground = (table[GROUND, 2, 0] * x + table[GROUND, 2, 1] * y + table[GROUND, 2, 2]).astype(np.float32)
    seen = np.where(ground > 0, GROUND, SKY).astype(np.int32)
    nearest = np.maximum(ground, 0)
    facing = np.einsum("nk,nk->n", np.cross(vectors[:, 1], vectors[:, 2]), vectors[:, 0])
    drawn = ~(quads["closed"] & (facing >= 0))  # y points down here, so outsides are negative
    drawn[:2] = False
    chosen = np.flatnonzero(drawn)
    found = cover(vectors[chosen], table[chosen], camera)
    pixel, quad, near = found.pixel, chosen.astype(np.int32)[found.quad], found.nearness
    cut = np.flatnonzero(atlas.cut[quads["texture"]][quad] & (near > nearest[pixel]))
    place = on_quad(table, quad[cut], pixel[cut], camera)
    alpha = atlas.coverage(quads["texture"][quad[cut]], *on_texture(quads, place, quad[cut]))
    near = near.copy()
    near[cut[alpha < 0.5]] = -1
    np.maximum.at(nearest, pixel, near)
    front = near >= nearest[pixel]
    seen[pixel[front]] = quad[front]
    return seen
