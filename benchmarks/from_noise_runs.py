"""The trainings of the models from noise, one row each, and what every measurement of them begins with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from videosynth.apps import noise
from videosynth.apps.precision import prepare
from videosynth.apps.train import config_path
from videosynth.data.collections import read_videos
from videosynth.files import read_json, write_json
from videosynth.metrics.content import content_distance
from videosynth.metrics.extractors import Extractor, load_extractor
from videosynth.metrics.frechet import kernel_distance
from videosynth.metrics.suite import features_of
from videosynth.models.base import VideoModel, load

STAGES = 6  # of a row whose curve is measured
CURVE = 128  # generated and real clips behind a point of a curve
TAKEN = 16  # frames of a clip that is measured

SMALL = ["--data.size", "[32,32]"]
ACTION = ["--data.attributes", "[action]"]
APART = ["--model.play.apart", "1"]  # ablations: as in the papers, so that what is compared alone differs
MOCOGAN_32 = ["--config", "mocogan/shapes_small", *SMALL, *APART, "--model.critic.edges", "0"]
TGAN_32 = ["--config", "tgan/shapes_small", *SMALL, *APART]
OWN = ["--model.play.begin", "own"]

# Data folder, and the words of the training's command line.
ROWS: dict[str, tuple[str, list[str]]] = {
    "mocogan": ("shapes", ["--config", "mocogan/shapes_small"]),
    "tgan": ("shapes", ["--config", "tgan/shapes_small"]),
    "vgan": ("shapes", ["--config", "vgan/shapes_small"]),
    "mocogan-actions": (
        "actions", ["--config", "mocogan/actions_small", *ACTION, "--model.generator.attribute", "action"]
    ),
    "tgan-actions": ("actions", ["--config", "tgan/actions_small", *ACTION]),
    "vgan-actions": ("actions", ["--config", "vgan/actions_small", *ACTION]),
    "vgan-scenes": ("scenes", ["--config", "vgan/scenes_small"]),
    "vgan-scenes-one": ("scenes", ["--config", "vgan/scenes_small", "--model.generator.streams", "1"]),
    "mocogan-32": ("shapes", MOCOGAN_32),
    "mocogan-32-no-image": ("shapes", [*MOCOGAN_32, "--model.critic.image", "none"]),
    "tgan-32-svc": ("shapes", [*TGAN_32, "--model.play.constraint", "svc"]),
    "tgan-32-none": ("shapes", [*TGAN_32, "--model.play.constraint", "none", *OWN]),
    "tgan-32-clip": ("shapes", [*TGAN_32, "--model.play.constraint", "clip", "--model.play.bound", "0.01", *OWN]),
    "tgan-32-penalty": (
        "shapes", [*TGAN_32, "--model.play.constraint", "penalty", "--model.critic.norm", "false", *OWN]
    ),
}  # fmt: skip
COMMON = ["--run.sample_every", "0", "--run.progress", "false"]


def has_curve(row: str) -> bool:
    return "-32" in row


class Place:
    """Where things lie: ``work`` (trainings and data), ``data`` (the sample data sets), ``threads`` (None: torch's own)."""

    def __init__(self, work: Path, data: Path, threads: int | None = None) -> None:
        self.work, self.data, self.threads = work, data, threads

    @property
    def network(self) -> Path:
        return self.data / "weights" / "squeezenet1_0_imagenet.pt"

    def run(self, row: str) -> Path:
        return self.work / row

    def clips(self, folder: str) -> Path:
        return self.work / "data" / folder


# Training -------------------------------------------------------------------------------------------------------------


def steps_of(row: str) -> int:
    """Training steps of the row's preset."""
    words = ROWS[row][1]
    preset = yaml.safe_load(config_path(words[words.index("--config") + 1]).read_text())
    return int(preset["model"]["init_args"]["schedule"]["steps"])


def command(row: str, place: Place, steps: int, extra: Sequence[str] = ()) -> list[str]:
    """The training's command line; one that was cut off goes on."""
    run = place.run(row)
    words = [sys.executable, "-m", "videosynth", "train"]
    if (run / "last.ckpt").exists():
        return [*words, "--resume", str(run)]
    folder, chosen = ROWS[row]
    words += [*chosen, *COMMON, "--data.root", str(place.clips(folder)), "--out", str(run)]
    return [*words, "--model.schedule.steps", str(steps), *extra]


def record(run: Path) -> dict[str, Any]:
    """What a training tells of itself; of none that has not begun."""
    file = run / "run.json"
    return json.loads(file.read_text()) if file.exists() else {"steps": 0, "status": "none", "wall_seconds": 0.0}


def train(row: str, place: Place, steps: int | None, extra: Sequence[str] = ()) -> None:
    """Train a row to its end, with its curve where it has one. ``extra`` words go to a training that begins."""
    total = steps or steps_of(row)
    if has_curve(row):
        _in_stages(row, place, total, extra)
    elif record(place.run(row))["status"] != "finished":
        _train(row, place, total, extra)


def _train(row: str, place: Place, total: int, extra: Sequence[str], more: Sequence[str] = ()) -> None:
    environment = dict(os.environ)
    if place.threads is not None:
        environment["OMP_NUM_THREADS"] = str(place.threads)
    if subprocess.run([*command(row, place, total, extra), *more], env=environment).returncode:
        raise SystemExit(f"the training of {row} failed")


def ends(total: int, stages: int = STAGES) -> list[int]:
    """The steps at which the stages of a training end."""
    return [round(total * k / stages) for k in range(1, stages + 1)]


def _in_stages(row: str, place: Place, total: int, extra: Sequence[str]) -> None:
    """Train up to each stage's end and measure there. A point that is in ``curve.json`` is not measured again."""
    run = place.run(row)
    file = run / "curve.json"
    points: list[dict[str, Any]] = json.loads(file.read_text())["points"] if file.exists() else []
    for end in ends(total):
        done = record(run)["steps"]
        if any(p["steps"] == end for p in points):
            continue
        if done > end:
            raise SystemExit(f"{run} is at step {done}, and nothing was measured at {end}: remove it and train again")
        if done < end:
            _train(row, place, total, extra, ["--trainer.max_epochs", "1", "--data.steps_per_epoch", str(end - done)])
        known = record(run)
        points.append({"steps": end, "seconds": known["wall_seconds"], **point(row, place)})
        write_json(file, {"format": 1, "row": row, "commit": known["commit"], "points": points})
        print(f"{row}: {points[-1]}", flush=True)


def point(row: str, place: Place) -> dict[str, Any]:
    """A point of a curve: content distance and the kernel distance to real clips that were held out."""
    model, step = open_run(place.run(row))
    videos = measured_videos(model, CURVE)
    found = content_distance(videos)
    extractor = features(str(place.network))
    real = [c for _, c, _ in real_clips(place.clips("shapes_test"), model, TAKEN, step, CURVE)]
    return {
        "acd": found.acd,
        "acd_valid": found.acd_valid,
        "valid": found.valid,
        "kernel": distance(real, videos, extractor),
        "real_clips": len(real),
    }


# Measuring ------------------------------------------------------------------------------------------------------------


def trained(place: Place, rows: Iterable[str]) -> list[str]:
    """Those of the rows that are trained to their end; the others are named on the error stream."""
    found = []
    for row in rows:
        if record(place.run(row))["status"] == "finished":
            found.append(row)
        else:
            print(f"{row} is not trained yet: from_noise.py train {row}", file=sys.stderr)
    return found


def open_run(run: Path) -> tuple[VideoModel, int]:
    """The model with its averaged weights, and the stride between the frames of its training clips."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    return prepare(load(run), "fp32"), int(config["data"].get("step") or 1)


def measured_videos(model: VideoModel, count: int, attributes: dict[str, tuple[str, ...]] | None = None) -> np.ndarray:
    """``count T H W 3`` of 16 frames: of a model whose clips are twice as long, every second frame."""
    length = model.phase_at(0).clip_length
    stride = max(1, length // TAKEN)
    return noise.videos(model, range(count), length, attributes)[:, ::stride][:, :TAKEN]


def real_clips(
    root: Path, model: VideoModel, length: int, step: int, limit: int | None = None
) -> list[tuple[str, np.ndarray, dict[str, int]]]:
    """Real clips as the model saw them in training, from a folder that it did not; spread over the folder's videos."""
    found = list(read_videos(root, model.spec, length, step))
    order = np.random.default_rng(0).permutation(len(found))
    return [found[i] for i in islice(order, limit)]


@cache
def features(network: str) -> Extractor:
    found = load_extractor(network, 3, TAKEN)
    assert found is not None
    return found


def distance(real: Iterable[np.ndarray], fake: Iterable[np.ndarray], extractor: Extractor) -> float:
    """Kernel distance of features of clips."""
    one, two = (np.concatenate([features_of(v, extractor) for v in videos]) for videos in (real, fake))
    return kernel_distance(one, two)


# Telling --------------------------------------------------------------------------------------------------------------


def stamp() -> dict[str, Any]:
    """What every report begins with."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return {"format": 1, "command": " ".join(words), "date": time.strftime("%Y-%m-%d"), "torch": torch.__version__}


def facts(place: Place, rows: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Of each training behind a report: the commit that trained it, its steps and its minutes."""
    known = {row: record(place.run(row)) for row in rows}
    return {
        row: {"commit": told.get("commit"), "steps": told["steps"], "minutes": told["wall_seconds"] / 60}
        for row, told in known.items()
    }


def report(file: Path, place: Place, rows: Sequence[str], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The report in ``file`` on trained rows; measured anew where there is none, or one of other trainings."""
    known = facts(place, rows)
    if file.exists():
        told = read_json(file)
        if told.get("runs") == known:
            return told
        print(f"{file} is of other trainings: measuring anew", file=sys.stderr)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, stamp() | {"runs": known} | measure())
    return read_json(file)


def newest(reports: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Of the reports behind a table, the one that was measured last."""
    return max(reports, key=lambda r: r["date"])


def print_table(told: dict[str, Any], title: str, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    """Markdown, under a line that says how and when it was measured: the report ``told`` begins with a :func:`stamp`."""
    print(f"\n{title} (`{told['command']}`, {told['date']}, torch {told['torch']})\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for line in lines:
        print("| " + " | ".join(_cell(v) for v in line) + " |")
    sys.stdout.flush()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def columns(video: np.ndarray, count: int = 8) -> list[np.ndarray]:
    """``count`` frames of a video, evenly spaced."""
    return [video[i] for i in np.linspace(0, len(video) - 1, count).round().astype(int)]
