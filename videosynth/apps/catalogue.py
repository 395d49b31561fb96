"""`videosynth models`: every model and preset, with its paper, sizes, and what goes in and comes out."""

from __future__ import annotations

import torch
from jsonargparse import Namespace

from videosynth.apps.train import config_path, parse, parser, presets
from videosynth.models import MODELS, model_class
from videosynth.models.base import VideoModel, rebuild
from videosynth.types import DataSpec, MapSpec


def example_spec(size: tuple[int, int]) -> DataSpec:
    """Street maps as in the paper: 35 Cityscapes ids and the instance edges."""
    return DataSpec(maps=(MapSpec("labels", "classes", 35), MapSpec("instances", "instances", 1)), size=size)


def options_of(preset: str) -> Namespace:
    """What a training with this preset and nothing else would be told."""
    return parse(parser(), ["--config", str(config_path(preset)), "--out", "unused"])


def build(preset: str, spec: DataSpec | None = None, device: str = "cpu") -> VideoModel:
    """The model of a preset, for the example spec unless another is given. On ``meta`` it holds no memory."""
    options = options_of(preset)
    chosen = options.model.as_dict()
    kind = next(model_class(n) for n, path in MODELS.items() if path == chosen["class_path"])
    size = options.data.size
    with torch.device(device):
        return kind(spec=spec or example_spec((size[0], size[1])), **rebuild(kind, chosen.get("init_args", {})))


def catalogue() -> str:
    """The table as text."""
    lines = []
    for name in MODELS:
        kind = model_class(name)
        about = (kind.__doc__ or "").strip().splitlines()[0]
        needs = ", ".join(sorted(kind.needs)) or "nothing (seeds)"
        lines.append(f"{name}: {about}")
        lines.append(f"  consumes {needs}; produces {kind.produces}")
        for preset in presets():
            if preset.split("/")[0] != name:
                continue
            model = build(preset, device="meta")
            counts = ", ".join(
                f"{part} {sum(p.numel() for p in module.parameters()):,}" for part, module in model.named_children()
            )
            height, width = model.spec.size
            lines.append(f"  {preset} ({width}x{height}): {counts}")
    lines.append(
        "Counts are for 35 classes and instance edges. Train one with: videosynth train --config PRESET --data.root DIR --out RUN"
    )
    return "\n".join(lines)
