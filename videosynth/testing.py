"""The contract of every model, for our tests and for people's own models: ``check_contract(MyModel)``."""

from __future__ import annotations

import dataclasses
import time
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from videosynth.models.base import Phase, VideoModel, exported_weights, load
from videosynth.types import Clip, DataSpec, Frame, Request


def random_clip(spec: DataSpec, batch: int, length: int, seed: int = 0) -> Clip:
    """A clip of smooth moving stripes with maps, flow and attributes, as a model of this spec expects."""
    generator = torch.Generator().manual_seed(seed)
    height, width = spec.size
    across = torch.arange(width).view(1, 1, 1, width).expand(batch, length, height, width)
    shift = torch.arange(length).view(1, length, 1, 1) + torch.arange(batch).view(batch, 1, 1, 1) * 3
    bands = (across + shift) // 5
    colours = torch.randint(40, 216, (8, 3), generator=generator, dtype=torch.uint8)
    frames = colours[bands % 8].permute(0, 1, 4, 2, 3).contiguous()
    maps: dict[str, Tensor] = {}
    for item in spec.maps:
        if item.kind == "classes":
            maps[item.name] = (bands % item.channels).to(torch.uint8)
        elif item.kind == "instances":
            maps[item.name] = bands.to(torch.int32)
        else:
            maps[item.name] = torch.rand(batch, length, item.channels, height, width, generator=generator)
    flow = torch.zeros(batch, length, 2, height, width)
    flow[:, 1:, 0] = 1.0
    confidence = torch.ones(batch, length, 1, height, width)
    confidence[:, 0] = 0
    attributes = {k: torch.zeros(batch, length, dtype=torch.long) for k in spec.attributes}
    return Clip(frames, maps, flow, confidence, attributes, keys=tuple(f"clip{i}" for i in range(batch)))


def request_for(model: VideoModel, clip: Clip, seeds: tuple[int, ...] | None = None) -> Request:
    """A request that asks for the clip's length, with whatever the model needs taken from the clip."""
    steps = [{k: v[:, t] for k, v in clip.maps.items()} for t in range(clip.length)]
    return Request(
        seeds=seeds or tuple(range(clip.batch)),
        frames=clip.length,
        maps=iter(steps) if "maps" in model.needs else None,
        context=clip[:2] if "context" in model.needs else None,
        references=clip[:1] if "references" in model.needs else None,
        attributes={k: v[0] for k, v in model.spec.attributes.items()} if "attributes" in model.needs else {},
    )


class Repeat(torch.utils.data.IterableDataset[Clip]):
    """One clip, over and over."""

    def __init__(self, clip: Clip, count: int) -> None:
        self.clip, self.count = clip, count

    def __iter__(self) -> Any:
        return iter([self.clip] * self.count)


class _Watch(L.Callback):
    """Collects what one training step did: losses, gradients, moved weights."""

    def __init__(self) -> None:
        self.losses: list[dict[str, float]] = []
        self.touched: set[str] = set()

    def on_train_batch_start(self, trainer: L.Trainer, model: Any, batch: Any, index: int) -> None:
        torch.manual_seed(index)

    def on_before_optimizer_step(self, trainer: L.Trainer, model: Any, optimizer: Any) -> None:
        names = {id(p): n for n, p in model.named_parameters()}
        for group in optimizer.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                # The score's bias falls out of a Wasserstein critic's difference of scores: its gradient is there, and exactly 0.
                if names[id(p)].endswith("critic.score.bias") or bool((p.grad != 0).any()):
                    self.touched.add(names[id(p)])

    def on_train_batch_end(self, trainer: L.Trainer, model: Any, outputs: Any, batch: Any, index: int) -> None:
        self.losses.append({k: float(v) for k, v in trainer.callback_metrics.items() if "/" in k})


def train_steps(model: VideoModel, clip: Clip, steps: int) -> _Watch:
    """Train on one clip, over and over; returns losses per step and the parameters that got a gradient."""
    watch = _Watch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[watch],
        )
        trainer.fit(model, torch.utils.data.DataLoader(Repeat(clip, steps), batch_size=None))
    return watch


def frames_of(model: VideoModel, request: Request) -> Tensor:
    """All images of a request, ``(B, T, C, H, W)``."""
    return torch.stack([f.image for f in model.generate(request)], dim=1)


def check_contract(kind: type[VideoModel], folder: Path, steps: int = 40) -> None:
    """Assert everything that videosynth expects of a model; ``folder`` is for a temporary run.

    Builds fast; shapes; finite losses; every trainable parameter gets a gradient and is in exactly one optimizer in every
    phase; the over-fitted clip is reproduced better; same seeds give the same frames; save and load give the same frames;
    frames one by one equal a whole clip and a batch.
    """
    start = time.perf_counter()
    torch.manual_seed(0)
    model = kind.tiny()
    assert time.perf_counter() - start < 5, "tiny() takes too long to build"
    public = [n for n in vars(VideoModel) if not n.startswith("_") and callable(getattr(VideoModel, n))]
    assert len(public) <= 8, f"VideoModel has too many public methods: {public}"
    _check_phases(model)
    length = model.phase_at(0).clip_length
    clip = random_clip(model.spec, 2, length)

    model.eval()  # as it is afterwards: batch norms look at what was collected, not at the batch
    before = _error(model, clip)
    model.train()
    watch = train_steps(model, clip, steps)
    held = {id(p) for m in _modules(model) for p in m.parameters()}
    trainable = {n for n, p in model.named_parameters() if id(p) in held}
    assert watch.touched == trainable, f"no gradient reaches {sorted(trainable - watch.touched)[:5]}"
    for losses in watch.losses:
        bad = [k for k, v in losses.items() if v != v or abs(v) == float("inf")]
        assert not bad, f"not finite: {bad}"
    model.eval()
    after = _error(model, clip)
    assert after < before, f"over-fitting one clip does not help: {before:.3f} -> {after:.3f}"
    _check_frames(model, clip)
    _check_files(model, clip, folder, kind)


def _modules(model: VideoModel) -> list[torch.nn.Module]:
    return [model.get_submodule(m) for group in model.groups.values() for m in group.modules]


def _check_phases(model: VideoModel) -> None:
    """Pure phases; every trainable parameter in exactly one optimizer."""
    for step in {0, 1, model.total_steps // 2, model.total_steps - 1}:
        phase = model.phase_at(step)
        assert isinstance(phase, Phase)
        assert phase == model.phase_at(step), "phase_at is not a pure function"
        assert set(phase.trains) <= set(model.groups)
        assert phase.lr >= 0
    held = [id(p) for o in model.configure_optimizers() for g in o.param_groups for p in g["params"]]
    assert len(held) == len(set(held)), "a parameter is in two optimizers"
    assert set(held) == {id(p) for p in model.parameters() if p.requires_grad}, "a parameter is in no optimizer"


def _error(model: VideoModel, clip: Clip) -> float:
    """Mean absolute difference of the model's frames and the clip's, where the model is told the clip; else of their colours."""
    assert clip.frames is not None
    if model.produces == "classes":
        # Maps are continued: the second half of the clip from the first.
        kind = model.spec.map("classes")
        assert kind is not None
        half = clip.length // 2
        request = dataclasses.replace(request_for(model, clip), context=clip[:half], frames=clip.length - half)
        ids = torch.stack([f.extras[kind.name] for f in model.generate(request)], dim=1)
        return float((ids != clip.maps[kind.name][:, half:]).float().mean())
    fake = frames_of(model, request_for(model, clip))
    real = clip.frames.float() / 127.5 - 1
    if not model.needs:
        # From noise there is no truth pixel by pixel: the colours are compared, as sorted values of each channel.
        shown = [x.transpose(0, 2).flatten(1).sort(dim=1).values for x in (fake, real)]
        return float((shown[0] - shown[1]).abs().mean())
    return float((fake - real).abs().mean())


def _check_frames(model: VideoModel, clip: Clip) -> None:
    whole = frames_of(model, request_for(model, clip))
    height, width = model.spec.size
    assert whole.shape == (clip.batch, clip.length, 3, height, width), f"frames are {tuple(whole.shape)}"
    assert whole.abs().max() <= 1.0001, "frames leave [-1, 1]"
    again = frames_of(model, request_for(model, clip))
    assert torch.equal(whole, again), "the same request gives other frames"
    grown = torch.is_grad_enabled()
    stream = model.generate(request_for(model, clip))
    first = next(stream)
    assert isinstance(first, Frame)
    assert torch.is_grad_enabled() == grown, "generate leaks no_grad into the caller"
    assert not first.image.requires_grad
    rest = torch.stack([first.image, *(f.image for f in stream)], dim=1)
    assert torch.equal(rest, whole), "streaming differs from the whole clip"
    for i in range(clip.batch):
        alone = dataclasses.replace(
            clip,
            frames=None if clip.frames is None else clip.frames[i : i + 1],
            maps={k: v[i : i + 1] for k, v in clip.maps.items()},
            flow=None,
            confidence=None,
            attributes={k: v[i : i + 1] for k, v in clip.attributes.items()},
            keys=clip.keys[i : i + 1],
        )
        single = frames_of(model, request_for(model, alone, seeds=(i,)))
        assert torch.allclose(single, whole[i : i + 1], atol=1e-4), "a batch differs from single videos"


def _check_files(model: VideoModel, clip: Clip, folder: Path, kind: type[VideoModel]) -> None:
    model.save(folder)
    package = kind.__module__.split(".")[0]
    loaded = load(folder, trust=[package])
    assert type(loaded) is kind
    assert exported_weights(loaded).keys() == exported_weights(model).keys()
    same = torch.equal(frames_of(loaded, request_for(loaded, clip)), frames_of(model, request_for(model, clip)))
    assert same, "a saved and loaded model makes other frames"
