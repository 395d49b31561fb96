"""Editing by labels: other classes for some regions, and real pixels kept everywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth.data.index import frame_slice
from videosynth.types import DataSpec, UserError
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
        before, after = kind.class_id(old, "--relabel"), kind.class_id(new, "--relabel")
        if changes.get(before, after) != after:
            raise UserError(f"--relabel {word}: {old} is already painted as another class: name it once")
        changes[before] = after
    return changes


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

    Inside the region the generated frame comes in over ``feather`` pixels from its edge: its share is d / (feather + 1) at a
    distance of d pixels from the real ones, so that thin regions show something of it too.
    """
    outside = torch.from_numpy(~changed).float()[None, None]
    share = torch.zeros_like(outside)
    for _ in range(feather + 1):
        share += 1 - outside
        outside = F.max_pool2d(outside, 3, stride=1, padding=1)
    share = (share / (feather + 1))[0, 0, :, :, None].numpy()
    mixed = np.round(share * fake + (1 - share) * real).astype(np.uint8)
    return np.where(share > 0, mixed, real)


def kept_frames(path: Path, size: tuple[int, int], part: str | None, count: int) -> Iterator[np.ndarray]:
    """The real frames ``part`` (such as 64:80) of a video or a folder of pictures, at least ``count``; they must have the
    output's size (H, W), since they are kept bit by bit. All is checked now, not when the first frame is asked for.

    Raises:
        UserError: nothing there, too few, or another size.
    """
    if not path.exists():
        raise UserError(f"--keep {path}: no video and no folder of pictures there")
    reader = VideoReader(path)
    chosen = range(*frame_slice(part or ":").indices(len(reader)))
    if len(chosen) < count:
        of = f" in {part}" if part else ""
        raise UserError(f"--keep {path} has {len(chosen)} frames{of}, the maps have {count}: cut with --frames")
    height, width = reader[chosen[0]].shape[:2]
    if (height, width) != size:
        raise UserError(
            f"--keep {path} is {width}x{height}, the video will be {size[1]}x{size[0]}: pass --size {width}x{height}, "
            "or scale it first"
        )
    return (reader[i] for i in chosen)
