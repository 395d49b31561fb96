"""Flow teachers: sign, order, confidence, and what makes them safe in workers."""

import pickle
import sys

import cv2
import numpy as np
import pytest

from videosynth.flow.confidence import forward_backward
from videosynth.flow.dis import DIS
from videosynth.flow.raft import RAFT
from videosynth.types import UserError


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.clip(128 + smooth * 60 / smooth.std(), 0, 255).astype(np.uint8)


def moved(dx: int, dy: int, height: int = 96, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """(current, previous): the content has moved by (dx, dy)."""
    world = texture(height + 40, width + 40)
    previous = world[20 : 20 + height, 20 : 20 + width]
    current = world[20 - dy : 20 - dy + height, 20 - dx : 20 - dx + width]
    return current, previous


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-5, 4), (8, 6), (0, 0)])
def test_translation_is_recovered_backward_x_then_y(dx: int, dy: int):
    current, previous = moved(dx, dy)
    flow, confidence = DIS()(current, previous)
    assert flow.shape == (2, 96, 128)
    assert flow.dtype == np.float32
    assert confidence.shape == (1, 96, 128)
    assert confidence.dtype == np.float32
    inside = np.s_[:, 16:-16, 16:-16]
    # Content moved by +d was at x - d before.
    assert np.abs(flow[inside] - np.array([-dx, -dy])[:, None, None]).max() < 0.1
    assert confidence[inside].min() == 1


def test_sampling_the_previous_picture_gives_the_current_one():
    current, previous = moved(4, -3)
    flow, _ = DIS()(current, previous)
    x, y = np.meshgrid(np.arange(128, dtype=np.float32), np.arange(96, dtype=np.float32))
    warped = cv2.remap(previous, x + flow[0], y + flow[1], cv2.INTER_LINEAR)
    assert np.abs(warped.astype(int) - current)[16:-16, 16:-16].mean() < 2


def test_flow_turns_round_with_time():
    current, previous = moved(4, 2)
    there, back = DIS()(current, previous)[0], DIS()(previous, current)[0]
    assert np.abs(there + back)[:, 16:-16, 16:-16].max() < 0.1


def test_content_that_came_into_view_has_no_confidence():
    _, confidence = DIS()(*moved(10, 0))
    assert confidence[0, :, :9].max() == 0
    assert confidence[0, :, 20:-20].min() == 1


def test_content_behind_an_object_has_no_confidence():
    background, thing = texture(96, 128), texture(32, 32, seed=1)
    previous, current = background.copy(), background.copy()
    previous[32:64, 40:72] = thing
    current[32:64, 46:78] = thing
    _, confidence = DIS()(current, previous)
    uncovered = confidence[0, 34:62, 41:45]
    assert uncovered.mean() < 0.2
    assert confidence[0, 36:60, 50:76].mean() > 0.95
    assert confidence[0, :24].mean() > 0.99


def test_forward_backward_by_hand():
    flow = np.zeros((2, 3, 4), np.float32)
    flow[0] = 1.0
    back = np.zeros((2, 3, 4), np.float32)
    back[0] = -1.0
    back[1, 1, 2] = 2.0  # seen from (1, 1): two pixels off
    expected = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]])
    np.testing.assert_array_equal(forward_backward(flow, back)[0], expected)
    assert forward_backward(flow, back, threshold=3.0)[0, 1, 1] == 1
    # The limit itself does not agree.
    assert forward_backward(np.zeros((2, 3, 4)), np.full((2, 3, 4), [[[1.0]], [[0.0]]])).max() == 0


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (17, 33), (120, 160)])
def test_any_size(size: tuple[int, int]):
    picture = texture(*size)
    flow, confidence = DIS()(picture, picture)
    assert flow.shape == (2, *size)
    assert np.abs(flow).max() < 0.05
    assert confidence.min() == 1


def test_same_bits_after_pickling_and_for_any_number_of_threads():
    pair = moved(3, 1)
    teacher = DIS()
    expected = teacher(*pair)[0]
    threads = cv2.getNumThreads()
    try:
        for count in (1, 2):
            cv2.setNumThreads(count)
            again = pickle.loads(pickle.dumps(teacher))
            np.testing.assert_array_equal(again(*pair)[0], expected)
    finally:
        cv2.setNumThreads(threads)
    assert again.name == teacher.name


def test_names_tell_settings_apart():
    assert len({DIS().name, DIS(threshold=0.5).name, DIS(preset="medium").name}) == 3


def test_wrong_pictures_are_refused():
    picture = texture(32, 32)
    with pytest.raises(ValueError, match="uint8"):
        DIS()(picture.astype(np.float32), picture)
    with pytest.raises(ValueError, match="one size"):
        DIS()(picture, picture[:16])
    with pytest.raises(ValueError, match="presets"):
        DIS(preset="best")  # pyright: ignore[reportArgumentType]


def test_raft_names_the_remedy_without_torchvision(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UserError, match="pip install torchvision"):
        RAFT("raft.pth")
