"""The data set doctor: says in plain words what is wrong with a data set and how to mend it.

Headers and endings of all files are read, pixels of a sample (of all with ``thorough``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from videosynth.data.decode import Decoder, FrameRef
from videosynth.data.index import VOID, Index, some
from videosynth.data.index import Sequence as Frames
from videosynth.data.layouts import TYPES, scan_folder
from videosynth.prepare.report import Report
from videosynth.prepare.videos import examine
from videosynth.types import UserError
from videosynth.video.images import IMAGE_SUFFIXES, image_size, read_image

SAMPLE = 200  # files of a type whose pixels are read
PICTURES = ("images", "labels", "instances")  # and dense maps
TRAIN_IDS, LABEL_IDS = 19, 34  # classes of the two numberings of Cityscapes
_DECODING = (OSError, SyntaxError, ValueError, EOFError)


def check(
    root: Path | str,
    *,
    phase: str = "train",
    clip_length: int = 1,
    needs: Sequence[str] = ("images",),
    frames: str | None = None,
    sequences: Sequence[str] | None = None,
    thorough: bool = False,
) -> Report:
    """Examine a data set. It never raises for a fault of the data: each is a finding of the report.

    ``clip_length``: frames that a clip needs (times its stride); ``needs``: types that must be there; ``frames`` and
    ``sequences`` as the options of training; ``thorough``: read the pixels of all files.
    """
    report = Report(Path(root))
    try:
        index = scan_folder(root, phase)
        if sequences is not None:
            index = index.subset(None, sequences)
        if index.collection:
            examine(report, index if frames is None else index.subset(frames), clip_length, thorough)
            return report
        _types(report, index, needs)
        _matching(report, index)
        if frames is not None:
            index = index.subset(frames)
    except UserError as error:
        report.add("error", "the data set cannot be read", "", str(error), "")
        return report
    _lengths(report, index, clip_length)
    broken = _files(report, index)
    _pixels(report, index, broken, thorough)
    _summary(report, index, broken)
    return report


def _summary(report: Report, index: Index, broken: set[FrameRef]) -> None:
    total = sum(index.lengths)
    report.summary.append(
        f"layout: {index.layout}, {_count(len(index.sequences), 'sequence')}, {_count(total, 'frame')}"
    )
    pictures = _pictures(index)
    for kind in index.types:
        firsts = [next((r for r in s.frames[kind] if r is not None and r not in broken), None) for s in index.sequences]
        sizes = sorted({_size(r) for r in firsts if r is not None}) if kind in pictures else []
        shown = some([_shape(size) for size in sizes], 3)
        labels = index.labels() if kind == "labels" and report.ok else None
        classes = "" if labels is None else f", {_count(labels.channels, 'class', 'es')}"
        void = "" if labels is None or labels.void is None else f", void {labels.void}"
        report.summary.append(f"{kind}: {shown}{classes}{void}" if shown else kind)
    if index.fps is not None:
        report.summary.append(f"fps: {index.fps:g}")


def _pictures(index: Index) -> tuple[str, ...]:
    return (*PICTURES, "depth", *(d.name for d in index.classes.dense if d.name != "depth"))


def _count(n: int, word: str, plural: str = "s") -> str:
    return f"{n} {word}" + ("" if n == 1 else plural)


def _types(report: Report, index: Index, needs: Sequence[str]) -> None:
    everywhere = {kind for s in index.sequences for kind in s.frames}
    for kind in needs:
        if kind not in everywhere:
            what = f"there is no folder of {kind}; there is {', '.join(sorted(everywhere))}"
            report.add("error", "a type is missing", "", what, f"put the {kind} under {kind}/<sequence>/")
    for sequence in index.sequences:
        for kind in sorted(everywhere - set(sequence.frames)):
            what = f"has no {kind}, which other sequences have"
            remedy = f"add its {kind}, or remove the sequence"
            report.add("error", "a sequence lacks a type", f"sequence {sequence.name}", what, remedy)
    _unread(report, index, everywhere)
    if everywhere == {"images"}:
        what = "there are images only: models that are driven by maps cannot be trained"
        report.add("info", "no maps", "", what, "put label maps under labels/<sequence>/ if you want them")


def _unread(report: Report, index: Index, everywhere: set[str]) -> None:
    """Folders of pictures beside the types that nothing reads."""
    if index.layout != "videosynth":
        return
    for folder in sorted(p for p in index.root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        known = folder.name in everywhere or folder.name in (*TYPES, "masks")
        if not known and any(p.suffix.lower() in IMAGE_SUFFIXES for p in folder.rglob("*")):
            what = "is no type of data that is known: it is not read"
            remedy = f"nothing, or name it in dataset.yaml, such as dense: {{{folder.name}: {{channels: 3}}}}"
            report.add("info", "folders that are not read", folder, what, remedy)


def _matching(report: Report, index: Index) -> None:
    for sequence in index.sequences:
        if sequence.matched == "order":
            what = "the types have different file names but equal counts: their frames are paired by order"
            remedy = "give the files of a frame the same name if the order is not right"
            level = "info" if index.layout == "NVIDIA/vid2vid" else "warning"
            report.add(level, "names differ between types", f"sequence {sequence.name}", what, remedy)
        for kind, paths in sequence.left_out.items():
            others = ", ".join(k for k in sequence.frames if k not in (kind, "flow"))
            for path in paths:
                what = f"no frame of this name in {others}" if others else "no partner"
                report.add("error", "frames without a partner", path, what, "add the missing file or remove this one")
        _gaps(report, sequence)


def _gaps(report: Report, sequence: Frames) -> None:
    """A jump in the numbering of frames is a cut in time that a model would take for motion."""
    digits = ["".join(c if c.isdigit() else " " for c in stem).split() for stem in sequence.stems]
    if len(digits) < 3 or not all(digits):
        return
    numbers = np.array([int(d[-1][-15:]) for d in digits])
    steps = np.diff(numbers)
    usual = int(np.median(steps))
    for i in np.flatnonzero(steps > usual):
        what = f"the frame after {sequence.stems[i]} is {sequence.stems[i + 1]}: some are missing"
        remedy = "add the missing frames, or cut the sequence in two at the gap"
        report.add("warning", "gaps in the numbering", f"sequence {sequence.name}", what, remedy)


def _lengths(report: Report, index: Index, clip_length: int) -> None:
    short = [s for s in index.sequences if len(s) < clip_length]
    level = "error" if len(short) == len(index.sequences) else "warning"
    for sequence in short:
        what = f"has {_count(len(sequence), 'frame')}, a clip needs {clip_length}"
        remedy = "give longer sequences or shorten data.clip_length; short sequences are left out"
        report.add(level, "sequences too short", f"sequence {sequence.name}", what, remedy)


def _refs(index: Index, kind: str) -> Iterator[FrameRef]:
    return (r for s in index.sequences for r in s.frames.get(kind, ()) if r is not None)


def _size(ref: FrameRef) -> tuple[int, int]:
    """(H, W) from the header."""
    return image_size(ref.path) if ref.position is None else Decoder().size(ref)


def _whole(path: Path) -> bool:
    """Whether a PNG or JPEG ends as it should; a cheap test that needs no decoding."""
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 64))
        tail = file.read()
    if suffix == ".png":
        return b"IEND" in tail
    return b"\xff\xd9" in tail if suffix in (".jpg", ".jpeg") else end > 0


def _files(report: Report, index: Index) -> set[FrameRef]:
    """Headers and endings of all files, sizes and modes. Returns the frames that cannot be read."""
    broken: set[FrameRef] = set()
    pictures = _pictures(index)
    for sequence in index.sequences:
        first: dict[str, tuple[int, int]] = {}
        for i in range(len(sequence)):
            sizes: dict[str, tuple[int, int]] = {}
            for kind in (k for k in pictures if k in sequence.frames):
                ref = sequence.at(kind, i)
                size = None if ref is None or (ref.position or 0) > 0 else _header(report, ref, kind, index)
                if ref is not None and size is None and not (ref.position or 0):
                    broken.add(ref)
                if size is None or ref is None:
                    continue
                sizes[kind] = size
                if first.setdefault(kind, size) != size:
                    what = f"is {_shape(size)}, the sequence began with {_shape(first[kind])}"
                    remedy = "give all frames of a sequence one size, or cut the sequence there"
                    report.add("error", "sizes differ within a sequence", ref.path, what, remedy)
            _same_sizes(report, sequence, i, sizes)
    return broken


def _shape(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _same_sizes(report: Report, sequence: Frames, i: int, sizes: dict[str, tuple[int, int]]) -> None:
    image = sizes.get("images")
    for kind, size in sizes.items():
        ref = sequence.at(kind, i)
        if image is None or size == image or ref is None:
            continue
        what = f"is {_shape(size)}, its image is {_shape(image)}"
        if abs(size[0] * image[1] / (size[1] * image[0]) - 1) < 0.02:
            report.add("warning", f"{kind} and images differ in size", ref.path, what, "they are scaled to each other")
        else:
            level = "error" if kind in PICTURES else "warning"
            remedy = "make both of one size: maps are stretched over the image"
            report.add(level, f"{kind} and images differ in shape", ref.path, what, remedy)


def _header(report: Report, ref: FrameRef, kind: str, index: Index) -> tuple[int, int] | None:
    """(H, W), or None with a finding when the file cannot be read."""
    try:
        if ref.position is not None:
            return Decoder().size(ref)
        size = image_size(ref.path)
        if not _whole(ref.path):
            read_image(ref.path)
            if ref.path.suffix.lower() == ".png":
                what = "its end is cut off, though all pixels can be read"
                report.add("warning", "files with a cut end", ref.path, what, "copy it again to be sure")
        if kind in ("labels", "instances"):
            _mode(report, ref.path, kind, bool(index.classes.colours))
        return size
    except (UserError, *_DECODING) as error:
        _unreadable(report, ref, error)
        return None


def _unreadable(report: Report, ref: FrameRef, error: Exception) -> None:
    what = str(error).removeprefix(str(ref.path)).lstrip(": ")
    what, _, remedy = what.partition(": ") if isinstance(error, UserError) else (what, "", "")
    report.add("error", "files that cannot be read", ref.path, what, remedy or "copy it again or remove the frame")


def _mode(report: Report, path: Path, kind: str, colours: bool) -> None:
    with Image.open(path) as image:
        mode, form = image.mode, image.format
    if form == "JPEG":
        what = "is a JPEG, which blurs ids"
        report.add("error", f"{kind} as JPEG", path, what, "save maps of ids as PNG")
    elif mode in ("P", "PA"):
        what = "is a palette picture: its indices are the ids, its colours are not used"
        report.add("info", f"{kind} with a palette", path, what, "nothing, if the indices are meant to be the ids")
    elif mode.startswith("I") and kind == "labels":
        what = "has 16 bits: class ids fit into 8"
        report.add(
            "warning", "labels of 16 bits", path, what, "save class ids as 8-bit grey PNG; instances may have 16"
        )
    elif mode in ("RGB", "RGBA") and (kind == "instances" or not colours):
        what = "is an RGB picture, ids are expected"
        remedy = "name the classes' colours in dataset.yaml (colours: [[r, g, b], ...]) or save ids as grey PNG"
        report.add("error", f"{kind} in RGB", path, what, remedy)


def _pixels(report: Report, index: Index, broken: set[FrameRef], thorough: bool) -> None:
    """Read pixels: of every file if ``thorough``, else of a sample spread evenly."""
    bad = {f.file for f in report.findings if f.level == "error"}
    decoder = Decoder(index.classes.colours, index.classes.void, index.classes.remap)
    found: dict[int, FrameRef] = {}
    seen = total = 0
    for kind in (k for k in _pictures(index) if k in index.types):
        refs = [r for r in _refs(index, kind) if r not in broken and not _named(report, r, bad)]
        for ref in refs if thorough else refs[:: -(-len(refs) // SAMPLE) or 1]:
            try:
                if kind == "images":
                    decoder.image(ref)
                elif kind not in PICTURES:
                    decoder.dense(ref, index.classes.dense_type(kind).channels)
                else:
                    ids = decoder.ids(ref, labels=kind == "labels")
                    if kind == "labels":
                        seen += 1
                        _range(report, index, ref, ids, found)
            except (UserError, *_DECODING) as error:
                broken.add(ref)
                _unreadable(report, ref, error)
        total = len(refs) if kind == "labels" else total
    if found:
        _numbering(report, index, found, seen, total)


def _named(report: Report, ref: FrameRef, bad: set[str]) -> bool:
    path = ref.path
    return str(path.relative_to(report.root) if path.is_relative_to(report.root) else path) in bad


def _range(report: Report, index: Index, ref: FrameRef, ids: np.ndarray, found: dict[int, FrameRef]) -> None:
    known = index.classes
    values, counts = np.unique(ids, return_counts=True)
    for value in values:
        found.setdefault(int(value), ref)
    if known.count is None:
        return
    beyond = (values >= known.count) & (values != known.void) | (values < 0)
    if beyond.any():
        worst = int(values[beyond].max())
        what = f"holds the id {worst} ({int(counts[beyond].sum())} pixels are beyond the {known.count} classes)"
        where = known.file.name if known.file else "dataset.yaml"
        remedy = f"name all classes (0..{known.count - 1} now) and the void id in {where}, or correct the map"
        report.add("error", "ids out of range", ref.path, what, remedy)


def _numbering(report: Report, index: Index, found: dict[int, FrameRef], seen: int, total: int) -> None:
    """Trouble that only all ids together show: the two numberings of Cityscapes, masks of 0 and 255."""
    known, ids = index.classes, set(found)
    classes = sorted(ids - {VOID})
    top = classes[-1] if classes else 0
    if ids == {0, VOID} and known.void is None:
        what = "holds only 0 and 255: 255 is taken for void (no class), so one class is left"
        remedy = "write 1 for the object, or say `classes: 2` and save the masks with 0 and 1"
        report.add("warning", "masks of 0 and 255", found[VOID].path, what, remedy)
    train_ids = VOID in ids and top < TRAIN_IDS and len(classes) > TRAIN_IDS // 2
    label_ids = TRAIN_IDS < top < LABEL_IDS and len(classes) > LABEL_IDS // 4
    if train_ids and known.count not in (None, TRAIN_IDS):
        what = f"looks like Cityscapes trainIds (0..18, 255 is void), but {known.count} classes are named"
        remedy = "say `classes: 19` and `void: 255` in dataset.yaml, or use the labelIds files"
        report.add("warning", "trainIds or labelIds", found[top].path, what, remedy)
    elif label_ids and known.count is not None and known.count <= TRAIN_IDS:
        what = f"looks like Cityscapes labelIds (0..33), but {known.count} classes are named"
        remedy = "say `classes: 34` in dataset.yaml, or use the labelTrainIds files"
        report.add("warning", "trainIds or labelIds", found[top].path, what, remedy)
    elif known.count is None:
        guess = TRAIN_IDS if train_ids else LABEL_IDS if label_ids else top + 1
        name = "Cityscapes trainIds" if train_ids else "Cityscapes labelIds" if label_ids else ""
        void = ", 255 taken for void" if VOID in ids else ""
        what = f"no class count is given; {top + 1} classes found in {seen} of {total} label maps{void}"
        what += f" (they look like {name})" if name else ""
        remedy = f"say `classes: {guess}`" + (" and `void: 255`" if void else "") + " in dataset.yaml to fix it"
        report.add("info", "class count", "", what, remedy)
