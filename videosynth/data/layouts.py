"""Recognise how a data set lies on disk and index it.

| layout | folders |
|---|---|
| videosynth | ``<root>/<type>/<sequence>/<frame>``, types ``images labels instances depth landmarks poses flow`` |
| NVIDIA/vid2vid | ``train_A`` (labels), ``train_B`` (images), ``train_inst`` (instances), sequences below |
| imaginaire | ``images seg_maps instance_maps depth_maps-*`` ..., sequences below |
| sequence first | ``<root>/<sequence>/<type>/<frame>`` |

A single sequence may leave its level out; a type may be one video file per sequence. Frames match by stem.
A folder with none of these, but with videos, is a collection without maps, see :mod:`videosynth.data.videos`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from videosynth.data.classes import Classes, read_classes
from videosynth.data.decode import ARRAYS, VIDEOS, Decoder, FrameRef
from videosynth.data.index import Index, Sequence, some
from videosynth.data.videos import collect
from videosynth.types import UserError
from videosynth.video.images import IMAGE_SUFFIXES, natural_key

POINTS = (".json", ".txt", ".npy", ".npz")
FLOWS = (".flo", ".npy", ".png")

TYPES = ("images", "labels", "instances", "depth", "landmarks", "poses", "flow")

_OWN = {**{t: t for t in TYPES}, "masks": "labels"}
_IMAGINAIRE = {
    "images": "images",
    "seg_maps": "labels",
    "instance_maps": "instances",
    "human_instance_maps": "instances",
    "depth_maps": "depth",
    "landmarks": "landmarks",
    "poses": "poses",
}
_NVIDIA = {
    "A": "labels",
    "B": "images",
    "inst": "instances",
    "img": "images",
    "keypoints": "landmarks",
    "openpose": "poses",
}

Found = dict[str, Path]


def _entries(folder: Path) -> list[Path]:
    return sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: natural_key(p.name))


def _types(folder: Path, phase: str, dense: Collection[str]) -> tuple[str, Found]:
    """The layout's name and the data types found directly in a folder; ("", {}) when there are none. ``dense``: types that
    the data set names beside the known ones.
    """
    own: Found = {}
    imaginaire: Found = {}
    nvidia: Found = {}
    foreign = False
    for entry in _entries(folder):
        if entry.is_dir():
            name = entry.name
        elif entry.suffix.lower() in VIDEOS:
            name = entry.stem
        else:
            continue
        if name in dense:
            for layout in (own, imaginaire):
                layout.setdefault(name, entry)
        elif name in _OWN:
            own.setdefault(_OWN[name], entry)
        base = name.partition("-")[0]
        if base in _IMAGINAIRE:
            imaginaire.setdefault(_IMAGINAIRE[base], entry)
            foreign = foreign or name not in _OWN
        head, _, tail = name.rpartition("_")
        if head == phase and tail in _NVIDIA:
            nvidia.setdefault(_NVIDIA[tail], entry)
        elif head == phase and tail in dense:
            nvidia.setdefault(tail, entry)
    if nvidia:
        return "NVIDIA/vid2vid", nvidia
    if foreign:
        return "imaginaire", imaginaire
    return ("videosynth", own) if own else ("", {})


def index_folder(root: Path | str, phase: str = "train", needs: Collection[str] = ()) -> Index:
    """Index a data set. ``phase`` chooses among ``train_A``, ``test_A``, ... in NVIDIA's layout.

    A frame is kept when all types have it, or, where ``needs`` names types, when those have it. A missing or empty
    folder, an unknown layout or a data set without a single frame is a :class:`UserError`.
    """
    index = scan_folder(root, phase, needs)
    if index.faults:
        more = len(index.faults) - 1
        raise UserError(index.faults[0] + (f" ({more} more: see `videosynth check {index.root}`)" if more else ""))
    kept = tuple(s for s in index.sequences if len(s))
    if not kept:
        raise UserError(
            f"{index.root}: no frame has all of {', '.join(index.types)}: give the files of a frame the same name; "
            f"see `videosynth check {index.root}`"
        )
    return replace(index, sequences=kept)


def scan_folder(root: Path | str, phase: str = "train", needs: Collection[str] = ()) -> Index:
    """:func:`index_folder` that keeps sequences of which no frame is complete, for a report on them."""
    root = Path(root)
    if not root.exists():
        raise UserError(f"{root} does not exist: give the folder of a data set")
    one = root.is_file() and root.suffix.lower() in (*VIDEOS, *ARRAYS)
    if not root.is_dir() and not one:
        raise UserError(f"{root} is a file: give the folder of a data set")
    classes = read_classes(root)
    if one:
        return _collection(root, classes) or Index(root, "", ())
    dense = [d.name for d in classes.dense]
    known = [t for t in TYPES if t != "depth"]
    wrong = next((name for name in dense if name in known), None)
    if wrong is not None:
        raise UserError(f"{classes.file}: dense: {wrong} is a type of its own: choose another name for dense maps")
    layout, found = _types(root, phase, dense)
    if found:
        sequences = _sequences(root.resolve().name, found, needs)
    else:
        layout = "sequence first"
        sequences = []
        for folder in (e for e in _entries(root) if e.is_dir()):
            _, inner = _types(folder, phase, dense)
            found = found or inner
            for sequence in _sequences("", inner, needs):
                name = f"{folder.name}/{sequence.name}" if sequence.name else folder.name
                sequences.append(replace(sequence, name=name))
    if not sequences:
        # Whoever needs maps is told that there are none, not that a picture of theirs is no strip.
        maps = found or _phases(root) or not set(needs) <= {"images"}
        index = None if maps else _collection(root, classes)
        if index is None:
            raise UserError(_unknown(root, found))
        return index
    return Index(root, layout, tuple(sequences), classes)


def _collection(root: Path, classes: Classes) -> Index | None:
    """Here, and only here, a data set without a known layout becomes a collection of videos."""
    found = collect(root, classes)
    if found is None:
        return None
    classes = replace(classes, fps=found.fps) if classes.fps is None else classes
    return Index(root, found.layout, found.sequences, classes, found.faults)


def _phases(root: Path) -> list[str]:
    """What ``data.phase`` can choose in NVIDIA's layout."""
    names = [e.name for e in _entries(root) if e.is_dir()]
    return sorted({n.rpartition("_")[0] for n in names if n.rpartition("_")[2] in ("A", "B")} - {""})


def _unknown(root: Path, found: Found) -> str:
    if found:
        return f"{root} has {', '.join(p.name for p in found.values())} but no frames in them: put frames there"
    names = [e.name for e in _entries(root)]
    if not names:
        return f"{root} is empty: put frames under images/ and labels/"
    phases = _phases(root)
    if phases:
        return f"{root} has the phases {some(phases)}: choose one with data.phase"
    return (
        f"{root} has no layout that is known (it holds {some(names)}): "
        "put frames under images/<sequence>/ and labels/<sequence>/, or give a folder of videos"
    )


def suffixes(kind: str) -> tuple[str, ...]:
    """File name endings of a data type's frames."""
    if kind in ("landmarks", "poses"):
        return POINTS
    return FLOWS if kind == "flow" else IMAGE_SUFFIXES


def _tracks(kind: str, entry: Path) -> dict[str, list[Path] | Path]:
    """Sequence name -> its frame files, or its video file. The name is "" for frames directly in the folder."""
    if entry.is_file():
        return {"": entry}
    tracks: dict[str, list[Path] | Path] = {}
    endings = suffixes(kind)
    stack = [(entry, "")]
    while stack:
        folder, name = stack.pop()
        frames: list[Path] = []
        for child in _entries(folder):
            inner = f"{name}/{child.name}" if name else child.name
            ending = child.suffix.lower()
            if child.is_dir():
                stack.append((child, inner))
            elif ending in endings:
                frames.append(child)
            elif ending in VIDEOS:
                tracks[f"{name}/{child.stem}" if name else child.stem] = child
        if frames:
            tracks[name] = frames
    return tracks


def _sequences(flat_name: str, found: Found, needs: Collection[str]) -> list[Sequence]:
    """Pair the tracks of all types by sequence name."""
    order = [*(kind for kind in TYPES if kind in found), *sorted(set(found) - set(TYPES))]
    by_type = {kind: _tracks(kind, found[kind]) for kind in order}
    names = sorted({name for tracks in by_type.values() for name in tracks}, key=natural_key)
    sequences = []
    for name in names:
        tracks = {kind: tracks[name] for kind, tracks in by_type.items() if name in tracks}
        sequences.append(_pair(name or flat_name, tracks, needs))
    return sequences


def _stems(track: list[Path] | Path) -> dict[str, FrameRef]:
    """Stem -> frame. A video's stems are its frame numbers."""
    if isinstance(track, Path):
        return {str(i): FrameRef(track, i) for i in range(Decoder().length(track))}
    stems: dict[str, FrameRef] = {}
    for path in track:
        stems.setdefault(path.stem, FrameRef(path, None))
    return stems


def _pair(name: str, tracks: dict[str, list[Path] | Path], needs: Collection[str]) -> Sequence:
    """Match the frames of one sequence by stem, or by order when types share no stem and have equal counts."""
    refs = {kind: _stems(track) for kind, track in tracks.items()}
    kinds = [k for k in refs if k != "flow"] or list(refs)
    if not needs or set(kinds) == set(needs) or not (set(kinds) & set(needs)):
        return _match(name, refs, kinds)
    every = _match(name, refs, kinds)
    return every if every.matched == "order" else _match(name, refs, [k for k in kinds if k in needs])


def _match(name: str, refs: dict[str, dict[str, FrameRef]], kinds: list[str]) -> Sequence:
    """Keep the frames that all of ``kinds`` have; the others of ``refs`` may miss some."""
    common = [s for s in refs[kinds[0]] if all(s in refs[k] for k in kinds)]
    if not common and len({len(refs[k]) for k in kinds}) == 1:
        stems = tuple(refs[kinds[0]])
        frames: dict[str, tuple[FrameRef | None, ...]] = {k: tuple(refs[k].values()) for k in kinds}
        return Sequence(name, stems, frames, {}, "order")
    common.sort(key=natural_key)
    frames = {k: tuple(refs[k].get(s) for s in common) for k in refs}
    kept = set(common)
    left_out = {k: tuple(r.path for s, r in refs[k].items() if s not in kept) for k in kinds}
    return Sequence(name, tuple(common), frames, {k: paths for k, paths in left_out.items() if paths})
