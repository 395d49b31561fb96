"""The networks of MoCoGAN (Tulyakov, Liu, Yang, Kautz 2018; its reference's layers): plain torch, bottom-up."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videosynth.models.mocogan.options import CriticShape, GeneratorShape
from videosynth.nn.ladders import Form, InstanceNoise, PerFrame, Rung, doublings, ladder, widths

PLAIN = Form(bias=False)  # no convolution of MoCoGAN has a bias


class ImageGenerator(nn.Module):
    """A picture ``(N, 3, H, W)`` from content and motion together, ``(N, Z)``."""

    def __init__(self, inputs: int, size: tuple[int, int], width: int) -> None:
        super().__init__()
        count = doublings(size)
        top, *rest = widths(width, count)
        rungs = [Rung(top, (size[0] // 2**count, size[1] // 2**count), 1, 0), *(Rung(c) for c in rest)]
        self.ladder = ladder(2, inputs, [*rungs, Rung(3, norm=False, activation="tanh")], transposed=True, form=PLAIN)

    def forward(self, z: Tensor) -> Tensor:
        return self.ladder(z[:, :, None, None])


class PictureEncoder(nn.Module):
    """Features of a picture at every halving, the full half first (image-to-video: what stands in for the content vector)."""

    def __init__(self, size: tuple[int, int], width: int) -> None:
        super().__init__()
        channels = list(reversed(widths(width, doublings(size))))
        self.stages = nn.ModuleList(
            ladder(2, before, [Rung(after, norm=i > 0, activation="leaky")], form=PLAIN)
            for i, (before, after) in enumerate(zip([3, *channels], channels))
        )

    def forward(self, picture: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            picture = stage(picture)
            features.append(picture)
        return features


class PictureGenerator(nn.Module):
    """A picture from the features of a given one, and the motion at the smallest grid; the features enter at every size."""

    def __init__(self, motion: int, size: tuple[int, int], width: int) -> None:
        super().__init__()
        channels = widths(width, doublings(size))
        inputs = [channels[0] + motion, *(2 * c for c in channels[1:])]
        outputs = [*channels[1:], 3]
        self.stages = nn.ModuleList(
            ladder(2, i, [Rung(o) if o != 3 else Rung(3, norm=False, activation="tanh")], transposed=True, form=PLAIN)
            for i, o in zip(inputs, outputs)
        )

    def forward(self, motion: Tensor, *features: Tensor) -> Tensor:
        """``motion (N, M)``; ``features`` as the encoder gives them, ``(N, C, h, w)`` each."""
        *finer, x = features
        x = torch.cat([x, motion[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)
        for stage, skip in zip(self.stages, [*reversed(finer), None]):
            x = stage(x)
            if skip is not None:
                x = torch.cat([x, skip], dim=1)
        return x


class Content(NamedTuple):
    """What a video keeps: a vector ``(B, C)``, or the features of a picture, ``(B, c, h, w)`` each."""

    parts: tuple[Tensor, ...]


class Generator(nn.Module):
    """Content stays, motion is a path of a recurrent cell driven by noise; a frame is painted from both."""

    def __init__(self, size: tuple[int, int], classes: int, shape: GeneratorShape) -> None:
        super().__init__()
        self.to_motion = shape.category_to == "motion"
        self.path = nn.GRUCell(shape.innovation + (classes if self.to_motion else 0), shape.motion)
        motion = shape.motion + (0 if self.to_motion else classes)
        self.encoder: PictureEncoder | None = None
        if shape.from_image:
            self.encoder = PictureEncoder(size, shape.width)
            self.paint = PerFrame(PictureGenerator(motion, size, shape.width))
        else:
            self.paint = PerFrame(ImageGenerator(shape.content + motion, size, shape.width))

    def step(self, innovation: Tensor, category: Tensor | None, state: Tensor) -> Tensor:
        """The next point of the path ``(B, M)``; ``category (B, K)`` one-hot."""
        if category is not None and self.to_motion:
            innovation = torch.cat([innovation, category], dim=1)
        return self.path(innovation, state)

    def content(self, given: Tensor) -> Content:
        """From a vector ``(B, C)``, or from a picture ``(B, 3, H, W)``."""
        return Content((given,) if self.encoder is None else tuple(self.encoder(given)))

    def frames(self, content: Content, motion: Tensor, category: Tensor | None) -> Tensor:
        """``motion (B, T, M)`` to ``(B, T, 3, H, W)``."""
        length = motion.shape[1]
        if category is not None and not self.to_motion:
            motion = torch.cat([motion, category.unsqueeze(1).expand(-1, length, -1)], dim=2)
        each = [part.unsqueeze(1).expand(-1, length, *part.shape[1:]) for part in content.parts]
        if self.encoder is None:
            return self.paint(torch.cat([*each, motion], dim=2))
        return self.paint(motion, *each)


def _enough_for_patches(patches: bool, count: int, size: tuple[int, int]) -> None:
    if patches and count < 2:
        raise ValueError(
            f"patch critics need frames of 16 pixels a side or more, not {size[1]}x{size[0]}: choose plain ones"
        )


class ImageCritic(nn.Module):
    """Pictures ``(N, 3, H, W)`` to logits: one per patch, or one per picture."""

    def __init__(self, size: tuple[int, int], shape: CriticShape) -> None:
        super().__init__()
        self.centre = shape.centre
        count = doublings(size)
        patches = shape.image == "patch"
        _enough_for_patches(patches, count, size)
        channels = list(reversed(widths(shape.width, count)))[: count - patches]
        rungs = [Rung(c, norm=shape.norm and i > 0, activation="leaky") for i, c in enumerate(channels)]
        self.trunk = ladder(2, 3, rungs, form=PLAIN._replace(noise=shape.noise))
        if patches:  # the reference's are noised ahead of their last layer too
            self.score = nn.Sequential(InstanceNoise(shape.noise), nn.Conv2d(channels[-1], 1, 4, 2, 1, bias=False))
        else:
            self.score = nn.Conv2d(channels[-1], 1, (size[0] // 2**count, size[1] // 2**count), bias=False)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.score(self.trunk(pictures - self.centre))


class Judged(NamedTuple):
    score: Tensor  # (B, ...) logits of real against fake
    classes: Tensor | None  # (B, K) logits


class VideoCritic(nn.Module):
    """Clips ``(B, T, 3, H, W)`` to logits; each layer halves the picture and looks at four frames, so time shrinks by 3.

    The class head is a convolution of its own beside the score's: together they are the reference's last layer.
    """

    def __init__(self, size: tuple[int, int], length: int, classes: int, shape: CriticShape) -> None:
        super().__init__()
        self.centre = shape.centre
        count = doublings(size)
        self.patches = shape.video == "patch"
        _enough_for_patches(self.patches, count, size)
        layers = count - 1 if self.patches else count
        self.edges = shape.edges
        left = length + 2 * shape.edges - 3 * count
        if left < 1:
            raise ValueError(
                f"a video critic of frames of {size[1]}x{size[0]} needs clips of {length + 1 - left} frames or more, not "
                f"{length}: set schedule.clip_length"
            )
        channels = list(reversed(widths(shape.width, count)))[:layers]
        form = PLAIN._replace(noise=shape.noise)
        rungs = [
            Rung(c, 4, (1, 2, 2), (0, 1, 1), norm=shape.norm and i > 0, activation="leaky")
            for i, c in enumerate(channels)
        ]
        self.trunk = ladder(3, 3, rungs, form=form)
        grid = (left, size[0] // 2**count, size[1] // 2**count)
        if self.patches:
            self.score = nn.Conv3d(channels[-1], 1, 4, (1, 2, 2), (0, 1, 1), bias=False)
        else:
            self.score = nn.Conv3d(channels[-1], 1, grid, bias=False)
        self.classes = nn.Conv3d(channels[-1], classes, grid, bias=False) if classes else None

    def forward(self, video: Tensor) -> Judged:
        video = (video - self.centre).transpose(1, 2)
        if self.edges:
            video = F.pad(video, (0, 0, 0, 0, self.edges, self.edges), mode="replicate")
        features = self.trunk(video)
        classes = None if self.classes is None else self.classes(features).flatten(1)
        return Judged(self.score(features).flatten(1), classes)
