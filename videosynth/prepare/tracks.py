"""Track ids: per-frame instance maps linked over time through optical flow, so that an object keeps its id (and its look)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from videosynth.data.decode import Decoder
from videosynth.data.index import Index
from videosynth.data.layouts import index_folder
from videosynth.files import atomic
from videosynth.flow import FlowTeacher
from videosynth.flow.dis import DIS
from videosynth.types import UserError
from videosynth.video.images import write_image

OVERLAP = 0.3  # intersection over union from which an object is the one before
NOTHING = -1  # no object of the frame before lies here
THINGS = 1000  # Cityscapes: an id is class * 1000 + number for things; below, it is the class of stuff, and stays


def link(
    tracks: np.ndarray,
    before: np.ndarray | None,
    objects: np.ndarray,
    now: np.ndarray | None,
    flow: np.ndarray,
    new: int,
    least: int = 0,
) -> tuple[np.ndarray, int]:
    """Track ids of a frame's objects.

    ``tracks`` ``(H, W)`` are those of the frame before, ``objects`` ``(H, W)`` this frame's own instance ids, ``flow``
    ``(2, H, W)`` leads from this frame to the one before. ``before`` and ``now``: class ids of both, where there are any; an
    object never becomes one of another class. Objects are served by their overlap, the largest first; an object without a
    partner gets the id ``new``, ``new + 1``, ... Ids below ``least`` are stuff and stay as they are. Returns the tracks and
    the next new id.
    """
    height, width = objects.shape
    x = np.rint(np.arange(width)[None, :] + flow[0]).astype(int)
    y = np.rint(np.arange(height)[:, None] + flow[1]).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = x.clip(0, width - 1), y.clip(0, height - 1)
    moved = np.where(inside, tracks[y, x], NOTHING)
    if before is not None and now is not None:
        moved = np.where(before[y, x] == now, moved, NOTHING)
    pairs: list[tuple[float, int, int]] = []
    things = objects >= least
    moved = np.where(things & (moved >= least), moved, NOTHING)
    names = np.unique(objects[things])
    for name in names:
        here = (objects == name) & things
        for track, shared in zip(*np.unique(moved[here], return_counts=True), strict=True):
            if track != NOTHING:
                union = here.sum() + (moved == track).sum() - shared
                pairs.append((float(shared / union), int(name), int(track)))
    given: dict[int, int] = {}
    for overlap, name, track in sorted(pairs, reverse=True):
        if overlap >= OVERLAP and name not in given and track not in given.values():
            given[name] = track
    out = objects.astype(tracks.dtype)
    for name in names:
        if int(name) not in given:
            given[int(name)] = new
            new += 1
        out[(objects == name) & things] = given[int(name)]
    return out, new


def write_tracks(root: Path, out: Path, phase: str = "train", teacher: FlowTeacher | None = None) -> int:
    """Write ``out/<sequence>/<frame>.png``: instance maps (16 bits) whose ids are stable over each sequence.

    Returns the number of frames.

    Raises:
        UserError: no images or instances; more than 65,535 objects; a disk that refuses.
    """
    index = index_folder(root, phase)
    for kind in ("images", "instances"):
        if kind not in index.types:
            raise UserError(f"{root} has no {kind}: tracks are linked from instances through the images' flow")
    if out.exists():
        raise UserError(f"{out} is in the way: choose another --out")
    count = 0
    with atomic(out) as part:
        for name, stem, tracks in _tracks(index, teacher or DIS()):
            if tracks.max() > 65535:
                raise UserError(f"{root}: more than 65,535 objects in the sequence {name}: cut it into shorter ones")
            write_image(part / name / f"{stem}.png", tracks.astype(np.uint16))
            count += 1
    return count


def _tracks(index: Index, teacher: FlowTeacher) -> Iterator[tuple[str, str, np.ndarray]]:
    decoder = Decoder(index.classes.colours, index.classes.void, index.classes.remap)
    ids = (r for s in index.sequences for r in s.frames.get("instances", ()) if r is not None)
    least = THINGS if any(decoder.ids(r, labels=False).max() >= THINGS for r in ids) else 1  # one rule for the data set
    for sequence in index.sequences:
        picture = tracks = classes = None
        new = least
        for i, stem in enumerate(sequence.stems):
            refs = {kind: sequence.at(kind, i) for kind in ("images", "instances", "labels") if kind in sequence.frames}
            if refs["images"] is None or refs["instances"] is None:
                raise UserError(f"sequence {sequence.name} lacks a file for frame {stem}: add it")
            objects = decoder.ids(refs["instances"], labels=False).astype(np.int64)
            size = objects.shape
            image = cv2.resize(decoder.image(refs["images"]), size[::-1], interpolation=cv2.INTER_AREA)
            label = refs.get("labels")
            now = None if label is None else decoder.ids(label, labels=True)
            if now is not None and now.shape != size:
                now = cv2.resize(now, size[::-1], interpolation=cv2.INTER_NEAREST)
            if tracks is None or picture is None:
                nothing = np.full(size, NOTHING)
                tracks, new = link(nothing, None, objects, None, np.zeros((2, *size), np.float32), new, least)
            else:
                flow, _ = teacher(image, picture)
                tracks, new = link(tracks, classes, objects, now, flow, new, least)
            picture, classes = image, now
            yield sequence.name, stem, tracks
