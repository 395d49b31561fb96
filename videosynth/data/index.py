"""The index of a data set: which sequences there are, and which file holds which frame of which type."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence as Ordered
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from videosynth.data.attributes import vocabularies
from videosynth.data.classes import VOID, Classes
from videosynth.data.decode import Decoder, FrameRef
from videosynth.types import DataSpec, MapSpec, UserError

SCANNED = 256  # label maps read to find the number of classes when nothing names it


@dataclass(frozen=True)
class Sequence:
    """One video: ``frames[type][i]`` holds frame ``i`` of a data type (``images``, ``labels``, ...).

    All types have ``len(stems)`` frames; only ``flow`` may miss some (None). ``left_out`` are files whose stem no
    other type has. ``matched`` says whether frames were paired by stem or, all stems being different, by order.
    ``attributes`` are what is known of the video as a whole, such as its class: name -> word.
    """

    name: str
    stems: tuple[str, ...]
    frames: dict[str, tuple[FrameRef | None, ...]]
    left_out: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    matched: Literal["stem", "order"] = "stem"
    attributes: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.stems)

    def at(self, kind: str, i: int) -> FrameRef | None:
        return self.frames[kind][i]

    def __getitem__(self, part: slice) -> Sequence:
        frames = {kind: refs[part] for kind, refs in self.frames.items()}
        return replace(self, stems=self.stems[part], frames=frames)


class _Scan(NamedTuple):
    top: int  # the largest id that is not void
    void: int | None


@dataclass(frozen=True)
class Index:
    """A data set on disk. ``layout`` names the folder layout that was recognised; ``faults`` are files of a collection
    that cannot be used.
    """

    root: Path
    layout: str
    sequences: tuple[Sequence, ...]
    classes: Classes = field(default_factory=Classes)
    faults: tuple[str, ...] = ()

    @property
    def collection(self) -> bool:
        """Videos in no layout for maps."""
        return self.layout.startswith("collection")

    @cached_property
    def types(self) -> tuple[str, ...]:
        """The data types that every sequence has."""
        first = self.sequences[0].frames if self.sequences else {}
        return tuple(kind for kind in first if all(kind in s.frames for s in self.sequences))

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Frames per sequence."""
        return tuple(len(s) for s in self.sequences)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.sequences)

    def sequence(self, name: str) -> Sequence:
        for sequence in self.sequences:
            if sequence.name == name:
                return sequence
        raise UserError(f"{self.root} has no sequence {name!r}; it has {some(self.names)}")

    def subset(self, frames: str | None = None, sequences: Ordered[str] | None = None) -> Index:
        """Keep some sequences, and of each the frames of a slice such as ``0:64``, ``64:`` or ``::2``."""
        kept = self.sequences if sequences is None else tuple(self.sequence(name) for name in sequences)
        if frames is not None:
            part = frame_slice(frames)
            kept = tuple(s[part] for s in kept)
            if not any(len(s) for s in kept):
                longest = max((len(s) for s in self.sequences), default=0)
                raise UserError(f"frames {frames} of {self.root} are none: its longest sequence has {longest} frames")
        return replace(self, sequences=kept)

    @cached_property
    def _scan(self) -> _Scan:
        """Ids of the label maps, of a sample spread evenly over the data set."""
        refs = [r for s in self.sequences for r in s.frames.get("labels", ()) if r is not None]
        decoder = Decoder(self.classes.colours, self.classes.void, self.classes.remap)
        top, has_void, void = 0, False, self.classes.void
        for ref in refs[:: -(-len(refs) // SCANNED) or 1]:
            ids = decoder.ids(ref, labels=True)
            here = VOID if void is None else void
            has_void = has_void or bool((ids == here).any())
            rest = ids[ids != here]
            top = max(top, int(rest.max())) if rest.size else top
        return _Scan(top, void if void is not None else (VOID if has_void else None))

    @cached_property
    def fps(self) -> float | None:
        """Frames per second from ``dataset.yaml``, else from the first video file, else None."""
        if self.classes.fps is not None:
            return self.classes.fps
        for sequence in self.sequences:
            for ref in sequence.frames.get("images", ())[:1]:
                if ref is not None and ref.in_video:
                    return Decoder().fps(ref)
        return None

    def labels(self) -> MapSpec:
        """The spec of the label maps. The class count is the declared one, else the largest id found plus one."""
        known = self.classes
        if known.count is not None:
            return MapSpec("labels", "classes", known.count, known.names, known.colours, known.void, remap=known.remap)
        scan = self._scan
        return MapSpec("labels", "classes", scan.top + 1, void=scan.void, remap=known.remap)

    def spec(self, size: tuple[int, int], fit: Literal["stretch", "cover"] = "stretch") -> DataSpec:
        """What a model needs to know of this data set. ``size`` is (H, W) of the training frames."""
        maps: list[MapSpec] = []
        if "labels" in self.types:
            maps.append(self.labels())
        if "instances" in self.types:
            maps.append(MapSpec("instances", "instances", 1))
        maps += [self._dense(name) for name in self.dense_types]
        default = DataSpec()
        known = vocabularies([s.attributes for s in self.sequences])
        return DataSpec(tuple(maps), (size[0], size[1]), self.fps or default.fps, fit, known)

    @property
    def dense_types(self) -> tuple[str, ...]:
        """Those of :attr:`types` that are dense maps: depth, and what ``dataset.yaml`` names."""
        named = {"depth", *(d.name for d in self.classes.dense)}
        return tuple(kind for kind in self.types if kind in named)

    def _dense(self, name: str) -> MapSpec:
        told = self.classes.dense_type(name)
        if told.range is not None:
            return MapSpec(name, "dense", told.channels, range=told.range)
        ref = next(r for s in self.sequences for r in s.frames[name] if r is not None)
        deep = Decoder().dense(ref, told.channels).dtype != "uint8"
        return MapSpec(name, "dense", told.channels, range=(0.0, 65535.0 if deep else 255.0))

    def fingerprint(self) -> str:
        """A hash of sequence names, frame names and file sizes: equal for equal copies of a data set."""
        digest = hashlib.sha256()
        for sequence in self.sequences:
            known = "".join(f" {k}={v}" for k, v in sorted(sequence.attributes.items()))
            digest.update(f"{sequence.name}{known}\n".encode())
            for kind in sorted(sequence.frames):
                seen: Path | None = None
                for stem, ref in zip(sequence.stems, sequence.frames[kind]):
                    if ref is None:
                        continue
                    size = 0 if ref.path == seen else ref.path.stat().st_size
                    seen = ref.path
                    digest.update(f"{kind}/{stem} {ref.position} {size}\n".encode())
        return digest.hexdigest()


def frame_slice(text: str) -> slice:
    """``"0:64"`` -> slice(0, 64); anything that is not a slice is a :class:`UserError`."""
    parts = text.split(":")
    try:
        numbers = [int(p) if p.strip() else None for p in parts]
    except ValueError:
        numbers = []
    if not 2 <= len(numbers) <= 3 or (len(numbers) == 3 and (numbers[2] is not None and numbers[2] < 1)):
        raise UserError(f"frames must be a slice such as 0:64, 64: or ::2, not {text!r}")
    return slice(*numbers)


def some(names: Ordered[str], limit: int = 5) -> str:
    """A short list for a message."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
