"""Videos from noise: what is asked for, video by video, with parts that are fixed, exchanged or on the way to another seed's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videosynth import ops
from videosynth.apps.latents import Latents, Saved, check_fit, collect, load_latents, part_of
from videosynth.models.base import VideoModel, check_batch
from videosynth.types import CATEGORY, Clip, Frame, Request, UserError

BATCH = 16  # videos that a model makes at a time


@dataclass(frozen=True)
class Plan:
    """What some videos are made from, one seed each.

    Several values of an attribute go round over the videos. ``latents`` are ``(N, D)`` or ``(N, T, D)``; ``context`` is that of
    all videos, or one for each.
    """

    seeds: tuple[int, ...]
    frames: int | None = None
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    latents: Latents | None = None
    context: Clip | None = None
    speed: float = 1.0

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The attributes' values, one per video."""
        return {k: tuple(v[i % len(v)] for i in range(len(self))) for k, v in self.attributes.items()}

    def first(self) -> Plan:
        """The first video alone, without latents from elsewhere."""
        return replace(self, seeds=self.seeds[:1], latents=None, context=self.request(0, 1).context)

    def request(self, start: int = 0, stop: int | None = None) -> Request:
        """For the videos ``start`` to ``stop`` (not with it)."""
        part = slice(start, stop)
        seeds = self.seeds[part]
        context = self.context
        if context is not None and context.frames is not None:
            if context.batch == 1:
                context = Clip(frames=context.frames.expand(len(seeds), -1, -1, -1, -1))
            else:
                check_batch("the context", context, len(self))
                context = Clip(frames=context.frames[part])
        return Request(
            seeds=seeds,
            frames=self.frames,
            attributes={k: v[part] for k, v in self.values.items()},
            latents=None if self.latents is None else {k: v[part] for k, v in self.latents.items()},
            context=context,
            speed=self.speed,
        )


def videos(
    model: VideoModel,
    seeds: Sequence[int],
    frames: int | None = None,
    attributes: dict[str, tuple[str, ...]] | None = None,
    context: Clip | None = None,
    batch: int = BATCH,
    latents: Latents | None = None,
    speed: float = 1.0,
) -> np.ndarray:
    """``N T H W 3`` uint8, one video per seed, ``batch`` at a time, which changes them no further than by rounding.

    ``frames`` None: as many as the model makes by itself. Several values of an attribute go round over the videos.

    Raises:
        UserError: the model refuses what is asked.
    """
    plan = Plan(tuple(seeds), frames, attributes or {}, latents, context, speed)
    height, width = model.spec.size
    made = [np.zeros((0, frames or model.phase_at(0).clip_length, height, width, 3), np.uint8)] if not seeds else []
    for start in range(0, len(plan), batch):
        stream = model.generate(plan.request(start, start + batch))
        made.append(np.stack([images(frame) for frame in stream], axis=1))
    if frames is not None and made[0].shape[1] != frames:
        kind = type(model).__name__
        raise UserError(f"{kind} made {made[0].shape[1]} frames, not the {frames} asked for: ask for fewer")
    return np.concatenate(made)


def images(frame: Frame) -> np.ndarray:
    """``B H W 3`` uint8"""
    return ops.to_uint8(frame.image).permute(0, 2, 3, 1).cpu().numpy()


# Latents of plans ---------------------------------------------------------------------------------------------------------


def own_latents(model: VideoModel, plan: Plan) -> Latents:
    """Those that the plan's seeds draw, at the speed they were trained at, as many steps as the plan's speed needs."""
    return collect(model, replace(plan, latents=None, speed=1.0, frames=_steps(model, plan)).request())


def _steps(model: VideoModel, plan: Plan) -> int | None:
    """Steps of motion that the plan's frames go through."""
    if plan.frames is None:
        return None
    steps = ops.steps_of(plan.frames, plan.speed)
    return steps if model.longest is None else min(steps, model.longest)


def fixed(model: VideoModel, plan: Plan, part: str) -> Plan:
    """The plan with one part (``content``, ``motion``) of its first video for all.

    Raises:
        UserError: the model has no such part.
    """
    names = part_of(model, part)
    found = own_latents(model, plan.first())
    return replace(plan, latents={n: _repeated(found[n], len(plan)) for n in names if n in found})


def interpolated(model: VideoModel, plan: Plan, other: int, fix: str | None = None) -> Plan:
    """Videos on the way from the first one of the plan to that of another seed; with ``fix`` that part stays the first one's.

    Raises:
        UserError: the model has no latents, or no such part.
    """
    still = () if fix is None else part_of(model, fix)
    seed = plan.seeds[0]
    # The attributes of both ends are those of the first video: what is asked for is not mixed.
    attributes = {k: v[:1] for k, v in plan.values.items()}
    ends = own_latents(model, replace(plan.first(), seeds=(seed, other), attributes=attributes))
    shares = [i / (len(plan) - 1) for i in range(len(plan))]
    latents: Latents = {}
    for name, (a, b) in ends.items():
        moved = [a if name in still else between(a, b, share, name in model.uniform) for share in shares]
        latents[name] = torch.stack(moved)
    return replace(plan, seeds=(seed,) * len(plan), latents=latents)


def between(a: Tensor, b: Tensor, share: float, uniform: bool = False) -> Tensor:
    """From ``a`` to ``b (..., D)``: on the sphere through them for Gaussian latents, whose lengths hardly vary; straight for
    ``uniform`` ones (and choices), whose box the sphere would leave.
    """
    if share in (0, 1):
        return b if share else a
    straight = torch.lerp(a, b, share)
    if uniform:
        return straight
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1).clamp(-1, 1).unsqueeze(-1)
    angle = torch.acos(cosine)
    size = torch.sin(angle)
    way = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / size
    return torch.where(size < 1e-4, straight, way)  # on one line there is no way round


def exchanged(model: VideoModel, plan: Plan, words: Sequence[str], count: int | None, seed: int | None) -> Plan:
    """The plan with latents from files: ``FILE``, or ``FILE:PART`` for one part of it. What no file holds is drawn.

    ``count`` None makes as many videos as the files hold; ``seed`` None takes the first file's seeds. Attributes that
    the plan does not name are the first file's, unless the class is among the latents.

    Raises:
        UserError: a file is missing or another model's; too few videos or steps; a latent from two files.
    """
    # Latents of one video tell names, sizes, and which belong to steps. They do not depend on attributes.
    known = own_latents(model, replace(plan.first(), frames=1, attributes={}))
    chosen: list[tuple[Saved, Latents]] = []
    taken: dict[str, Path] = {}
    for word in words:
        saved, names = _chosen(word)
        check_fit(saved, model, known)
        for name in names:
            if name in taken:
                raise UserError(f"the latents {name} are in {taken[name]} and in {saved.path}: name parts, FILE:PART")
            taken[name] = saved.path
        chosen.append((saved, {n: saved.latents[n] for n in names}))
    number = count or max(saved.count for saved, _ in chosen)
    for saved, _ in chosen:
        if saved.count != 1 and saved.count < number:
            raise UserError(f"{saved.path} holds {saved.count} videos, not {number}: pass --count {saved.count}")
    first = chosen[0][0]
    begin = first.seeds[0] if seed is None else seed
    seeds = first.seeds[:number] if seed is None and number <= first.count else tuple(range(begin, begin + number))
    asked = {} if CATEGORY in taken else first.attributes
    plan = replace(plan, seeds=seeds, attributes=asked | plan.attributes)
    plan = _as_long(plan, chosen)
    steps = _steps(model, plan)
    latents = {}
    for _, found in chosen:
        for name, value in found.items():
            value = value[:, :steps] if value.ndim == 3 else value
            latents[name] = _repeated(value, number)
    return replace(plan, latents=latents)


def _chosen(word: str) -> tuple[Saved, tuple[str, ...]]:
    """A file and the names of its latents that ``FILE[:PART]`` means."""
    path, colon, part = word.rpartition(":")
    if not colon or Path(word).is_file():
        saved = load_latents(word)
        return saved, tuple(saved.latents)
    saved = load_latents(path)
    if part not in saved.parts:
        known = ", ".join(saved.parts) or "no parts"
        raise UserError(f"--latents {word}: the file has no part {part!r}, it has {known}")
    return saved, tuple(n for n in saved.parts[part] if n in saved.latents)


def _as_long(plan: Plan, chosen: list[tuple[Saved, Latents]]) -> Plan:
    """The plan, whose motion no file is too short for; without a number of frames, those that the shortest file has."""
    asked = plan.frames
    for saved, found in chosen:
        held = min((v.shape[1] for v in found.values() if v.ndim == 3), default=None)
        if held is None:
            continue
        most = ops.points_on(held, plan.speed)
        if asked is None:
            plan = replace(plan, frames=most if plan.frames is None else min(plan.frames, most))
        elif asked > most:
            raise UserError(
                f"{saved.path} holds {held} steps of motion, enough for {most} frames, not {asked}: pass --frames {most}"
            )
    return plan


def _repeated(value: Tensor, count: int) -> Tensor:
    """One video's latents for all; of several, those of the first ``count``."""
    return value.expand(count, *value.shape[1:]) if value.shape[0] == 1 else value[:count]
