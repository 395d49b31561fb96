"""The things of the street as textured parallelograms ("quads"), and the random numbers they are made of.

Coordinates: x right, y up, z ahead, metres. Seen from its outside, a quad's ``u`` points right and its ``v`` up.
Along the road: ``s`` metres ahead on the centre line, ``d`` metres to the right of it.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CLASSES: tuple[str, ...] = (
    "sky", "road", "marking", "crossing", "pavement", "building",
    "vegetation", "terrain", "pole", "sign", "car", "pedestrian",
)  # fmt: skip
COLOURS: tuple[tuple[int, int, int], ...] = (
    (70, 130, 180), (128, 64, 128), (255, 255, 255), (200, 128, 128), (244, 35, 232), (70, 70, 70),
    (107, 142, 35), (152, 251, 152), (153, 153, 153), (220, 220, 0), (0, 0, 142), (220, 20, 60),
)  # fmt: skip
SKY, ROAD, MARKING, CROSSING, PAVEMENT, BUILDING, VEGETATION, TERRAIN, POLE, SIGN, CAR, PEDESTRIAN = range(12)

QUAD = np.dtype(
    [
        ("now", "f8", (3, 3)),  # origin (bottom left), u, v in this frame; a board's u is (width, 0, 0)
        ("before", "f8", (3, 3)),  # the same in the previous frame
        ("board", "?"),  # turns about the vertical axis to face the camera; origin is its bottom middle
        ("closed", "?"),  # a side of a closed thing: not drawn from behind
        ("texture", "i4"),
        ("repeat", "f4", 4),  # texture coordinates = (a + b u, c - d v) as (a, b, c, d)
        ("tint", "f4", 3),
        ("sun", "f4"),  # how much of the sun's light the surface takes in, 0..1
        ("road", "f4", (3, 3)),  # (s, d, y) of origin, u, v along the road, s from the anchor: where shadows fall
        ("shaded", "?"),  # receives the cast shadows of buildings
        ("label", "u1"),
        ("instance", "i4"),
        ("key", "i8"),  # the surface's name over time
    ]
)

# Side views (metres ahead, metres up), from the bottom of the rear over the roof to the bottom of the front.
CAR_PROFILES = tuple(
    np.array(p)
    for p in (
        [(-2.2, 0.22), (-2.25, 0.78), (-2.1, 0.98), (-1.45, 1.02), (-0.75, 1.44), (0.45, 1.44), (1.15, 1.0),
         (2.0, 0.84), (2.2, 0.62), (2.2, 0.22)],
        [(-1.9, 0.22), (-1.95, 0.8), (-1.9, 1.0), (-1.75, 1.1), (-1.35, 1.5), (0.35, 1.5), (1.05, 1.02), (1.8, 0.88),
         (1.95, 0.65), (1.95, 0.22)],
        [(-2.3, 0.3), (-2.35, 0.95), (-2.3, 1.1), (-2.2, 1.2), (-1.95, 1.75), (0.4, 1.75), (1.05, 1.2), (2.05, 1.05),
         (2.25, 0.8), (2.25, 0.3)],
        [(-2.6, 0.3), (-2.65, 1.0), (-2.62, 1.3), (-2.6, 1.4), (-2.5, 2.2), (1.3, 2.2), (2.0, 1.35), (2.55, 1.15),
         (2.65, 0.85), (2.65, 0.3)],
    )
)  # fmt: skip
CAR_WIDTHS = np.array([1.78, 1.7, 1.88, 1.95])
CAR_PAINTS = np.array(
    [(0.9, 0.9, 0.92), (0.55, 0.57, 0.6), (0.14, 0.14, 0.16), (0.75, 0.1, 0.1), (0.12, 0.25, 0.6), (0.85, 0.7, 0.2),
     (0.2, 0.4, 0.3), (0.78, 0.75, 0.68), (0.9, 0.45, 0.12), (0.35, 0.55, 0.75)]
)  # fmt: skip
_STRIPS = ("rear", "rear", "paint", "glass", "paint", "glass", "paint", "front", "front")
CAR_PARTS = len(_STRIPS) + 2


def _car_shapes() -> tuple[Array, Array]:
    """Local quads (kind, part, 3 vectors, (right, up, ahead)) and their outward normals."""
    shapes = np.zeros((len(CAR_PROFILES), CAR_PARTS, 3, 3))
    for kind, profile in enumerate(CAR_PROFILES):
        half, top = CAR_WIDTHS[kind] / 2, profile[:, 1].max()
        lean = 0.14 * half  # the sides lean inwards; strips are as wide as their lower edge, so that no gap opens
        for i, ((z0, y0), (z1, y1)) in enumerate(itertools.pairwise(profile)):
            wide = half - lean * min(y0, y1) / top
            shapes[kind, i] = (-wide, y0, z0), (2 * wide, 0, 0), (0, y1 - y0, z1 - z0)
        back, length = profile[:, 0].min(), np.ptp(profile[:, 0])
        shapes[kind, -2] = (half, 0, back), (0, 0, length), (-lean, top, 0)
        shapes[kind, -1] = (-half, 0, back + length), (0, 0, -length), (lean, top, 0)
    normals = np.cross(shapes[:, :, 2], shapes[:, :, 1])
    return shapes, normals / np.linalg.norm(normals, axis=-1, keepdims=True)


_SHAPES, _NORMALS = _car_shapes()


def draw(seed: int, topic: int, index: Array | int, channel: int = 0) -> Array:
    """Random numbers in [0, 1) that depend on nothing but the arguments (a counter, mixed by SplitMix64's steps)."""
    x = np.asarray(index, np.int64).astype(np.uint64)
    with np.errstate(over="ignore"):
        salt = (seed * 0x9E3779B97F4A7C15 + topic * 0xD1B54A32D192ED03 + channel * 0x8CB92BA72F3D8DD7) % 2**64
        x = x * np.uint64(0xBF58476D1CE4E5B9) + np.uint64(salt)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 0x9E3779B97F4A7C15)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
        return ((x ^ (x >> np.uint64(32))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def instance_id(topic: int, index: Array | int) -> Array:
    """Ids 1..65520: one per object; used again only 4095 objects of the same topic later (many kilometres)."""
    return (1 + topic + 16 * (np.asarray(index, np.int64) % 4095)).astype(np.int32)


def turn(heading: Array) -> Array:
    """(..., 3, 3) whose rows are right, up and ahead of something that heads ``heading`` rad from z towards x."""
    c, s, zero, one = np.cos(heading), np.sin(heading), np.zeros_like(heading), np.ones_like(heading)
    rows = [np.stack(r, -1) for r in ((c, zero, -s), (zero, one, zero), (s, zero, c))]
    return np.stack(rows, -2)


def car_shape(kind: Array, place: Array, heading: Array) -> Array:
    """(n, parts, 3 vectors, 3) world quads of cars of ``kind`` (n) at ``place`` (n, 3)."""
    out = np.einsum("npvk,nkw->npvw", _SHAPES[kind], turn(heading))
    out[:, :, 0] += place[:, None]
    return out


def car_light(kind: Array, relative: Array, sun: Array) -> Array:
    """(n, parts) sun taken in by each side; ``relative`` is the heading against the road's, ``sun`` (d, up, s)."""
    normals = np.einsum("npk,nkw->npw", _NORMALS[kind], turn(relative))
    return np.clip(normals @ sun, 0, None)


def car_textures(ids: dict[str, int], kind: Array) -> Array:
    strips = np.array([ids[name] for name in _STRIPS])
    sides = np.array([ids[f"car{i}"] for i in range(len(CAR_PROFILES))])[kind]
    return np.concatenate([np.tile(strips, (len(kind), 1)), sides[:, None], sides[:, None]], 1)


def car_repeats(kind: Array) -> Array:
    """Texture coordinates per part: the two strips of front and rear share one picture, the far side is mirrored."""
    out = np.tile(np.array([0, 1, 1, 1], np.float32), (len(kind), CAR_PARTS, 1))
    out[:, 0, 2:], out[:, 1, 2:] = (1, 0.75), (0.25, 0.25)
    out[:, 7, 2:], out[:, 8, 2:] = (1, 0.25), (0.75, 0.75)
    out[:, -1, :2] = 1, -1
    return out


# Parts of a person: texture, joint (right, up; metres), width, length (negative: hangs from the joint), swing (rad).
_LIMBS = (
    ("leg", 0.09, 0.86, 0.17, -0.86, 0.48),
    ("leg", -0.09, 0.86, 0.17, -0.86, -0.48),
    ("arm", 0.24, 1.38, 0.12, -0.66, -0.42),
    ("arm", -0.24, 1.38, 0.12, -0.66, 0.42),
    ("torso", 0.0, 0.8, 0.46, 0.68, 0.0),
    ("head", 0.0, 1.46, 0.24, 0.3, 0.0),
)
PERSON_PARTS = len(_LIMBS)


def person_shape(place: Array, heading: Array, phase: Array, size: Array) -> Array:
    """(n, parts, 3 vectors, 3) boards of people at ``place`` (n, 3); ``phase`` is their place in the stride (rad)."""
    axes = turn(heading)
    out = np.zeros((len(place), PERSON_PARTS, 3, 3))
    for i, (_, right, up, width, length, swing) in enumerate(_LIMBS):
        angle = swing * np.sin(phase)
        along = axes[:, 2] * np.sin(angle)[:, None] + axes[:, 1] * np.cos(angle)[:, None]
        out[:, i, 0] = place + (axes[:, 0] * right + axes[:, 1] * up) * size[:, None]
        out[:, i, 1, 0] = width * size
        out[:, i, 2] = along * (length * size)[:, None]
    return out


def person_textures(ids: dict[str, int]) -> Array:
    return np.array([ids[limb[0]] for limb in _LIMBS])


def person_repeats() -> Array:
    """Hanging limbs have their joint at the top of the picture."""
    return np.array([(0, 1, 0, -1) if limb[4] < 0 else (0, 1, 1, 1) for limb in _LIMBS], np.float32)
