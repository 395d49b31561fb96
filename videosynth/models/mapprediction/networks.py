"""The predictor of label maps: the sequential generator of vid2vid with maps for pictures. Plain torch, bottom-up."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from videosynth import ops
from videosynth.models.mapprediction.options import PredictorShape
from videosynth.nn.blocks import ResidualBlock, conv7, down, entry, normal_init, up


class Predicted(NamedTuple):
    """What is said about the next map."""

    shares: Tensor  # (B, C, H, W) probabilities of the classes
    flow: Tensor  # (B, 2, H, W) pixels, backward
    mask: Tensor  # (B, 1, H, W) in [0, 1], 1 where the newly drawn map is used
    warped: Tensor  # (B, C, H, W) the previous map, warped


class MapPredictor(nn.Module):
    """The next map from the past ones: ``m * softmax(h) + (1 - m) * warp(previous, w)`` (vid2vid, equation 4, on maps)."""

    def __init__(self, classes: int, shape: PredictorShape) -> None:
        super().__init__()
        self.shape, self.classes = shape, classes
        width, halvings = shape.width, shape.downsamples
        deep = width * 2**halvings
        layers = entry(classes * shape.past, width)
        for k in range(halvings):
            layers += down(width * 2**k, width * 2 ** (k + 1))
        layers += [ResidualBlock(deep) for _ in range(shape.blocks - shape.blocks // 2)]
        self.trunk = nn.Sequential(*layers)
        self.map_branch, self.flow_branch = self._branch(), self._branch()
        self.map_head = nn.Sequential(*conv7(width, classes))
        self.flow_head = nn.Sequential(*conv7(width, 2))
        self.mask_head = nn.Sequential(*conv7(width, 1), nn.Sigmoid())
        normal_init(self)

    def _branch(self) -> nn.Sequential:
        shape = self.shape
        layers: list[nn.Module] = [ResidualBlock(shape.width * 2**shape.downsamples) for _ in range(shape.blocks // 2)]
        for k in reversed(range(shape.downsamples)):
            layers += up(shape.width * 2 ** (k + 1), shape.width * 2**k)
        return nn.Sequential(*layers)

    def forward(self, past: Tensor) -> Predicted:
        """past ``(B, P, C, H, W)`` probabilities, oldest first; H and W multiples of ``shape.multiple``."""
        dtype = next(self.parameters()).dtype
        features = self._run(self.trunk, past.flatten(1, 2).to(dtype))
        drawn = self.map_head(self._run(self.map_branch, features)).float().softmax(1)
        motion = self._run(self.flow_branch, features)
        flow = self.flow_head(motion).float() * self.shape.flow_scale
        mask = self.mask_head(motion).float()
        warped = ops.warp(past[:, -1].float(), flow)
        return Predicted(mask * drawn + (1 - mask) * warped, flow, mask, warped)

    def _run(self, module: nn.Module, x: Tensor) -> Tensor:
        if self.shape.checkpointing and torch.is_grad_enabled():
            return checkpoint(module, x, use_reentrant=False)  # pyright: ignore[reportReturnType]
        return module(x)
