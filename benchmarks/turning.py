"""Error inside cars that turn, with depth and without: ``python benchmarks/turning.py RUN [RUN ...] --out turning.json``.

On drives of the street world that no training draws from: wherever a car turns within 40 seconds, the frames from one
second before. A car counts where its heading lies between 10 and 80 degrees off the road's, and where it has at least 40
pixels. Nothing in the maps tells a car's colour, so two errors:

l1         mean absolute difference to the real pixels, on [0, 1]
structure  1 - correlation of the luminance with the real one's over the car's pixels (colour and brightness do not count)

``deviation`` is the standard deviation over the drives of the drives' own means. Every further run is compared with the
first, drive by drive: the mean difference and its standard error.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from videosynth.apps.maps import DRIVE
from videosynth.apps.precision import prepare
from videosynth.data.world import iterate_world
from videosynth.data.worlds.street import StreetWorld
from videosynth.engine.samples import picture
from videosynth.files import write_json
from videosynth.models.base import load
from videosynth.types import Request

DRIVES, FRAMES, PIXELS = 12, 600, 40
BEFORE = 15  # frames painted before a car begins to turn
GREY = np.array([0.299, 0.587, 0.114])


def turning(heading: float) -> bool:
    off = math.degrees(abs(math.remainder(heading, math.pi)))  # from the road's direction, either way
    return 10 <= off <= 80


def windows(world: StreetWorld) -> list[range]:
    """The frames of a drive in which cars turn, with those before."""
    found: list[range] = []
    for t in range(FRAMES):
        if any(turning(h) for h in world.headings(t).values()):
            if found and t < found[-1].stop + BEFORE:
                found[-1] = range(found[-1].start, t + 1)
            else:
                found.append(range(max(t - BEFORE, 0), t + 1))
    return found


def errors(run: str) -> dict[int, np.ndarray]:
    """``(cars in frames, 2)`` of every drive in which a car turns."""
    model = prepare(load(run), "fp32")
    found: dict[int, list[tuple[float, float]]] = {}
    for drive in range(DRIVE, DRIVE + DRIVES):
        world = StreetWorld(drive, model.spec.size, model.spec.fps)
        for window in windows(world):
            maps = iterate_world(model.spec, drive, len(window), window.start)
            frames = model.generate(Request(seeds=(0,), maps=maps))
            for t, frame, truth in zip(window, frames, world.frames(window.start, len(window)), strict=True):
                fake, real = picture(frame.image[0]) / 255, truth.image / 255
                for car, heading in world.headings(t).items():
                    here = truth.instances == car
                    if turning(heading) and here.sum() >= PIXELS:
                        l1 = float(np.abs(fake[here] - real[here]).mean())
                        together = np.corrcoef(fake[here] @ GREY, real[here] @ GREY)[0, 1]
                        found.setdefault(drive, []).append((l1, 1 - float(np.nan_to_num(together))))
    return {drive: np.array(values) for drive, values in found.items()}


def summary(found: dict[int, np.ndarray], first: dict[int, np.ndarray]) -> dict[str, Any]:
    every, drives = np.concatenate(list(found.values())), np.stack([v.mean(0) for v in found.values()])
    apart = drives - np.stack([v.mean(0) for v in first.values()])
    out: dict[str, Any] = {"cars": len(every), "drives": len(drives)}
    for k, name in enumerate(("l1", "structure")):
        error = float(apart[:, k].std(ddof=1) / math.sqrt(len(apart)))
        out[name] = {"mean": float(every[:, k].mean()), "deviation": float(drives[:, k].std())}
        out[name] |= {"less first": float(apart[:, k].mean()), "standard error": error}
    return out


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("runs", nargs="+")
    p.add_argument("--out", type=Path, required=True)
    o = p.parse_args()
    found = {Path(run).name: errors(run) for run in o.runs}
    first = found[Path(o.runs[0]).name]
    report = {name: summary(values, first) for name, values in found.items()}
    write_json(o.out, report)
    for name, values in report.items():
        print(name, values)


if __name__ == "__main__":
    main()
