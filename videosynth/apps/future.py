"""Future prediction (vid2vid, section 4.3): label maps are continued, then painted. The real frames so far are the context."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from videosynth.apps.maps import open_maps, target_files
from videosynth.engine.samples import picture
from videosynth.models.base import VideoModel, load
from videosynth.types import Clip, DataSpec, Request, UserError
from videosynth.video.colours import colour_labels
from videosynth.video.write import VideoWriter

CONTEXT = 16  # frames that are kept of the past; models look at fewer


class Past(NamedTuple):
    """A sequence so far."""

    name: str
    fps: float | None
    clip: Clip


def pasts(folder: str, spec: DataSpec, part: str | None, real: bool) -> list[Past]:
    """The last frames of every sequence of a data set (or a world), with their maps.

    Raises:
        UserError: no such data; with ``real``, no images.
    """
    found = []
    for driving in open_maps(folder, spec, part, real=real):
        last = deque(driving.frames, CONTEXT)
        if real and any("images" not in frame for frame in last):
            raise UserError(f"{folder}: sequence {driving.name} has no images: the past is real frames and their maps")
        maps = {m.name: torch.stack([frame[m.name] for frame in last], dim=1) for m in spec.maps}
        frames = torch.stack([frame["images"] for frame in last], dim=1) if real else None
        found.append(Past(driving.name, driving.fps, Clip(frames=frames, maps=maps)))
    return found


def predict(
    model: VideoModel,
    run: str,
    context: str,
    predictor: str | None,
    count: int | None,
    out: Path,
    part: str | None = None,
    fps: float | None = None,
    seed: int = 0,
    trust: tuple[str, ...] = (),
) -> list[Path]:
    """Write what comes next, one video per sequence: label maps if ``model`` predicts those, else pictures.

    Raises:
        UserError: something that is needed is missing, before any file is written.
    """
    if count is None:
        raise UserError("--context needs --frames N: how many frames are to be predicted")
    painter = None if model.produces == "classes" else model
    if painter is not None and predictor is None:
        raise UserError(f"{run} paints pictures: pass --predictor RUN too, a run that continues the label maps")
    if painter is None and predictor is not None:
        raise UserError(f"{run} predicts label maps by itself: leave --predictor out")
    foreteller = model if painter is None else load(str(predictor), trust).to(model.device)
    if foreteller.produces != "classes":
        raise UserError(
            f"--predictor {predictor} does not predict label maps: train a model that does (see videosynth models)"
        )
    labels = foreteller.spec.map("classes")
    assert labels is not None
    if painter is not None and tuple(m.name for m in painter.spec.maps) != (labels.name,):
        others = ", ".join(m.name for m in painter.spec.maps if m.name != labels.name)
        raise UserError(
            f"{run} is also driven by {others or 'nothing'}, which is not predicted: train it on labels only"
        )
    if painter is not None and painter.spec.maps[0].channels != labels.channels:
        raise UserError(
            f"{run} knows {painter.spec.maps[0].channels} classes, --predictor {labels.channels}: not one data"
        )
    spec = foreteller.spec if painter is None else painter.spec
    found = pasts(context, spec, part, real=painter is not None)
    targets = target_files(out, [p.name for p in found])
    if painter is None and len(targets) > 1:
        targets = [target.with_suffix("") for target in targets]  # folders of PNG: ids are to be read again
    for past, target in zip(found, targets, strict=True):
        with VideoWriter(target, fps if fps is not None else past.fps or spec.fps) as writer:
            maps = _continued(foreteller, past.clip, count, seed, labels.name)
            if painter is None:
                for frame in maps:
                    ids = frame[labels.name][0].cpu().numpy()
                    exact = writer.codec in ("png", "ffv1")
                    writer.write(ids if exact else colour_labels(ids, labels.colours, labels.void))
            else:
                for frame in painter.generate(Request(seeds=(seed,), maps=maps, context=past.clip)):
                    writer.write(picture(frame.image[0]))
        print(f"wrote {target}: {count} frames after the {past.clip.length} given ones")
    return targets


def _continued(model: VideoModel, past: Clip, count: int, seed: int, name: str) -> Iterator[dict[str, Tensor]]:
    for frame in model.generate(Request(seeds=(seed,), frames=count, context=past)):
        yield {name: frame.extras[name]}
