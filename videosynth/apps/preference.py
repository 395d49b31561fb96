"""A comparison of two models by people: an offline page with unlabelled pairs, and the reading of its votes."""

from __future__ import annotations

import base64
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from videosynth.apps.evaluate import check_target
from videosynth.files import atomic, read_json, write_json, write_text
from videosynth.types import UserError
from videosynth.video.write import write_video

FORMAT = 1
KIND = "videosynth preference"
VOTES = "videosynth preference votes"
ROUNDS = ("short", "whole")


def write_preference(
    out: Path | str,
    names: tuple[str, str],
    pairs: Iterable[tuple[str, np.ndarray, np.ndarray]],
    fps: float,
    *,
    seed: int = 0,
    seconds: float = 2.0,
    windows: int = 2,
    overwrite: bool = False,
) -> Path:
    """Write a folder with ``index.html`` for a human comparison of two models; returns the page's path.

    ``pairs`` gives for each sequence its name and the frames of the first and of the second model, uint8 T H W 3; they
    are taken one at a time. Each sequence is shown ``windows`` times for ``seconds`` (the short round, for the look of
    frames) and once at whole length (for coherence). Sides, order and windows are drawn with ``seed``; the page does
    not tell which model is which before the end, when the votes are saved as JSON for :func:`summarise`.

    Raises:
        UserError: two models of one name; no sequences; the models give frames of different number or size; ``out`` is
            no earlier comparison (unless ``overwrite``).
    """
    out = Path(out)
    check_target(out, KIND, overwrite, "trials.json")
    if names[0] == names[1]:
        raise UserError(f"both models are called {names[0]}: compare two different ones, or name them apart")
    rng = np.random.default_rng(seed)
    trials: list[dict[str, Any]] = []
    with atomic(out) as part:
        (part / "clips").mkdir(parents=True)
        for name, *films in pairs:
            if films[0].shape != films[1].shape:
                raise UserError(
                    f"sequence {name}: {names[0]} gives frames {films[0].shape}, {names[1]} {films[1].shape}: "
                    "compare models that give as many frames of one size"
                )
            for round_name, start, stop in _parts(len(films[0]), fps, seconds, windows, rng):
                trial = {"id": len(trials), "sequence": name, "round": round_name, "from": start, "to": stop}
                left = int(rng.integers(2))
                for side, which in (("left", left), ("right", 1 - left)):
                    write_video(part / f"clips/{trial['id']:03d}-{side}.mp4", films[which][start:stop], fps, crf=12)
                trials.append({**trial, "left": "ab"[left]})
        if not trials:
            raise UserError("there are no sequences to compare: check the data folder and the chosen split")
        order = [t for name in ROUNDS for t in _shuffled([t for t in trials if t["round"] == name], rng)]
        comparison = {
            "format": FORMAT,
            "kind": KIND,
            "a": names[0],
            "b": names[1],
            "seed": seed,
            "fps": fps,
            "trials": order,
        }
        write_json(part / "trials.json", comparison)
        write_text(part / "index.html", _page(comparison))
    return out / "index.html"


def _parts(
    length: int, fps: float, seconds: float, windows: int, rng: np.random.Generator
) -> list[tuple[str, int, int]]:
    """(round, first frame, frame after the last) of a sequence: short windows in equal shares of it, then all of it."""
    short = max(1, min(round(seconds * fps), length // 2))
    room = length - short + 1
    edges = np.linspace(0, room, windows + 1).astype(int)
    starts = sorted({int(rng.integers(low, max(high, low + 1))) for low, high in itertools.pairwise(edges)})
    return [("short", s, s + short) for s in starts] + [("whole", 0, length)]


def _shuffled(trials: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    return [trials[i] for i in rng.permutation(len(trials))]


def _page(comparison: Mapping[str, Any]) -> str:
    template = Template((resources.files("videosynth.apps") / "preference.html").read_text(encoding="utf-8"))
    # Encoded, so that a glance at the page's source does not tell a voter which side is which.
    data = base64.b64encode(json.dumps(dict(comparison)).encode()).decode()
    return template.substitute(title=escape("Which video looks more real?"), data=data, format=FORMAT, votes=VOTES)


# Votes ----------------------------------------------------------------------------------------------------------------


def wilson(wins: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share: where the true share of ``wins`` in ``n`` lies (95 % for z = 1.96).

    (0, 1) when nobody voted. ValueError unless 0 <= wins <= n.
    """
    if not 0 <= wins <= n:
        raise ValueError(f"{wins} wins out of {n} votes are impossible")
    if n == 0:
        return 0.0, 1.0
    share = wins / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def summarise(votes: str | Path | Sequence[str | Path]) -> dict[str, Any]:
    """Add up one or several votes files of one comparison.

    Gives ``a`` and ``b`` (names), ``voters``, and for ``short``, ``whole`` and ``all`` the ``votes``, ``wins`` of a,
    ``skipped``, the ``share`` of a (None without votes) and its Wilson interval ``low`` and ``high``.

    Raises:
        UserError: a file is no votes file, is damaged, or belongs to another comparison.
    """
    paths = [Path(votes)] if isinstance(votes, (str, Path)) else [Path(p) for p in votes]
    if not paths:
        raise UserError("no votes files: name at least one")
    files = [_read_votes(path) for path in paths]
    first = files[0]
    for path, other in zip(paths, files):
        if any(other[key] != first[key] for key in ("a", "b", "seed")):
            raise UserError(f"{path} belongs to another comparison than {paths[0]}: add up votes of one page only")
    every = [vote for file in files for vote in file["votes"]]
    result: dict[str, Any] = {"a": first["a"], "b": first["b"], "voters": len(files)}
    for name in (*ROUNDS, "all"):
        choices = [v["choice"] for v in every if name in ("all", v["round"])]
        wins, n = choices.count("a"), choices.count("a") + choices.count("b")
        low, high = wilson(wins, n)
        result[name] = {
            "votes": n,
            "wins": wins,
            "skipped": choices.count("skip"),
            "share": wins / n if n else None,
            "low": low,
            "high": high,
        }
    return result


def _read_votes(path: Path) -> dict[str, Any]:
    data = read_json(path)
    if not isinstance(data, dict) or data.get("kind") != VOTES:
        raise UserError(f"{path} is no votes file: choose the JSON file that the comparison page saved")
    if data.get("format") != FORMAT:
        raise UserError(f"{path} has the format {data.get('format')}, not {FORMAT}: use a newer videosynth")
    votes = data.get("votes")
    whole = {"a", "b", "seed"} <= data.keys() and isinstance(votes, list)
    if not whole or not all(
        isinstance(v, dict) and v.get("choice") in ("a", "b", "skip") and v.get("round") in ROUNDS for v in votes or ()
    ):
        raise UserError(f"{path} is damaged: save the votes again")
    return data
