"""How fast frames are made: memory formats and precisions, and the choice among them.

``auto`` takes the fastest setting whose every frame stays within 40 dB PSNR of the fp32 frame over 16 frames that the
model makes one from the other, so errors that grow are seen. The choice is kept per machine, model and size.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.nn.utils import parametrize

from videosynth import ops
from videosynth.files import cache_folder, read_json, write_json
from videosynth.models.base import VideoModel
from videosynth.nn.winograd import can_quicken, quicken
from videosynth.types import Frame, Request, UserError

Setting = Literal["fp32", "channels-last", "bf16", "bf16-quick", "compiled"]
SETTINGS: tuple[Setting, ...] = ("fp32", "channels-last", "bf16", "bf16-quick", "compiled")
FAITHFUL = 40.0  # dB to the fp32 frames
PROBE_FRAMES = 16


def prepare(model: VideoModel, setting: Setting) -> VideoModel:
    """Bring the modules that make frames into a setting, in place. ``compiled`` is bf16 and compiled; ``bf16-quick`` is
    bf16 with wide 3x3 convolutions by Winograd's algorithm and the first one on one-hot maps as a table look-up
    (:mod:`videosynth.nn.winograd`, :mod:`videosynth.nn.lookup`).

    bf16 weights are rounded for good: reload the model to return to fp32.
    """
    torch.backends.cudnn.allow_tf32 = setting != "fp32"  # on by default: fp32 convolutions with 10 bits of mantissa
    for name in model.exported:
        module = getattr(model, name)
        _fold(module)
        if name in model.precise:
            continue
        if setting != "fp32":
            module.to(memory_format=torch.channels_last)
        if setting in ("bf16", "bf16-quick", "compiled"):
            module.to(torch.bfloat16)
        if setting == "bf16-quick":
            quicken(module)
        if setting == "compiled":
            module.compile()
    return model


def _fold(module: nn.Module) -> None:
    """Spectral norms and their like become plain weights: they would be computed again for every frame."""
    for part in module.modules():
        if parametrize.is_parametrized(part):
            for name in list(part.parametrizations):  # pyright: ignore[reportArgumentType, reportCallIssue]
                parametrize.remove_parametrizations(part, name)


def choose(
    load: Callable[[], VideoModel],
    request: Callable[[], Request],
    size: tuple[int, int],
    frames: int,
    cache: Path | None = None,
    say: Callable[[str], None] = print,
) -> tuple[Setting, str]:
    """The fastest faithful setting and a line that says why. ``load`` gives a fresh model, ``request`` the probe's;
    ``frames`` are to be made.

    The probe costs about 50 frames, so nothing is probed for less than 16; compiling is left out of it, since it costs
    minutes on a CPU.
    """
    cache = cache or cache_folder() / "precision.json"
    model = load()
    key = _key(model, size)
    known = _known(cache)
    if known.get(key) in SETTINGS:
        setting: Setting = known[key]
        return setting, f"precision {setting} (measured earlier on this machine; --precision overrides)"
    if frames < PROBE_FRAMES:
        return "fp32", f"precision fp32 ({frames} frames are not worth a probe; --precision overrides)"
    say(f"trying precisions on {PROBE_FRAMES} frames (once per machine, model and size; --precision skips it)")
    truth, best = None, ("fp32", math.inf)
    lines = []
    for setting in candidates(model):
        if truth is not None:
            model = load()
        prepare(model, setting)
        made, seconds = _timed(model, request())
        if truth is None:
            truth = made
        quality = psnr(made, truth)
        lines.append(f"{setting} {1 / seconds:.2f} frames/s" + ("" if math.isinf(quality) else f" at {quality:.0f} dB"))
        if quality >= FAITHFUL and seconds < best[1]:
            best = (setting, seconds)
    setting = best[0]  # pyright: ignore[reportAssignmentType]
    with contextlib.suppress(UserError):  # a cache that cannot be written costs a probe next time, nothing else
        write_json(cache, known | {key: setting})
    return (
        setting,
        f"precision {setting} ({', '.join(lines)}; at least {FAITHFUL:.0f} dB wanted; --precision overrides)",
    )


def candidates(model: VideoModel) -> tuple[Setting, ...]:
    """What is worth a try without a compiler: the quick convolutions only on the CPU, where there are any."""
    wide = model.device.type == "cpu" and any(can_quicken(getattr(model, name)) for name in model.exported)
    return ("fp32", "channels-last", "bf16", *(("bf16-quick",) if wide else ()))


def psnr(frames: list[torch.Tensor], truth: list[torch.Tensor]) -> float:
    """dB of the worst frame of two lists of images in [-1, 1]."""
    error = max(float(((a - b) / 2).square().mean()) for a, b in zip(frames, truth, strict=True))
    return math.inf if error == 0 else -10 * math.log10(error)


def _timed(model: VideoModel, request: Request) -> tuple[list[torch.Tensor], float]:
    frames: list[torch.Tensor] = []
    times = []
    iterator: Iterator[Frame] = model.generate(request)
    while len(frames) < PROBE_FRAMES:
        start = time.perf_counter()
        frame = next(iterator, None)
        if frame is None:
            break
        frames.append(ops.to_float(ops.to_uint8(frame.image)).cpu())
        times.append(time.perf_counter() - start)
    times.sort()
    return frames, times[len(times) // 2]


def _key(model: VideoModel, size: tuple[int, int]) -> str:
    # Sums tell one training's weights from another's.
    shapes = [
        (k, tuple(v.shape), float(v.double().sum()))
        for k, v in model.state_dict().items()
        if k.split(".")[0] in model.exported
    ]
    device = torch.cuda.get_device_name() if model.device.type == "cuda" else _processor()
    facts = [type(model).__name__, shapes, size, device, torch.get_num_threads(), torch.__version__]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _known(cache: Path) -> dict[str, Setting]:
    try:
        found = read_json(cache)
    except (UserError, OSError):
        return {}
    return found if isinstance(found, dict) else {}
