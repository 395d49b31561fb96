"""MoCoGAN (Tulyakov, Liu, Yang, Kautz 2018): how it trains and how frames are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videosynth import ops
from videosynth.losses.adversarial import generator_loss
from videosynth.models.base import Phase, VideoModel, check_batch
from videosynth.models.mocogan.networks import Content, Generator, ImageCritic, VideoCritic
from videosynth.models.mocogan.options import CriticShape, GeneratorShape, Losses
from videosynth.models.play import (
    Play,
    Schedule,
    asked_class,
    check_latents,
    chosen_attribute,
    critic_terms,
    hits,
    keep_smooth,
    known_ids,
    latent,
    one_step,
    only_looking,
    training_choices,
    training_noise,
    training_times,
)
from videosynth.types import CATEGORY, LATENT, Clip, DataSpec, Frame, Request, UserError

SCHEDULE = Schedule(weight_decay=1e-5)


class State(NamedTuple):
    """What a video carries from frame to frame."""

    content: Content
    category: Tensor | None  # (B, K) one-hot
    motion: Tensor  # (B, M)


class Fake(NamedTuple):
    frames: Tensor  # (B, T, 3, H, W)
    ids: Tensor | None  # (B) classes that they were made of


class MoCoGAN(VideoModel):
    """Videos of any length from a content vector and a path of motion vectors, with image and video critics (MoCoGAN)."""

    def __init__(
        self,
        spec: DataSpec,
        generator: GeneratorShape = GeneratorShape(),
        critic: CriticShape = CriticShape(),
        losses: Losses = Losses(),
        play: Play = Play(),
        schedule: Schedule = SCHEDULE,
    ) -> None:
        """Build the networks. ``spec`` comes from the data. Classes that infogan finds are asked for as ``category``.

        Raises:
            UserError: a size or length that no ladder reaches; a class is to be asked for and the data has none.
        """
        self_found = {CATEGORY: tuple(str(k) for k in range(generator.categories))}
        known = self_found if generator.mode == "infogan" else {}
        attribute = CATEGORY if generator.mode == "infogan" else ""
        if generator.mode == "supervised":
            attribute = chosen_attribute(spec, generator.attribute)
            known = {attribute: spec.attributes[attribute]}
        spec = replace(spec, maps=(), attributes=known)
        super().__init__(spec, generator=generator, critic=critic, losses=losses, play=play, schedule=schedule)
        self.attribute, self.shape, self.eyes = attribute, generator, critic
        self.play, self.schedule, self.total_steps = play, schedule, schedule.steps
        self.classes = len(known.get(attribute, ()))
        if self.classes and critic.video != "categorical":
            raise UserError(f"generator.mode {generator.mode} needs critic.video categorical, not {critic.video}")
        try:
            self.generator = Generator(spec.size, self.classes, generator)
            self.video_critic = VideoCritic(spec.size, schedule.clip_length, self.classes, critic)
            self.image_critic = None if critic.image == "none" else ImageCritic(spec.size, critic)
        except ValueError as error:
            raise UserError(str(error)) from None
        self._set_up(losses)

    def _set_up(self, losses: Losses) -> None:
        """Groups, weights and what a request may hold."""
        schedule, weights = self.schedule, self.play.critic_weights
        self.groups = {"g": schedule.group("generator"), "v": schedule.group("video_critic", critic=True)}
        drawn, read = (w if self.classes else 0.0 for w in (losses.category, losses.category_critic))
        beside = {"video": losses.video, "category": drawn, "first": losses.first if self.shape.from_image else 0.0}
        self.weights = {"g": {"image": losses.image, **beside}, "v": {**weights, "category": read}}
        if self.image_critic is None:
            self.weights["g"]["image"] = 0.0
        else:
            self.groups["i"] = schedule.group("image_critic", critic=True)
            self.weights["i"] = weights
        for critic in self._critics():
            self.play.prepared(*_bounded(critic))
        motion = ("start", "innovation", *((CATEGORY,) if self.classes else ()))
        self.parts = {"motion": motion} if self.shape.from_image else {"content": ("content",), "motion": motion}
        self.takes, self.uniform = frozenset({"latents", "speed"}), (CATEGORY,)
        if self.shape.from_image:
            self.needs, self.first_is_given = frozenset({"context"}), True

    def _critics(self) -> list[VideoCritic | ImageCritic]:
        return [c for c in (self.video_critic, self.image_critic) if c is not None]

    @classmethod
    def tiny(cls) -> MoCoGAN:
        spec = DataSpec(size=(16, 16), fps=8, attributes={"action": ("left", "right")})
        shape = GeneratorShape(content=6, motion=4, innovation=4, width=8, mode="supervised")
        schedule = replace(SCHEDULE, steps=50, clip_length=8, lr=5e-3, lr_critic=5e-4)
        return cls(spec, shape, CriticShape(image="plain", width=8), Losses(), Play(), schedule)

    # ---- the one cell

    def cell(self, innovation: Tensor, state: State) -> State:
        """One step of the motion path, ``innovation (B, E)``; :meth:`paint` shows where it has come to."""
        return state._replace(motion=self.generator.step(innovation, state.category, state.motion))

    def paint(self, state: State, motion: Tensor) -> Tensor:
        """Frames ``(B, T, 3, H, W)`` of a video's content at points ``motion (B, T, M)`` of its path."""
        return self.generator.frames(state.content, motion, state.category)

    # ---- use

    def generate(self, request: Request) -> Iterator[Frame]:
        sizes = {"content": self.shape.content, "start": self.shape.motion, CATEGORY: self.classes}
        known = {n: sizes[n] for part in self.parts.values() for n in part if n in sizes}
        check_latents(request, known, steps="innovation")
        frames = super().generate(request)
        check_batch("context", request.context, len(request.seeds), self.spec.size)
        if self.shape.from_image and (request.context is None or request.context.frames is None):
            raise UserError("the context has no frames: pass a picture with --first-frame")
        self._check_path(request)
        return frames

    def _check_path(self, request: Request) -> None:
        """Latents of the path are as many as the frames need."""
        given = (request.latents or {}).get("innovation")
        if given is None:
            return
        needed = ops.steps_of(request.frames or self.schedule.clip_length, request.speed)
        if (
            given.dim() != 3
            or given.shape[1] < needed
            or given.shape[::2] != (len(request.seeds), self.shape.innovation)
        ):
            raise UserError(
                f"the latents innovation have shape {tuple(given.shape)}, this request needs {len(request.seeds)} videos of "
                f"{needed} steps with {self.shape.innovation} numbers each: ask for fewer frames, or take other latents"
            )

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        """Any number of frames, one by one. The content, the start and the class leave as latents of the first frame, the noise
        of each step of the path with its frame (at speed 1, where steps are frames).
        """
        state, made = self._begin(request)
        count = request.frames or self.schedule.clip_length
        given = (request.latents or {}).get("innovation")
        sources = ops.generators(request.seeds, "innovation")

        def walk() -> Iterator[tuple[Tensor, Tensor]]:
            """Points of the path, and the noise that led there."""
            nonlocal state
            t = 0
            while given is None or t < given.shape[1]:
                drawn = ops.normal(sources, self.shape.innovation) if given is None else given[:, t].to(torch.float32)
                state = self.cell(drawn.to(self.device), state)
                yield state.motion, drawn.to(self.device)
                t += 1

        for t, (motion, innovation) in enumerate(_resampled(walk(), count, request.speed)):
            extras = dict(made) if t == 0 else {}
            if innovation is not None:
                extras[f"{LATENT}innovation"] = innovation
            yield Frame(self.paint(state, motion.unsqueeze(1))[:, 0], extras)

    def _begin(self, request: Request) -> tuple[State, dict[str, Tensor]]:
        """The state ahead of the first frame, and the latents of it."""
        seeds, shape = request.seeds, self.shape
        start = latent(request, "start", ops.normal(ops.generators(seeds, "start"), shape.motion)).to(self.device)
        made = {f"{LATENT}start": start}
        category = None
        if self.classes:
            category = asked_class(self.spec, self.attribute, request).to(self.device)
            made[f"{LATENT}{CATEGORY}"] = category
        if request.context is not None and request.context.frames is not None:
            given = ops.to_float(request.context.frames[:, -1].to(self.device))
        else:
            drawn = ops.normal(ops.generators(seeds, "content"), shape.content)
            given = latent(request, "content", drawn).to(self.device)
            made[f"{LATENT}content"] = given
        return State(self.generator.content(given), category, start), made

    # ---- training

    def phase_at(self, step: int) -> Phase:
        return self.schedule.phase(step)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        optimizers = super().configure_optimizers()
        for optimizer, critic in zip(optimizers[1:], self._critics(), strict=True):
            keep_smooth(self, optimizer, _bounded(critic), self.play)
        return optimizers

    def training_step(self, clip: Clip, _: Any) -> None:
        one_step(self, self.play, self.schedule, clip, self._fake, self._critic_steps, self._generator_step)

    def _fake(self, clip: Clip) -> Fake:
        """Videos from fresh noise (and the clips' first frames), of the classes that the clips have."""
        assert clip.frames is not None
        ids = None
        if self.shape.mode == "infogan":
            ids = training_choices(self, clip.batch, self.classes)
        elif self.classes:
            ids = known_ids(self, clip, self.attribute)
        category = None if ids is None else F.one_hot(ids, self.classes).float()
        if self.shape.from_image:
            given = ops.to_float(clip.frames[:, 0])
        else:
            given = training_noise(self, clip.batch, self.shape.content)
        start = training_noise(self, clip.batch, self.shape.motion)
        noise = training_noise(self, clip.batch, clip.length, self.shape.innovation)
        state = State(self.generator.content(given), category, start)
        path = []
        for t in range(clip.length):
            state = self.cell(noise[:, t], state)
            path.append(state.motion)
        return Fake(self.paint(state, torch.stack(path, dim=1)), ids)

    def _critic_steps(self, clip: Clip, fake: Fake) -> None:
        assert clip.frames is not None
        real, made = ops.to_float(clip.frames), fake.frames.detach()
        with self.step("v") as terms:
            classes: list[Tensor] = []  # of real, then fake videos: the head reads the features that the score does

            def score(video: Tensor) -> Tensor:
                judged = self.video_critic(video)
                classes.extend([] if judged.classes is None else [judged.classes])
                return judged.score

            scores = critic_terms(self, self.play, terms, score, real, made)
            if terms.wants("category"):
                terms["category"] = self._category_of(torch.cat(classes), clip, fake)
        self.log("v/accuracy", hits(self.play, *scores))
        if self.image_critic is not None:
            times = training_times(self, clip.batch, clip.length, self.eyes.frames)
            with self.step("i") as terms:
                eyes = (ops.some_frames(real, times), ops.some_frames(made, times))
                scores = critic_terms(self, self.play, terms, self.image_critic, *eyes)
            self.log("i/accuracy", hits(self.play, *scores))

    def _category_of(self, classes: Tensor, clip: Clip, fake: Fake) -> Tensor:
        """The class head (``classes`` of real videos, then of fakes) learns from real videos of known class, or, where the model
        finds the classes, from its own.
        """
        if self.shape.mode == "supervised":
            return _entropy(classes[: clip.batch], known_ids(self, clip, self.attribute))
        return _entropy(classes[clip.batch : 2 * clip.batch], fake.ids)

    def _generator_step(self, clip: Clip, fake: Fake) -> None:
        assert clip.frames is not None
        with self.step("g") as terms, only_looking(self.play.together(self), *self._critics()):
            judged = self.video_critic(fake.frames)
            if terms.wants("video"):
                terms["video"] = generator_loss(self.play.game, [judged.score])
            if terms.wants("category"):
                terms["category"] = _entropy(judged.classes, fake.ids)
            if terms.wants("image") and self.image_critic is not None:
                times = training_times(self, clip.batch, clip.length, self.eyes.frames)
                terms["image"] = generator_loss(
                    self.play.game, [self.image_critic(ops.some_frames(fake.frames, times))]
                )
            if terms.wants("first"):
                terms["first"] = (fake.frames[:, 0] - ops.to_float(clip.frames[:, 0])).abs().mean()


def _bounded(critic: VideoCritic | ImageCritic) -> list[nn.Module]:
    """What keeps a critic smooth is for these: the class head is no critic, its logits are to grow apart."""
    return [critic.trunk, critic.score]


def _entropy(classes: Tensor | None, ids: Tensor | None) -> Tensor:
    assert classes is not None
    assert ids is not None
    return F.cross_entropy(classes.float(), ids)


def _resampled(
    path: Iterator[tuple[Tensor, Tensor]], count: int, speed: float
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """``count`` points of a path of points ``(B, M)`` at 0, speed, 2 * speed, ..., linear between its steps; with the noise of
    each step where steps are frames.
    """
    before, noise = next(path)
    yield before, noise if speed == 1 else None
    after, at = before, 0  # ``before`` and ``after`` are the steps at - 1 and at
    for t in range(1, count):
        position = t * speed
        while at < position - 1e-9:
            before = after
            after, noise = next(path)
            at += 1
        share = min(max(position - (at - 1), 0.0), 1.0)
        yield before + share * (after - before), noise if speed == 1 else None
