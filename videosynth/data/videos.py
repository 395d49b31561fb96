"""A collection: a folder of videos without maps, in whatever files they come.

| found | read as |
|---|---|
| pictures, one of them 3 times as long as wide or longer | strips: each a video or an error, see :mod:`videosynth.data.strips` |
| other pictures | frames: the pictures of a folder are a video |
| video files | a video each |
| ``.npy``, ``.npz`` | one or many videos each, see :mod:`videosynth.data.arrays` |

Videos in folders of the root have these folders' names as their ``class``; ``labels.json`` says more.
``videos: strips`` or ``videos: frames`` in ``dataset.yaml`` decides how pictures are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from videosynth.data.arrays import ArrayVideos
from videosynth.data.attributes import CLASS, LABELS, Values, read_labels
from videosynth.data.classes import Classes
from videosynth.data.decode import ARRAYS, VIDEOS, Decoder, FrameRef
from videosynth.data.index import Sequence
from videosynth.data.strips import is_picture, is_strip, strip_length
from videosynth.types import UserError
from videosynth.video.images import image_size, natural_key

PACKED = (".zip", ".tar", ".gz", ".tgz", ".7z")
LOOKED_AT = 8  # pictures of a folder whose shapes decide whether they are strips


class Collection(NamedTuple):
    """``layout`` names what was found; ``faults`` are the files that cannot be used, one line each; ``fps`` is what
    ``labels.json`` says.
    """

    layout: str
    sequences: tuple[Sequence, ...]
    faults: tuple[str, ...]
    fps: float | None


class _Files(NamedTuple):
    pictures: dict[Path, list[Path]]  # by folder
    videos: list[Path]
    arrays: list[Path]


def collect(root: Path, classes: Classes) -> Collection | None:
    """The collection under ``root`` (a folder, or one file of videos); None where there are no videos at all.

    Raises:
        UserError: ``labels.json`` cannot be used.
    """
    files = _walk(root)
    if not (files.pictures or files.videos or files.arrays):
        return None
    strips = classes.videos == "strips" or (classes.videos is None and _strips(files.pictures))
    top = root if root.is_dir() else root.parent
    labels, fps = read_labels(top)
    sequences: list[Sequence] = []
    faults: list[str] = []
    kinds = {"strips" if strips else "frames": bool(files.pictures)}
    kinds |= {"video files": bool(files.videos), "arrays": bool(files.arrays)}
    for entry, make in _makers(root, files, strips, classes):
        try:
            found = make()
        except UserError as error:
            faults.append(str(error))
            continue
        for name, refs, own in found:
            place = entry.relative_to(top)
            values = {CLASS: place.parts[0]} if len(place.parts) > 1 else {}
            values |= own
            for key in (place.as_posix(), name):
                values |= labels.get(key, {})
            sequences.append(Sequence(name, stems(len(refs)), {"images": refs}, attributes=values))
    named = [kind for kind, there in kinds.items() if there]
    ordered = sorted(sequences, key=lambda s: natural_key(s.name))
    missing = _missing(root, labels, sequences, faults)
    if not sequences:
        faults += [f"{p} is packed: unpack it" for p in sorted(top.iterdir()) if p.suffix.lower() in PACKED]
    return Collection(f"collection of {' and '.join(named)}", tuple(ordered), (*faults, *missing), fps)


_Found = list[tuple[str, tuple[FrameRef, ...], Values]]  # name, frames, attributes of one file's videos


def _makers(root: Path, files: _Files, strips: bool, classes: Classes) -> Iterator[tuple[Path, _Make]]:
    top = root if root.is_dir() else root.parent
    for folder, pictures in files.pictures.items():
        if strips or (classes.videos is None and len(pictures) == 1):
            for path in pictures:
                yield path, _Make("strip", path, _name(path, top))
        else:
            name = folder.relative_to(top).as_posix() if folder != top else root.resolve().name
            yield folder, _Make("frames", folder, name, tuple(pictures))
    for path in files.videos:
        yield path, _Make("video", path, _name(path, top))
    for path in files.arrays:
        yield path, _Make("array", path, _name(path, top), (), classes.axes)


class _Make(NamedTuple):
    """How the videos of one file or folder are found; calling it reads headers only."""

    kind: str
    path: Path
    name: str
    pictures: tuple[Path, ...] = ()
    axes: str | None = None

    def __call__(self) -> _Found:
        if self.kind == "frames":
            return [(self.name, tuple(FrameRef(p) for p in self.pictures), {})]
        if self.kind == "strip":
            return [(self.name, _whole(self.path, strip_length(self.path)), {})]
        if self.kind == "video":
            return [(self.name, _whole(self.path, Decoder().length(self.path)), {})]
        file = ArrayVideos(self.path, self.axes)
        length = file.length
        if file.single:
            return [(self.name, _whole(self.path, length), {})]
        return [
            (
                f"{self.name}/{n:05d}",
                tuple(FrameRef(self.path, n * length + t) for t in range(length)),
                file.attributes(n),
            )
            for n in range(file.count)
        ]


def _whole(path: Path, length: int) -> tuple[FrameRef, ...]:
    return tuple(FrameRef(path, i) for i in range(length))


def _name(path: Path, top: Path) -> str:
    return path.relative_to(top).with_suffix("").as_posix()


@lru_cache(maxsize=4096)
def stems(count: int) -> tuple[str, ...]:
    """``"0", "1", ...``: thousands of videos of one length share them."""
    return tuple(str(i) for i in range(count))


def _walk(root: Path) -> _Files:
    files = _Files({}, [], [])
    stack = [root]
    while stack:
        entry = stack.pop()
        ending = entry.suffix.lower()
        if entry.is_dir():
            inside = [p for p in entry.iterdir() if not p.name.startswith(".")]
            stack += sorted(inside, key=lambda p: natural_key(p.name), reverse=True)
        elif ending in VIDEOS:
            files.videos.append(entry)
        elif ending in ARRAYS:
            files.arrays.append(entry)
        elif entry.name != LABELS and entry != root and is_picture(entry):
            files.pictures.setdefault(entry.parent, []).append(entry)
    return files


def _strips(pictures: dict[Path, list[Path]]) -> bool:
    """Whether pictures are strips: decided once for all of a collection."""
    for paths in pictures.values():
        for path in paths[:LOOKED_AT]:
            try:
                if is_strip(image_size(path)):
                    return True
            except UserError:
                continue  # named later, when its frames are counted
    return False


def _missing(root: Path, labels: dict[str, Values], sequences: list[Sequence], faults: list[str]) -> list[str]:
    """Labels that belong to no video: nearly always a wrong path, which would silently leave all videos unknown."""
    if not sequences or faults or not root.is_dir():
        return []
    unknown = unknown_names(root, labels, sequences)
    if len(unknown) < max(1, len(labels)):
        return []
    return [f"{root / LABELS} names {unknown[0]} but no video of that name is here: give paths relative to {root}"]


def unknown_names(root: Path, labels: Iterable[str], sequences: Iterable[Sequence]) -> list[str]:
    """Names of ``labels.json`` that are neither a video's nor that of its file (or first frame)."""
    known: set[str] = set()
    for sequence in sequences:
        known.add(sequence.name)
        known |= {r.path.relative_to(root).as_posix() for r in sequence.frames["images"][:1] if r is not None}
    return [name for name in labels if name not in known]
