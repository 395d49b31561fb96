"""The weights in the box load strictly, are small, and make what they made when they were put there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from videosynth.errors import UserError
from videosynth.models.base import load
from videosynth.models.box import box, names
from videosynth.video.images import read_image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from fill_box import made_by  # noqa: E402

STORED = ROOT / "tests" / "box"
LARGEST = {"street_world": 8e6}  # bytes; of all others 5e6


def test_what_is_in_the_box_is_tested():
    assert names() == tuple(sorted(p.stem for p in STORED.glob("*.png")))
    assert "street_world" in names()


def test_what_is_not_in_the_box():
    with pytest.raises(UserError, match=r"no weights 'stret_world' in the box: choose from .*street_world"):
        load("box:stret_world")


@pytest.mark.parametrize("name", names())
def test_box(name):
    assert sum(f.stat().st_size for f in box(name).iterdir()) < LARGEST.get(name, 5e6)
    difference = np.abs(made_by(load(f"box:{name}")).astype(int) - read_image(STORED / f"{name}.png").astype(int))
    assert difference.mean() < 0.5  # other processors round otherwise
    assert np.quantile(difference, 0.999) <= 8
