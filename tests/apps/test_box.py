"""The weights in the box load strictly, are small, and paint the frames they painted when they were put there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videosynth.apps.demo import box
from videosynth.apps.evaluate import Truth, from_model
from videosynth.apps.maps import DRIVE
from videosynth.data.world import iterate_world
from videosynth.models.base import load
from videosynth.video.images import read_image

STORED = Path(__file__).parents[1] / "box"
NAMES = sorted(p.stem for p in STORED.glob("*.png"))


def test_there_is_something_in_the_box():
    assert "street_world" in NAMES
    assert sorted(p.name for p in box("").iterdir() if p.is_dir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_box(name):
    assert sum(f.stat().st_size for f in box(name).iterdir()) < 8e6
    model = load(box(name))
    truth = Truth.collect("drive", iterate_world(model.spec, DRIVE, 3))
    frames = np.concatenate(list(from_model(model)(truth)))
    difference = np.abs(frames.astype(int) - read_image(STORED / f"{name}.png").astype(int))
    assert difference.mean() < 0.5  # other processors round otherwise
    assert np.quantile(difference, 0.999) <= 8
