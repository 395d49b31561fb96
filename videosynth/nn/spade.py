"""Spatially-adaptive normalisation (Park et al. 2019, SPADE): maps modulate normalised features pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations


def spectral_conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, bias: bool = True) -> nn.Module:
    """A convolution of spectral norm 1 that keeps the size (divided by the stride)."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
    return parametrizations.spectral_norm(conv)


class SPADE(nn.Module):
    """Instance norm without parameters, then for each condition in turn ``x * (1 + gamma(c)) + beta(c)``.

    ``conditions`` are the channels of each.
    """

    def __init__(self, channels: int, conditions: Sequence[int], kernel: int = 1) -> None:
        super().__init__()
        self.modulations = nn.ModuleList(nn.Conv2d(c, 2 * channels, kernel, padding=kernel // 2) for c in conditions)

    def forward(self, x: Tensor, conditions: Sequence[Tensor]) -> Tensor:
        """x ``(B, C, H, W)``; conditions ``(B, c, h, w)``, resized to x where they differ."""
        x = F.group_norm(x.contiguous(), x.shape[1])  # instance norm; see nn/norms.py for why not F.instance_norm
        for modulation, condition in zip(self.modulations, conditions, strict=True):
            if condition.shape[-2:] != x.shape[-2:]:
                condition = F.interpolate(condition, x.shape[-2:], mode="nearest")
            gamma, beta = modulation(condition).chunk(2, dim=1)
            x = x * (1 + gamma) + beta
        return x


class SPADEBlock(nn.Module):
    """Residual block of SPADE, leaky ReLU 0.2 and convolution, twice; a learned shortcut where the channels change."""

    def __init__(self, inputs: int, outputs: int, conditions: Sequence[int], kernel: int = 1) -> None:
        super().__init__()
        hidden = min(inputs, outputs)
        self.norm_0, self.conv_0 = SPADE(inputs, conditions, kernel), spectral_conv(inputs, hidden)
        self.norm_1, self.conv_1 = SPADE(hidden, conditions, kernel), spectral_conv(hidden, outputs)
        self.learned = inputs != outputs
        if self.learned:
            self.norm_s = SPADE(inputs, conditions, kernel)
            self.conv_s = spectral_conv(inputs, outputs, kernel=1, bias=False)

    def forward(self, x: Tensor, conditions: Sequence[Tensor]) -> Tensor:
        short = self.conv_s(self.norm_s(x, conditions)) if self.learned else x
        y = self.conv_0(F.leaky_relu(self.norm_0(x, conditions), 0.2))
        return short + self.conv_1(F.leaky_relu(self.norm_1(y, conditions), 0.2))
