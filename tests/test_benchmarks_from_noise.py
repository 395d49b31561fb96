"""The pure parts of benchmarks/from_noise*.py."""

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videosynth.data.collections import read_videos
from videosynth.types import DataSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import from_noise_control as control
import from_noise_data as data
import from_noise_figures as figures
import from_noise_probe as probe
import from_noise_runs as runs


def moving(step, frames, side=64):
    """A square of 8x8 that goes ``step`` pixels a frame to the left."""
    video = np.zeros((frames, side, side, 3), np.uint8)
    for t in range(frames):
        x = round(side - 8 - step * t)
        video[t, 20:28, x : x + 8] = 200
    return video


def strip(frames, colour=(200, 50, 50), side=64):
    made = np.zeros((side, side * frames, 3), np.uint8)
    made[:8, :8] = colour
    file = io.BytesIO()
    Image.fromarray(made).convert("RGBA").save(file, "PNG")
    return file.getvalue()


def test_speed_ratio_is_that_of_the_displacements_over_one_stretch():
    steps = control.common_steps(15, (0.5, 1.0, 2.0))
    assert steps == 14
    usual = moving(2, steps + 1)
    for speed in (0.5, 2.0):
        ratio, pairs = control.speed_ratio([moving(2 * speed, round(steps / speed) + 1)], [usual])
        assert pairs == 1
        assert ratio == pytest.approx(speed)
    assert control.speed_ratio([np.zeros_like(usual)], [usual]) == (None, 0)  # black: not valid


def test_no_common_stretch_is_refused():
    with pytest.raises(ValueError, match="no stretch"):
        control.common_steps(3, (1.0, 7.0))


def test_factor_distances_change_one_factor_at_a_time():
    first, second = np.divmod(np.arange(6), 3)
    points = (10.0 * first + second)[:, None, None] * np.ones(
        (1, 4, 1)
    )  # the first factor moves by 10, the second by 1
    found = control.factor_distances(points, first, second)
    assert found["first kept"] == pytest.approx(np.mean([1, 1, 2]))
    assert found["second kept"] == pytest.approx(10)
    assert found["both changed"] == pytest.approx(10)  # 9, 11, 8, 12, ...
    assert found["pairs"] == [6, 3, 6]
    points[0] = np.nan
    assert control.factor_distances(points, first, second)["pairs"] == [4, 2, 4]
    assert control.factor_distances(points[:1], [0], [0])["both changed"] is None


def test_prepare_on_a_tiny_folder(tmp_path, monkeypatch):
    source, work = tmp_path / "source", tmp_path / "work"
    for name in ("shape_motion", "weizmann_actions/1", "real_clips"):
        (source / name).mkdir(parents=True)
    with zipfile.ZipFile(source / "shape_motion" / "videos.zip", "w") as archive:
        for k in range(8):
            archive.writestr(f"{k % 2}/{k:08d}.png", strip(5))
    videos = []
    for person in (0, data.PERSON):
        for k in (0, 1):
            name = f"1/{8 * person + k:08d}.jpg"
            Image.new("RGB", (64 * 5, 64)).save(source / "weizmann_actions" / name)
            told = {"file": name, "action": 1, "action_name": "bend", "person": person, "mirrored": k == 1, "frames": 5}
            videos.append(told)
    (source / "weizmann_actions" / "labels.json").write_text(json.dumps({"fps": 25, "videos": videos}))
    monkeypatch.setattr(data, "read_video", lambda file: (np.zeros((20, 144, 256, 3), np.uint8), 30.0))
    (source / "real_clips" / "coffee.mp4").touch()
    data.shapes(source / "shape_motion" / "videos.zip", work / "data", count=4)
    data.prepare(source, work)  # what is there stays
    out = work / "data"
    spec = DataSpec(size=(64, 64), attributes={"action": ("left", "up")})
    held = [(name, ids["action"]) for name, _, ids in read_videos(out / "shapes_test", spec, 5)]
    assert held == [("0/00000004@0", 1), ("0/00000006@0", 1), ("1/00000005@0", 0), ("1/00000007@0", 0)]
    assert len(list(read_videos(out / "shapes", spec, 5))) == 4
    assert np.load(out / "scenes" / "coffee.npy").shape == (17, 64, 64, 3)
    assert np.load(out / "scenes_test" / "coffee.npy").shape == (3, 64, 64, 3)
    for folder, person in (("actions", 0), ("actions_test", data.PERSON)):
        labels = json.loads((out / folder / "labels.json").read_text())["videos"]
        assert {(v["action"], v["person"]) for v in labels} == {("bend", person)}  # both mirrors on one side
        assert len(labels) == len(list((out / folder).rglob("*.jpg"))) == 2


def test_stages_and_command_lines(tmp_path):
    assert runs.ends(1700) == [283, 567, 850, 1133, 1417, 1700]
    place = runs.Place(tmp_path, tmp_path)
    for row in runs.ROWS:
        words = runs.command(row, place, 7)
        assert str(tmp_path / "data" / runs.ROWS[row][0]) in words
        assert runs.steps_of(row) > 100
    (tmp_path / "tgan").mkdir()
    (tmp_path / "tgan" / "last.ckpt").touch()
    assert "--resume" in runs.command("tgan", place, 7)


def test_a_report_is_of_the_trainings_that_are_there(tmp_path, capsys):
    place, file, calls = runs.Place(tmp_path, tmp_path), tmp_path / "out" / "r.json", []

    def trained(commit, steps):
        (tmp_path / "tgan").mkdir(exist_ok=True)
        told = {"status": "finished", "commit": commit, "steps": steps, "wall_seconds": 90.0}
        (tmp_path / "tgan" / "run.json").write_text(json.dumps(told))

    def measured():
        return runs.report(file, place, ["tgan"], lambda: {"n": calls.append(0) or len(calls)})

    trained("abc", 10)
    first = measured()
    assert first["runs"] == {"tgan": {"commit": "abc", "steps": 10, "minutes": 1.5}}
    assert json.loads(file.read_text()) == first == measured()
    assert len(calls) == 1
    trained("abc", 20)
    assert measured()["runs"]["tgan"]["steps"] == 20
    trained("def", 20)
    assert measured()["n"] == 3
    assert "of other trainings" in capsys.readouterr().err
    file.write_text(json.dumps({"format": 1, "n": 9}))
    assert measured()["n"] == 4, "an old report does not say what it is of"


def test_curves_stand_at_training_steps():
    points = [{"steps": s, "acd": 1.0 + s, "valid": None} for s in (200, 400, 600)]
    made = figures.svg({"a": points, "b": points[:2]}, {"acd": "ACD"})
    assert all(f">{s}</text>" in made for s in (200, 400, 600))
    assert made.count("<polyline") == 2


def test_probe_reads_a_class_from_features():
    rng = np.random.default_rng(0)
    labels, persons = np.tile(np.arange(4), 14), np.repeat([0, 1, 3, 4, 5, 6, data.PERSON], 8)
    features = np.eye(4)[labels] + 0.1 * rng.normal(size=(56, 4))
    found = probe.accuracies(features, labels, persons)
    assert found["mean"] == found["unseen"] == 1
    assert found["std"] == 0
