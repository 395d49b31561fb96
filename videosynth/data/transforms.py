"""What is done to a clip's frames and maps, as pure functions of numpy arrays.

Arrays are ``... H W`` or ``H W 3`` as said; sizes are (H, W). The geometry of a clip is one :class:`Geometry`, applied
to images, ids, dense maps and flow by their own rules.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]


def fitted(source: tuple[int, int], box: tuple[int, int], fit: Literal["stretch", "cover"]) -> tuple[int, int]:
    """The size that frames of ``source`` are resized to: the box, or the smallest of their shape that covers it."""
    if fit == "stretch":
        return box
    scale = max(box[0] / source[0], box[1] / source[1])
    return max(box[0], round(source[0] * scale)), max(box[1], round(source[1] * scale))


def resize_image(image: Array, size: tuple[int, int]) -> Array:
    """``H W`` or ``H W C`` pictures: bicubic, with the filter widened when made smaller, so nothing aliases.

    8-bit pictures go through Pillow, whose bicubic filter the field's figures are measured with; deeper ones through
    OpenCV (area averages when made smaller).
    """
    if image.shape[:2] == size:
        return image
    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC))
    down = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if down else cv2.INTER_CUBIC)


def resize_ids(ids: Array, size: tuple[int, int]) -> Array:
    """``H W`` ids: the nearest pixel, so no new id arises. Pixel centres are kept, as for images."""
    height, width = ids.shape
    if (height, width) == size:
        return ids
    rows = ((2 * np.arange(size[0]) + 1) * height) // (2 * size[0])
    columns = ((2 * np.arange(size[1]) + 1) * width) // (2 * size[1])
    return ids[rows][:, columns]


def resize_flow(flow: Array, size: tuple[int, int]) -> Array:
    """``2 H W`` flow: bilinear, and its vectors grow with the picture."""
    height, width = flow.shape[-2:]
    if (height, width) == size:
        return flow
    planes = [cv2.resize(np.ascontiguousarray(p), (size[1], size[0]), interpolation=cv2.INTER_LINEAR) for p in flow]
    return np.stack([planes[0] * (size[1] / width), planes[1] * (size[0] / height)]).astype(flow.dtype)


def resize_mask(mask: Array, size: tuple[int, int]) -> Array:
    """``1 H W`` confidence: bilinear."""
    if mask.shape[-2:] == size:
        return mask
    return cv2.resize(np.ascontiguousarray(mask[0]), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)[None]


class Geometry(NamedTuple):
    """Cut ``size`` out at (top, left), then mirror left and right if ``flip``."""

    top: int
    left: int
    size: tuple[int, int]
    flip: bool

    @staticmethod
    def of(scaled: tuple[int, int], size: tuple[int, int], crop: tuple[float, float], flip: bool) -> Geometry:
        """``crop`` is the fraction (0..1) of the free room above and left of the cut."""
        room = scaled[0] - size[0], scaled[1] - size[1]
        return Geometry(round(crop[0] * room[0]), round(crop[1] * room[1]), size, flip)

    def planes(self, array: Array) -> Array:
        """``... H W``: ids, dense maps, masks."""
        cut = array[..., self.top : self.top + self.size[0], self.left : self.left + self.size[1]]
        return cut[..., ::-1] if self.flip else cut

    def image(self, array: Array) -> Array:
        """``H W C``"""
        cut = array[self.top : self.top + self.size[0], self.left : self.left + self.size[1]]
        return cut[:, ::-1] if self.flip else cut

    def flow(self, array: Array) -> Array:
        """``2 H W``: a mirrored picture moves the other way in x."""
        cut = self.planes(array)
        return cut * np.array([-1, 1], cut.dtype)[:, None, None] if self.flip else cut


_LUMA = np.array([0.299, 0.587, 0.114])


def colour_matrix(brightness: float, contrast: float, saturation: float, hue: float) -> NDArray[np.float32]:
    """3x4 affine map of RGB 0..255: factors (1 changes nothing) and a turn of the hue in radians about grey."""
    grey = np.outer(np.ones(3), _LUMA)
    axis = np.ones(3) / np.sqrt(3)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.cos(hue) * np.eye(3) + np.sin(hue) * cross + (1 - np.cos(hue)) * np.outer(axis, axis)
    linear = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * grey) @ turn
    offset = np.full((3, 1), 127.5 * (1 - contrast))
    return np.hstack([linear, offset]).astype(np.float32)


def recolour(image: Array, matrix: NDArray[np.float32]) -> Array:
    """Apply a :func:`colour_matrix` to an ``H W 3`` uint8 image."""
    return cv2.transform(np.ascontiguousarray(image), matrix)


def coarsened(maps: list[list[Array]], strength: float, seed: int) -> list[list[Array]]:
    """Maps of ids ``H W`` of a clip with rounder, coarser shapes (vid2vid, limitations: finer labels than a person draws).

    ``maps`` are the clip's maps, the classes first: each is a list of frames. Each pixel takes the ids of all maps together that
    are most frequent around it, so that objects and classes keep one outline; every class counts with a weight of its own, so
    that some grow and others shrink. All frames are treated alike. ``strength`` in 0..1 sets how far around (up to a twelfth
    of the height) and how unequal the weights are.
    """
    random = np.random.default_rng(seed)
    side = reach(maps[0][0].shape[0], strength)
    weights = 1 + strength * random.uniform(-0.5, 1.0, 256).astype(np.float32)
    out: list[list[Array]] = [[] for _ in maps]
    for frame in zip(*maps, strict=True):
        found, where = np.unique(np.stack([ids.ravel() for ids in frame]), axis=1, return_inverse=True)
        where = where.reshape(frame[0].shape)
        shares = [cv2.blur((where == k).astype(np.float32), (side, side)) for k in range(found.shape[1])]
        won = np.argmax([s * weights[int(c) % 256] for s, c in zip(shares, found[0], strict=True)], axis=0)
        for kept, ids, values in zip(out, frame, found, strict=True):
            kept.append(values[won].astype(ids.dtype))
    return out


def reach(height: int, strength: float) -> int:
    """Side of the square that coarsening looks at, in pixels."""
    return 2 * round(strength * height / 24) + 3


def blurred(planes: list[Array], strength: float) -> list[Array]:
    """Dense maps ``H W`` or ``C H W`` as far as :func:`coarsened` goes: their fine edges would betray the shapes."""
    side = reach(planes[0].shape[-2], strength)

    def soft(plane: Array) -> Array:
        return cv2.blur(plane, (side, side)) if plane.ndim == 2 else np.stack([soft(channel) for channel in plane])

    return [soft(plane) for plane in planes]
