"""pix2pixHD (Wang et al. 2018, High-Resolution Image Synthesis): each frame from its own maps, with no memory.

The per-frame model that vid2vid grew from: a first frame for it, and the baseline that every video model must beat in
coherence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from videosynth import ops
from videosynth.losses import adversarial
from videosynth.losses.feature import feature_matching
from videosynth.losses.perceptual import perceptual_distances
from videosynth.models.base import Group, Phase, Terms, VideoModel, needed_maps
from videosynth.models.phases import growth, held_then_falling
from videosynth.models.pix2pixhd.networks import Pix2PixHDGenerator
from videosynth.models.pix2pixhd.options import CriticShape, GeneratorShape, Losses, Schedule
from videosynth.nn.blocks import normal_init
from videosynth.nn.critics import MultiscaleCritic, logits
from videosynth.nn.trunks import FeatureTrunk, load_trunk
from videosynth.types import Clip, DataSpec, Frame, MapSpec, Request, UserError


class Pix2PixHD(VideoModel):
    """Pictures from maps, frame by frame. See the module's docstring; presets are in ``configs/pix2pixhd``."""

    needs: frozenset[str] = frozenset({"maps"})

    def __init__(
        self,
        spec: DataSpec,
        generator: GeneratorShape = GeneratorShape(),
        critic: CriticShape = CriticShape(),
        losses: Losses = Losses(),
        schedule: Schedule = Schedule(),
    ) -> None:
        """Build the networks. ``spec`` comes from the data.

        Raises:
            UserError: the spec has no maps to paint from.
        """
        super().__init__(spec, generator=generator, critic=critic, losses=losses, schedule=schedule)
        if not spec.maps:
            raise UserError("pix2pixHD paints from maps, but the data has none: add a labels folder, or another map")
        self.shape, self.losses, self.schedule = generator, losses, schedule
        self.total_steps = schedule.steps
        self.generator = Pix2PixHDGenerator(spec.channels, generator)
        self.critic = MultiscaleCritic(spec.channels + 3, critic.width, critic.layers, critic.scales)
        normal_init(self.critic)
        self.trunk: FeatureTrunk | None = None  # loaded when training starts
        betas = (schedule.beta1, 0.999)
        self.groups = {
            "g": Group(("generator",), schedule.lr, betas),
            "d": Group(("critic",), schedule.lr_critic or schedule.lr, betas),
        }
        self.weights = {
            "g": {name: getattr(losses, name) for name in ("adv", "feature", "perceptual", "reconstruction")},
            "d": {"adv": float(losses.adv > 0), "penalty": losses.penalty},
        }

    @classmethod
    def tiny(cls) -> Pix2PixHD:
        spec = DataSpec(
            maps=(MapSpec("labels", "classes", 3, void=3), MapSpec("instances", "instances", 1)), size=(16, 24), fps=8
        )
        return cls(
            spec,
            GeneratorShape(width=8, downsamples=1, blocks=2, enhancers=1, enhancer_blocks=1),
            CriticShape(width=4, layers=2, scales=1),
            Losses(network="none", perceptual=0.0),
            Schedule(steps=100, clip_length=2, grow=0.1, alone=0.1, lr=2e-3),
        )

    # ---- use

    def cell(self, maps: dict[str, Tensor], state: None = None) -> tuple[Frame, None]:
        """One frame. maps: ids ``(B, H, W)``, others ``(B, C, H, W)``; any H and W (padded inside, cropped on output)."""
        height, width = next(iter(maps.values())).shape[-2:]
        encoded = ops.encode_maps({m.name: maps[m.name] for m in self.spec.maps}, self.spec)
        encoded = ops.pad_to_multiple(encoded, self.shape.multiple, self.shape.smallest)
        image = self.generator(encoded)[..., :height, :width]
        return Frame(image), state

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        assert request.maps is not None
        for count, given in enumerate(request.maps):
            if request.frames is not None and count >= request.frames:
                return
            maps = needed_maps(given, self.spec, count, len(request.seeds), self.device)
            smaller = (
                self.generator.active.reduction
            )  # a run that was stopped early paints at the size it was trained at
            if smaller == 1:
                yield self.cell(maps)[0]
            else:
                height, width = next(iter(maps.values())).shape[-2:]
                yield ops.larger_frame(self.cell(ops.smaller_maps(maps, smaller))[0], (height, width))

    # ---- training

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.losses.perceptual and self.trunk is None:
            self.trunk = load_trunk(self.losses.network)
            if self.trunk is None:
                raise UserError(
                    "the perceptual loss has a weight but no network: set losses.network, or losses.perceptual to 0"
                )
            self.trunk.to(self.device)

    def phase_at(self, step: int) -> Phase:
        s, scales = self.schedule, self.shape.scales
        grown = growth(step, s.steps, scales, s.grow, s.alone)
        height, width = self.spec.size
        missing = scales - grown.scales
        return Phase(
            clip_length=s.clip_length,
            bptt=1,
            lr=held_then_falling(step, s.steps, s.decay_from),
            size=(max(height >> missing, 1), max(width >> missing, 1)) if scales > 1 else None,
            scales=grown.scales,
            rests=tuple(f"generator.{name}" for name in self.generator.resting(grown.scales, grown.alone)),
        )

    def training_step(self, clip: Clip, _: Any) -> None:
        assert clip.frames is not None
        phase = self.phase_at(self.steps)
        self.generator.active.use(phase.scales or 1)
        real = ops.to_float(ops.fold(clip.frames))
        maps = {k: ops.fold(v) for k, v in clip.maps.items()}
        labels = ops.encode_maps(maps, self.spec)
        fake = self.cell(maps)[0].image
        # The critic looks at the real frames once, for both sides: the generator steps first, so that feature matching
        # compares features of one and the same critic.
        seen = self.critic(torch.cat([labels, real], dim=1)) if self.losses.adv or self.losses.feature else None
        with self.step("g") as terms:
            if seen is not None:
                scores = self.critic(torch.cat([labels, fake], dim=1))
                if terms.wants("adv"):
                    terms["adv"] = adversarial.generator_loss(self.losses.game, logits(scores))
                if terms.wants("feature"):
                    terms["feature"] = feature_matching(scores, seen)
            self._picture_terms(terms, fake, real)
        with self.step("d") as terms:
            if terms.wants("adv") and seen is not None:
                scores = logits(self.critic(torch.cat([labels, fake.detach()], dim=1)))
                terms["adv"] = adversarial.critic_loss(self.losses.game, logits(seen), scores)
                self.log("d/accuracy", adversarial.accuracy(logits(seen), scores, self.losses.game))
            if terms.wants("penalty"):
                a, b = (torch.cat([labels, x.detach()], dim=1) for x in (real, fake))
                terms["penalty"] = adversarial.gradient_penalty(lambda x: logits(self.critic(x)), a, b)
        self.steps += 1

    def _picture_terms(self, terms: Terms, fake: Tensor, real: Tensor) -> None:
        if terms.wants("perceptual"):
            assert self.trunk is not None
            terms["perceptual"] = perceptual_distances(self.trunk, [fake], real)[0]
        if terms.wants("reconstruction"):
            terms["reconstruction"] = (fake - real).abs().mean()
