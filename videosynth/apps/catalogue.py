"""`videosynth models`: every model and preset, with its paper, sizes, cost, and what goes in and comes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jsonargparse import Namespace
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

from videosynth.apps.cost import speed, training_cost
from videosynth.apps.estimate import told
from videosynth.apps.train import config_path, parse, parser, presets
from videosynth.models import MODELS, model_class
from videosynth.models.base import VideoModel, rebuild
from videosynth.models.box import PREFIX, names
from videosynth.types import DataSpec, MapSpec, UserError


def example_spec(size: tuple[int, int]) -> DataSpec:
    """Street maps as in the paper: 35 Cityscapes ids and the instance edges."""
    return DataSpec(maps=(MapSpec("labels", "classes", 35), MapSpec("instances", "instances", 1)), size=size)


def example_of(kind: type[VideoModel], size: tuple[int, int], options: dict[str, Any]) -> DataSpec:
    """What a model of this class may be given: street maps; or, from noise, no maps, and an attribute of six values (which
    the ``options`` may name).
    """
    if "maps" in kind.needs or kind.produces != "frames":
        return example_spec(size)
    return DataSpec(size=size, attributes={_attribute(options) or "action": tuple("abcdef")})


def _attribute(options: dict[str, Any]) -> str:
    """The attribute that a model's options name, or ""."""
    for name, value in options.items():
        inner = _attribute(value) if isinstance(value, dict) else value if name == "attribute" else ""
        if inner and isinstance(inner, str):
            return inner
    return ""


def options_of(preset: str) -> Namespace:
    """What a training with this preset and nothing else would be told."""
    return parse(parser(), ["--config", str(config_path(preset)), "--out", "unused"])


def build(
    preset: str, spec: DataSpec | None = None, device: str = "cpu", size: tuple[int, int] | None = None
) -> VideoModel:
    """The model of a preset, for the example spec (of its own size, unless one is given) where no other is given. On ``meta``
    it holds no memory.
    """
    options = options_of(preset)
    chosen = options.model.as_dict()
    kind = next(model_class(n) for n, path in MODELS.items() if path == chosen["class_path"])
    height, width = size or options.data.size
    arguments = chosen.get("init_args", {})
    with torch.device(device):
        return kind(spec=spec or example_of(kind, (height, width), arguments), **rebuild(kind, arguments))


def catalogue(cost: bool = False, only: list[str] | None = None) -> Iterator[str]:
    """The table, line by line: every model, or those whose name or preset is in ``only``. With ``cost`` each preset is
    followed by what its training takes.

    Raises:
        UserError: a name in ``only`` is no model and no preset.
    """
    known = presets()
    for name in only or []:
        if name not in MODELS and name not in known:
            raise UserError(f"there is no model or preset {name}: choose from {', '.join([*MODELS, *known])}")
    for name in MODELS:
        mine = [p for p in known if p.split("/")[0] == name and (not only or name in only or p in only)]
        if only and name not in only and not mine:
            continue
        kind = model_class(name)
        about = (kind.__doc__ or "").strip().splitlines()[0]
        needs = ", ".join(sorted(kind.needs)) or "nothing (seeds)"
        yield f"{name}: {about}"
        yield f"  consumes {needs}; produces {kind.produces}"
        for preset in mine:
            model = build(preset, device="meta")
            counts = ", ".join(f"{part} {counted(module)}" for part, module in model.named_children())
            height, width = model.spec.size
            yield f"  {preset} ({width}x{height}): {counts}"
            if cost:
                yield f"    {_cost_line(preset, model)}"
    if not only:
        yield f"in the box: {', '.join(f'{PREFIX}{name}' for name in names())} (run folders: videosynth generate {PREFIX}NAME)"
    yield (
        "Counts are for 35 classes and instance edges (from noise: six values of an attribute). "
        "Train one with: videosynth train --config PRESET --data.root DIR --out RUN"
    )
    if cost:
        yield (
            "Memory: tensors of the dearest training step, computed. Hours: its multiplications at the speed of a convolution "
            "measured now; norms, copies and everything else come on top."
        )


def counted(module: nn.Module) -> str:
    """Its parameters; of several scales, or critics, those of each: ``411,335,241 + 2,880,489``."""
    parts = module if isinstance(module, nn.ModuleList) else getattr(module, "scales", None)
    each = [sum(p.numel() for p in part.parameters()) for part in parts] if isinstance(parts, nn.ModuleList) else []
    total = sum(p.numel() for p in module.parameters())
    return " + ".join(f"{n:,}" for n in each) if sum(each) == total and each else f"{total:,}"


def _cost_line(preset: str, model: VideoModel) -> str:
    options = options_of(preset)
    half = "16" in str(options.trainer.precision)
    try:
        found = training_cost(model, model.spec.size, options.data.batch_size, half)
    except (DataDependentOutputException, DynamicOutputShapeException):
        return "training: depends on what the clips show, and cannot be computed"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rate = speed(device, half)
    return (
        f"training: {told(found.memory)}, {found.frames:,} frames, {found.flop / 1e15:,.2f} PFLOP: "
        f"{found.flop / rate / 3600:,.1f} hours at this {device.type}'s {rate / 1e12:.2f} TFLOP/s"
    )
