"""Averaged weights of the modules that make frames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import lightning as L
import torch
from torch import Tensor

from videosynth.models.base import VideoModel, exported_weights
from videosynth.types import Clip


class Average(L.Callback):
    """Exponential moving average of the exported parameters (critics are left alone), kept in fp32; buffers are copied.

    The decay rises from 0 to ``decay`` over the first steps, so early averages follow the model. Among the callbacks it
    stands before whatever looks at the average.
    """

    def __init__(self, model: VideoModel, decay: float) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in exported_weights(model).items()}

    def on_train_start(self, trainer: L.Trainer, model: VideoModel) -> None:
        self.weights = {k: v.to(model.device) for k, v in self.weights.items()}  # the model was built on the CPU

    def on_train_batch_end(self, trainer: L.Trainer, model: VideoModel, outputs: Any, batch: Clip, index: int) -> None:
        self.update(model)

    @torch.no_grad()
    def update(self, model: VideoModel) -> None:
        """Follow the model by one step (``model.steps`` says which)."""
        decay = min(self.decay, (1 + model.steps) / (10 + model.steps))
        floats: list[tuple[Tensor, Tensor]] = []
        parameters = {name for name, _ in model.named_parameters()}
        for name, value in exported_weights(model).items():
            mine = self.weights[name]
            if name in parameters:
                floats.append((mine, value))
            else:
                mine.copy_(value)
        torch._foreach_lerp_([m for m, _ in floats], [v for _, v in floats], 1 - decay)

    @contextlib.contextmanager
    def applied(self, model: VideoModel) -> Iterator[None]:
        """The model with the averaged weights, its own put back at the end."""
        own = {k: v.detach().clone() for k, v in exported_weights(model).items()}
        model.load_state_dict(self.weights, strict=False)
        try:
            yield
        finally:
            model.load_state_dict(own, strict=False)
