"""Writing videos whole or not at all: H.264, lossless RGB, FFV1, gif, or a folder of pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import av.error
import av.filter
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from videosynth import files
from videosynth.types import UserError
from videosynth.video.images import IMAGE_SUFFIXES, save_image, write_image

__all__ = ["VideoWriter", "write_image", "write_video"]

Codec = Literal["h264", "rgb", "ffv1", "gif", "png", "jpg"]
_CODECS_OF: dict[str, tuple[Codec, ...]] = {
    ".mp4": ("h264", "rgb"),
    ".mov": ("h264", "rgb"),
    ".mkv": ("h264", "rgb", "ffv1"),
    ".gif": ("gif",),
    "": ("png", "jpg"),
}
_BT709 = 1  # FFmpeg's number for matrix, primaries and transfer alike
_ROUNDED = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
# A fixed number of threads: the bits depend on it, and must not depend on the machine.
_THREADS = "4"


class VideoWriter:
    """Write frames (uint8 RGB ``H W 3``, of one size) one by one; the file appears when the ``with`` block ends well.

    The suffix chooses the form: ``.mp4`` and ``.mov`` H.264 (``codec="rgb"``: lossless), ``.mkv`` the same or
    ``codec="ffv1"`` (lossless; also takes ids, uint8 ``H W``), ``.gif``, and a name without a suffix a folder of PNG
    pictures (``codec="jpg"``: JPEG; PNG also takes ids). H.264 needs even sizes: odd frames get their last row or
    column repeated, and come back so. ``crf`` is H.264's quality: 0 best, 51 worst.

    Leaving the block with an exception, or a disk that refuses (UserError), leaves no trace. An existing file is
    replaced, an existing folder only if it holds nothing but frames.
    """

    def __init__(self, path: Path | str, fps: float, codec: Codec | None = None, crf: int = 18) -> None:
        self.path = Path(path)
        known = _CODECS_OF.get(self.path.suffix.lower())
        if known is None:
            raise UserError(
                f"cannot write {self.path}: a video's name ends in .mp4, .mov, .mkv or .gif, or has none (a folder)"
            )
        self.codec: Codec = codec or known[0]
        if self.codec not in known:
            raise UserError(f"cannot write {self.path} as {codec}: choose {' or '.join(known)}, or another suffix")
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise UserError(f"cannot write {self.path} at {fps} frames per second: choose a rate above 0")
        self.fps = Fraction(fps).limit_denominator(1001)
        self.crf = crf
        self.count = 0
        self._shape: tuple[int, ...] | None = None
        self._stack = ExitStack()
        self._out: _Folder | _Container | None = None

    def __enter__(self) -> VideoWriter:
        if self.codec in ("png", "jpg") and self.path.is_dir():
            foreign = [p.name for p in self.path.iterdir() if p.suffix.lower() not in IMAGE_SUFFIXES]
            if foreign:
                raise UserError(
                    f"cannot write {self.path}: the folder holds other files ({foreign[0]}): name a new one"
                )
        self._part = self._stack.enter_context(files.atomic(self.path))
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append one frame: uint8 ``H W 3``, or ids uint8 ``H W`` (FFV1 and PNG). Another size: UserError."""
        if self._shape is None:
            self._begin(frame)
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise UserError(
                f"cannot write {self.path}: frame {self.count} is {frame.dtype} {frame.shape}, "
                f"the first one was {self._shape}: bring all frames to one size"
            )
        assert self._out is not None
        self._out.write(np.ascontiguousarray(frame))
        self.count += 1

    def _begin(self, frame: np.ndarray) -> None:
        ids = frame.ndim == 2
        if frame.dtype != np.uint8 or not (ids or (frame.ndim == 3 and frame.shape[2] == 3)) or 0 in frame.shape:
            raise ValueError(f"frames are uint8 H W 3 (ids: uint8 H W); got {frame.dtype} {frame.shape}")
        if ids and self.codec not in ("ffv1", "png"):
            raise UserError(
                f"cannot write ids to {self.path} as {self.codec}: use .mkv with codec ffv1 or a PNG folder"
            )
        self._shape = frame.shape
        if self.codec in ("png", "jpg"):
            self._out = _Folder(self._part, f".{self.codec}")
        elif self.codec == "gif":
            self._out = _Gif(self._part, self.fps, frame)
        else:
            self._out = _Container(self._part, self.fps, frame, self.codec, self.crf)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        with self._stack.pop_all() as stack:
            # Whatever happened inside is handed to the atomic writer, which removes the part and explains a full disk.
            stack.push(self._close)
            if error is not None:
                raise error
            if self._out is None:
                raise UserError(f"cannot write {self.path}: there are no frames")
        return None

    def _close(self, kind: Any, error: Any, trace: Any) -> None:
        if self._out is not None:
            self._out.close(whole=error is None)


class _Folder:
    def __init__(self, folder: Path, suffix: str) -> None:
        folder.mkdir()
        self._folder, self._suffix, self._count = folder, suffix, 0

    def write(self, frame: np.ndarray) -> None:
        save_image(self._folder / f"{self._count:06d}{self._suffix}", frame)
        self._count += 1

    def close(self, whole: bool) -> None:
        pass


class _Container:
    """H.264, lossless RGB H.264 or FFV1 in a container file."""

    def __init__(self, path: Path, fps: Fraction, frame: np.ndarray, codec: Codec, crf: int) -> None:
        height, width = frame.shape[:2]
        self._fps, self._count = fps, 0
        self._format = "gray" if frame.ndim == 2 else "rgb24"
        self._padding = ((0, height % 2), (0, width % 2), (0, 0)) if codec == "h264" else None
        # Key frames often: a jump in the file decodes from the one before.
        h264 = {"threads": _THREADS, "g": "30"}
        # FFV1's third version cannot slice a picture that is one pixel wide.
        ffv1 = {"level": "3" if width > 1 else "1", "threads": "1", "g": "1"}
        name, pixels, options = {
            # x264's macroblock tree gives different bits from run to run where sides are no multiple of 16.
            "h264": ("libx264", "yuv420p", {**h264, "crf": str(crf), "x264-params": "mbtree=0"}),
            "rgb": ("libx264rgb", "rgb24", {**h264, "qp": "0"}),
            "ffv1": ("ffv1", "gray" if frame.ndim == 2 else "bgr0", ffv1),
            "gif": ("gif", "pal8", {}),
        }[codec]
        # Without the creation date and random numbers; the index in front, so that browsers can start at once.
        flags = {"fflags": "+bitexact"}
        if path.suffix.lower() in (".mp4", ".mov"):
            flags["movflags"] = "+faststart"
        self._container = av.open(str(path), "w", options=flags)
        try:
            self._stream = self._container.add_stream(name, rate=fps, options=options)
            self._stream.height = height + (height % 2 if self._padding else 0)
            self._stream.width = width + (width % 2 if self._padding else 0)
            self._stream.pix_fmt = pixels
            self._reformatter = VideoReformatter()
            if codec == "h264":
                context = self._stream.codec_context
                context.colorspace = context.color_primaries = context.color_trc = _BT709
                context.color_range = ColorRange.MPEG
        except BaseException:
            self._container.close()
            raise

    def write(self, frame: np.ndarray) -> None:
        if self._padding:
            frame = np.pad(frame, self._padding, mode="edge")
        picture = av.VideoFrame.from_ndarray(frame, format=self._format)
        if self._padding:
            picture = self._reformatter.reformat(
                picture,
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=_ROUNDED,
            )
        picture.pts, picture.time_base = self._count, 1 / self._fps
        self._count += 1
        self._container.mux(self._stream.encode(picture))

    def close(self, whole: bool) -> None:
        try:
            if whole:
                self._finish()
        finally:
            try:
                self._container.close()
            except (av.error.FFmpegError, OSError):
                if whole:  # otherwise the first error is the one that matters
                    raise

    def _finish(self) -> None:
        self._container.mux(self._stream.encode(None))


class _Gif(_Container):
    """Endless gif with one best palette per frame (error diffusion), in constant memory."""

    def __init__(self, path: Path, fps: Fraction, frame: np.ndarray) -> None:
        super().__init__(path, min(fps, Fraction(50)), frame, "gif", 0)
        height, width = frame.shape[:2]
        graph = av.filter.Graph()
        source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / self._fps)
        split, sink = graph.add("split"), graph.add("buffersink")
        palette, use = graph.add("palettegen", "stats_mode=single"), graph.add("paletteuse", "new=1")
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(palette, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        self._graph = graph

    def write(self, frame: np.ndarray) -> None:
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        picture.pts, picture.time_base = self._count, 1 / self._fps
        self._count += 1
        self._graph.vpush(picture)
        self._drain()

    def _drain(self) -> None:
        while True:
            try:
                picture = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            self._container.mux(self._stream.encode(picture))

    def _finish(self) -> None:
        self._graph.vpush(None)
        self._drain()
        super()._finish()


def write_video(
    path: Path | str, frames: Iterable[np.ndarray], fps: float, codec: Codec | None = None, crf: int = 18
) -> None:
    """Write all frames (``T H W 3`` or an iterable of ``H W 3``) with a :class:`VideoWriter`."""
    with VideoWriter(path, fps, codec, crf) as writer:
        for frame in frames:
            writer.write(frame)
