"""Built-in worlds as data sets: a sequence is a seed. What a world makes is a pure function of the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from videosynth.data.attributes import ids
from videosynth.data.dataset import assemble, per_frame, stacked
from videosynth.data.draws import Draw
from videosynth.data.transforms import Array
from videosynth.data.worlds import digits, shapes, street
from videosynth.flow import FlowTeacher
from videosynth.types import Clip, DataSpec, UserError

UNSEEN = 1_000_003  # trainings draw from seeds 0, 1, 2, ...: from here on none is among them


@dataclass
class Recording:
    """Some frames of a world: images ``H W 3`` uint8, maps ``H W`` by name, flow with confidence of all frames but the
    first (None where the world knows none), and what is known of the whole video.
    """

    images: list[Array]
    maps: dict[str, list[Array]] = field(default_factory=dict)
    pairs: list[tuple[Array, Array]] | None = None
    attributes: dict[str, str] = field(default_factory=dict)


class World(Protocol):
    """``length``: frames of a seed's video that clips are drawn from. ``maps``: there are maps and exact flow."""

    @property
    def length(self) -> int: ...
    @property
    def maps(self) -> bool: ...
    def spec(self, size: tuple[int, int], fps: float, nearness: bool = False) -> DataSpec: ...
    def record(self, seed: int, frames: range, size: tuple[int, int], spec: DataSpec) -> Recording: ...


@dataclass(frozen=True)
class Street:
    """Drives through a street, see :mod:`videosynth.data.worlds.street`."""

    length: int = 600  # 40 s
    maps: bool = True

    def spec(self, size: tuple[int, int], fps: float, nearness: bool = False) -> DataSpec:
        return street.spec(size, fps, nearness)

    def record(self, seed: int, frames: range, size: tuple[int, int], spec: DataSpec) -> Recording:
        seen = list(street.StreetWorld(seed, size, spec.fps).frames(frames.start, len(frames), frames.step))
        maps = {kind.name: [getattr(f, kind.name) for f in seen] for kind in spec.maps}
        pairs = [(f.flow, f.visible[None].astype(np.float32)) for f in seen[1:]]
        return Recording([f.image for f in seen], maps, pairs)


@dataclass(frozen=True)
class Shapes:
    """A shape on its way, which takes ``length`` frames, see :mod:`videosynth.data.worlds.shapes`."""

    length: int = shapes.LENGTH
    maps: bool = False

    def spec(self, size: tuple[int, int], fps: float, nearness: bool = False) -> DataSpec:
        known = {"action": shapes.ACTIONS, "shape": shapes.SHAPES, "size": tuple(str(s) for s in shapes.SIZES)}
        return DataSpec((), size, fps, attributes=known)

    def record(self, seed: int, frames: range, size: tuple[int, int], spec: DataSpec) -> Recording:
        images = shapes.render(seed, size, frames, self.length)
        return Recording(images, attributes=shapes.shape_of(seed).attributes)


@dataclass(frozen=True)
class Digits:
    """Digits that bounce, see :mod:`videosynth.data.worlds.digits`. ``glyphs``: a file of them."""

    length: int = digits.LENGTH
    count: int = 2
    glyphs: Path | None = None
    maps: bool = False

    def _read(self) -> digits.Glyphs | None:
        return None if self.glyphs is None else digits.read_glyphs(self.glyphs)

    def spec(self, size: tuple[int, int], fps: float, nearness: bool = False) -> DataSpec:
        read = self._read()
        known = self.count == 1 and (read is None or read.labels is not None)
        return DataSpec((), size, fps, attributes={"digit": digits.NAMES} if known else {})

    def record(self, seed: int, frames: range, size: tuple[int, int], spec: DataSpec) -> Recording:
        images, attributes = digits.render(seed, size, frames, self.count, self._read())
        return Recording(images, attributes=attributes)


WORLDS = ("street", "shapes", "digits")


def make_world(name: str, length: int | None = None, count: int = 2, glyphs: Path | None = None) -> World:
    """A world by its name. ``length``: frames of its videos; ``count`` and ``glyphs`` are for digits.

    Raises:
        UserError: there is no such world.
    """
    if name == "street":
        return Street(length or Street.length)
    if name == "shapes":
        return Shapes(length or Shapes.length)
    if name == "digits":
        return Digits(length or Digits.length, count, glyphs)
    raise UserError(f"there is no world {name!r}; choose from: {', '.join(WORLDS)}")


def world_spec(name: str, size: tuple[int, int], fps: float = 15.0, nearness: bool = False) -> DataSpec:
    """The spec of a world's videos; an unknown world is a :class:`UserError`."""
    return make_world(name).spec(size, fps, nearness)


class WorldDataset(Dataset[Clip]):
    """Clips of a world with the interface of :class:`~videosynth.data.dataset.ClipDataset`.

    ``draw.sequence`` counts in ``seeds``, ``draw.start`` in the frames ``first .. first + length`` of that seed's video.
    ``flow``: ``exact`` with visibility for confidence, a teacher that looks at the frames, or None.
    """

    def __init__(
        self,
        spec: DataSpec,
        seeds: Sequence[int],
        flow: FlowTeacher | str | None = "exact",
        first: int = 0,
        length: int | None = None,
        source: World | None = None,
    ) -> None:
        self.spec = spec
        self.seeds = seeds
        self.flow = flow
        self.first = first
        self.source: World = source or Street()
        self.lengths = (self.source.length if length is None else length,) * len(seeds)

    def __getitem__(self, draw: Draw) -> Clip:
        seed, start = self.seeds[draw.sequence], self.first + draw.start
        frames = range(start, start + draw.stride * draw.length, draw.stride)
        seen = self.source.record(seed, frames, draw.scaled, self.spec)
        pairs: list[tuple[Array, Array]] | None = None
        if self.flow == "exact":
            pairs = seen.pairs
        elif self.flow is not None and not isinstance(self.flow, str):
            pairs = [self.flow(now, before) for before, now in pairwise(seen.images)]
        clip = assemble(f"{seed}/{start}", draw, self.spec, seen.images, seen.maps, pairs)
        clip.attributes = per_frame(ids(seen.attributes, self.spec), draw.length)
        return clip


def iterate_world(
    spec: DataSpec, seed: int, count: int, start: int = 0, source: World | None = None
) -> Iterator[dict[str, Tensor]]:
    """Stream a video of a world (default: a drive through the street) frame by frame, as
    :func:`~videosynth.data.dataset.iterate` streams a folder.
    """
    if source is not None and not source.maps:
        for image in source.record(seed, range(start, start + count), spec.size, spec).images:
            yield {"images": stacked([image.transpose(2, 0, 1)])[0]}
        return
    for frame in street.StreetWorld(seed, spec.size, spec.fps).frames(start, count):
        maps = {kind.name: stacked([getattr(frame, kind.name)])[0] for kind in spec.maps}  # 1 H W
        maps |= {kind.name: maps[kind.name][None] for kind in spec.maps if kind.kind == "dense"}  # 1 1 H W
        yield {**maps, "images": stacked([frame.image.transpose(2, 0, 1)])[0]}  # 1 3 H W
