"""Around the steps: a line of progress, seeds, and the end, planned or asked for."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import lightning as L
import torch
from tqdm import tqdm

from videosynth.models.base import VideoModel
from videosynth.types import Clip


class Progress(L.Callback):
    """A progress bar on the error stream; measures the throughput, which it also logs as ``speed/frames_per_second``.

    ``frames`` counts the frames that were trained on, over all processes.
    """

    def __init__(self, show: bool = True) -> None:
        self.show = show
        self.frames = 0
        self._bar: tqdm[Any] | None = None
        self._since = (0.0, 0)
        self._losses: dict[str, float] = {}

    def on_train_start(self, trainer: L.Trainer, model: VideoModel) -> None:
        self._since = (time.monotonic(), 0)
        if self.show and trainer.is_global_zero:
            self._bar = tqdm(
                total=model.total_steps, initial=model.steps, unit="step", dynamic_ncols=True, smoothing=0.05
            )

    def on_train_batch_end(self, trainer: L.Trainer, model: VideoModel, outputs: Any, batch: Clip, index: int) -> None:
        self.frames += batch.batch * batch.length * trainer.world_size
        now = time.monotonic()
        since, frames = self._since
        if now - since > 5:
            speed = (self.frames - frames) / (now - since)
            self._since = (now, self.frames)
            model.log("speed/frames_per_second", speed)
            for name, value in trainer.callback_metrics.items():
                if "/" in name and not name.startswith(("speed", "gradient")):
                    self._losses[name] = float(value)
            if self._bar is not None:
                losses = " ".join(f"{k} {v:.3g}" for k, v in sorted(self._losses.items()))
                self._bar.set_postfix_str(f"{speed:.1f} frames/s {losses}", refresh=False)
        if self._bar is not None:
            self._bar.update(model.steps - self._bar.n)

    def on_train_end(self, trainer: L.Trainer, model: VideoModel) -> None:
        self._close()

    def on_exception(self, trainer: L.Trainer, model: VideoModel, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class StepSeeds(L.Callback):
    """Seeds torch's generator before every step from (seed, step), alike on all ranks: with draws that depend on nothing
    but the step, a resumed training repeats the uninterrupted one bit by bit on the CPU.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: L.Trainer, model: VideoModel, batch: Clip, index: int) -> None:
        torch.manual_seed((self.seed * 1_000_003 + model.steps) % 2**63)


class StopAt(L.Callback):
    """Ends the training after the model's own number of steps, or after the step during which Ctrl-C or SIGTERM arrives:
    then everything is saved and the training can go on later. A second Ctrl-C ends it at once, without saving.
    """

    def __init__(self) -> None:
        self.asked = False  # to end early
        self._usual: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, model: VideoModel) -> None:
        if threading.current_thread() is threading.main_thread():  # Python lets nobody else handle signals
            self._usual = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        print("\nending after this step and saving (Ctrl-C again: at once, unsaved)", file=sys.stderr, flush=True)

    def on_train_batch_end(self, trainer: L.Trainer, model: VideoModel, outputs: Any, batch: Clip, index: int) -> None:
        if trainer.world_size > 1:  # the signal may reach the processes at different steps
            self.asked = trainer.strategy.reduce_boolean_decision(self.asked, all=False)
        if self.asked or model.steps >= model.total_steps:
            trainer.should_stop = True

    def on_train_end(self, trainer: L.Trainer, model: VideoModel) -> None:
        self._put_back()

    def on_exception(self, trainer: L.Trainer, model: VideoModel, exception: BaseException) -> None:
        self._put_back()

    def _put_back(self) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler)
        self._usual = {}
