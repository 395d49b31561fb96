"""The quick way to read what most data sets consist of: whole JPEG files, and PNG files of 8 bits.

Everything else, and everything that looks damaged, gives None and is read (or refused) by
:mod:`videosynth.video.images`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
_PNG = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _RGBA = 0, 2, 6  # colour types of PNG


def quick_image(path: Path, box: tuple[int, int] | None = None) -> NDArray[np.uint8] | None:
    """``H W 3`` RGB, or None. A JPEG may come reduced by 2, 4 or 8, but never below twice ``box`` (H, W): it is
    averaged down to the box afterwards."""
    data = _read(path)
    if _is_jpeg(data):
        factor = 1
        # A camera's picture may be stored lying on its side, so its size says little.
        size = _jpeg_size(data) if box is not None and b"Exif\0" not in data[:4096] else None
        if box is not None and size is not None:
            room = min(size[0] / box[0], size[1] / box[1]) / 2
            factor = next((f for f in (8, 4, 2) if f <= room), 1)
        picture = _decode(data, _REDUCED.get(factor, cv2.IMREAD_COLOR))
    elif _is_png(data, _RGB) or _is_png(data, _RGBA):  # OpenCV, too, drops alpha without mixing it in
        picture = _decode(data, cv2.IMREAD_COLOR)
    else:
        return None
    return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture)


def quick_size(path: Path) -> tuple[int, int] | None:
    """(H, W) of a whole JPEG or PNG file that no stored orientation turns, or None. Pillow, asked for the orientation of
    a PNG, decodes all of it: too slow for thousands of strips."""
    data = _read(path)
    if _is_jpeg(data):
        return None if b"Exif\0" in data[:4096] else _jpeg_size(data)
    if data[:8] == _PNG and b"IEND" in data[-12:] and b"eXIf" not in data:
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    return None


def quick_ids(path: Path) -> NDArray[np.uint8] | None:
    """``H W`` values of a grey PNG of 8 bits, or None."""
    data = _read(path)
    return _decode(data, cv2.IMREAD_UNCHANGED) if _is_png(data, _GREY) else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _decode(data: bytes, flag: int) -> Any:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        return None


def _is_jpeg(data: bytes) -> bool:
    # A JPEG that was cut off would be filled up with grey without a word.
    return data[:3] == b"\xff\xd8\xff" and data[-2:] == b"\xff\xd9"


def _is_png(data: bytes, colour: int) -> bool:
    return data[:8] == _PNG and len(data) > 45 and data[24] == 8 and data[25] == colour and b"IEND" in data[-12:]


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(H, W) from the frame header."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + length
    return None
