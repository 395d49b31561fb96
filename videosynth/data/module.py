"""The Lightning data module: a folder or a built-in world -> batches of clips, the same ones on every resume."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import torch
from lightning import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from videosynth.data.attributes import only_attributes
from videosynth.data.dataset import ClipDataset, FlowSource, Memory, StoredFlow, iterate
from videosynth.data.draws import Draw, DrawSettings, draw
from videosynth.data.index import Index, frame_slice
from videosynth.data.layouts import index_folder
from videosynth.data.world import World, WorldDataset, iterate_world, make_world
from videosynth.files import cache_folder
from videosynth.flow import FlowTeacher
from videosynth.flow.cache import FlowCache
from videosynth.flow.dis import DIS
from videosynth.types import Clip, DataSpec, UserError

CACHE = 4 << 30  # bytes that all loader processes together may keep in memory
Flow = Literal["dis", "raft", "world", "disk", "none"]


class Phase(Protocol):
    """What the sampler asks of a training phase: clip length in frames, and (H, W) or None for ``data.size``."""

    @property
    def clip_length(self) -> int: ...
    @property
    def size(self) -> tuple[int, int] | None: ...


def only_maps(spec: DataSpec, names: Sequence[str]) -> DataSpec:
    """The spec with some of its maps, in its own order.

    Raises:
        UserError: a name that the data has no map for.
    """
    known = [m.name for m in spec.maps]
    for name in names:
        if name not in known:
            raise UserError(f"data.maps: there are no {name} maps; the data has {', '.join(known) or 'none'}")
    return replace(spec, maps=tuple(m for m in spec.maps if m.name in names))


def _at_least(least: int, **options: int | None) -> None:
    for name, value in options.items():
        if value is not None and value < least:
            raise UserError(f"data.{name} must be {least} or more, not {value}")


class VideoData(LightningDataModule):
    """Clips for training.

    Args:
        root: folder of a data set or of videos (see ``videosynth check``); it goes before a ``world`` that a preset names.
        world: a built-in world: ``street``, ``shapes`` (a shape on its way) or ``digits`` (digits that bounce).
        world_seeds: how many different videos of the world there are: seeds 0, 1, ...
        world_length: frames of a world's video (default: 600 of a drive, 32 of shapes, whose path spans them, and digits).
        digits: how many digits there are in a video of the world ``digits``.
        glyphs: file of pictures for the world ``digits`` (uint8 N x 28 x 28, .npy or .npz), such as MNIST.
        attributes: which attributes of the videos are kept, such as ``[class]`` (default: all).
        maps: which maps drive the video (default: all that a folder has; labels and instances of a world, which has
            ``nearness`` too, 4 m divided by the depth).
        size: height and width of the training frames in pixels.
        fit: ``stretch`` frames to the size, or ``cover`` it and cut.
        batch_size: clips per step and device.
        clip_length: frames per clip, where the model does not say.
        step: stride between the frames of a clip: 2 takes every second frame.
        max_step: largest random stride between the frames of a clip; each clip draws its own (times ``step``).
        scale: range of random zooms (1 or more) before the random cut.
        flip: mirror half of the clips (default: those with maps; without maps left and right may be classes).
        colour: strength (0..1) of the random change of brightness, contrast, saturation and hue.
        coarsen_labels: share of the clips whose label maps get rounder, coarser shapes, so that a model bears maps that
            were drawn or edited by hand (0..1).
        frames: use only these frames of each sequence, a slice such as ``0:64``.
        sequences: use only these sequences (of a world: these seeds).
        workers: loader processes; default: one less than there are cores.
        flow: where the real videos' flow comes from: ``dis`` (OpenCV; default for folders with a known layout), ``raft``
            (needs torchvision and ``flow_weights``), ``world`` (exact; default for the street), ``disk``, ``none`` (default
            for videos without maps).
        flow_weights: file of the weights of ``raft`` (torchvision's raft_large).
        cache: keep decoded frames and flow in ``memory``, flow on ``disk``, or ``none``.
        seed: seed of all draws.
        phase: which of NVIDIA's folders to read: ``train`` (``train_A``) or ``test``.
        steps_per_epoch: batches until the loader ends.
    """

    def __init__(
        self,
        root: str | None = None,
        world: str | None = None,
        world_seeds: int = 1000,
        world_length: int | None = None,
        digits: int = 2,
        glyphs: str | None = None,
        attributes: list[str] | None = None,
        maps: list[str] | None = None,
        size: tuple[int, int] = (128, 256),
        fit: Literal["stretch", "cover"] = "stretch",
        batch_size: int = 1,
        clip_length: int = 6,
        step: int = 1,
        max_step: int = 1,
        scale: tuple[float, float] = (1.0, 1.0),
        flip: bool | None = None,
        colour: float = 0.0,
        coarsen_labels: float = 0.0,
        frames: str | None = None,
        sequences: list[str] | None = None,
        workers: int | None = None,
        flow: Flow | None = None,
        flow_weights: str | None = None,
        cache: Literal["none", "memory", "disk"] = "none",
        seed: int = 0,
        phase: str = "train",
        steps_per_epoch: int = 1000,
    ) -> None:
        super().__init__()
        if root is None and world is None:
            raise UserError("give data.root (a folder) or data.world (street, shapes or digits)")
        world = world if root is None else None
        _at_least(1, batch_size=batch_size, world_seeds=world_seeds, steps_per_epoch=steps_per_epoch)
        _at_least(1, digits=digits, world_length=world_length)
        _at_least(0, workers=workers)
        self.root = None if root is None else Path(root)
        self.world = world
        file = None if glyphs is None else Path(glyphs)
        self.source = None if world is None else make_world(world, world_length, digits, file)
        self.world_seeds = world_seeds
        self.attributes, self.maps = attributes, maps
        self.size = (int(size[0]), int(size[1]))
        self.fit: Literal["stretch", "cover"] = fit
        self.batch_size = batch_size
        self.settings = DrawSettings(
            self.size, clip_length, max_step, (scale[0], scale[1]), bool(flip), colour, coarsen_labels, step
        )
        self._flip = flip
        self.frames, self.sequences = frames, sequences
        self.workers = max(1, (os.cpu_count() or 1) - 1) if workers is None else workers
        self._flow: Flow | None = flow
        self.flow_weights = flow_weights
        self.cache = cache
        self.seed = seed
        self.phase = phase
        self.steps_per_epoch = steps_per_epoch
        self.start_step = 0
        self.phase_at: Callable[[int], Phase] | None = None

    @property
    def flow(self) -> Flow:
        """Where flow comes from: what was asked for, else what suits the data."""
        if self._flow is not None:
            return self._flow
        if self.source is not None:
            return "world" if self.source.maps else "none"
        return "none" if self.whole.collection else "dis"

    @property
    def flip(self) -> bool:
        """Whether half of the clips are mirrored: as asked, else where there are maps."""
        return bool(self.spec.maps) if self._flip is None else self._flip

    @cached_property
    def whole(self) -> Index:
        """The data set on disk, with all its frames and sequences."""
        if self.root is None:
            raise UserError(f"the world {self.world} has no folder")
        return index_folder(self.root, self.phase)

    @cached_property
    def index(self) -> Index:
        """The data set on disk, with the chosen frames and sequences only."""
        return self.whole.subset(self.frames, self.sequences)

    @cached_property
    def spec(self) -> DataSpec:
        """What a model needs to know of the data; available before training."""
        if self.source is not None:
            spec = self.source.spec(self.size, DataSpec().fps, nearness=self.maps is not None)
        else:
            # All frames are scanned, not the chosen ones: a class may be absent from a part.
            spec = self.whole.spec(self.size, self.fit)
        spec = spec if self.maps is None else only_maps(spec, self.maps)
        if not spec.maps:  # a model from noise plays its frames as fast as it saw them
            spec = replace(spec, fps=spec.fps / self.settings.step)
        return spec if self.attributes is None else only_attributes(spec, self.attributes)

    @cached_property
    def dataset(self) -> ClipDataset | WorldDataset:
        return self._folder() if self.source is None else self._world(self.source)

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        """Frames of all videos, counted once: there may be thousands, and every clip's draw looks at them."""
        return np.asarray(self.dataset.lengths, np.int64)

    def _folder(self) -> ClipDataset:
        memory = Memory(CACHE // max(1, self.workers)) if self.cache == "memory" else None
        flow: FlowSource = None
        if self.flow == "world":
            raise UserError("data.flow is world but the data set is a folder: set it to dis, raft, disk or none")
        if self.flow == "disk":
            flow = StoredFlow()
        elif self.flow != "none":
            flow = self._teacher()
            flow = FlowCache(self.cache_folder / "flow", flow) if self.cache == "disk" else flow
        return ClipDataset(self.index, self.spec, flow, memory)

    def _teacher(self) -> FlowTeacher:
        if self.flow == "dis":
            return DIS()
        if self.flow_weights is None:
            raise UserError("data.flow raft needs data.flow_weights: a file of torchvision's raft_large weights")
        from videosynth.flow.raft import RAFT

        return RAFT(self.flow_weights)

    def _world(self, source: World) -> WorldDataset:
        if self.flow == "disk":
            raise UserError("data.flow is disk but a world has no files: set it to world, dis or none")
        if self.flow == "world" and not source.maps:
            raise UserError(f"data.flow is world but the world {self.world} knows no flow: set it to dis or none")
        frames = range(source.length)[frame_slice(self.frames or ":")]
        if not frames or frames.step != 1:
            raise UserError(f"data.frames of a world must be a slice such as 0:{source.length} without a step")
        seeds: Sequence[int] = range(self.world_seeds)
        if self.sequences is not None:
            if not all(name.isdecimal() for name in self.sequences):
                raise UserError(f"data.sequences of a world are seeds such as [0, 7], not {self.sequences}")
            seeds = [int(name) for name in self.sequences]
        flow = "exact" if self.flow == "world" else None if self.flow == "none" else self._teacher()
        spec = replace(self.spec, fps=DataSpec().fps)  # the world's own: the draws take one frame in ``step`` of it
        return WorldDataset(spec, seeds, flow, frames.start, len(frames), source)

    @property
    def cache_folder(self) -> Path:
        """Where this data set's flow is kept with ``cache: disk``: the user's cache folder, by fingerprint."""
        return cache_folder() / self.whole.fingerprint()[:16]

    def fingerprint(self) -> str:
        """A hash of what the clips are made from, for the record of a run."""
        if self.world is not None:
            told = f"{self.world} {self.world_seeds} {self.sequences} {self.frames}"
            told += "" if self.source == make_world(self.world) else f" {self.source}"
            return hashlib.sha256(told.encode()).hexdigest()
        return self.index.fingerprint()

    def prepare_data(self) -> None:
        _ = self.spec

    def setup(self, stage: str | None = None) -> None:
        _ = self.dataset

    def draw(self, step: int, rank: int, slot: int) -> Draw:
        """The clip that ``slot`` of the batch at ``step`` holds on process ``rank``."""
        settings = replace(self.settings, flip=self.flip)
        if self.phase_at is not None:
            phase = self.phase_at(step)
            size = getattr(phase, "size", None) or self.size
            settings = replace(settings, size=size, length=phase.clip_length)
        return draw(self._lengths, settings, self.seed, step, rank, slot)

    def videos(self, frames: str | None = None) -> Iterator[tuple[str, Iterator[dict[str, torch.Tensor]]]]:
        """Whole sequences for measuring: names and streams of maps and ``images``, see :func:`iterate`.

        ``frames``: a slice of each sequence's frames (default: those trained on); of a world, of a drive that no clip is
        drawn from.
        """
        if self.source is not None:
            part = range(self.source.length)[frame_slice(frames or "0:32")]
            stream = iterate_world(self.spec, self.world_seeds, len(part), part.start, self.source)
            yield f"{self.world_seeds}", stream
            return
        index = self.index if frames is None else self.whole.subset(frames, self.sequences)
        for sequence in index.sequences:
            if len(sequence):
                yield sequence.name, iterate(index, sequence.name, self.spec)

    def train_dataloader(self) -> DataLoader[Clip]:
        return ClipLoader(
            _Answers(self.dataset),
            batch_sampler=DrawSampler(self),  # type: ignore[arg-type]
            collate_fn=_collate,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=_one_thread,
            pin_memory=torch.cuda.is_available(),
        )


class _Answers(Dataset[Any]):
    """Hands a user's error over as a value: raised in a worker, it would arrive wrapped in a traceback."""

    def __init__(self, dataset: Dataset[Clip]) -> None:
        self.dataset = dataset

    def __getitem__(self, draw: Draw) -> Clip | UserError:
        try:
            return self.dataset[draw]
        except UserError as error:
            return error


def _collate(answers: list[Clip | UserError]) -> Clip | UserError:
    error = next((a for a in answers if isinstance(a, UserError)), None)
    if error is not None:
        return error
    clip = Clip.collate([a for a in answers if isinstance(a, Clip)])
    if get_worker_info() is None:
        return clip
    try:  # here, and not in the queue's own thread, where a refusal would leave the training waiting for ever
        return clip.share_memory()
    except RuntimeError as refusal:
        reason = str(refusal).splitlines()[0]
        return UserError(
            f"a loader process cannot pass its clip on ({reason}): free shared memory, or use data.workers 0"
        )


class ClipLoader(DataLoader[Clip]):
    """A loader whose workers' user errors are raised here as they are, in one line."""

    def __iter__(self) -> Iterator[Clip]:  # type: ignore[override]
        for answer in super().__iter__():
            if isinstance(answer, UserError):
                self._iterator = None  # lets the workers go now, not when the error is forgotten
                raise answer
            yield answer


class DrawSampler(Sampler[list[Draw]]):
    """Batches of draws: ``steps_per_epoch`` of them from ``module.start_step`` on, which moves on when they end.

    It knows its rank, so no distributed sampler may be put around it: the processes share one large batch, and two
    of them with half the batch size see the clips of one.
    """

    def __init__(self, module: VideoData) -> None:
        self.module = module

    def __len__(self) -> int:
        return self.module.steps_per_epoch

    def __iter__(self) -> Iterator[Sequence[Draw]]:  # type: ignore[override]
        module = self.module
        rank = module.trainer.global_rank if module.trainer is not None else 0
        first, end = module.start_step, module.start_step + len(self)
        for step in range(first, end):
            if step == end - 1:
                module.start_step = end  # before the last batch: nobody need ask for one more
            yield [module.draw(step, 0, rank * module.batch_size + slot) for slot in range(module.batch_size)]


def _one_thread(worker: int) -> None:
    # Ctrl-C and SIGTERM reach the whole process group; the training process decides when its loaders end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
