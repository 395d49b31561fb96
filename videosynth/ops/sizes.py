"""Maps and frames at another size: for networks that are used before their finest scale was trained."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth.types import Clip, Frame


def smaller_maps(maps: dict[str, Tensor], factor: int) -> dict[str, Tensor]:
    """Maps of one frame at 1 / ``factor`` of their size: ids ``(B, H, W)`` by the pixel in the middle, others
    ``(B, C, H, W)`` by the mean.
    """
    return {name: _smaller(value, factor) for name, value in maps.items()}


def smaller_clip(clip: Clip, factor: int) -> Clip:
    """Frames (uint8, the mean) and maps of a clip at 1 / ``factor`` of their size; the rest is left out."""
    maps = {name: _smaller(value, factor, ids=value.dim() == 4) for name, value in clip.maps.items()}
    frames = None if clip.frames is None else _smaller(clip.frames, factor).round().to(torch.uint8)
    return Clip(frames=frames, maps=maps)


def _smaller(x: Tensor, factor: int, ids: bool | None = None) -> Tensor:
    height, width = (max(n // factor, 1) for n in x.shape[-2:])
    if ids if ids is not None else x.dim() == 3:
        rows, columns = (torch.arange(n, device=x.device) * factor + factor // 2 for n in (height, width))
        return x[..., rows.clamp(max=x.shape[-2] - 1)[:, None], columns.clamp(max=x.shape[-1] - 1)]
    flat = x.reshape(-1, *x.shape[-3:]).float()
    return F.interpolate(flat, (height, width), mode="area").view(*x.shape[:-2], height, width)


def larger_frame(frame: Frame, size: tuple[int, int]) -> Frame:
    """A frame and its extras at ``size`` (H, W), bilinearly; flow is in the new pixels."""
    small = frame.image.shape[-2:]
    extras = dict(frame.extras)
    for name, value in extras.items():
        if value.dim() == 4 and value.shape[-2:] == small:
            extras[name] = F.interpolate(value.float(), size, mode="bilinear", align_corners=False)
    if "flow" in extras:
        ratio = extras["flow"].new_tensor([size[1] / small[1], size[0] / small[0]])
        extras["flow"] = extras["flow"] * ratio.view(1, 2, 1, 1)
    return Frame(F.interpolate(frame.image, size, mode="bilinear", align_corners=False), extras)
