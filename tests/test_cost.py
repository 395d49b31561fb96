"""What a training costs, computed on fake tensors, against the same step on real ones."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from videosynth.apps.catalogue import build
from videosynth.apps.cost import FRAMES, Living, _prepared, _tensors, step_cost, training_cost
from videosynth.cli import main
from videosynth.models.base import VideoModel
from videosynth.models.pix2pixhd.model import Pix2PixHD
from videosynth.models.tgan.model import TGAN
from videosynth.models.vgan.model import VGAN
from videosynth.models.vid2vid.model import Vid2Vid
from videosynth.models.vid2vid.options import CriticShape, GeneratorShape, Losses
from videosynth.testing import random_clip


def test_living_counts_what_lives_at_a_time() -> None:
    with Living() as living:
        x = torch.ones(1000)  # 4,000 bytes
        y = x * 2  # 8,000
        z = y + 1  # 12,000: the peak
        del x, y
        z = z * 2  # 8,000 for a moment, then 4,000
    assert living.peak == 12_000
    assert living.now == 4_000
    assert z[0] == 6


def test_views_and_work_in_place_count_once() -> None:
    with Living() as living:
        x = torch.zeros(1000)
        x.view(10, 100).add_(1).relu_()
    assert living.peak == 4_000


@pytest.mark.parametrize("kind", [Vid2Vid, Pix2PixHD, TGAN, VGAN])
def test_the_computed_step_is_the_real_one(kind: type[VideoModel]) -> None:
    model = kind.tiny()
    at, length = model.total_steps - 1, 4
    size = model.spec.size
    found = step_cost(model, size, 2, False, at, length)

    real = kind.tiny()
    clip = random_clip(dataclasses.replace(real.spec, size=real.phase_at(at).size or size), 2, length)
    living, counter = Living(), FlopCounterMode(display=False)
    kept = [*_prepared(real, at), *_tensors(clip)]
    for tensor in kept:
        living.note(tensor)
    with living:
        real.on_train_batch_start(clip, 0)
        real.training_step(clip, 0)
    again = kind.tiny()
    _prepared(again, at)
    with counter:
        again.on_train_batch_start(clip, 0)
        again.training_step(clip, 0)
    assert found.flop == counter.get_total_flops() > 0
    assert found.memory == pytest.approx(living.peak, rel=0.02)
    assert found.frames == 2 * length
    weights = sum(p.numel() for p in real.parameters())
    assert living.now >= 4 * sum(t.numel() for t in kept) / 2 > 4 * weights


def test_recomputing_takes_less_memory_and_more_work() -> None:
    shapes = [GeneratorShape(width=16, downsamples=2, blocks=8, checkpointing=c) for c in (False, True)]
    losses = Losses(network="none", perceptual=0.0)
    plain, again = (
        step_cost(Vid2Vid(Vid2Vid.tiny().spec, s, CriticShape(4, 1, 1), losses), (64, 96), 1, False, 0, 4)
        for s in shapes
    )
    assert again.memory < 0.8 * plain.memory
    assert 1.1 * plain.flop < again.flop < 1.4 * plain.flop


def test_a_spade_generator_has_a_cost_too() -> None:
    shape = GeneratorShape(kind="spade", width=4, widest=8, downsamples=1, levels=3, blocks=1)
    model = Vid2Vid(Vid2Vid.tiny().spec, shape, CriticShape(4, 1, 1), Losses(network="none", perceptual=0.0))
    assert step_cost(model, (32, 48), 1, False, 0, 4).flop > 0


def test_the_papers_largest_step_fits_80_gb() -> None:
    model = build("vid2vid/street_paper_2048", device="meta")
    at = model.total_steps - 1
    assert model.phase_at(at).scales == 3
    assert step_cost(model, (1024, 2048), 1, True, at, FRAMES).memory < 80e9


def test_half_precision_takes_less_memory_and_the_same_work() -> None:
    model = Vid2Vid.tiny()
    full, half = (step_cost(model, (64, 96), 1, h, 99, 4) for h in (False, True))
    assert half.flop == full.flop
    assert half.memory < full.memory


def test_a_training_is_the_sum_of_its_steps() -> None:
    model = Vid2Vid.tiny()  # 100 steps, clips of 4 frames
    whole = training_cost(model, model.spec.size, 1, False)
    one = step_cost(model, model.spec.size, 1, False, 0, 4)
    assert whole.frames == 400
    assert whole.flop == pytest.approx(100 * one.flop)


def test_videos_from_noise_are_counted_whole() -> None:
    """Their critics look at clips of one length only, also where it is more than FRAMES."""
    tiny = TGAN.tiny()
    schedule = dataclasses.replace(tiny.schedule, clip_length=16)
    model = TGAN(tiny.spec, tiny.shape, play=tiny.play, schedule=schedule)
    whole = training_cost(model, model.spec.size, 2, False)
    one = step_cost(model, model.spec.size, 2, False, 0, 16)
    assert one.frames == 32
    assert whole.frames == 50 * 32
    assert whole.flop == pytest.approx(50 * one.flop)


def test_models_says_the_cost_of_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--cost", "pix2pixhd/street_small"]) == 0
    told = capsys.readouterr().out
    assert "training: " in told
    assert "PFLOP" in told
    assert "vid2vid/street_small" not in told


def test_models_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "vid3vid"]) == 2
    assert "no model or preset vid3vid" in capsys.readouterr().err
