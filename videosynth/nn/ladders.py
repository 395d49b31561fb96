"""Ladders of convolutions: the generators and critics of the DCGAN family as tables, in one, two or three dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from videosynth.nn.norms import BatchNorm

Activation = Literal["relu", "leaky", "tanh", "sigmoid", "none"]
Sides = int | tuple[int, ...]  # one number for every dimension, or one for each

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky": lambda: nn.LeakyReLU(0.2, inplace=True),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class Rung(NamedTuple):
    """One row of a layer table: convolution, norm, activation. The defaults halve (or, transposed, double) every side."""

    channels: int
    kernel: Sides = 4
    stride: Sides = 2
    padding: Sides = 1
    norm: bool = True
    activation: Activation = "relu"


class Form(NamedTuple):
    """What holds for all rungs of a ladder: biases of the convolutions, the batch norms, noise ahead of each convolution."""

    bias: bool = True
    beta: bool = True  # batch norms have a shift
    eps: float = 1e-5
    noise: float = 0.0  # standard deviation, in training only


class InstanceNoise(nn.Module):
    """Adds Gaussian noise in training (MoCoGAN's critics): real and fake overlap from the start."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x) if self.training and self.sigma else x


def ladder(
    dims: Literal[1, 2, 3], inputs: int, rungs: Sequence[Rung], transposed: bool = False, form: Form = Form()
) -> nn.Sequential:
    """The rungs from bottom to top on ``(B, inputs, sides...)``."""
    layers: list[nn.Module] = []
    channels = inputs
    convolution = (_TRANSPOSED if transposed else _CONVOLUTIONS)[dims]
    for rung in rungs:
        if form.noise:
            layers.append(InstanceNoise(form.noise))
        layers.append(convolution(channels, rung.channels, rung.kernel, rung.stride, rung.padding, bias=form.bias))  # pyright: ignore[reportArgumentType]
        if rung.norm:
            layers.append(BatchNorm(rung.channels, form.eps, beta=form.beta))
        if rung.activation != "none":
            layers.append(_ACTIVATIONS[rung.activation]())
        channels = rung.channels
    return nn.Sequential(*layers)


def doublings(size: tuple[int, int]) -> int:
    """How often a grid of at least 4 pixels a side is doubled until it has ``size``: 4 for 64x64, 3 for 32x32.

    Raises:
        ValueError: no such grid: a side is below 8 pixels or does not divide.
    """
    smallest = min(size)
    count = int(math.log2(smallest / 4)) if smallest >= 8 else 0
    if count < 1 or any(side % 2**count for side in size):
        raise ValueError(
            f"frames of {size[1]}x{size[0]} are no doubled grid: the smaller side must be 8 or more, both must divide by "
            f"{2 ** max(count, 1)} (64x64, 32x32, 96x64, 128x128 do)"
        )
    return count


def widths(width: int, count: int) -> tuple[int, ...]:
    """``count`` channel counts that halve down to ``width``: (512, 256, 128, 64) for 64 and 4."""
    return tuple(width * 2 ** (count - 1 - k) for k in range(count))


class PerFrame(nn.Module):
    """A network of pictures on every frame of videos: ``(B, T, ...)`` to ``(B, T, ...)``, folded video by video."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        shape = inputs[0].shape[:2]
        return self.network(*(x.flatten(0, 1) for x in inputs)).unflatten(0, shape)


def weight_init(module: nn.Module, draw: Callable[[Tensor], Tensor], scale: tuple[float, float] | None = None) -> None:
    """Draw the weights of convolutions and linear layers; biases 0; ``scale``: mean and deviation of the norms' weights."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear):
            draw(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, BatchNorm) and scale is not None:
            nn.init.normal_(layer.weight, *scale)
