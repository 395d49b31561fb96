"""What a training costs: memory of a step and hours, computed without doing the work.

The step runs on fake tensors, which have shapes and storages but no content (``torch``'s ``FakeTensorMode``): every storage
that lives at a time is counted, and every multiplication. What a library borrows inside one operation (workspaces of
convolutions) and what an allocator wastes between blocks is not seen.
"""

from __future__ import annotations

import time
import weakref
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from videosynth.engine.samples import from_noise
from videosynth.models.base import VideoModel, exported_weights, rebuild
from videosynth.nn.trunks import KINDS, untrained
from videosynth.testing import random_clip
from videosynth.types import Clip

PROBES = 400  # steps of a schedule that are looked at
FRAMES = 7  # frames of a clip that are computed: two rates of temporal critics span seven


class Living(TorchDispatchMode):
    """Counts the bytes of the storages that are alive; ``peak`` is the most there were at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self.note(leaf)
        return out

    def note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


@dataclass(frozen=True)
class Step:
    """One training step: bytes at its peak, floating-point operations (a multiply-add is two), frames painted."""

    memory: int
    flop: int
    frames: int


def step_cost(
    model: VideoModel, size: tuple[int, int], batch: int, half: bool, at: int, length: int | None = None
) -> Step:
    """Of training step ``at`` of the schedule, with clips of ``size`` (H, W) and ``length`` frames (default: as the
    schedule says). ``model`` only tells what to build; it may be on the ``meta`` device.
    """
    living, counter = Living(), FlopCounterMode(display=False)
    # One after the other: the counter holds on to what is computed again in the backward pass.
    frames = _run(model, size, batch, half, at, length, living)
    _run(model, size, batch, half, at, length, counter)
    return Step(living.peak, counter.get_total_flops(), frames)


def _run(
    model: VideoModel,
    size: tuple[int, int],
    batch: int,
    half: bool,
    at: int,
    length: int | None,
    watch: Living | FlopCounterMode,
) -> int:
    """The step on fake tensors, watched; returns the number of frames."""
    kind = type(model)
    with FakeTensorMode(), ExitStack() as stack:
        ghost = kind(spec=replace(model.spec, size=size), **rebuild(kind, model.arguments))
        phase = ghost.phase_at(at)
        clip = random_clip(replace(ghost.spec, size=phase.size or size), batch, length or phase.clip_length)
        kept = [*_prepared(ghost, at), *_tensors(clip)]
        if isinstance(watch, Living):
            for tensor in kept:
                watch.note(tensor)
        if half:
            stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        stack.enter_context(watch)
        ghost.on_train_batch_start(clip, 0)
        ghost.training_step(clip, 0)
    del kept  # until here they are part of what lives
    return batch * clip.length


def _prepared(ghost: VideoModel, at: int) -> list[Tensor]:
    """Give the model what a trainer would give it; returns the tensors that stay for the whole training: weights, Adam's
    two moments (RMSprop's one) of those that train, the averaged weights. (Gradients are made, and counted, by the step.)
    """
    ghost.steps = at
    if getattr(ghost, "trunk", ghost) is None and any(w.get("perceptual") for w in ghost.weights.values()):
        ghost.trunk = untrained(_trunk_name(ghost))
    optimizers = ghost.configure_optimizers()
    for optimizer in optimizers:
        object.__setattr__(optimizer, "step", _nothing)  # it works in place, on tensors that are counted already
    stand_ins: dict[str, Any] = {
        "optimizers": lambda **_: optimizers,
        "manual_backward": lambda loss: loss.backward(),
        "_chance": lambda share: share >= 1,
        "log": _nothing,
        "log_dict": _nothing,
        "_check_finite": _nothing,
        "_stop_unless": _nothing,
        "_check_known": _nothing,
        "_trainer": SimpleNamespace(global_rank=0, world_size=1),
    }
    for name, stand_in in stand_ins.items():
        object.__setattr__(ghost, name, stand_in)
    kept = [*ghost.parameters(), *ghost.buffers()]
    moments = [
        torch.empty_like(p) for o in optimizers for g in o.param_groups for p in g["params"] for _ in _moments(o)
    ]
    average = [torch.empty_like(v, dtype=torch.float32) for v in exported_weights(ghost).values()]
    return kept + moments + average


def _moments(optimizer: torch.optim.Optimizer) -> range:
    return range(1 if isinstance(optimizer, torch.optim.RMSprop) else 2)


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _trunk_name(model: VideoModel) -> str:
    """The perceptual network of a model by name; a file of weights is not opened, and counted as SqueezeNet."""
    losses = model.arguments.get("losses")
    chosen = losses.get("network") if isinstance(losses, dict) else None
    return chosen if chosen in KINDS else "squeezenet"


def _tensors(clip: Clip) -> list[Tensor]:
    parts = [clip.frames, clip.flow, clip.confidence, *clip.maps.values(), *clip.attributes.values()]
    return [x for x in parts if x is not None]


@dataclass(frozen=True)
class Cost:
    """Of a whole training: bytes at the dearest step, floating-point operations, frames painted."""

    memory: int
    flop: float
    frames: int


def training_cost(model: VideoModel, size: tuple[int, int], batch: int, half: bool) -> Cost:
    """The dearest step, and the sum over the schedule: each kind of step is computed once, on the first frames of a clip,
    and the frames of all steps are counted.
    """
    steps = sorted({round(i * (model.total_steps - 1) / PROBES) for i in range(PROBES + 1)})
    share = model.total_steps / len(steps)  # steps that one probe stands for
    known: dict[Any, Step] = {}
    flop, frames = 0.0, 0.0
    for at in steps:
        phase = model.phase_at(at)
        # Critics of videos from noise look at clips of one length only.
        length = phase.clip_length if from_noise(model) else min(phase.clip_length, FRAMES)
        kind = (phase.size, phase.scales, phase.rests, phase.trains, phase.bptt, length)
        if kind not in known:
            known[kind] = step_cost(model, size, batch, half, at, length)
        whole = share * batch * phase.clip_length
        frames += whole
        flop += whole * known[kind].flop / known[kind].frames
    return Cost(max(s.memory for s in known.values()), flop, round(frames))


def speed(device: torch.device, half: bool, seconds: float = 1.0) -> float:
    """Floating-point operations per second of this machine: a 3x3 convolution of 256 channels, forward and backward."""
    layer = torch.nn.Conv2d(256, 256, 3, padding=1, device=device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    x = torch.randn(1, 256, 64, 128, device=device, requires_grad=True)
    flop = 3 * 2 * 256 * 256 * 9 * 64 * 128
    done, start = 0, 0.0
    while True:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            layer(x.contiguous(memory_format=torch.channels_last)).sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if not start:
            start = time.perf_counter()  # the first one warms up
            continue
        done += 1
        taken = time.perf_counter() - start
        if taken > seconds:
            return done * flop / taken
