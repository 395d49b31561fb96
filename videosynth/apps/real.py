"""Real clips as the yardstick of videos from noise: a fair sample, two halves that share no recording, and a judge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from videosynth.data.attributes import vocabularies
from videosynth.data.collections import WORLD
from videosynth.data.layouts import index_folder
from videosynth.data.world import make_world
from videosynth.metrics.judge import Judge, split_by_group, train_judge
from videosynth.types import UserError

Item = tuple[str, np.ndarray, dict[str, int]]  # name, uint8 T H W 3, ids of attributes (-1: unknown)
Stream = Callable[[], Iterable[Item]]  # reads the clips anew at each call

SHARE = 0.25  # of the groups that a judge is tested on
TRIES = 100


@dataclass(frozen=True)
class Real:
    """A real clip in memory; clips of one ``group`` (a person, a recording) never stand on two sides of a comparison."""

    name: str
    frames: np.ndarray  # uint8 T H W 3
    ids: dict[str, int]
    group: Hashable

    @property
    def recording(self) -> str:
        return recording_of(self.name)


def attributes_of(root: str, size: tuple[int, int]) -> dict[str, tuple[str, ...]]:
    """What the data says of its videos, and the values that occur."""
    if root.startswith(WORLD):
        return make_world(root.removeprefix(WORLD)).spec(size, 10.0).attributes
    index = index_folder(Path(root), needs=("images",))
    return vocabularies([s.attributes for s in index.sequences])


def recording_of(name: str) -> str:
    """The video that a clip ``name@first_frame`` is a part of."""
    return re.sub(r"@\d+$", "", name)


def group_of(item: Item, attribute: str | None) -> Hashable:
    """The value of an attribute where it is known, otherwise the clip's recording."""
    name, _, ids = item
    if attribute is not None and ids.get(attribute, -1) >= 0:
        return ids[attribute]
    return recording_of(name)


def checked(stream: Iterable[Item], length: int, size: tuple[int, int]) -> Iterator[Item]:
    """Pass clips on.

    Raises:
        UserError: a clip has another length or size than the generated ones.
    """
    for item in stream:
        if item[1].shape != (length, *size, 3):
            frames, height, width = item[1].shape[:3]
            raise UserError(
                f"real clip {item[0]} is {frames} frames of {width}x{height}, the generated ones are {length} of "
                f"{size[1]}x{size[0]}: evaluate on clips of that form"
            )
        yield item


def sample(stream: Iterable[Item], most: int, seed: int, group: str | None = None) -> list[Real]:
    """At most ``most`` clips, each with the same chance wherever it stands, in mixed order; memory for ``most``."""
    rng = np.random.default_rng(seed)
    kept: list[Real] = []
    for seen, item in enumerate(stream):
        place = seen if seen < most else int(rng.integers(seen + 1))
        if place < most:
            real = Real(*item, group_of(item, group))
            kept[place : place + 1] = [real]
    return [kept[i] for i in rng.permutation(len(kept))]


def halves(clips: Sequence[Real]) -> tuple[list[Real], list[Real]]:
    """Whole groups dealt out, each to the smaller side; the second side is empty where all are of one group.

    Both sides keep the order of ``clips``, so that the first clips of a side are a fair sample of it.
    """
    sizes = Counter(clip.group for clip in clips)
    second: set[Hashable] = set()
    counts = [0, 0]
    for group, size in sizes.most_common():  # the large ones first, so that the sides end even
        if counts[1] < counts[0]:
            second.add(group)
        counts[counts[1] < counts[0]] += size
    return [c for c in clips if c.group not in second], [c for c in clips if c.group in second]


def educated(
    attribute: str, values: Sequence[str], clips: Sequence[Real], training: Sequence[Real] | None, seed: int
) -> tuple[Judge, list[Real]]:
    """A judge of an attribute, and the real clips that it was tested on.

    It learns from ``training`` and is tested on ``clips``; without ``training`` a quarter of the groups of ``clips`` is
    held out, so that every value occurs on both sides.

    Raises:
        UserError: a value has no real clips, or all of them are of one group.
    """
    known = [c for c in clips if c.ids.get(attribute, -1) >= 0]
    if not known:
        raise UserError(
            f"no real clip has a value of {attribute!r} that the runs know ({', '.join(values)}): choose another --attribute, "
            "or pass --judge FILE"
        )
    if training is None:
        learn, test = _split(attribute, values, known, seed)
    else:
        learn, test = [c for c in training if c.ids.get(attribute, -1) >= 0], known
    judge = train_judge(
        [c.frames for c in learn], [c.ids[attribute] for c in learn], values, attribute=attribute, seed=seed
    )
    right = judge.accuracy([c.frames for c in test], [c.ids[attribute] for c in test])
    judge.education = replace(judge.education, accuracy=right, held_out=len(test))
    return judge, test


def _split(attribute: str, values: Sequence[str], clips: Sequence[Real], seed: int) -> tuple[list[Real], list[Real]]:
    for k, value in enumerate(values):
        if len({c.group for c in clips if c.ids[attribute] == k}) < 2:
            raise UserError(
                f"a judge of {attribute} needs real clips of {value!r} from two recordings or more, to learn and to be tested: "
                "add some, or pass --judge FILE"
            )
    groups = [c.group for c in clips]
    having = {name: {c.ids[attribute] for c in clips if c.group == name} for name in sorted(set(groups), key=str)}
    rng = np.random.default_rng(seed)
    for _ in range(TRIES):
        held = _held_out(having, rng)
        if set().union(*(having[name] for name in held)) == set(range(len(values))):
            learn, test = ([clips[i] for i in side] for side in split_by_group(groups, held))
            return learn, test
    raise UserError(
        f"the recordings cannot be split so that every {attribute} is learnt and tested: add clips, or pass --judge FILE"
    )


def _held_out(having: dict[Hashable, set[int]], rng: np.random.Generator) -> list[Hashable]:
    """Groups in random order that leave every value a group to learn from: first those whose values no other one held out has,
    then any, up to a share of all. ``having``: the values of each group.
    """
    names = list(having)
    order = [names[i] for i in rng.permutation(len(names))]
    left = Counter(value for values in having.values() for value in values)
    held: list[Hashable] = []
    tested: set[int] = set()
    for only_new in (True, False):
        for name in order:
            enough = not only_new and len(held) >= SHARE * len(order)
            if name in held or enough or (only_new and having[name] <= tested):
                continue
            if all(left[value] > 1 for value in having[name]):
                held.append(name)
                tested |= having[name]
                left.subtract(having[name])
    return held
