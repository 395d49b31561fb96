"""Strips: a video as one picture, square frames tiled along its longer side (the format of MoCoGAN and VGAN)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videosynth.data.pictures import quick_size
from videosynth.types import UserError
from videosynth.video.images import IMAGE_SUFFIXES, image_size

SURE = 3  # a picture this many times as long as wide is no usual frame
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"P5", b"P6", b"II*\0", b"MM\0*")
_OTHERS = (".json", ".yaml", ".yml", ".txt", ".md", ".csv", ".npy", ".npz", ".py", ".zip", ".db", ".pdf")


def is_picture(path: Path) -> bool:
    """By its ending; a file with an ending that says nothing is looked into."""
    ending = path.suffix.lower()
    if ending in IMAGE_SUFFIXES:
        return True
    if ending in _OTHERS:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def is_strip(size: tuple[int, int]) -> bool:
    """Whether a picture of (H, W) can hardly be anything but a strip, if perhaps a damaged one."""
    return max(size) >= SURE * min(size)


def strip_length(path: Path) -> int:
    """Frames of a strip, from its header.

    Raises:
        UserError: the picture cannot be read, its longer side does not divide, or it holds one frame only.
    """
    height, width = quick_size(path) or image_size(path)
    short, long = min(height, width), max(height, width)
    if long % short:
        raise UserError(
            f"{path} is {width}x{height}: {long} is no multiple of {short}, so it is no strip of square frames: "
            "cut it to a multiple, or set videos to frames in dataset.yaml if each picture is a frame of a video"
        )
    if long == short:
        raise UserError(
            f"{path} is {width}x{height}: it holds one frame only: give a strip of more square frames side by side or "
            "one below the other, or set videos to frames in dataset.yaml if each picture is a frame of a video"
        )
    return long // short


def cut(strip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``H W 3`` to ``T S S 3`` (a view)."""
    height, width = strip.shape[:2]
    if height >= width:
        return strip.reshape(height // width, width, width, 3)
    return strip.reshape(height, width // height, height, 3).swapaxes(0, 1)
