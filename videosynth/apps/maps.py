"""A person's driving maps, read the way the model's own data was: preprocessing is part of the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from videosynth.data.dataset import iterate
from videosynth.data.decode import Decoder, FrameRef
from videosynth.data.index import Index, Sequence, frame_slice
from videosynth.data.layouts import VIDEOS, index_folder
from videosynth.data.transforms import fitted, resize_image
from videosynth.data.world import UNSEEN, iterate_world, make_world
from videosynth.types import Clip, DataSpec, UserError
from videosynth.video.images import frame_files, read_image


class Driving(NamedTuple):
    """One sequence of maps to generate from."""

    name: str
    length: int
    fps: float | None
    real: bool  # some frames have an image
    frames: Iterator[
        dict[str, Tensor]
    ]  # ids (1, H, W), dense (1, C, H, W); "images" (1, 3, H, W) uint8 when there are any


WORLD = "world:"
DRIVE = UNSEEN  # trainings draw from drives 0, 1, 2, ...: this one is never among them


def open_maps(
    path: Path | str, spec: DataSpec, frames: str | None = None, phase: str = "test", real: bool = False
) -> list[Driving]:
    """Every sequence under ``path``: a data set in any known layout, a folder of label maps, a lossless label video, or
    drives of a built-in world (``world:street``, ``world:street:7,8``; ``frames`` says how many, 64 without).

    With ``real`` only frames that have an image; else frames need the model's maps only.

    Raises:
        UserError: nothing that the model can be driven by.
    """
    if str(path).startswith(WORLD):
        return list(_drives(str(path), spec, frames))
    index = _index(Path(path), spec, phase, real).subset(frames)
    found = []
    for sequence in index.sequences:
        if len(sequence):
            real = any(sequence.frames.get("images", ()))
            stream = iterate(index, sequence.name, spec, None)
            found.append(Driving(sequence.name, len(sequence), index.fps, real, stream))
    if not found:
        raise UserError(f"{path} has no frames to generate from: check --maps and --frames")
    return found


def _drives(name: str, spec: DataSpec, frames: str | None) -> Iterator[Driving]:
    """``world:NAME[:SEED,SEED,...]``"""
    world, _, seeds = name.removeprefix(WORLD).partition(":")
    source = make_world(world)
    if not source.maps:
        raise UserError(f"{WORLD}{world} has no maps to drive a model by: the world with maps is {WORLD}street")
    own = source.spec(spec.size, spec.fps, nearness=True)
    if any(m not in own.maps for m in spec.maps):
        raise UserError(f"{name} does not have the maps that this model was trained on: it needs another world or data")
    part = frame_slice(frames or "0:64")
    start, stop = part.start or 0, part.stop
    if stop is None or not 0 <= start < stop or part.step not in (None, 1):
        raise UserError(
            f"a world is endless: its frames are a slice with an end, such as 0:64, without a step, not {frames}"
        )
    chosen = (seeds or str(DRIVE)).split(",")
    for seed in chosen:
        if not seed.isdecimal():
            raise UserError(f"{seed!r} is no drive of {WORLD}{world}: write a number, such as {WORLD}{world}:7")
        if chosen.count(seed) > 1:
            raise UserError(f"{name} names the drive {seed} twice: leave one out")
    for seed in chosen:
        stream = iterate_world(spec, int(seed), stop - start, start)
        yield Driving(f"{world}-{seed}", stop - start, spec.fps, True, stream)


def _index(path: Path, spec: DataSpec, phase: str, real: bool) -> Index:
    if not path.exists():
        raise UserError(f"no maps at {path}: check the path")
    kind = spec.maps[0].name if spec.maps else "labels"
    needs = [m.name for m in spec.maps] + (["images"] if real else [])
    if path.is_file():
        if path.suffix.lower() not in VIDEOS:
            raise UserError(
                f"{path} is no folder and no video: pass a folder of label maps, a data set or a lossless video"
            )
        refs: tuple[FrameRef | None, ...] = tuple(FrameRef(path, i) for i in range(Decoder().length(path)))
        stems = tuple(str(i) for i in range(len(refs)))
        return Index(path.parent, "video", (Sequence(path.stem, stems, {kind: refs}),))
    try:
        return index_folder(path, phase, needs)
    except UserError as error:
        try:
            return index_folder(path, "train", needs)
        except UserError:
            pass
        files = frame_files(path) if any(p.is_file() for p in path.iterdir()) else []
        if not files:
            raise error from None
    refs = tuple(FrameRef(p, None) for p in files)
    return Index(path, "frames", (Sequence(path.name, tuple(p.stem for p in files), {kind: refs}),))


def resized(spec: DataSpec, size: tuple[int, int] | None) -> DataSpec:
    """The spec for another frame size (H, W)."""
    if size is None:
        return spec
    if min(size) < 16:
        raise UserError(f"--size {size[1]}x{size[0]} is too small: use at least 16 pixels a side")
    return replace(spec, size=size)


def first_frame(path: Path | str, spec: DataSpec) -> Clip:
    """A picture as the context of one video, resized and cut to the spec's size."""
    return Clip(frames=torch.from_numpy(in_size(read_image(path), spec)).permute(2, 0, 1)[None, None])


def in_size(image: np.ndarray, spec: DataSpec) -> np.ndarray:
    """A picture ``H W 3`` resized and cut in its middle to the spec's size, in memory of its own."""
    height, width = spec.size
    scaled = resize_image(image, fitted((image.shape[0], image.shape[1]), spec.size, spec.fit))
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return scaled[top : top + height, left : left + width].copy()


def target_files(out: Path, names: list[str]) -> list[Path]:
    """Where the videos of some sequences go: ``out`` itself for one, else files in it.

    Raises:
        UserError: several sequences, but ``out`` is the name of a file.
    """
    if len(names) == 1:
        return [out]
    if out.suffix:
        some = f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        raise UserError(
            f"the data holds {len(names)} sequences ({some}) but --out {out} is one file: "
            "pass a folder name, or one sequence's folder"
        )
    return [out / f"{name.replace('/', '_')}.mp4" for name in names]
