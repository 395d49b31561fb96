"""The choice of a precision, and `videosynth bench`."""

from __future__ import annotations

import json
import math

import pytest
import torch
from toys import Translation

from videosynth.apps import bench, precision
from videosynth.cli import main
from videosynth.testing import random_clip, request_for


@pytest.fixture
def timed(monkeypatch):
    """Each setting takes as long and errs as much as ``speeds`` and ``errors`` say."""
    state = {"setting": "fp32", "probes": 0}
    speeds = {"fp32": 1.0, "channels-last": 0.8, "bf16": 0.3}
    errors = {"fp32": 0.0, "channels-last": 0.0, "bf16": 0.0}

    def prepare(model, setting):
        state["setting"] = setting
        return model

    def run(model, request):
        state["probes"] += 1
        frames = [torch.zeros(1, 3, 4, 4) for _ in range(16)]
        frames[-1] = frames[-1] + errors[state["setting"]]  # an error that grows: only the last frame has it
        return frames, speeds[state["setting"]]

    monkeypatch.setattr(precision, "prepare", prepare)
    monkeypatch.setattr(precision, "_timed", run)
    return state, errors


def chosen(tmp_path, training: int = 0) -> str:
    model = Translation.tiny()
    clip = random_clip(model.spec, 1, 4)
    return asked(tmp_path, model, clip, 16, training)


def asked(tmp_path, model, clip, frames: int, training: int = 0) -> str:
    told: list[str] = []

    def loaded() -> Translation:
        torch.manual_seed(training)
        return Translation.tiny()

    setting, why = precision.choose(
        loaded, lambda: request_for(model, clip), (9, 11), frames, tmp_path / "p.json", told.append
    )
    assert setting in why
    return setting


def test_the_fastest_faithful_setting_is_taken_and_remembered(timed, tmp_path):
    state, _ = timed
    assert chosen(tmp_path) == "bf16"
    probes = state["probes"]
    assert chosen(tmp_path) == "bf16"
    assert state["probes"] == probes, "the second time nothing is measured"
    assert chosen(tmp_path, training=1) == "bf16"
    assert state["probes"] == 2 * probes, "weights of another training are measured anew"


def test_few_frames_are_not_worth_a_probe_and_decide_nothing(timed, tmp_path):
    state, _ = timed
    model = Translation.tiny()
    assert asked(tmp_path, model, random_clip(model.spec, 1, 4), 3) == "fp32"
    assert state["probes"] == 0
    assert chosen(tmp_path) == "bf16"


def test_one_bad_frame_rules_a_setting_out(timed, tmp_path):
    _, errors = timed
    errors["bf16"] = 0.03  # 36 dB in the last frame, 48 dB over all
    assert chosen(tmp_path) == "channels-last"


def test_a_cache_that_cannot_be_written_does_not_matter(timed, tmp_path):
    (tmp_path / "p.json").mkdir()
    assert chosen(tmp_path) == "bf16"


def test_psnr_is_that_of_the_worst_frame():
    zero = [torch.zeros(3, 2, 2)] * 2
    assert math.isinf(precision.psnr(zero, zero))
    assert precision.psnr([zero[0], zero[0] + 0.02], zero) == pytest.approx(40.0, abs=1e-3)


def test_bench_writes_what_it_prints(tmp_path, capsys):
    words = ["bench", "--what", "street", "--what", "train", "--preset", "vid2vid/street_world", "--size", "48x32"]
    assert main([*words, "--device", "cpu", "--out", str(tmp_path / "b.json")]) == 0
    told = capsys.readouterr().out
    report = json.loads((tmp_path / "b.json").read_text())
    names = [row["what"] for row in report["rows"]]
    trained = [n for n in names if n.startswith("train vid2vid/street_world 48x32")]
    assert [n.removeprefix("train vid2vid/street_world 48x32 ") for n in trained] == ["eager fp32", "as it trains"]
    assert any(n.startswith("street world 48x32") for n in names)
    assert all(row["value"] > 0 for row in report["rows"])
    assert all(n in told for n in names)
    assert report["machine"]["kind"]


def test_bench_refuses_and_tells(capsys, tmp_path):
    assert main(["bench", "--what", "train", "--preset", "nope"]) == 2
    assert "no preset 'nope'" in capsys.readouterr().err
    words = ["bench", "--what", "train", "--preset", "vid2vid/street_paper_512", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "b.json")]) == 0
    assert "left out" in capsys.readouterr().out
    assert json.loads((tmp_path / "b.json").read_text())["rows"][0]["value"] is None


def test_frames_are_timed_in_each_setting():
    for setting in ("fp32", "bf16"):
        found = bench.measure_generate("vid2vid/street_world", (32, 48), setting, "cpu", 1)
        assert found["speed"] > 0
        assert found["memory"] > 0
