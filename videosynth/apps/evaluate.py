"""Evaluate models on real sequences: generate from the driving maps alone, score beside baselines, write a report."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from videosynth.apps.report import write_report
from videosynth.files import atomic, read_json, write_json
from videosynth.flow import FlowTeacher
from videosynth.metrics import Extractor, Suite
from videosynth.nn.trunks import FeatureTrunk
from videosynth.ops.images import to_uint8
from videosynth.types import Clip, DataSpec, Frame, Request, UserError
from videosynth.video.colours import colour_instances, colour_labels
from videosynth.video.images import save_image
from videosynth.video.sheets import grid
from videosynth.video.write import write_video

FORMAT = 1
KIND = "videosynth evaluation"
REAL = "real video"


@dataclass
class Truth:
    """A real sequence in memory: frames uint8 ``T H W 3``, maps by name (ids ``T H W``, dense ``T C H W``)."""

    name: str
    frames: np.ndarray
    maps: dict[str, Tensor] = field(default_factory=dict)

    @staticmethod
    def collect(name: str, stream: Iterable[dict[str, Tensor]]) -> Truth:
        """From frames of one item each, as ``data.dataset.iterate`` yields them: maps and ``images`` 1 3 H W uint8."""
        columns: dict[str, list[Tensor]] = {}
        for frame in stream:
            for key, value in frame.items():
                columns.setdefault(key, []).append(value)
        if "images" not in columns:
            raise UserError(f"sequence {name} has no images: evaluation needs the real frames")
        images = torch.cat(columns.pop("images")).permute(0, 2, 3, 1)
        return Truth(name, images.contiguous().numpy(), {k: torch.cat(v) for k, v in columns.items()})

    def picture(self, t: int, spec: DataSpec) -> np.ndarray | None:
        """The driving map of frame t as a person sees it, uint8 H W 3; None without maps."""
        for kind in spec.maps:
            if kind.name in self.maps:
                value = self.maps[kind.name][t].cpu().numpy()
                if kind.kind == "classes":
                    return colour_labels(value, kind.colours, kind.void)
                if kind.kind == "instances":
                    return colour_instances(value)
                low, high = kind.range
                grey = np.clip((value[:3].astype(np.float32) - low) / max(high - low, 1e-9), 0, 1)
                three = np.repeat(grey[:1], 3, axis=0) if len(grey) < 3 else grey
                return np.round(three.transpose(1, 2, 0) * 255).astype(np.uint8)
        return None


Maker = Callable[[Truth], Iterable[np.ndarray]]  # a sequence's frames, uint8 H W 3, one by one


class Generator(Protocol):
    """What is asked of a model."""

    spec: DataSpec

    def generate(self, request: Request) -> Iterator[Frame]: ...


def from_model(model: Generator, seed: int = 0, context: Clip | None = None) -> Maker:
    """Frames of a model from a sequence's maps alone (and, where given, real frames that came before: ``context``)."""

    def frames(truth: Truth) -> Iterator[np.ndarray]:
        device = getattr(model, "device", torch.device("cpu"))
        count = len(truth.frames)
        maps = ({k: v[t : t + 1].to(device) for k, v in truth.maps.items()} for t in range(count))
        request = Request(seeds=(seed,), frames=count, maps=maps if truth.maps else None, context=context)
        for frame in model.generate(request):
            yield to_uint8(frame.image[0]).permute(1, 2, 0).cpu().numpy()

    return frames


# Baselines ------------------------------------------------------------------------------------------------------------


def class_means(truths: Iterable[Truth], spec: DataSpec) -> np.ndarray:
    """Mean colour of each class, float64 ``classes+1 3``; the last row is the mean of all pixels.

    Classes that do not occur have the mean of all pixels too.
    """
    kind = spec.map("classes")
    if kind is None:
        raise ValueError("class means need a label map")
    total, count = np.zeros((kind.channels + 1, 3)), np.zeros(kind.channels + 1)
    for truth in truths:
        ids = _rows(truth.maps[kind.name].numpy(), kind.channels, kind.void).ravel()
        count += np.bincount(ids, minlength=kind.channels + 1)
        for c in range(3):
            total[:, c] += np.bincount(ids, truth.frames[..., c].ravel(), minlength=kind.channels + 1)
    overall = total.sum(axis=0) / max(count.sum(), 1)
    means = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], overall)
    means[-1] = overall
    return means


def _rows(ids: np.ndarray, classes: int, void: int | None) -> np.ndarray:
    """Ids as rows of the table of means: whatever is no class gets the last row."""
    known = (ids >= 0) & (ids < classes)
    if void is not None:
        known &= ids != void
    return np.where(known, ids, classes).astype(np.int64)


def baselines(spec: DataSpec, training: Sequence[Truth] = ()) -> dict[str, Maker]:
    """What any model must beat. ``training`` are the real sequences that the models learnt from, if they are at hand.

    Without them the class means come from the evaluated sequence itself, and the repeated frame is its first: both
    then know what no model is told, and say so in their names.
    """
    out: dict[str, Maker] = {}
    kind = spec.map("classes")
    if kind is not None:
        known = class_means(training, spec) if training else None

        def mean_colour(truth: Truth) -> Iterable[np.ndarray]:
            table = (class_means([truth], spec) if known is None else known).round().astype(np.uint8)
            return table[_rows(truth.maps[kind.name].numpy(), kind.channels, kind.void)]

        out["class mean colour" + ("" if training else " (of these frames)")] = mean_colour
    last = {t.name: t.frames[-1] for t in training}

    def repeated(truth: Truth) -> Iterable[np.ndarray]:
        # Sequences of their own (another split) have no last training frame: the last one of all stands in.
        picture = last.get(truth.name, training[-1].frames[-1] if training else truth.frames[0])
        return np.repeat(picture[None], len(truth.frames), axis=0)

    out["last training frame repeated" if last else "first frame repeated"] = repeated
    return out


# The evaluation -------------------------------------------------------------------------------------------------------


def evaluate(
    models: Mapping[str, Maker],
    truths: Iterable[Truth],
    spec: DataSpec,
    out: Path | str,
    *,
    training: Sequence[Truth] = (),
    trunk: FeatureTrunk | None = None,
    extractors: Sequence[Extractor] = (),
    teacher: FlowTeacher | None = None,
    settings: Mapping[str, Any] | None = None,
    hashes: Mapping[str, str] | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Write the folder ``out`` (``report.json``, ``report.html``, media) and return the report.

    ``models`` names what makes the frames of a sequence (see :func:`from_model`); ``truths`` are read one at a time,
    so they may come from a generator. ``settings`` and ``hashes`` are recorded. ``say`` is told of the progress.

    Raises:
        UserError: ``out`` holds something else than an earlier report (unless ``overwrite``); no sequences; a model
            gives frames of another number or size; the disk refuses.
    """
    out = Path(out)
    check_target(out, KIND, overwrite)
    contenders: dict[str, tuple[str, Maker]] = {name: ("model", maker) for name, maker in models.items()}
    for name, maker in baselines(spec, training).items():
        contenders.setdefault(name, ("baseline", maker))
    contenders[REAL] = ("real", lambda truth: truth.frames)
    suites = {name: Suite(trunk, extractors, teacher) for name in contenders}
    rows = {name: {"name": name, "kind": kind, "sequences": {}} for name, (kind, _) in contenders.items()}
    sequences: list[dict[str, Any]] = []
    with atomic(out) as part:
        part.mkdir()
        for truth in truths:
            folder = f"media/{len(sequences):02d}-{slug(truth.name)}"
            sequences.append(_one_sequence(truth, contenders, suites, rows, spec, part, folder, say))
        if not sequences:
            raise UserError("there are no sequences to evaluate: check the data folder and the chosen split")
        for name, row in rows.items():
            row["metrics"] = plain(suites[name].result())
        report = {
            "format": FORMAT,
            "kind": KIND,
            "settings": dict(settings or {}),
            "hashes": hashes_of(trunk, extractors) | dict(hashes or {}),
            "spec": spec.to_json(),
            "sequences": sequences,
            "rows": list(rows.values()),
        }
        write_json(part / "report.json", report)
        write_report(part / "report.html", report)
    return report


def _one_sequence(
    truth: Truth,
    contenders: Mapping[str, tuple[str, Maker]],
    suites: Mapping[str, Suite],
    rows: Mapping[str, dict[str, Any]],
    spec: DataSpec,
    part: Path,
    folder: str,
    say: Callable[[str], None] | None,
) -> dict[str, Any]:
    """Generate, score and film every contender on one sequence; fill ``rows``; return what the report says of it."""
    (part / folder).mkdir(parents=True)
    reference = next(iter(suites.values())).reference(truth.frames)
    picks = np.unique(np.linspace(0, len(truth.frames) - 1, 6).round().astype(int))
    columns: dict[str, list[np.ndarray]] = {}
    driving = [p for p in (truth.picture(int(t), spec) for t in range(len(truth.frames))) if p is not None]
    media: dict[str, str] = {}
    if driving:
        media["maps"] = film(part, f"{folder}/maps.mp4", driving, spec.fps)
        columns["maps"] = [driving[t] for t in picks]
    for number, (name, (kind, maker)) in enumerate(contenders.items()):
        if say:
            say(f"{truth.name}: {name}, {len(truth.frames)} frames")
        start = time.perf_counter()
        frames = truth.frames if kind == "real" else np.stack(list(maker(truth)))
        seconds = time.perf_counter() - start
        score = suites[name].update(reference, frames, truth.name)
        rows[name]["sequences"][truth.name] = {
            "metrics": plain(score.values()),
            "curves": {metric: [_finite(v) for v in curve] for metric, curve in score.curves.items()},
            "video": film(part, f"{folder}/{number:02d}-{slug(name)}.mp4", frames, spec.fps),
            **({"frames_per_second": round(len(frames) / max(seconds, 1e-9), 3)} if kind == "model" else {}),
        }
        if kind != "baseline":
            columns[name] = [frames[t] for t in picks]
    sheet = grid([list(row) for row in zip(*(map(_small, c) for c in columns.values()))], list(columns))
    save_image(part / folder / "sheet.jpg", sheet)
    height, width = truth.frames.shape[1:3]
    return {
        "name": truth.name,
        "frames": len(truth.frames),
        "size": [height, width],
        "sheet": f"{folder}/sheet.jpg",
        "sheet_frames": [int(t) for t in picks],
        "media": media,
    }


def film(part: Path, path: str, frames: Iterable[np.ndarray], fps: float) -> str:
    """Write a video and its first frame as a poster; give the path as the report's page says it."""
    frames = list(frames)
    write_video(part / path, frames, fps)
    save_image((part / path).with_suffix(".jpg"), frames[0])
    return path


def _small(picture: np.ndarray) -> np.ndarray:
    """Every n-th pixel of a large picture: a sheet is to be looked at whole."""
    step = max(1, math.ceil(picture.shape[1] / 512))
    return picture[::step, ::step]


def plain(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Figures as JSON holds them: six digits, null for what is not finite."""
    return {name: _finite(value) for name, value in metrics.items()}


def _finite(value: float) -> float | None:
    """JSON knows no NaN: a value that does not exist (no trusted flow in a frame) is null."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def hashes_of(trunk: FeatureTrunk | None, extractors: Sequence[Extractor]) -> dict[str, str]:
    """SHA-256 of the networks' files, as far as they have any, by what they serve for."""
    known = {} if trunk is None else {f"perceptual {trunk.name}": trunk.sha256}
    for extractor in extractors:
        if sha256 := getattr(extractor, "sha256", ""):
            known[f"extractor {extractor.name}"] = sha256
    return known


def slug(name: str) -> str:
    """A name as a part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "x"


def check_target(out: Path, kind: str, overwrite: bool, file: str = "report.json") -> None:
    """Refuse to replace a folder that is not an earlier result of the same kind, unless told to.

    Never replaces a folder that the command runs in, whatever is told.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if out.is_dir() and (Path.cwd().is_relative_to(out.resolve()) or Path.home().is_relative_to(out.resolve())):
        raise UserError(f"{out} is a folder in use: name a new folder for the result")
    if overwrite:
        return
    try:
        earlier = out.is_dir() and read_json(out / file).get("kind") == kind
    except (UserError, AttributeError):
        earlier = False
    if not earlier:
        raise UserError(
            f"{out} exists and is no earlier result of this command: name a new folder, or pass --overwrite"
        )
