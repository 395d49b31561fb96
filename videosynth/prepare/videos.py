"""The data set doctor's word on a collection: videos without maps, in whatever files they come."""

from __future__ import annotations

from collections import Counter

from videosynth.data.arrays import ArrayVideos
from videosynth.data.attributes import LABELS, read_labels, vocabularies
from videosynth.data.decode import ARRAYS, Decoder, FrameRef
from videosynth.data.index import Index, Sequence, some
from videosynth.data.videos import unknown_names
from videosynth.prepare.report import Report
from videosynth.types import UserError

SAMPLE = 200  # videos of which frames are decoded
SHOWN = 8  # values of an attribute, and files of arrays, that are told
_ODD = 1.05  # frames whose sides differ by more than this are not square


def examine(report: Report, index: Index, clip_length: int, thorough: bool) -> None:
    """Add findings and the summary. Headers of all files were read when they were indexed; of the first and the last
    video, and of a sample of up to 200 between (of all, if ``thorough``), the first and the last frame are decoded.
    """
    for fault in index.faults:
        file, what, remedy = _split(report, index, fault)
        report.add("error", "files that cannot be used", file, what, remedy)
    if not any(len(s) for s in index.sequences):
        if not index.faults:
            report.add("error", "no frames", "", "there is no frame in it", "give videos, strips or folders of frames")
        return
    _lengths(report, index, clip_length)
    _unknown_names(report, index)
    sizes = _decode(report, index, thorough)
    _told(report, index, sizes)


def _split(report: Report, index: Index, fault: str) -> tuple[str, str, str]:
    """A user error's line as file, what and remedy, as far as it has that form."""
    what, _, remedy = fault.rpartition(": ")
    what = what or fault
    if not what.startswith(str(index.root)):
        return "", what, remedy
    file, _, rest = what.removeprefix(str(index.root)).lstrip("/").partition(" ")
    return file, rest, remedy


def _lengths(report: Report, index: Index, clip_length: int) -> None:
    short = [s for s in index.sequences if len(s) < clip_length]
    level = "error" if len(short) == len(index.sequences) else "warning"
    for sequence in short:
        what = f"has {len(sequence)} frame{'' if len(sequence) == 1 else 's'}, a clip needs {clip_length}"
        remedy = "give longer videos or shorten data.clip_length; short videos are left out"
        report.add(level, "videos too short", f"video {sequence.name}", what, remedy)


def _unknown_names(report: Report, index: Index) -> None:
    """Of ``labels.json``, where not all are (which is a fault of the index)."""
    if not index.root.is_dir():
        return
    unknown = unknown_names(index.root, read_labels(index.root).videos, index.sequences)
    if unknown:
        what = f"names {unknown[0]}, but no video of that name is here" + (
            f" (nor of {len(unknown) - 1} more names)" if len(unknown) > 1 else ""
        )
        report.add("warning", "labels of no video", LABELS, what, "correct the names, or remove them")


def _decode(report: Report, index: Index, thorough: bool) -> Counter[tuple[int, int]]:
    """Decode the ends of videos; returns how many of them have which frame size (H, W)."""
    videos = [s for s in index.sequences if len(s)]
    pace = 1 if thorough else -(-len(videos) // SAMPLE)
    chosen = videos[::pace] if (len(videos) - 1) % pace == 0 else [*videos[::pace], videos[-1]]
    decoder = Decoder(axes=index.classes.axes)
    sizes: Counter[tuple[int, int]] = Counter()
    for sequence in chosen:
        refs = [r for r in (sequence.at("images", 0), sequence.at("images", len(sequence) - 1)) if r is not None]
        shapes = [_frame(report, sequence, decoder, ref) for ref in refs]
        if None in shapes or not shapes or shapes[0] is None:
            continue
        sizes[shapes[0]] += 1
        if shapes[0] != shapes[-1]:
            what = "its last frame has another size than its first"
            remedy = "give all frames of a video one size"
            report.add("error", "sizes differ within a video", f"video {sequence.name}", what, remedy)
    return sizes


def _frame(report: Report, sequence: Sequence, decoder: Decoder, ref: FrameRef) -> tuple[int, int] | None:
    try:
        image = decoder.image(ref)
    except (UserError, IndexError) as error:
        where = str(error).removeprefix(str(ref.path)).lstrip(": ")
        what, _, remedy = where.partition(": ")
        remedy = remedy or "copy it again or remove it"
        report.add("error", "files that cannot be read", ref.path, f"{what} (video {sequence.name})", remedy)
        return None
    return image.shape[0], image.shape[1]


def _axes(index: Index) -> list[str]:
    """How the axes of arrays are taken: nothing but the user's own eyes can tell whether that is right."""
    first = [s.frames["images"][0] for s in index.sequences if len(s)]
    paths = dict.fromkeys(r.path for r in first if r is not None and r.path.suffix.lower() in ARRAYS)
    files: dict[str, list[str]] = {}
    for path in list(paths)[:SHOWN]:
        array = ArrayVideos(path, index.classes.axes)
        shape = " x ".join(f"{letter} {array.along(letter)}" for letter in array.order)
        files.setdefault(shape, []).append(path.name)
    said = "as dataset.yaml says" if index.classes.axes else "by their shapes; `axes` in dataset.yaml says otherwise"
    return [f"axes: {shape} ({some(names, 3)}; {said})" for shape, names in files.items()]


def _told(report: Report, index: Index, sizes: Counter[tuple[int, int]]) -> None:
    lengths = [len(s) for s in index.sequences]
    total = sum(lengths)
    middle = sorted(lengths)[len(lengths) // 2]
    of = (
        f"{lengths[0]} each"
        if len(set(lengths)) == 1
        else f"{min(lengths)} to {max(lengths)}, half have {middle} or more"
    )
    report.summary.append(f"layout: {index.layout}, {len(lengths)} video{'' if len(lengths) == 1 else 's'}")
    report.summary.append(f"frames: {total} ({of})")
    shown = [f"{w}x{h}" + (f" ({n} of those looked at)" if len(sizes) > 1 else "") for (h, w), n in sizes.most_common()]
    if shown:
        report.summary.append(f"size: {some(shown, 3)}")
    report.summary += _axes(index)
    if index.fps is not None:
        report.summary.append(f"fps: {index.fps:g}")
    known = vocabularies([s.attributes for s in index.sequences])
    for name, words in known.items():
        counts = Counter(s.attributes.get(name) for s in index.sequences)
        values = some([f"{word} ({counts[word]})" for word in words], SHOWN)
        unknown = f", unknown for {counts[None]}" if counts[None] else ""
        report.summary.append(f"{name}: {values}{unknown}")
    if len(sizes) > 1:
        what = f"the videos have {len(sizes)} frame sizes: they are brought to data.size, as data.fit says"
        report.add("info", "several sizes", "", what, "nothing, or data.fit: cover if their shapes differ")
    elif any(max(size) > _ODD * min(size) for size in sizes):
        what = "the frames are not square, as models from noise expect"
        report.add("info", "frames that are not square", "", what, "set data.fit to cover to cut, not squeeze, them")
