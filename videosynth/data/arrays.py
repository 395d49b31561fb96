"""Videos in NumPy's files: ``.npy`` (memory-mapped) and ``.npz``.

| shape | meaning |
|---|---|
| ``T H W`` | one grey video |
| ``T H W C``, ``T C H W`` | one video of 1, 3 or, when last, 4 channels (alpha is dropped) |
| ``N T H W`` | grey videos; ``T N H W`` where the second axis is more than :data:`TIMES` times the first, as in Moving MNIST |
| ``N T H W C``, ``N T C H W`` | videos |

``axes: TNHW`` (or the like) in ``dataset.yaml`` says what a shape cannot.
"""

from __future__ import annotations

import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videosynth.types import UserError

TIMES = 10
SMALLEST = 8  # pixels a side: tables of numbers are no videos
_CHANNELS = (1, 3, 4)
DAMAGE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def axes_of(shape: tuple[int, ...]) -> str | None:
    """The letters of an array's axes, or None where it is no video."""
    if len(shape) == 3:
        return "THW"
    if len(shape) == 4:
        if shape[3] in _CHANNELS:
            return "THWC"
        if shape[1] in (1, 3):  # four may well be frames
            return "TCHW"
        return "TNHW" if shape[1] > TIMES * shape[0] else "NTHW"
    if len(shape) == 5:
        return "NTHWC" if shape[4] in _CHANNELS else "NTCHW" if shape[2] in _CHANNELS else None
    return None


class ArrayVideos:
    """The videos of a file: ``videos.frame(n, t)`` is uint8 ``H W 3``. Opened when first asked; copies open it anew.

    Values: uint8 as they are; others by what the whole file holds: up to 1 (or -1 to 1) is scaled, up to 255 is rounded.

    Raises:
        UserError: at first use, if the file is damaged or holds no videos.
    """

    def __init__(self, path: Path, axes: str | None = None) -> None:
        self.path = path
        self.axes = axes

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "axes": self.axes}

    @cached_property
    def _file(self) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """The videos and, of ``.npz``, the other arrays."""
        try:
            if self.path.suffix.lower() == ".npy":
                return np.load(self.path, mmap_mode="r", allow_pickle=False), {}
            with np.load(self.path, allow_pickle=False) as file:
                if "videos" in file.files:
                    name = "videos"
                else:
                    arrays = {key: file[key] for key in file.files}
                    name = _only(self.path, [key for key, array in arrays.items() if array.ndim >= 3])
                return file[name], {key: file[key] for key in file.files if key != name}
        except DAMAGE as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{self.path} cannot be read as arrays ({reason}): save it again with numpy.save") from None

    @cached_property
    def order(self) -> str:
        """The letters of the axes: as told, or as taken from the shape."""
        shape = self._file[0].shape
        told = axes_of(shape) if self.axes is None or len(self.axes) != len(shape) else self.axes
        if told is None or 0 in shape or ("C" in told and shape[told.index("C")] not in _CHANNELS):
            raise UserError(
                f"{self.path} has the shape {shape}: videos are (N, T, H, W), (N, T, H, W, C), (N, T, C, H, W) or "
                "(T, H, W, C); say others with `axes` in dataset.yaml, such as axes: TNHW"
            )
        if self._file[0].dtype.kind not in "buif":
            raise UserError(f"{self.path} holds {self._file[0].dtype}, not pixels: save it as uint8")
        height, width = (shape[told.index(side)] for side in "HW")
        if min(height, width) < SMALLEST:
            raise UserError(
                f"{self.path} of shape {shape} would be frames of {width}x{height}, which are no pictures: take it out of the "
                "folder, or say which axis is which with `axes` in dataset.yaml"
            )
        return told

    def along(self, axis: str) -> int:
        """Its length; 1 of an axis that there is not."""
        return self._file[0].shape[self.order.index(axis)] if axis in self.order else 1

    @property
    def count(self) -> int:
        return self.along("N")

    @property
    def length(self) -> int:
        """Frames of each video."""
        return self.along("T")

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        return self.along("H"), self.along("W")

    @property
    def single(self) -> bool:
        """The file is one video, not a list of them."""
        return "N" not in self.order

    @cached_property
    def _scale(self) -> tuple[float, float]:
        """Factor and offset that bring the file's values to 0..255."""
        array = self._file[0]
        if array.dtype == bool:
            return 255.0, 0.0
        low, high = float(array.min()), float(array.max())
        if array.dtype.kind == "f" and low >= -1 and high <= 1:
            return (127.5, 127.5) if low < 0 else (255.0, 0.0)
        if not (low >= 0 and high <= 255):
            raise UserError(f"{self.path} holds values from {low:g} to {high:g}: save the videos as uint8")
        return 1.0, 0.0

    def frame(self, n: int, t: int) -> NDArray[np.uint8]:
        """Frame ``t`` of video ``n``: uint8 ``H W 3``."""
        places = {"N": n, "T": t}
        letters = [a for a in self.order if a not in places]
        picture = self._file[0][tuple(places.get(a, slice(None)) for a in self.order)]
        picture = picture.transpose([letters.index(a) for a in "HWC" if a in letters])
        if picture.dtype != np.uint8:
            factor, offset = self._scale
            picture = np.clip(np.rint(picture.astype(np.float32) * factor + offset), 0, 255).astype(np.uint8)
        if picture.ndim == 2:
            picture = picture[..., None]
        return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else np.ascontiguousarray(picture[..., :3])

    def attributes(self, n: int) -> dict[str, str]:
        """What the other arrays say of video ``n``: those of one integer or word per video. ``labels`` are the ``class``."""
        found = {}
        for key, array in self._file[1].items():
            if array.shape == (self.count,) and array.dtype.kind in "iubU":
                found["class" if key == "labels" else key] = (
                    str(array[n].item()).lower() if array.dtype == bool else str(array[n].item())
                )
        return found


def _only(path: Path, names: list[str]) -> str:
    if len(names) != 1:
        there = ", ".join(names) or "none"
        raise UserError(f"{path} has no array `videos`, and of 3 or more axes there is {there}: name the one `videos`")
    return names[0]
