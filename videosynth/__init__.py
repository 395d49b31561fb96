"""Learned video synthesis in PyTorch: vid2vid and the classic video generators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from videosynth.errors import UserError
    from videosynth.models.base import load
    from videosynth.types import Clip, DataSpec, Frame, MapSpec, Request

__version__ = "0.1.0"
__all__ = ["Clip", "DataSpec", "Frame", "MapSpec", "Request", "UserError", "load"]


def __getattr__(name: str) -> Any:  # lazy: `videosynth --help` imports no torch
    if name == "UserError":
        from videosynth.errors import UserError

        return UserError
    if name in ("Clip", "DataSpec", "Frame", "MapSpec", "Request"):
        from videosynth import types

        return getattr(types, name)
    if name == "load":
        from videosynth.models.base import load

        return load
    raise AttributeError(f"module 'videosynth' has no attribute {name!r}")
