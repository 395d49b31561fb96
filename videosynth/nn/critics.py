"""Patch critics at several image scales (pix2pixHD, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videosynth.nn.norms import InstanceNorm
from videosynth.ops import pyramid


class PatchCritic(nn.Module):
    """A ladder of 4x4 convolutions with padding 2; returns the features of every layer, the logits last.

    With 3 layers: in -> n (stride 2), 2n (2), 4n (2), 8n (1), 1 (1); leaky ReLU 0.2; norm on all but the first and last.
    """

    def __init__(self, inputs: int, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        stages = [nn.Sequential(nn.Conv2d(inputs, width, 4, stride=2, padding=2), nn.LeakyReLU(0.2, inplace=True))]
        channels = width
        for layer in range(1, layers + 1):
            wider = min(channels * 2, 512)
            stages.append(
                nn.Sequential(
                    nn.Conv2d(channels, wider, 4, stride=2 if layer < layers else 1, padding=2),
                    InstanceNorm(wider),
                    nn.LeakyReLU(0.2, inplace=True),
                )
            )
            channels = wider
        stages.append(nn.Sequential(nn.Conv2d(channels, 1, 4, padding=2)))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class MultiscaleCritic(nn.Module):
    """The same critic design at full size, half size, ...; returns one feature list per scale, full size first."""

    def __init__(self, inputs: int, width: int = 64, layers: int = 3, scales: int = 2) -> None:
        super().__init__()
        self.critics = nn.ModuleList(PatchCritic(inputs, width, layers) for _ in range(scales))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        return [critic(level) for critic, level in zip(self.critics, pyramid(x, len(self.critics)), strict=True)]


Scores = list[list[Tensor]]


def logits(scores: Scores) -> list[Tensor]:
    """The last map of every scale."""
    return [features[-1] for features in scores]


def part(scores: Scores, index: int, parts: int) -> Scores:
    """One of ``parts`` equal pieces of the batch: several inputs share one pass (the critics know no batch norm)."""
    return [[torch.chunk(f, parts)[index] for f in features] for features in scores]
