"""`videosynth generate`: a run folder, and driving maps or seeds -> videos, frame by frame in constant memory."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videosynth.apps.asked import Options, pick_device, refuse_idle
from videosynth.apps.begin import Beginning, beginnings
from videosynth.apps.edit import CHANGED, blend, kept_frames, read_changes, relabelled
from videosynth.apps.estimate import to_generate, told
from videosynth.apps.from_noise import generate_from_noise
from videosynth.apps.future import predict
from videosynth.apps.looks import looks
from videosynth.apps.maps import WORLD, Driving, open_maps, resized, target_files
from videosynth.apps.precision import SETTINGS, Setting, choose, prepare
from videosynth.engine.samples import from_noise, panels, picture
from videosynth.models.base import VideoModel, load
from videosynth.types import DataSpec, Request, UserError
from videosynth.video.write import VideoWriter

__all__ = ["Options", "generate", "pick_device"]

FEATHER = 2  # pixels


def generate(options: Options) -> list[Path]:
    """Write one video per sequence of maps, or per seed; returns their paths.

    Raises:
        UserError: whatever is missing, unknown or out of range, before any file is written.
    """
    device = pick_device(options.device)
    if options.precision not in ("auto", *SETTINGS):
        raise UserError(f"unknown precision {options.precision!r}: choose from auto, {', '.join(SETTINGS)}")
    if options.frames is not None and options.frames < 1:
        raise UserError(f"--frames must be 1 or more, not {options.frames}")
    model = load(options.run, options.trust)
    if from_noise(model):
        return generate_from_noise(model, options, device)
    refuse_idle(options, model)
    if options.context is not None:
        model.to(device)
        return predict(
            model, options.run, options.context, options.predictor, options.frames, Path(options.out), options.slice,
            options.fps, options.seed or 0, options.trust,
        )  # fmt: skip
    if "context" in model.needs:
        raise UserError(f"{type(model).__name__} continues what it is given: pass --context DIR --frames N")
    if "maps" in model.needs and options.maps is None:
        raise UserError(
            f"{type(model).__name__} paints from maps: pass --maps DIR (label maps, a data set or a label video)"
        )
    assert options.maps is not None
    spec = resized(model.spec, options.size)
    changes = read_changes(options.relabel, spec)
    _check_edit(options, changes)
    videos = open_maps(options.maps, spec, _part(options))
    longest = max(v.length for v in videos)
    count = longest if options.frames is None else min(longest, options.frames)
    kept = None
    if options.keep is not None and len(videos) > 1:
        raise UserError(f"--keep goes with one sequence, but the maps hold {len(videos)}: name one sequence's folder")
    if options.keep is not None:
        kept = kept_frames(Path(options.keep), spec.size, options.slice, count)
    begin = beginnings(
        options.first_frame,
        spec,
        options.maps,
        _part(options),
        len(videos),
        options.seed or 0,
        options.trust,
        device,
        changes,
        lambda spec: looks(options.style_seed, options.style_mix, options.style_from, spec),
    )
    targets = target_files(Path(options.out), [v.name for v in videos])
    rates = (options.fps if options.fps is not None else v.fps or spec.fps for v in videos)
    writers = [_writer(target, rate, exact=kept is not None) for target, rate in zip(targets, rates)]
    print(f"needs about {told(to_generate(model, spec.size))} of memory beside torch itself", file=sys.stderr)
    setting = _setting(options, spec, begin[0], device, count)
    prepare(model, setting).to(device)
    for driving, writer, beginning in zip(videos, writers, begin, strict=True):
        _write(model, spec, driving, writer, beginning, changes, kept, options)
    return targets


def _check_edit(options: Options, changes: dict[int, int]) -> None:
    if options.keep is not None and not changes:
        raise UserError("--keep needs --relabel OLD=NEW: without a change nothing would be painted")
    if options.feather is not None and options.keep is None:
        raise UserError("--feather is the edge of what --keep leaves: pass --keep VIDEO too, or leave it out")
    if options.feather is not None and options.feather < 0:
        raise UserError(f"--feather must be 0 or more, not {options.feather}")


def _writer(path: Path, rate: float, exact: bool) -> VideoWriter:
    """``exact``: every pixel as it is."""
    suffix = path.suffix.lower()
    if exact and suffix == ".gif":
        raise UserError(f"--keep promises real pixels bit by bit, which {path} cannot hold: choose .mp4 or a folder")
    return VideoWriter(path, rate, "rgb" if exact and suffix in (".mp4", ".mov", ".mkv") else None)


def _part(options: Options) -> str | None:
    """Which frames are read: of an endless world as many as are asked for."""
    if options.slice is None and options.frames is not None and str(options.maps).startswith(WORLD):
        return f"0:{options.frames}"
    return options.slice


def _setting(options: Options, spec: DataSpec, beginning: Beginning, device: torch.device, count: int) -> Setting:
    if options.precision != "auto":
        return options.precision  # pyright: ignore[reportReturnType]
    assert options.maps is not None
    maps = options.maps

    def probe() -> Request:  # of the longest sequence
        driving = max(open_maps(maps, spec, _part(options)), key=lambda d: d.length)
        return _request(options, spec, driving.frames, beginning)

    def fresh() -> VideoModel:
        return load(options.run, options.trust).to(device)

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    setting, why = choose(fresh, probe, spec.size, count, say=say)
    say(why)
    return setting


def _request(options: Options, spec: DataSpec, maps: Iterator[dict[str, Tensor]], beginning: Beginning) -> Request:
    chosen = looks(options.style_seed, options.style_mix, options.style_from, spec)
    return Request((options.seed or 0,), maps=maps, context=beginning.context, start=beginning.start, **chosen)


def _write(
    model: VideoModel,
    spec: DataSpec,
    driving: Driving,
    writer: VideoWriter,
    beginning: Beginning,
    changes: dict[int, int],
    under: Iterator[np.ndarray] | None,
    options: Options,
) -> None:
    kept: list[dict[str, Tensor]] = []
    total = driving.length if options.frames is None else min(driving.length, options.frames)
    stream = relabelled(driving.frames, spec, changes) if changes else driving.frames
    frames: Iterator[dict[str, Tensor]] = itertools.islice(_remember(stream, kept), total)
    feather = FEATHER if options.feather is None else options.feather
    request = _request(options, spec, frames, beginning)
    start = time.monotonic()
    count = 0
    with writer:
        for frame in model.generate(request):
            maps = kept.pop()
            if options.panels:
                real = _real(maps, spec) if driving.real else None
                writer.write(panels(frame, maps, spec, real))
            elif under is not None:
                writer.write(blend(picture(frame.image[0]), next(under), maps[CHANGED][0].numpy(), feather))
            else:
                writer.write(picture(frame.image[0]))
            count += 1
            if sys.stderr.isatty():
                print(f"\r{writer.path}: {count}/{total} frames", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    seconds = time.monotonic() - start
    print(f"wrote {writer.path}: {count} frames of {spec.size[1]}x{spec.size[0]}, {count / seconds:.1f} frames/s")


def _real(maps: dict[str, Tensor], spec: DataSpec) -> np.ndarray:
    """The real frame beside a generated one; black where there is none."""
    if "images" not in maps:
        return np.zeros((*spec.size, 3), np.uint8)
    return maps["images"][0].permute(1, 2, 0).numpy()


def _remember(frames: Iterator[dict[str, Tensor]], kept: list[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Pass frames on and keep the latest one for its pictures."""
    for frame in frames:
        kept[:] = [frame]
        yield frame
