"""One frame of a data set from disk to numpy: images, ids, dense maps and stored flow."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videosynth.data.arrays import ArrayVideos
from videosynth.data.pictures import quick_ids, quick_image
from videosynth.data.strips import cut
from videosynth.types import UserError
from videosynth.video.images import image_size
from videosynth.video.read import VideoReader, read_ids, read_image

VIDEOS = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
ARRAYS = (".npy", ".npz")
OPEN_VIDEOS = 4  # decoders kept open at once in one process
_FLO_MAGIC = 202021.25


class FrameRef(NamedTuple):
    """Where a frame lies: a file, or a position in a video file, in a strip, or among all frames of an array file."""

    path: Path
    position: int | None = None

    @property
    def in_video(self) -> bool:
        return self.position is not None and self.path.suffix.lower() in VIDEOS

    @property
    def in_array(self) -> bool:
        return self.position is not None and self.path.suffix.lower() in ARRAYS

    @property
    def in_strip(self) -> bool:
        return self.position is not None and self.path.suffix.lower() not in (*VIDEOS, *ARRAYS)

    def __str__(self) -> str:
        return str(self.path) if self.position is None else f"{self.path} frame {self.position}"


class Decoder:
    """Reads frames; keeps the last few videos open. A pickled copy starts with none open, so workers open their own.

    ``colours`` and ``void`` say how RGB label images become ids; ``remap`` (pairs of an id on disk and its meaning) says
    what label ids mean, the others are void. ``axes``: those of array files, where their shapes do not tell.
    """

    def __init__(
        self,
        colours: tuple[tuple[int, int, int], ...] = (),
        void: int | None = None,
        remap: tuple[tuple[int, int], ...] = (),
        axes: str | None = None,
    ) -> None:
        self.colours = colours
        self.void = void
        self.table: NDArray[np.uint8] | None = None
        if remap:
            self.table = np.full(256, 255 if void is None else void, np.uint8)
            for stored, meant in remap:
                self.table[stored] = meant
        self.axes = axes
        self._videos: OrderedDict[Path, VideoReader] = OrderedDict()
        self._strip: tuple[Path, NDArray[np.uint8]] | None = None  # frames of a clip come from one strip
        self._arrays: dict[Path, ArrayVideos] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_videos": OrderedDict(), "_strip": None, "_arrays": {}}

    def _video(self, path: Path) -> VideoReader:
        if path not in self._videos:
            self._videos[path] = VideoReader(path)
            while len(self._videos) > OPEN_VIDEOS:
                self._videos.popitem(last=False)
        self._videos.move_to_end(path)
        return self._videos[path]

    def length(self, path: Path) -> int:
        """Frames of a video file."""
        return len(self._video(path))

    def fps(self, ref: FrameRef) -> float:
        return float(self._video(ref.path).fps)

    def size(self, ref: FrameRef) -> tuple[int, int]:
        """(H, W) of the frame, from headers."""
        if ref.in_video:
            return self._video(ref.path).size
        if ref.in_array:
            return self._array(ref.path).size
        height, width = image_size(ref.path)
        return (min(height, width), min(height, width)) if ref.in_strip else (height, width)

    def _array(self, path: Path) -> ArrayVideos:
        return self._arrays.setdefault(path, ArrayVideos(path, self.axes))

    def strip(self, path: Path) -> NDArray[np.uint8]:
        """All frames of a strip, T S S 3. The last strip is kept."""
        if self._strip is None or self._strip[0] != path:
            picture = quick_image(path)
            self._strip = path, cut(read_image(path) if picture is None else picture)
        return self._strip[1]

    def image(self, ref: FrameRef, box: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """H W 3, RGB. ``box``: the (H, W) that it will be resized to; a far larger JPEG then comes reduced."""
        if ref.position is not None:
            return self._positioned(ref, ref.position)
        picture = quick_image(ref.path, box)
        return read_image(ref.path) if picture is None else picture

    def _positioned(self, ref: FrameRef, position: int) -> NDArray[np.uint8]:
        if ref.in_array:
            videos = self._array(ref.path)
            return videos.frame(*divmod(position, videos.length))
        if ref.in_strip:
            frames = self.strip(ref.path)
            if position >= len(frames):
                raise UserError(f"{ref.path} is shorter than when it was counted: leave data alone that is being read")
            return frames[position]
        return self._video(ref.path)[position]

    def ids(self, ref: FrameRef, labels: bool) -> NDArray[np.integer]:
        """H W, uint8 or int32. ``labels``: colours, where the data set names them, count as ids, and ids are remapped."""
        values = self._stored_ids(ref, labels)
        if not labels or self.table is None:
            return values
        known = (values >= 0) & (values < len(self.table))
        return np.where(known, self.table[np.where(known, values, 0)], 255 if self.void is None else self.void)

    def _stored_ids(self, ref: FrameRef, labels: bool) -> NDArray[np.integer]:
        colours = self.colours if labels and self.colours else None
        void = self.void if labels else None
        if ref.position is not None:
            return self._video(ref.path).ids(ref.position, colours, void)
        values = quick_ids(ref.path)
        return read_ids(ref.path, colours, void) if values is None else values

    def dense(self, ref: FrameRef, channels: int = 1) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """H W, 8 or 16 bits, or H W 3 of 8 bits. A grey picture that was stored as RGB gives its first channel."""
        if ref.position is not None:
            picture = self._video(ref.path)[ref.position]
            return np.ascontiguousarray(picture[..., 0] if channels == 1 else picture)
        image_size(ref.path)  # a damaged file is named here
        with Image.open(ref.path) as picture:
            deep = picture.mode.startswith("I")
        if deep and channels != 1:
            raise UserError(f"{ref.path} is grey, {channels} channels are named in dataset.yaml: correct one of them")
        if not deep:
            picture = read_image(ref.path)
            return np.ascontiguousarray(picture[..., 0] if channels == 1 else picture)
        values = read_ids(ref.path)
        if values.size and not 0 <= values.min() <= values.max() <= 65535:
            raise UserError(f"{ref.path} holds values beyond 16 bits: store 8-bit or 16-bit grey")
        return values.astype(np.uint16)

    def flow(self, ref: FrameRef) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Stored backward flow 2 H W in pixels and its validity 1 H W: ``.flo``, ``.npy``, or KITTI's 16-bit PNG."""
        try:
            flow, valid = _read_flow(ref.path)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{ref.path} cannot be read as flow ({error}): make it again") from None
        return np.ascontiguousarray(flow, dtype=np.float32), np.ascontiguousarray(valid, dtype=np.float32)


def _read_flow(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    if path.suffix == ".flo":
        data = path.read_bytes()
        if len(data) < 12 or np.frombuffer(data, "<f4", 1)[0] != np.float32(_FLO_MAGIC):
            raise ValueError("no .flo header")
        width, height = (int(n) for n in np.frombuffer(data, "<i4", 2, 4))
        flow = np.frombuffer(data, "<f4", 2 * width * height, 12).reshape(height, width, 2).transpose(2, 0, 1)
    elif path.suffix == ".npy":
        flow = np.load(path, allow_pickle=False)
        if flow.ndim == 3 and flow.shape[0] != 2 and flow.shape[2] == 2:
            flow = flow.transpose(2, 0, 1)
    else:
        picture: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.dtype != np.uint16 or picture.ndim != 3:
            raise ValueError("not a 16-bit PNG with three channels")
        blue, green, red = (picture[..., c].astype(np.float32) for c in range(3))
        return np.stack([red - 2**15, green - 2**15]) / 64.0, np.asarray(blue > 0)[None]
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise ValueError(f"its shape is {flow.shape}, not (2, H, W)")
    # Very large values mark unknown flow in .flo files.
    valid = np.asarray((np.abs(flow) < 1e9).all(0, keepdims=True))
    return np.asarray(np.where(valid, flow, 0)), valid
