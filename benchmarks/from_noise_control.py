"""What MoCoGAN was asked for: a direction, a content under other motions, a speed, an action."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from from_noise_runs import TAKEN, Place, columns, open_run, print_table, real_clips, report, trained

from videosynth.apps import noise
from videosynth.apps.latents import Latents
from videosynth.metrics.content import centroids, directions, shape_colours, valid_shape
from videosynth.metrics.judge import control_score, train_judge
from videosynth.models.base import VideoModel
from videosynth.video.images import save_image
from videosynth.video.sheets import grid

ASKED = 256  # videos of which a direction is asked
SIDE = 8  # contents and motions
SEEDS = 64  # videos whose speed is changed
CLIPS = 128  # videos of each action


DESCRIBED = {
    "colour": "colour of the shape (0..255)",
    "path": "path of its centre (pixels)",
    "motion": "the same about the middle of the path",
}

# Pure parts -----------------------------------------------------------------------------------------------------------


def factor_distances(
    points: np.ndarray, first: Sequence[int] | np.ndarray, second: Sequence[int] | np.ndarray
) -> dict[str, Any]:
    """Mean distances between videos of two factors, described by ``points (N, T, F)``: between those that share the first
    factor and differ in the second, the other way round, and where both differ. Distances are means over T of Euclidean ones;
    pairs of a video with an unknown point (NaN) are left out (``pairs`` of each kind are left), and None stands where none is.
    """
    kinds = {(True, False): "first kept", (False, True): "second kept", (False, False): "both changed"}
    groups: dict[str, list[float]] = {kind: [] for kind in kinds.values()}
    for i, j in combinations(range(len(points)), 2):
        kind = kinds.get((bool(first[i] == first[j]), bool(second[i] == second[j])))
        away = float(np.linalg.norm(points[i] - points[j], axis=-1).mean())
        if kind and np.isfinite(away):
            groups[kind].append(away)
    means = {kind: float(np.mean(g)) if g else None for kind, g in groups.items()}
    return means | {"pairs": [len(g) for g in groups.values()]}


def common_steps(most: int, speeds: Sequence[float]) -> int:
    """The longest stretch of a path, at most ``most`` steps, that all speeds cover in whole frames.

    Raises:
        ValueError: there is none.
    """
    for steps in range(most, 0, -1):
        if all(abs(steps / s - round(steps / s)) < 1e-9 for s in speeds):
            return steps
    raise ValueError(f"no stretch of up to {most} steps is made of whole frames at speeds {list(speeds)}")


def displacement(video: np.ndarray) -> float:
    """Mean way of the shape's centre from frame to frame, in pixels; NaN where a frame is black."""
    return float(np.linalg.norm(np.diff(centroids(video), axis=0), axis=1).mean())


def speed_ratio(videos: np.ndarray, usual: np.ndarray) -> tuple[float | None, int]:
    """Median over pairs of valid videos of the displacement per frame, over that at speed 1; and their number."""
    pairs = [(a, b) for a, b in zip(videos, usual, strict=True) if valid_shape(a) and valid_shape(b)]
    ratios = [displacement(a) / displacement(b) for a, b in pairs]
    return (float(np.median(ratios)), len(ratios)) if ratios else (None, 0)


# Shapes ---------------------------------------------------------------------------------------------------------------


def crossed(model: VideoModel, frames: int, side: int = SIDE) -> np.ndarray:
    """``side side T H W 3``: rows of one content, columns of one motion (and way)."""
    latents = noise.own_latents(model, noise.Plan(tuple(range(side)), frames))
    content = set(model.parts["content"])
    both: Latents = {
        name: v.repeat_interleave(side, 0) if name in content else v.repeat(side, *[1] * (v.ndim - 1))
        for name, v in latents.items()
    }
    made = noise.videos(model, range(side * side), frames, latents=both)
    return made.reshape(side, side, *made.shape[1:])


def sheet(made: np.ndarray, path: Path) -> None:
    """Each video of ``rows columns T H W 3`` as its first, middle and last frame: what stays and what differs."""
    last = made.shape[2] - 1
    rows = [[np.concatenate([v[0], v[last // 2], v[last]], axis=1) for v in row] for row in made]
    save_image(path, grid(rows, gap=6))


def control(place: Place, out: Path, speeds: Sequence[float]) -> None:
    rows = trained(place, ["mocogan"])
    if not rows:
        return

    def measure() -> dict[str, Any]:
        model, _ = open_run(place.run("mocogan"))
        return _directions(model) | _kept(model, out) | _speeds(model, speeds)

    found = report(out / "control.json", place, rows, measure)
    way, kept = found["direction"], found["kept"]
    print_table(
        found, "Direction that was asked for", ["videos", "share that goes there"],
        [[f"all ({way['count']})", way["all"]], [f"valid ({way['valid_count']})", way["valid"]]],
    )  # fmt: skip
    print_table(
        found, f"{SIDE} contents x {SIDE} motions, one of the two changed at a time",
        ["mean distance", "content kept", "motion kept", "both changed", "pairs"],
        [[what, *(f for k, f in kept[name].items() if k != "pairs"), " / ".join(map(str, kept[name]["pairs"]))]
         for name, what in DESCRIBED.items()],
    )  # fmt: skip
    lines = [[s["speed"], s["frames"], s["ratio"], s["pairs"]] for s in found["speeds"]]
    print_table(
        found,
        f"Speed, over the same {found['stretch']} steps",
        ["speed", "frames", "displacement / speed 1", "videos"],
        lines,
    )


def _directions(model: VideoModel) -> dict[str, Any]:
    (name, values), *_ = model.spec.attributes.items()
    videos = noise.videos(model, range(ASKED), TAKEN, {name: values})
    right = np.array([way == values[i % len(values)] for i, way in enumerate(directions(videos))])
    valid = np.array([valid_shape(v) for v in videos])
    share = float(right[valid].mean()) if valid.any() else None
    told = {"all": float(right.mean()), "valid": share, "count": len(videos), "valid_count": int(valid.sum())}
    return {"direction": told}


def _kept(model: VideoModel, out: Path) -> dict[str, Any]:
    made = crossed(model, TAKEN)
    sheet(made, out / "control-crossed.png")
    save_image(out / "control-content-fixed.png", grid([columns(v) for v in made[0]]))
    save_image(out / "control-motion-fixed.png", grid([columns(v) for v in made[:, 0]]))
    videos = made.reshape(-1, *made.shape[2:])
    contents, motions = np.divmod(np.arange(len(videos)), SIDE)
    colours = np.stack([shape_colours(v).mean(axis=0, keepdims=True) for v in videos])
    paths = np.stack([centroids(v) for v in videos])
    described = {"colour": colours, "path": paths, "motion": paths - paths.mean(axis=1, keepdims=True)}
    return {"kept": {name: factor_distances(points, contents, motions) for name, points in described.items()}}


def _speeds(model: VideoModel, speeds: Sequence[float]) -> dict[str, Any]:
    steps = common_steps(TAKEN - 1, [1.0, *speeds])
    usual = noise.videos(model, range(SEEDS), steps + 1)
    told = []
    for speed in (1.0, *speeds):
        frames = round(steps / speed) + 1
        videos = usual if speed == 1 else noise.videos(model, range(SEEDS), frames, speed=speed)
        ratio, pairs = speed_ratio(videos, usual)
        told.append({"speed": speed, "frames": frames, "ratio": ratio, "pairs": pairs})
    return {"stretch": steps, "speeds": told}


# Actions --------------------------------------------------------------------------------------------------------------


def actions(place: Place, out: Path) -> None:
    row = "mocogan-actions"
    if not trained(place, [row]):
        return
    found = report(out / "actions.json", place, [row], lambda: _judged(place, row, out))
    values = found["values"]
    lines = [[f"asked for {v}", *counts] for v, counts in zip(values, found["confusion"], strict=True)]
    title = (
        f"Actions: control score {found['control']:.3g} over {found['videos']} videos; the judge is right about "
        f"{found['judge']:.3g} of {found['judged']} clips of a person that it has not seen"
    )
    print_table(found, title, ["", *(f"judged {v}" for v in values)], lines)


def _judged(place: Place, row: str, out: Path) -> dict[str, Any]:
    model, step = open_run(place.run(row))
    (name, values), *_ = model.spec.attributes.items()
    length = model.phase_at(0).clip_length
    learn, test = (real_clips(place.clips(f), model, length, step) for f in ("actions", "actions_test"))
    judge = train_judge([c for _, c, _ in learn], [ids[name] for _, _, ids in learn], values, attribute=name)
    right = judge.accuracy([c for _, c, _ in test], [ids[name] for _, _, ids in test])
    made = {v: noise.videos(model, range(CLIPS), length, {name: (v,)}) for v in values}
    verdicts = [judge.probabilities(list(videos)) for videos in made.values()]
    asked = np.repeat(np.arange(len(values)), CLIPS)
    confusion = [np.bincount(p.argmax(axis=1), minlength=len(values)).tolist() for p in verdicts]
    rows = [columns(v) for videos in made.values() for v in videos[:2]]  # two of each, one below the other
    save_image(out / "actions.png", grid(rows))
    return {
        "values": values,
        "control": control_score(np.concatenate(verdicts), asked),
        "confusion": confusion,
        "videos": len(asked),
        "judge": right,
        "judged": len(test),
        "learnt": len(learn),
    }
