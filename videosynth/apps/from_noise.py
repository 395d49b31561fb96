"""`videosynth generate` with a model that makes videos from noise: files and a grid of all, frame by frame."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from videosynth.apps.asked import Options, refuse_maps
from videosynth.apps.begin import given_frames
from videosynth.apps.estimate import to_generate, told
from videosynth.apps.latents import Collector, check_name, part_of, save_latents
from videosynth.apps.maps import first_frame
from videosynth.apps.noise import BATCH, Plan, exchanged, fixed, images, interpolated, own_latents
from videosynth.apps.precision import prepare
from videosynth.data.strips import is_strip
from videosynth.files import nothing_left
from videosynth.models.base import VideoModel, check_attributes
from videosynth.types import Clip, Frame, UserError
from videosynth.video.colours import colour_mask
from videosynth.video.images import image_size
from videosynth.video.sheets import contact_sheet
from videosynth.video.write import VideoWriter

FRAMES = ""  # beside the model's other pictures
FILES = 64  # videos that are written to files of their own at a time, and that a grid beside files shows


def generate_from_noise(model: VideoModel, options: Options, device: torch.device) -> list[Path]:
    """Write one video, a grid of several (``--out FILE``), or a file for each and a grid (``--out FOLDER``); returns the paths.

    Memory does not grow with the number of frames, but for the latents that are mixed or saved: a few numbers per frame.

    Raises:
        UserError: whatever is missing, unknown or out of range, before any file is written.
    """
    refuse_maps(options, model)
    if options.save_latents is not None:
        check_name(Path(options.save_latents))
    if options.fix is not None:
        part_of(model, options.fix)
    prepare(model, "fp32").to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16"):
        plan = plan_of(model, options)
        size = model.spec.size
        print(
            f"needs about {told(to_generate(model, size, min(len(plan), BATCH)))} of memory beside torch itself",
            file=sys.stderr,
        )
        return _write(model, plan, options)


def plan_of(model: VideoModel, options: Options) -> Plan:
    """What the options ask for, checked."""
    count, seed = options.count or 1, options.seed or 0
    attributes = read_attributes(options.attributes)
    context = _context(model, options)
    plan = Plan(tuple(range(seed, seed + count)), options.frames, attributes, None, context, options.speed or 1.0)
    if _without_chance(model) and count > 1:
        raise UserError(
            f"this model ({type(model).__name__}) makes one video of a picture, without chance: leave --count out, and "
            "pass another picture for another video"
        )
    if options.latents:
        plan = exchanged(model, plan, options.latents, options.count, options.seed)
    for name, values in attributes.items():
        if len(values) > len(plan):
            raise UserError(
                f"--attributes {name}: {len(values)} values for {len(plan)} videos: pass --count {len(values)}"
            )
    check_attributes(model.spec, plan.request())
    model.generate(plan.request(0, 1))  # refuses what the model cannot do; nothing is made yet
    if options.interpolate is not None:
        return interpolated(model, plan, options.interpolate, options.fix)
    return plan if options.fix is None else fixed(model, plan, options.fix)


def _without_chance(model: VideoModel) -> bool:
    """Whether a given first frame decides the whole video."""
    return model.first_is_given and "latents" not in model.takes


def read_attributes(words: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """``NAME=VALUE[,VALUE...]``

    Raises:
        UserError: something else, or a name twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        if not (name and equals and all(values.split(","))):
            raise UserError(f"--attributes {word}: write NAME=VALUE, or NAME=VALUE,VALUE for several videos")
        if name in found:
            raise UserError(f"--attributes {word}: {name} is given twice; write {name}=VALUE,VALUE")
        found[name] = tuple(values.split(","))
    return found


def _context(model: VideoModel, options: Options) -> Clip | None:
    if options.first_frame is not None:
        if Path(options.first_frame).is_file() and is_strip(image_size(options.first_frame)):
            raise UserError(
                f"{options.first_frame} looks like a strip of frames, not like one: pass it with --context, and --slice 0:1 for "
                "its first frame (default: the last)"
            )
        return first_frame(options.first_frame, model.spec)
    if options.context is not None:
        return given_frames(options.context, model.spec, options.slice)
    if "context" in model.needs:
        raise UserError(
            f"{type(model).__name__} continues a given picture: pass --first-frame PICTURE or --context VIDEO"
        )
    return None


# Files --------------------------------------------------------------------------------------------------------------------


class _Group(NamedTuple):
    """Videos that are written at the same time."""

    start: int
    stop: int
    files: list[Path]  # one per video, or none
    grid: Path | None


def _groups(out: Path, count: int, kinds: int) -> Iterator[_Group]:
    if count == 1:
        yield _Group(0, 1, [out], None)
    elif out.suffix:
        yield _Group(0, count, [], out)
    else:
        digits, most = max(2, len(str(count - 1))), max(1, FILES // kinds)
        for start in range(0, count, most):
            stop = min(start + most, count)
            files = [out / f"{i:0{digits}d}.mp4" for i in range(start, stop)]
            yield _Group(start, stop, files, out / "grid.mp4" if start == 0 else None)


def _write(model: VideoModel, plan: Plan, options: Options) -> list[Path]:
    kinds = (FRAMES, *model.pictures) if options.extras else (FRAMES,)
    groups = list(_groups(Path(options.out), len(plan), len(kinds)))
    keep = None if options.save_latents is None else _Keep(model, plan, Path(options.save_latents))
    several = len(plan) > 1 and bool(groups[0].files)
    begun = time.monotonic()
    frames = 0
    # A name that no file has: whatever appeared in the folder goes if something fails.
    with nothing_left(options.out, unless="/dev/null/none") if several else contextlib.nullcontext():
        for group in groups:
            frames = _write_group(model, plan, group, kinds, options, keep)
    _tell(model, plan, options, groups, kinds, frames, time.monotonic() - begun)
    return [path for group in groups for path in (*group.files, group.grid) if path is not None]


def _write_group(
    model: VideoModel, plan: Plan, group: _Group, kinds: tuple[str, ...], options: Options, keep: _Keep | None
) -> int:
    """Write a group's videos side by side; returns the number of frames of each."""
    rate = options.fps if options.fps is not None else model.spec.fps
    columns = options.columns or math.ceil(math.sqrt(group.stop - group.start))
    starts = range(group.start, group.stop, BATCH)
    streams = [model.generate(plan.request(i, min(i + BATCH, group.stop))) for i in starts]
    count = 0
    with contextlib.ExitStack() as stack:
        writers = {
            kind: [stack.enter_context(VideoWriter(beside(path, kind), rate)) for path in group.files] for kind in kinds
        }
        grids: dict[str, VideoWriter] = {}
        if group.grid is not None:
            grids = {kind: stack.enter_context(VideoWriter(beside(group.grid, kind), rate)) for kind in kinds}
        for frames in zip(*streams, strict=True):
            for kind in kinds:
                shown = [picture for frame in frames for picture in pictures(frame, kind)]
                for writer, picture in zip(writers[kind], shown, strict=False):
                    writer.write(picture)
                if kind in grids:
                    grids[kind].write(contact_sheet(shown, min(columns, len(shown))))
            if keep is not None:
                keep.note(starts, frames)
            count += 1
            if sys.stderr.isatty():
                print(f"\r{group.grid or group.files[0]}: {count} frames", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print(file=sys.stderr)
        if keep is not None and group.stop == len(plan):
            keep.save()  # while the videos can still be withdrawn
    return count


def beside(path: Path, kind: str) -> Path:
    """``video-mask.mp4`` for ``video.mp4``."""
    return path if kind == FRAMES else path.with_name(f"{path.stem}-{kind}{path.suffix}")


def pictures(frame: Frame, kind: str) -> list[np.ndarray]:
    """One ``H W 3`` uint8 per video: the frames, or what else the model made of them."""
    if kind == FRAMES:
        return list(images(frame))
    shown = frame.extras[kind]
    if shown.shape[1] == 1:
        return [colour_mask(mask[0].float().cpu().numpy()) for mask in shown]
    return list(images(Frame(shown)))


class _Keep:
    """Collects the latents of all videos and saves them."""

    def __init__(self, model: VideoModel, plan: Plan, path: Path) -> None:
        self.model, self.plan, self.path = model, plan, path
        one = own_latents(model, replace(plan.first(), frames=1))  # of a single frame: names and forms are the same
        self.steps = frozenset(name for name, value in one.items() if value.ndim == 3)
        if self.steps and plan.speed != 1:
            raise UserError("--save-latents keeps a step of motion per frame, which --speed changes: leave one out")
        self.collectors: dict[int, Collector] = {}

    def note(self, starts: range, frames: tuple[Frame, ...]) -> None:
        for start, frame in zip(starts, frames, strict=True):
            self.collectors.setdefault(start, Collector()).note(frame)

    def save(self) -> None:
        found = [c.latents(self.steps) for _, c in sorted(self.collectors.items())]
        whole = {name: torch.cat([latents[name] for latents in found]) for name in found[0]}
        save_latents(self.path, whole, self.model, self.plan.seeds, self.plan.values)


def _tell(
    model: VideoModel,
    plan: Plan,
    options: Options,
    groups: list[_Group],
    kinds: tuple[str, ...],
    frames: int,
    seconds: float,
) -> None:
    """What was written, and what to do next."""
    height, width = model.spec.size
    count, first = len(plan), groups[0]
    what = (
        f"{frames} frames of {width}x{height}"
        if count == 1
        else f"{count} videos of {frames} frames of {width}x{height}"
    )
    where = ""
    if first.grid is not None and first.files:
        shown = "" if len(groups) == 1 else f" of the first {first.stop}"
        where = f" ({first.files[0].name} to {groups[-1].files[-1].name}, grid.mp4{shown})"
    elif first.grid is not None:
        what += ", side by side"
    print(f"wrote {options.out}{where}: {what}, {count * frames / seconds:.1f} frames/s")
    if len(kinds) > 1:
        named = ", ".join(beside(first.grid or first.files[0], kind).name for kind in kinds[1:])
        print(f"wrote {named} beside")
    run = options.run
    for name, value in (("--first-frame", options.first_frame), ("--context", options.context)):
        run += "" if value is None else f" {name} {value}"
    if options.save_latents is not None:
        for name, value in (("--frames", options.frames), ("--speed", options.speed)):
            run += "" if value is None else f" {name} {value:g}"
        print(f"wrote {options.save_latents}: what they were made from")
        print(
            f"next: the same videos again: videosynth generate {run} --latents {options.save_latents} --out again.mp4"
        )
    elif _without_chance(model):
        print(
            f"next: go on from what it ended with: videosynth generate {options.run} --context {options.out} --out on.mp4"
        )
    elif len(model.parts) > 1 and options.fix is None and not options.latents:
        part = next(iter(model.parts))
        print(
            f"next: one {part}, many variations: "
            f"videosynth generate {run} --count 8 --fix {part} --seed {plan.seeds[0]} --out grid.mp4"
        )
    else:
        seed = max(plan.seeds) + 1
        print(f"next: other videos: videosynth generate {run} --count {max(count, 16)} --seed {seed} --out samples")
