"""A 3-scale vid2vid from scratch in one command on the CPU at 256x128, and cut off in the middle of every phase.

    python benchmarks/three_scales.py --out three_scales

Trains the street world twice for 24 steps: once in one go, once with a stop in the middle of each phase (coarsest scale; middle
one alone, then jointly; finest alone, then jointly), each time resumed by another process. Says whether every weight,
optimizer moment and averaged weight of the two ends is equal, bit by bit, and how long a step took.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videosynth.engine.checkpoint import read_checkpoint
from videosynth.models.base import rebuild
from videosynth.models.vid2vid.model import Vid2Vid
from videosynth.types import DataSpec

STEPS = 24
TRAINING = ["--config", "vid2vid/street_small", "--data.world", "street", "--data.size", "[128,256]"]
TRAINING += ["--model.generator.scales", "3", "--model.generator.width", "8", "--model.generator.flow_scale", "2"]
TRAINING += ["--model.schedule.steps", str(STEPS), "--model.schedule.grow", "0.5", "--model.schedule.alone", "0.5"]
TRAINING += ["--model.schedule.clip_length", "3", "--model.schedule.clip_double", "0"]
TRAINING += ["--run.sample_every", "0", "--run.checkpoint_every", "100", "--data.steps_per_epoch", "1"]


def phases(run: Path) -> list[tuple[int, int]]:
    """(first step, end) of each phase, as the model itself says."""
    described = json.loads((run / "model.json").read_text())
    with torch.device("meta"):
        spec = DataSpec.from_json(described["spec"])
        model = Vid2Vid(spec=spec, **rebuild(Vid2Vid, described["arguments"]))
    kinds = [(p.scales, p.rests) for p in map(model.phase_at, range(STEPS))]
    starts = [k for k in range(STEPS) if not k or kinds[k] != kinds[k - 1]]
    return list(itertools.pairwise([*starts, STEPS]))


def train(out: Path, *more: str) -> None:
    words = ["--resume", str(out)] if (out / "last.ckpt").exists() else [*TRAINING, "--out", str(out)]
    if subprocess.run([sys.executable, "-m", "videosynth", "train", *words, *more]).returncode:
        raise SystemExit("the training failed")


def tensors(value: Any, name: str = "") -> dict[str, Tensor]:
    """Every tensor of a checkpoint by its place in it."""
    if isinstance(value, Tensor):
        return {name: value}
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return {k: v for key, inner in pairs for k, v in tensors(inner, f"{name}/{key}").items()}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=Path, required=True)
    o = p.parse_args()
    train(o.out / "whole", "--trainer.max_epochs", str(STEPS))
    found = phases(o.out / "whole")
    cuts = [(first + end) // 2 for first, end in found]
    for before, until in itertools.pairwise([0, *cuts, STEPS]):
        train(o.out / "cut", "--trainer.max_epochs", str(until - before))
    one, two = (tensors(read_checkpoint(o.out / name / "last.ckpt")) for name in ("whole", "cut"))
    same = one.keys() == two.keys() and all(torch.equal(v, two[k]) for k, v in one.items())
    seconds = json.loads((o.out / "whole" / "run.json").read_text())["wall_seconds"]
    print(f"phases {found}, cut at {cuts}: {len(one)} tensors {'are equal' if same else 'DIFFER'}")
    print(f"{seconds / STEPS:.1f} s a step over all phases")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
