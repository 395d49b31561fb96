"""Whole commands on small things: worlds, maps without pictures, human comparisons."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from videosynth.apps.edit import blend
from videosynth.apps.maps import open_maps
from videosynth.cli import main
from videosynth.data.world import world_spec
from videosynth.models.mapprediction.model import MapPrediction
from videosynth.models.mapprediction.options import PredictorShape
from videosynth.models.vid2vid.model import Vid2Vid
from videosynth.models.vid2vid.options import CriticShape, GeneratorShape, Losses, Schedule
from videosynth.types import DataSpec, MapSpec, UserError
from videosynth.video.images import write_image
from videosynth.video.read import read_ids, read_video


def made(spec: DataSpec, folder: Path) -> Path:
    torch.manual_seed(0)
    model = Vid2Vid(
        spec,
        GeneratorShape(width=4, downsamples=1, blocks=2),
        CriticShape(width=4, layers=1, scales=1),
        Losses(network="none", perceptual=0.0),
        Schedule(steps=1),
    )
    model.save(folder)
    return folder


@pytest.fixture(scope="module")
def street(tmp_path_factory) -> Path:
    return made(world_spec("street", (32, 48)), tmp_path_factory.mktemp("run") / "street")


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    spec = DataSpec(maps=(MapSpec("labels", "classes", 2),), size=(16, 20))
    return made(spec, tmp_path_factory.mktemp("run") / "plain")


def test_a_world_is_generated_from_and_evaluated_on(street, tmp_path, capsys):
    words = ["generate", str(street), "--maps", "world:street:3", "--slice", "5:9", "--precision", "fp32"]
    assert main([*words, "--out", str(tmp_path / "v.mkv")]) == 0
    assert len(read_video(tmp_path / "v.mkv")[0]) == 4
    words = ["generate", str(street), "--maps", "world:street:3", "--frames", "70", "--out", str(tmp_path / "w.mkv")]
    assert main(words) == 0
    assert len(read_video(tmp_path / "w.mkv")[0]) == 70, "a world is endless"
    told = capsys.readouterr()
    assert "trying precisions on 16 frames" in told.err
    assert main(words) == 0
    assert "measured earlier on this machine" in capsys.readouterr().err
    words = ["evaluate", str(street), "--data.root", "world:street:3,4", "--slice", "0:4"]
    assert main([*words, "--out", str(tmp_path / "report")]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [s["name"] for s in report["sequences"]] == ["street-3", "street-4"]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("name", "frames", "said"),
    [
        ("world:moon", None, "choose from: street"),
        ("world:street:x", None, "'x' is no drive"),
        ("world:street:3,3", None, "names the drive 3 twice"),
        ("world:street:3", "0:9:2", "without a step"),
        ("world:street:3", "5:", "a slice with an end"),
    ],
)
def test_worlds_that_are_not_there(name, frames, said):
    with pytest.raises(UserError, match=said):
        open_maps(name, world_spec("street", (32, 48)), frames)


def test_a_world_serves_only_models_of_its_maps(plain, capsys):
    assert main(["generate", str(plain), "--maps", "world:street", "--precision", "fp32"]) == 2
    assert "does not have the maps" in capsys.readouterr().err


def footage(root: Path, images: int, labels: int) -> Path:
    for t in range(labels):
        for kind, count in (("images", images), ("labels", labels)):
            if t < count:
                path = root / kind / "s" / f"{t:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                array = np.full((16, 20, 3), 90, np.uint8) if kind == "images" else np.eye(16, 20, dtype=np.uint8)
                Image.fromarray(array).save(path)
    return root


def test_maps_need_no_pictures_to_be_painted(plain, tmp_path, capsys):
    """New maps beside the old frames: all of them are painted, not only those that have a real frame."""
    root = footage(tmp_path / "data", images=2, labels=6)
    words = ["generate", str(plain), "--maps", str(root), "--precision", "fp32", "--out", str(tmp_path / "v.mkv")]
    assert main(words) == 0
    assert "6 frames" in capsys.readouterr().out
    assert main([*words, "--panels"]) == 0
    assert main(["evaluate", str(plain), "--data.root", str(root), "--out", str(tmp_path / "report")]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["sequences"][0]["frames"] == 2, "only frames that have a real one can be measured"


def test_a_video_begins_as_it_is_told(plain, tmp_path, capsys):
    root = footage(tmp_path / "data", images=3, labels=3)
    picture = root / "images" / "s" / "000.png"
    words = ["generate", str(plain), "--maps", str(root), "--precision", "fp32", "--out"]
    made_by = {}
    for name, first in (("own", "own"), ("zeros", "zeros"), ("picture", str(picture)), ("run", str(plain))):
        assert main([*words, str(tmp_path / f"{name}.mkv"), "--first-frame", first]) == 0
        made_by[name] = read_video(tmp_path / f"{name}.mkv")[0]
    assert main([*words, str(tmp_path / "default.mkv")]) == 0
    assert np.array_equal(made_by["own"], read_video(tmp_path / "default.mkv")[0])
    for a, b in itertools.combinations(made_by, 2):
        assert not np.array_equal(made_by[a], made_by[b]), (a, b)
    capsys.readouterr()
    assert main([*words, str(tmp_path / "x.mkv"), "--first-frame", "nowhere"]) == 2
    assert "no run folder at nowhere" in capsys.readouterr().err


def test_editing_keeps_every_other_pixel(plain, tmp_path, capsys):
    root = footage(tmp_path / "data", images=3, labels=3)
    words = ["generate", str(plain), "--maps", str(root), "--precision", "fp32", "--size", "20x16"]
    edit = [*words, "--relabel", "1=0", "--out", str(tmp_path / "v")]
    assert main([*edit, "--keep", str(root / "images" / "s"), "--feather", "0"]) == 0
    frames = read_video(tmp_path / "v")[0]
    changed = np.eye(16, 20, dtype=bool)
    assert (frames[:, ~changed] == 90).all()
    assert (frames[:, changed] != 90).any()
    assert main([*edit]) == 0
    assert not (read_video(tmp_path / "v")[0][:, ~changed] == 90).all()
    capsys.readouterr()
    for wrong, said in (
        (["--relabel", "1"], "write OLD=NEW"),
        (["--relabel", "1=0", "--relabel", "1=1"], "name it once"),
        (["--relabel", "1=0", "--feather", "3"], "pass --keep VIDEO too"),
        (["--relabel", "tree=0"], "no class 'tree'; the data has the ids 0 to 1"),
        (["--keep", str(root / "images" / "s")], "--keep needs --relabel"),
        (["--relabel", "1=0", "--keep", "nowhere"], "no video and no folder"),
        (["--relabel", "1=0", "--keep", str(root / "images" / "s"), "--size", "40x32"], "pass --size 20x16"),
    ):
        assert main([*words, "--out", str(tmp_path / "w.mkv"), *wrong]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "w.mkv").exists()


def test_the_future_is_predicted_and_painted(plain, tmp_path, capsys):
    root = footage(tmp_path / "data", images=5, labels=5)
    torch.manual_seed(0)
    spec = DataSpec(maps=(MapSpec("labels", "classes", 2),), size=(16, 20))
    foreteller = MapPrediction(spec, PredictorShape(width=4, downsamples=1, blocks=2, past=2))
    foreteller.save(tmp_path / "foreteller")
    words = ["--context", str(root), "--frames", "3"]
    assert main(["generate", str(tmp_path / "foreteller"), *words, "--out", str(tmp_path / "maps")]) == 0
    ids = [read_ids(p) for p in sorted((tmp_path / "maps").iterdir())]
    assert len(ids) == 3
    assert all(set(np.unique(i)) <= {0, 1, 255} for i in ids)
    both = [*words, "--predictor", str(tmp_path / "foreteller"), "--out", str(tmp_path / "v.mkv")]
    assert main(["generate", str(plain), *both]) == 0
    assert read_video(tmp_path / "v.mkv")[0].shape == (3, 16, 20, 3)
    capsys.readouterr()
    for run, more, said in (
        (plain, words, "pass --predictor RUN"),
        (plain, [*words, "--predictor", str(plain)], "does not predict label maps"),
        (tmp_path / "foreteller", words[:2], "--context needs --frames"),
        (tmp_path / "foreteller", ["--maps", str(root)], "pass --context DIR"),
        (tmp_path / "foreteller", [*words, "--predictor", "nowhere"], "leave --predictor out"),
        (tmp_path / "foreteller", [*words, "--fps", "0"], "choose a rate above 0"),
    ):
        assert main(["generate", str(run), *more, "--out", str(tmp_path / "x.mkv")]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "x.mkv").exists()


def test_kept_pixels_are_those_of_the_same_frames(plain, tmp_path, capsys):
    root = footage(tmp_path / "data", images=6, labels=6)
    for t in range(6):
        write_image(tmp_path / "real" / f"{t}.png", np.full((16, 20, 3), 10 * t, np.uint8))
    words = ["generate", str(plain), "--maps", str(root), "--precision", "fp32", "--size", "20x16", "--relabel", "1=0"]
    keep = ["--keep", str(tmp_path / "real"), "--slice", "3:5"]
    assert main([*words, *keep, "--out", str(tmp_path / "v.mp4")]) == 0
    frames = read_video(tmp_path / "v.mp4")[0]
    away = ~np.eye(16, 20, dtype=bool)
    assert (frames[0, away] == 30).all(), "an mp4 of kept pixels is lossless"
    assert (frames[1, away] == 40).all()
    capsys.readouterr()
    for wrong, said in (
        ([*keep, "--out", str(tmp_path / "x.gif")], "cannot hold"),
        (["--keep", str(tmp_path / "real"), "--slice", "3:6", "--maps", "world:street"], "does not have the maps"),
        ([*keep, "--panels"], "leave one out"),
        (["--predictor", str(plain)], "--predictor goes with --context"),
        (["--context", str(root)], "--maps does not go with --context"),
    ):
        assert main([*words, *wrong]) == 2
        assert said in capsys.readouterr().err
    write_image(tmp_path / "short" / "0.png", np.zeros((16, 20, 3), np.uint8))
    assert main([*words, "--keep", str(tmp_path / "short"), "--out", str(tmp_path / "x.mkv")]) == 2
    assert "has 1 frames, the maps have 6" in capsys.readouterr().err


def test_thin_regions_are_painted_too():
    changed = np.zeros((20, 20), bool)
    changed[:, 7:9] = True
    mixed = blend(np.full((20, 20, 3), 190, np.uint8), np.full((20, 20, 3), 100, np.uint8), changed, 2)
    assert (mixed[:, 7:9] == 130).all()
    assert (mixed[~changed] == 100).all()


def test_a_feathered_edge_grows_inwards():
    changed = np.zeros((20, 20), bool)
    changed[5:15, 5:15] = True
    mixed = blend(np.full((20, 20, 3), 200, np.uint8), np.full((20, 20, 3), 100, np.uint8), changed, 2)
    assert (mixed[~changed] == 100).all()
    assert (mixed[8:12, 8:12] == 200).all()
    edge = mixed[10, 5:9, 0]
    assert 100 < edge[0] < edge[1] <= edge[2] <= 200


def test_a_human_comparison_from_the_page_to_the_sum(plain, street, tmp_path, capsys):
    root = footage(tmp_path / "data", images=4, labels=4)
    other = made(DataSpec(maps=(MapSpec("labels", "classes", 2),), size=(16, 20)), tmp_path / "other")
    words = ["evaluate", str(plain), str(other), "--preference", "--data.root", str(root), "--out", str(tmp_path / "p")]
    assert main(words) == 0
    assert (tmp_path / "p" / "index.html").is_file()
    assert main(["evaluate", str(plain), *words[3:-1], str(tmp_path / "q")]) == 2
    assert "compares two runs" in capsys.readouterr().err
    assert not (tmp_path / "q").exists()
    assert main(["evaluate", str(plain), str(street), *words[3:-1], str(tmp_path / "q")]) == 2
    assert "other maps or sizes" in capsys.readouterr().err
    votes = [{"trial": i, "round": "short", "choice": c} for i, c in enumerate("aab")]
    saved = {"format": 1, "kind": "videosynth preference votes", "a": "plain", "b": "other", "seed": 0, "votes": votes}
    (tmp_path / "votes.json").write_text(json.dumps(saved))
    assert main(["evaluate", "--votes", str(tmp_path / "votes.json")]) == 0
    told = capsys.readouterr().out
    assert "1 voters, plain against other" in told
    assert "67% for plain" in told
