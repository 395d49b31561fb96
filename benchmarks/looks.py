"""Do objects keep their colours, and do looks differ? On drives of the street world that no training draws from.

    python benchmarks/looks.py RUN_WITH_LOOKS --plain RUN_WITHOUT --out looks.json --video looks.mp4

Measured on cars of at least 30 pixels in at least 12 frames: the mean RGB (0..1) of a car's pixels, frame by frame.

drift       root mean square distance of a car's colour from its mean over its life, over all cars
saturation  mean of (max - min) / max of the colours
spread      mean distance between two cars of the same frame
styles      mean distance between one car's colours (means over its life) in two looks of the drive, for three looks;
            ``real spread``: mean distance between two real cars' (means over their lives)

Rows: looks kept over the video and looks drawn anew for every frame, for three looks together; the run without looks; the
real video. ``deviation`` is that over the drives. The verdict: the drift of kept looks is at most 70 % of that of looks
drawn anew, at the same saturation and spread (within 10 %), and every two of the three styles differ by at least half the
real spread.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videosynth.apps.maps import DRIVE
from videosynth.apps.precision import prepare
from videosynth.data.world import iterate_world
from videosynth.engine.samples import picture
from videosynth.files import write_json
from videosynth.models.base import VideoModel, load
from videosynth.models.vid2vid import model as vid2vid
from videosynth.models.vid2vid.styles import Looks
from videosynth.types import Request
from videosynth.video.sheets import side_by_side
from videosynth.video.write import write_video

DRIVES, FRAMES, SEEDS = 12, 48, (1, 2, 3)
PIXELS, LIFE = 30, 12

Colours = dict[tuple[int, int], dict[int, np.ndarray]]  # (drive, car) -> frame -> RGB


class Redrawn(Looks):
    """Other looks in every frame: what a model does that keeps no vectors."""

    def __call__(self, maps: dict[str, torch.Tensor]) -> torch.Tensor:
        self.seeds = tuple(seed + 1000 for seed in self.seeds)
        self.cache.clear()
        return super().__call__(maps)


def frames_of(model: VideoModel, drive: int, seed: int) -> Iterator[np.ndarray]:
    latents = {"style_seeds": torch.tensor([seed])} if "latents" in model.takes else None
    for frame in model.generate(Request(seeds=(0,), maps=iterate_world(model.spec, drive, FRAMES), latents=latents)):
        yield picture(frame.image[0])


def colours(videos: dict[int, list[np.ndarray]], model: VideoModel) -> Colours:
    """Of the cars that are large and long enough to be seen."""
    labels = model.spec.map("classes")
    assert labels is not None
    car = labels.class_id("car", "the world")
    found: Colours = {}
    for drive, frames in videos.items():
        for t, (frame, maps) in enumerate(zip(frames, iterate_world(model.spec, drive, FRAMES), strict=True)):
            ids, objects = maps["labels"][0].numpy(), maps["instances"][0].numpy()
            for name in np.unique(objects[ids == car]):
                here = (objects == name) & (ids == car)
                if here.sum() >= PIXELS:
                    found.setdefault((drive, int(name)), {})[t] = frame[here].mean(0) / 255
    return {key: life for key, life in found.items() if len(life) >= LIFE}


def measured(found: Colours) -> dict[str, float]:
    lives = [np.stack(list(life.values())) for life in found.values()]
    every = np.concatenate(lives)
    away = np.concatenate([np.square(life - life.mean(0)).sum(1) for life in lives])
    saturation = (every.max(1) - every.min(1)) / np.maximum(every.max(1), 1e-6)
    distances = []
    for drive in {d for d, _ in found}:
        mine = [life for (d, _), life in found.items() if d == drive]
        for a, b in itertools.combinations(mine, 2):
            distances += [float(np.linalg.norm(a[t] - b[t])) for t in a.keys() & b.keys()]
    return {
        "drift": float(np.sqrt(away.mean())),
        "saturation": float(saturation.mean()),
        "spread": float(np.mean(distances)),
        "cars": len(lives),
    }


def together(looks: dict[int, Colours]) -> Colours:
    """All looks as so many drives more."""
    return {(seed * 10**8 + d, car): life for seed, found in looks.items() for (d, car), life in found.items()}


def with_deviation(found: Colours) -> dict[str, Any]:
    """What is measured over all cars, and the standard deviation of the drives' own values."""
    apart = [{key: life for key, life in found.items() if key[0] == d} for d in sorted({d for d, _ in found})]
    each = [measured(one) for one in apart if len(one) > 1]
    deviation = {name: float(np.nanstd([e[name] for e in each])) for name in ("drift", "saturation", "spread")}
    return {**measured(found), "deviation": deviation}


def verdict(report: dict[str, Any]) -> dict[str, Any]:
    kept, anew = report["kept"], report["drawn anew"]
    shares = {name: kept[name] / anew[name] for name in ("drift", "saturation", "spread")}
    styles = min(report["styles"].values()) / report["real spread"]
    held = shares["drift"] <= 0.7 and all(abs(shares[n] - 1) <= 0.1 for n in ("saturation", "spread"))
    return {**shares, "least style distance": styles, "colours are kept": held, "styles differ": styles >= 0.5}


def means(found: Colours) -> dict[tuple[int, int], np.ndarray]:
    return {key: np.mean(list(life.values()), axis=0) for key, life in found.items()}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run")
    p.add_argument("--plain", required=True, help="run without looks")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--video", type=Path)
    o = p.parse_args()
    model, plain = (prepare(load(run), "fp32") for run in (o.run, o.plain))
    drives = range(DRIVE, DRIVE + DRIVES)
    kept = {seed: {d: list(frames_of(model, d, seed)) for d in drives} for seed in SEEDS}
    vid2vid.Looks = Redrawn
    redrawn = {seed: {d: list(frames_of(model, d, seed)) for d in drives} for seed in SEEDS}
    vid2vid.Looks = Looks
    without = {d: list(frames_of(plain, d, 0)) for d in drives}
    real = {d: [f["images"][0].permute(1, 2, 0).numpy() for f in iterate_world(model.spec, d, FRAMES)] for d in drives}
    seen = {seed: colours(videos, model) for seed, videos in kept.items()}
    anew = {seed: colours(videos, model) for seed, videos in redrawn.items()}
    truth = colours(real, model)
    rows = {"kept": together(seen), "drawn anew": together(anew)}
    rows |= {"without looks": colours(without, model), "real": truth}
    report: dict[str, Any] = {name: with_deviation(found) for name, found in rows.items()}
    looks = {seed: means(found) for seed, found in seen.items()}
    true = means(truth)
    report["styles"] = {
        f"{a}-{b}": float(np.mean([np.linalg.norm(looks[a][k] - looks[b][k]) for k in looks[a]]))
        for a, b in itertools.combinations(looks, 2)
    }
    pairs = list(itertools.combinations(true.values(), 2))
    report["real spread"] = float(np.mean([np.linalg.norm(a - b) for a, b in pairs]))
    report["verdict"] = verdict(report)
    write_json(o.out, report)
    for name, values in report.items():
        print(name, values)
    if o.video is not None:
        first = drives[0]
        columns = [*(kept[seed][first] for seed in SEEDS), redrawn[SEEDS[0]][first], without[first], real[first]]
        titles = ["look 1", "look 2", "look 3", "anew each frame", "no looks", "real"]
        write_video(o.video, [side_by_side(row, titles) for row in zip(*columns, strict=True)], fps=model.spec.fps)


if __name__ == "__main__":
    main()
