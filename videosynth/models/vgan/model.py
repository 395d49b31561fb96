"""VGAN (Vondrick, Pirsiavash, Torralba 2016): how it trains and how frames are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from videosynth import ops
from videosynth.losses.adversarial import generator_loss
from videosynth.models.base import Phase, VideoModel, check_batch
from videosynth.models.play import (
    Play,
    Schedule,
    check_latents,
    critic_terms,
    hits,
    keep_smooth,
    latent,
    one_step,
    only_looking,
    training_noise,
)
from videosynth.models.vgan.networks import Critic, FrameGenerator, Grid, Layers, NoiseGenerator
from videosynth.models.vgan.options import CriticShape, GeneratorShape, Losses
from videosynth.types import LATENT, Clip, DataSpec, Frame, Request, UserError

SCHEDULE = Schedule(clip_length=32)


class VGAN(VideoModel):
    """Videos of a fixed length from one vector or a first frame: a moving foreground over a still background (VGAN)."""

    def __init__(
        self,
        spec: DataSpec,
        generator: GeneratorShape = GeneratorShape(),
        critic: CriticShape = CriticShape(),
        losses: Losses = Losses(),
        play: Play = Play(),
        schedule: Schedule = SCHEDULE,
    ) -> None:
        """Build the networks. ``spec`` comes from the data.

        Raises:
            UserError: a size or length that no ladder reaches.
        """
        spec = replace(spec, maps=(), attributes={})
        super().__init__(spec, generator=generator, critic=critic, losses=losses, play=play, schedule=schedule)
        self.shape, self.play, self.schedule = generator, play, schedule
        self.total_steps, self.longest = schedule.steps, schedule.clip_length
        try:
            grid = Grid.of(schedule.clip_length, spec.size)
        except ValueError as error:
            raise UserError(str(error)) from None
        self.generator = (FrameGenerator if generator.conditional else NoiseGenerator)(grid, generator)
        width = 2 * critic.width if generator.conditional else critic.width  # the reference's is wider there
        self.critic = Critic(grid, replace(critic, width=width))
        play.prepared(self.critic)
        self.groups = {"g": schedule.group("generator"), "d": schedule.group("critic", critic=True)}
        masked = generator.streams == 2 and not generator.conditional
        beside = {"mask": losses.mask if masked else 0.0, "first": losses.first if generator.conditional else 0.0}
        self.weights = {"g": {"adv": 1.0, **beside}, "d": play.critic_weights}
        self.pictures = ("mask", "foreground", "background") if generator.streams == 2 else ()
        if generator.conditional:
            self.needs, self.first_is_given = frozenset({"context"}), True
        else:
            self.takes = frozenset({"latents"})

    @classmethod
    def tiny(cls) -> VGAN:
        schedule = replace(SCHEDULE, steps=50, clip_length=4, lr=2e-3, lr_critic=5e-4)
        shape = GeneratorShape(latent=8, width=8)
        return cls(DataSpec(size=(16, 16), fps=8), shape, CriticShape(width=8), Losses(), Play(), schedule)

    # ---- the one cell

    def cell(self, code: Tensor) -> Layers:
        """A whole video from noise ``(B, Z)``, or, where conditional, from first frames ``(B, 3, H, W)`` in [-1, 1]."""
        return self.generator(code)

    # ---- use

    def generate(self, request: Request) -> Iterator[Frame]:
        check_latents(request, {} if self.shape.conditional else {"z": self.shape.latent})
        frames = super().generate(request)
        check_batch("context", request.context, len(request.seeds), self.spec.size)
        if self.shape.conditional and (request.context is None or request.context.frames is None):
            raise UserError("the context has no frames: pass a picture with --first-frame")
        return frames

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        """The video is made whole and handed out frame by frame; mask, foreground and background leave as extras, the noise
        as ``latents/z`` of the first one.
        """
        made: dict[str, Tensor] = {}
        if request.context is not None and request.context.frames is not None:
            code = ops.to_float(request.context.frames[:, -1].to(self.device))
        else:
            drawn = ops.normal(ops.generators(request.seeds, "z"), self.shape.latent)
            code = latent(request, "z", drawn).to(self.device)
            made = {f"{LATENT}z": code}
        video = self.cell(code)
        for t in range(request.frames or self.schedule.clip_length):
            extras = {} if t else dict(made)
            if video.mask is not None and video.foreground is not None and video.background is not None:
                extras |= {
                    "mask": video.mask[:, t],
                    "foreground": video.foreground[:, t],
                    "background": video.background,
                }
            yield Frame(video.frames[:, t], extras)

    # ---- training

    def phase_at(self, step: int) -> Phase:
        return self.schedule.phase(step)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        optimizers = super().configure_optimizers()
        keep_smooth(self, optimizers[1], [self.critic], self.play)
        return optimizers

    def training_step(self, clip: Clip, _: Any) -> None:
        one_step(self, self.play, self.schedule, clip, self._fake, self._critic_step, self._generator_step)

    def _fake(self, clip: Clip) -> Layers:
        """Videos from fresh noise, or from the clips' first frames."""
        assert clip.frames is not None
        if self.shape.conditional:
            return self.cell(ops.to_float(clip.frames[:, 0]))
        return self.cell(training_noise(self, clip.batch, self.shape.latent))

    def _critic_step(self, clip: Clip, fake: Layers) -> None:
        assert clip.frames is not None
        with self.step("d") as terms:
            scores = critic_terms(self, self.play, terms, self.critic, ops.to_float(clip.frames), fake.frames.detach())
        self.log("d/accuracy", hits(self.play, *scores))

    def _generator_step(self, clip: Clip, fake: Layers) -> None:
        assert clip.frames is not None
        with self.step("g") as terms, only_looking(self.play.together(self), self.critic):
            terms["adv"] = generator_loss(self.play.game, [self.critic(fake.frames)])
            if terms.wants("mask") and fake.mask is not None:
                terms["mask"] = fake.mask.mean()
            if terms.wants("first"):
                terms["first"] = (fake.frames[:, 0] - ops.to_float(clip.frames[:, 0])).abs().mean()
