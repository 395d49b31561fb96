"""What `videosynth generate` was asked, and which options do not go together or with a model: refused, not ignored."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from videosynth.models.base import VideoModel
from videosynth.types import UserError

LARGEST_SEED = 2**62


@dataclass
class Options:
    """What `videosynth generate` was asked."""

    run: str
    maps: str | None = None
    out: str = "video.mp4"
    frames: int | None = None  # at most this many
    slice: str | None = None  # of each sequence's frames, such as 64:80
    first_frame: str | None = None
    size: tuple[int, int] | None = None  # (H, W)
    fps: float | None = None
    precision: str = "auto"
    device: str = "auto"
    seed: int | None = None  # 0, or those of the latents' file
    panels: bool = False
    context: str | None = None  # predict what comes after this data set's frames
    predictor: str | None = None  # run that continues the label maps
    style_seed: int | None = None
    style_mix: str | None = None  # SEED:SHARE
    style_from: str | None = None  # a data set folder
    relabel: tuple[str, ...] = ()  # OLD=NEW, classes by name or id
    keep: str | None = None  # real video or folder: only relabelled regions are painted
    feather: int | None = None  # pixels over which they come in
    count: int | None = None  # videos from noise, and what else goes with those
    fix: str | None = None  # this part is the first video's in all
    speed: float | None = None
    attributes: tuple[str, ...] = ()  # NAME=VALUE[,VALUE...]
    latents: tuple[str, ...] = ()  # FILE[:PART]
    save_latents: str | None = None
    interpolate: int | None = None  # the seed of the last video
    extras: bool = False
    columns: int | None = None  # of the grid of all videos
    trust: tuple[str, ...] = ()


def pick_device(name: str) -> torch.device:
    """``auto`` takes a GPU where there is one.

    Raises:
        UserError: the device is unknown or not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise UserError(f"no device {name!r} here: use --device cpu, or auto") from None
    return device


def refuse_idle(options: Options, model: VideoModel) -> None:
    """Options that would change nothing for a model that is driven by maps are refused, not ignored."""
    for name, value in _of_noise(options).items():
        if _given(value):
            kind = type(model).__name__
            raise UserError(f"{name} goes with models that make videos from noise, which {kind} is not: leave it out")
    if options.context is not None:
        idle: dict[str, object] = {
            "--maps": options.maps, "--size": options.size, "--panels": options.panels, "--relabel": options.relabel,
            "--keep": options.keep, "--style-seed": options.style_seed, "--style-mix": options.style_mix,
            "--style-from": options.style_from, "--first-frame": options.first_frame,
            "--precision": None if options.precision == "auto" else options.precision,
        }  # fmt: skip
        for name, value in idle.items():
            if _given(value):
                raise UserError(f"{name} does not go with --context, which continues a given video: leave it out")
    elif options.predictor is not None:
        raise UserError("--predictor goes with --context: pass the frames so far, or leave it out")
    if options.panels and options.keep is not None:
        raise UserError("--panels shows whole frames, --keep paints parts of them: leave one out")


def refuse_maps(options: Options, model: VideoModel) -> None:
    """The same for a model that makes videos from noise, and values that no such model can take."""
    idle: dict[str, object] = {
        "--maps": options.maps, "--keep": options.keep, "--feather": options.feather, "--relabel": options.relabel,
        "--panels": options.panels, "--predictor": options.predictor, "--style-seed": options.style_seed,
        "--style-mix": options.style_mix, "--style-from": options.style_from,
        "--slice": options.slice if options.context is None else None,
    }  # fmt: skip
    kind = type(model).__name__
    for name, value in idle.items():
        if _given(value):
            raise UserError(f"{name} goes with models that paint maps; {kind} makes videos from noise: leave it out")
    if options.size is not None:
        height, width = model.spec.size
        raise UserError(f"--size: {kind} makes videos of its own size, {width}x{height}: leave it out")
    if options.precision not in ("auto", "fp32", "bf16"):
        raise UserError(f"--precision {options.precision} goes with models that paint maps: choose auto, fp32 or bf16")
    if options.count is not None and options.count < 1:
        raise UserError(f"--count must be 1 or more, not {options.count}")
    if options.speed is not None and not (math.isfinite(options.speed) and options.speed > 0):
        raise UserError(f"--speed must be above 0, not {options.speed:g}")
    for name, seed in (("--seed", options.seed), ("--interpolate", options.interpolate)):
        if seed is not None and not 0 <= seed < LARGEST_SEED:
            raise UserError(f"{name} must lie in 0..2^62, not {seed}")
    if options.columns is not None and options.columns < 1:
        raise UserError(f"--columns must be 1 or more, not {options.columns}")
    if options.extras and not model.pictures:
        raise UserError(f"{kind} makes no pictures beside its frames: leave --extras out")
    _refuse_together(options)


def _refuse_together(options: Options) -> None:
    several = options.count is not None and options.count > 1
    for name, value in (("--fix", options.fix), ("--interpolate", options.interpolate)):
        if value is not None and options.latents:
            raise UserError(f"{name} and --latents both say what videos are made from: leave one out")
        if value is not None and not several:
            raise UserError(f"{name} goes with several videos: pass --count 2 or more")
    if options.columns is not None and not several and not options.latents:
        raise UserError("--columns arranges several videos: pass --count 2 or more")
    if options.first_frame is not None and options.context is not None:
        raise UserError("--first-frame and --context both say what a video begins with: leave one out")


def _of_noise(options: Options) -> dict[str, object]:
    """Options of models that make videos from noise."""
    return {
        "--count": options.count, "--fix": options.fix, "--speed": options.speed, "--attributes": options.attributes,
        "--latents": options.latents, "--save-latents": options.save_latents, "--interpolate": options.interpolate,
        "--extras": options.extras, "--columns": options.columns,
    }  # fmt: skip


def _given(value: object) -> bool:
    return value is not None and value is not False and value != ()
