"""What edited maps do, with and without ``data.coarsen_labels``: pictures and the sharpness of what was painted anew.

    python benchmarks/editing.py PLAIN_RUN COARSENED_RUN --relabel tree=building --out editing.png

On drives of the street world that no training draws from. Rows of the picture: real, edited maps, painted by the first
run, by the second. Printed: mean gradient of the luminance inside the edited regions (two pixels from their edges), as a
share of that inside the real regions of the new class: 1 is as sharp as the real thing; ± is the standard deviation over
the drives.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from videosynth.apps.edit import CHANGED, read_changes, relabelled
from videosynth.apps.maps import DRIVE
from videosynth.apps.precision import prepare
from videosynth.data.world import iterate_world
from videosynth.engine.samples import map_picture, picture
from videosynth.models.base import load
from videosynth.types import Request
from videosynth.video.images import write_image
from videosynth.video.sheets import grid

DRIVES, FRAMES, SHOWN = 6, 24, 20
GREY = np.array([0.299, 0.587, 0.114])


def gradient(image: np.ndarray) -> np.ndarray:
    """Length of the luminance's gradient, ``(H, W)``."""
    down, across = np.gradient(image @ GREY / 255)
    return np.hypot(down, across)


def inside(region: np.ndarray) -> np.ndarray:
    return cv2.erode(region.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("runs", nargs=2)
    p.add_argument("--relabel", required=True)
    p.add_argument("--out", type=Path, required=True)
    o = p.parse_args()
    models = [prepare(load(run), "fp32") for run in o.runs]
    spec = models[0].spec
    changes = read_changes([o.relabel], spec)
    columns: list[list[np.ndarray]] = []
    painted: list[list[np.ndarray]] = [[] for _ in models]  # per drive
    real_ones: list[float] = []
    for drive in range(DRIVE, DRIVE + DRIVES):
        edited = list(relabelled(iterate_world(spec, drive, FRAMES), spec, changes))
        made = [[picture(f.image[0]) for f in m.generate(Request(maps=iter(edited)))] for m in models]
        gradients: list[list[float]] = [[] for _ in models]
        for t, frame in enumerate(edited):
            real = frame["images"][0].permute(1, 2, 0).numpy()
            changed = frame[CHANGED][0].numpy()
            own = (frame["labels"][0].numpy() == next(iter(changes.values()))) & ~changed
            real_ones += gradient(real)[inside(own)].tolist()
            for values, frames in zip(gradients, made, strict=True):
                values += gradient(frames[t])[inside(changed)].tolist()
            if t == SHOWN:
                columns.append([real, map_picture(frame, spec), *(frames[t] for frames in made)])
        for values, one in zip(painted, gradients, strict=True):
            values.append(np.array(one))
    write_image(o.out, grid([list(row) for row in zip(*columns, strict=True)]))
    for run, values in zip(o.runs, painted, strict=True):
        share, apart = np.concatenate(values).mean() / np.mean(real_ones), [v.mean() for v in values if len(v)]
        print(f"{Path(run).name}: {share:.2f} ± {np.std(apart) / np.mean(real_ones):.2f} of the real sharpness")


if __name__ == "__main__":
    main()
