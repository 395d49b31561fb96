"""The page of an evaluation: one self-contained folder that opens anywhere, without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from videosynth.apps.charts import Line, line_chart
from videosynth.files import write_text
from videosynth.metrics.meanings import meaning

ARROWS = {"higher": "↑", "lower": "↓", "one": "→\u00a01", "zero": "→\u00a00"}
DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "one": "the nearer to 1 the better",
    "zero": "the nearer to 0 the better",
}
CURVES = ("psnr", "ssim", "perceptual", "warping_error", "gradient_ratio")


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write the page of a report (the content of ``report.json``) beside its media."""
    rows, sequences = report["rows"], report["sequences"]
    styles = row_styles(rows)
    frames = sum(s["frames"] for s in sequences)
    size = " and ".join(sorted({f"{s['size'][1]}x{s['size'][0]}" for s in sequences}))
    summary = f"{count(frames, 'frame')} in {count(len(sequences), 'sequence')} at {size} pixels"
    write_page(path, report, summary, [sequence(s, rows, styles, len(sequences) > 1) for s in sequences])


def write_page(path: Path, report: Mapping[str, Any], summary: str, sections: Sequence[str]) -> None:
    """Write a page: what was measured, the table of all rows, sections of its own (HTML), how it was measured.

    ``report`` has ``rows`` (with ``name``, ``kind`` and ``metrics``), ``settings`` and ``hashes``.
    """
    template = Template((resources.files("videosynth.apps") / "report.html").read_text(encoding="utf-8"))
    rows = report["rows"]
    styles = row_styles(rows)
    models = [r["name"] for r in rows if r["kind"] == "model"]
    write_text(
        path,
        template.substitute(
            title=escape(" and ".join(models) or "Baselines"),
            summary=escape(summary),
            legend=legend(rows, styles),
            table=table(rows, styles),
            meanings=meanings(rows),
            sections="".join(sections),
            details=details(report),
        ),
    )


def count(n: int, noun: str) -> str:
    """``1 frame``, ``2,000 frames``."""
    return f"{n} {noun}" if n == 1 else f"{n:,} {noun}s"


def row_styles(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A style class per row: models m0, m1, ... in strong colours, baselines b0, ... dashed, ``real`` in ink."""
    numbers = {"model": 0, "baseline": 0}
    styles = {}
    for row in rows:
        if row["kind"] == "real":
            styles[row["name"]] = "real"
        else:
            styles[row["name"]] = f"{row['kind'][0]}{numbers[row['kind']] % 6}"
            numbers[row["kind"]] += 1
    return styles


def _metrics(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All metrics in the order of the first row that has them."""
    return list(dict.fromkeys(name for row in rows for name in row["metrics"]))


def mark(name: str, styles: Mapping[str, str]) -> str:
    """The coloured line that stands for a row."""
    return f'<i class="key {styles[name]}"></i>'


def legend(rows: Sequence[Mapping[str, Any]], styles: Mapping[str, str]) -> str:
    return "".join(f"<span>{mark(r['name'], styles)}{escape(r['name'])}</span>" for r in rows)


def _best(rows: Sequence[Mapping[str, Any]], metric: str) -> set[str]:
    """Names of the rows with the best value, where rows differ and it tells; the real video is the yardstick, no contender."""
    if not meaning(metric).tells:
        return set()
    values = {r["name"]: r["metrics"].get(metric) for r in rows if r["kind"] != "real"}
    known = {name: meaning(metric).badness(v) for name, v in values.items() if v is not None}
    return (
        {name for name, bad in known.items() if bad == min(known.values())} if len(set(known.values())) > 1 else set()
    )


def table(rows: Sequence[Mapping[str, Any]], styles: Mapping[str, str]) -> str:
    """All rows side by side, the best value of each column marked."""
    metrics = _metrics(rows)
    head = []
    for name in metrics:
        m = meaning(name)
        detail = name[name.index("[") + 1 : -1] if "[" in name else ""
        sub = f"<small>{escape(detail.replace(',', ', '))}</small>" if detail else ""
        tip = escape(f"{m.text} ({DIRECTIONS[m.better]})")
        head.append(f'<th title="{tip}">{escape(m.label)}&nbsp;<b class="way">{ARROWS[m.better]}</b>{sub}</th>')
    best = {name: _best(rows, name) for name in metrics}
    body = []
    for row in rows:
        cells = [_cell(row, name, row["name"] in best[name]) for name in metrics]
        label = f'<th scope="row">{mark(row["name"], styles)}{escape(row["name"])}</th>'
        body.append(f'<tr class="{row["kind"]}">{label}{"".join(cells)}</tr>')
    return f"<table><thead><tr><th></th>{''.join(head)}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _cell(row: Mapping[str, Any], name: str, best: bool) -> str:
    value, m = row["metrics"].get(name), meaning(name)
    if value is None or (row["kind"] == "real" and name == "psnr"):
        return "<td>–</td>"
    text = f"{value:.{m.digits}f}".replace("-", "−")
    return f'<td class="best">{text}</td>' if best else f"<td>{text}</td>"


def meanings(rows: Sequence[Mapping[str, Any]]) -> str:
    """The legend of the metrics, each base metric once."""
    seen = {name.split("[")[0]: name for name in reversed(_metrics(rows))}
    items = []
    for name in reversed(seen.values()):
        m = meaning(name)
        items.append(f"<dt>{escape(m.label)} <em>{DIRECTIONS[m.better]}</em></dt><dd>{escape(m.text)}</dd>")
    return f"<dl>{''.join(items)}</dl>"


def sequence(
    info: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], styles: Mapping[str, str], several: bool
) -> str:
    """Videos, contact sheet, curves and (when there are several sequences) the own table of one sequence."""
    name = info["name"]
    films = []
    if "maps" in info["media"]:
        films.append(_film(info["media"]["maps"], "driving maps", ""))
    for row in rows:
        entry = row["sequences"][name]
        speed = entry.get("frames_per_second")
        note = f"<small>{speed:,.{0 if speed >= 100 else 1}f} frames/s</small>" if speed else ""
        films.append(_film(entry["video"], row["name"], mark(row["name"], styles), note))
    parts = [
        f"<section><h2>{escape(name)}</h2>",
        f'<p class="note">{count(info["frames"], "frame")} at {info["size"][1]}x{info["size"][0]}</p>',
        '<div class="bar"><button type="button" data-films>Play all in step</button></div>',
        f'<div class="films">{"".join(films)}</div>',
        "<h3>Frames</h3>",
        f'<p class="note">From top to bottom: frames {escape(", ".join(map(str, info["sheet_frames"])))}.</p>',
        f'<a href="{escape(info["sheet"])}"><img class="sheet" src="{escape(info["sheet"])}" '
        f'alt="Contact sheet of {escape(name)}" loading="lazy"></a>',
        "<h3>Frame by frame</h3>",
        f'<div class="charts">{"".join(_charts(name, rows, styles))}</div>',
    ]
    if several:
        own = [{**row, "metrics": row["sequences"][name]["metrics"]} for row in rows]
        parts.append(f'<h3>Figures of this sequence</h3><div class="scroll">{table(own, styles)}</div>')
    return "".join([*parts, "</section>"])


def _film(path: str, label: str, mark: str, note: str = "") -> str:
    poster = str(Path(path).with_suffix(".jpg"))
    return (
        f'<figure><video src="{escape(path)}" poster="{escape(poster)}" muted loop playsinline preload="metadata">'
        f'</video><figcaption>{mark}<a href="{escape(path)}">{escape(label)}</a>{note}</figcaption></figure>'
    )


def _charts(name: str, rows: Sequence[Mapping[str, Any]], styles: Mapping[str, str]) -> list[str]:
    charts = []
    metrics = dict.fromkeys(m for row in rows for m in row["sequences"][name]["curves"])
    for metric in metrics:
        if metric.split("[")[0] not in CURVES:
            continue
        m = meaning(metric)
        curves = [(row, row["sequences"][name]["curves"].get(metric, ())) for row in rows]
        # The real video's distance to itself says nothing; only where it has a value of its own is it drawn.
        drawn = [
            Line(row["name"], styles[row["name"]], values)
            for row, values in reversed(curves)
            if row["kind"] != "real" or metric in ("warping_error", "gradient_ratio")
        ]
        svg = line_chart(drawn, f"{m.label} per frame", start=1 if metric.startswith("warping") else 0)
        if svg:
            charts.append(f"<figure><figcaption>{escape(m.label)} {ARROWS[m.better]}</figcaption>{svg}</figure>")
    return charts


def details(report: Mapping[str, Any]) -> str:
    """Everything needed to repeat the evaluation."""
    parts = []
    for title, key in (("Settings", "settings"), ("Hashes", "hashes")):
        if report[key]:
            items = "".join(
                f"<tr><th>{escape(str(k))}</th><td>{escape(_text(v))}</td></tr>" for k, v in report[key].items()
            )
            parts.append(f'<h3>{title}</h3><div class="scroll"><table class="plain">{items}</table></div>')
    return "".join(parts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
