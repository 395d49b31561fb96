"""Whole videos to measure on: clips of one length from a collection or a built-in world, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from videosynth.data.attributes import ids
from videosynth.data.dataset import FrameLoader, Memory
from videosynth.data.index import Index, frame_slice, some
from videosynth.data.layouts import index_folder
from videosynth.data.transforms import Array, Geometry
from videosynth.data.world import UNSEEN, make_world
from videosynth.types import DataSpec, UserError

WORLD = "world:"
COUNT = 256  # videos of a world, where nobody says how many
_ROOM = 64 << 20  # bytes: the strip in use, decoded once for all of its clips

Named = tuple[str, Array, dict[str, int]]
Say = Callable[[str], None]


def rate_of(root_or_world: str | Path, frames: str | None = None) -> float:
    """Frames per second of the videos that :func:`read_videos` gives with a step of 1, as a training takes them to have.

    Raises:
        UserError: no such data.
    """
    usual = DataSpec().fps  # of worlds, and where nothing is said
    if str(root_or_world).startswith(WORLD):
        return usual
    index = index_folder(Path(root_or_world), needs=("images",))
    return (index.fps or usual) / (frame_slice(frames or ":").step or 1)


def read_videos(
    root_or_world: str | Path,
    spec: DataSpec,
    length: int,
    step: int = 1,
    limit: int | None = None,
    frames: str | None = None,
    left_out: Say | None = None,
) -> Iterator[Named]:
    """Clips of exactly ``length`` frames, every ``step``-th one, at ``spec.size`` (as ``spec.fit`` says).

    Each video gives consecutive clips that do not overlap, from its start on; what is left at its end, and videos that
    are too short, give none. ``root_or_world``: a folder that training can read, or ``world:shapes``, ``world:digits``,
    ``world:digits:GLYPHS`` (a file of them): videos that no training sees, ``limit`` (else 256) of them. ``limit``: at most
    so many clips. ``frames``: a slice of each video's frames, such as ``0:64``. ``left_out``: leave out videos with values
    (classes) that ``spec`` does not know, and tell this of them in one line; those of which nothing is said stay.

    Yields:
        Name of video and first frame (``a/b@0``), frames ``T H W 3`` uint8, ids of the attributes of ``spec`` (-1: unknown).

    Raises:
        UserError: no such data, no video is long enough, or all are left out; at once, not at the first clip.
    """
    if length < 1 or step < 1:
        raise UserError(f"clips need a length and a step of 1 or more, not {length} and {step}")
    need = (length - 1) * step + 1
    if str(root_or_world).startswith(WORLD):
        clips = _world(str(root_or_world).removeprefix(WORLD), spec, length, step, limit, frames)
    else:
        clips = _folder(Path(root_or_world), spec, length, step, frames, left_out)
    first = next(clips, None)
    if first is None:
        every = f" (one in {step})" if step > 1 else ""
        raise UserError(
            f"{root_or_world}: no video has the {need} frames that a clip of {length}{every} needs: "
            "shorten the clips or give longer videos"
        )
    return islice(_chain(first, clips), limit)


def _chain(first: Named, rest: Iterator[Named]) -> Iterator[Named]:
    yield first
    yield from rest


def _parts(count: int, length: int, step: int) -> Iterator[range]:
    """Frames of the consecutive clips of a video of ``count`` frames."""
    span = length * step  # the next clip starts where this one's rhythm goes on
    for start in range(0, count - (length - 1) * step, span):
        yield range(start, start + span, step)


def _known(index: Index, spec: DataSpec, left_out: Say) -> Index:
    """The index without videos whose values the spec does not know."""
    strange: dict[str, None] = {}
    kept = []
    for sequence in index.sequences:
        said = [(n, sequence.attributes[n]) for n in spec.attributes if n in sequence.attributes]
        unknown = [f"{n} {value}" for n, value in said if value not in spec.attributes[n]]
        strange |= dict.fromkeys(unknown)
        if not unknown:
            kept.append(sequence)
    values = some(list(strange))
    if not kept:
        raise UserError(f"{index.root} has only videos that the runs do not know ({values}): choose other data")
    if strange:
        count = len(index.sequences) - len(kept)
        left_out(
            f"{index.root}: {count} of {len(index.sequences)} videos are left out, which the runs do not know: {values}"
        )
    return replace(index, sequences=tuple(kept))


def _folder(
    root: Path, spec: DataSpec, length: int, step: int, frames: str | None, left_out: Say | None
) -> Iterator[Named]:
    index = index_folder(root, needs=("images",)).subset(frames)
    if "images" not in index.types:
        raise UserError(f"{root} has no images: put the videos' frames under images/")
    index = index if left_out is None else _known(index, spec, left_out)
    loader = FrameLoader(index, spec, None)
    for sequence in index.sequences:
        loader.memory = Memory(_ROOM)
        for part in _parts(len(sequence), length, step):
            refs = [sequence.at("images", i) for i in part]
            images = [_centre(loader.image(ref, spec.size), spec.size) for ref in refs if ref is not None]
            if len(images) == length:
                yield f"{sequence.name}@{part.start}", np.stack(images), ids(sequence.attributes, spec)


def _world(name: str, spec: DataSpec, length: int, step: int, limit: int | None, frames: str | None) -> Iterator[Named]:
    spec = replace(spec, fps=DataSpec().fps)  # a world's own; ``step`` thins it
    name, _, glyphs = name.partition(":")
    usual = make_world(name).length
    count = 1 if "digit" in spec.attributes else 2  # whoever knows the digit was trained on one
    need = (length - 1) * step + 1
    source = make_world(name, max(usual, need), count, Path(glyphs) if glyphs else None)
    chosen = range(source.length)[frame_slice(frames or ":")]
    if chosen.step != 1:
        raise UserError(f"frames of a world are a slice such as 0:{usual} without a step, not {frames}")
    for seed in range(UNSEEN, UNSEEN + (limit or COUNT)):
        for part in _parts(len(chosen), length, step):
            shifted = range(chosen.start + part.start, chosen.start + part.stop, step)
            seen = source.record(seed, shifted, spec.size, spec)
            yield f"{name}-{seed}@{shifted.start}", np.stack(seen.images), ids(seen.attributes, spec)


def _centre(image: Array, size: tuple[int, int]) -> Array:
    return Geometry.of((image.shape[0], image.shape[1]), size, (0.5, 0.5), False).image(image)
