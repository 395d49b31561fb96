"""The street world: an endless drive through a sunny town, made of numbers only.

Every frame comes with what real videos lack: class ids, instance ids that stay with their object, depth, the exact
flow to the previous frame and where that flow can be trusted.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from videosynth.data.worlds import street_objects as ob
from videosynth.data.worlds.street_actors import cars, mover_quads
from videosynth.data.worlds.street_atlas import Array
from videosynth.data.worlds.street_course import Course
from videosynth.data.worlds.street_objects import CLASSES, COLOURS
from videosynth.data.worlds.street_plan import BLOCK, Plan
from videosynth.data.worlds.street_raster import EYE, FAR, GROUND, SKY, Camera, lines, on_quad, see
from videosynth.data.worlds.street_shade import shade
from videosynth.data.worlds.street_shadows import car_blots, darkness, still_blots
from videosynth.data.worlds.street_textures import atlas
from videosynth.types import DataSpec, MapSpec, UserError

__all__ = ["CLASSES", "COLOURS", "StreetFrame", "StreetWorld", "spec"]

_SIGHT = 290.0  # metres; what is farther is not drawn
_SHADOW_CHANGE = 0.02  # a moving shadow that changed by more than this spoils the flow's promise


@dataclass(frozen=True)
class StreetFrame:
    """One frame: image (H, W, 3) uint8 RGB; labels (H, W) uint8, indices of :data:`CLASSES`; instances (H, W) int32,
    0 for stuff, 1..65520 for cars, people, signs and houses; depth (H, W) float32 metres (the sky: 1000);
    flow (2, H, W) float32 pixels, x then y, leading to the same surface point in the previous frame;
    visible (H, W) bool, where a bilinear look-up along the flow finds that point.

    ``visible`` excludes points that were hidden or outside of the previous frame, whose four neighbours there do not
    belong to the same surface, and ground whose cast shadow moved (cars, people). The shading of turning cars still
    changes a little with their heading.
    """

    image: Array
    labels: Array
    instances: Array
    depth: Array
    flow: Array
    visible: Array

    @property
    def nearness(self) -> Array:
        """(H, W) float32 in 0..1: 4 m divided by the depth, 1 for what is nearer. The form of depth that drives models."""
        return 4 / np.maximum(self.depth, np.float32(4))


@dataclass(frozen=True)
class _View:
    """What a frame's geometry leaves for its shading and for the next frame."""

    course: Course
    camera: Camera
    quads: Array
    seen: Array
    place: tuple[Array, ...]
    keys: Array
    moving: Array
    flow: Array
    ego: float


class StreetWorld:
    """One endless drive.

    ``size`` is (H, W) in pixels, ``fps`` frames per second. Frames are a pure function of (seed, size, fps, index):
    the same in any order, process or worker. Objects of this class can be pickled; caches stay behind.
    """

    def __init__(self, seed: int, size: tuple[int, int] = (128, 256), fps: float = 15.0) -> None:
        h, w = int(size[0]), int(size[1])
        if min(h, w) < 8 or max(h, w) > 8192:
            raise UserError(f"a street of size {h}x{w} cannot be drawn: give height and width between 8 and 8192")
        if not fps > 0:
            raise UserError(f"fps is {fps}: give a number above 0")
        self.seed, self.size, self.fps = int(seed), (h, w), float(fps)
        self._plan = Plan(self.seed)

    def __getstate__(self) -> dict[str, Any]:
        return {"seed": self.seed, "size": self.size, "fps": self.fps}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def frame(self, index: int) -> StreetFrame:
        """Frame ``index`` (0 or more; 0 has flow 0 and nothing visible). Flow leads to frame ``index - 1``."""
        return next(self.frames(index, 1))

    def frames(self, start: int, count: int, step: int = 1) -> Iterator[StreetFrame]:
        """``count`` frames from ``start``, every ``step``-th; flow leads ``step`` frames back (0 if there is none)."""
        if start < 0 or count < 0 or step < 1:
            raise UserError(f"frames start={start} count={count} step={step}: give start, count >= 0 and step >= 1")
        return self._frames(start, count, step)

    def headings(self, index: int) -> dict[int, float]:
        """Of the moving cars around frame ``index``: instance id -> heading against the road's in radians (0 ahead, pi
        towards the camera, between them while a car turns or crosses).
        """
        seconds = index / self.fps
        ego = float(self._plan.ego(seconds)[0])
        rows, _ = cars(self._plan, ego, seconds, ego, seconds)
        return {int(i): float(r) for i, r in zip(rows["instance"], rows["relative"], strict=True)}

    def _frames(self, start: int, count: int, step: int) -> Iterator[StreetFrame]:
        before = self._view(start - step, step) if start >= step and count else None
        for index in range(start, start + count * step, step):
            view = self._view(index, step)
            yield self._finish(view, before)
            before = view

    def _camera(self, course: Course, seconds: float) -> tuple[Camera, float]:
        s, d, yaw, pitch = self._plan.ego(seconds)
        s -= course.start
        place = course.point(np.array(s), np.array(d), EYE)
        return Camera.look(place, float(course.heading(np.array(s))) + yaw, pitch, self.size), s

    def _view(self, index: int, step: int) -> _View:
        now, then = index / self.fps, max(index - step, 0) / self.fps
        course = _course(self.seed, int(self._plan.ego(now)[0] // BLOCK))
        camera, ego = self._camera(course, now)
        camera_before, ego_before = self._camera(course, then)
        movers, casts = mover_quads(course, ego + course.start, now, ego_before + course.start, then)
        still = course.still
        away = (still["now"][:, 0] - camera.place) @ camera.axes[2]
        quads = np.concatenate([_planes(course), still[(away > -40) & (away < _SIGHT)], movers])
        vectors = camera.vectors(quads["now"], quads["board"])
        vectors[:2] = camera.planes()
        table = lines(vectors)
        seen = see(quads, vectors, table, camera, atlas())
        pixel = np.arange(seen.size, dtype=np.int32)
        place = on_quad(table, seen, pixel, camera)
        back = camera_before.vectors(quads["before"], quads["board"])
        back[:2] = camera_before.planes()
        solid = np.full(len(casts), atlas().ids["solid_shadow"])
        moving = darkness(car_blots(course, casts), solid, seen == GROUND, camera)
        flow = _flow(back, seen, place, camera_before)
        return _View(course, camera, quads, seen, place, quads["key"][seen], moving, flow, ego)

    def _finish(self, view: _View, before: _View | None) -> StreetFrame:
        h, w = self.size
        blots = np.maximum(view.moving, darkness(*_still_blots(view.course), view.seen == GROUND, view.camera))
        image, labels = shade(view.course, view.camera, view.quads, view.seen, view.place, blots, view.ego)
        depth = np.where(view.seen == SKY, FAR, np.minimum(1 / np.maximum(view.place[2], 1e-6), FAR))
        known = before is not None
        flow = view.flow if known else np.zeros_like(view.flow)
        visible = _visible(view, before, (h, w)) if before is not None else np.zeros(h * w, bool)
        return StreetFrame(
            image=(image * 255 + 0.5).astype(np.uint8).reshape(h, w, 3),
            labels=labels.reshape(h, w),
            instances=view.quads["instance"][view.seen].reshape(h, w),
            depth=depth.astype(np.float32).reshape(h, w),
            flow=flow.reshape(2, h, w),
            visible=visible.reshape(h, w),
        )


def _flow(back: Array, seen: Array, place: tuple[Array, ...], camera: Camera) -> Array:
    """(2, H * W) from the pixels to where their surface points were in the previous frame."""
    u, v = place[:2]
    m = back.astype(np.float32).reshape(-1, 9)[seen].T
    x, y, z = (m[i] + u * m[3 + i] + v * m[6 + i] for i in range(3))
    scale = np.float32(camera.focal) / np.maximum(z, np.float32(0.05))
    row, column = np.divmod(np.arange(seen.size, dtype=np.float32), np.float32(camera.size[1]))
    return np.stack([x * scale + np.float32(camera.centre[0]) - column, y * scale + np.float32(camera.centre[1]) - row])


def _visible(view: _View, before: _View, size: tuple[int, int]) -> Array:
    h, w = size
    row, column = np.divmod(np.arange(h * w, dtype=np.float32), np.float32(w))
    x, y = column + view.flow[0], row + view.flow[1]
    out = (x >= 0) & (y >= 0) & (x <= w - 1) & (y <= h - 1)
    x0, y0 = (np.where(out, c, 0).astype(np.int32) for c in (x, y))
    right, down = np.minimum(x0 + 1, w - 1) - x0, (np.minimum(y0 + 1, h - 1) - y0) * w
    corner = y0 * w + x0
    for where in (corner, corner + right, corner + down, corner + right + down):
        out &= before.keys[where] == view.keys
    old = cv2.remap(before.moving.reshape(h, w), x.reshape(h, w), y.reshape(h, w), cv2.INTER_LINEAR)
    return out & (np.abs(old.reshape(-1) - view.moving) <= _SHADOW_CHANGE)


@functools.lru_cache(maxsize=8)
def _course(seed: int, anchor: int) -> Course:
    return Course(Plan(seed), anchor)


@functools.lru_cache(maxsize=8)
def _blots_of(seed: int, anchor: int) -> tuple[Array, Array]:
    course = _course(seed, anchor)
    blots, texture = still_blots(course)
    parked = np.concatenate([b.cars(course.start) for b in course.things])
    sizes = np.tile([2.3, 0.95, 1.2], (len(parked), 1))
    casts = np.concatenate([np.stack([parked["s"], parked["d"], parked["relative"]], 1), sizes], 1)
    solid = np.full(len(casts), atlas().ids["solid_shadow"])
    return np.concatenate([blots, car_blots(course, casts)]), np.concatenate([texture, solid])


def _still_blots(course: Course) -> tuple[Array, Array]:
    return _blots_of(course.plan.seed, course.anchor)


def _planes(course: Course) -> Array:
    """The rows of the ground and the sky."""
    out = np.zeros(2, ob.QUAD)
    out["texture"] = atlas().ids["road"], atlas().ids["cloud"]
    out["repeat"] = 0, 1, 0, 1
    out["tint"], out["key"] = 1, (GROUND, SKY)
    out["sun"] = course.plan.mood.sun[1]
    out["label"] = ob.ROAD, ob.SKY
    return out


def spec(size: tuple[int, int] = (128, 256), fps: float = 15.0, nearness: bool = False) -> DataSpec:
    """The data specification of street videos: class ids, then instance ids, then nearness if wished."""
    classes = MapSpec("labels", "classes", len(CLASSES), CLASSES, COLOURS)
    maps = (classes, MapSpec("instances", "instances", 1))
    return DataSpec((*maps, MapSpec("nearness", "dense", 1, range=(0.0, 1.0))) if nearness else maps, size, fps)
