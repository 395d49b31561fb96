"""Ablations of vid2vid on the same data, seed and number of painted frames: one row per run, one JSON per row.

Every clip begins by itself (``schedule.start self``): real frames before it would be painted by nobody, and their number
depends on how far a row looks back. Perceptual distance and KID use the network that the perceptual term minimises: they are
no judges of the row without that term.

    python benchmarks/ablations.py run camvid --root street_camvid/train --network SQUEEZENET --out ablations
    python benchmarks/ablations.py run world --network SQUEEZENET --out ablations
    python benchmarks/ablations.py speed camvid --root street_camvid/train --out ablations    # on an idle machine
    python benchmarks/ablations.py table ablations > table.md
    python benchmarks/ablations.py verdicts ablations >> table.md
    python benchmarks/ablations.py curves ablations camvid curves.svg

Rows that are finished are not run again; a row that was cut off goes on from its checkpoint. ``--row`` picks some.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videosynth import ops
from videosynth.apps.evaluate import Maker, Truth, evaluate, from_model
from videosynth.apps.maps import open_maps
from videosynth.apps.precision import prepare
from videosynth.files import write_json
from videosynth.flow.dis import DIS
from videosynth.metrics.extractors import load_extractor
from videosynth.models.base import load
from videosynth.nn.trunks import load_trunk

COMMON = ["--run.sample_every", "0", "--run.checkpoint_every", "40", "--run.metric", "perceptual"]
_MEASURED = "validation/perceptual"
CLIP = 8  # frames per clip, in every row
STEPS = 360
PICTURE_STEPS = STEPS * CLIP  # pix2pixHD takes one frame a step

DATA = {
    "camvid": {
        "train": ["--data.frames", "0:64", "--data.size", "[72,96]", "--run.validation_frames", "64:80"],
        "train_slice": "0:64",
        "slice": "64:80",
        "cars": "Car",
    },
    "world": {
        "train": ["--data.size", "[64,96]"],
        "root": "world:street:1000003,1000004",
        "train_slice": None,
        "slice": "0:48",
        "cars": "car",
    },
}

# What the full model has, and what each row changes. CARS stands for the name of the foreground class.
FULL = {
    "generator.scales": "2", "generator.width": "32", "generator.flow_scale": "2.0", "generator.past": "2",
    "generator.foreground": "[CARS]", "losses.perceptual": "10", "losses.coherence": "10", "schedule.start": "self",
}  # fmt: skip
ONE_SCALE = {
    "generator.scales": "1",
    "generator.flow_scale": "4.0",
}  # the finer of two scales has twice the coarser's unit
ROWS: dict[str, dict[str, str]] = {
    "full": {},
    "no temporal critic": {"losses.adv_t": "0", "losses.feature_t": "0"},
    "no flow": {"generator.flow": "false"},
    "no foreground prior": {"generator.foreground": "[]"},
    "no feature matching": {"losses.feature": "0", "losses.feature_t": "0"},
    "no perceptual term": {"losses.perceptual": "0", "losses.network": "none"},
    "1 past frame": {"generator.past": "1"},
    "4 past frames": {"generator.past": "4"},
    "one scale": ONE_SCALE,
    "spade": {
        **ONE_SCALE, "generator.kind": "spade", "generator.foreground": "[]", "generator.downsamples": "3",
        "generator.blocks": "6", "generator.widest": "512",
    },
}  # fmt: skip
# Not ablations, but trained alike, for the figures on looks, depth, editing and prediction (only where asked for by --row).
MORE: dict[str, dict[str, str]] = {
    "with looks": {"generator.style": "3"},
    "with depth": {"maps": "[labels,instances,nearness]"},
    "coarsened maps": {"coarsen_labels": "0.5"},
    "labels only": {"maps": "[labels]"},
}
PICTURES = "pix2pixHD per frame"
COVST = "COVST stand-in"
SEEDS = {"full": (0, 1, 2)}


def options_of(row: str, data: str, network: str) -> list[str]:
    """The training's command line for a row."""
    words = [*DATA[data]["train"], *COMMON, "--run.validation_network", network]
    if row == PICTURES:
        words += ["--config", "pix2pixhd/street_small", "--model.schedule.steps", str(PICTURE_STEPS)]
        words += ["--model.losses.perceptual", "10", "--model.losses.network", network]
        return [*words, "--run.validate_every", str(PICTURE_STEPS // 8)]
    words += ["--config", "vid2vid/street_small", "--model.schedule.steps", str(STEPS)]
    words += ["--model.schedule.clip_length", str(CLIP), "--model.schedule.clip_double", "0"]
    words += ["--run.validate_every", str(STEPS // 8)]
    chosen = {"losses.network": network, **FULL, **(ROWS | MORE)[row]}
    for name, value in chosen.items():
        option = f"--model.{name}" if "." in name else f"--data.{name}"
        words += [option, value.replace("CARS", DATA[data]["cars"])]
    return words


def train(row: str, data: str, seed: int, run: Path, root: str | None, network: str) -> float | None:
    """Train (or go on); returns the peak memory of the training process in MiB, where it was seen to its end."""
    words = [sys.executable, "-m", "videosynth", "train"]
    if (run / "memory.json").exists():  # trained to its end, and cut off while it was measured
        return json.loads((run / "memory.json").read_text())["mib"]
    if (run / "run.json").exists() and json.loads((run / "run.json").read_text())["status"] == "finished":
        return None  # the process that trained it was cut off from this one: nobody measured its memory
    if (run / "last.ckpt").exists():
        words += ["--resume", str(run)]
    else:
        words += [*options_of(row, data, network), "--run.seed", str(seed), "--out", str(run)]
        words += ["--data.root", root] if root else ["--data.world", "street"]
    process = subprocess.Popen(words)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the training of {row!r} failed")
    write_json(run / "memory.json", {"mib": usage.ru_maxrss / 1024})
    return usage.ru_maxrss / 1024


def logged(run: Path) -> list[tuple[float, int, float | None]]:
    """(minutes of training, step, perceptual distance) of every logged step: the distance is of the evaluated frames
    (camvid), or of another drive that no clip is drawn from (world). Nothing is chosen by it.

    Time in which the training stood still (it was suspended, or cut off and resumed) does not count: an interval between
    two logged steps counts for twice the median at most.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    points: list[tuple[float, int, float | None]] = []  # absolute times first
    for file in sorted((run / "log").glob("events*")):
        events = EventAccumulator(str(file)).Reload()
        names = events.Tags()["scalars"]
        values = {e.step: e.value for e in events.Scalars(_MEASURED)} if _MEASURED in names else {}
        tag = next(n for n in names if n.startswith("g"))
        begin = 0 if not points else points[-1][1]
        points.append((events.FirstEventTimestamp(), begin, None))
        points += [(e.wall_time, e.step, values.get(e.step)) for e in events.Scalars(tag) if e.step > begin]
    per_step = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairwise(points) if b[1] > a[1]]
    usual = float(np.median(per_step)) if per_step else 0.0
    minutes, found = 0.0, []
    for k, (when, step, value) in enumerate(points):
        if k and step > points[k - 1][1]:
            minutes += min(when - points[k - 1][0], 2 * usual * (step - points[k - 1][1])) / 60
        found.append((minutes, step, value))
    return found


def curve(run: Path) -> list[tuple[float, float]]:
    """(minutes of training, perceptual distance), each measurement once: it is logged again with every later step."""
    points = [(minutes, value) for minutes, _, value in logged(run) if value is not None]
    return [p for k, p in enumerate(points) if not k or p[1] != points[k - 1][1]]


def covst(pictures: Maker, share: float = 0.8) -> Maker:
    """Per-frame pictures, each blended with the previous output, warped by the pictures' own flow, where that is sure."""

    def frames(truth: Truth) -> Iterator[np.ndarray]:
        teacher = DIS()
        before: np.ndarray | None = None
        out: np.ndarray | None = None
        for now in pictures(truth):
            if before is None or out is None:
                out = now
            else:
                flow, sure = teacher(now, before)
                moved = ops.warp(torch.from_numpy(out).permute(2, 0, 1)[None].float(), torch.from_numpy(flow)[None])
                weight = share * sure.transpose(1, 2, 0)
                mixed = weight * moved[0].permute(1, 2, 0).numpy() + (1 - weight) * now
                out = np.round(mixed).clip(0, 255).astype(np.uint8)
            before = now
            yield out

    return frames


def truths(data: str, root: str | None, spec: Any, part: str | None) -> Iterator[Truth]:
    videos = open_maps(root or DATA[data]["root"], spec, part, "train", real=True)
    return (Truth.collect(d.name, d.frames) for d in videos)


def measure(
    makers: dict[str, Maker], spec: Any, data: str, root: str | None, network: str, out: Path
) -> dict[str, Any]:
    chosen = DATA[data]
    training = list(truths(data, root, spec, chosen["train_slice"])) if chosen["train_slice"] else []
    extractor = load_extractor(network, 2)
    assert extractor is not None
    return evaluate(
        makers, truths(data, root, spec, chosen["slice"]), spec, out, training=training, trunk=load_trunk(network),
        extractors=[extractor], overwrite=True,
    )  # fmt: skip


def folder_of(row: str, data: str, seed: int, out: Path) -> Path:
    return out / "runs" / f"{data}-{(PICTURES if row == COVST else row).replace(' ', '_')}-{seed}"


def speed(data: str, root: str | None, out: Path) -> None:
    """Seconds per frame of the rows that are there, measured again while the machine does nothing else: the best of three."""
    for file in sorted(out.glob(f"{data}-*.json")):
        found = json.loads(file.read_text())
        model = prepare(load(folder_of(found["row"], data, found["seed"], out)), "fp32")
        maker = from_model(model, 0)
        maker = covst(maker) if found["row"] == COVST else maker
        truth = next(truths(data, root, model.spec, DATA[data]["slice"]))
        times = []
        for _ in range(3):
            start = time.monotonic()
            frames = sum(1 for _ in maker(truth))
            times.append((time.monotonic() - start) / frames)
        write_json(file, found | {"seconds_per_frame": min(times)})
        print(f"{file.stem}: {min(times):.4f} s/frame", flush=True)


def run_row(row: str, data: str, seed: int, root: str | None, network: str, out: Path) -> None:
    name = f"{data}-{row.replace(' ', '_')}-{seed}"
    if (out / f"{name}.json").exists():
        return
    run = folder_of(row, data, seed, out)
    trained = out / f"{data}-{PICTURES.replace(' ', '_')}-{seed}.json"
    if row == COVST and not trained.exists():
        run_row(PICTURES, data, seed, root, network, out)
    memory = json.loads(trained.read_text())["memory"] if row == COVST else train(row, data, seed, run, root, network)
    model = prepare(load(run), "fp32")
    maker = from_model(model, seed)
    report = measure(
        {row: covst(maker) if row == COVST else maker}, model.spec, data, root, network, out / "reports" / name
    )
    mine = next(r for r in report["rows"] if r["name"] == row)
    speeds = [s["frames_per_second"] for s in mine["sequences"].values()]
    record = json.loads((run / "run.json").read_text())
    found = {
        "format": 1,
        "row": row,
        "data": data,
        "seed": seed,
        "metrics": mine["metrics"],
        "real": next(r for r in report["rows"] if r["kind"] == "real")["metrics"],
        "seconds_per_frame": 1 / float(np.mean(speeds)),
        "memory": memory,
        "minutes": logged(run)[-1][0],
        "steps": record["steps"],
        "frames": record["frames"],
        "commit": record["commit"],
        "machine": record["machine"],
        "date": time.strftime("%Y-%m-%d"),
        "curve": curve(run),
    }
    write_json(out / f"{name}.json", found)
    print(f"{name}: {found['metrics']}", flush=True)


def table(folder: Path) -> None:
    """Markdown: one line per row, means over seeds."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.json")):
        found = json.loads(file.read_text())
        rows.setdefault((found["data"], found["row"]), []).append(found)
    for data in DATA:
        mine = {row: found for (d, row), found in rows.items() if d == data}
        if not mine:
            continue
        names = list(next(iter(mine.values()))[0]["metrics"])
        print(f"\n| {data} | " + " | ".join(names) + " | s/frame | training MiB | minutes |")
        print("|---|" + "---|" * (len(names) + 3))
        order = [*ROWS, PICTURES, COVST, *MORE]
        for row in sorted(mine, key=order.index):
            found = mine[row]
            cells = [_cell([f["metrics"][n] for f in found]) for n in names]
            cells += [_cell([f[k] for f in found]) for k in ("seconds_per_frame", "memory", "minutes")]
            print(f"| {row}{f' ({len(found)} seeds)' if len(found) > 1 else ''} | " + " | ".join(cells) + " |")
        real = next(iter(mine.values()))[0]["real"]
        print("| real video | " + " | ".join(_cell([real[n]]) for n in names) + " | - | - | - |")


def verdicts(folder: Path) -> None:
    """Markdown: does the paper's order hold, full > each ablation > pix2pixHD in coherence (excess warping error), and what
    does the row do to the perceptual distance? What lies within the span of the full row's seeds is no difference.
    """
    for data in DATA:
        files = [json.loads(f.read_text()) for f in sorted(folder.glob(f"{data}-*.json"))]
        full = [f["metrics"] for f in files if f["row"] == "full"]
        pictures = next((f["metrics"]["warping_excess"] for f in files if f["row"] == PICTURES), None)
        if not full or pictures is None:
            continue
        print(f"\n| {data} | full is more coherent | more coherent than pix2pixHD | perceptual distance |")
        print("|---|---|---|---|")
        for f in sorted(files, key=lambda f: [*ROWS, PICTURES, COVST, *MORE].index(f["row"])):
            if f["row"] == "full" or f["row"] in MORE:
                continue
            mine = f["metrics"]
            said = [_against(mine, full, "warping_excess", ("yes", "no, less"))]
            said.append("-" if f["row"] == PICTURES else "yes" if mine["warping_excess"] < pictures else "no")
            name = next(n for n in mine if n.startswith("perceptual"))
            said.append(_against(mine, full, name, ("worse", "better")))
            print(f"| {f['row']} | " + " | ".join(said) + " |")


def _against(mine: dict[str, float], full: list[dict[str, float]], name: str, words: tuple[str, str]) -> str:
    """``words``: what to say where the row's value is larger, and where it is smaller, than those of the full row's seeds."""
    known, value = [f[name] for f in full], mine[name]
    word = words[0] if value > max(known) else words[1] if value < min(known) else "no difference"
    return f"{word} ({value:.4g} against {min(known):.4g} to {max(known):.4g})"


def curves(folder: Path, data: str, out: Path) -> None:
    """Perceptual distance against minutes of training, the first seed of every row, as SVG."""
    found = [json.loads(f.read_text()) for f in sorted(folder.glob(f"{data}-*-0.json"))]
    found = [f for f in found if f["curve"] and f["row"] in (*ROWS, PICTURES)]
    points = [p for f in found for p in f["curve"]]
    if not points:
        raise SystemExit(f"{folder} holds no curves of {data}")
    width, height, left, bottom, names = 900, 420, 60, 40, 190
    longest, low, high = max(m for m, _ in points), min(v for _, v in points), max(v for _, v in points)

    def place(minutes: float, value: float) -> str:
        x = left + minutes / longest * (width - left - names)
        return f"{x:.1f},{10 + (high - value) / (high - low) * (height - bottom - 10):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
    ]
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for k in range(5):
        value, minutes = low + (high - low) * k / 4, longest * k / 4
        x, y = place(minutes, value).split(",")
        parts.append(f'<text x="{left - 8}" y="{y}" text-anchor="end">{value:.2f}</text>')
        parts.append(f'<text x="{x}" y="{height - 18}" text-anchor="middle">{minutes:.0f}</text>')
    parts.append(
        f'<text x="{(left + width - names) / 2}" y="{height - 3}" text-anchor="middle">minutes of training</text>'
    )
    ends = sorted(((f["curve"][-1][1], f) for f in found), key=lambda pair: -pair[0])
    for k, (_, f) in enumerate(ends):
        colour = f"hsl({360 * k / len(ends):.0f} 70% 40%)"
        line = " ".join(place(m, v) for m, v in f["curve"])
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{width - names + 12}" y="{30 + 22 * k}" fill="{colour}">{f["row"]}</text>')
    out.write_text("\n".join([*parts, "</svg>"]) + "\n")


def _cell(values: list[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "-"
    spread = f" ± {np.std(known):.2g}" if len(known) > 1 else ""
    return f"{np.mean(known):.4g}{spread}"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="verb", required=True)
    r = sub.add_parser("run")
    r.add_argument("data", choices=list(DATA))
    r.add_argument("--root")
    r.add_argument("--network", required=True)
    r.add_argument("--out", type=Path, required=True)
    r.add_argument("--row", action="append", default=[])
    s = sub.add_parser("speed")
    s.add_argument("data", choices=list(DATA))
    s.add_argument("--root")
    s.add_argument("--out", type=Path, required=True)
    for verb in ("table", "verdicts"):
        sub.add_parser(verb).add_argument("folder", type=Path)
    c = sub.add_parser("curves")
    c.add_argument("folder", type=Path)
    c.add_argument("data", choices=list(DATA))
    c.add_argument("out", type=Path)
    o = p.parse_args()
    if o.verb == "curves":
        curves(o.folder, o.data, o.out)
        return
    if o.verb == "speed":
        speed(o.data, o.root, o.out)
        return
    if o.verb in ("table", "verdicts"):
        (table if o.verb == "table" else verdicts)(o.folder)
        return
    rows = o.row or [*ROWS, PICTURES, COVST]
    for row, seed in sorted(((r, s) for r in rows for s in SEEDS.get(r, (0,))), key=lambda pair: pair[1]):
        run_row(row, o.data, seed, o.root, o.network, o.out)


if __name__ == "__main__":
    main()
