"""3x3 convolutions with fewer multiplications (Winograd's F(2x2, 3x3); Lavin and Gray 2016), for making frames only.

Every 2x2 pixels of output cost 16 multiplications per pair of channels instead of 36. The products are one batched matrix
product, which every processor does well; in bf16 on the CPU it is about twice as fast as the library's convolution where
there are many channels, and a little less exact (its sums and differences are rounded too).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videosynth.nn.lookup import LookUpConv, OneHotConv

FEWEST = 768  # channels below which the transforms cost what they save (measured: 1024 gain, 512 do not)


def suits(module: nn.Module) -> bool:
    """Whether a layer is a plain 3x3 convolution, stride 1, without padding of its own, with many channels."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (3, 3)
        and module.stride == (1, 1)
        and module.padding == (0, 0)
        and module.dilation == (1, 1)
        and module.groups == 1
        and min(module.in_channels, module.out_channels) >= FEWEST
    )


class WinogradConv(nn.Module):
    """The same layer as ``conv``, with its weights transformed once."""

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        half = 0.5
        g = torch.tensor([[1, 0, 0], [half, half, half], [half, -half, half], [0, 0, 1]])
        weight = conv.weight.detach().float()
        spread = torch.einsum("iy,ocyx,jx->ijco", g, weight, g).flatten(0, 1)  # 16 in out
        self.register_buffer("weight", spread.to(conv.weight.dtype).contiguous())
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        self.register_buffer("bias", bias.to(conv.weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """x ``(B, C, H + 2, W + 2)``; returns ``(B, O, H, W)``, channels-last."""
        batch, _, height, width = x.shape
        rows, columns = -(-(height - 2) // 2), -(-(width - 2) // 2)
        if height % 2 or width % 2:  # an odd size gets one more row or column, cut off again
            x = nn.functional.pad(x, (0, width % 2, 0, height % 2))
        tiles = x.permute(0, 2, 3, 1).unfold(1, 4, 2).unfold(2, 4, 2)  # B rows columns C 4 4
        down = _spread(*(tiles[..., y, :] for y in range(4)))  # over y: four of B rows columns C 4
        spread = torch.stack([part for row in down for part in _spread(*row.unbind(-1))])  # 16 B rows columns C
        product = torch.bmm(spread.flatten(1, 3), self.weight).view(4, 4, batch, rows, columns, -1)
        upper, lower = _gather(*product)  # over y: each 4 B rows columns O
        pixels = torch.stack([torch.stack(_gather(*upper), dim=3), torch.stack(_gather(*lower), dim=3)], dim=2)
        out = pixels.reshape(batch, 2 * rows, 2 * columns, -1) + self.bias  # B rows 2 columns 2 O
        return out.permute(0, 3, 1, 2)[..., : height - 2, : width - 2]


def _spread(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return a - c, b + c, c - b, b - d


def _gather(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    return a + b + c, b - c - d


def can_quicken(module: nn.Module) -> bool:
    return any(suits(part) or (isinstance(part, OneHotConv) and part.ranges) for part in module.modules())


def quicken(module: nn.Module) -> None:
    """Replace every layer that suits, and first convolutions on one-hot maps, in place."""
    for name, child in module.named_children():
        if isinstance(child, OneHotConv) and child.ranges:
            setattr(module, name, LookUpConv(child))
        elif suits(child):
            setattr(module, name, WinogradConv(child))  # pyright: ignore[reportArgumentType]
        else:
            quicken(child)
