"""Colours: textures, sun and sky light, shadows, haze. The colour of a surface point does not depend on the time."""

from __future__ import annotations

import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_atlas import Array
from videosynth.data.worlds.street_course import Course
from videosynth.data.worlds.street_ground import Ground
from videosynth.data.worlds.street_raster import CLOUD_HEIGHT, GROUND, SKY, Camera, on_texture
from videosynth.data.worlds.street_textures import atlas

_HAZE = 260.0  # metres
_CLOUD = 1 / 2400.0  # repeats per metre of the layer of clouds
_EARTH = np.array([(1, 1, 1), (0.92, 0.88, 0.82), (0.8, 0.9, 0.62)], np.float32)


def shade(
    course: Course, camera: Camera, quads: Array, seen: Array, place: tuple[Array, ...], blots: Array, ego: float
) -> tuple[Array, Array]:
    """Image (H * W, 3) in [0, 1] and labels (H * W) of a frame.

    ``seen`` is the quad of each pixel, ``place`` what :func:`on_quad` says of it, ``blots`` the cast shadows on the
    ground, ``ego`` the camera's place from the anchor.
    """
    mood, paint = course.plan.mood, atlas()
    labels = quads["label"][seen]
    texture = quads["texture"][seen]
    u, v, fu, fv = on_texture(quads, place, seen)
    ground, sky = np.flatnonzero(seen == GROUND), np.flatnonzero(seen == SKY)
    s, d, below = _ground(course, camera, [p[ground] for p in place], ego)
    texture[ground], u[ground], v[ground], fu[ground], fv[ground] = below.texture, below.u, below.v, below.fu, below.fv
    for c, f, p in ((u, fu, place[0]), (v, fv, place[1])):
        c[sky] = p[sky] * np.float32(_CLOUD)
        f[sky] *= np.float32(_CLOUD)
    sample = paint.sample(texture, u, v, fu, fv) * np.float32(1 / 255)
    tint = quads["tint"][seen]
    tint[ground] = _EARTH[np.searchsorted([ob.PAVEMENT, ob.TERRAIN], below.label, side="right")]
    colour = sample[:, :3] * (1 + sample[:, 3:] * (tint - 1))
    colour[ground] = below.paint(colour[ground])
    labels[ground] = below.label
    shadow = np.zeros(len(seen), np.float32)
    solid = np.flatnonzero(quads["shaded"][seen])
    at = quads["road"].reshape(-1, 9)[seen[solid]].T
    us, vs = place[0][solid], place[1][solid]
    shadow[solid] = course.shadow(*(at[i] + us * at[3 + i] + vs * at[6 + i] for i in range(3)))
    shadow[ground] = 1 - (1 - course.shadow(s, d, np.zeros_like(s))) * (1 - 0.85 * blots[ground])
    light = quads["sun"][seen] * (1 - shadow)
    ambient, sun = mood.ambient.astype(np.float32), mood.sun_colour.astype(np.float32)
    colour *= ambient + light[:, None] * sun * np.float32(1.1)
    haze = np.exp(place[2][:, None] ** -1 * np.float32(-1 / _HAZE))
    colour = mood.horizon.astype(np.float32) * (1 - haze) + colour * haze
    colour[sky] = _sky(course, place[2][sky], sample[sky])
    return np.clip(colour, 0, 1), labels


def _ground(course: Course, camera: Camera, place: list[Array], ego: float) -> tuple[Array, Array, Ground]:
    x, z, _, xx, xy, zx, zy = place
    ahead = camera.axes[2].astype(np.float32)
    eye = camera.place.astype(np.float32)
    s = np.float32(ego) + (x - eye[0]) * ahead[0] + (z - eye[2]) * ahead[2]
    d = np.zeros_like(s)
    course_axes = np.zeros((len(s), 2), np.float32)
    for _ in range(4):
        s, d, course_axes = course.refine(x, z, s)
    sin, cos = course_axes.T
    fs = np.abs(xx * sin + zx * cos) + np.abs(xy * sin + zy * cos)
    fd = np.abs(xx * cos - zx * sin) + np.abs(xy * cos - zy * sin)
    return s, d, Ground(course, s, d, fs, fd)


def _sky(course: Course, nearness: Array, sample: Array) -> Array:
    mood = course.plan.mood
    height = np.clip(nearness[:, None] * np.float32(CLOUD_HEIGHT), 0, 1)  # the slope of the view
    rise = 1 - np.exp(height * np.float32(-4.5))
    blue = mood.horizon.astype(np.float32) * (1 - rise) + mood.zenith.astype(np.float32) * rise
    cover = sample[:, 3:] * np.clip(height * 9 - np.float32(0.25), 0, 1)
    white = sample[:, :3] * (np.float32(0.68) + np.float32(0.3) * mood.sun_colour.astype(np.float32))
    return blue + (white - blue) * cover
