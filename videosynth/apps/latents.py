"""What videos were made from: latents are collected from frames, kept in files, and handed back in requests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from videosynth.files import write_bytes
from videosynth.models.base import VideoModel
from videosynth.types import LATENT, Frame, Request, UserError

FORMAT = "1"
SUFFIX = ".safetensors"

Latents = dict[str, Tensor]  # (B, D) of whole videos, (B, T, D) of their steps; fp32 on the CPU


class Collector:
    """Keeps the latents of frames that pass by."""

    def __init__(self) -> None:
        self._found: dict[str, list[Tensor]] = {}
        self._frames = 0

    def note(self, frame: Frame) -> None:
        self._frames += 1
        for name, value in frame.extras.items():
            if name.startswith(LATENT):
                kept = value.detach().float().cpu().clone()  # a view would keep the whole video alive
                self._found.setdefault(name.removeprefix(LATENT), []).append(kept)

    def latents(self, steps: frozenset[str] | None = None) -> Latents:
        """What was seen. A single frame does not tell latents of a step from those of the video: ``steps`` names the former."""

        def stepwise(name: str, values: list[Tensor]) -> bool:
            return len(values) > 1 or (name in steps if steps is not None else self._frames == 1)

        return {n: torch.stack(v, 1) if stepwise(n, v) else v[0] for n, v in self._found.items()}


def collect(model: VideoModel, request: Request) -> Latents:
    """The latents that the videos of a request are made from; the frames themselves are made and dropped.

    Raises:
        UserError: the model says nothing of its latents, or refuses the request.
    """
    asked = request.frames
    if asked == 1 and model.longest != 1:
        request = replace(request, frames=2)  # so that latents of a step are told from those of the video
    collector = Collector()
    for frame in model.generate(request):
        collector.note(frame)
    found = collector.latents()
    if not found or "latents" not in model.takes | model.needs:
        raise UserError(f"this model ({type(model).__name__}) has no latents that could be kept, fixed or mixed")
    return {n: v[:, :asked] if v.ndim == 3 and asked is not None else v for n, v in found.items()}


def part_of(model: VideoModel, part: str) -> tuple[str, ...]:
    """Names of the latents that make up a part, such as ``content``.

    Raises:
        UserError: the model has no such part.
    """
    if part in model.parts:
        return model.parts[part]
    if not model.parts:
        raise UserError(
            f"this model ({type(model).__name__}) makes a video from one latent, without parts such as {part!r} that could be "
            "fixed alone: choose a model whose content and motion are apart"
        )
    raise UserError(f"there is no part {part!r} in this model; it has {', '.join(model.parts)}")


# Files --------------------------------------------------------------------------------------------------------------------


class Saved(NamedTuple):
    """A file of latents."""

    path: Path
    latents: Latents
    parts: dict[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    attributes: dict[str, tuple[str, ...]]  # the values asked for, one per video
    kind: str  # full name of the model's class

    @property
    def count(self) -> int:
        return next(iter(self.latents.values())).shape[0]


def class_of(model: VideoModel) -> str:
    return f"{type(model).__module__}.{type(model).__qualname__}"


def save_latents(
    path: Path | str,
    latents: Latents,
    model: VideoModel,
    seeds: Sequence[int],
    attributes: dict[str, tuple[str, ...]] | None = None,
) -> None:
    """Write latents with what they belong to.

    Raises:
        UserError: the file cannot be written.
    """
    about = {
        "format": FORMAT,
        "class": class_of(model),
        "parts": json.dumps(model.parts),
        "seeds": json.dumps(list(seeds)),
        "attributes": json.dumps(attributes or {}),
    }
    write_bytes(path, safetensors.torch.save({k: v.contiguous() for k, v in latents.items()}, about))


def check_name(path: Path) -> None:
    """Raises UserError when no file of latents can have this name."""
    if path.suffix != SUFFIX:
        raise UserError(f"cannot save latents as {path}: choose a name that ends in {SUFFIX}")


def load_latents(path: Path | str) -> Saved:
    """Read a file of :func:`save_latents`.

    Raises:
        UserError: it is missing, damaged, or holds something else.
    """
    path = Path(path)
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            about = file.metadata() or {}
            latents = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: check the path, or save latents with --save-latents") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path} is no readable file of latents ({error}): save it again") from None
    if about.get("format") != FORMAT or not latents or not all(v.ndim in (2, 3) for v in latents.values()):
        raise UserError(f"{path} holds no latents: choose a file that --save-latents wrote")
    try:
        parts = {k: tuple(v) for k, v in json.loads(about["parts"]).items()}
        attributes = {k: tuple(v) for k, v in json.loads(about["attributes"]).items()}
        return Saved(path, latents, parts, tuple(json.loads(about["seeds"])), attributes, about["class"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise UserError(f"{path} does not say whose latents it holds: save it again") from None


def check_fit(saved: Saved, model: VideoModel, known: Latents) -> None:
    """``known`` are latents of one video of the model.

    Raises:
        UserError: the file's are another model's.
    """
    if saved.kind != class_of(model):
        theirs, ours = saved.kind.rpartition(".")[2], type(model).__name__
        raise UserError(f"{saved.path} holds latents of {theirs}, but this run is a {ours}: choose a file of this run")
    for name, value in saved.latents.items():
        if name not in known:
            raise UserError(
                f"{saved.path} holds latents {name!r}, which this model does not have: choose a file of this run"
            )
        own = known[name]
        if value.ndim != own.ndim or value.shape[-1] != own.shape[-1]:
            raise UserError(
                f"{saved.path}: the latents {name} have {_shape(value)}, this model's {_shape(own)}: "
                "choose a file of this run"
            )


def _shape(value: Tensor) -> str:
    return f"{value.shape[-1]} numbers {'a step' if value.ndim == 3 else 'a video'}"
