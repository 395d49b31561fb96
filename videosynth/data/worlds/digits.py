"""Moving digits: stochastic Moving MNIST (SVG, SM-MNIST) with any glyphs of 28x28 pixels.

Glyphs are brought to 32 pixels on a canvas of 64; they start at a random place with a random velocity of -4..4 pixels per
frame and axis. A glyph that meets a wall leaves it at a new speed of 1..4 pixels, and its speed along the wall is drawn
anew too. Where glyphs overlap their brightnesses add up to at most white. Larger canvases show the same, larger.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from videosynth.data.arrays import DAMAGE
from videosynth.data.transforms import resize_image
from videosynth.types import UserError

LENGTH = 32  # frames of a video that clips are drawn from; any number can be asked for
GLYPH = 28
NAMES = tuple("0123456789")
_CANVAS, _SIDE = 64, 32
_SPEED = 4
_FINE = 4  # built-in digits are drawn this many times larger before they are bent


class Glyphs(NamedTuple):
    """``images`` N 28 28 uint8, 255 is ink; ``labels`` N ids of the digits, or None where they are not known."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


@lru_cache(maxsize=4)
def read_glyphs(path: Path) -> Glyphs:
    """``.npy``, or ``.npz`` with ``images`` or ``train_images`` and perhaps ``labels`` or ``train_labels``.

    Raises:
        UserError: there is no such file, or it does not hold glyphs.
    """
    if path.is_dir():
        files = ", ".join(sorted(p.name for p in path.iterdir() if p.suffix in (".npy", ".npz"))) or "no .npz or .npy"
        raise UserError(f"data.glyphs: {path} is a folder (it holds {files}): give a file of N x 28 x 28 pictures")
    if not path.is_file():
        raise UserError(f"data.glyphs: there is no file {path}: give an .npz or .npy of N x 28 x 28 pictures")
    labels = None
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            images = file
        else:
            with file:
                known = [k for k in ("images", "train_images") if k in file.files]
                if not known:
                    raise UserError(f"data.glyphs: {path} has no images or train_images, but {', '.join(file.files)}")
                images = file[known[0]]
                name = known[0].replace("images", "labels")
                labels = file[name].astype(np.int64) if name in file.files else None
    except DAMAGE as error:
        raise UserError(f"data.glyphs: {path} cannot be read ({' '.join(str(error).split())})") from None
    if images.ndim != 3 or images.shape[1:] != (GLYPH, GLYPH) or images.dtype != np.uint8 or not len(images):
        raise UserError(f"data.glyphs: {path} holds {images.dtype} {images.shape}: give uint8 N x 28 x 28")
    if labels is not None and (labels.shape != (len(images),) or labels.min() < 0 or labels.max() > 9):
        raise UserError(f"data.glyphs: {path}: the labels must be {len(images)} numbers of 0 to 9")
    return Glyphs(images, labels)


@lru_cache(maxsize=1)
def _drawn() -> NDArray[np.uint8]:
    """The ten digits of Pillow's own font, 10 112 112."""
    side = GLYPH * _FINE
    font = ImageFont.load_default(size=side)
    pictures = []
    for name in NAMES:
        picture = Image.new("L", (side, side))
        ImageDraw.Draw(picture).text((side / 2, side / 2), name, fill=255, font=font, anchor="mm")
        pictures.append(np.asarray(picture))
    return np.stack(pictures)


def _written(digit: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A built-in digit, 28 28, turned, slanted, stretched and thickened a little."""
    angle, slant = random.uniform(-0.25, 0.25), random.uniform(-0.3, 0.3)
    scale = random.uniform(0.8, 1.1, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, slant], [0, 1]]) @ np.diag(scale)
    centre = np.full(2, (GLYPH * _FINE - 1) / 2)
    affine = np.concatenate([matrix, (centre - matrix @ centre)[:, None]], axis=1)
    fine = cv2.warpAffine(_drawn()[digit], affine, (GLYPH * _FINE, GLYPH * _FINE), flags=cv2.INTER_LINEAR)
    pen = int(random.integers(1, 6))
    fine = cv2.dilate(fine, np.ones((pen, pen), np.uint8))
    return np.asarray(cv2.resize(fine, (GLYPH, GLYPH), interpolation=cv2.INTER_AREA), np.uint8)


def _walk(random: np.random.Generator, room: tuple[int, int], frames: int) -> NDArray[np.int64]:
    """Places ``T 2`` (y, x) of a glyph in 0 .. room - 1."""
    place = [int(random.integers(r)) for r in room]
    speed = [int(random.integers(-_SPEED, _SPEED + 1)) for _ in room]
    places = np.empty((frames, 2), np.int64)
    for t in range(frames):
        for axis in (0, 1):
            inward = 1 if place[axis] < 0 else -1 if place[axis] >= room[axis] else 0
            if inward:
                place[axis] = 0 if inward > 0 else room[axis] - 1
                speed[axis] = inward * int(random.integers(1, _SPEED + 1))
                speed[1 - axis] = int(random.integers(-_SPEED, _SPEED + 1))
        places[t] = place
        place = [p + v for p, v in zip(place, speed, strict=True)]
    return places


def render(
    seed: int, size: tuple[int, int], frames: range, count: int = 2, glyphs: Glyphs | None = None
) -> tuple[list[NDArray[np.uint8]], dict[str, str]]:
    """Frames ``H W 3`` of a seed's video, and the ``digit`` where there is only one and it is known."""
    unit = min(size) / _CANVAS
    side = max(4, round(_SIDE * unit))
    room = (max(1, round(size[0] / unit) - _SIDE), max(1, round(size[1] / unit) - _SIDE))
    wanted = list(frames)
    canvas = np.zeros((len(wanted), *size), np.uint16)
    label: int | None = None
    for n in range(count):
        # One source of random numbers per glyph and one per walk: a longer video begins as the shorter one.
        look, way = (np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence([28, seed, n]).spawn(2))
        if glyphs is None:
            label = int(look.integers(len(NAMES)))
            glyph = _written(label, look)
        else:
            pick = int(look.integers(len(glyphs.images)))
            label = None if glyphs.labels is None else int(glyphs.labels[pick])
            glyph = glyphs.images[pick]
        glyph = resize_image(glyph, (side, side))
        places = np.rint(_walk(way, room, (wanted[-1] + 1) if wanted else 0) * unit).astype(np.int64)
        for t, i in enumerate(wanted):
            y, x = np.minimum(places[i], (size[0] - side, size[1] - side))
            canvas[t, y : y + side, x : x + side] += glyph
    images = [np.repeat(np.minimum(c, 255).astype(np.uint8)[..., None], 3, axis=2) for c in canvas]
    return images, {} if label is None or count != 1 else {"digit": str(label)}
