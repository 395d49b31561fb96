"""vid2vid (Wang et al. 2018): how the networks train and how frames are made.

One cell paints one frame from the current maps and a state; training and generation call the same cell and differ
only in what the state starts from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from videosynth import ops
from videosynth.losses import adversarial
from videosynth.losses.feature import feature_matching
from videosynth.losses.flow import masked_l1
from videosynth.losses.perceptual import perceptual
from videosynth.models.base import Group, Phase, Terms, VideoModel, check_batch
from videosynth.models.vid2vid.networks import CompositeGenerator, GeneratorShape
from videosynth.models.vid2vid.options import CriticShape, Losses, Schedule
from videosynth.nn.blocks import normal_init
from videosynth.nn.critics import MultiscaleCritic, Scores, logits, part
from videosynth.nn.frozen import Frozen
from videosynth.nn.trunks import load_trunk
from videosynth.types import Clip, DataSpec, Frame, MapSpec, Request, UserError


class State(NamedTuple):
    """What the cell remembers: ``past`` frames and their maps (ids stay ids), oldest first."""

    frames: Tensor  # (B, P, 3, H, W) in [-1, 1]
    maps: dict[str, Tensor]  # each (B, P, ...)
    known: Tensor  # (B,) bool: the newest frame of the history exists


class Seen(NamedTuple):
    """What the temporal critic saw at the end of the previous chunk: up to K-1 frames."""

    real: Tensor  # (B, N, 3, H, W)
    fake: Tensor
    flow: Tensor | None  # (B, N, 2, H, W)


class Rollout(NamedTuple):
    """Consecutive generated frames, ``(B, T, ...)``; flow, mask and warped are None without the flow branch."""

    image: Tensor
    raw: Tensor
    flow: Tensor | None
    mask: Tensor | None
    first: Tensor  # (B, T) bool: the frame had no history


class Vid2Vid(VideoModel):
    """Maps in, video out. See the module's and the networks' docstrings; presets are in ``configs/vid2vid``."""

    needs: ClassVar[frozenset[str]] = frozenset({"maps"})

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
            raise UserError("vid2vid paints from maps, but the data has none: add a labels folder, or another map")
        if min(generator.width, generator.blocks) < 1 or min(generator.past, generator.downsamples) < 0:
            raise UserError("generator.width and blocks must be 1 or more, past and downsamples 0 or more")
        if min(generator.refresh, generator.persist) < 0 or generator.refresh + generator.persist >= 1:
            raise UserError("generator.refresh and generator.persist must be 0 or more, together less than 1")
        if not generator.past and generator.flow:
            raise UserError(
                "without past frames there is nothing to warp: set generator.flow to false, or past to 1 or more"
            )
        self.shape, self.critic_shape, self.losses, self.schedule = generator, critic, losses, schedule
        self.total_steps = schedule.steps
        longest = max(schedule.clip_length, schedule.clip_longest if schedule.clip_double else 0)
        longest -= generator.past if schedule.start == "given" else 0  # frames that are not painted
        if (losses.adv_t or losses.feature_t) and longest < critic.frames:
            raise UserError(
                f"the temporal critic looks at {critic.frames} frames, but clips never grow beyond {longest}: "
                "raise schedule.clip_length, or set losses.adv_t and losses.feature_t to 0"
            )
        self.generator = CompositeGenerator(spec.channels, generator, ops.one_hot_channels(spec))
        self.image_critic = MultiscaleCritic(spec.channels + 3, critic.width, critic.layers, critic.scales)
        motion_channels = 3 * critic.frames + 2 * (critic.frames - 1)
        self.temporal_critic = MultiscaleCritic(motion_channels, critic.width, critic.layers, critic.scales)
        normal_init(self.image_critic)
        normal_init(self.temporal_critic)
        self.trunk: Frozen | None = None  # loaded when training starts

        rate = schedule.lr_critic or schedule.lr
        betas = (schedule.beta1, 0.999)
        self.groups = {
            "g": Group(("generator",), schedule.lr, betas),
            "d": Group(("image_critic",), rate, betas),
            "t": Group(("temporal_critic",), rate, betas),
        }
        generator_terms = ("adv", "adv_t", "feature", "feature_t", "perceptual", "flow", "warp", "coherence", "mask")
        self.weights = {
            "g": {name: getattr(losses, name) for name in (*generator_terms, "reconstruction")},
            "d": {"adv": float(losses.adv > 0), "penalty": losses.penalty},
            "t": {"adv": float(losses.adv_t > 0), "penalty": losses.penalty},
        }

    @classmethod
    def tiny(cls) -> Vid2Vid:
        spec = DataSpec(
            maps=(MapSpec("labels", "classes", 3, void=3), MapSpec("instances", "instances", 1)), size=(16, 24), fps=8
        )
        return cls(
            spec,
            GeneratorShape(width=4, downsamples=2, blocks=2),
            CriticShape(width=4, layers=2, scales=1),
            Losses(network="none", perceptual=0.0),
            Schedule(steps=100, clip_length=4, clip_double=0, bptt=2, start="both", lr=2e-3),
        )

    # ---- the one cell

    def start(self, batch: int, maps: dict[str, Tensor], context: Clip | None = None) -> State:
        """The state before the first frame. ``maps`` are those of the first frame: they stand in for the missing past.

        Without context the history is zeros and unknown. With it, its last frames are the history, the oldest repeated
        where there are fewer than the generator looks at; its maps are used where it has any.
        """
        past = self.shape.past
        device = next(iter(maps.values())).device
        height, width = next(iter(maps.values())).shape[-2:]
        frames = torch.zeros(batch, past, 3, height, width, device=device)
        old = {k: v.unsqueeze(1).expand(-1, past, *v.shape[1:]) for k, v in maps.items()}
        known = torch.zeros(batch, dtype=torch.bool, device=device)
        if context is not None and context.frames is not None and past:
            frames = _newest(ops.to_float(context.frames.to(device)), past)
            old = {k: _newest(context.maps[k].to(device), past) if k in context.maps else v for k, v in old.items()}
            known = torch.ones_like(known)
        return State(frames, old, known)

    def cell(self, maps: dict[str, Tensor], state: State) -> tuple[Frame, State]:
        """One frame. maps: ids ``(B, H, W)``, others ``(B, C, H, W)``; any H and W (padded inside, cropped on output)."""
        past = self.shape.past
        height, width = next(iter(maps.values())).shape[-2:]
        steps = [{k: v[:, i] for k, v in state.maps.items()} for i in range(past)] + [maps]
        encoded = torch.cat([ops.encode_maps(m, self.spec) for m in steps], dim=1)
        encoded = ops.pad_to_multiple(encoded, self.shape.multiple, self.shape.smallest)
        history = ops.pad_to_multiple(state.frames.flatten(1, 2), self.shape.multiple, self.shape.smallest)
        painted = self.generator(encoded, history, state.known)

        extras = {
            name: value[..., :height, :width]
            for name, value in painted._asdict().items()
            if value is not None and name != "image"
        }
        extras["first"] = ~state.known
        image = painted.image[..., :height, :width]
        if past:
            # Frames before the first one do not exist: the first frame stands in for them.
            repeated = image.unsqueeze(1).expand(-1, past, -1, -1, -1)
            moved = torch.cat([state.frames[:, 1:], image.unsqueeze(1)], dim=1)
            frames = torch.where(state.known.view(-1, 1, 1, 1, 1), moved, repeated)
            old = {k: torch.cat([v[:, 1:], maps[k].unsqueeze(1)], dim=1) for k, v in state.maps.items()}
            state = State(frames, old, state.known)
        state = state._replace(known=torch.ones_like(state.known))
        return Frame(image, extras), state

    # ---- use

    def generate(self, request: Request) -> Iterator[Frame]:
        frames = super().generate(request)
        check_batch("context", request.context, len(request.seeds))
        if request.context is not None and not self.shape.past:
            raise UserError("this model looks at no past frames, so it cannot take a first frame")
        return frames

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        assert request.maps is not None
        state: State | None = None
        device = self.device
        for count, given in enumerate(request.maps):
            if request.frames is not None and count >= request.frames:
                return
            maps = self._checked({k: v.to(device) for k, v in given.items()}, count, len(request.seeds))
            if state is None:
                state = self.start(len(request.seeds), maps, request.context)
                if state.frames.shape[-2:] != next(iter(maps.values())).shape[-2:]:
                    raise UserError(
                        f"the first frame is {state.frames.shape[-1]}x{state.frames.shape[-2]} but the maps are "
                        f"{next(iter(maps.values())).shape[-1]}x{next(iter(maps.values())).shape[-2]}: resize it"
                    )
            frame, state = self.cell(maps, state)
            yield frame

    def _checked(self, maps: dict[str, Tensor], index: int, batch: int) -> dict[str, Tensor]:
        for item in self.spec.maps:
            if item.name not in maps:
                raise UserError(f"frame {index} has no {item.name} map, which this model needs: add it to the maps")
            if maps[item.name].shape[0] != batch:
                raise UserError(f"frame {index} has {maps[item.name].shape[0]} {item.name} maps for {batch} seeds")
        return {item.name: maps[item.name] for item in self.spec.maps}

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
        s = self.schedule
        length = s.clip_length
        if s.clip_double:
            length = min(s.clip_length * 2 ** (step // s.clip_double), max(s.clip_longest, s.clip_length))
        held = s.decay_from * s.steps
        rate = 1.0 if step < held else max(0.0, (s.steps - step) / max(s.steps - held, 1))
        return Phase(clip_length=length, bptt=s.bptt, lr=rate)

    def training_step(self, clip: Clip, _: Any) -> None:
        assert clip.frames is not None
        wanted = [n for n in ("adv_t", "feature_t", "flow", "warp", "coherence", "mask") if self.weights["g"][n]]
        if clip.flow is None and wanted:
            raise UserError(
                f"losses.{', '.join(wanted)} need the real videos' flow: set data.flow to dis, or these to 0"
            )
        phase = self.phase_at(self.steps)
        past = self.shape.past
        context: Clip | None = None
        if past and clip.length > past and self._starts_given():
            context, clip = clip[:past], clip[past:]
        assert clip.frames is not None
        state = self.start(clip.batch, {k: v[:, 0] for k, v in clip.maps.items()}, context)
        empty = clip.frames.new_zeros(clip.batch, 0, 3, *clip.size, dtype=torch.float32)
        seen = Seen(empty, empty, None if clip.flow is None else clip.flow[:, :0].float())
        for chunk in clip.chunks(phase.bptt):
            seen, state = self._chunk(chunk, state, seen)
            state = ops.detach(state)
        self.steps += 1

    def _starts_given(self) -> bool:
        # Drawn from the global CPU generator, which the engine seeds per step and alike on all ranks.
        chance = {"self": 0.0, "given": 1.0, "both": 0.5}[self.schedule.start]
        return bool(torch.rand(()) < chance)

    def _chunk(self, chunk: Clip, state: State, seen: Seen) -> tuple[Seen, State]:
        assert chunk.frames is not None
        real = ops.to_float(chunk.frames)
        previous = seen.fake[:, -1] if seen.fake.shape[1] else state.frames[:, -1] if self.shape.past else None
        before = seen.real[:, -1:] if seen.real.shape[1] else state.frames[:, -1:] if self.shape.past else None
        fake, state = self.rollout(chunk, state)
        labels = torch.stack(
            [ops.encode_maps({k: v[:, t] for k, v in chunk.maps.items()}, self.spec) for t in range(chunk.length)],
            dim=1,
        )
        flows = None if chunk.flow is None or seen.flow is None else torch.cat([seen.flow, chunk.flow.float()], dim=1)
        seen = Seen(torch.cat([seen.real, real], dim=1), torch.cat([seen.fake, fake.image], dim=1), flows)
        # The critics look at the real frames once, for both sides: the generator steps first, so that feature matching
        # compares features of one and the same critic.
        image_real = self._image_real(labels, real)
        motion_real = self._motion_real(seen)
        with self.step("g") as terms:
            self._image_terms(terms, labels, real, fake, image_real)
            self._temporal_terms(terms, seen, motion_real)
            self._flow_terms(terms, chunk, real, fake, before, previous)
        with self.step("d") as terms:
            self._image_critic_terms(terms, labels, real, fake, image_real)
        with self.step("t") as terms:
            self._temporal_critic_terms(terms, seen, motion_real)
        keep = slice(-(self.critic_shape.frames - 1), None)
        return Seen(*(None if x is None else x[:, keep].detach() for x in seen)), state  # pyright: ignore[reportArgumentType]

    def rollout(self, chunk: Clip, state: State) -> tuple[Rollout, State]:
        """The frames of a chunk, each from the state that the one before it left."""
        frames: list[Frame] = []
        for t in range(chunk.length):
            frame, state = self.cell({k: v[:, t] for k, v in chunk.maps.items()}, state)
            frames.append(frame)

        def stacked(name: str) -> Tensor | None:
            return torch.stack([f.extras[name] for f in frames], dim=1) if name in frames[0].extras else None

        image = torch.stack([f.image for f in frames], dim=1)
        first = torch.stack([f.extras["first"] for f in frames], dim=1)
        raw = torch.stack([f.extras["raw"] for f in frames], dim=1)
        return Rollout(image, raw, stacked("flow"), stacked("mask"), first), state

    # What the critics make of the real frames.

    def _image_real(self, labels: Tensor, real: Tensor) -> Scores | None:
        if not (self.losses.adv or self.losses.feature):
            return None
        return self.image_critic(torch.cat([ops.fold(labels), ops.fold(real)], dim=1))

    def _motion_real(self, seen: Seen) -> Scores | None:
        """None where there are fewer frames than the temporal critic looks at, or no flow."""
        enough = seen.flow is not None and seen.real.shape[1] >= self.critic_shape.frames
        if not enough or not (self.losses.adv_t or self.losses.feature_t):
            return None
        return self.temporal_critic(self._motion(seen.real, seen.flow))

    # The critics' sides.

    def _image_critic_terms(
        self, terms: Terms, labels: Tensor, real: Tensor, fake: Rollout, real_scores: Scores | None
    ) -> None:
        condition = ops.fold(labels)
        if terms.wants("adv") and real_scores is not None:
            painted = self._painted(fake)
            scores = self.image_critic(
                torch.cat([torch.cat([condition, ops.fold(x.detach())], dim=1) for x in painted])
            )
            each = [logits(part(scores, i, len(painted))) for i in range(len(painted))]
            sides = [adversarial.critic_loss(self.losses.game, logits(real_scores), side) for side in each]
            terms["adv"] = torch.stack(sides).sum()
            self.log("d/accuracy", adversarial.accuracy(logits(real_scores), each[0], self.losses.game))
        if terms.wants("penalty"):
            a, b = (torch.cat([condition, ops.fold(x.detach())], dim=1) for x in (real, fake.image))
            terms["penalty"] = adversarial.gradient_penalty(lambda x: logits(self.image_critic(x)), a, b)

    def _temporal_critic_terms(self, terms: Terms, seen: Seen, real_scores: Scores | None) -> None:
        if real_scores is None:
            terms.skip("adv", "penalty")
            return
        fake = self._motion(seen.fake.detach(), seen.flow)
        if terms.wants("adv"):
            scores = logits(self.temporal_critic(fake))
            terms["adv"] = adversarial.critic_loss(self.losses.game, logits(real_scores), scores)
            self.log("t/accuracy", adversarial.accuracy(logits(real_scores), scores, self.losses.game))
        if terms.wants("penalty"):
            real = self._motion(seen.real, seen.flow)
            terms["penalty"] = adversarial.gradient_penalty(lambda x: logits(self.temporal_critic(x)), real, fake)

    # The generator's side.

    def _image_terms(
        self, terms: Terms, labels: Tensor, real: Tensor, fake: Rollout, real_scores: Scores | None
    ) -> None:
        painted = self._painted(fake)
        factors = (1.0, self.losses.raw)
        condition = ops.fold(labels)
        if real_scores is not None and (terms.wants("adv") or terms.wants("feature")):
            scores = self.image_critic(torch.cat([torch.cat([condition, ops.fold(x)], dim=1) for x in painted]))
            each = [part(scores, i, len(painted)) for i in range(len(painted))]
            if terms.wants("adv"):
                sides = [f * adversarial.generator_loss(self.losses.game, logits(s)) for f, s in zip(factors, each)]
                terms["adv"] = torch.stack(sides).sum()
            if terms.wants("feature"):
                terms["feature"] = torch.stack(
                    [f * feature_matching(s, real_scores) for f, s in zip(factors, each)]
                ).sum()
        if terms.wants("perceptual"):
            assert self.trunk is not None
            with torch.no_grad():
                target = self.trunk(ops.fold(real))
            features = self.trunk(torch.cat([ops.fold(x) for x in painted]))
            sides = [
                f * perceptual([torch.chunk(m, len(painted))[i] for m in features], target, self.trunk.weights)  # pyright: ignore[reportArgumentType]
                for i, f in enumerate(factors[: len(painted)])
            ]
            terms["perceptual"] = torch.stack(sides).sum()
        if terms.wants("reconstruction"):
            terms["reconstruction"] = (fake.image - real).abs().mean()

    def _temporal_terms(self, terms: Terms, seen: Seen, real_scores: Scores | None) -> None:
        if real_scores is None or not (terms.wants("adv_t") or terms.wants("feature_t")):
            terms.skip("adv_t", "feature_t")
            return
        scores = self.temporal_critic(self._motion(seen.fake, seen.flow))
        if terms.wants("adv_t"):
            terms["adv_t"] = adversarial.generator_loss(self.losses.game, logits(scores))
        if terms.wants("feature_t"):
            terms["feature_t"] = feature_matching(scores, real_scores)

    def _flow_terms(
        self, terms: Terms, chunk: Clip, real: Tensor, fake: Rollout, before: Tensor | None, previous: Tensor | None
    ) -> None:
        """``before`` (B, 1, 3, H, W) and ``previous`` (B, 3, H, W): the real and the generated frame ahead of the chunk."""
        names = ("flow", "warp", "coherence", "mask")
        if chunk.flow is None or chunk.confidence is None or before is None or previous is None:
            terms.skip(*names)
            return
        # A frame that was painted without history has no flow to judge.
        sure = chunk.confidence.float() * (~fake.first).float()[..., None, None, None]
        earlier_fakes = torch.cat([previous.unsqueeze(1), fake.image[:, :-1]], dim=1).detach()
        if terms.wants("coherence"):
            moved = ops.warp(ops.fold(earlier_fakes), ops.fold(chunk.flow.float()))
            terms["coherence"] = masked_l1(ops.fold(fake.image), moved, ops.fold(sure))
        if fake.flow is None or fake.mask is None:
            terms.skip("flow", "warp", "mask")
            return
        if terms.wants("flow"):
            terms["flow"] = masked_l1(fake.flow, chunk.flow, sure)
        if terms.wants("warp"):
            earlier = torch.cat([before, real[:, :-1]], dim=1)
            terms["warp"] = masked_l1(ops.warp(ops.fold(earlier), ops.fold(fake.flow)), ops.fold(real), ops.fold(sure))
        if terms.wants("mask"):
            terms["mask"] = (fake.mask * sure).mean()

    def _painted(self, fake: Rollout) -> list[Tensor]:
        """The images that the image terms judge: the composed one, and the hallucinated one where it differs."""
        return [fake.image, fake.raw] if self.losses.raw and fake.flow is not None else [fake.image]

    def _motion(self, frames: Tensor, flow: Tensor | None) -> Tensor:
        """What the temporal critic sees: every K consecutive frames and the K-1 real flows between them.

        frames ``(B, N, 3, H, W)``, flow ``(B, N, 2, H, W)``. Returns ``(B * (N - K + 1), 3 K + 2 (K - 1), H, W)``. At most K-1
        frames are kept from earlier chunks, so every run ends in the present one and none is seen twice.
        """
        assert flow is not None
        k = self.critic_shape.frames
        images = ops.windows(frames, k).flatten(1, 2)
        motion = ops.windows(flow, k)[:, 1:].flatten(1, 2) / self.shape.flow_scale
        return torch.cat([images, motion], dim=1)


def _newest(x: Tensor, count: int) -> Tensor:
    """The last ``count`` of ``(B, T, ...)``; the oldest is repeated where there are fewer."""
    if x.shape[1] < count:
        x = torch.cat([x[:, :1].expand(-1, count - x.shape[1], *x.shape[2:]), x], dim=1)
    return x[:, -count:]
