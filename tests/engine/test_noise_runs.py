"""Trainings of models that make videos from noise: resumed bit by bit, on two processes, in bf16."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from videosynth.cli import main
from videosynth.engine.checkpoint import read_checkpoint
from videosynth.models.base import load
from videosynth.testing import frames_of
from videosynth.types import Request

WIDTHS = ["--model.generator.width", "4", "--model.critic.width", "4"]
KINDS = {
    "mocogan": ["--config", "mocogan/shapes_small", *WIDTHS],
    "tgan": ["--config", "tgan/shapes_small", *WIDTHS, "--model.generator.temporal", "8"],
    "vgan": ["--config", "vgan/shapes_small", *WIDTHS],
}
SMALL = [
    "--data.size", "[16, 16]", "--data.world_seeds", "20", "--data.batch_size", "4", "--data.workers", "0",
    "--model.schedule.clip_length", "8", "--model.schedule.steps", "7",
    "--run.checkpoint_every", "3", "--run.sample_every", "0", "--run.progress", "false", "--trainer.accelerator", "cpu",
]  # fmt: skip


def train(kind: str, out: Path, *more: str) -> int:
    return main(["train", *KINDS[kind], *SMALL, "--out", str(out), *more])


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_uninterrupted(kind, tmp_path):
    assert train(kind, tmp_path / "whole") == 0
    assert train(kind, tmp_path / "cut", "--data.steps_per_epoch", "1", "--trainer.max_epochs", "4") == 0
    assert read_checkpoint(tmp_path / "cut" / "last.ckpt")["step"] == 4
    assert main(["train", "--resume", str(tmp_path / "cut"), "--trainer.max_epochs", "-1"]) == 0
    whole, cut = (read_checkpoint(tmp_path / name / "last.ckpt") for name in ("whole", "cut"))
    assert whole["step"] == cut["step"] == 7
    for part in ("model", "average"):
        assert all(torch.equal(v, cut[part][k]) for k, v in whole[part].items())
    for a, b in zip(whole["optimizers"], cut["optimizers"], strict=True):
        assert a["state"].keys() == b["state"].keys()
        for k, state in a["state"].items():
            assert all(torch.equal(v, b["state"][k][name]) for name, v in state.items())


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_keep_equal_weights(kind, tmp_path):
    """Batch norms see the clips of their own process, so two processes do not equal one; but they agree with each other."""
    program = "import torch, sys\nfrom videosynth.engine import fit\n"
    program += "write = fit.RunFolder.write\n"
    program += "def also(self, trainer, model, status):\n"
    program += "    held = {n: p.detach() for n, p in model.named_parameters()}\n"
    program += "    torch.save(held, f'{self.folder}/rank{trainer.global_rank}.pt')\n"
    program += "    write(self, trainer, model, status)\n"
    program += "fit.RunFolder.write = also\n"
    program += "torch.set_num_threads(1)\nfrom videosynth.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    (tmp_path / "program.py").write_text(program)
    words = ["train", *KINDS[kind], *SMALL, "--model.schedule.steps", "3", "--out", str(tmp_path / "two")]
    words += ["--data.batch_size", "2", "--trainer.devices", "2", "--model.play.every", "1"]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), *words],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(tmp_path / "two" / f"rank{r}.pt", weights_only=True) for r in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(v, second[k]) for k, v in first.items())
    begun = load(tmp_path / "two")
    assert frames_of(begun, Request(seeds=(1,), frames=8)).shape == (1, 8, 3, 16, 16)


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_trains(kind, tmp_path):
    assert train(kind, tmp_path / "run", "--model.schedule.steps", "2", "--trainer.precision", "bf16-mixed") == 0
    frames = frames_of(load(tmp_path / "run"), Request(seeds=(1,)))
    assert bool(torch.isfinite(frames).all())
