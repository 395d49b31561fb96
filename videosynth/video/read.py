"""Reading videos: any file that FFmpeg knows, or a folder of pictures, behind one class with exact random access."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from videosynth.types import UserError
from videosynth.video.images import Colours, colours_to_ids, frame_files, image_size, read_ids, read_image
from videosynth.video.stream import DEFAULT_FPS, Decoder, FrameTable, measure

__all__ = ["VideoReader", "frame_files", "read_ids", "read_image", "read_video"]


class VideoReader:
    """A video file or a folder of frames. ``reader[i]`` is exactly the i-th frame: uint8 RGB ``H W 3``.

    The file is opened at first use, in the process that uses it, so a reader can be pickled and sent to workers (it
    takes its frame table along). Reading forward is fast; a jump decodes from the key frame before it. Frames stand
    upright: a rotation that a phone stored in the file is applied.

    ``fps`` overrides the rate of the file (frames per second; 15 for folders, which know none).
    A missing, damaged, truncated or empty video is a UserError, raised at first use.
    """

    def __init__(self, path: Path | str, fps: float | None = None) -> None:
        self.path = Path(path)
        self._given_fps = fps
        self._measured: FrameTable | None = None
        self._files: list[Path] | None = None
        self._decoder: Decoder | None = None
        self._process = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_decoder": None}

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Reading again opens it again."""
        if self._decoder is not None and self._process == os.getpid():
            self._decoder.close()
        self._decoder = None

    @property
    def _table(self) -> FrameTable:
        if self._measured is None:
            self._measured = self._measure_folder() if self.path.is_dir() else measure(self.path)
        return self._measured

    def _measure_folder(self) -> FrameTable:
        self._files = frame_files(self.path)
        if not self._files:
            raise UserError(f"{self.path} has no frames: put pictures (png, jpg, ...) into it or name another folder")
        return FrameTable(len(self._files), DEFAULT_FPS, image_size(self._files[0]), "pictures")

    def __len__(self) -> int:
        return self._table.length

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self._given_fps if self._given_fps is not None else self._table.fps

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        return self._table.size

    @property
    def names(self) -> list[str]:
        """One name per frame: the file stems of a folder, six-digit numbers for a video."""
        length = len(self)
        return [f"{i:06d}" for i in range(length)] if self._files is None else [p.stem for p in self._files]

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame ``index`` (negative: from the end), uint8 ``H W 3``."""
        return self._frame(self._checked(index))

    def __iter__(self) -> Iterator[np.ndarray]:
        """All frames in order, one in memory at a time."""
        return (self._frame(i) for i in range(len(self)))

    def read(self, start: int, count: int, step: int = 1) -> np.ndarray:
        """Frames start, start + step, ...: uint8 ``T H W 3`` with T = count."""
        if count < 0 or step < 1 or start < 0 or (count and start + (count - 1) * step >= len(self)):
            raise IndexError(f"{self.path} has {len(self)} frames; asked for {count} from {start}, step {step}")
        frames = np.empty((count, *self.size, 3), np.uint8)
        for t in range(count):
            frames[t] = self._frame(start + t * step)
        return frames

    def ids(self, index: int, colours: Colours | None = None, void: int | None = None) -> np.ndarray:
        """Frame ``index`` of a label video or folder as int32 ids ``H W``; rules as for :func:`read_ids`.

        A video must be lossless: grey (FFV1), or RGB with the id in all three channels or with ``colours``.
        """
        index = self._checked(index)
        if self._files is not None:
            return read_ids(self._files[index], colours, void)
        layout = self._table.format
        if "yuv" in layout or layout.startswith("nv"):
            raise UserError(f"{self.path} is a lossy video ({layout}), which blurs ids: use FFV1 or a folder of PNG")
        frame = self._frame(index)
        if colours is not None and not layout.startswith("gray"):
            return colours_to_ids(frame, colours, void, f"frame {index} of {self.path}")
        if (frame[..., :1] != frame).any():
            raise UserError(
                f"frame {index} of {self.path} is coloured, not a map of ids: name the classes' colours in dataset.yaml"
            )
        return frame[..., 0].astype(np.int32)

    def _checked(self, index: int) -> int:
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"{self.path} has {length} frames; asked for frame {index}")
        return index % length

    def _frame(self, index: int) -> np.ndarray:
        table = self._table
        if self._files is not None:
            frame = read_image(self._files[index])
            if frame.shape[:2] != table.size:
                (h, w), (height, width) = frame.shape[:2], table.size
                raise UserError(
                    f"{self._files[index]} is {w}x{h}, but {self._files[0].name} beside it is {width}x{height}: "
                    "bring all frames of a folder to one size"
                )
            return frame
        # After a fork the parent's decoder must not be touched: both would move the same file position.
        if self._decoder is None or self._process != os.getpid():
            self._decoder, self._process = Decoder(self.path, table), os.getpid()
        return self._decoder.frame(index)


def read_video(path: Path | str) -> tuple[np.ndarray, float]:
    """All frames uint8 ``T H W 3`` and the frame rate. For long videos take :class:`VideoReader`."""
    with VideoReader(path) as reader:
        return reader.read(0, len(reader)), reader.fps
