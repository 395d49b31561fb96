"""Built-in worlds as data sets: a sequence is a seed, and flow is exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from videosynth.data.dataset import assemble, stacked
from videosynth.data.draws import Draw
from videosynth.data.transforms import Array
from videosynth.data.worlds import street
from videosynth.flow import FlowTeacher
from videosynth.types import Clip, DataSpec, UserError

LENGTH = 600  # frames of a drive that clips are drawn from: 40 s
WORLDS = ("street",)


def world_spec(name: str, size: tuple[int, int], fps: float = 15.0, nearness: bool = False) -> DataSpec:
    """The spec of a world's videos; an unknown world is a :class:`UserError`."""
    if name not in WORLDS:
        raise UserError(f"there is no world {name!r}; choose from: {', '.join(WORLDS)}")
    return street.spec(size, fps, nearness)


class WorldDataset(Dataset[Clip]):
    """Clips of a world with the interface of :class:`~videosynth.data.dataset.ClipDataset`.

    ``draw.sequence`` counts in ``seeds``, ``draw.start`` in the frames ``first .. first + length`` of that drive.
    ``flow``: ``exact`` with visibility for confidence, a teacher that looks at the frames, or None.
    """

    def __init__(
        self,
        spec: DataSpec,
        seeds: Sequence[int],
        flow: FlowTeacher | str | None = "exact",
        first: int = 0,
        length: int = LENGTH,
    ) -> None:
        self.spec = spec
        self.seeds = seeds
        self.flow = flow
        self.first = first
        self.lengths = (length,) * len(seeds)

    def __getitem__(self, draw: Draw) -> Clip:
        seed, start = self.seeds[draw.sequence], self.first + draw.start
        world = street.StreetWorld(seed, draw.scaled, self.spec.fps)
        frames = list(world.frames(start, draw.length, draw.stride))
        images = [f.image for f in frames]
        pairs: list[tuple[Array, Array]] | None = None
        if self.flow == "exact":
            pairs = [(f.flow, f.visible[None].astype(np.float32)) for f in frames[1:]]
        elif self.flow is not None and not isinstance(self.flow, str):
            pairs = [self.flow(now, before) for before, now in pairwise(images)]
        maps = {kind.name: [getattr(f, kind.name) for f in frames] for kind in self.spec.maps}
        return assemble(f"{seed}/{start}", draw, self.spec, images, maps, pairs)


def iterate_world(spec: DataSpec, seed: int, count: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
    """Stream a drive frame by frame, as :func:`~videosynth.data.dataset.iterate` streams a folder."""
    for frame in street.StreetWorld(seed, spec.size, spec.fps).frames(start, count):
        maps = {kind.name: stacked([getattr(frame, kind.name)])[0] for kind in spec.maps}  # 1 H W
        maps |= {kind.name: maps[kind.name][None] for kind in spec.maps if kind.kind == "dense"}  # 1 1 H W
        yield {**maps, "images": stacked([frame.image.transpose(2, 0, 1)])[0]}  # 1 3 H W
