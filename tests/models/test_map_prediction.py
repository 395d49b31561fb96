"""The predictor of label maps: no few pixels can throw its motion out of the frame."""

from __future__ import annotations

import torch

from videosynth.models.mapprediction.model import MapPrediction
from videosynth.models.mapprediction.options import Losses, PredictorShape, Schedule
from videosynth.testing import random_clip, train_steps
from videosynth.types import DataSpec, MapSpec

SPEC = DataSpec(maps=(MapSpec("labels", "classes", 8),), size=(16, 24), fps=8)


def gradient(losses: Losses) -> float:
    """Length of the first step's gradient."""
    torch.manual_seed(0)
    shape = PredictorShape(width=8, downsamples=1, blocks=2, past=2, flow_scale=4.0)
    model = MapPrediction(SPEC, shape, losses, Schedule(steps=10, ahead=2, bptt=2))
    return train_steps(model, random_clip(SPEC, 2, 4), 1).losses[0]["gradient/g"]


def test_the_warping_term_is_no_steeper_than_the_flow_loss():
    """Where a class is absent right beside its border the slope of a cross-entropy is a thousand: a few such pixels once
    outweighed the whole flow loss, and the flow left the frame within 80 steps.
    """
    warp, flow = gradient(Losses(classes=0, flow=0, warp=1)), gradient(Losses(classes=0, flow=1, warp=0))
    assert 0 < warp < 3 * flow


def test_the_flow_is_learnt():
    torch.manual_seed(0)
    model = MapPrediction.tiny()
    losses = train_steps(model, random_clip(model.spec, 2, model.phase_at(0).clip_length), 60).losses
    assert losses[-1]["g/flow"] < losses[0]["g/flow"]
    assert losses[-1]["g/warp"] < losses[0]["g/warp"]
