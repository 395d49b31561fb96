"""Did the model learn to make videos, or learn some by heart? Each video's nearest neighbour among the training's."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth.metrics.extractors import Extractor
from videosynth.metrics.pixels import Videos
from videosynth.metrics.suite import features_of

Embed = Callable[[Videos], Tensor]  # videos uint8 T H W 3 of one shape -> N F float32

BLOCK = 64  # videos of the pool at a time: bounds the memory
SIDE = 16  # pixels of the small pictures in which videos are compared


def thumbnails(videos: Videos, side: int = SIDE) -> Tensor:
    """Videos of one shape -> float32 ``N T 3 side side`` on [0, 1]; each pixel is the mean of those it covers."""
    stack = torch.from_numpy(np.stack([np.ascontiguousarray(v) for v in videos]))
    flat = stack.flatten(0, 1).permute(0, 3, 1, 2).float() / 255
    return F.adaptive_avg_pool2d(flat, side).unflatten(0, stack.shape[:2])


def pixels(videos: Videos) -> Tensor:
    """A video as its pixels at 16x16, scaled so that L2 distances are root mean squares over values on [0, 1]."""
    flat = thumbnails(videos).flatten(1)
    return flat / flat.shape[1] ** 0.5


def features(extractor: Extractor) -> Embed:
    """A video as its mean feature over frames (2-D extractor) or windows (3-D)."""

    def embed(videos: Videos) -> Tensor:
        return torch.from_numpy(np.stack([features_of(v, extractor).mean(axis=0) for v in videos]))

    return embed


@dataclass
class Nearest:
    """Per query: the distance to its nearest neighbour (infinite without one), its place in the pool, and itself."""

    distances: np.ndarray  # N
    indices: np.ndarray  # N, -1: none
    videos: dict[int, np.ndarray] = field(default_factory=dict)  # by place in the pool, for those that are nearest

    def __getitem__(self, part: slice) -> Nearest:
        return Nearest(self.distances[part], self.indices[part], self.videos)


def nearest(
    queries: Videos,
    pool: Iterable[tuple[Hashable, np.ndarray]],
    embed: Embed = pixels,
    groups: Sequence[Hashable] | None = None,
) -> Nearest:
    """The nearest video of ``pool`` (pairs of a group and a video, read once, in blocks) to each query, L2 between
    embeddings.

    ``groups`` are those of the queries: a query does not meet videos of its own group (itself, its mirror image, other
    parts of its recording). ``None`` is no group and meets all.

    Raises:
        ValueError: there are no queries, or the videos are not of one shape.
    """
    if not len(queries):
        raise ValueError("there are no videos to look for")
    points = torch.cat([embed(block) for block in _blocks(queries)])
    best = torch.full((len(points),), float("inf"))
    index = torch.full((len(points),), -1, dtype=torch.long)
    kept: dict[int, np.ndarray] = {}
    seen = 0
    for block in _blocks(pool):
        places = embed([video for _, video in block])
        distances = torch.cdist(points, places, compute_mode="use_mm_for_euclid_dist")
        if groups is not None:
            same = [[own is not None and own == group for group, _ in block] for own in groups]
            distances = distances.masked_fill(torch.tensor(same), float("inf"))
        found, where = distances.min(dim=1)
        # The fast search cancels digits: the distance itself is taken again, so that a copy is at exactly 0.
        found = torch.where(found.isfinite(), (points - places[where]).norm(dim=1), found)
        closer = found < best
        best = torch.where(closer, found, best)
        index = torch.where(closer, where + seen, index)
        kept |= {seen + i: video for i, (_, video) in enumerate(block)}
        kept = {i: kept[i] for i in set(index.tolist()) if i >= 0}
        seen += len(block)
    return Nearest(best.double().numpy(), index.numpy(), kept)


def nearest_ratio(fake: Nearest, real: Nearest) -> float:
    """Median distance of generated videos to their nearest training videos, over that of real ones not trained on.

    Well below 1: the model repeats what it saw. Above 1 it strays further from the training data than real videos do.
    NaN where there is nothing to compare with.
    """
    a, b = (n.distances[np.isfinite(n.distances)] for n in (fake, real))
    if not len(a) or not len(b):
        return float("nan")
    floor = float(np.median(b))
    return float(np.median(a)) / floor if floor > 0 else float("nan")


def _blocks(items: Iterable[Any]) -> Iterator[list[Any]]:
    block: list[Any] = []
    for item in items:
        block.append(item)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block
