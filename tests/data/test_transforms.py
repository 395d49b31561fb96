from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from videosynth.data import transforms as tf
from videosynth.data.transforms import Geometry

SIZES = st.tuples(st.integers(1, 24), st.integers(1, 24))


def warp(previous: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Nearest-pixel backward warp of ``H W C``, border replicated."""
    height, width = previous.shape[:2]
    x = np.clip(np.rint(np.arange(width)[None] + flow[0]), 0, width - 1).astype(int)
    y = np.clip(np.rint(np.arange(height)[:, None] + flow[1]), 0, height - 1).astype(int)
    return previous[y, x]


@given(st.integers(0, 2**32 - 1), SIZES, st.tuples(st.floats(0, 1), st.floats(0, 1)))
@settings(max_examples=40, deadline=None)
def test_a_flip_twice_is_the_identity(seed: int, size: tuple[int, int], crop: tuple[float, float]) -> None:
    random = np.random.default_rng(seed)
    place = Geometry(0, 0, size, flip=True)
    flow = random.normal(size=(2, *size)).astype(np.float32)
    image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(place.flow(place.flow(flow)), flow)
    assert np.array_equal(place.image(place.image(image)), image)
    assert np.array_equal(place.planes(place.planes(flow)), flow)


@given(st.integers(0, 2**32 - 1), st.integers(-3, 3), st.integers(-3, 3), st.booleans(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_flow_stays_true_under_scale_crop_and_flip(seed: int, dx: int, dy: int, flip: bool, scale: int) -> None:
    random = np.random.default_rng(seed)
    previous = random.integers(0, 256, (20, 28, 3), dtype=np.uint8)
    current = np.roll(previous, (-dy, -dx), (0, 1))  # current[y, x] = previous[y + dy, x + dx]
    flow = np.empty((2, 20, 28), np.float32)
    flow[0], flow[1] = dx, dy
    size = (20 * scale, 28 * scale)
    previous, current = (np.repeat(np.repeat(a, scale, 0), scale, 1) for a in (previous, current))
    flow = tf.resize_flow(flow, size)
    place = Geometry.of(size, (16 * scale, 20 * scale), (float(random.random()), float(random.random())), flip)
    made, real = warp(place.image(previous), place.flow(flow)), place.image(current)
    edge = 3 * scale
    assert np.array_equal(made[edge:-edge, edge:-edge], real[edge:-edge, edge:-edge])


@given(st.integers(0, 2**32 - 1), SIZES, SIZES)
@settings(max_examples=60, deadline=None)
def test_ids_keep_to_their_values_and_places(seed: int, before: tuple[int, int], after: tuple[int, int]) -> None:
    ids = np.random.default_rng(seed).integers(0, 1000, before).astype(np.int32)
    small = tf.resize_ids(ids, after)
    assert small.shape == after
    assert set(np.unique(small)) <= set(np.unique(ids))
    mirrored = tf.resize_ids(ids[:, ::-1], (after[0], before[1]))
    assert np.array_equal(mirrored[:, ::-1], tf.resize_ids(ids, (after[0], before[1])))


def test_ids_of_doubled_pictures_come_back_exactly() -> None:
    ids = np.arange(12, dtype=np.int32).reshape(3, 4)
    large = tf.resize_ids(ids, (6, 8))
    assert np.array_equal(large, np.repeat(np.repeat(ids, 2, 0), 2, 1))
    assert np.array_equal(tf.resize_ids(large, (3, 4)), ids)


def test_ids_lie_over_their_image_after_resizing() -> None:
    ids = np.zeros((37, 53), np.int32)
    ids[11:25, 17:41] = 1
    image = np.repeat((ids * 255).astype(np.uint8)[..., None], 3, 2)
    for size in ((16, 24), (74, 106), (37, 20)):
        differ = (tf.resize_image(image, size)[..., 0] > 127) != (tf.resize_ids(ids, size) == 1)
        assert differ.mean() < 0.05


def test_fit_covers_or_stretches() -> None:
    assert tf.fitted((100, 300), (50, 60), "stretch") == (50, 60)
    assert tf.fitted((100, 300), (50, 60), "cover") == (50, 150)
    assert tf.fitted((300, 100), (50, 60), "cover") == (180, 60)


def test_colour_changes_nothing_at_one_and_keeps_grey_under_hue_and_saturation() -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    assert np.array_equal(tf.recolour(image, tf.colour_matrix(1, 1, 1, 0)), image)
    grey = np.full((4, 4, 3), 90, np.uint8)
    turned = tf.recolour(grey, tf.colour_matrix(1, 1, 0.5, 0.7)).astype(int)
    assert abs(turned - 90).max() <= 1
    assert tf.recolour(grey, tf.colour_matrix(1.2, 1, 1, 0)).mean() == 108
    assert tf.recolour(grey, tf.colour_matrix(1, 2, 1, 0)).mean() < 90
