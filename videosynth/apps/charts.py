"""Line charts as inline SVG: no library, no script, colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 230
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 10, 30


@dataclass(frozen=True)
class Line:
    """One curve: values per frame (None where there is none) and the style class that colours it."""

    name: str
    style: str
    values: Sequence[float | None]


def line_chart(lines: Sequence[Line], title: str, start: int = 0) -> str:
    """An ``<svg>`` of all lines over the frame number, the first value standing at frame ``start``."""
    points = [v for line in lines for v in line.values if v is not None]
    longest = max((len(line.values) for line in lines), default=0)
    if not points or longest < 2:
        return ""
    ticks = _ticks(min(points), max(points))
    low, high = ticks[0], ticks[-1]

    def x(i: float) -> float:
        return LEFT + i / (longest - 1) * (WIDTH - LEFT - RIGHT)

    def y(v: float) -> float:
        return TOP + (high - v) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{_short(tick)}</text>')
    for i in _frames(longest):
        anchor = "start" if i == 0 else "end" if i == longest - 1 else "middle"
        parts.append(f'<text x="{x(i):.1f}" y="{HEIGHT - 10}" text-anchor="{anchor}">{start + i}</text>')
    for line in lines:
        for stretch in _stretches(line.values):
            path = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in stretch)
            parts.append(
                f'<polyline class="{line.style}" points="{path}"><title>{escape(line.name)}</title></polyline>'
            )
    parts.append("</svg>")
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Four to six round numbers that enclose the values."""
    if high - low < 1e-12:
        margin = abs(high) * 0.1 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / 4
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * m for m in (1, 2, 2.5, 5, 10) if base * m >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def _short(value: float) -> str:
    return f"{value:.4g}" if value else "0"


def _frames(count: int) -> list[int]:
    """At most six frame numbers to write below the axis, first and last among them."""
    return sorted({round(i * (count - 1) / min(5, count - 1)) for i in range(min(5, count - 1) + 1)})


def _stretches(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Runs of present values: a line is broken where a frame has none."""
    runs: list[list[tuple[int, float]]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((i, value))
    return [run for run in runs if len(run) > 1]
