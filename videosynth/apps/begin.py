"""How a video begins: by itself, from zeros, from a picture, or from another run's first frame."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from videosynth import ops
from videosynth.apps.edit import relabelled
from videosynth.apps.maps import first_frame, in_size, open_maps
from videosynth.data.index import frame_slice
from videosynth.data.strips import cut, is_picture, is_strip, strip_length
from videosynth.models.base import load
from videosynth.types import Clip, DataSpec, Request, UserError
from videosynth.video.images import IMAGE_SUFFIXES, read_image
from videosynth.video.read import VideoReader


class Beginning(NamedTuple):
    """What a request is told of the frames before the first."""

    start: Literal["own", "zeros"] = "own"
    context: Clip | None = None


def beginnings(
    chosen: str | None,
    spec: DataSpec,
    maps: str,
    frames: str | None,
    count: int,
    seed: int = 0,
    trust: Iterable[str] = (),
    device: torch.device | None = None,
    changes: dict[int, int] | None = None,
    chosen_looks: Callable[[DataSpec], dict[str, Any]] = lambda _: {},
) -> list[Beginning]:
    """One beginning per sequence of ``maps``: ``chosen`` is own (or None), zeros, the path of a picture, or a run, which
    paints the maps with the ``changes`` of class ids that the video will have, and in its looks where it has some.

    Raises:
        UserError: no such picture or run; a run that needs more than maps.
    """
    if chosen in (None, "own"):
        return [Beginning()] * count
    if chosen == "zeros":
        return [Beginning("zeros")] * count
    assert chosen is not None
    if Path(chosen).suffix.lower() in IMAGE_SUFFIXES or Path(chosen).is_file():
        return [Beginning("own", first_frame(chosen, spec))] * count
    painter = load(chosen, trust)
    if painter.needs - {"maps"}:
        needed = ", ".join(sorted(painter.needs))
        raise UserError(f"{chosen} cannot paint a first frame: it needs {needed}; choose a model that needs maps only")
    painter = painter.to(device or torch.device("cpu"))
    look = chosen_looks(replace(painter.spec, size=spec.size)) if "latents" in painter.takes else {}
    found = []
    for driving in open_maps(maps, replace(painter.spec, size=spec.size), frames):
        stream = relabelled(driving.frames, painter.spec, changes) if changes else driving.frames
        first = next(painter.generate(Request(seeds=(seed,), maps=stream, **look)))
        found.append(Beginning("own", Clip(frames=ops.to_uint8(first.image).unsqueeze(1).cpu())))
    return found


def given_frames(path: str, spec: DataSpec, part: str | None = None) -> Clip:
    """Frames of a video, a strip or a folder of pictures as the context of one video, brought to the spec's size: the last
    one, or ``part`` of them, such as 0:5.

    Raises:
        UserError: nothing that can be read, or no such frames.
    """
    if not Path(path).exists():
        raise UserError(f"--context {path}: no video and no folder of pictures there")
    with _frames(Path(path)) as reader:
        chosen = range(*frame_slice(part or "-1:").indices(len(reader)))
        if not chosen:
            raise UserError(f"--slice {part or '-1:'} leaves none of the {len(reader)} frames of {path}: choose others")
        frames = np.stack([in_size(reader[i], spec) for i in chosen])
    return Clip(frames=torch.from_numpy(frames).permute(0, 3, 1, 2)[None])


@contextlib.contextmanager
def _frames(path: Path) -> Iterator[VideoReader | np.ndarray]:
    """Something to index frames of, and to ask how many there are."""
    if path.is_file() and is_picture(path):
        image = read_image(path)
        if is_strip((image.shape[0], image.shape[1])):
            strip_length(path)  # a damaged one is refused, with its remedy
            yield cut(image)
        else:
            yield image[None]
    else:
        with VideoReader(path) as reader:
            yield reader
