"""Ids, flow and masks as pictures that a person can read. All results are uint8 RGB ``H W 3``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Share of the colour circle between neighbouring hues, red - yellow - green - cyan - blue - magenta - red, as in the
# colour code of Baker et al. 2011 (Middlebury): the eye tells more steps apart among reds and blues than among greens.
_WHEEL_STEPS = (15, 6, 4, 11, 13, 6)
_GOLDEN = 0.6180339887498949


def hsv_to_rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Hue in turns (any real), saturation and value in [0, 1], arrays of one shape; gives float RGB in [0, 1]."""
    k = (np.array([5.0, 3.0, 1.0]) + np.asarray(hue)[..., None] * 6.0) % 6.0
    return np.asarray(value)[..., None] * (
        1.0 - np.asarray(saturation)[..., None] * np.clip(np.minimum(k, 4.0 - k), 0, 1)
    )


def _uint8(rgb: np.ndarray) -> np.ndarray:
    return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def colour_flow(flow: np.ndarray, maximum: float | None = None) -> np.ndarray:
    """Flow ``2 H W`` in pixels: hue is the direction (right red, down yellow, left cyan, up blue), strength the length.

    ``maximum`` is the length of full colour in pixels (default: the longest vector; give one for a whole video, so
    that its frames compare). Longer vectors are darkened, unknown ones (not finite) are black.
    """
    x, y = np.asarray(flow, np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    length = np.hypot(x, y)
    strength = length / max(float(length.max(initial=0.0)) if maximum is None else maximum, 1e-6)
    angle = (np.arctan2(y, x) / (2 * np.pi)) % 1.0
    stops = np.concatenate([[0], np.cumsum(_WHEEL_STEPS)]) / sum(_WHEEL_STEPS)
    hue = np.interp(angle, stops, np.arange(7) / 6)
    rgb = hsv_to_rgb(hue, np.minimum(strength, 1.0), np.where(strength > 1.0 + 1e-9, 0.75, 1.0))
    return _uint8(rgb * known[..., None])


def palette(n: int) -> np.ndarray:
    """``n`` distinct colours, uint8 ``n 3``, none of them black; the first ones do not depend on n."""
    i = np.arange(n)
    # Hues step by the golden ratio, so that any number of them is spread evenly; lightness takes turns.
    saturation, value = np.array([0.75, 0.5, 0.95])[i % 3], np.array([0.95, 0.75, 0.55, 0.85])[i % 4]
    return _uint8(hsv_to_rgb(i * _GOLDEN, saturation, value))


def colour_labels(
    ids: np.ndarray, colours: Sequence[tuple[int, int, int]] | np.ndarray | None = None, void: int | None = None
) -> np.ndarray:
    """Class ids ``H W`` in their colours (``N 3``; default: :func:`palette`). Void and ids of no class are black."""
    ids = np.asarray(ids).astype(np.int64)
    table = palette(int(ids.max(initial=0)) + 1) if colours is None or not len(colours) else np.asarray(colours)
    known = (ids >= 0) & (ids < len(table))
    if void is not None:
        known &= ids != void
    return np.where(known[..., None], table[np.clip(ids, 0, len(table) - 1)], 0).astype(np.uint8)


def colour_instances(ids: np.ndarray) -> np.ndarray:
    """Instance ids ``H W``: each id has one colour in every frame, 0 (none) is black."""
    ids = np.asarray(ids).astype(np.int64)
    # Large ids (Cityscapes: class * 1000 + number) lose no precision in the fractional part.
    rgb = hsv_to_rgb((ids * _GOLDEN) % 1.0, 0.5 + 0.2 * (ids % 3), 1.0 - 0.15 * (ids % 4))
    return _uint8(rgb * (ids != 0)[..., None])


def colour_mask(mask: np.ndarray) -> np.ndarray:
    """A mask ``H W`` in [0, 1] as grey, 1 is white."""
    return np.repeat(_uint8(np.asarray(mask, np.float64))[..., None], 3, axis=-1)
