"""`videosynth evaluate`: run folders and a data set -> a report, or a page for a human comparison."""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videosynth.apps.evaluate import Truth, evaluate, from_model
from videosynth.apps.generate import pick_device
from videosynth.apps.maps import Driving, open_maps
from videosynth.apps.preference import summarise, write_preference
from videosynth.apps.real import Stream, attributes_of
from videosynth.apps.unpaired import CLOSE, Choices, contenders, evaluate_unpaired
from videosynth.data.collections import WORLD, rate_of, read_videos
from videosynth.metrics.extractors import Extractor, load_extractor
from videosynth.metrics.judge import load_judge
from videosynth.models.base import VideoModel, load
from videosynth.nn.trunks import KINDS, load_trunk
from videosynth.types import DataSpec, UserError


def compare(options: Namespace) -> None:
    """Run ``videosynth evaluate`` with parsed options.

    Raises:
        UserError: runs that need other data than there is, or do not agree; missing weights; a folder in the way.
    """
    if options.votes:
        _tell_votes(options.votes)
        return
    device = pick_device(options.device)
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32
    models = {_name(run, options.runs): load(run, options.trust).to(device) for run in options.runs}
    if all(m.produces == "frames" and "maps" not in m.needs for m in models.values()):
        _from_noise(models, options)
        return
    _refuse_idle(options)
    spec = _shared_spec(models)
    truths = _truths(options.root, spec, options.slice, options.phase or "test")
    if options.preference:
        if len(models) != 2:
            raise UserError(f"--preference compares two runs, not {len(models)}: pass exactly two")
        (a, first), (b, second) = models.items()
        made = ((t.name, _frames(first, t, options.seed), _frames(second, t, options.seed)) for t in truths)
        write_preference(options.out, (a, b), made, spec.fps, seed=options.seed, overwrite=options.overwrite)
        print(f"wrote {options.out}/index.html: open it in a browser and vote; the votes are saved as JSON")
        print("next: videosynth evaluate --votes VOTES.json (the share of votes with its Wilson interval)")
        return
    training = list(_truths(options.root, spec, options.train_slice, "train")) if options.train_slice else []
    report = evaluate(
        {name: from_model(model, options.seed) for name, model in models.items()},
        truths,
        spec,
        options.out,
        training=training,
        trunk=load_trunk(options.perceptual),
        extractors=_extractors(options),
        settings={
            "runs": list(options.runs),
            "data": str(options.root),
            "slice": options.slice,
            "train_slice": options.train_slice,
            "seed": options.seed,
            "size": list(spec.size),
            "precision": "fp32",
            "torch": torch.__version__,
        },
        overwrite=options.overwrite,
        say=lambda line: print(line, file=sys.stderr),
    )
    _tell(report, options.out)


def _from_noise(models: dict[str, VideoModel], options: Namespace) -> None:
    """Sets of videos against sets of real clips."""
    _refuse_maps(options)
    choices = Choices(
        count=256 if options.count is None else options.count,
        frames=options.frames,
        steps=options.step,
        content=options.content or "none",
        attribute=options.attribute,
        group=options.group,
        seed=options.seed,
    )
    first = contenders(models, choices)[0]
    length, rate = first.taken, first.rate
    judge = None if options.judge is None else load_judge(options.judge, length, options.judge_classes)
    describe = _descriptor(choices.content)
    spec = _with_attributes(next(iter(models.values())).spec, models, options)
    train = options.train_root or (options.root if options.train_slice else None)
    say_once = _Once()
    steps: list[int] = []

    def stream(root: str, part: str | None) -> Stream:
        step = _step(root, part, rate) if options.data_step is None else options.data_step
        steps.append(step)
        limit = choices.real if root.startswith(WORLD) else None
        return lambda: read_videos(root, spec, length, step, limit, part, say_once)

    report = evaluate_unpaired(
        models,
        stream(options.root, options.slice),
        options.out,
        choices,
        training=None if train is None else stream(train, options.train_slice),
        # A world never shows what a training saw: there is nothing to look up.
        look_back=not str(train or options.root).startswith(WORLD),
        judge=judge,
        extractors=_extractors(options),
        describe=describe,
        settings={
            "runs": list(options.runs),
            "data": str(options.root),
            "data_steps": steps,
            "fps": rate,
            "slice": options.slice,
            "train_data": train,
            "train_slice": options.train_slice,
            "judge_file": options.judge,
            "precision": "fp32",
            "torch": torch.__version__,
        },
        overwrite=options.overwrite,
        say=lambda line: print(line, file=sys.stderr),
    )
    if report["judge"] is not None and report["judge"]["accuracy"] is not None:
        known = report["judge"]
        print(
            f"judge of {known['attribute']}: {known['accuracy']:.1%} right on {known['held_out']} real clips held out"
        )
    _tell(report, options.out)


def _descriptor(content: str) -> Extractor | None:
    """The network in whose features contents are compared, where it is one."""
    if content in ("none", "shapes"):
        return None
    if content not in KINDS and not Path(content).is_file():
        raise UserError(f"--content {content}: there is no such file: give shapes, none, or an extractor's file")
    return load_extractor(content, 2)


class _Once:
    """Says each line once: real clips are read several times."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self.said:
            self.said.add(line)
            print(line, file=sys.stderr)


def _step(root: str, part: str | None, rate: float) -> int:
    """One frame in so many of the real videos is as fast as the runs' videos.

    Raises:
        UserError: no whole step leads there.
    """
    there = rate_of(root, part)
    step = max(1, round(there / rate))
    if not math.isclose(there / step, rate, rel_tol=CLOSE):
        raise UserError(
            f"{root} has {there:g} frames per second, the runs' videos {rate:g}: no whole step leads from one to the other; "
            f"say one with --data.step, such as {step}, or fps in dataset.yaml if they are wrong"
        )
    return step


def _with_attributes(spec: DataSpec, models: dict[str, VideoModel], options: Namespace) -> DataSpec:
    """The spec that real clips are read by: the runs' attributes, and the data's own that groups them."""
    known = {name: values for m in models.values() for name, values in m.spec.attributes.items()}
    if options.group is not None and options.group not in known:
        own = attributes_of(options.root, spec.size)
        if options.group not in own:
            raise UserError(
                f"--group {options.group}: the data has no such attribute; it has {', '.join(own) or 'none'}"
            )
        known[options.group] = own[options.group]
    return replace(spec, maps=(), attributes=known)


def _refuse_maps(options: Namespace) -> None:
    """Options of videos from maps, and such as lack another, would change nothing for videos from noise."""
    if options.preference or options.perceptual != "none":
        what = "--preference" if options.preference else "--perceptual"
        raise UserError(f"{what} compares videos of the same maps, which these runs do not paint from: leave it out")
    if options.phase is not None:
        raise UserError("--phase chooses among folders with maps, which these runs do not paint from: leave it out")
    if options.judge_classes and options.judge is None:
        raise UserError("--judge-classes names the classes of a classifier: pass --judge FILE too")


def _refuse_idle(options: Namespace) -> None:
    """Options of videos from noise would change nothing for videos from maps."""
    idle = {
        "--count": options.count, "--frames": options.frames, "--step": options.step, "--content": options.content,
        "--attribute": options.attribute, "--group": options.group, "--judge": options.judge,
        "--train-root": options.train_root, "--data.step": options.data_step, "--judge-classes": options.judge_classes,
    }  # fmt: skip
    for name, value in idle.items():
        if value not in (None, ()):
            raise UserError(f"{name} goes with runs that make videos from noise, and not all of these do: leave it out")


def _tell(report: dict[str, Any], out: str) -> None:
    for row in report["rows"]:
        values = " ".join(f"{k} {v:.4g}" for k, v in row["metrics"].items() if v is not None)
        print(f"{row['name']}: {values}")
    print(f"wrote {out}: report.json and report.html (open it in a browser)")


def _tell_votes(files: list[str]) -> None:
    total = summarise(files)
    print(f"{total['voters']} voters, {total['a']} against {total['b']}")
    for part in ("short", "whole", "all"):
        row = total[part]
        share = "no votes" if row["share"] is None else f"{row['share']:.0%} for {total['a']}"
        print(f"{part:6} {row['votes']:4} votes: {share} (95 % interval {row['low']:.0%} to {row['high']:.0%})")


def _name(run: str, runs: list[str]) -> str:
    """The folder's own name, or its whole path where two runs share it."""
    short = Path(run).name or run
    return short if sum(Path(r).name == short for r in runs) == 1 else run


def _shared_spec(models: dict[str, VideoModel]) -> DataSpec:
    specs = {name: replace(m.spec, fps=0.0) for name, m in models.items()}
    first = next(iter(specs))
    for name, model in models.items():
        if model.produces != "frames" or "maps" not in model.needs:
            raise UserError(f"{name} makes no videos from maps, which is what evaluate measures: choose another run")
    for name, spec in specs.items():
        if spec.maps != specs[first].maps or spec.size != specs[first].size:
            raise UserError(f"{name} and {first} were trained on other maps or sizes: evaluate them one at a time")
    return models[first].spec


def _truths(root: str, spec: DataSpec, part: str | None, phase: str) -> Iterator[Truth]:
    for driving in open_maps(root, spec, part, phase, real=True):
        yield Truth.collect(driving.name, _with_images(driving))


def _with_images(driving: Driving) -> Iterator[dict[str, torch.Tensor]]:
    for frame in driving.frames:
        if "images" not in frame:
            raise UserError(f"sequence {driving.name} has no images: evaluation needs the real frames")
        yield frame


def _frames(model: VideoModel, truth: Truth, seed: int) -> np.ndarray:
    return np.stack(list(from_model(model, seed)(truth)))


def _extractors(options: Namespace) -> list[Extractor]:
    found = [load_extractor(path, 2) for path in options.extractor]
    found += [load_extractor(path, 3) for path in options.extractor3d]
    return [e for e in found if e is not None]
