"""Small models that pass the contract: from noise (in one part or two), by prediction, by translation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from videosynth import ops
from videosynth.models.base import Group, Phase, VideoModel
from videosynth.types import LATENT, Clip, DataSpec, Frame, MapSpec, Request


class Toy(VideoModel):
    """What they share: one group, an L1 loss, a constant phase."""

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
            yield Frame(self.generator(z.to(self.device)))


class TwoPart(Toy):
    """Content for the whole video, a step of motion for each frame, an attribute, and a mask beside each frame."""

    takes: frozenset[str] = frozenset({"latents", "speed"})
    parts = {"content": ("content",), "motion": ("step",)}  # noqa: RUF012
    pictures = ("mask",)

    def __init__(self, spec: DataSpec, width: int = 4) -> None:
        super().__init__(spec, width)
        self.size = width
        self.generator = nn.Linear(2 * width + 1, 4 * spec.size[0] * spec.size[1])

    @classmethod
    def tiny(cls) -> TwoPart:
        return cls(DataSpec(size=(8, 8), attributes={"shade": ("dark", "light")}))

    def cell(self, content: torch.Tensor, step: torch.Tensor, shade: torch.Tensor) -> Frame:
        """From ``(B, D)``, ``(B, D)`` and ``(B)`` ids."""
        z = torch.cat([content, step, shade[:, None].float()], dim=1)
        painted = self.generator(z.to(self.device)).unflatten(1, (4, *self.spec.size))
        mask = painted[:, 3:].sigmoid()
        return Frame(mask * painted[:, :3].tanh(), {"mask": mask})

    def training_step(self, clip: Clip, _: Any) -> None:
        content, steps = torch.randn(clip.batch, self.size), torch.randn(clip.batch, clip.length, self.size)
        shade = clip.attributes["shade"][:, 0]
        frames = [self.cell(content, steps[:, t], shade).image for t in range(clip.length)]
        self.learn(torch.stack(frames, dim=1), clip)

    def drawn(self, request: Request, salt: int) -> torch.Tensor:
        sources = [torch.Generator().manual_seed(1000 * seed + salt) for seed in request.seeds]
        return torch.cat([torch.randn(1, self.size, generator=source) for source in sources])

    @torch.no_grad()
    def frames(self, request: Request) -> Iterator[Frame]:
        given = request.latents or {}
        content = given.get("content", self.drawn(request, 999))
        asked = request.attributes.get("shade", tuple(("dark", "light")[s % 2] for s in request.seeds))
        asked = (asked,) * len(request.seeds) if isinstance(asked, str) else asked
        shade = torch.tensor([("dark", "light").index(value) for value in asked])
        for t in range(request.frames or 4):
            k = int(t * request.speed)
            step = given["step"][:, k] if "step" in given else self.drawn(request, k)
            frame = self.cell(content, step, shade)
            frame.extras |= {f"{LATENT}step": step} | ({} if t else {f"{LATENT}content": content})
            yield frame


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
