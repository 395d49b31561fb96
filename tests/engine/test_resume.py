"""Resume, run folder, precision: trainings on a tiny data set on disk."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from videosynth.cli import main
from videosynth.engine.checkpoint import read_checkpoint
from videosynth.models.base import load
from videosynth.nn.norms import InstanceNorm

SMALL = [
    "--model", "videosynth.models.vid2vid.model.Vid2Vid",
    "--model.generator.width", "4", "--model.generator.downsamples", "1", "--model.generator.blocks", "2",
    "--model.critic.width", "4", "--model.critic.layers", "1", "--model.critic.scales", "1",
    "--model.losses.perceptual", "0", "--model.losses.network", "none",
    "--model.schedule.clip_length", "2", "--model.schedule.clip_double", "2", "--model.schedule.clip_longest", "4",
    "--data.size", "[16, 16]", "--data.scale", "[1.0, 1.5]", "--data.colour", "0.2",
    "--run.checkpoint_every", "2", "--run.sample_every", "0", "--run.progress", "false",
    "--trainer.accelerator", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two sequences of a bright square that moves over two classes."""
    root = tmp_path_factory.mktemp("data")
    for s, length in enumerate((7, 5)):
        for kind in ("images", "labels"):
            (root / kind / f"s{s}").mkdir(parents=True)
        for t in range(length):
            image = np.full((18, 20, 3), 60, np.uint8)
            ids = np.zeros((18, 20), np.uint8)
            image[4:12, 2 + t : 9 + t] = (200, 180, 40 * s)
            ids[4:12, 2 + t : 9 + t] = 1
            Image.fromarray(image).save(root / "images" / f"s{s}" / f"{t:03d}.png")
            Image.fromarray(ids).save(root / "labels" / f"s{s}" / f"{t:03d}.png")
    return root


def run(data: Path, out: Path, *more: str) -> int:
    return main(["train", *SMALL, "--data.root", str(data), "--out", str(out), *more])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "last.ckpt")["model"]


def biases_before_norms(model: torch.nn.Module) -> set[str]:
    """Their true gradient is zero (the norm takes the mean away), so Adam turns rounding errors into steps of any sign."""
    found = set()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Sequential):
            layers = list(module.named_children())
            for (key, layer), (_, after) in itertools.pairwise(layers):
                if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d) and isinstance(after, InstanceNorm):
                    found.add(f"{name}.{key}.bias")
    return found


def same(a: Path, b: Path) -> bool:
    x, y = read_checkpoint(a / "last.ckpt"), read_checkpoint(b / "last.ckpt")
    tensors = [(x[part][k], y[part][k]) for part in ("model", "average") for k in x[part]]
    return x["step"] == y["step"] and all(torch.equal(p, q) for p, q in tensors)


def test_a_run_folder_is_complete(data, tmp_path, capsys):
    assert run(data, tmp_path / "run", "--model.schedule.steps", "2", "--data.workers", "0") == 0
    told = capsys.readouterr().out
    assert "wrote" in told
    assert "next: videosynth generate" in told
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["steps"] == 2
    assert record["data"]
    assert record["versions"]["torch"] == torch.__version__
    model = load(tmp_path / "run")
    average = read_checkpoint(tmp_path / "run" / "last.ckpt")["average"]
    assert all(torch.equal(v, average[k]) for k, v in model.state_dict().items() if k in average)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_killed_and_resumed_equals_uninterrupted(data, tmp_path, workers):
    """Killed without warning in the middle of an epoch, with growing clips; resumed with another number of workers."""
    assert run(data, tmp_path / "whole", "--model.schedule.steps", "7", "--data.workers", "1") == 0
    command = [sys.executable, "-m", "videosynth", "train", *SMALL, "--data.root", str(data)]
    command += ["--out", str(tmp_path / "cut"), "--model.schedule.steps", "7", "--data.workers", "1"]
    program = "import os, signal; from videosynth.engine import fit\n"
    program += "write = fit.RunFolder.write\n"
    program += "def then_die(self, trainer, model, status):\n"
    program += "    write(self, trainer, model, status)\n"
    program += "    if model.steps == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
    program += "fit.RunFolder.write = then_die\n"
    program += f"import torch; torch.set_num_threads(1)\nfrom videosynth.cli import main; main({command[3:]!r})\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert read_checkpoint(tmp_path / "cut" / "last.ckpt")["step"] == 4
    assert main(["train", "--resume", str(tmp_path / "cut"), "--data.workers", workers]) == 0
    assert same(tmp_path / "whole", tmp_path / "cut")
    record = json.loads((tmp_path / "cut" / "run.json").read_text())
    assert record["steps"] == 7


def test_three_scales_resume_in_the_middle_of_every_phase(data, tmp_path):
    grown = ["--model.generator.scales", "3", "--model.generator.finer_blocks", "1", "--data.workers", "0"]
    grown += ["--model.schedule.steps", "12", "--model.schedule.grow", "0.5", "--model.schedule.alone", "0.5"]
    grown += ["--model.schedule.clip_double", "0", "--model.schedule.clip_length", "3", "--data.size", "[32, 32]"]
    assert run(data, tmp_path / "whole", *grown) == 0
    # The coarsest scale 0..2; the middle one 3, 4 alone, then 5; the finest 6..8 alone, then 9..11.
    cuts = [2, 4, 7, 10]
    words = ["train", *SMALL, *grown, "--data.root", str(data), "--out", str(tmp_path / "cut")]
    assert main([*words, "--data.steps_per_epoch", "1", "--trainer.max_epochs", "2"]) == 0
    for done, until in itertools.pairwise(cuts):
        assert read_checkpoint(tmp_path / "cut" / "last.ckpt")["step"] == done
        assert main(["train", "--resume", str(tmp_path / "cut"), "--trainer.max_epochs", str(until - done)]) == 0
    assert main(["train", "--resume", str(tmp_path / "cut"), "--trainer.max_epochs", "-1"]) == 0
    assert same(tmp_path / "whole", tmp_path / "cut")


def test_more_steps_do_not_take_a_scale_away(data, tmp_path, capsys):
    grown = ["--model.generator.scales", "2", "--model.generator.finer_blocks", "1", "--data.workers", "0"]
    grown += ["--model.schedule.steps", "4", "--data.size", "[32, 32]", "--model.schedule.clip_double", "0"]
    assert run(data, tmp_path / "run", *grown, "--model.critic.frames", "2") == 0
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "run"), "--model.schedule.steps", "40"]) == 2
    assert "would go back to 1" in capsys.readouterr().err
    more = ["--model.schedule.steps", "6", "--model.schedule.grow", "0.1"]
    assert main(["train", "--resume", str(tmp_path / "run"), *more]) == 0


def begun(data: Path, out: Path, steps: int, workers: int) -> subprocess.Popen[str]:
    """A training in a process of its own, returned when it has written its first checkpoint."""
    command = [sys.executable, "-m", "videosynth", "train", *SMALL, "--data.root", str(data), "--out", str(out)]
    command += ["--model.schedule.steps", str(steps), "--data.workers", str(workers)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not (out / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGINT, 0)])
def test_a_training_told_to_end_saves_its_last_step(data, tmp_path, number, workers):
    """The signal goes to the whole process group, loaders included, as a terminal and a scheduler send it."""
    process = begun(data, tmp_path / "run", 10_000, workers)
    os.killpg(process.pid, number)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 130, told
    assert f"go on with: videosynth train --resume {tmp_path / 'run'}" in told
    assert "Traceback" not in told
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "stopped"
    step = read_checkpoint(tmp_path / "run" / "last.ckpt")["step"]
    assert record["steps"] == step
    more = ["--model.schedule.steps", str(step + 1), "--run.checkpoint_every", "7"]
    assert main(["train", "--resume", str(tmp_path / "run"), *more]) == 0
    assert read_checkpoint(tmp_path / "run" / "last.ckpt")["step"] == step + 1
    assert "checkpoint_every: 7" in (tmp_path / "run" / "config.yaml").read_text(), "what a resume changed is kept"


def test_the_best_checkpoint_is_known_to_the_last(data, tmp_path):
    options = ["--run.validate_every", "2", "--run.metric", "ssim", "--data.workers", "0"]
    assert run(data, tmp_path / "run", "--model.schedule.steps", "4", *options) == 0
    best = read_checkpoint(tmp_path / "run" / "best.ckpt")
    last = read_checkpoint(tmp_path / "run" / "last.ckpt")
    assert last["best"] == best["best"]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["best"] == pytest.approx(best["best"])


def test_validation_frames_are_looked_for_before_the_training(data, tmp_path, capsys):
    """The second sequence has no frames 5 and 6; frames that no sequence has are refused at once."""
    options = [
        "--model.schedule.steps",
        "2",
        "--run.validate_every",
        "1",
        "--run.metric",
        "ssim",
        "--data.workers",
        "0",
    ]
    assert run(data, tmp_path / "run", *options, "--run.validation_frames", "5:7") == 0
    for wrong in ("90:95", "first"):
        assert run(data, tmp_path / "x", *options, "--run.validation_frames", wrong) == 2
        assert not (tmp_path / "x").exists()
    capsys.readouterr()


def test_a_resume_keeps_counting_in_the_log(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ["--trainer.log_every_n_steps", "1", "--data.workers", "0"]
    assert run(data, tmp_path / "run", "--model.schedule.steps", "2", *options) == 0
    assert main(["train", "--resume", str(tmp_path / "run"), "--model.schedule.steps", "4"]) == 0
    steps = []
    for file in (tmp_path / "run" / "log").glob("events*"):
        events = EventAccumulator(str(file)).Reload()
        steps += [e.step for e in events.Scalars("g/adv")]
    assert sorted(steps) == [0, 1, 2, 3]
    assert main(["train", "--resume", str(tmp_path / "run"), "--config", "vid2vid/street_small"]) == 2


def test_a_resume_from_elsewhere_says_where_to_go(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(data.parent)
    options = ("--model.schedule.steps", "1", "--data.workers", "0")
    assert run(Path(data.name), tmp_path / "run", *options) == 0
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "run"), "--model.schedule.steps", "2"]) == 2
    told = capsys.readouterr().err
    assert f"resume from {data.parent}" in told


def test_seeds_matter(data, tmp_path):
    options = ("--model.schedule.steps", "1", "--data.workers", "0")
    assert run(data, tmp_path / "a", *options) == 0
    assert run(data, tmp_path / "b", *options) == 0
    assert run(data, tmp_path / "c", *options, "--run.seed", "1") == 0
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


def test_two_processes_equal_one(data, tmp_path):
    """One clip on each of two processes is a batch of two on one.

    Seed 0 would meet a kink of an L1 loss, where rounding flips the sign of a gradient (differences of 4e-5 instead of 6e-8).
    """
    options = ["--model.schedule.steps", "3", "--data.workers", "0", "--run.seed", "1"]
    assert run(data, tmp_path / "one", *options, "--data.batch_size", "2") == 0
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "videosynth", "train", *SMALL, *options, "--data.root", str(data)]
    command += ["--out", str(tmp_path / "two"), "--trainer.devices", "2"]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert time.monotonic() - started < 120
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    idle = biases_before_norms(load(tmp_path / "one"))
    assert max(float((one[k] - two[k]).abs().max()) for k in one.keys() - idle) < 1e-5
    assert json.loads((tmp_path / "two" / "run.json").read_text())["devices"] == 2


def test_processes_whose_clips_lack_the_region_step_with_the_others(data, tmp_path):
    """One sequence shows class 1, the other does not: no process may wait for ever."""
    root = tmp_path / "data"
    shutil.copytree(data, root)
    for path in (root / "labels" / "s1").iterdir():
        Image.fromarray(np.zeros((18, 20), np.uint8)).save(path)
    options = ["--model.schedule.steps", "4", "--data.workers", "0", "--model.critic.regions", '["1"]']
    options += ["--model.critic.region_size", "16", "--trainer.devices", "2"]
    command = [sys.executable, "-m", "videosynth", "train", *SMALL, *options, "--data.root", str(root)]
    command += ["--out", str(tmp_path / "two")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def test_bf16_uses_the_new_weights_after_each_step(data, tmp_path):
    """Two optimizer steps inside one training step: the second must not see autocast's copies from before the first."""
    from videosynth.models.vid2vid.model import Vid2Vid

    seen: list[torch.Tensor] = []
    rollout = Vid2Vid.rollout

    def watched(self, chunk, state):
        with torch.no_grad():
            x = torch.ones(1, 6, 16, 16)
            seen.append(self.generator.scales[0].label_trunk(x).float())
        return rollout(self, chunk, state)

    Vid2Vid.rollout = watched
    try:
        options = ["--model.schedule.steps", "1", "--data.workers", "0", "--trainer.precision", "bf16-mixed"]
        assert run(data, tmp_path / "run", *options, "--model.schedule.lr", "0.05") == 0
    finally:
        Vid2Vid.rollout = rollout
    assert len(seen) == 2
    assert not torch.equal(seen[0], seen[1])


def test_a_run_in_the_way_is_kept(data, tmp_path, capsys):
    options = ("--model.schedule.steps", "1", "--data.workers", "0")
    assert run(data, tmp_path / "run", *options) == 0
    before = (tmp_path / "run" / "last.ckpt").read_bytes()
    capsys.readouterr()
    assert run(data, tmp_path / "run", *options) == 2
    assert "already holds a run: resume it with --resume" in capsys.readouterr().err
    assert (tmp_path / "run" / "last.ckpt").read_bytes() == before
    assert main(["train", "--resume", str(tmp_path / "run")]) == 2
    assert "already trained for 1 steps" in capsys.readouterr().err
