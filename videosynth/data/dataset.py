"""A draw in, a clip out. Data sets draw nothing themselves: ``dataset[draw]`` is the same clip wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from videosynth.data.attributes import ids
from videosynth.data.decode import Decoder, FrameRef
from videosynth.data.draws import Draw
from videosynth.data.index import Index, Sequence
from videosynth.data.transforms import (
    Array,
    Geometry,
    blurred,
    coarsened,
    colour_matrix,
    fitted,
    recolour,
    resize_flow,
    resize_ids,
    resize_image,
    resize_mask,
)
from videosynth.flow import FlowTeacher
from videosynth.flow.cache import FlowCache
from videosynth.types import Clip, DataSpec, MapSpec, UserError

Size = tuple[int, int]
T = TypeVar("T")


class Memory:
    """Keeps what was made once, until ``limit`` bytes are in use. A pickled copy starts empty."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._kept: dict[Hashable, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"limit": self.limit, "used": 0, "_kept": {}}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if key in self._kept:
            return self._kept[key]
        value = make()
        arrays = value if isinstance(value, tuple) else (value,)
        size = sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))
        if self.used + size <= self.limit:
            self.used += size
            self._kept[key] = value
        return value


class FrameLoader:
    """Frames and maps of an index, decoded and resized: image ``H W 3`` uint8, ids ``H W``, dense ``H W`` or ``C H W``."""

    def __init__(self, index: Index, spec: DataSpec, memory: Memory | None = None) -> None:
        labels = spec.map("classes")
        colours = index.classes.colours or (labels.colours if labels else ())
        void = index.classes.void if index.classes.void is not None else (labels.void if labels else None)
        # A model's maps are read as the data was that it was trained on, unless the folder has a dataset.yaml of its own.
        told = index.classes.remap if index.classes.file is not None else None
        remap = told if told is not None else labels.remap if labels else ()
        self.decoder = Decoder(colours, void, remap, index.classes.axes)
        self.spec = spec
        self.memory = memory
        self._last: tuple[tuple[Path, Size], Array] | None = None  # serves a clip's frames when memory is full

    def _kept(self, key: Hashable, make: Callable[[], Array]) -> Array:
        return make() if self.memory is None else self.memory.get(key, make)

    def image(self, ref: FrameRef, box: Size) -> Array:
        if ref.in_strip and ref.position is not None and self.memory is not None:
            return self._strip(ref.path, box)[ref.position]

        def make() -> Array:
            image = self.decoder.image(ref, box)
            return resize_image(image, fitted((image.shape[0], image.shape[1]), box, self.spec.fit))

        return self._kept((ref, "images", box), make)

    def _strip(self, path: Path, box: Size) -> Array:
        """All frames of a strip, kept together: whoever decodes one frame has decoded them all."""

        def make() -> Array:
            frames = self.decoder.strip(path)
            size = fitted((frames.shape[1], frames.shape[2]), box, self.spec.fit)
            # A copy of its own: a view would keep a picture with padded rows, and pass for less than it holds.
            return np.stack([resize_image(np.ascontiguousarray(frame), size) for frame in frames])

        if self._last is None or self._last[0] != (path, box):
            self._last = (path, box), self._kept((path, "strip", box), make)
        return self._last[1]

    def map(self, ref: FrameRef, kind: MapSpec, box: Size) -> Array:
        """Ids come as uint8 (classes) or int32 (instances); dense maps as uint8, or float32 when deeper."""

        def make() -> Array:
            if kind.kind == "dense":
                dense = self.decoder.dense(ref, kind.channels)
                dense = dense if dense.dtype == np.uint8 else dense.astype(np.float32)
                dense = resize_image(dense, fitted((dense.shape[0], dense.shape[1]), box, self.spec.fit))
                return dense if dense.ndim == 2 else np.ascontiguousarray(dense.transpose(2, 0, 1))
            ids = self.decoder.ids(ref, labels=kind.kind == "classes")
            ids = resize_ids(ids, fitted((ids.shape[0], ids.shape[1]), box, self.spec.fit))
            if kind.kind == "instances":
                return ids.astype(np.int32)
            if ids.dtype != np.uint8 and ids.size and not 0 <= int(ids.max()) <= 255:
                raise UserError(f"{ref} holds the class id {int(ids.max())}: ids go from 0 to {kind.channels - 1}")
            ids = ids.astype(np.uint8)
            _known(ref, ids, kind)
            return ids

        return self._kept((ref, kind.name, box), make)


def stacked(arrays: list[Array]) -> Tensor:
    """A batch of one from arrays over time."""
    return torch.from_numpy(np.ascontiguousarray(np.stack(arrays)))[None]


def per_frame(values: dict[str, int], length: int) -> dict[str, Tensor]:
    """Attributes of a video as those of its frames: ``1 T`` int64."""
    return {name: torch.full((1, length), value, dtype=torch.int64) for name, value in values.items()}


class StoredFlow:
    """The ``flow`` type of a data set as a source of flow; it joins neighbouring frames only."""


FlowSource = FlowTeacher | FlowCache | StoredFlow | None


class ClipDataset(Dataset[Clip]):
    """Clips of an index. ``flow`` says where their flow comes from; None: they have none.

    Clips are batches of one, see :class:`~videosynth.types.Clip`: frames uint8, labels uint8, instances int32,
    dense uint8 or float32, flow and confidence float32. Void ids stay ids.
    """

    def __init__(self, index: Index, spec: DataSpec, flow: FlowSource = None, memory: Memory | None = None) -> None:
        if "images" not in index.types:
            raise UserError(f"{index.root} has no images: put the video's frames under images/")
        if isinstance(flow, StoredFlow) and "flow" not in index.types:
            raise UserError(f"{index.root} has no flow folder: put flow files there or set data.flow to dis")
        self.index = index
        self.spec = spec
        self.flow = flow
        self.memory = memory
        self.loader = FrameLoader(index, spec, memory)

    @property
    def lengths(self) -> tuple[int, ...]:
        return self.index.lengths

    def __getitem__(self, draw: Draw) -> Clip:
        sequence = self.index.sequences[draw.sequence]
        indices = list(draw.indices)
        images = [self.loader.image(_present(sequence, "images", i), draw.scaled) for i in indices]
        size = images[0].shape[0], images[0].shape[1]
        maps = {
            kind.name: [self.loader.map(_present(sequence, kind.name, i), kind, draw.scaled) for i in indices]
            for kind in self.spec.maps
        }
        pairs = None
        if self.flow is not None:
            pairs = [self._pair(sequence, i, images[t - 1 : t + 1], draw, size) for t, i in enumerate(indices) if t]
        clip = assemble(f"{sequence.name}/{sequence.stems[indices[0]]}", draw, self.spec, images, maps, pairs)
        clip.attributes = per_frame(ids(sequence.attributes, self.spec), len(indices))
        return clip

    def _pair(self, sequence: Sequence, i: int, images: list[Array], draw: Draw, size: Size) -> tuple[Array, Array]:
        """Flow from frame i to the clip's frame before it, at the resized frames' size."""
        current = _present(sequence, "images", i)
        previous = _present(sequence, "images", i - draw.stride)

        def make() -> tuple[Array, Array]:
            if isinstance(self.flow, StoredFlow):
                if draw.stride != 1:
                    raise UserError("flow on disk joins neighbouring frames: set data.max_step to 1")
                flow, valid = self.loader.decoder.flow(_present(sequence, "flow", i))
                return resize_flow(flow, size), resize_mask(valid, size)
            if isinstance(self.flow, FlowCache):
                key = f"{sequence.name}/{sequence.stems[i - draw.stride]}-{sequence.stems[i]}-{self.spec.fit}"
                return self.flow.get(key, images[1], images[0])
            assert self.flow is not None
            return self.flow(images[1], images[0])

        return make() if self.memory is None else self.memory.get((current, previous, "flow", draw.scaled), make)


def assemble(
    key: str,
    draw: Draw,
    spec: DataSpec,
    images: list[Array],
    maps: dict[str, list[Array]],
    pairs: list[tuple[Array, Array]] | None,
) -> Clip:
    """Cut, mirror and recolour resized frames (``H W 3``), maps (``H W``, dense ones also ``C H W``) and flow with
    confidence as a draw says.

    ``pairs`` has one entry less than there are frames: the first frame's flow would lead out of the clip.
    """
    clip = Clip(keys=(key,))
    place = Geometry.of((images[0].shape[0], images[0].shape[1]), draw.size, draw.crop, draw.flip)
    if pairs is not None:
        clip.flow, clip.confidence = _flow_tensors(pairs, place)
    cut = [place.image(image) for image in images]
    if draw.colour is not None:
        matrix = colour_matrix(*draw.colour)
        cut = [recolour(image, matrix) for image in cut]
    clip.frames = stacked(cut).permute(0, 1, 4, 2, 3).contiguous()  # 1 T 3 H W
    planes = {kind.name: [place.planes(m) for m in maps[kind.name]] for kind in spec.maps}
    if draw.coarsen:
        _coarsen(planes, spec, draw)
    for kind in spec.maps:
        joined = stacked(planes[kind.name])  # 1 T H W, or 1 T C H W
        grey = kind.kind not in ("classes", "instances") and joined.dim() == 4
        clip.maps[kind.name] = joined[:, :, None] if grey else joined
    return clip


def _coarsen(planes: dict[str, list[Array]], spec: DataSpec, draw: Draw) -> None:
    """Classes and instances together, in place; dense maps as far."""
    ids = [m.name for kind in ("classes", "instances") for m in spec.maps if m.kind == kind]
    if ids:
        found = coarsened([planes[name] for name in ids], draw.coarsen, draw.seed)
        planes.update(zip(ids, found, strict=True))
    for kind in spec.maps:
        if kind.name not in ids:
            planes[kind.name] = blurred(planes[kind.name], draw.coarsen)


def _present(sequence: Sequence, kind: str, i: int) -> FrameRef:
    ref = sequence.at(kind, i) if kind in sequence.frames else None
    if ref is None:
        raise UserError(f"sequence {sequence.name} has no {kind} for frame {sequence.stems[i]}: add it")
    return ref


def _flow_tensors(pairs: list[tuple[Array, Array]], place: Geometry) -> tuple[Tensor, Tensor]:
    """Flow ``1 T 2 H W`` and confidence ``1 T 1 H W``; the first frame's flow leads nowhere and has confidence 0."""
    blank = np.zeros((2, *place.size), np.float32)
    flows = [blank, *(place.flow(flow) for flow, _ in pairs)]
    masks = [blank[:1], *(place.planes(mask) for _, mask in pairs)]
    return stacked(flows), stacked(masks)


def iterate(
    index: Index, name: str | None, spec: DataSpec, frames: str | None = None, images: bool = True
) -> Iterator[dict[str, Tensor]]:
    """Stream a whole sequence in constant memory, resized and cut to ``spec.size`` as ``spec.fit`` says.

    Yields one dict per frame with B = 1: the maps of ``spec`` (ids ``B H W``, dense ``B C H W``) and, if ``images``
    and there are any, ``images`` ``B 3 H W`` uint8. ``name``: a sequence (None: the first). ``frames``: a slice.
    A type that the model needs and the data set lacks is a :class:`UserError`, raised before the first frame.
    """
    index = index.subset(frames, None if name is None else [name])
    sequence = index.sequences[0]
    for kind in spec.maps:
        if kind.name not in sequence.frames:
            raise UserError(f"{index.root}: sequence {sequence.name} has no {kind.name}; the model needs them")
    return _stream(sequence, FrameLoader(index, spec), images and "images" in sequence.frames)


def _stream(sequence: Sequence, loader: FrameLoader, images: bool) -> Iterator[dict[str, Tensor]]:
    size = loader.spec.size
    for i in range(len(sequence)):
        frame: dict[str, Tensor] = {}
        for kind in loader.spec.maps:
            ref = _present(sequence, kind.name, i)
            array = _centre(loader.map(ref, kind, size), size)
            joined = stacked([array])[0]  # 1 H W, or 1 C H W
            grey = kind.kind not in ("classes", "instances") and joined.dim() == 3
            frame[kind.name] = joined[None] if grey else joined
        picture = sequence.at("images", i) if images else None
        if picture is not None:
            image = loader.image(picture, size)
            frame["images"] = stacked([_centre(image.transpose(2, 0, 1), size)])[0]
        yield frame


def _known(ref: FrameRef, ids: Array, kind: MapSpec) -> None:
    """Refuse ids that are no class: as zero vectors they would be learnt, or painted, as void without a word."""
    beyond = ids >= kind.channels
    if kind.void is not None:
        beyond &= ids != kind.void
    if beyond.any():
        void = "" if kind.void is None else f" and {kind.void} (no class)"
        raise UserError(
            f"{ref} holds the id {int(ids[beyond][0])}; the model knows 0..{kind.channels - 1}{void}: mend the map, "
            "or say how many classes there are in dataset.yaml (classes: N) and train anew"
        )


def _centre(array: Array, size: Size) -> Array:
    return Geometry.of((array.shape[-2], array.shape[-1]), size, (0.5, 0.5), False).planes(array)
