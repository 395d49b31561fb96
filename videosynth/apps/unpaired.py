"""Evaluate models that make videos from noise: sets of videos against sets of real clips, and a page that plays them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videosynth.apps import noise
from videosynth.apps.evaluate import check_target, hashes_of, plain
from videosynth.apps.real import Real, Stream, checked, educated, halves, recording_of, sample
from videosynth.apps.unpaired_page import films, write_unpaired
from videosynth.files import atomic, write_json
from videosynth.metrics.content import content_distance, described_by, directions
from videosynth.metrics.extractors import Extractor
from videosynth.metrics.frechet import distribution_distance
from videosynth.metrics.judge import (
    Judge,
    ScriptJudge,
    control_score,
    inception_score,
    inter_entropy,
    intra_entropy,
)
from videosynth.metrics.nearest import Nearest, features, nearest, nearest_ratio, pixels
from videosynth.metrics.suite import features_of
from videosynth.models.base import VideoModel
from videosynth.types import Clip, UserError

FORMAT = 1
KIND = "videosynth evaluation from noise"
REAL = "real clips"
JUDGED = 512  # real clips that a judge learns from and is tested on
WAYS = {"up", "down", "left", "right"}
SHOWN = 24  # classes of a judge whose verdicts a page can show
CLOSE = 0.05  # share by which frame rates may differ, such as 24 and 25

Say = Callable[[str], None]


@dataclass(frozen=True)
class Choices:
    """What is measured: see ``videosynth evaluate --help``. ``frames`` and ``steps``: one for all models, or one each.
    ``content``: shapes, none, or the file of the extractor that describes it.
    """

    count: int = 256
    frames: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    content: str = "none"
    attribute: str | None = None
    group: str | None = None
    seed: int = 0

    @property
    def real(self) -> int:
        """Real clips that are kept in memory: two halves as large as a model's set, and enough for a judge."""
        return max(2 * self.count, JUDGED if self.attribute else 0)


@dataclass
class Contender:
    """A row of the report: a model (how many frames it makes, which of them are taken) or the real clips."""

    name: str
    model: VideoModel | None
    frames: int = 0
    step: int = 1
    videos: list[np.ndarray] = field(default_factory=list)
    asked: list[int] | None = None  # ids of the attribute's values, where the model can be asked for it
    metrics: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def taken(self) -> int:
        """Frames of a clip that is measured."""
        return math.ceil(self.frames / self.step)

    @property
    def rate(self) -> float:
        """Frames per second of a clip that is measured."""
        assert self.model is not None
        return self.model.spec.fps / self.step


def contenders(models: Mapping[str, VideoModel], choices: Choices) -> list[Contender]:
    """The models with their frames and steps, so that all give clips of one length.

    Without a choice a model makes as many frames as its training clips have, and of longer clips every k-th frame is taken
    so that they are as long as the shortest model's.

    Raises:
        UserError: what the models make cannot be compared, or a model cannot make that many frames.
    """
    if choices.count < 2:
        raise UserError(f"--count must be 2 or more, not {choices.count}: distances are between sets")
    frames = _each("--frames", choices.frames, models) or [m.phase_at(0).clip_length for m in models.values()]
    short = min(frames)
    steps = _each("--step", choices.steps, models) or [n // short if n % short == 0 else 1 for n in frames]
    out = [Contender(name, m, n, k) for (name, m), n, k in zip(models.items(), frames, steps, strict=True)]
    first = out[0]
    for c in out:
        assert c.model is not None
        if c.model.longest is not None and c.frames > c.model.longest:
            raise UserError(f"{c.name} makes {c.model.longest} frames at most, not {c.frames}: choose another --frames")
        if c.model.spec.size != first.model.spec.size:  # pyright: ignore[reportOptionalMemberAccess]
            raise UserError(f"{c.name} and {first.name} make videos of other sizes: evaluate them one at a time")
        if c.taken != first.taken:
            raise UserError(
                f"{first.name} gives {first.taken} frames and {c.name} {c.taken}: choose --frames or --step for each run, "
                "such as --step 2,1"
            )
        if not math.isclose(c.rate, first.rate, rel_tol=CLOSE):
            raise UserError(
                f"{first.name} would show {first.rate:g} frames per second and {c.name} {c.rate:g} (fps in model.json, over "
                "--step): choose --step and --frames for each run, such as --step 2,1, or evaluate them one at a time"
            )
    if first.taken < 2:
        raise UserError("clips of one frame show no motion: choose --frames 2 or more, or a smaller --step")
    return out


def _each(option: str, numbers: Sequence[int], models: Mapping[str, VideoModel]) -> list[int]:
    if numbers and min(numbers) < 1:
        raise UserError(f"{option} must be 1 or more, not {min(numbers)}")
    if len(numbers) not in (0, 1, len(models)):
        raise UserError(f"{option} has {len(numbers)} numbers for {len(models)} runs: give one, or one per run")
    return list(numbers) * len(models) if len(numbers) == 1 else list(numbers)


def evaluate_unpaired(
    models: Mapping[str, VideoModel],
    real: Stream,
    out: Path | str,
    choices: Choices = Choices(),
    *,
    training: Stream | None = None,
    look_back: bool = True,
    judge: Judge | None = None,
    extractors: Sequence[Extractor] = (),
    describe: Extractor | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    say: Say | None = None,
) -> dict[str, Any]:
    """Write the folder ``out`` (``report.json``, ``report.html``, ``judge.safetensors``, films) and return the report.

    ``training`` are the clips that the models learnt from, when ``real`` are others. Without them ``real`` stand for both:
    the real row compares two halves that share no recording. ``look_back``: look for each video's nearest training clip.
    ``describe``: a 2-D extractor in whose features the content's distance is taken. Films play as fast as the models' videos.

    Raises:
        UserError: models, clips, attribute or judge do not go together, or ``out`` is something else than such a report.
    """
    out, say = Path(out), say or (lambda line: None)
    check_target(out, KIND, overwrite)
    rows = contenders(models, choices)
    attribute, values = _attribute(models, choices, judge)
    length, size, rate = rows[0].taken, next(iter(models.values())).spec.size, rows[0].rate
    say(f"reading real clips of {length} frames")
    clips, held = _real(real, training, choices, length, size)
    reference = clips if training is not None else halves(clips)[0]
    tested: list[Real] = held if isinstance(judge, ScriptJudge) else []
    if judge is None and attribute is not None:
        say(f"training a judge of {attribute}")
        judge, tested = educated(attribute, values, clips, None if training is None else held, choices.seed)
    for row in rows:
        say(f"{row.name}: {choices.count} videos")
        _generate(row, choices, attribute, values, reference)
    rows.append(Contender(REAL, None, length, videos=[c.frames for c in held]))
    _distances(rows, reference, extractors)
    _contents(rows, choices.content == "shapes", describe, (attribute, values), held)
    if judge is not None:
        _verdicts(rows, judge, tested, attribute, values)
    say("looking for the nearest training clips" if look_back else "writing")
    pairs = _nearest(rows, clips, training or real, training is not None, extractors) if look_back else {}
    report = {
        "format": FORMAT,
        "kind": KIND,
        "settings": dict(settings or {}) | asdict(choices) | {"real_clips": len(clips), "length": length},
        "hashes": hashes_of(None, [*extractors, *_others(describe, judge)]),
        "size": list(size),
        "attribute": attribute,
        "values": list(values),
        "judge": None if judge is None else asdict(judge.education),
        "training_apart": training is not None,
        "rows": [_told(row) for row in rows],
    }
    _write(out, report, rows, reference, pairs, rate, judge)
    return report


def _write(
    out: Path,
    report: dict[str, Any],
    rows: Sequence[Contender],
    reference: Sequence[Real],
    pairs: Mapping[str, Nearest],
    fps: float,
    judge: Judge | None,
) -> None:
    with atomic(out) as part:
        part.mkdir()
        if judge is not None and not isinstance(judge, ScriptJudge):
            judge.save(part / "judge.safetensors")
        films(part, report, rows, [c.frames for c in reference], pairs, fps)
        write_json(part / "report.json", report)
        write_unpaired(part / "report.html", report)


def _others(describe: Extractor | None, judge: Judge | None) -> list[Extractor]:
    """Networks of the user's own beside the extractors."""
    own = judge.network if isinstance(judge, ScriptJudge) else None
    return [e for e in (describe, own) if e is not None]


def _told(row: Contender) -> dict[str, Any]:
    kind = "real" if row.model is None else "model"
    made = {} if row.model is None else {"frames": row.frames, "step": row.step}
    return {
        "name": row.name,
        "kind": kind,
        "videos": len(row.videos),
        **made,
        "metrics": plain(row.metrics),
        **row.facts,
    }


def _attribute(
    models: Mapping[str, VideoModel], choices: Choices, judge: Judge | None
) -> tuple[str | None, tuple[str, ...]]:
    """The attribute that is asked for and its values: the option's, or the given judge's where a model knows it."""
    name = choices.attribute or (judge.education.attribute if judge else None) or None
    if name is None:
        return None, ()
    knowing = {run: m.spec.attributes[name] for run, m in models.items() if name in m.spec.attributes}
    if not knowing:
        if choices.attribute is None:
            return None, ()
        known = ", ".join(sorted({a for m in models.values() for a in m.spec.attributes})) or "none"
        raise UserError(f"no run can be asked for the attribute {name!r}; they know: {known}")
    first, values = next(iter(knowing.items()))
    for run, own in knowing.items():
        if own != values:
            raise UserError(f"{run} and {first} know other values of {name}: evaluate them one at a time")
    if len(values) < 2:
        raise UserError(
            f"{name} has one value only ({', '.join(values)}): there is nothing to ask for; choose another attribute"
        )
    if judge is not None and judge.classes and not set(values) <= set(judge.classes):
        raise UserError(
            f"the judge knows {', '.join(judge.classes)}, the runs {', '.join(values)}: pass another --judge"
        )
    return name, values


def _real(
    real: Stream, training: Stream | None, choices: Choices, length: int, size: tuple[int, int]
) -> tuple[list[Real], list[Real]]:
    """The real clips, and those that the real row stands for: of the training where given, otherwise one half of them."""
    clips = sample(checked(real(), length, size), choices.real, choices.seed, choices.group)
    if len(clips) < 2:
        raise UserError(f"there are {len(clips)} real clips of {length} frames, distances need 2 or more: add some")
    if training is None:
        return clips, halves(clips)[1]
    held = sample(checked(training(), length, size), choices.real, choices.seed, choices.group)
    if not held:
        raise UserError(f"there are no training clips of {length} frames: check the training's folder or slice")
    return clips, held


def _generate(
    row: Contender, choices: Choices, attribute: str | None, values: Sequence[str], real: Sequence[Real]
) -> None:
    model, count = row.model, choices.count
    assert model is not None
    asked: dict[str, tuple[str, ...]] = {}
    turn = 1
    known = model.spec.attributes
    wanted = [attribute] if attribute in known else []
    wanted += [a for a in known if "attributes" in model.needs and a != attribute]
    for name in wanted:  # each value in turn, and each combination
        assert name is not None
        asked[name] = tuple(known[name][i // turn % len(known[name])] for i in range(count))
        turn *= len(known[name])
    if attribute in known:
        row.asked = [i % len(values) for i in range(count)]
    context = None
    if "context" in model.needs:
        first = np.stack([real[i % len(real)].frames[:1] for i in range(count)])
        context = Clip(frames=torch.from_numpy(first).permute(0, 1, 4, 2, 3).contiguous())
    seeds = range(choices.seed, choices.seed + count)
    row.videos = list(noise.videos(model, seeds, row.frames, asked or None, context)[:, :: row.step])


# Figures --------------------------------------------------------------------------------------------------------------


def _distances(rows: Sequence[Contender], reference: Sequence[Real], extractors: Sequence[Extractor]) -> None:
    """Over as many clips as every row and the reference have, so that all figures of a column have one name."""
    number = min([len(reference), *(len(row.videos) for row in rows if row.videos)])
    for extractor in extractors:
        if extractor.dims == 3 and len(reference[0].frames) < extractor.length:
            raise UserError(
                f"the extractor {extractor.name} needs clips of {extractor.length} frames, these have "
                f"{len(reference[0].frames)}: choose more --frames, or leave it out"
            )
        real = np.concatenate([features_of(c.frames, extractor) for c in reference[:number]])
        for row in rows:
            if row.videos:
                fake = np.concatenate([features_of(v, extractor) for v in row.videos[:number]])
                row.metrics |= distribution_distance(real, fake, extractor.name, extractor.dims)


def _contents(
    rows: Sequence[Contender],
    shapes: bool,
    describe: Extractor | None,
    asked: tuple[str | None, Sequence[str]],
    held: Sequence[Real],
) -> None:
    """Does the content stay what it is: of shapes, and in the features of a network."""
    if shapes:
        _shapes(rows, *asked, held)
    if describe is not None:
        _described(rows, describe)


def _shapes(rows: Sequence[Contender], attribute: str | None, values: Sequence[str], held: Sequence[Real]) -> None:
    """Content distance; and where the attribute is a direction, the shape's way, which needs no judge."""
    for row in rows:
        if not row.videos:
            continue
        found = content_distance(row.videos)
        row.facts["content"] = asdict(found)
        for name, value in (("acd_valid", found.acd_valid), ("valid", found.valid), ("acd", found.acd)):
            row.metrics[name] = math.nan if value is None else value
    if attribute is None or not set(values) <= WAYS:
        return
    for row in rows:
        asked = row.asked if row.model is not None else [c.ids.get(attribute, -1) for c in held]
        known = [(v, k) for v, k in zip(row.videos, asked or (), strict=asked is not None) if k >= 0]
        if known:
            right = [way == values[k] for way, (_, k) in zip(directions([v for v, _ in known]), known, strict=True)]
            row.metrics[f"direction[{attribute}]"] = float(np.mean(right))


def _described(rows: Sequence[Contender], extractor: Extractor) -> None:
    """Content distance in the features of frames; nothing says which videos show anything at all."""
    for row in rows:
        if row.videos:
            found = content_distance(row.videos, described_by(extractor), lambda _: True)
            row.metrics[f"acd[{extractor.name}]"] = math.nan if found.acd is None else found.acd


def _verdicts(
    rows: Sequence[Contender], judge: Judge, tested: Sequence[Real], attribute: str | None, values: Sequence[str]
) -> None:
    """What the judge says of each model, and of real clips that it did not learn from."""
    name = judge.education.name
    places = [judge.classes.index(v) for v in values] if judge.classes else []
    for row in rows:
        videos = row.videos if row.model is not None else [c.frames for c in tested]
        if row.model is None and judge.education.accuracy is not None:
            row.metrics[f"mcs[{name}]"] = judge.education.accuracy
        if not videos:
            continue
        p = judge.probabilities(videos)
        asked = row.asked if row.model is not None else [c.ids.get(attribute or "", -1) for c in tested]
        known = [i for i, k in enumerate(asked or ()) if k >= 0] if places else []
        labels = [places[asked[i]] for i in known] if asked else []
        if labels:
            row.metrics.setdefault(f"mcs[{name}]", control_score(p[known], labels))
        row.metrics[f"inception[{name}]"] = inception_score(p)
        row.metrics[f"inter_entropy[{name}]"] = inter_entropy(p)
        row.metrics[f"intra_entropy[{name}]"] = intra_entropy(p)
        if labels and len(judge.classes) <= SHOWN:
            row.facts["verdicts"] = _confusion(labels, p[known].argmax(axis=1), len(judge.classes))


def _confusion(labels: Sequence[int], judged: np.ndarray, classes: int) -> list[list[int]]:
    """Counts, a row per class asked for and a column per class seen."""
    table = np.zeros((classes, classes), int)
    np.add.at(table, (np.asarray(labels), judged), 1)
    return table.tolist()


def _nearest(
    rows: Sequence[Contender],
    clips: Sequence[Real],
    pool: Stream,
    apart: bool,
    extractors: Sequence[Extractor] = (),
) -> dict[str, Nearest]:
    """The nearest training clip of each video and each real clip, in one pass over the training set for the pixels, and one
    for the features of each 2-D extractor; returned are those by pixels.

    ``apart``: the real clips are not of the training set. Otherwise a real clip's own recording is left out.
    """
    made = [row for row in rows if row.model is not None]
    height, width = clips[0].frames.shape[1:3]
    queries = [v for row in made for v in row.videos] + [c.frames for c in clips]
    groups: list[Any] = [None] * (len(queries) - len(clips)) + [None if apart else c.recording for c in clips]
    out: dict[str, Nearest] = {}
    for name, embed in {"pixels": pixels, **{e.name: features(e) for e in extractors if e.dims == 2}}.items():
        training = ((recording_of(item[0]), item[1]) for item in checked(pool(), len(clips[0].frames), (height, width)))
        found = nearest(queries, training, embed, groups)
        floor = found[len(queries) - len(clips) :]
        start = 0
        for row in made:
            own = found[start : start + len(row.videos)]
            start += len(row.videos)
            row.metrics[f"nearest_ratio[{name}]"] = nearest_ratio(own, floor)
            if embed is pixels:
                out[row.name] = own
                row.facts["nearest"] = _middle(own.distances)
        known = floor.distances[np.isfinite(floor.distances)]
        if len(known):
            rows[-1].metrics[f"nearest_ratio[{name}]"] = 1.0
            if embed is pixels:
                rows[-1].facts["nearest"] = _middle(known)
    return out


def _middle(distances: np.ndarray) -> dict[str, Any]:
    return plain({"median": float(np.median(distances)), "least": float(distances.min())})
