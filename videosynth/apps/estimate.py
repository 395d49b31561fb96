"""How much memory a model will take, told before the work starts.

The model is built again on torch's ``meta`` device, where tensors have shapes but no content, and makes two frames; the
sizes of all layers' outputs are added up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from videosynth.models.base import VideoModel, rebuild
from videosynth.testing import random_clip, request_for


class Sizes(NamedTuple):
    """Element counts."""

    weights: int  # of the modules that make frames
    trained: int  # of all trained modules
    activations: int  # outputs of all layers for one frame
    widest: int  # the largest output of one layer


def sizes(model: VideoModel, size: tuple[int, int]) -> Sizes:
    """Count for frames of ``size`` (H, W)."""
    kind = type(model)
    with torch.device("meta"):
        ghost = kind(spec=replace(model.spec, size=size), **rebuild(kind, model.arguments)).eval()
    outputs: list[int] = []

    def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output.numel())

    for name in ghost.exported:
        for module in getattr(ghost, name).modules():
            if not list(module.children()):
                module.register_forward_hook(note)
    # A model of a fixed length makes the whole video at once, whatever is asked for.
    clip = random_clip(ghost.spec, 1, ghost.longest or 2).to("meta")
    frames = sum(1 for _ in ghost.generate(request_for(ghost, clip)))
    exported = [p for n in ghost.exported for p in getattr(ghost, n).parameters()]
    return Sizes(
        sum(p.numel() for p in exported),
        sum(p.numel() for p in ghost.parameters()),
        sum(outputs) // max(frames, 1),
        max(outputs, default=0),
    )


def to_generate(model: VideoModel, size: tuple[int, int], batch: int = 1) -> int:
    """Bytes for making frames in fp32: weights, and a few copies of the widest activation at a time."""
    found = sizes(model, size)
    return 4 * (found.weights + 4 * batch * found.widest)


def to_train(model: VideoModel, size: tuple[int, int], batch: int, half: bool) -> int:
    """Bytes for a training step: weights, gradients, Adam's two moments and the average in fp32, and the activations of
    the frames that are back-propagated through, of generator and critics together about twice the generator's.
    """
    found = sizes(model, size)
    frames = batch * model.phase_at(model.total_steps - 1).bptt
    generator = model.arguments.get("generator")
    if isinstance(generator, dict) and generator.get("checkpointing"):
        # Only what enters the recomputed parts is kept, and one part at a time is whole: see apps/cost.py for the exact sum.
        found = found._replace(activations=min(found.activations, 12 * found.widest))
    return 4 * (4 * found.trained + found.weights) + 2 * (2 if half else 4) * found.activations * frames


def told(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
