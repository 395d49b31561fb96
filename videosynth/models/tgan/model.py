"""TGAN (Saito, Matsumoto, Saito 2017): how it trains and how frames are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth import ops
from videosynth.losses.adversarial import generator_loss
from videosynth.models.base import Phase, VideoModel
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
    training_noise,
)
from videosynth.models.tgan.networks import Critic, Generator, Video
from videosynth.models.tgan.options import CriticShape, GeneratorShape
from videosynth.types import CATEGORY, LATENT, Clip, DataSpec, Frame, Request, UserError

PLAY = Play("wasserstein", "svc")
SCHEDULE = Schedule(lr=5e-5, lr_critic=5e-5, optimizer="rmsprop")


class Fake(NamedTuple):
    frames: Tensor  # (B, T, 3, H, W)
    label: Tensor | None  # (B, K) one-hot classes that they were made of


class TGAN(VideoModel):
    """Videos of a fixed length from one vector: a temporal generator makes a path, an image generator paints it (TGAN)."""

    takes = frozenset({"latents", "speed"})

    def __init__(
        self,
        spec: DataSpec,
        generator: GeneratorShape = GeneratorShape(),
        critic: CriticShape = CriticShape(),
        play: Play = PLAY,
        schedule: Schedule = SCHEDULE,
    ) -> None:
        """Build the networks. ``spec`` comes from the data.

        Raises:
            UserError: a size or length that no ladder reaches; a class is to be asked for and the data has none.
        """
        attribute = chosen_attribute(spec, generator.attribute) if generator.conditional else ""
        known = {attribute: spec.attributes[attribute]} if attribute else {}
        spec = replace(spec, maps=(), attributes=known)
        super().__init__(spec, generator=generator, critic=critic, play=play, schedule=schedule)
        self.attribute, self.shape, self.play, self.schedule = attribute, generator, play, schedule
        self.total_steps, self.longest = schedule.steps, schedule.clip_length
        self.classes = len(known.get(attribute, ()))
        try:
            self.generator = Generator(schedule.clip_length, spec.size, self.classes, generator)
            self.critic = Critic(schedule.clip_length, spec.size, self.classes, critic)
        except ValueError as error:
            raise UserError(str(error)) from None
        play.prepared(self.critic)
        self.groups = {"g": schedule.group("generator"), "d": schedule.group("critic", critic=True)}
        self.weights = {"g": {"adv": 1.0}, "d": play.critic_weights}
        self.uniform = ("z", CATEGORY)

    @classmethod
    def tiny(cls) -> TGAN:
        schedule = replace(SCHEDULE, steps=50, clip_length=4, lr=2e-3, lr_critic=2e-3)
        shape = GeneratorShape(latent=8, motion=8, temporal=8, width=8)
        return cls(DataSpec(size=(16, 16), fps=8), shape, CriticShape(width=8), PLAY, schedule)

    # ---- the one cell

    def cell(self, z: Tensor, label: Tensor | None, positions: Tensor | None = None) -> Video:
        """A whole video from ``z (B, Z)`` in [-1, 1] and, where classes are known, one-hot vectors ``(B, K)``."""
        return self.generator(z, label, positions)

    def _label(self, ids: Tensor) -> Tensor | None:
        return F.one_hot(ids, self.classes).float().to(self.device) if self.classes else None

    # ---- use

    def generate(self, request: Request) -> Iterator[Frame]:
        sizes = {"z": self.shape.latent} | ({CATEGORY: self.classes} if self.classes else {})
        check_latents(request, sizes)
        return super().generate(request)

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        """The video is made whole and handed out frame by frame; noise and class are in the first one, as latents."""
        z = latent(request, "z", ops.uniform(ops.generators(request.seeds, "z"), self.shape.latent)).to(self.device)
        label = asked_class(self.spec, self.attribute, request).to(self.device) if self.classes else None
        most = ops.points_on(self.schedule.clip_length, request.speed)
        positions = torch.arange(request.frames or most, device=self.device) * request.speed
        video = self.cell(z, label, positions)
        made = {f"{LATENT}z": z} | ({} if label is None else {f"{LATENT}{CATEGORY}": label})
        for t in range(len(positions)):
            yield Frame(video.frames[:, t], {} if t else made)

    # ---- training

    def phase_at(self, step: int) -> Phase:
        return self.schedule.phase(step)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        optimizers = super().configure_optimizers()
        keep_smooth(self, optimizers[1], [self.critic], self.play)
        return optimizers

    def training_step(self, clip: Clip, _: Any) -> None:
        one_step(self, self.play, self.schedule, clip, self._fake, self._critic_step, self._generator_step)

    def _fake(self, clip: Clip) -> Fake:
        """Videos from fresh noise, of the classes that the clips have."""
        if clip.batch < 2:
            raise UserError(
                "TGAN's batch norms need two clips or more at once: set data.batch_size to at least twice "
                "model.schedule.critic_steps"
            )
        z = 2 * torch.special.ndtr(training_noise(self, clip.batch, self.shape.latent)) - 1  # U(-1, 1)
        label = None
        if self.classes:
            label = self._label(known_ids(self, clip, self.attribute))
        return Fake(self.cell(z, label).frames, label)

    def _critic_step(self, clip: Clip, fake: Fake) -> None:
        assert clip.frames is not None
        with self.step("d") as terms:
            real = ops.to_float(clip.frames)
            scores = critic_terms(self, self.play, terms, partial(self._score, fake.label), real, fake.frames.detach())
        self.log("d/accuracy", hits(self.play, *scores))

    def _score(self, label: Tensor | None, video: Tensor) -> Tensor:
        """Real and fake videos together are of the same classes twice."""
        return self.critic(video, None if label is None else label.repeat(len(video) // len(label), 1))

    def _generator_step(self, clip: Clip, fake: Fake) -> None:
        with self.step("g") as terms, only_looking(self.play.together(self), self.critic):
            terms["adv"] = generator_loss(self.play.game, [self.critic(fake.frames, fake.label)])
