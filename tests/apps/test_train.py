"""What `videosynth train` looks at before it begins, and before it goes on: the data and what is known of its videos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import TwoPart

from videosynth.apps.train import _all_known, _model
from videosynth.cli import main
from videosynth.data.module import VideoData
from videosynth.engine.checkpoint import read_checkpoint
from videosynth.types import DataSpec, UserError

SHADES = {"a": "dark", "b": "light", "c": "dark"}


def videos(root: Path, shades: dict[str, str], side: int = 8) -> Path:
    """Strips of five frames with a shade each, as far as one is given."""
    root.mkdir()
    for k, name in enumerate("abc"):
        Image.fromarray(np.full((side, 5 * side, 3), 60 * k, np.uint8)).save(root / f"{name}.png")
    (root / "labels.json").write_text(json.dumps({f"{n}.png": {"shade": v} for n, v in shades.items()}))
    return root


@pytest.fixture
def train(tmp_path, capsys):
    """Trains the toy that knows a shade for two steps; returns the exit code and what was said."""

    def call(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["train", *map(str, words)])
        return code, capsys.readouterr().err

    return call


def begin(root: Path, out: Path) -> list[object]:
    return [
        "--model", "toys.TwoPart", "--data.root", root, "--out", out, "--data.size", "[8, 8]", "--data.workers", 0,
        "--data.steps_per_epoch", 2, "--trainer.max_epochs", 1, "--trainer.accelerator", "cpu",
        "--run.sample_every", 0, "--run.progress", "false",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shades", "options", "said"),
    [
        (
            SHADES | {"b": "white"},
            [],
            "was trained on the shade dark, light, here it is dark, white: resume with the same data",
        ),
        (SHADES | {"b": "black"}, [], "was trained on the shade dark, light, here it is black, dark: resume"),
        (SHADES | {"b": "dark"}, [], "was trained on the shade dark, light, here it is dark: resume"),
        (SHADES, ["--data.attributes", "[]"], "was trained on the shade dark, light, here it is none: resume"),
        (SHADES, ["--data.size", "[8, 10]"], "was trained on frames of 8x8, here it is 10x8: resume"),
    ],
)
def test_a_run_goes_on_with_its_own_data_only(train, tmp_path, shades, options, said):
    assert train(*begin(videos(tmp_path / "data", SHADES), tmp_path / "run"))[0] == 0
    other = videos(tmp_path / "other", shades)
    code, told = train("--resume", tmp_path / "run", "--data.root", other, *options)
    assert code == 2
    assert said in told
    assert told.count("\n") == 1 + told.count("warning: ")
    assert read_checkpoint(tmp_path / "run" / "last.ckpt")["step"] == 2
    again = videos(tmp_path / "again", SHADES)
    assert train("--resume", tmp_path / "run", "--data.root", again)[0] == 0
    assert read_checkpoint(tmp_path / "run" / "last.ckpt")["step"] == 4


def test_a_video_without_what_is_learnt_from_is_named_before_the_training(train, tmp_path):
    root = videos(tmp_path / "data", {"a": "dark", "b": "light"})
    code, told = train(*begin(root, tmp_path / "run"))
    assert code == 2
    assert f"c of {root} has no shade, which this model learns from" in told
    assert not (tmp_path / "run").exists()
    words = begin(root, tmp_path / "run")
    assert train(*words, "--data.sequences", "[a, b]")[0] == 0
    words[1] = "toys.Noise"
    words[5] = tmp_path / "other"
    assert train(*words, "--data.attributes", "[]")[0] == 0, "a model that learns from no attribute takes all videos"


def test_classes_that_a_model_finds_by_itself_are_not_asked_of_the_data(tmp_path):
    data = VideoData(root=str(videos(tmp_path / "data", {"a": "dark", "b": "light"})), size=(8, 8), workers=0)
    _all_known(TwoPart(DataSpec(size=(8, 8), attributes={"category": ("0", "1")})), data)
    with pytest.raises(UserError, match=r"c of .* has no shade"):
        _all_known(TwoPart(DataSpec(size=(8, 8), attributes={"shade": ("dark", "light")})), data)


def test_a_model_that_leaves_the_maps_out_plays_as_fast_as_it_saw(tmp_path):
    data = VideoData(world="street", size=(16, 16), step=3, workers=0)
    assert data.spec.maps
    small = {"generator": {"width": 4}, "critic": {"width": 4}, "schedule": {"clip_length": 8}}
    model = _model({"class_path": "videosynth.models.vgan.model.VGAN", "init_args": small}, data)
    assert model.spec.fps == data.spec.fps / 3 == 5
    painter = _model({"class_path": "toys.Translation", "init_args": {}}, data)
    assert painter.spec.fps == 15, "maps come at their own rate"
