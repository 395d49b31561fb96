"""A SPADE generator for vid2vid: maps modulate every layer, and so does the warped previous frame (multi-SPADE).

The design of the later public vid2vid (imaginaire; specification 5.1): one decoder; the first frame grows from the coarsest
maps, later ones from the encoded previous frame; a flow network of its own. Plain torch, bottom-up.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from videosynth import ops
from videosynth.models.vid2vid.networks import Painted
from videosynth.models.vid2vid.options import GeneratorShape
from videosynth.nn.blocks import ResidualBlock, down, entry, up
from videosynth.nn.growing import ActiveScales
from videosynth.nn.spade import SPADEBlock, spectral_conv


class Embedder(nn.Module):
    """Encoder and decoder; gives features of every level, the finest first: ``(B, widths[k], H / 2^k, W / 2^k)``."""

    def __init__(self, inputs: int, widths: list[int]) -> None:
        super().__init__()
        self.first = spectral_conv(inputs, widths[0])
        pairs = list(pairwise(widths))
        self.downs = nn.ModuleList(spectral_conv(a, b, stride=2) for a, b in pairs)
        self.ups = nn.ModuleList(spectral_conv(b, a) for a, b in pairs)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.leaky_relu(self.first(x), 0.2)
        for layer in self.downs:
            x = F.leaky_relu(layer(x), 0.2)
        features = [x]
        for layer in reversed(self.ups):
            x = F.leaky_relu(layer(F.interpolate(x, scale_factor=2.0, mode="nearest")), 0.2)
            features.append(x)
        return features[::-1]


class FlowNetwork(nn.Module):
    """Flow and mask from maps and past frames, each encoded on its own, then summed."""

    def __init__(self, maps: int, frames: int, shape: GeneratorShape) -> None:
        super().__init__()
        self.flow_scale = shape.flow_scale
        width, halvings = shape.width, shape.downsamples
        self.map_trunk = nn.Sequential(*entry(maps, width), *self._deepen(width, halvings))
        self.frame_trunk = nn.Sequential(*entry(frames, width), *self._deepen(width, halvings))
        deep = width * 2**halvings
        raised = [layer for k in reversed(range(halvings)) for layer in up(width * 2 ** (k + 1), width * 2**k)]
        self.branch = nn.Sequential(*(ResidualBlock(deep) for _ in range(shape.blocks)), *raised)
        self.flow_head = nn.Conv2d(width, 2, 3, padding=1)
        self.mask_head = nn.Sequential(nn.Conv2d(width, 1, 3, padding=1), nn.Sigmoid())

    @staticmethod
    def _deepen(width: int, halvings: int) -> list[nn.Module]:
        return [layer for k in range(halvings) for layer in down(width * 2**k, width * 2 ** (k + 1))]

    def forward(self, maps: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Flow ``(B, 2, H, W)`` in pixels and mask ``(B, 1, H, W)`` in [0, 1], both float32."""
        motion = self.branch(self.map_trunk(maps) + self.frame_trunk(frames))
        return self.flow_head(motion).float() * self.flow_scale, self.mask_head(motion).float()


class SpadeGenerator(nn.Module):
    """The whole generator, with the interface of the composite one (:class:`Vid2VidGenerator`) at one scale.

    ``shape.levels`` halvings lead from the frame to the coarsest maps that a first frame grows from, ``shape.downsamples``
    to the depth at which the encoded previous frame enters; channels double from ``shape.width`` up to ``shape.widest``.
    """

    def __init__(self, map_channels: int, shape: GeneratorShape, foreground: tuple[int, ...] = (), *_: object) -> None:
        super().__init__()
        if foreground:
            raise ValueError("this generator has no foreground branch")
        if shape.style:
            raise ValueError("this generator takes no looks")
        self.shape = shape
        self.map_channels = map_channels
        self.active = ActiveScales(1)
        self.blends = shape.combine == "blend"
        widths = [min(shape.width * 2**k, shape.widest) for k in range(shape.levels + 1)]
        self.embedder = Embedder(map_channels, widths)
        self.grow = spectral_conv(map_channels, widths[-1])
        warped = shape.flow and not self.blends
        self.warped_levels = min(shape.warped_levels, shape.levels) if warped else 0
        if warped:
            self.warped_embedder = Embedder(4, widths[: self.warped_levels + 1])
        decoder = []
        for k in range(shape.levels):
            conditions = [widths[k]] + ([widths[k]] if k < self.warped_levels else [])
            decoder.append(SPADEBlock(widths[k + 1], widths[k], conditions))
        self.decoder = nn.ModuleList(decoder)
        self.image_head = nn.Conv2d(widths[0], 3, 3, padding=1)
        if shape.past:
            depth = shape.downsamples
            self.previous = spectral_conv(3, widths[0])
            self.encoder = nn.ModuleList(SPADEBlock(widths[k], widths[k + 1], [widths[k]]) for k in range(depth))
            self.before = nn.ModuleList(SPADEBlock(widths[depth], widths[depth], [widths[depth]]) for _ in range(2))
            self.now = nn.ModuleList(SPADEBlock(widths[depth], widths[depth], [widths[depth]]) for _ in range(2))
        if shape.flow:
            self.flow_network = FlowNetwork(map_channels * (shape.past + 1), 3 * shape.past, shape)

    def resting(self, active: int, alone: bool) -> list[str]:
        """Everything trains from the beginning: there is one scale."""
        del active, alone
        return []

    def forward(
        self, maps: Tensor, histories: tuple[Tensor, ...], known: Tensor, told: Tensor | None = None
    ) -> tuple[Painted, ...]:
        """As :meth:`Vid2VidGenerator.forward`, one scale. H and W are multiples of ``shape.multiple``."""
        del told  # the previous frame is encoded where there is one
        dtype = next(self.parameters()).dtype
        maps, history = maps.to(dtype), histories[-1]
        if self.shape.checkpointing and torch.is_grad_enabled():
            # Spectral norms first (kept by parametrize.cached): recomputing a layer must find what its first run found.
            _ = [m.weight for m in self.modules() if parametrize.is_parametrized(m, "weight")]
        labels = self.embedder(maps[:, -self.map_channels :])
        some = every = False
        if self.shape.past and (known.is_meta or isinstance(known, FakeTensor)):
            some = True  # shapes without content are counted: the longer way is taken
        elif self.shape.past:
            some, every = bool(known.any()), bool(known.all())
        depth = self.shape.downsamples
        flow = mask = warped = None
        conditions: list[Tensor] = []
        if self.shape.flow:
            flow, mask = self.flow_network(maps, history.to(dtype))
            mask = self.shape.refresh + (1 - self.shape.refresh - self.shape.persist) * mask
            mask = torch.where(known.view(-1, 1, 1, 1), mask, 1.0)
            warped = ops.warp(history[:, -3:].float(), flow)
            if not self.blends:
                # Where there is no previous frame it sees nothing, in a batch with others or alone.
                seen = torch.cat([warped, mask], dim=1) * known.view(-1, 1, 1, 1)
                conditions = [*self.warped_embedder(seen.to(dtype))[: self.warped_levels]]
        x = None if every else self._first(maps[:, -self.map_channels :], labels, conditions)
        if some:
            encoded = self._encode(maps, history.to(dtype), labels)
            x = encoded if x is None else torch.where(known.view(-1, 1, 1, 1), encoded, x)
        assert x is not None
        raw = torch.tanh(self.image_head(F.leaky_relu(self._raised(x, labels, conditions, range(depth)), 0.2)).float())
        image = raw
        if self.blends and flow is not None and mask is not None and warped is not None:
            image = mask * raw + (1 - mask) * warped
        return (Painted(image, raw, flow, mask, warped, None),)

    def _first(self, maps: Tensor, labels: list[Tensor], conditions: list[Tensor]) -> Tensor:
        """The beginning of a video: from the coarsest maps up to the depth where later frames enter."""
        x = self.grow(F.interpolate(maps, labels[-1].shape[-2:], mode="nearest"))
        return self._raised(x, labels, conditions, range(self.shape.downsamples, self.shape.levels))

    def _encode(self, maps: Tensor, history: Tensor, labels: list[Tensor]) -> Tensor:
        """The previous frame, modulated by its own maps, then by the present ones."""
        earlier = self.embedder(maps[:, -2 * self.map_channels : -self.map_channels])
        x = self.previous(history[:, -3:])
        for k, block in enumerate(self.encoder):
            x = F.avg_pool2d(block(x, [earlier[k]]), 3, stride=2, padding=1)
        depth = self.shape.downsamples
        for block in self.before:
            x = block(x, [earlier[depth]])
        for block in self.now:
            x = block(x, [labels[depth]])
        return x

    def _raised(self, x: Tensor, labels: list[Tensor], conditions: list[Tensor], levels: range) -> Tensor:
        """Up through some levels of the decoder."""
        for k in reversed(levels):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            seen = [labels[k], *conditions[k : k + 1]]
            if self.shape.checkpointing and torch.is_grad_enabled():
                x = checkpoint(self.decoder[k], x, seen, use_reentrant=False)  # pyright: ignore[reportAssignmentType]
            else:
                x = self.decoder[k](x, seen)
        return x
