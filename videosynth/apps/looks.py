"""Which look a video gets: by seed, between two seeds, or that of a reference frame."""

from __future__ import annotations

from typing import Any

import torch

from videosynth.apps.maps import open_maps
from videosynth.types import Clip, DataSpec, UserError


def looks(seed: int | None, mix: str | None, reference: str | None, spec: DataSpec) -> dict[str, Any]:
    """``latents`` and ``references`` of a request for one video. ``mix`` is SEED:SHARE, ``reference`` a data set whose first
    frame has a picture and maps.

    Raises:
        UserError: a mix that is none; a reference without a picture or maps.
    """
    found: dict[str, Any] = {}
    latents: dict[str, torch.Tensor] = {}
    if seed is not None:
        if not 0 <= seed < 2**62:
            raise UserError(f"--style-seed must lie in 0..2^62, not {seed}")
        latents["style_seeds"] = torch.tensor([seed])
    if mix is not None:
        other, colon, share = mix.partition(":")
        try:
            latents["style_other"] = torch.tensor([int(other)])
            latents["style_mix"] = torch.tensor([float(share if colon else "0.5")])
        except (ValueError, OverflowError, RuntimeError):
            raise UserError(f"--style-mix {mix}: write SEED:SHARE, such as 7:0.5") from None
        if not 0 <= float(latents["style_mix"]) <= 1:
            raise UserError(f"--style-mix {mix}: the share lies in 0..1")
    if latents:
        found["latents"] = latents
    if reference is not None:
        driving = open_maps(reference, spec, real=True)[0]
        frame = next(driving.frames)
        if "images" not in frame:
            raise UserError(f"--style-from {reference} has no pictures to take looks from: pass a data set with images")
        pictures = frame.pop("images")
        found["references"] = Clip(frames=pictures.unsqueeze(1), maps={k: v.unsqueeze(1) for k, v in frame.items()})
    return found
