"""Single pictures and folders of them: reading, writing, order.

Pictures are uint8 RGB arrays ``H W 3``. Label images hold ids, not colours, and are read without any conversion.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from videosynth import files
from videosynth.types import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
JPEG_QUALITY = 95
# What Pillow raises for damaged files depends on where the damage is.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)

Colours = Sequence[tuple[int, int, int]]


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts ``frame2`` before ``frame10``."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p), p) if p.isdigit() and p.isascii() else (1, 0, p) for p in parts if p)


def frame_files(folder: Path | str) -> list[Path]:
    """The pictures of a folder in natural order (hidden files are left out). Not a folder, or unreadable: UserError."""
    folder = Path(folder)
    try:
        entries = list(folder.iterdir())
    except FileNotFoundError:
        raise UserError(f"{folder} is missing: check the path") from None
    except NotADirectoryError:
        raise UserError(f"{folder} is not a folder of frames: check the path") from None
    except PermissionError:
        raise UserError(f"{folder} cannot be read: permission denied, change its rights") from None
    pictures = [p for p in entries if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    return sorted(pictures, key=lambda p: natural_key(p.name))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise UserError(f"{path} is missing: check the path") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a picture: check the path") from None
    except PermissionError:
        raise UserError(f"{path} cannot be read: permission denied, change its rights") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path} is too large to be a frame: scale it down") from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a readable picture or is damaged: copy it again or remove the frame") from None
    except _DAMAGE as error:
        raise UserError(f"{path} is truncated or damaged ({error}): copy it again or remove the frame") from None


def image_size(path: Path | str) -> tuple[int, int]:
    """(H, W) as :func:`read_image` would return it, from the header alone."""
    with _opened(Path(path)) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def read_image(path: Path | str) -> np.ndarray:
    """A picture as uint8 ``H W 3``: grey is repeated, alpha dropped, 16 bits become 8, EXIF orientation applied.

    A missing, truncated or damaged file is a UserError.
    """
    path = Path(path)
    with _opened(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            grey = np.asarray(image)
            if grey.dtype.kind != "u" and not (image.mode == "I" and grey.min() >= 0 and grey.max() <= 65535):
                raise UserError(f"{path} is a picture of mode {image.mode}: convert it to 8 bits per channel")
            grey = ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, axis=2)
        return np.array(image.convert("RGB"))


def read_ids(path: Path | str, colours: Colours | None = None, void: int | None = None) -> np.ndarray:
    """A label image as int32 ids ``H W``.

    Grey pictures of 1, 8, 16 or 32 bits give their values, palette pictures their palette *indices*. An RGB picture
    needs ``colours``: id i has exactly ``colours[i]``; black, when no class has it, is ``void`` if that is given; any
    other colour is a UserError, as are lossy (JPEG) and damaged files.
    """
    path = Path(path)
    with _opened(path) as image:
        if image.format == "JPEG":
            raise UserError(f"{path} is a JPEG, which blurs ids: save label images as PNG")
        if image.mode in ("L", "P", "1", "I") or image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.int32)
        if image.mode in ("LA", "PA"):
            return np.asarray(image.getchannel(0)).astype(np.int32)
        if image.mode not in ("RGB", "RGBA", "RGBX"):
            raise UserError(f"{path} has mode {image.mode}, not ids: save label images as 8 or 16-bit grey PNG")
        if colours is None:
            raise UserError(
                f"{path} is an RGB picture, not a map of ids: name the classes' colours in dataset.yaml (colours) "
                "or convert it to ids"
            )
        rgb = np.array(image.convert("RGB"))
    return colours_to_ids(rgb, colours, void, str(path))


def colours_to_ids(rgb: np.ndarray, colours: Colours, void: int | None = None, name: str = "the picture") -> np.ndarray:
    """Exact colours uint8 ``H W 3`` to int32 ids ``H W``; rules as for :func:`read_ids`, ``name`` for the message."""
    table = {tuple(colour): i for i, colour in reversed(list(enumerate(colours)))}
    if void is not None:
        table.setdefault((0, 0, 0), void)
    codes = np.array([(r << 16) | (g << 8) | b for r, g, b in table], np.int32)
    order = np.argsort(codes)
    codes, ids = codes[order], np.array(list(table.values()), np.int32)[order]
    wide = rgb.astype(np.int32)
    pixels = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    found = np.minimum(np.searchsorted(codes, pixels), len(codes) - 1)
    unknown = codes[found] != pixels
    if unknown.any():
        y, x = np.argwhere(unknown)[0]
        colour = tuple(int(c) for c in rgb[y, x])
        raise UserError(
            f"{name} has the colour {colour} at row {y}, column {x} ({int(unknown.sum())} pixels are of no class): "
            "add it to the colours in dataset.yaml or mend the picture"
        )
    return ids[found]


def write_image(path: Path | str, array: np.ndarray) -> None:
    """Write uint8 ``H W 3``, or ids as uint8 or uint16 ``H W`` (PNG only), whole or not at all."""
    path = Path(path)
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"cannot write {path}: a picture's name ends in .png or .jpg")
    with files.atomic(path) as part:
        save_image(part, array)


def save_image(path: Path, array: np.ndarray) -> None:
    """:func:`write_image` without its safety, for files inside a folder that is itself written atomically."""
    colour = array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    ids = array.dtype in (np.uint8, np.uint16) and array.ndim == 2
    if not colour and not ids:
        raise ValueError(f"a picture is uint8 H W 3, ids are uint8 or uint16 H W; got {array.dtype} {array.shape}")
    image = Image.fromarray(np.ascontiguousarray(array))
    # Through memory: Pillow writing JPEG straight to a file does not notice when the disk takes only a part.
    data = io.BytesIO()
    if path.suffix.lower() == ".png":
        image.save(data, "PNG", compress_level=4)
    elif ids:
        raise UserError(f"cannot write {path}: JPEG blurs ids, use .png")
    else:
        image.save(data, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    path.write_bytes(data.getbuffer())
