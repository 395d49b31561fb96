"""Videos from noise: one per seed, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from videosynth.models.base import VideoModel
from videosynth.ops.images import to_uint8
from videosynth.types import Clip, Request, UserError


def videos(
    model: VideoModel,
    seeds: Sequence[int],
    frames: int | None = None,
    attributes: dict[str, tuple[str, ...]] | None = None,
    context: Clip | None = None,
    batch: int = 16,
) -> np.ndarray:
    """One video per seed, uint8 ``N T H W 3``; ``frames`` None: as many as the model's training clips have.

    ``attributes`` name one value per video, ``context`` holds one beginning per video. A video does not depend on the
    others of its batch (latents exactly, pixels but for rounding).

    Raises:
        UserError: something is missing, unknown or out of range, or the model makes fewer frames than asked for.
    """
    count = model.phase_at(0).clip_length if frames is None else frames
    out: list[np.ndarray] = []
    for start in range(0, len(seeds), batch):
        part = slice(start, start + batch)
        begin = None if context is None or context.frames is None else Clip(frames=context.frames[part].to(model.device))
        request = Request(
            seeds=tuple(seeds[part]),
            frames=count,
            attributes={name: tuple(values[part]) for name, values in (attributes or {}).items()},
            context=begin,
        )
        made = [to_uint8(frame.image).permute(0, 2, 3, 1).cpu() for frame in model.generate(request)]
        if len(made) != count:
            raise UserError(f"{type(model).__name__} made {len(made)} frames, not the {count} asked for: ask for fewer")
        out.append(torch.stack(made, dim=1).numpy())
    height, width = model.spec.size
    return np.concatenate(out) if out else np.zeros((0, count, height, width, 3), np.uint8)
