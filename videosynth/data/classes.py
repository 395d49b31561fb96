"""What a data set says about itself: ``dataset.yaml`` or ``classes.json`` in its folder or the folder above."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from videosynth.files import read_json
from videosynth.types import UserError

KEYS = ("classes", "colours", "void", "fps", "remap", "dense", "videos", "axes")
VOID = 255  # the usual id of pixels without a class

# Cityscapes' labelIds (0..33) to its 19 trainIds; the other labelIds are void.
CITYSCAPES = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15,
    31: 16, 32: 17, 33: 18,
}  # fmt: skip
CITYSCAPES_NAMES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip


class Dense(NamedTuple):
    """A type of dense maps: pictures of 1 or 3 channels; ``range`` are the values that become 0 and 1 (None: all that
    8, or of depth 16, bits can hold).
    """

    name: str
    channels: int = 1
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Classes:
    """Names, colours and count of the label classes; ``None`` and empty tuples where nothing is said.

    ``void`` is the id of pixels without a class. ``fps`` is in frames per second. ``remap`` are pairs of an id on disk and
    the id that is meant; ids on disk that it does not name are void. ``dense`` are types of dense maps beside ``depth``, or
    its range. ``videos`` (``strips`` or ``frames``) says what the pictures of a collection are, ``axes`` (such as ``TNHW``)
    the order of its arrays.
    """

    count: int | None = None
    names: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] = ()
    void: int | None = None
    fps: float | None = None
    file: Path | None = None
    remap: tuple[tuple[int, int], ...] = ()
    dense: tuple[Dense, ...] = ()
    videos: str | None = None
    axes: str | None = None

    def dense_type(self, name: str) -> Dense:
        """What is said of a type of dense maps, or how one is taken of which nothing is said."""
        return next((d for d in self.dense if d.name == name), Dense(name))


def read_classes(root: Path) -> Classes:
    """Read ``dataset.yaml``, else ``classes.json``, from ``root`` or its parent; without either everything is open.

    A damaged file, an unknown key or a value of the wrong kind is a :class:`UserError`.
    """
    for folder in (root, root.parent):
        if (folder / "dataset.yaml").is_file():
            return _from_yaml(folder / "dataset.yaml")
        if (folder / "classes.json").is_file():
            return _from_json(folder / "classes.json")
    return Classes()


def _from_yaml(path: Path) -> Classes:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML ({reason}): mend it") from None
    if data is None:
        return Classes(file=path)
    if not isinstance(data, dict):
        raise UserError(f"{path} must hold keys and values; the keys are {', '.join(KEYS)}")
    unknown = [str(key) for key in data if key not in KEYS]
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}; the keys are {', '.join(KEYS)}")
    classes = data.get("classes")
    names: tuple[str, ...] = ()
    count: int | None = None
    if isinstance(classes, list):
        names = tuple(str(name) for name in classes)
        count = len(names)
    elif isinstance(classes, int) and not isinstance(classes, bool) and classes >= 1:
        count = classes
    elif classes is not None:
        raise UserError(f"{path}: classes must be a list of names or a number of classes, not {classes!r}")
    colours = _colours(path, data.get("colours"))
    if colours and count is None:
        count = len(colours)
    if colours and count is not None and len(colours) != count:
        raise UserError(f"{path}: {len(colours)} colours for {count} classes: give one colour per class")
    void = data.get("void")
    if void is not None and (isinstance(void, bool) or not isinstance(void, int) or void < 0):
        raise UserError(f"{path}: void must be an id such as 255, not {void!r}")
    fps = data.get("fps")
    if fps is not None and (isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= 1000):
        raise UserError(f"{path}: fps must be frames per second such as 25, not {fps!r}")
    remap = _remap(path, data.get("remap"))
    if data.get("remap") == "cityscapes" and count is None:
        names, count = CITYSCAPES_NAMES, len(CITYSCAPES_NAMES)
    if remap and void is not None and void > 255:
        raise UserError(f"{path}: with remap, void must be an id up to 255, not {void}")
    if remap and void is None:
        void = VOID
    dense = _dense(path, data.get("dense"))
    videos, axes = _videos(path, data)
    rate = None if fps is None else float(fps)
    return Classes(count, names, colours, void, rate, path, remap, dense, videos, axes)


def _videos(path: Path, data: dict[str, Any]) -> tuple[str | None, str | None]:
    videos, axes = data.get("videos"), data.get("axes")
    if videos not in (None, "strips", "frames"):
        raise UserError(f"{path}: videos must be strips (a picture is a video) or frames (a folder is), not {videos!r}")
    letters = isinstance(axes, str) and len(set(axes)) == len(axes) and {"T", "H", "W"} <= set(axes) <= set("NTCHW")
    if axes is not None and not letters:
        raise UserError(f"{path}: axes must be the letters of the arrays' axes, such as TNHW or NTHWC, not {axes!r}")
    return videos, axes


def _remap(path: Path, value: Any) -> tuple[tuple[int, int], ...]:
    if value is None:
        return ()
    if value == "cityscapes":
        return tuple(CITYSCAPES.items())
    if not isinstance(value, dict) or not all(type(n) is int and 0 <= n <= 255 for pair in value.items() for n in pair):
        raise UserError(f"{path}: remap must be cityscapes, or ids on disk and what they mean such as {{7: 0, 8: 1}}")
    return tuple(value.items())


def _dense(path: Path, value: Any) -> tuple[Dense, ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise UserError(f"{path}: dense must name types of maps, such as {{normals: {{channels: 3}}}}, not {value!r}")
    found = []
    for name, facts in value.items():
        facts = {} if facts is None else facts
        if not isinstance(facts, dict) or set(facts) - {"channels", "range"}:
            raise UserError(f"{path}: dense: {name} takes channels and range, such as {{channels: 3, range: [0, 255]}}")
        channels, ends = facts.get("channels", 1), facts.get("range")
        if type(channels) is not int or channels not in (1, 3):
            raise UserError(f"{path}: dense: {name}: channels must be 1 (grey) or 3 (RGB), not {channels!r}")
        if ends is None:
            found.append(Dense(str(name), channels))
            continue
        numbers = isinstance(ends, list) and all(isinstance(n, int | float) and not isinstance(n, bool) for n in ends)
        if not numbers or len(ends) != 2 or ends[0] >= ends[1]:
            raise UserError(f"{path}: dense: {name}: range must be two rising numbers such as [0, 255], not {ends!r}")
        found.append(Dense(str(name), channels, (float(ends[0]), float(ends[1]))))
    return tuple(found)


def _colours(path: Path, value: Any) -> tuple[tuple[int, int, int], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise UserError(f"{path}: colours must be a list such as [[128, 64, 128], [0, 0, 142]], not {value!r}")
    colours: list[tuple[int, int, int]] = []
    for colour in value:
        if not (
            isinstance(colour, list) and len(colour) == 3 and all(type(c) is int and 0 <= c <= 255 for c in colour)
        ):
            raise UserError(f"{path}: a colour is three numbers 0..255 such as [128, 64, 128], not {colour!r}")
        colours.append((colour[0], colour[1], colour[2]))
    return tuple(colours)


def _from_json(path: Path) -> Classes:
    """``{"classes": [{"index", "name", "colour_rgb", "ignore"}]}``; the ignored index is void when it comes last."""
    data = read_json(path)
    try:
        rows = sorted(data["classes"], key=lambda row: int(row["index"]))
        kept = [row for row in rows if not row.get("ignore", False)]
        ignored = [int(row["index"]) for row in rows if row.get("ignore", False)]
        names = tuple(str(row["name"]) for row in kept)
        colours = tuple((int(r), int(g), int(b)) for r, g, b in (row["colour_rgb"] for row in kept))
        indices = [int(row["index"]) for row in kept]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            f'{path}: expected {{"classes": [{{"index": 0, "name": "Sky", "colour_rgb": [128, 128, 128]}}, ...]}}'
        ) from None
    if indices != list(range(len(indices))):
        raise UserError(f"{path}: the indices of the classes must be 0, 1, 2, ... with the ignored one last")
    return Classes(len(names), names, colours, ignored[0] if ignored else None, None, path)
