"""`videosynth demo`: the main job with the weights in the box, without a download or a GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from videosynth.apps.evaluate import Truth, evaluate, from_model
from videosynth.apps.maps import DRIVE
from videosynth.data.world import iterate_world
from videosynth.models.base import load
from videosynth.models.box import box
from videosynth.types import UserError
from videosynth.video.sheets import side_by_side
from videosynth.video.write import write_video


def demo(out: Path, frames: int, seed: int | None) -> None:
    """Write ``video.mp4`` (maps, generated, truth) and a report into ``out``.

    Raises:
        UserError: too few frames; ``out`` holds something else.
    """
    if frames < 2:
        raise UserError(f"--frames must be 2 or more, not {frames}")
    model = load(box("street_world"))
    print(f"drawing {frames} frames of a street that the model never saw, and its label maps", file=sys.stderr)
    truth = Truth.collect("drive", iterate_world(model.spec, DRIVE if seed is None else seed, frames))
    kept: list[np.ndarray] = []

    def painted(sequence: Truth) -> Iterable[np.ndarray]:
        for frame in from_model(model)(sequence):
            kept.append(frame)
            yield frame

    settings = {"model": "street_world (in the box)", "drive": DRIVE if seed is None else seed, "frames": frames}
    report = evaluate(
        {"videosynth": painted},
        [truth],
        model.spec,
        out,
        settings=settings,
        say=lambda line: print(line, file=sys.stderr),
    )
    titles = ("label maps", "generated", "truth")
    rows = (
        side_by_side([picture if (picture := truth.picture(t, model.spec)) is not None else real, fake, real], titles)
        for t, (fake, real) in enumerate(zip(kept, truth.frames, strict=True))
    )
    write_video(out / "video.mp4", rows, model.spec.fps)
    speed = next(r for r in report["rows"] if r["name"] == "videosynth")["sequences"]["drive"]["frames_per_second"]
    print(f"{len(kept)} frames from label maps alone, {speed:.1f} frames/s")
    print(f"wrote {out}/video.mp4 (label maps | generated | truth) and {out}/report.html: open them")
    print("next: videosynth check DIR, then videosynth train --config vid2vid/street_small --data.root DIR --out RUN")
