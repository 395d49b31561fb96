"""Does the content stay what it is while it moves? Videos of one thing on black: its colour, its shape, its way.

Videos are uint8 ``T H W 3``, sets of them ``N T H W 3`` or lists. All frames as given are used: who compares models of
different frame rates or lengths takes the same number of frames of each first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import ndimage

from videosynth.metrics.extractors import Extractor
from videosynth.metrics.pixels import Videos
from videosynth.metrics.suite import features_of

Describe = Callable[[np.ndarray], np.ndarray]  # uint8 T H W 3 -> T F; NaN where a frame holds nothing to describe

DARK = 32  # the brightest channel of a background pixel
AREAS = (30, 250)  # pixels of a shape at 64x64
PATH = 10.0  # pixels that a shape's centre travels at least, at 64 rows
STEP = 5.0  # pixels of net displacement below which a shape went nowhere, at 64 rows


@dataclass(frozen=True)
class ContentDistance:
    """How much the content changes inside videos; ``None`` where no video could be measured.

    ``acd_valid``, over the videos that show one moving shape, is the figure to compare, and only together with
    ``valid``, their share: a black video has no content to change, and a frozen one cannot change it. ``acd`` is over
    all videos that could be described (a foreground in every frame), ``described`` is their share.
    """

    acd: float | None
    acd_valid: float | None
    valid: float
    described: float
    count: int


def foreground(frames: np.ndarray) -> np.ndarray:
    """Where the brightest channel exceeds 32 of 255: bool ``T H W`` of uint8 ``T H W 3``."""
    _check(frames)
    return frames.max(axis=-1) > DARK


def shape_colours(frames: np.ndarray) -> np.ndarray:
    """Mean RGB (0..255) of each frame's foreground, ``T 3``; NaN for a black frame."""
    mask = foreground(frames)
    count = mask.sum(axis=(1, 2))
    total = (frames * mask[..., None]).sum(axis=(1, 2), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return total / np.where(count > 0, count, np.nan)[:, None]


def described_by(extractor: Extractor) -> Describe:
    """The features of each frame (2-D extractor) as its description, for content that is no coloured shape."""
    if extractor.dims != 2:
        raise ValueError("content is described frame by frame, by a 2-D extractor")
    return lambda frames: features_of(frames, extractor)


def video_distance(descriptors: np.ndarray) -> float:
    """Mean L2 distance between all pairs of a video's frames, ``T F`` -> scalar, 0 for equal ones.

    0 for a single frame; NaN when any frame has no description.
    """
    if len(descriptors) < 2:
        return 0.0 if np.isfinite(descriptors).all() else float("nan")
    rows, columns = np.triu_indices(len(descriptors), 1)
    values = descriptors.astype(np.float64)
    return float(np.linalg.norm(values[rows] - values[columns], axis=1).mean())


def content_distance(
    videos: Videos,
    describe: Describe = shape_colours,
    valid: Callable[[np.ndarray], bool] | None = None,
) -> ContentDistance:
    """Average content distance, ACD (MoCoGAN, Tulyakov et al. 2018): the mean over videos of
    :func:`video_distance`. Published for shapes with the mean colour of the shape, over 256 videos of 16 frames.

    ``valid`` says which videos count as showing the thing at all (default :func:`valid_shape`).
    """
    valid = valid_shape if valid is None else valid
    distances = np.array([video_distance(describe(v)) for v in videos])
    good = np.array([valid(v) for v in videos], bool)
    known = np.isfinite(distances)

    def mean(chosen: np.ndarray) -> float | None:
        return float(distances[chosen].mean()) if chosen.any() else None

    count = len(distances)
    shares = (float(good.mean()), float(known.mean())) if count else (0.0, 0.0)
    return ContentDistance(mean(known), mean(known & good), *shares, count)


def valid_shape(video: np.ndarray) -> bool:
    """True for one moving shape: in every frame exactly one connected part (corners touch), of 30 to 250 pixels at
    64x64, and a centre that travels at least 10 pixels in all. Other sizes: in proportion.
    """
    mask = foreground(video)
    scale = mask.shape[1] * mask.shape[2] / 64**2
    areas = mask.sum(axis=(1, 2))
    if len(mask) < 2 or (areas < AREAS[0] * scale).any() or (areas > AREAS[1] * scale).any():
        return False
    if any(_parts(frame) != 1 for frame in mask):
        return False
    path = np.linalg.norm(np.diff(centroids(video), axis=0), axis=1).sum()
    return bool(path >= PATH * mask.shape[1] / 64)


def _parts(mask: np.ndarray) -> int:
    """Connected parts of a bool picture ``H W``; pixels that touch at a corner are connected."""
    _, count = cast("tuple[np.ndarray, int]", ndimage.label(mask, np.ones((3, 3))))
    return count


def centroids(video: np.ndarray) -> np.ndarray:
    """Centre (x, y) of each frame's foreground in pixels, ``T 2``; NaN for a black frame."""
    mask = foreground(video)
    count = mask.sum(axis=(1, 2)).astype(np.float64)
    count[count == 0] = np.nan
    x = (mask * np.arange(mask.shape[2])).sum(axis=(1, 2)) / count
    y = (mask * np.arange(mask.shape[1])[:, None]).sum(axis=(1, 2)) / count
    return np.stack([x, y], axis=1)


def moved(video: np.ndarray) -> str:
    """Where the foreground went from the first to the last frame: ``up``, ``down``, ``left`` or ``right``, by the
    larger part of its displacement; ``none`` below 5 pixels (at 64 rows), or when either frame is black.
    """
    places = centroids(video)
    x, y = places[-1] - places[0]
    if not max(abs(x), abs(y)) >= STEP * video.shape[1] / 64:  # NaN goes nowhere
        return "none"
    if abs(x) > abs(y):
        return "right" if x > 0 else "left"
    return "down" if y > 0 else "up"


def directions(videos: Videos) -> list[str]:
    """:func:`moved` of each video."""
    return [moved(v) for v in videos]


def _check(frames: np.ndarray) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not len(frames):
        raise ValueError(f"a video is uint8 T H W 3 of at least one frame, not {frames.dtype} {frames.shape}")
