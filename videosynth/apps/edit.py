"""Editing by labels: other classes for some regions, and real pixels kept everywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth.types import DataSpec, MapSpec, UserError
from videosynth.video.read import VideoReader

CHANGED = "changed"  # where a frame was relabelled: (1, H, W) bool beside its maps


def read_changes(words: Iterable[str], spec: DataSpec) -> dict[int, int]:
    """``Tree=Building`` (names or ids) to ids.

    Raises:
        UserError: no label maps, an unknown class, or something else than OLD=NEW.
    """
    kind = spec.map("classes")
    changes: dict[int, int] = {}
    for word in words:
        if kind is None:
            raise UserError("this model is not driven by label maps: there is nothing to relabel")
        old, equals, new = word.partition("=")
        if not equals:
            raise UserError(f"--relabel {word}: write OLD=NEW, such as Tree=Building")
        changes[class_id(kind, old)] = class_id(kind, new)
    return changes


def class_id(kind: MapSpec, name: str) -> int:
    lower = [n.lower() for n in kind.names]
    if name.lower() in lower:
        return lower.index(name.lower())
    if name.isdecimal() and int(name) < kind.channels:
        return int(name)
    known = ", ".join(kind.names) if kind.names else f"the ids 0 to {kind.channels - 1}"
    raise UserError(f"--relabel: there is no class {name!r}; this model knows {known}")


def relabelled(
    frames: Iterable[dict[str, Tensor]], spec: DataSpec, changes: dict[int, int]
) -> Iterator[dict[str, Tensor]]:
    """Frames with other class ids, and ``changed`` beside the maps."""
    kind = spec.map("classes")
    assert kind is not None
    for frame in frames:
        ids = frame[kind.name]
        new, changed = ids.clone(), torch.zeros(ids.shape, dtype=torch.bool)
        for before, after in changes.items():
            here = ids == before
            new[here] = after
            changed |= here
        yield {**frame, kind.name: new, CHANGED: changed}


def blend(fake: np.ndarray, real: np.ndarray, changed: np.ndarray, feather: int) -> np.ndarray:
    """The generated frame in the changed region, the real one elsewhere, bit by bit; all uint8 ``H W 3``, changed ``H W``.

    Inside the region the generated frame comes in over ``feather`` pixels from its edge.
    """
    inside = torch.from_numpy(changed).float()[None, None]
    if feather:
        # The mean over a window is 1 deep inside and about a half at a straight edge.
        around = F.pad(inside, (feather,) * 4, mode="replicate")
        mean = F.avg_pool2d(around, 2 * feather + 1, stride=1)
        inside = inside * (2 * mean - 1).clamp(0, 1)
    share = inside[0, 0, :, :, None].numpy()
    mixed = np.round(share * fake + (1 - share) * real).astype(np.uint8)
    return np.where(share > 0, mixed, real)


def kept_frames(path: Path, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Real frames of a video or a folder of pictures; they must have the output's size, since they are kept bit by bit.

    Raises:
        UserError: nothing there, or another size.
    """
    if not path.exists():
        raise UserError(f"--keep {path}: no video and no folder of pictures there")
    for frame in VideoReader(path):
        if frame.shape[:2] != size:
            raise UserError(
                f"--keep {path} is {frame.shape[1]}x{frame.shape[0]}, the video will be {size[1]}x{size[0]}: "
                f"pass --size {frame.shape[1]}x{frame.shape[0]}, or scale it first"
            )
        yield frame
