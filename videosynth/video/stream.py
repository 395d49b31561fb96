"""Decoding one video file: a table of where its frames are, and a decoder that gives exactly the i-th one."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from videosynth.types import UserError

DEFAULT_FPS = 15.0
# Rounding instead of truncation and full chroma resolution: no drift of colours from decoding.
CONVERSION = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
# Packets of these codecs are not frames one to one, or cannot be entered in the middle.
_COUNTED_CODECS = ("gif", "vp8", "apng", "webp")
_GIF_END = b";"


@dataclass(frozen=True)
class FrameTable:
    """Where the frames of a file are: presentation times in order, and those at which decoding can begin.

    Files without trustworthy times are ``counted``: a frame is found by decoding from the beginning.
    ``size`` is (H, W) of the upright frames, ``format`` FFmpeg's pixel format.
    """

    length: int
    fps: float
    size: tuple[int, int]
    format: str
    counted: bool = False
    pts: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()


def open_video(path: Path) -> Any:
    """PyAV's container of a file with a video stream; a UserError when there is none."""
    try:
        container = av.open(str(path))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: check the path") from None
    except PermissionError:
        raise UserError(f"{path} cannot be read: permission denied, change its rights") from None
    except (av.error.FFmpegError, OSError, ValueError):
        raise UserError(f"{path} is not a readable video or is truncated: copy it again or convert it to mp4") from None
    if not container.streams.video:
        container.close()
        raise UserError(f"{path} has no video stream: name a video file or a folder of frames")
    # One thread: loaders parallelise over processes, and a jump need not fill a pipeline.
    container.streams.video[0].codec_context.thread_count = 1
    return container


def damaged(path: Path, what: object) -> UserError:
    return UserError(f"{path} is truncated or damaged ({what}): copy it again or convert it to mp4 anew")


def measure(path: Path) -> FrameTable:
    """Read a file once without decoding it (with decoding, where its packets do not tell) and make its table."""
    try:
        with open_video(path) as container:
            stream = container.streams.video[0]
            times, keys = _demux(path, container, stream)
            name, rate, time_base = stream.codec_context.name, stream.average_rate, stream.time_base
        unclear = None in times or not keys or len(set(times)) != len(times)
        counted = unclear or name in _COUNTED_CODECS
        with open_video(path) as container:
            frames = container.decode(video=0)
            first = next(frames, None)
            if first is None:
                raise UserError(f"{path} has no frames: copy it again or name another file")
            if counted:
                times = [first.pts, *(frame.pts for frame in frames)]
            size, layout, begin = _upright_size(first), first.format.name, first.pts
    except (av.error.FFmpegError, OSError) as error:
        raise damaged(path, getattr(error, "strerror", error)) from None
    if not counted:
        times.sort()
        if begin != times[0]:
            raise damaged(path, "its first frame cannot be decoded")
    fps = float(rate or 0)
    if len(times) > 1 and (name == "gif" or not fps) and None not in times and times[-1] > times[0]:
        fps = (len(times) - 1) / float((times[-1] - times[0]) * time_base)
    fps = fps or DEFAULT_FPS
    if counted:
        return FrameTable(len(times), fps, size, layout, counted=True)
    return FrameTable(len(times), fps, size, layout, pts=tuple(times), keys=tuple(sorted(keys)))


def _demux(path: Path, container: Any, stream: Any) -> tuple[list[Any], list[int]]:
    """Presentation times of the shown frames, and of all key frames, in file order."""
    times: list[Any] = []
    keys: list[int] = []
    packets, end, frame = 0, 0.0, 1 / float(stream.average_rate or DEFAULT_FPS)
    for packet in container.demux(stream):
        if packet.size == 0:  # the flush packet
            continue
        if packet.is_corrupt:
            raise damaged(path, f"it breaks off after {packets} frames")
        packets += 1
        if packet.is_keyframe and packet.pts is not None:
            keys.append(packet.pts)
        if not packet.is_discard:  # cut away by the file's edit list
            times.append(packet.pts)
        if packet.pts is not None:
            begin = float(packet.pts * stream.time_base)
            end = max(end, begin + (float(packet.duration * stream.time_base) if packet.duration else frame))
    if not packets:
        raise UserError(f"{path} has no frames: copy it again or name another file")
    if packets < len(stream.index_entries):
        raise damaged(path, f"it breaks off after {packets} of {len(stream.index_entries)} frames")
    # Matroska knows its length beforehand only in words.
    promised = _seconds(stream.metadata.get("DURATION", ""))
    if promised - end > 0.6 * frame and end:
        raise damaged(path, f"it breaks off {end:.2f} s into {promised:.2f} s")
    if stream.codec_context.name == "gif" and not _last_bytes(path).endswith(_GIF_END):
        raise damaged(path, f"it breaks off after {packets} frames")
    return times, keys


def _last_bytes(path: Path) -> bytes:
    """The end of a file without the zeros that some programs fill up with."""
    with path.open("rb") as file:
        file.seek(-min(64, path.stat().st_size), os.SEEK_END)
        return file.read().rstrip(b"\0")


def _seconds(text: str) -> float:
    """``00:01:02.5`` to 62.5; 0 for anything else."""
    try:
        hours, minutes, seconds = text.strip().split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _upright_size(frame: Any) -> tuple[int, int]:
    return (frame.width, frame.height) if frame.rotation % 180 == 90 else (frame.height, frame.width)


class Decoder:
    """An open file at a position. Must be used in the process that made it."""

    def __init__(self, path: Path, table: FrameTable) -> None:
        self.path = path
        self.table = table
        self._reformatter = VideoReformatter()
        self._rewind()

    def close(self) -> None:
        self._container.close()

    def _rewind(self) -> None:
        self._container = open_video(self.path)
        self._stream = self._container.streams.video[0]
        self._frames: Iterator[Any] = self._container.decode(self._stream)
        self._next = 0  # index of the frame that comes next out of the decoder
        self._ahead: Any = None  # a frame that a seek has decoded to find its place

    def frame(self, index: int) -> np.ndarray:
        """Frame ``index`` (0 <= index < length), uint8 ``H W 3``."""
        try:
            if not self._near(index):
                self._seek(index)
            while True:
                frame, self._ahead = self._ahead or next(self._frames, None), None
                if frame is None:
                    raise damaged(self.path, f"frame {self._next} of {self.table.length} cannot be decoded")
                at, self._next = self._next, self._next + 1
                if not self.table.counted and frame.pts != self.table.pts[at]:
                    raise damaged(self.path, f"frame {at} is missing or its time is wrong")
                if at == index:
                    return self._picture(frame, index)
        except (av.error.FFmpegError, OSError) as error:
            self._restart()
            raise damaged(self.path, f"frame {index}: {getattr(error, 'strerror', error)}") from None
        except UserError:
            self._restart()
            raise

    def _restart(self) -> None:
        self.close()
        self._rewind()

    def _key_before(self, index: int) -> int:
        """Position in ``keys`` of the last key frame that is shown at or before frame ``index`` (-1: none)."""
        return bisect_right(self.table.keys, self.table.pts[index]) - 1

    def _near(self, index: int) -> bool:
        """Whether decoding on from here is no more work than seeking."""
        if index < self._next:
            return False
        if self.table.counted or index == self._next:
            return True
        key = self._key_before(index)
        return key < 0 or self.table.keys[key] <= self.table.pts[self._next]

    def _seek(self, index: int) -> None:
        """Stand before or at frame ``index``. Demuxers that seek by decoding time may land late: then a key earlier."""
        if not self.table.counted:
            pts = self.table.pts
            for key in range(self._key_before(index), 0, -1):
                try:
                    self._container.seek(self.table.keys[key], stream=self._stream)
                except av.error.FFmpegError:
                    break
                self._frames = self._container.decode(self._stream)
                self._ahead = None
                frame = next(self._frames, None)
                # Frames shown before the key frame but stored behind it may be broken: they are passed over.
                while frame is not None and frame.pts < self.table.keys[key] <= pts[index]:
                    frame = next(self._frames, None)
                if frame is not None and frame.pts <= pts[index]:
                    self._next = bisect_right(pts, frame.pts) - 1
                    self._ahead = frame
                    return
        self._restart()

    def _picture(self, frame: Any, index: int) -> np.ndarray:
        if frame.is_corrupt:
            raise damaged(self.path, f"frame {index}")
        turns = frame.rotation
        # No threads here either: a forked child that drops its parent's decoder would wait for them for ever.
        rgb = self._reformatter.reformat(frame, format="rgb24", interpolation=CONVERSION, threads=1).to_ndarray()
        if turns % 90 == 0 and turns:
            rgb = np.ascontiguousarray(np.rot90(rgb, turns // 90))
        if rgb.shape[:2] != self.table.size:
            size = "{1}x{0}".format(*rgb.shape)
            raise UserError(f"{self.path} changes its size to {size} at frame {index}: convert it to one size")
        return rgb
