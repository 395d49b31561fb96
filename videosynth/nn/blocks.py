"""Convolution blocks of the pix2pixHD family."""

from __future__ import annotations

from torch import Tensor, nn

from videosynth.nn.norms import InstanceNorm


def conv7(inputs: int, outputs: int) -> list[nn.Module]:
    """7x7 convolution behind reflection padding: the first and last layer of the family."""
    return [nn.ReflectionPad2d(3), nn.Conv2d(inputs, outputs, 7)]


def entry(inputs: int, outputs: int) -> list[nn.Module]:
    return [*conv7(inputs, outputs), InstanceNorm(outputs), nn.ReLU(inplace=True)]


def down(inputs: int, outputs: int) -> list[nn.Module]:
    """Halve the size."""
    return [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), InstanceNorm(outputs), nn.ReLU(inplace=True)]


def up(inputs: int, outputs: int) -> list[nn.Module]:
    """Double the size."""
    return [
        nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1),
        InstanceNorm(outputs),
        nn.ReLU(inplace=True),
    ]


class ResidualBlock(nn.Module):
    """``x + norm(conv(relu(norm(conv(x)))))``, 3x3 behind reflection padding, nothing after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def normal_init(module: nn.Module) -> None:
    """Weights of convolutions from N(0, 0.02), of norms from N(1, 0.02), biases of norms 0 (DCGAN, pix2pix)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, InstanceNorm):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)
