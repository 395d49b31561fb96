"""A measurement while training: which checkpoint was the best."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import lightning as L
import numpy as np
import torch
from torch import Tensor

from videosynth.engine.checkpoint import write_checkpoint
from videosynth.engine.ema import Average
from videosynth.engine.samples import picture
from videosynth.metrics.pixels import perceptual_distance, psnr, ssim
from videosynth.models.base import VideoModel
from videosynth.nn.trunks import FeatureTrunk, load_trunk
from videosynth.types import Clip, Request, UserError

HIGHER_IS_BETTER = {"perceptual": False, "psnr": True, "ssim": True}


class Best(Protocol):
    best: float | None


class Validation(L.Callback):
    """Generates the validation frames from their maps alone with the averaged weights, measures, keeps ``best.ckpt``."""

    def __init__(
        self, folder: Path, data: Any, average: Average, every: int, metric: str, frames: str, network: str, run: Best
    ) -> None:
        if metric not in HIGHER_IS_BETTER:
            raise UserError(f"unknown metric {metric!r} for best.ckpt: choose from {', '.join(HIGHER_IS_BETTER)}")
        self.folder, self.data, self.average = folder, data, average
        self.trunk: FeatureTrunk | None = None
        if metric == "perceptual":
            self.trunk = load_trunk(network)
            if self.trunk is None:
                raise UserError(
                    "the metric perceptual needs a network: set run.validation_network to its weights, or metric to ssim"
                )
        self.every, self.metric, self.frames, self.run = every, metric, frames, run
        if next(iter(data.videos(frames or None)), None) is None:  # now, and not at the first measurement
            raise UserError("run.validation_frames leaves no frame to measure on: choose others, such as 64:80")

    def on_train_batch_end(self, trainer: L.Trainer, model: VideoModel, outputs: Any, batch: Clip, index: int) -> None:
        if (model.steps % self.every and model.steps < model.total_steps) or not trainer.is_global_zero:
            return
        with self.average.applied(model), torch.no_grad():
            model.eval()
            value = self.measure(model)
            model.train()
        model.log(f"validation/{self.metric}", value, rank_zero_only=True)
        better = self.run.best is None or (value > self.run.best) == HIGHER_IS_BETTER[self.metric]
        if better:
            self.run.best = value
            write_checkpoint(self.folder / "best.ckpt", model, self.average, value)

    def measure(self, model: VideoModel) -> float:
        """The metric over all validation frames."""
        values = []
        for _, frames in self.data.videos(self.frames or None):
            kept: list[np.ndarray] = []
            request = Request(seeds=(0,), maps=_maps_of(frames, kept))
            fake = np.stack([picture(frame.image[0]) for frame in model.generate(request)])
            real = np.stack(kept)
            if self.trunk is not None:
                values.append(perceptual_distance(fake, real, self.trunk))
            else:
                values.append({"psnr": psnr, "ssim": ssim}[self.metric](fake, real))
        return float(np.concatenate(values).mean())


def _maps_of(frames: Iterator[dict[str, Tensor]], kept: list[np.ndarray]) -> Iterator[dict[str, Tensor]]:
    """Hand the maps to the model and keep the real pictures for the metric."""
    for frame in frames:
        kept.append(frame["images"][0].permute(1, 2, 0).numpy())
        yield frame
