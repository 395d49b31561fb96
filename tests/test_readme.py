"""The README's commands and its Python run as they stand there, on a small data set and with small options added."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from nvidia import random_checkpoint
from PIL import Image

from videosynth.cli import main
from videosynth.metrics.judge import train_judge
from videosynth.models.base import load
from videosynth.models.mapprediction.model import MapPrediction
from videosynth.models.mapprediction.options import PredictorShape

README = Path(__file__).parents[1] / "README.md"
SMALLER = {
    "train": "--model.schedule.steps 1 --data.size [32,32] --model.generator.width 4 --model.critic.width 4 "
    "--model.schedule.clip_length 3 --run.sample_every 0 --data.workers 0 --trainer.accelerator cpu --run.progress false",
    "generate": "--precision fp32",
    "bench": "",
}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(block: int) -> list[list[str]]:
    """Of the n-th block of commands; the first one is of ``make``."""
    lines = blocks("sh")[block].splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("videosynth ")]


@pytest.fixture
def footage(tmp_path, monkeypatch):
    """20 frames of a square that moves, and its maps, in a folder called footage."""
    monkeypatch.chdir(tmp_path)
    for kind in ("images", "labels"):
        (tmp_path / "footage" / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    texture = rng.integers(40, 216, (40, 48, 3), np.uint8)
    for t in range(20):
        image, ids = texture.copy(), np.zeros((40, 48), np.uint8)
        image[10:30, t : t + 16], ids[10:30, t : t + 16] = (220, 40, 40), 1
        Image.fromarray(image).save(tmp_path / "footage" / "images" / f"{t:03d}.png")
        Image.fromarray(ids).save(tmp_path / "footage" / "labels" / f"{t:03d}.png")
    return tmp_path


def test_commands_and_python(footage, monkeypatch, capsys):
    from videosynth.apps import bench_loader

    monkeypatch.setattr(bench_loader.measure, "__kwdefaults__", {"frames": 10, "seconds": 0.05})
    found = commands(1)
    assert [c[0] for c in found] == ["check", "train", "generate", "evaluate", "bench"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for command in found:
            words = command + shlex.split(SMALLER.get(command[0], ""))
            assert main(words) == 0, f"videosynth {' '.join(words)}: {capsys.readouterr().err[-1000:]}"
    assert (footage / "video.mp4").stat().st_size > 0
    assert (footage / "report" / "report.html").exists()
    (code,) = blocks("python")
    seen: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), seen)
    assert seen["frame"].image.shape == (1, 3, 32, 32)
    assert seen["frame"].extras["flow"].shape == (1, 2, 32, 32)


def test_what_a_trained_run_can_do(footage, capsys):
    (footage / "footage" / "dataset.yaml").write_text("classes: [Tree, Building]\n")
    shutil.copytree(footage / "footage" / "labels", footage / "footage" / "instances")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(footage / "picture.png")
    small = [*shlex.split(SMALLER["train"]), "--data.root", "footage", "--data.maps", "[labels]"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert (
            main(["train", "--config", "vid2vid/street_small", *small, "--model.generator.style", "3", "--out", "run"])
            == 0
        )
    spec = load("run").spec
    MapPrediction(spec, PredictorShape(width=4, downsamples=1, blocks=2, past=2)).save("maps_run")
    (footage / "checkpoints" / "label2city_2048").mkdir(parents=True)
    for index, state in enumerate(random_checkpoint()):
        torch.save(state, footage / "checkpoints" / "label2city_2048" / f"latest_net_G{index}.pth")
    found = commands(2)
    assert [c[0] for c in found] == ["generate"] * 4 + ["prepare", "convert"]
    for command in found:
        more = ["--precision", "fp32"] if command[0] == "generate" and "--context" not in command else []
        assert main(command + more) == 0, f"videosynth {' '.join(command)}: {capsys.readouterr().err[-1000:]}"
    assert (footage / "future.mp4").stat().st_size > 0


def test_videos_from_noise(tmp_path, monkeypatch, capsys):
    from videosynth.apps import real, unpaired

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(unpaired, "JUDGED", 48)
    monkeypatch.setattr(real, "train_judge", functools.partial(train_judge, steps=4))
    smaller = {
        "train": "--model.schedule.steps 2 --model.schedule.clip_length 8 --model.generator.width 4 --model.critic.width 4 "
        "--data.size [16,16] --data.batch_size 2 --data.world_seeds 4 --data.workers 0 --run.sample_every 0 "
        "--run.progress false --trainer.accelerator cpu",
        "generate": "--precision fp32",
        "evaluate": "--count 4",
    }
    found = commands(3)
    assert [c[0] for c in found] == ["generate", "train", *["generate"] * 4, "evaluate"]
    for command in found:
        words = command + shlex.split(smaller[command[0]])
        assert main(words) == 0, f"videosynth {' '.join(words)}: {capsys.readouterr().err[-1000:]}"
    assert len(list((tmp_path / "samples").glob("*.mp4"))) == 17  # a grid of all among them
    assert all((tmp_path / f"{name}.mp4").stat().st_size > 0 for name in ("moves", "left", "slow"))
    assert (tmp_path / "shapes_report" / "report.html").exists()


def test_links_and_pictures_exist():
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (README.parent / target).exists(), f"README points to {target}, which is not there"
