"""The page of videos from noise: samples that play, the nearest training clips, what the judge saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from videosynth.apps.evaluate import film, slug
from videosynth.apps.report import count, mark, row_styles, write_page
from videosynth.metrics.nearest import Nearest
from videosynth.video.sheets import grid

SIDE = 4  # clips along each side of a grid
PAIRS = 6
HEIGHT = 128  # pixels of a clip in a film, at least: small pictures lose their colours to the codec


class Row(Protocol):
    """What is asked of a row of the table."""

    name: str
    videos: list[np.ndarray]


def films(
    part: Path,
    report: dict[str, Any],
    rows: Sequence[Row],
    real: Sequence[np.ndarray],
    pairs: Mapping[str, Nearest],
    fps: float,
) -> None:
    """Write the films under ``part/media`` and say in the report's rows where they are (``samples``, ``pairs``)."""
    (part / "media").mkdir()
    for number, (row, told) in enumerate(zip(rows, report["rows"], strict=True)):
        name = f"media/{number:02d}-{slug(row.name)}"
        clips = list((row.videos if told["kind"] == "model" else list(real))[: SIDE**2])
        cells = [clips[i : i + SIDE] for i in range(0, len(clips), SIDE)]
        told["samples"] = film(part, f"{name}.mp4", tiled(cells), fps)
        found = pairs.get(row.name)
        if found is None:
            continue
        order = [int(i) for i in np.argsort(found.distances, kind="stable") if found.indices[i] >= 0][:PAIRS]
        if order:
            theirs = [found.videos[int(found.indices[i])] for i in order]
            told["pairs"] = film(part, f"{name}-nearest.mp4", tiled([[row.videos[i] for i in order], theirs]), fps)
            told["pair_distances"] = [float(f"{found.distances[i]:.4g}") for i in order]


def tiled(cells: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Rows of clips ``T H W 3`` that play at once, as frames; small ones are enlarged by a whole factor."""
    factor = max(1, round(HEIGHT / cells[0][0].shape[1]))

    def frame(t: int) -> np.ndarray:
        return grid([[c[t].repeat(factor, axis=0).repeat(factor, axis=1) for c in row] for row in cells])

    return [frame(t) for t in range(len(cells[0][0]))]


def write_unpaired(path: Path, report: Mapping[str, Any]) -> None:
    """Write the page of a report (the content of ``report.json``) beside its films."""
    rows = report["rows"]
    models = [r for r in rows if r["kind"] == "model"]
    videos = sum(r["videos"] for r in models)
    height, width = report["size"]
    length, clips = report["settings"]["length"], report["settings"]["real_clips"]
    summary = f"{count(videos, 'video')} from noise and {count(clips, 'real clip')}, {length} frames at {width}x{height} pixels"
    sections = [_samples(report), _pairs(report), _verdicts(report)]
    write_page(path, report, summary, [s for s in sections if s])


def _film(path: str, caption: str) -> str:
    poster = str(Path(path).with_suffix(".jpg"))
    return (
        f'<figure><video src="{escape(path)}" poster="{escape(poster)}" autoplay muted loop playsinline></video>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _section(title: str, notes: Sequence[str], content: str, films: bool = True) -> str:
    bar = '<div class="bar"><button type="button" data-films>Pause all</button></div>' if films else ""
    told = "".join(f'<p class="note">{n}</p>' for n in notes)
    return f"<section><h2>{title}</h2>{told}{bar}{content}</section>"


def _samples(report: Mapping[str, Any]) -> str:
    styles = row_styles(report["rows"])
    notes = ["The first videos of each model, not chosen, and real clips."]
    if report["attribute"] and any("verdicts" in r for r in report["rows"] if r["kind"] == "model"):
        values = ", ".join(report["values"])
        notes.append(escape(f"Row by row from the left they were asked for: {values}, and so on in turn."))
    figures = [
        _film(r["samples"], f'{mark(r["name"], styles)}<a href="{escape(r["samples"])}">{escape(r["name"])}</a>')
        for r in report["rows"]
    ]
    return _section("Samples", notes, f'<div class="films wide">{"".join(figures)}</div>')


def _pairs(report: Mapping[str, Any]) -> str:
    styles = row_styles(report["rows"])
    shown = [r for r in report["rows"] if "pairs" in r]
    if not shown:
        return ""
    notes = ["Above: the generated videos that come closest to training clips. Below: those clips."]
    floor = next((r["nearest"]["median"] for r in report["rows"] if r["kind"] == "real" and "nearest" in r), None)
    if floor is not None:
        where = "nearest training clip" if report["training_apart"] else "nearest clip of another recording"
        notes.append(f"A real clip has its {where} at {floor:.4g} (median).")
    figures = []
    for r in shown:
        distances = ", ".join(f"{d:.3g}" for d in r["pair_distances"])
        note = f"<small>at {distances}; median of all {r['nearest']['median']:.3g}</small>"
        figures.append(_film(r["pairs"], f"{mark(r['name'], styles)}{escape(r['name'])}{note}"))
    return _section("Nearest training clips", notes, f'<div class="films wide">{"".join(figures)}</div>')


def _verdicts(report: Mapping[str, Any]) -> str:
    """Per model how often each class was seen when each was asked for."""
    judge = report["judge"]
    if judge is None:
        return ""
    own = judge.get("file")
    note = f"The classifier {own}" if own else f"Trained on {count(judge['trained_on'], 'real clip')}"
    if judge["accuracy"] is not None:
        note += f", right on {judge['accuracy']:.1%} of {count(judge['held_out'], 'real clip')} held out"
    parts = []
    for row in report["rows"]:
        if "verdicts" not in row:
            continue
        head = "".join(f"<th>{escape(c)}</th>" for c in judge["classes"])
        body = "".join(
            f'<tr><th scope="row">{escape(c)}</th>{"".join(_share(n, sum(line)) for n in line)}</tr>'
            for c, line in zip(judge["classes"], row["verdicts"], strict=True)
        )
        asked = "asked for" if row["kind"] == "model" else "real"
        parts.append(
            f'<h3>{escape(row["name"])}</h3><div class="scroll"><table><thead><tr><th>{asked} ↓ seen →</th>{head}</tr>'
            f"</thead><tbody>{body}</tbody></table></div>"
        )
    name = escape(f"The judge of {judge['attribute']}" if judge["attribute"] else "The judge")
    return _section(name, [escape(f"{note}.")], "".join(parts), films=False)


def _share(n: int, total: int) -> str:
    return f"<td>{n / total:.0%}</td>" if total else "<td>–</td>"
