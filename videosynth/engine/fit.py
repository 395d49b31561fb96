"""One training, from a model and its data to a run folder."""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn

from videosynth.engine.checkpoint import RunRecord, read_checkpoint, restore, write_checkpoint
from videosynth.engine.ema import Average
from videosynth.engine.progress import Progress, StepSeeds, StopAt
from videosynth.engine.samples import Samples, first_clip
from videosynth.engine.validate import Validation
from videosynth.files import explained, write_text
from videosynth.models.base import VideoModel
from videosynth.types import Clip, UserError


@dataclass(frozen=True)
class Settings:
    """How a run is kept.

    Attributes:
        seed: seed of weights, draws and whatever else is random.
        ema: decay of the averaged weights.
        checkpoint_every: steps between checkpoints (last.ckpt).
        sample_every: steps between sample videos (0: none).
        sample_frames: frames of a sample video.
        validate_every: steps between measurements of the metric that makes best.ckpt (0: none).
        metric: that metric: perceptual, psnr or ssim.
        validation_network: weights of the network behind the metric perceptual.
        validation_frames: slice of each sequence's frames to measure on, such as 64:80 (empty: the training frames).
        channels_last: memory format of weights and activations (faster convolutions on the CPU and in bf16).
        progress: show a progress bar.
    """

    seed: int = 0
    ema: float = 0.999
    checkpoint_every: int = 500
    sample_every: int = 500
    sample_frames: int = 24
    validate_every: int = 0
    metric: str = "perceptual"
    validation_network: str = "none"
    validation_frames: str = ""
    channels_last: bool = True
    progress: bool = True

    def __post_init__(self) -> None:
        if self.checkpoint_every < 1 or self.sample_frames < 1:
            raise UserError("run.checkpoint_every and run.sample_frames must be 1 or more")
        if min(self.seed, self.sample_every, self.validate_every) < 0:
            raise UserError("run.seed, run.sample_every and run.validate_every must be 0 or more")
        if not 0 <= self.ema < 1:
            raise UserError(f"run.ema must lie in 0..1, below 1, not {self.ema}")


class RunFolder(L.Callback):
    """Writes checkpoints, the shareable weights and the record; stands behind whatever changes what they hold."""

    def __init__(
        self, folder: Path, average: Average, settings: Settings, record: RunRecord, progress: Progress, config: str
    ) -> None:
        self.folder, self.average, self.settings = folder, average, settings
        self.record, self.progress, self.config = record, progress, config
        self.best: float | None = None
        self.earlier: tuple[float, int] = (0.0, 0)  # seconds and frames before a resume
        self._started = time.monotonic()

    def on_train_start(self, trainer: L.Trainer, model: VideoModel) -> None:
        hashes = {n: m.sha256 for n, m in model.named_modules() if isinstance(getattr(m, "sha256", None), str)}
        self.record.content |= {"device": str(model.device), "teachers": hashes}

    def on_train_batch_end(self, trainer: L.Trainer, model: VideoModel, outputs: Any, batch: Clip, index: int) -> None:
        if model.steps % self.settings.checkpoint_every == 0 and model.steps < model.total_steps:
            self.write(trainer, model, "running")

    def on_train_end(self, trainer: L.Trainer, model: VideoModel) -> None:
        self.write(trainer, model, "finished" if model.steps >= model.total_steps else "stopped")

    def write(self, trainer: L.Trainer, model: VideoModel, status: str) -> None:
        if not trainer.is_global_zero:
            return
        config = self.folder / "config.yaml"
        if not config.exists():  # a checkpoint without it could not be resumed
            write_text(config, self.config)
        write_checkpoint(self.folder / "last.ckpt", model, self.average, self.best)
        write_text(config, self.config)  # what a resume changed holds from here on
        model.save(self.folder, self.average.weights)
        self.record.write(
            status=status,
            steps=model.steps,
            frames=self.earlier[1] + self.progress.frames,
            wall_seconds=round(self.earlier[0] + time.monotonic() - self._started, 1),
            best=self.best,
        )


def channels_last(model: nn.Module) -> None:
    """Weights of 2-D convolutions with their channels last, and of 3-D ones likewise; in place."""
    forms = {4: torch.channels_last, 5: torch.channels_last_3d}
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.ndim in forms:
            tensor.data = tensor.data.to(memory_format=forms[tensor.ndim])


def fit(
    make: Callable[[], tuple[VideoModel, Any]],
    folder: Path,
    settings: Settings,
    trainer_options: dict[str, Any],
    resume: bool = False,
    facts: dict[str, Any] | None = None,
    config: str = "",
) -> VideoModel:
    """Train into ``folder``. ``make`` builds model and data module (under the run's seed); ``config`` is kept as
    ``config.yaml``.

    Raises:
        UserError: nothing to resume, a run is in the way, a loss is not finite, a file cannot be written.
        KeyboardInterrupt: the training was asked to end (Ctrl-C, SIGTERM) and was saved.
    """
    _quiet()
    last = folder / "last.ckpt"
    if not resume and last.exists():
        raise UserError(f"{folder} already holds a run: resume it with --resume {folder}, or choose another --out")
    content = read_checkpoint(last) if resume else None
    L.seed_everything(settings.seed, workers=False, verbose=False)
    model, data = make()
    if settings.channels_last:
        channels_last(model)
    average = Average(model, settings.ema)
    facts = {"seed": settings.seed, "data": data.fingerprint(), **(facts or {})}
    record = RunRecord(folder, facts)
    progress = Progress(settings.progress)
    run = RunFolder(folder, average, settings, record, progress, config)
    run.earlier = record.earlier() if resume else (0.0, 0)
    if content:
        data.start_step = content["step"]
        model.steps = content["step"]
        if content["step"] >= model.total_steps:
            raise UserError(
                f"{folder} is already trained for {content['step']} steps: raise the schedule's steps to go on"
            )
    data.phase_at = model.phase_at
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        logger = TensorBoardLogger(folder, name="", version="log")
    stop = StopAt()
    measurers = _measurers(folder, settings, model, data, run)
    callbacks = [average, StepSeeds(settings.seed), progress, *measurers, run, stop]
    if content:
        callbacks.insert(1, _Restore(last, content, run))
    trainer = _trainer(trainer_options, logger, callbacks)
    record.content |= {"precision": str(trainer.precision), "devices": trainer.num_devices, "nodes": trainer.num_nodes}
    with explained(folder), _told_once():
        try:
            trainer.fit(model, datamodule=data)
        except SystemExit:  # Lightning leaves the program on Ctrl-C; the command line has its own exit code for it
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
    if stop.asked:
        raise KeyboardInterrupt
    return model


def _trainer(options: dict[str, Any], logger: TensorBoardLogger, callbacks: list[L.Callback]) -> L.Trainer:
    try:
        return L.Trainer(**_options(options), logger=logger, callbacks=callbacks)
    except (MisconfigurationException, ValueError) as error:
        raise UserError(f"the trainer refuses its options: {' '.join(str(error).split())}") from None


def _measurers(folder: Path, settings: Settings, model: VideoModel, data: Any, run: RunFolder) -> Iterator[L.Callback]:
    """Sample videos and validation, as far as they are wanted."""
    if settings.sample_every and "context" in model.needs and settings.sample_frames < 2:
        raise UserError("run.sample_frames must be 2 or more: some of them are given, the rest is made")
    if settings.sample_every:
        clip = first_clip(model, data, settings.sample_frames)
        yield Samples(folder / "samples", run.average, settings.sample_every, clip, settings.sample_frames)
    if settings.validate_every:
        if model.produces != "frames" or "maps" not in model.needs:
            raise UserError(
                f"run.validate_every measures videos painted from maps, which {type(model).__name__} does not make: set it to 0"
            )
        yield Validation(
            folder,
            data,
            run.average,
            settings.validate_every,
            settings.metric,
            settings.validation_frames,
            settings.validation_network,
            run,
        )


class _Restore(L.Callback):
    """Puts the checkpoint back once Lightning has made the optimizers."""

    def __init__(self, path: Path, content: dict[str, Any], run: RunFolder) -> None:
        self.path, self.content, self.run = path, content, run

    def on_train_start(self, trainer: L.Trainer, model: VideoModel) -> None:
        restore(self.path, self.content, model, self.run.average)
        trainer.fit_loop.epoch_loop._batches_that_stepped = model.steps  # what Lightning logs as the step
        self.run.best = self.content["best"]
        self.content = {}


@contextlib.contextmanager
def _told_once() -> Iterator[None]:
    """TensorBoard writes in a thread of its own, whose refused write is raised here too: its traceback is left out."""
    usual = threading.excepthook
    threading.excepthook = lambda told: None if isinstance(told.exc_value, OSError) else usual(told)
    try:
        yield
    finally:
        threading.excepthook = usual


# Flags of Lightning's Trainer that cannot hold here, and what to use instead.
_REFUSED = {
    "gradient_clip_val": "every group of a model has its own limit",
    "gradient_clip_algorithm": "every group of a model has its own limit",
    "accumulate_grad_batches": "each chunk of a clip is one optimizer step; set data.batch_size",
    "limit_train_batches": "set model.init_args.schedule.steps, or data.steps_per_epoch",
    "overfit_batches": "choose the frames with data.frames",
    "min_steps": "the model's schedule.steps say when it ends",
    "min_epochs": "the model's schedule.steps say when it ends",
    "max_steps": "it would count every optimizer's steps; set the model's schedule.steps, or trainer.max_time",
}
_PRECISIONS = ("32", "32-true", "bf16", "bf16-mixed")


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Trainer flags as the user gave them, and what videosynth needs of it."""
    for name, instead in _REFUSED.items():
        if given.get(name) not in (None, inspect.signature(L.Trainer).parameters[name].default):
            raise UserError(f"trainer.{name} does not go with these models: {instead}")
    if str(given.get("precision") or "32") not in _PRECISIONS:
        raise UserError(f"trainer.precision {given['precision']} is not offered: use 32-true or bf16-mixed")
    options = {
        "max_epochs": -1,
        "log_every_n_steps": 10,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
    } | {k: v for k, v in given.items() if v is not None}
    devices = str(options.get("devices", "auto"))
    several = str(options.get("num_nodes", 1)) != "1" or devices not in ("1", "auto")
    several = several or (devices == "auto" and torch.cuda.device_count() > 1)
    if several and options.get("strategy", "auto") in ("auto", "ddp"):
        # One training step runs several backward passes that each reach a part of the parameters.
        options["strategy"] = "ddp_find_unused_parameters_true"
    return options


def _quiet() -> None:
    """Lightning's advice that does not concern this loop."""
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*in eval mode at the start.*",
        ".*Trainer already configured.*",
        ".*isinstance.*LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", message)
