"""What is known of a video besides its frames: the class of its folder, and the fields of ``labels.json``.

Values are words; a :class:`~videosynth.types.DataSpec` lists the words of each attribute, and the index is the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from videosynth.files import read_json
from videosynth.types import DataSpec, UserError

CLASS = "class"
LABELS = "labels.json"
MOST = 64  # values of a field; one with more is a description or a measurement, not an attribute
_SMALL = range(MOST)  # whole numbers beyond are measurements too
_SHAPE = (
    'expected {"1/a.png": "run"}, {"1/a.png": {"action": "run"}}, or a list of {"file": "1/a.png", "action": "run"}'
)

Values = dict[str, str]


class Labels(NamedTuple):
    """``videos``: file (or video) name -> attribute -> value. ``fps``: frames per second, where it is said."""

    videos: dict[str, Values]
    fps: float | None = None


def read_labels(root: Path) -> Labels:
    """``labels.json``; nothing without the file.

    Fields that are neither words, truth values nor whole numbers of 0 to 63 (in every record) are left out.

    Raises:
        UserError: the file is damaged or has another form.
    """
    path = root / LABELS
    if not path.is_file():
        return Labels({})
    data: Any = read_json(path)
    fps = None
    if isinstance(data, dict) and isinstance(data.get("videos"), list):
        told = data.get("fps")
        fps = float(told) if isinstance(told, int | float) and 0 < told <= 1000 else None
        data = data["videos"]
    if isinstance(data, list):
        if not all(isinstance(row, dict) and isinstance(row.get("file"), str) for row in data):
            raise UserError(f"{path}: {_SHAPE}")
        rows = {row["file"]: {k: v for k, v in row.items() if k != "file"} for row in data}
    elif isinstance(data, dict):
        rows = {str(k): v if isinstance(v, dict) else {CLASS: v} for k, v in data.items() if k != "format"}
    else:
        raise UserError(f"{path}: {_SHAPE}")
    unusable = {k for fields in rows.values() for k, v in fields.items() if v is not None and _word(v) is None}
    videos = {
        name.removeprefix("./"): {k: w for k, v in fields.items() if k not in unusable and (w := _word(v)) is not None}
        for name, fields in rows.items()
    }
    return Labels(videos, fps)


def _word(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value in _SMALL else None
    return value if isinstance(value, str) and value else None


def vocabularies(videos: Sequence[Values]) -> dict[str, tuple[str, ...]]:
    """The values of each attribute: sorted, numbers by size. ``class`` always; others with at most 64 values and fewer
    than there are videos.
    """
    found: dict[str, set[str]] = {}
    for values in videos:
        for name, value in values.items():
            found.setdefault(name, set()).add(value)
    kept = (n for n, words in found.items() if n == CLASS or (len(words) <= MOST and len(words) < len(videos)))
    return {name: in_order(found[name]) for name in sorted(kept, key=lambda n: n != CLASS)}


def in_order(words: Iterable[str]) -> tuple[str, ...]:
    """Sorted; whole numbers by size."""
    words = list(words)
    numbers = all(w.isdecimal() and w.isascii() for w in words)
    return tuple(sorted(words, key=lambda w: (int(w) if numbers else 0, w)))


def ids(values: Values, spec: DataSpec) -> dict[str, int]:
    """The ids of a video's values; -1 where the value is unknown to the spec, or nothing is said."""
    return {
        name: words.index(values[name]) if values.get(name) in words else -1 for name, words in spec.attributes.items()
    }


def only_attributes(spec: DataSpec, names: Sequence[str]) -> DataSpec:
    """The spec with some of its attributes, in its own order.

    Raises:
        UserError: a name that the data has no attribute of.
    """
    for name in names:
        if name not in spec.attributes:
            known = ", ".join(spec.attributes) or "none"
            raise UserError(
                f"data.attributes: there is no usable attribute {name!r}; the data has {known} (an attribute has at most "
                f"{MOST} values, fewer than there are videos)"
            )
    return replace(spec, attributes={k: v for k, v in spec.attributes.items() if k in names})
