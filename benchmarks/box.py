"""Put a run's weights into the package: ``python benchmarks/box.py RUN NAME``.

Writes ``videosynth/box/NAME`` (fp16) and the first frames it paints of a drive, ``tests/box/NAME.png``, which a test
compares with what the loaded weights paint.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from videosynth.apps.evaluate import Truth, from_model
from videosynth.apps.maps import DRIVE
from videosynth.data.world import iterate_world
from videosynth.models.base import load
from videosynth.video.write import write_image

ROOT = Path(__file__).parents[1]


def main() -> None:
    run, name = sys.argv[1:3]
    folder = ROOT / "videosynth" / "box" / name
    load(run).save(folder, dtype=torch.float16)
    model = load(folder)
    truth = Truth.collect("drive", iterate_world(model.spec, DRIVE, 3))
    write_image(ROOT / "tests" / "box" / f"{name}.png", np.concatenate(list(from_model(model)(truth))))
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"wrote {folder}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
