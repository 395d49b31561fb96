"""Tables, curves and pictures of the models from noise: content distance, two streams, clipping, the image critic."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from from_noise_runs import (
    CURVE,
    TAKEN,
    Place,
    columns,
    distance,
    facts,
    features,
    measured_videos,
    newest,
    open_run,
    print_table,
    real_clips,
    report,
    stamp,
    trained,
)

from videosynth.apps.charts import HEIGHT, WIDTH, Line, line_chart
from videosynth.apps.noise import images
from videosynth.files import write_json, write_text
from videosynth.metrics.content import content_distance
from videosynth.models.base import VideoModel
from videosynth.models.tgan.networks import Critic
from videosynth.models.tgan.options import CriticShape
from videosynth.nn.constraints import clip_singular_values, largest_singular_value
from videosynth.types import Frame, Request
from videosynth.video.images import save_image
from videosynth.video.sheets import grid, side_by_side
from videosynth.video.write import write_video

COUNT = 256  # videos of the paper's figure
PAPER = {"vgan": 5.02, "tgan": 2.08, "mocogan": 1.79, "real": 0.0}  # MoCoGAN, table 1
SCENES = 128  # generated clips against those of the scenes


# Content distance -----------------------------------------------------------------------------------------------------


def acd(place: Place, out: Path) -> None:
    rows = trained(place, [r for r in PAPER if r != "real"])
    if not rows:
        return
    told = {}
    for row in [*rows, "real"]:
        measure = partial(_content, row, rows[0], place, out)
        told[row] = report(out / f"acd-{row}.json", place, [rows[0] if row == "real" else row], measure)
    head = ["", "ACD, paper", "ACD, all described", "described", "ACD, valid", "valid", "steps", "minutes"]
    names = ("acd", "described", "acd_valid", "valid", "steps", "minutes")
    title = f"Average content distance of {COUNT} clips of {TAKEN} frames"
    print_table(
        newest(told.values()), title, head, [[row, PAPER[row], *(f[n] for n in names)] for row, f in told.items()]
    )


def _content(row: str, like: str, place: Place, out: Path) -> dict[str, Any]:
    known: dict[str, Any] = {"row": row, "steps": None, "minutes": None, "commit": None}
    if row == "real":
        model, _ = open_run(place.run(like))
        videos = np.stack([c for _, c, _ in real_clips(place.clips("shapes_test"), model, TAKEN, 2, COUNT)])
    else:
        model, _ = open_run(place.run(row))
        videos = measured_videos(model, COUNT)
        known |= facts(place, [row])[row]
    save_image(out / f"acd-{row}.png", grid([columns(v) for v in videos[:8]]))
    found = content_distance(videos)
    shares = {"valid": found.valid, "described": found.described, "clips": found.count}
    return {"acd": found.acd, "acd_valid": found.acd_valid, **shares, **known}


# Two streams ----------------------------------------------------------------------------------------------------------


def scenes(place: Place, out: Path) -> None:
    """Test clips overlap: the held-out ends of the scenes are short. The row of real clips says what that costs."""
    rows = trained(place, ["vgan-scenes", "vgan-scenes-one"])
    if not rows:
        return
    told = {}
    for row in [*rows, "real"]:
        like = rows[0] if row == "real" else row
        told[row] = report(out / f"scenes-{row}.json", place, [like], partial(_streams, row, like, place, out))
    names = ("kernel", "kernel_training", "clips", "mask", "steps", "minutes")
    head = ["", "kernel distance, test", "kernel distance, training", "clips", "mean of the mask", "steps", "minutes"]
    shown = {"vgan-scenes": "two streams", "vgan-scenes-one": "one stream", "real": "real training clips"}
    print_table(
        newest(told.values()), f"VGAN on two scenes, against {told[rows[0]]['real_clips']} overlapping test clips", head,
        [[shown[row], *(f[n] for n in names)] for row, f in told.items()],
    )  # fmt: skip


def windows(video: np.ndarray, length: int, stride: int) -> list[np.ndarray]:
    """Clips of ``length`` frames that begin every ``stride`` frames, and overlap where that is less."""
    return [video[t : t + length] for t in range(0, len(video) - length + 1, stride)]


def _streams(row: str, like: str, place: Place, out: Path) -> dict[str, Any]:
    model, _ = open_run(place.run(like))
    length = model.phase_at(0).clip_length
    read = {name: [np.load(f) for f in sorted(place.clips(name).glob("*.npy"))] for name in ("scenes", "scenes_test")}
    pace = max(1, length // TAKEN)
    test = [w[::pace] for v in read["scenes_test"] for w in windows(v, length, 1)]
    learnt = [w[::pace] for v in read["scenes"] for w in windows(v, length, 4)]
    extractor = features(str(place.network))
    known: dict[str, Any] = {"row": row, "mask": None, "steps": None, "minutes": None, "commit": None}
    if row == "real":
        videos: Any = learnt
    else:
        known |= {"mask": _mask(model)} | facts(place, [row])[row]
        videos = measured_videos(model, SCENES)
        _layers(model, out / row)
    apart = None if row == "real" else distance(learnt, videos, extractor)
    found = {"kernel": distance(test, videos, extractor), "kernel_training": apart}
    return {**found, "clips": len(videos), "real_clips": len(test), **known}


def _mask(model: VideoModel, count: int = 16) -> float | None:
    found = [float(f.extras["mask"].mean()) for f in model.generate(Request(tuple(range(count)))) if "mask" in f.extras]
    return float(np.mean(found)) if found else None


def _pictures(frame: Frame) -> list[np.ndarray]:
    """Video, mask, foreground and background as pictures ``B H W 3``; of one stream the video alone."""
    made = [images(frame)]
    if "mask" in frame.extras:
        grey = frame.extras["mask"].mul(255).round().byte().expand(-1, 3, -1, -1)
        made.append(grey.permute(0, 2, 3, 1).cpu().numpy())
        made += [images(Frame(frame.extras[name], {})) for name in ("foreground", "background")]
    return made


def _layers(model: VideoModel, out: Path, count: int = 4) -> None:
    """A sheet (a row for each layer of each video) and a film (a row of layers for each video)."""
    frames = [_pictures(f) for f in model.generate(Request(tuple(range(count))))]  # T layers B H W 3
    made = np.stack([np.stack(f) for f in frames])
    rows = [columns(made[:, layer, b]) for b in range(count) for layer in range(made.shape[1])]
    save_image(out.with_suffix(".png"), grid(rows))
    titles = ("video", "mask", "foreground", "background")[: made.shape[1]]
    film = [np.concatenate([side_by_side(list(f[:, b]), titles) for b in range(count)]) for f in made]
    write_video(out.with_suffix(".mp4"), film, fps=model.spec.fps)


# Curves ---------------------------------------------------------------------------------------------------------------

FIGURES = {"acd_valid": "ACD of valid clips", "valid": "share of valid clips", "kernel": "kernel distance"}
HUES = (210, 20, 130, 280)


def svg(curves: dict[str, list[dict[str, Any]]], figures: dict[str, str]) -> str:
    """One chart below the other, over the training steps; the stages of all curves end at the same steps."""
    steps = [p["steps"] for p in max(curves.values(), key=len)]
    parts, top = [], 30
    for k, name in enumerate(curves):
        parts.append(f'<text class="c{k}" x="{60 + k * 145}" y="18">{escape(name)}</text>')
    for figure, title in figures.items():
        lines = [Line(name, f"c{k}", [p[figure] for p in points]) for k, (name, points) in enumerate(curves.items())]
        chart = line_chart(lines, title)
        # The chart counts points: these stand at training steps.
        chart = re.sub(rf'(y="{HEIGHT - 10}" text-anchor="\w+">)(\d+)<', lambda m: f"{m[1]}{steps[int(m[2])]}<", chart)
        chart = chart.replace("<svg", f'<svg y="{top + 14}" width="{WIDTH}" height="{HEIGHT}"', 1)
        parts.append(f'<text x="60" y="{top + 12}">{escape(title)}</text>{chart}')
        top += HEIGHT + 24
    style = ".grid{stroke:#ddd}polyline{fill:none;stroke-width:2}"
    style += "".join(
        f"polyline.c{k}{{stroke:hsl({h},70%,40%)}}text.c{k}{{fill:hsl({h},70%,40%)}}" for k, h in enumerate(HUES)
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join(
        [head, f"<style>{style}</style>", f'<rect width="{WIDTH}" height="{top}" fill="white"/>', *parts, "</svg>\n"]
    )


def _curves(place: Place, rows: Sequence[str], out: Path, name: str, figures: dict[str, str]) -> dict[str, Any]:
    """SVG and table of those rows that were measured, and their points."""
    curves = {}
    for row in rows:
        file = place.run(row) / "curve.json"
        if file.exists():
            curves[row] = json.loads(file.read_text())["points"]
    if curves:
        write_text(out / f"{name}.svg", svg(curves, figures))
        head = ["", "steps", "minutes", "ACD", "ACD, valid", "valid", "kernel distance"]
        names = ("acd", "acd_valid", "valid", "kernel")
        lines = [[r, p["steps"], p["seconds"] / 60, *(p[n] for n in names)] for r, ps in curves.items() for p in ps]
        print_table(stamp(), f"Curves at 32x32, {CURVE} clips a point", head, lines)
    return curves


def curve_images(place: Place, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    figures = {"acd": "ACD of all described clips", **FIGURES}
    rows = trained(place, ["mocogan-32", "mocogan-32-no-image"])
    found = _curves(place, rows, out, "images", figures)
    write_json(out / "images.json", stamp() | {"runs": facts(place, rows), "curves": found})


# Clipping -------------------------------------------------------------------------------------------------------------


def clipping(place: Place, out: Path, repeats: int = 20) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rows = trained(place, [f"tgan-32-{c}" for c in ("svc", "none", "clip", "penalty")])
    found = _curves(place, rows, out, "clipping", FIGURES)
    costs = [clipping_cost(name, width, repeats) for name, width in (("small", 12), ("paper", 64))]
    known = {"runs": facts(place, rows), "threads": torch.get_num_threads()}
    write_json(out / "clipping.json", stamp() | known | {"curves": found, "costs": costs})
    head = ["critic", "width", "ms a call", "ms, all within", "largest before", "after", "second call changes nothing"]
    names = ("critic", "width", "ms", "ms_within", "before", "after", "still")
    print_table(
        stamp(), "Singular value clipping of TGAN's critic at 64x64", head, [[c[n] for n in names] for c in costs]
    )


def clipping_cost(name: str, width: int, repeats: int) -> dict[str, Any]:
    """Of a critic whose matrices have been scaled to a largest singular value of 2, and again once it is clipped."""
    torch.manual_seed(0)
    critic = Critic(TAKEN, (64, 64), 0, CriticShape(width=width))
    with torch.no_grad():
        for weight in (m.weight for m in critic.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Conv3d)):
            weight.mul_(2 / torch.linalg.matrix_norm(weight.flatten(1).double(), 2).float())
    beyond = {k: v.clone() for k, v in critic.state_dict().items()}
    before = largest_singular_value(critic)
    ms = _median(lambda: clip_singular_values(critic), lambda: critic.load_state_dict(beyond), repeats)
    after = largest_singular_value(critic)
    clipped = {k: v.clone() for k, v in critic.state_dict().items()}
    within = _median(lambda: clip_singular_values(critic), lambda: None, repeats)
    still = all(torch.equal(v, clipped[k]) for k, v in critic.state_dict().items())
    sizes = {"before": before, "after": after, "still": "yes" if still else "no"}
    return {"critic": name, "width": width, "ms": ms, "ms_within": within, **sizes}


def _median(call: Callable[[], Any], before: Callable[[], Any], repeats: int) -> float:
    """Milliseconds of a call, median; ``before`` puts things back and is not timed."""
    times = []
    for _ in range(repeats):
        before()
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return float(np.median(times))
