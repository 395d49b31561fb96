"""Prediction of label maps (vid2vid, section 4.3): how it trains and how maps are continued.

Together with a vid2vid run it predicts videos: the maps first, then the pictures from the maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth import ops
from videosynth.losses.flow import masked_l1
from videosynth.models.base import Group, Phase, VideoModel, check_batch
from videosynth.models.mapprediction.networks import MapPredictor, Predicted
from videosynth.models.mapprediction.options import Losses, PredictorShape, Schedule
from videosynth.models.phases import held_then_falling
from videosynth.types import Clip, DataSpec, Frame, MapSpec, Request, UserError

UNSURE = 1e-3  # of all probability is spread over the classes: a logarithm of 0 has no gradient to learn from


class State(NamedTuple):
    """The past maps as probabilities, oldest first."""

    shares: Tensor  # (B, P, C, H, W)


class MapPrediction(VideoModel):
    """The next label maps from the past ones. See the module's docstring; presets are in ``configs/mapprediction``."""

    needs: frozenset[str] = frozenset({"context", "frames"})
    produces: ClassVar[str] = "classes"
    exported = ("predictor",)

    def __init__(
        self,
        spec: DataSpec,
        predictor: PredictorShape = PredictorShape(),
        losses: Losses = Losses(),
        schedule: Schedule = Schedule(),
    ) -> None:
        """Build the network. ``spec`` comes from the data.

        Raises:
            UserError: the spec has no label maps.
        """
        super().__init__(spec, predictor=predictor, losses=losses, schedule=schedule)
        labels = spec.map("classes")
        if labels is None:
            raise UserError("label maps are to be predicted, but the data has none: add a labels folder")
        self.labels = labels
        self.classes = labels.channels + 1  # the last one: no class
        self.shape, self.schedule = predictor, schedule
        self.total_steps = schedule.steps
        self.predictor = MapPredictor(self.classes, predictor)
        self.groups = {"g": Group(("predictor",), schedule.lr, (0.9, 0.999))}
        self.weights = {"g": {"classes": losses.classes, "flow": losses.flow, "warp": losses.warp}}

    @classmethod
    def tiny(cls) -> MapPrediction:
        spec = DataSpec(maps=(MapSpec("labels", "classes", 3, void=3),), size=(16, 24), fps=8)
        shape = PredictorShape(width=8, downsamples=1, blocks=2, past=2, flow_scale=4.0)
        return cls(spec, shape, Losses(), Schedule(steps=100, ahead=2, bptt=2, lr=5e-3))

    # ---- the one cell

    def start(self, context: Clip) -> State:
        """The last maps of the context; the oldest is repeated where there are fewer than the predictor looks at."""
        ids = context.maps[self.labels.name].to(self.device)
        shares = torch.stack([self._shares(ids[:, t]) for t in range(ids.shape[1])], dim=1)
        missing = self.shape.past - shares.shape[1]
        if missing > 0:
            shares = torch.cat([shares[:, :1].expand(-1, missing, -1, -1, -1), shares], dim=1)
        return State(shares[:, -self.shape.past :])

    def cell(self, state: State) -> tuple[Predicted, State]:
        """The next map. What is fed back is the map itself: the class of largest share, one everywhere else nothing."""
        height, width = state.shares.shape[-2:]
        flat = ops.pad_to_multiple(state.shares.flatten(1, 2), self.shape.multiple, self.shape.smallest)
        said = self.predictor(flat.unflatten(1, state.shares.shape[1:3]))
        said = Predicted(*(value[..., :height, :width] for value in said))
        sharp = F.one_hot(said.shares.argmax(1), self.classes).permute(0, 3, 1, 2).to(said.shares)
        # Forward the decided map, backward the shares (straight through), so that later frames teach earlier ones.
        fed = sharp + said.shares - said.shares.detach()
        return said, State(torch.cat([state.shares[:, 1:], fed.unsqueeze(1)], dim=1))

    def _shares(self, ids: Tensor) -> Tensor:
        """Ids ``(B, H, W)`` as one-hot vectors; whatever is no class is the last one."""
        return ops.one_hot(self._index(ids), self.classes)

    def _index(self, ids: Tensor) -> Tensor:
        ids = ids.long()
        known = (ids >= 0) & (ids < self.labels.channels)
        if self.labels.void is not None:
            known &= ids != self.labels.void
        return torch.where(known, ids, self.classes - 1)

    # ---- use

    def generate(self, request: Request) -> Iterator[Frame]:
        frames = super().generate(request)
        check_batch("context", request.context, len(request.seeds))
        if request.context is None or self.labels.name not in request.context.maps:
            raise UserError(f"the context has no {self.labels.name}: label maps are continued from label maps")
        return frames

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        """Ids of the predicted maps are in ``extras[name of the label maps]``; ``image`` shows them in grey."""
        assert request.context is not None
        assert request.frames is not None
        state = self.start(request.context)
        void = 255 if self.labels.void is None else self.labels.void
        for _ in range(request.frames):
            said, state = self.cell(state)
            ids = said.shares.argmax(1)
            grey = (ids.float() / max(self.classes - 1, 1) * 2 - 1).unsqueeze(1).expand(-1, 3, -1, -1)
            stored = torch.where(ids == self.classes - 1, void, ids).to(torch.uint8)
            yield Frame(grey, {self.labels.name: stored, "flow": said.flow, "mask": said.mask})

    # ---- training

    def phase_at(self, step: int) -> Phase:
        s = self.schedule
        rate = held_then_falling(step, s.steps, s.decay_from)
        return Phase(clip_length=self.shape.past + s.ahead, bptt=s.bptt, lr=rate)

    def training_step(self, clip: Clip, _: Any) -> None:
        if clip.flow is None and (self.weights["g"]["flow"]):
            raise UserError("losses.flow needs the real videos' flow: set data.flow to dis, or losses.flow to 0")
        past = min(self.shape.past, clip.length - 1)
        state = self.start(clip[:past])
        before = self._shares(clip.maps[self.labels.name][:, past - 1])
        for chunk in clip[past:].chunks(self.schedule.bptt):
            state, before = self._chunk(chunk, state, before)
            state = ops.detach(state)
        self.steps += 1

    def _chunk(self, chunk: Clip, state: State, before: Tensor) -> tuple[State, Tensor]:
        """``before`` ``(B, C, H, W)``: the real map ahead of the chunk."""
        ids = chunk.maps[self.labels.name]
        said: list[Predicted] = []
        moved: list[Tensor] = []
        real: list[Tensor] = []
        for t in range(chunk.length):
            predicted, state = self.cell(state)
            said.append(predicted)
            moved.append(ops.warp(before, predicted.flow))
            before = self._shares(ids[:, t])
            real.append(before)
        target = torch.stack([self._index(ids[:, t]) for t in range(chunk.length)], dim=1)
        with self.step("g") as terms:
            if terms.wants("classes"):
                terms["classes"] = _entropy(torch.stack([p.shares for p in said], dim=1), target)
            if terms.wants("warp"):
                # Not cross-entropy: where a class is absent beside its own border that has a slope of 1 / UNSURE, and a few such
                # pixels would throw the flow out of the frame.
                terms["warp"] = (torch.stack(moved, dim=1) - torch.stack(real, dim=1)).abs().sum(2).mean() / 2
            if terms.wants("flow") and chunk.flow is not None and chunk.confidence is not None:
                terms["flow"] = masked_l1(torch.stack([p.flow for p in said], dim=1), chunk.flow, chunk.confidence)
        return state, before


def _entropy(shares: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of probabilities ``(B, T, C, H, W)`` and ids ``(B, T, H, W)``."""
    spread = (1 - UNSURE) * ops.fold(shares) + UNSURE / shares.shape[2]
    return F.nll_loss(spread.log(), ops.fold(target))
