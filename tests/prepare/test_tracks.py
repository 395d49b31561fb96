"""Objects keep their ids over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videosynth.cli import main
from videosynth.prepare.tracks import link
from videosynth.video.images import read_ids, write_image


def boxes(*places: tuple[int, int]) -> np.ndarray:
    """One 6x6 object per place (row, column), numbered from 1 in that order; 0 elsewhere."""
    ids = np.zeros((24, 48), np.int64)
    for number, (row, column) in enumerate(places, start=1):
        ids[row : row + 6, column : column + 6] = number
    return ids


def still() -> np.ndarray:
    return np.zeros((2, 24, 48), np.float32)


def test_ids_follow_the_flow_whatever_the_frames_call_them():
    tracks = boxes((2, 4), (12, 30))
    flow = still()
    flow[0] = 5  # everything came from five pixels further right
    now = boxes((12, 25), (2, 0))  # the same two, moved left, numbered the other way round
    linked, new = link(tracks, None, now, None, flow, 3)
    assert linked[14, 27] == 2
    assert linked[4, 1] == 1
    assert linked[0, 40] in (0, 3)
    assert new in (3, 4)


def test_a_newcomer_gets_a_new_id_and_nobody_shares_one():
    tracks = boxes((2, 4))
    now = boxes((2, 4), (2, 10), (14, 30))
    linked, new = link(tracks, None, now, None, still(), 2)
    ids = [linked[3, 5], linked[3, 12], linked[15, 31]]
    assert ids[0] == 1
    assert len(set(ids)) == 3
    assert new == 4


def test_a_car_does_not_become_a_tree():
    tracks = boxes((2, 4))
    classes = np.ones((24, 48), np.uint8)
    other = np.full((24, 48), 2, np.uint8)
    linked, _ = link(tracks, classes, boxes((2, 4)), other, still(), 5)
    assert linked[3, 5] >= 5


def test_stuff_keeps_its_id_however_it_moves():
    tracks = boxes((2, 4)) + 1000
    now = boxes((14, 30))  # far from where it was: a thing would get a new id
    linked, new = link(tracks, None, now, None, still(), 1001, least=1000)
    assert linked[16, 32] == 1
    assert linked[0, 0] == 0
    assert new == 1001


@pytest.fixture
def street(tmp_path) -> Path:
    """A textured square that moves right over texture; its instance id changes from frame to frame."""
    random = np.random.default_rng(0)
    ground = random.integers(0, 120, (48, 64, 3), dtype=np.uint8)
    square = random.integers(130, 256, (16, 16, 3), dtype=np.uint8)
    for t in range(4):
        image, ids = ground.copy(), np.zeros((48, 64), np.uint8)
        image[16:32, 8 + 3 * t : 24 + 3 * t] = square
        ids[16:32, 8 + 3 * t : 24 + 3 * t] = 10 + 7 * t
        write_image(tmp_path / "data" / "images" / "s" / f"{t}.png", image)
        write_image(tmp_path / "data" / "instances" / "s" / f"{t}.png", ids)
    return tmp_path / "data"


def test_a_data_set_gets_stable_ids(street, tmp_path, capsys):
    out = tmp_path / "tracks"
    assert main(["prepare", "tracks", str(street), "--out", str(out)]) == 0
    found = [int(read_ids(out / "s" / f"{t}.png")[24, 16 + 3 * t]) for t in range(4)]
    assert len(set(found)) == 1
    assert "next:" in capsys.readouterr().out
    assert main(["prepare", "tracks", str(street), "--out", str(out)]) == 2
    assert "in the way" in capsys.readouterr().err
    assert main(["prepare", "tracks", str(tmp_path / "tracks"), "--out", str(tmp_path / "x")]) == 2
    assert not (tmp_path / "x").exists()
