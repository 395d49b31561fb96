"""Stored flow: exact enough, the same before and after, safe among processes."""

from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from videosynth.flow.cache import FlowCache
from videosynth.types import UserError


class Scripted:
    """A teacher that gives what it is told and counts its calls."""

    def __init__(self, flow: np.ndarray, confidence: np.ndarray | None = None, name: str = "scripted") -> None:
        self.flow = flow.astype(np.float32)
        self.confidence = np.ones((1, *flow.shape[1:]), np.float32) if confidence is None else confidence
        self.name = name
        self.calls = 0

    def __call__(self, current: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.calls += 1
        return self.flow, self.confidence


PICTURE = np.zeros((9, 12, 3), np.uint8)


def random_flow(scale: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(-scale, scale, (2, 9, 12))


@pytest.mark.parametrize(("scale", "error"), [(1, 0.004), (30, 0.004), (250, 0.004), (2000, 0.04)])
def test_error_is_small_at_any_length(tmp_path: Path, scale: float, error: float):
    teacher = Scripted(random_flow(scale))
    flow, confidence = FlowCache(tmp_path, teacher).get("a/1", PICTURE, PICTURE)
    assert flow.dtype == confidence.dtype == np.float32
    assert np.abs(flow - teacher.flow).max() <= error
    np.testing.assert_array_equal(confidence, teacher.confidence)


def test_second_time_comes_from_disk_and_is_the_same(tmp_path: Path):
    teacher = Scripted(random_flow(5))
    cache = FlowCache(tmp_path, teacher)
    first, second = cache.get("a/1", PICTURE, PICTURE), cache.get("a/1", PICTURE, PICTURE)
    assert teacher.calls == 1
    np.testing.assert_array_equal(first[0], second[0])


def test_keys_teachers_and_sizes_do_not_mix(tmp_path: Path):
    one, two = Scripted(random_flow(1)), Scripted(random_flow(2), name="other")
    FlowCache(tmp_path, one).get("a/1", PICTURE, PICTURE)
    FlowCache(tmp_path, one).get("a_1", PICTURE, PICTURE)
    assert one.calls == 2
    FlowCache(tmp_path, two).get("a/1", PICTURE, PICTURE)
    assert two.calls == 1
    small = Scripted(random_flow(1)[:, :4, :4])
    assert FlowCache(tmp_path, small).get("a/1", PICTURE[:4, :4], PICTURE[:4, :4])[0].shape == (2, 4, 4)


@pytest.mark.parametrize("damage", [b"", b"PK nonsense", None])
def test_a_damaged_file_is_computed_anew(tmp_path: Path, damage: bytes | None):
    teacher = Scripted(random_flow(5))
    cache = FlowCache(tmp_path, teacher)
    good = cache.get("a", PICTURE, PICTURE)[0]
    path = cache.path("a", (9, 12))
    path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    np.testing.assert_array_equal(cache.get("a", PICTURE, PICTURE)[0], good)
    assert teacher.calls == 2


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        FlowCache(tmp_path / "file", Scripted(random_flow(1))).get("a", PICTURE, PICTURE)


def _work(folder: Path) -> float:
    cache = FlowCache(folder, Scripted(random_flow(5)))
    return sum(float(cache.get(f"k{i % 4}", PICTURE, PICTURE)[0].sum()) for i in range(16))


def test_processes_share_a_folder(tmp_path: Path):
    with get_context("fork").Pool(3) as pool:
        sums = pool.map(_work, [tmp_path] * 6)
        pool.close()
        pool.join()
    assert len(set(sums)) == 1
    assert len(list(tmp_path.rglob("*.npz"))) == 4
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 4
