"""Three small models that pass the contract before the zoo arrives: from noise, by prediction, by translation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from videosynth import ops
from videosynth.models.base import Group, Phase, VideoModel
from videosynth.types import Clip, DataSpec, Frame, MapSpec, Request


class Toy(VideoModel):
    """What the three share: one group, an L1 loss, a constant phase."""

    def __init__(self, spec: DataSpec, width: int = 8) -> None:
        super().__init__(spec, width=width)
        self.total_steps = 50
        self.groups = {"g": Group(("generator",), 1e-2)}
        self.weights = {"g": {"l1": 1.0}}

    def phase_at(self, step: int) -> Phase:
        return Phase(clip_length=4, bptt=4)

    def learn(self, fake: torch.Tensor, clip: Clip) -> None:
        with self.step("g") as terms:
            terms["l1"] = (fake - ops.to_float(clip.frames)).abs().mean()
        self.steps += 1


class Noise(Toy):
    """One latent vector per video, the same picture in every frame."""

    def __init__(self, spec: DataSpec, width: int = 8) -> None:
        super().__init__(spec, width)
        height, length = spec.size
        self.generator = nn.Sequential(
            nn.Linear(width, 3 * height * length), nn.Tanh(), nn.Unflatten(1, (3, height, length))
        )

    @classmethod
    def tiny(cls) -> Noise:
        return cls(DataSpec(size=(8, 8)))

    def training_step(self, clip: Clip, _: Any) -> None:
        z = torch.randn(clip.batch, 8)
        self.learn(self.generator(z)[:, None].expand_as(clip.frames), clip)

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        z = torch.cat([torch.randn(1, 8, generator=torch.Generator().manual_seed(s)) for s in request.seeds])
        for _ in range(request.frames or 1):
            yield Frame(self.generator(z))


class Prediction(Toy):
    """The next frame from the last one."""

    needs: frozenset[str] = frozenset({"context", "frames"})

    def __init__(self, spec: DataSpec, width: int = 8) -> None:
        super().__init__(spec, width)
        self.generator = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1), nn.Tanh()
        )

    @classmethod
    def tiny(cls) -> Prediction:
        return cls(DataSpec(size=(8, 10)))

    def rollout(self, last: torch.Tensor, count: int) -> Iterator[torch.Tensor]:
        for _ in range(count):
            last = self.generator(last)
            yield last

    def training_step(self, clip: Clip, _: Any) -> None:
        first = ops.to_float(clip.frames[:, 0])
        self.learn(torch.stack(list(self.rollout(first, clip.length)), dim=1), clip)

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        last = ops.to_float(request.context.frames[:, -1])
        yield from (Frame(image) for image in self.rollout(last, request.frames))


class Translation(Toy):
    """Each frame from its label map."""

    needs: frozenset[str] = frozenset({"maps"})

    def __init__(self, spec: DataSpec, width: int = 8) -> None:
        super().__init__(spec, width)
        self.generator = nn.Sequential(
            nn.Conv2d(spec.channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 1), nn.Tanh()
        )

    @classmethod
    def tiny(cls) -> Translation:
        return cls(DataSpec(maps=(MapSpec("labels", "classes", 3),), size=(9, 11)))

    def training_step(self, clip: Clip, _: Any) -> None:
        steps = [ops.encode_maps({"labels": clip.maps["labels"][:, t]}, self.spec) for t in range(clip.length)]
        self.learn(torch.stack([self.generator(s) for s in steps], dim=1), clip)

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        for maps in request.maps:
            yield Frame(self.generator(ops.encode_maps(maps, self.spec)))
