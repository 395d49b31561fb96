"""Put a run's weights into the package: ``python benchmarks/fill_box.py RUN NAME``.

Writes ``videosynth/box/NAME`` (fp16) and what it makes, ``tests/box/NAME.png``, which a test compares with what the loaded
weights make.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from videosynth.apps import noise
from videosynth.apps.evaluate import Truth, from_model
from videosynth.apps.maps import DRIVE
from videosynth.data.world import iterate_world
from videosynth.models.base import VideoModel, load
from videosynth.video.images import save_image

ROOT = Path(__file__).parents[1]
VIDEOS, STRIDE = 6, 3  # from noise: as many videos, and every third of their frames


def made_by(model: VideoModel) -> np.ndarray:
    """The first frames of a drive that the model paints, side by side; from noise, one video per row."""
    if "maps" in model.needs:
        truth = Truth.collect("drive", iterate_world(model.spec, DRIVE, 3))
        return np.concatenate(list(from_model(model)(truth)))
    values = dict(list(model.spec.attributes.items())[:1])
    videos = noise.videos(model, range(VIDEOS), model.phase_at(0).clip_length, values)
    return np.concatenate([np.concatenate(list(v[::STRIDE]), axis=1) for v in videos])


def main() -> None:
    run, name = sys.argv[1:3]
    folder = ROOT / "videosynth" / "box" / name
    load(run).save(folder, dtype=torch.float16)
    save_image(ROOT / "tests" / "box" / f"{name}.png", made_by(load(folder)))
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"wrote {folder}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
