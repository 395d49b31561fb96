"""Soft shadows that trees, poles, cars and people cast on the ground: blots along the sun's direction."""

from __future__ import annotations

import numpy as np

from videosynth.data.worlds.street_atlas import Array
from videosynth.data.worlds.street_course import Course
from videosynth.data.worlds.street_raster import Camera, cover, lines, on_quad
from videosynth.data.worlds.street_textures import atlas

_REACH = 75.0  # metres; farther blots are a pixel thin


def _lay(course: Course, s: Array, d: Array, along: Array, across: Array) -> Array:
    """Ground quads centred at (s, d); ``along`` and ``across`` are full extents as (d, s) vectors (n, 2)."""
    middle = course.point(s, d, 0.0)
    heading = course.heading(s)
    right = np.stack([np.cos(heading), 0 * heading, -np.sin(heading)], 1)
    ahead = np.stack([np.sin(heading), 0 * heading, np.cos(heading)], 1)
    u, v = (right * e[:, :1] + ahead * e[:, 1:] for e in (across, along))
    return np.stack([middle - u / 2 - v / 2, u, v], 1)


def _fall(course: Course) -> Array:
    """(d, s) metres that a shadow moves per metre of height."""
    sun = course.plan.mood.sun
    return -np.array([sun[0], sun[2]]) / sun[1]


def still_blots(course: Course) -> tuple[Array, Array]:
    """Ground quads and textures of the shadows of trees and poles."""
    s, d, height, kind = course.blots.T
    fall, ids = _fall(course), atlas().ids
    reach = np.hypot(*fall)
    way = fall / reach
    tree = kind == 0
    at = 0.62 * height[:, None] * fall
    crown = _lay(course, s[tree] + at[tree, 1], d[tree] + at[tree, 0], height[tree, None] * way * (0.75 + 0.35 * reach),
                 height[tree, None] * way[::-1] * [1.0, -1.0] * 1.0)  # fmt: skip
    long = np.where(tree, 0.6 * height, height)
    half = 0.5 * long[:, None] * fall
    wide = np.where(tree, 0.7, 0.42)[:, None] * way[::-1] * [1.0, -1.0]
    stems = _lay(course, s + half[:, 1], d + half[:, 0], 2 * half, wide)
    texture = np.repeat([ids["leaf_shadow"], ids["solid_shadow"]], (len(crown), len(stems)))
    return np.concatenate([crown, stems]), texture


def car_blots(course: Course, casts: Array) -> Array:
    """Ground quads under (s, d, relative heading, half length, half width, height) rows."""
    s, d, turn, long, wide, height = casts.T
    fall = _fall(course) * height[:, None]
    ahead, right = np.stack([np.sin(turn), np.cos(turn)], 1), np.stack([np.cos(turn), -np.sin(turn)], 1)
    spread = [np.abs((fall * axis).sum(1)) for axis in (ahead, right)]
    # The soft border of the blot (a sixth of its extent on each side) lies outside of the thing.
    along = ahead * ((2 * long + 0.8 * spread[0]) * 1.35)[:, None]
    across = right * ((2 * wide + 0.8 * spread[1]) * 1.35)[:, None]
    return _lay(course, s + 0.4 * fall[:, 1], d + 0.4 * fall[:, 0], along, across)


def darkness(blots: Array, texture: Array, ground: Array, camera: Camera) -> Array:
    """(H * W) shadow in [0, 1] on the pixels that see the ground (``ground``, H * W bool)."""
    out = np.zeros(len(ground), np.float32)
    vectors = camera.vectors(blots, np.zeros(len(blots), bool))
    ahead = (vectors[:, 0, 2] < _REACH) & (vectors[:, 0, 2] > -15)
    vectors, texture = vectors[ahead], texture[ahead]
    if not len(vectors):
        return out
    table = lines(vectors)
    found = cover(vectors, table, camera)
    kept = np.flatnonzero(ground[found.pixel])
    pixel, quad = found.pixel[kept], found.quad[kept]
    u, v, _, ux, uy, vx, vy = on_quad(table, quad, pixel, camera)
    alpha = atlas().coverage(texture[quad], u, v, np.hypot(ux, uy), np.hypot(vx, vy))
    np.maximum.at(out, pixel, alpha)
    return out
