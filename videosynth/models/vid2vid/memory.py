"""What passes between the frames of a video, and between the chunks of a training clip: tensors, explicit, never on a model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from videosynth.types import UserError


class State(NamedTuple):
    """What the cell remembers: ``past`` frames at every active scale and their maps (ids stay ids), oldest first."""

    frames: tuple[Tensor, ...]  # each (B, P, 3, h, w) in [-1, 1], the coarsest first; all but the finest padded
    maps: dict[str, Tensor]  # each (B, P, ...)
    known: Tensor  # (B,) bool: the newest frame of the history exists
    told: Tensor  # (B,) bool: the history is looked at, be it zeros


class Seen(NamedTuple):
    """What the temporal critics may look at: the present chunk's frames behind those before it, as many as they need."""

    real: Tensor  # (B, N, 3, H, W)
    fake: Tensor
    flow: Tensor | None  # (B, N, 2, H, W)
    new: int  # frames of the present chunk
    count: int  # frames of the clip so far


class Rollout(NamedTuple):
    """Consecutive generated frames, ``(B, T, ...)``; flow, mask and warped are None without the flow branch."""

    image: Tensor
    raw: Tensor
    flow: Tensor | None
    mask: Tensor | None
    first: Tensor  # (B, T) bool: the frame had no history


def newest(x: Tensor, count: int) -> Tensor:
    """The last ``count`` of ``(B, T, ...)``; the oldest is repeated where there are fewer."""
    if x.shape[1] < count:
        x = torch.cat([x[:, :1].expand(-1, count - x.shape[1], *x.shape[2:]), x], dim=1)
    return x[:, -count:]


def moved_on(frames: Tensor, image: Tensor, told: Tensor) -> Tensor:
    """The history ``(B, P, 3, H, W)`` one frame later. Frames before the first one do not exist: it stands in for them."""
    repeated = image.unsqueeze(1).expand_as(frames)
    return torch.where(told.view(-1, 1, 1, 1, 1), torch.cat([frames[:, 1:], image.unsqueeze(1)], dim=1), repeated)


def check_size(frames: Tensor, maps: Tensor) -> None:
    """Raises UserError when a history has another size than the first frame's maps."""
    given, wanted = frames.shape[-2:], maps.shape[-2:]
    if given != wanted:
        raise UserError(f"the first frame is {given[1]}x{given[0]} but the maps are {wanted[1]}x{wanted[0]}: resize it")
