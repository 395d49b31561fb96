"""Run folders of earlier versions: ``model.json`` and its tensors, brought to the present format step by step.

Format 1 -> 2: vid2vid's generator got scales; the tensors of the only one moved to the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

FORMAT = 2

Run = tuple[dict[str, Any], dict[str, Tensor]]  # the content of model.json, the tensors by name


def upgraded(description: dict[str, Any], tensors: dict[str, Tensor]) -> Run:
    """The run in the present format; ``description["format"]`` is one of 1 .. FORMAT."""
    for step in range(description["format"], FORMAT):
        description, tensors = _STEPS[step](description, tensors)
    return {**description, "format": FORMAT}, tensors


def _scales(description: dict[str, Any], tensors: dict[str, Tensor]) -> Run:
    if description["class"] != "videosynth.models.vid2vid.model.Vid2Vid":
        return description, tensors
    moved = {k.replace("generator.", "generator.scales.0.", 1): v for k, v in tensors.items()}
    return description, {**moved, "generator.active.trained": torch.tensor(1)}


_STEPS: dict[int, Callable[[dict[str, Any], dict[str, Tensor]], Run]] = {1: _scales}
