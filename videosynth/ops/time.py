"""Windows over time, and state that travels between frames."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

S = TypeVar("S")


def windows(x: Tensor, length: int, stride: int = 1) -> Tensor:
    """Every run of ``length`` frames, ``stride`` apart: ``(B, T, ...)`` to ``(B * N, length, ...)``.

    N = T - (length - 1) * stride windows per item; a clip too short gives N = 0.
    """
    span = (length - 1) * stride
    count = max(0, x.shape[1] - span)
    picked = [x[:, k * stride : k * stride + count] for k in range(length)]
    return torch.stack(picked, dim=2).flatten(0, 1)


def fold(x: Tensor) -> Tensor:
    """``(B, T, ...)`` to ``(B * T, ...)``."""
    return x.flatten(0, 1)


def detach(state: S) -> S:
    """Cut the gradient of a state: tensors, NamedTuples, tuples, lists and dicts of them; other values stay."""
    if isinstance(state, Tensor):
        return state.detach()  # pyright: ignore[reportReturnType]
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(detach(v) for v in state))
    if isinstance(state, tuple | list):
        return type(state)(detach(v) for v in state)  # pyright: ignore[reportCallIssue]
    if isinstance(state, dict):
        return type(state)((k, detach(v)) for k, v in state.items())  # pyright: ignore[reportCallIssue]
    return state
