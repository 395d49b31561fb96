"""Tensors of other codes put in their places: every one has a place, and every place a tensor, or a line says which not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from videosynth.types import UserError

_STATISTICS = re.compile(r"\.(running_mean|running_var|num_batches_tracked)$")


def placed(
    path: Path, state: dict[str, Tensor], wanted: dict[str, Tensor], our_name: Callable[[str], str]
) -> tuple[dict[str, Tensor], int]:
    """The tensors of one file under our names, and how many running statistics of norms were left out.

    Raises:
        UserError: a tensor that has no place, or another shape than its place.
    """
    found: dict[str, Tensor] = {}
    unused = 0
    for name, tensor in state.items():
        ours = our_name(name)
        if _STATISTICS.search(name) and is_norm(ours, wanted):
            unused += 1
            continue
        if ours not in wanted or wanted[ours].shape != tensor.shape:
            what = "has no place" if ours not in wanted else f"has shape {tuple(tensor.shape)}"
            raise UserError(f"{path}: the tensor {name} {what} in the model that the other tensors describe")
        found[ours] = tensor.float()
    return found, unused


def completed(
    found: dict[str, Tensor], wanted: dict[str, Tensor], where: Path, resting: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """With norms that do nothing where the training had norms without parameters, that is, where no norm has any; with zeros
    for what begins with ``resting``.

    Raises:
        UserError: a place without a tensor.
    """
    norms = any(is_norm(name, wanted) for name in found)
    full = dict(found)
    for name, tensor in wanted.items():
        if name in found:
            continue
        norm = is_norm(name, wanted)
        if not name.startswith(resting) and (norms or not norm):
            raise UserError(f"{where}: no tensor for {name}: a file is damaged, or one of the same training is missing")
        full[name] = torch.ones_like(tensor) if norm and name.endswith("weight") else torch.zeros_like(tensor)
    return full


def is_norm(name: str, wanted: dict[str, Tensor]) -> bool:
    """Whether a tensor belongs to one of our norms: its weight has one dimension."""
    weight = wanted.get(f"{name.rpartition('.')[0]}.weight")
    return weight is not None and weight.dim() == 1
