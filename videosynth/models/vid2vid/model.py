"""vid2vid (Wang et al. 2018): how the networks train and how frames are made.

One cell paints one frame from the current maps and a state; training and generation call the same cell and differ
only in what the state starts from.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from videosynth import ops
from videosynth.losses import adversarial
from videosynth.losses.feature import feature_matching
from videosynth.losses.flow import masked_l1
from videosynth.losses.perceptual import perceptual_distances
from videosynth.models.base import Group, Phase, Terms, VideoModel, check_batch, needed_maps
from videosynth.models.phases import growth, held_then_falling
from videosynth.models.vid2vid import closeups
from videosynth.models.vid2vid.memory import Rollout, Seen, State, check_size, moved_on, newest
from videosynth.models.vid2vid.networks import Vid2VidGenerator
from videosynth.models.vid2vid.options import CriticShape, GeneratorShape, Losses, Schedule
from videosynth.models.vid2vid.spade import SpadeGenerator
from videosynth.models.vid2vid.styles import Looks, Styles, check_latents
from videosynth.nn.blocks import normal_init
from videosynth.nn.critics import MultiscaleCritic, Scores, logits, part
from videosynth.nn.trunks import FeatureTrunk, load_trunk
from videosynth.types import Clip, DataSpec, Frame, MapSpec, Request, UserError


class Vid2Vid(VideoModel):
    """Maps in, video out. See the module's and the networks' docstrings; presets are in ``configs/vid2vid``."""

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
            raise UserError("vid2vid paints from maps, but the data has none: add a labels folder, or another map")
        self.takes = frozenset(("references", "latents") if generator.style else ())
        if generator.past:
            self.takes |= {"context"} | ({"start"} if generator.kind == "composite" else set())
        self.shape, self.critic_shape, self.losses, self.schedule = generator, critic, losses, schedule
        self.total_steps = schedule.steps
        longest = max(schedule.clip_length, schedule.clip_longest if schedule.clip_double else 0)
        longest -= generator.past if schedule.start == "given" else 0  # frames that are not painted
        if (losses.adv_t or losses.feature_t) and longest <= critic.span:
            raise UserError(
                f"the temporal critic looks at {critic.frames} frames, {critic.span + 1} from first to last, but clips never "
                f"grow beyond {longest}: raise schedule.clip_length, or set losses.adv_t and losses.feature_t to 0"
            )
        self.foreground = ops.class_channels(spec, generator.foreground, "generator.foreground")
        self.regions = ops.class_channels(spec, critic.regions, "critic.regions")
        if generator.style:
            labels = spec.map("classes")
            if labels is None:
                raise UserError("generator.style needs label maps, which the data has not: set it to 0")
            self.styles = Styles(labels.channels, generator.style)
            self.exported, self.precise = ("generator", "styles"), ("styles",)
        kind = SpadeGenerator if generator.kind == "spade" else Vid2VidGenerator
        self.generator = kind(spec.channels, generator, self.foreground, ops.one_hot_channels(spec))
        size = (critic.width, critic.layers, critic.scales)
        self.image_critic = MultiscaleCritic(spec.channels + 3, *size)
        motion = 3 * critic.frames + 2 * (critic.frames - 1)
        self.temporal_critics = nn.ModuleList(MultiscaleCritic(motion, *size) for _ in range(critic.rates))
        normal_init(nn.ModuleList([self.image_critic, self.temporal_critics]))
        if self.regions:
            self.region_critic = MultiscaleCritic(spec.channels + 3, critic.width, critic.layers, 1)
            normal_init(self.region_critic)
        self.trunk: FeatureTrunk | None = None  # loaded when training starts
        self.groups, self.weights = self._groups(), self._weights()

    def _groups(self) -> dict[str, Group]:
        schedule, betas = self.schedule, (self.schedule.beta1, 0.999)
        rate = schedule.lr_critic or schedule.lr
        painters = ("generator", "styles.encoder") if self.shape.style else ("generator",)
        groups = {
            "g": Group(painters, schedule.lr, betas),
            "d": Group(("image_critic",), rate, betas),
            "t": Group(("temporal_critics",), rate, betas),
        }
        return groups | ({"r": Group(("region_critic",), rate, betas)} if self.regions else {})

    def _weights(self) -> dict[str, dict[str, float]]:
        losses = self.losses
        names = ("adv", "adv_t", "feature", "feature_t", "perceptual", "flow", "warp", "coherence", "mask")
        regional = {name: getattr(losses, name) if self.regions else 0.0 for name in ("region", "region_feature")}
        return {
            "g": {name: getattr(losses, name) for name in (*names, "reconstruction")} | regional,
            "d": {"adv": float(losses.adv > 0), "penalty": losses.penalty},
            "t": {"adv": float(losses.adv_t > 0), "penalty": losses.penalty},
            "r": {"adv": float(losses.region > 0), "penalty": losses.penalty},
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

    def start(self, batch: int, maps: dict[str, Tensor], context: Clip | None = None, zeros: bool = False) -> State:
        """The state before the first frame. ``maps`` are those of the first frame: they stand in for the missing past.

        Without context the history is zeros and not looked at (with ``zeros`` it is). With it, its last frames are the
        history, the oldest repeated where there are fewer than the generator looks at; its maps are used where it has any.
        """
        past = self.shape.past
        device = next(iter(maps.values())).device
        height, width = next(iter(maps.values())).shape[-2:]
        frames = self._levels(torch.zeros(batch, past, 3, height, width, device=device))
        old = {m.name: maps[m.name].unsqueeze(1) for m in self.spec.maps}
        old = {k: v.expand(-1, past, *v.shape[2:]) for k, v in old.items()}
        known = torch.zeros(batch, dtype=torch.bool, device=device)
        told = torch.full_like(known, zeros)
        if context is not None and context.frames is not None and past:
            frames = self._levels(newest(ops.to_float(context.frames.to(device)), past))
            old = {k: newest(context.maps[k].to(device), past) if k in context.maps else v for k, v in old.items()}
            known = told = torch.ones_like(known)
        return State(frames, old, known, told)

    def _levels(self, frames: Tensor) -> tuple[Tensor, ...]:
        """History ``(B, P, 3, H, W)`` at every active scale."""
        count = self.generator.active.count
        if count == 1 or not self.shape.past:
            return (frames,) * count
        padded = ops.pad_to_multiple(frames.flatten(1, 2), self.shape.multiple, self.shape.smallest)
        coarser = ops.pyramid(padded, count)[:0:-1]
        return (*(level.unflatten(1, frames.shape[1:3]) for level in coarser), frames)

    def cell(self, maps: dict[str, Tensor], state: State) -> tuple[Frame, State]:
        """One frame. maps: ids ``(B, H, W)``, others ``(B, C, H, W)``; any H and W (padded inside, cropped on output); the
        looks of the objects, where the model has any, are the map ``style``.
        """
        past = self.shape.past
        height, width = next(iter(maps.values())).shape[-2:]
        steps = [{k: v[:, i] for k, v in state.maps.items()} for i in range(past)] + [maps]
        looks = [maps["style"]] if self.shape.style else []
        encoded = torch.cat([*looks, *(ops.encode_maps(m, self.spec) for m in steps)], dim=1)
        encoded = ops.pad_to_multiple(encoded, self.shape.multiple, self.shape.smallest)
        finest = ops.pad_to_multiple(state.frames[-1].flatten(1, 2), self.shape.multiple, self.shape.smallest)
        histories = (*(f.flatten(1, 2) for f in state.frames[:-1]), finest)
        *coarser, painted = self.generator(encoded, histories, state.known, state.told)

        extras = {
            name: value[..., :height, :width]
            for name, value in painted._asdict().items()
            if value is not None and name != "image"
        }
        extras["first"] = ~state.known
        image = painted.image[..., :height, :width]
        if past:
            images = [*(p.image for p in coarser), image]
            frames = tuple(moved_on(f, i, state.told) for f, i in zip(state.frames, images, strict=True))
            old = {k: torch.cat([v[:, 1:], maps[k].unsqueeze(1)], dim=1) for k, v in state.maps.items()}
            state = State(frames, old, state.known, state.told)
        there = torch.ones_like(state.known)
        state = state._replace(known=there, told=there)
        return Frame(image, extras), state

    # ---- use

    def generate(self, request: Request) -> Iterator[Frame]:
        frames = super().generate(request)
        check_batch("context", request.context, len(request.seeds))
        check_batch("references", request.references, len(request.seeds))
        if self.shape.style:
            check_latents(request)
        return frames

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        assert request.maps is not None
        state: State | None = None
        looks = None
        if self.shape.style:
            self.styles.fit()
            looks = Looks(self.styles, self.spec, request)
        device = self.device
        smaller = self.generator.active.reduction  # a run that was stopped early paints at the size it was trained at
        for count, told in enumerate(request.maps):
            if request.frames is not None and count >= request.frames:
                return
            maps = needed_maps(told, self.spec, count, len(request.seeds), device)
            size = next(iter(maps.values())).shape[-2:]
            if smaller > 1:
                maps = ops.smaller_maps(maps, smaller)
            if looks is not None:
                maps["style"] = looks(maps)
            if state is None:
                context = request.context
                context = ops.smaller_clip(context, smaller) if context is not None and smaller > 1 else context
                state = self.start(len(request.seeds), maps, context, request.start == "zeros")
                check_size(state.frames[-1], next(iter(maps.values())))
            frame, state = self.cell(maps, state)
            yield frame if smaller == 1 else ops.larger_frame(frame, (size[0], size[1]))

    def save(
        self, folder: Path | str, weights: dict[str, Tensor] | None = None, dtype: torch.dtype | None = None
    ) -> None:
        if self.shape.style:
            self.styles.fit()
            fitted = {k: v for k, v in self.state_dict().items() if k.startswith(("styles.mixtures.", "styles.fitted"))}
            weights = None if weights is None else {**weights, **fitted}
        super().save(folder, weights, dtype)

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
        length = s.clip_length
        if s.clip_double:
            doublings = (step - grown.since) // s.clip_double
            length = min(s.clip_length * 2**doublings, max(s.clip_longest, s.clip_length))
        height, width = self.spec.size
        missing = scales - grown.scales
        looks = ["styles.encoder"] if grown.alone and self.shape.style else []  # what the resting scales look at
        rests = [*(f"generator.{name}" for name in self.generator.resting(grown.scales, grown.alone)), *looks]
        return Phase(
            clip_length=length,
            bptt=s.bptt,
            lr=held_then_falling(step, s.steps, s.decay_from) * s.lr_finer ** (grown.scales - 1),
            size=(max(height >> missing, 1), max(width >> missing, 1)) if scales > 1 else None,
            scales=grown.scales,
            rests=tuple(rests),
        )

    def training_step(self, clip: Clip, _: Any) -> None:
        assert clip.frames is not None
        wanted = [n for n in ("adv_t", "feature_t", "flow", "warp", "coherence", "mask") if self.weights["g"][n]]
        if clip.flow is None and wanted:
            raise UserError(
                f"losses.{', '.join(wanted)} need the real videos' flow: set data.flow to dis, or these to 0"
            )
        phase = self.phase_at(self.steps)
        self.generator.active.use(phase.scales or 1)
        past = self.shape.past
        context: Clip | None = None
        if past and clip.length > past and self._starts_given():
            context, clip = clip[:past], clip[past:]
        assert clip.frames is not None
        state = self.start(clip.batch, {k: v[:, 0] for k, v in clip.maps.items()}, context)
        empty = clip.frames.new_zeros(clip.batch, 0, 3, *clip.size, dtype=torch.float32)
        seen = Seen(empty, empty, None if clip.flow is None else clip.flow[:, :0].float(), 0, 0)
        tables = None
        if self.shape.style:
            tables = self.styles.tables(ops.to_float(clip.frames), ops.object_keys(clip.maps, self.spec))
        for chunk in clip.chunks(phase.bptt):
            if tables is not None and chunk.frames is not None:
                keys = ops.object_keys(chunk.maps, self.spec)
                chunk.maps["style"] = self.styles.painted(ops.to_float(chunk.frames), keys, tables)
            with parametrize.cached():  # spectral norms iterate once per chunk, not at each use of a weight
                seen, state = self._chunk(chunk, state, seen)
            state = ops.detach(state)
        self.steps += 1

    def _starts_given(self) -> bool:
        return self._chance({"self": 0.0, "given": 1.0, "both": 0.5}[self.schedule.start])

    def _chunk(self, chunk: Clip, state: State, seen: Seen) -> tuple[Seen, State]:
        assert chunk.frames is not None
        real = ops.to_float(chunk.frames)
        given = state.frames[-1][:, -1:] if self.shape.past else None
        previous = seen.fake[:, -1:] if seen.fake.shape[1] else given
        before = seen.real[:, -1:] if seen.real.shape[1] else given
        fake, state = self.rollout(chunk, state)
        labels = torch.stack(
            [ops.encode_maps({k: v[:, t] for k, v in chunk.maps.items()}, self.spec) for t in range(chunk.length)],
            dim=1,
        )
        flows = None if chunk.flow is None or seen.flow is None else torch.cat([seen.flow, chunk.flow.float()], dim=1)
        pictures = torch.cat([seen.real, real], dim=1), torch.cat([seen.fake, fake.image], dim=1)
        seen = Seen(*pictures, flows, chunk.length, seen.count + chunk.length)
        # The critics look at the real frames once, for both sides: the generator steps first, so that feature matching
        # compares features of one and the same critic.
        image_real = self._image_real(labels, real)
        motion_real = self._motion_real(seen)
        regions = None
        if self.regions:
            size = self.critic_shape.region_size
            regions = closeups.look(self.region_critic, self.regions, size, labels, real, fake.image)
        with self.step("g") as terms:
            self._image_terms(terms, labels, real, fake, image_real)
            self._temporal_terms(terms, seen, motion_real)
            if regions is not None:
                closeups.generator_terms(self.region_critic, terms, regions, self.losses.game)
            self._flow_terms(terms, chunk, real, fake, before, previous)
        with self.step("d") as terms:
            self._image_critic_terms(terms, labels, real, fake, image_real)
        with self.step("t") as terms:
            self._temporal_critic_terms(terms, seen, motion_real)
        if regions is not None:
            with self.step("r") as terms:
                closeups.critic_terms(self.region_critic, terms, regions, self.losses.game)
        keep = slice(-self.critic_shape.span, None)
        real, fakes = (x[:, keep].detach() for x in (seen.real, seen.fake))
        flow = None if seen.flow is None else seen.flow[:, keep].detach()
        return Seen(real, fakes, flow, seen.new, seen.count), state

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

    def _motion_real(self, seen: Seen) -> list[Scores | None]:
        """Per rate; None where there are too few frames yet, or no flow."""
        if not (self.losses.adv_t or self.losses.feature_t):
            return [None] * len(self.temporal_critics)
        inputs = (self._motion(seen.real, seen, rate) for rate in range(len(self.temporal_critics)))
        return [None if x is None else critic(x) for critic, x in zip(self.temporal_critics, inputs, strict=True)]

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

    def _temporal_critic_terms(self, terms: Terms, seen: Seen, real_scores: list[Scores | None]) -> None:
        losses, penalties = [], []
        for rate, scores in enumerate(real_scores):
            critic, fake = self.temporal_critics[rate], self._motion(seen.fake.detach(), seen, rate)
            if scores is None or fake is None:
                continue
            if terms.wants("adv"):
                guesses = logits(critic(fake))
                losses.append(adversarial.critic_loss(self.losses.game, logits(scores), guesses))
                accuracy = adversarial.accuracy(logits(scores), guesses, self.losses.game)
                self.log("t/accuracy" if not rate else f"t/accuracy_{rate}", accuracy)
            if terms.wants("penalty"):
                real = typing.cast(Tensor, self._motion(seen.real, seen, rate))
                penalties.append(adversarial.gradient_penalty(lambda x, c=critic: logits(c(x)), real, fake))
        _put(terms, "adv", losses)
        _put(terms, "penalty", penalties)

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
            fakes = [ops.fold(x) for x in painted]
            found = perceptual_distances(self.trunk, fakes, ops.fold(real), self.shape.checkpointing)
            sides = [f * distance for f, distance in zip(factors, found)]
            terms["perceptual"] = torch.stack(sides).sum()
        if terms.wants("reconstruction"):
            terms["reconstruction"] = (fake.image - real).abs().mean()

    def _temporal_terms(self, terms: Terms, seen: Seen, real_scores: list[Scores | None]) -> None:
        losses, features = [], []
        for rate, scores in enumerate(real_scores):
            fake = self._motion(seen.fake, seen, rate)
            if scores is None or fake is None:
                continue
            guesses = self.temporal_critics[rate](fake)
            if terms.wants("adv_t"):
                losses.append(adversarial.generator_loss(self.losses.game, logits(guesses)))
            if terms.wants("feature_t"):
                features.append(feature_matching(guesses, scores))
        _put(terms, "adv_t", losses)
        _put(terms, "feature_t", features)

    def _flow_terms(
        self, terms: Terms, chunk: Clip, real: Tensor, fake: Rollout, before: Tensor | None, previous: Tensor | None
    ) -> None:
        """``before`` and ``previous``, both (B, 1, 3, H, W): the real and the generated frame ahead of the chunk."""
        names = ("flow", "warp", "coherence", "mask")
        if chunk.flow is None or chunk.confidence is None or before is None or previous is None:
            terms.skip(*names)
            return
        # A frame that was painted without history has no flow to judge.
        sure = chunk.confidence.float() * (~fake.first).float()[..., None, None, None]
        earlier_fakes = torch.cat([previous, fake.image[:, :-1]], dim=1).detach()
        if terms.wants("coherence"):
            moved = ops.warp(ops.fold(earlier_fakes), ops.fold(chunk.flow.float()))
            terms["coherence"] = masked_l1(ops.fold(fake.image), moved, ops.fold(sure))
        if fake.flow is None or fake.mask is None:
            terms.skip("flow", "warp", "mask")
            return
        if terms.wants("flow"):
            # In pixels of the finest scale, which grow with it (specification of the public code: lambda_F / 2^(S-1)).
            terms["flow"] = masked_l1(fake.flow, chunk.flow, sure) / 2 ** (self.generator.active.count - 1)
        if terms.wants("warp"):
            earlier = torch.cat([before, real[:, :-1]], dim=1)
            terms["warp"] = masked_l1(ops.warp(ops.fold(earlier), ops.fold(fake.flow)), ops.fold(real), ops.fold(sure))
        if terms.wants("mask"):
            terms["mask"] = (fake.mask * sure).mean()

    def _painted(self, fake: Rollout) -> list[Tensor]:
        """The images that the image terms judge: the composed one, and the hallucinated one where it differs."""
        return [fake.image, fake.raw] if self.losses.raw and self.generator.blends else [fake.image]

    def _motion(self, frames: Tensor, seen: Seen, rate: int) -> Tensor | None:
        """What a temporal critic sees: every K frames, K^rate apart, that end in the present chunk, and the K-1 real flows
        between them; None where there are too few frames yet, or no flow.

        frames ``(B, N, 3, H, W)`` are those of ``seen``. Returns ``(B * windows, 3 K + 2 (K - 1), H, W)``. Every run of a
        clip is seen once, whatever the chunks.
        """
        k = self.critic_shape.frames
        stride = k**rate
        span = stride * (k - 1)
        count = min(seen.new, frames.shape[1] - span)
        if seen.flow is None or count < 1:
            return None
        recent = slice(frames.shape[1] - count - span, None)
        images = ops.windows(frames[:, recent], k, stride).flatten(1, 2)
        flow = ops.windows(ops.strided_flow(seen.flow, stride)[:, recent], k, stride)[:, 1:]
        motion = torch.cat([images, flow.flatten(1, 2) / self.shape.flow_scale], dim=1)
        if not (rate and self.critic_shape.sparse):
            return motion
        ends = torch.arange(seen.count - count, seen.count).repeat(frames.shape[0]) % stride == stride - 1
        return motion[ends.to(motion.device)] if ends.any() else None


def _put(terms: Terms, name: str, values: list[Tensor]) -> None:
    """The sum of a term's parts; without any, this clip cannot give it."""
    if values:
        terms[name] = torch.stack(values).sum()
    else:
        terms.skip(name)
