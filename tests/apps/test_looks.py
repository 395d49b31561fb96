"""Models with looks and predictions of maps, trained and used by command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videosynth.cli import main
from videosynth.video.images import write_image
from videosynth.video.read import read_ids, read_video

TRAIN = [
    "--model.generator.width", "4", "--model.generator.downsamples", "1", "--model.generator.blocks", "2",
    "--model.critic.width", "4", "--model.critic.layers", "1", "--model.critic.scales", "1",
    "--model.losses.perceptual", "0", "--model.losses.network", "none",
    "--model.schedule.steps", "2", "--model.schedule.clip_length", "4", "--model.schedule.clip_double", "0",
    "--data.size", "[32, 48]", "--data.workers", "0", "--run.progress", "false", "--trainer.accelerator", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def looks(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("looks") / "run"
    words = ["train", "--model", "videosynth.models.vid2vid.model.Vid2Vid", *TRAIN, "--model.generator.style", "3"]
    words += ["--data.world", "street", "--run.sample_every", "1", "--run.sample_frames", "3", "--out", str(run)]
    assert main(words) == 0
    return run


def test_looks_by_command(looks, tmp_path, capsys):
    assert len(list((looks / "samples").iterdir())) == 2
    words = ["generate", str(looks), "--maps", "world:street:3", "--frames", "3"]
    made_by = {}
    for name, more in (
        ("plain", ["--style-seed", "0"]),
        ("seed", ["--style-seed", "7"]),
        ("mix", ["--style-seed", "0", "--style-mix", "7:0.5"]),
        ("from", ["--style-from", "world:street:5"]),
    ):
        assert main([*words, *more, "--precision", "fp32", "--out", str(tmp_path / f"{name}.mkv")]) == 0
        made_by[name] = read_video(tmp_path / f"{name}.mkv")[0]
    assert main([*words, "--precision", "fp32", "--out", str(tmp_path / "default.mkv")]) == 0
    assert np.array_equal(read_video(tmp_path / "default.mkv")[0], made_by["plain"])
    assert not np.array_equal(made_by["seed"], made_by["plain"])
    assert not np.array_equal(made_by["mix"], made_by["plain"])
    assert main([*words, "--precision", "bf16", "--out", str(tmp_path / "half.mkv")]) == 0
    assert (
        main([*words, "--precision", "bf16", "--style-from", "world:street:5", "--out", str(tmp_path / "h.mkv")]) == 0
    )
    capsys.readouterr()
    maps = tmp_path / "maps"
    for kind in ("labels", "instances"):
        write_image(maps / kind / "s" / "0.png", np.zeros((32, 48), np.uint8))
    for wrong, said in (
        (["--style-seed", "99999999999999999999"], "--style-seed must lie in"),
        (["--style-mix", "a:0.5"], "write SEED:SHARE"),
        (["--style-mix", "99999999999999999999:0.5"], "write SEED:SHARE"),
        (["--style-from", str(maps)], "no pictures"),
    ):
        assert main([*words, *wrong, "--out", str(tmp_path / "x.mkv")]) == 2
        told = capsys.readouterr().err
        assert said in told, told
        assert not (tmp_path / "x.mkv").exists()


def test_maps_are_chosen_and_depth_is_one_of_them(tmp_path, capsys):
    words = ["train", "--model", "videosynth.models.vid2vid.model.Vid2Vid", *TRAIN, "--data.world", "street"]
    words += ["--run.sample_every", "0"]
    assert main([*words, "--data.maps", "[labels,nearness]", "--out", str(tmp_path / "run")]) == 0
    made = ["generate", str(tmp_path / "run"), "--maps", "world:street:3", "--frames", "2", "--precision", "fp32"]
    assert main([*made, "--out", str(tmp_path / "v.mkv")]) == 0
    capsys.readouterr()
    assert main([*words, "--data.maps", "[labels,lidar]", "--out", str(tmp_path / "x")]) == 2
    assert "data.maps: there are no lidar maps; the data has labels, instances, nearness" in capsys.readouterr().err


def test_a_predictor_of_maps_by_command(tmp_path, capsys):
    run = tmp_path / "maps_run"
    words = ["train", "--model", "videosynth.models.mapprediction.model.MapPrediction", "--data.world", "street"]
    words += ["--model.predictor.width", "4", "--model.predictor.downsamples", "1", "--model.predictor.blocks", "2"]
    words += [
        "--model.schedule.steps",
        "2",
        "--data.size",
        "[32, 48]",
        "--data.workers",
        "0",
        "--run.progress",
        "false",
    ]
    words += ["--run.sample_every", "1", "--run.sample_frames", "4", "--trainer.accelerator", "cpu"]
    assert main([*words, "--out", str(run)]) == 0
    assert "--context DIR --frames 16" in capsys.readouterr().out
    assert len(read_video(run / "samples" / "step_000002.mp4")[0]) == 2, "the second half is predicted from the first"
    assert main([*words, "--run.validate_every", "1", "--run.metric", "psnr", "--out", str(tmp_path / "x")]) == 2
    assert "does not make" in capsys.readouterr().err
    several = ["generate", str(run), "--context", "world:street:3,4", "--slice", "0:4", "--frames", "2"]
    assert main([*several, "--out", str(tmp_path / "v.mkv")]) == 2
    assert "is one file" in capsys.readouterr().err
    assert main([*several, "--out", str(tmp_path / "v")]) == 0
    ids = read_ids(tmp_path / "v" / "street-4" / "000001.png")
    assert ids.shape == (32, 48)
    assert ids.max() < 12
    assert main(["evaluate", str(run), "--data.root", "world:street:3", "--out", str(tmp_path / "r")]) == 2
    assert "which is what evaluate measures" in capsys.readouterr().err
