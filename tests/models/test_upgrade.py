"""Run folders of earlier formats are read; the fixtures were written by the versions that had them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from videosynth.files import read_json, write_json
from videosynth.models.base import load
from videosynth.models.upgrade import FORMAT
from videosynth.testing import frames_of, random_clip, request_for
from videosynth.types import UserError

FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_format_1_paints_the_frames_that_it_painted_then(tmp_path: Path):
    model = load(FIXTURES / "run_format_1")
    frames = frames_of(model, request_for(model, random_clip(model.spec, 1, 3))).double()
    assert frames.abs().sum().item() == pytest.approx(425.0466029, rel=1e-5)
    assert frames[0, 2, 0, 3, 4].item() == pytest.approx(-0.0866510, abs=1e-5)
    assert frames[0, 1, 2, 10, 20].item() == pytest.approx(0.1694893, abs=1e-5)
    model.save(tmp_path / "again")
    assert read_json(tmp_path / "again" / "model.json")["format"] == FORMAT
    again = load(tmp_path / "again")
    assert frames_of(again, request_for(again, random_clip(model.spec, 1, 3))).double().equal(frames)


@pytest.mark.parametrize("number", [0, FORMAT + 1, None, "2"])
def test_a_format_that_nobody_knows_is_refused(number: object, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(FIXTURES / "run_format_1", run)
    write_json(run / "model.json", {**read_json(run / "model.json"), "format": number})
    with pytest.raises(UserError, match="this version reads up to"):
        load(run)
