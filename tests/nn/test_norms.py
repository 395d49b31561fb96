"""Instance norm, and the fault of torch's own that it goes around."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from videosynth.nn.blocks import ResidualBlock, up
from videosynth.nn.norms import InstanceNorm


def test_equals_its_definition():
    torch.manual_seed(0)
    norm = InstanceNorm(5).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(3, 5, 6, 7, dtype=torch.double)
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, unbiased=False)
    expected = (x - mean) / (variance + 1e-5).sqrt() * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)
    assert torch.allclose(norm(x), expected, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 2])
def test_gradients_do_not_depend_on_the_memory_format(batch):
    """A norm in front of a convolution, one channels-last image: here nn.InstanceNorm2d gives wrong gradients."""
    torch.manual_seed(0)
    network = nn.Sequential(ResidualBlock(6), *up(6, 4)).double()
    x = torch.randn(batch, 6, 8, 10, dtype=torch.double)
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        module, inputs = copy.deepcopy(network).to(memory_format=layout), x.clone().requires_grad_()
        out = module(inputs)
        (out * torch.arange(out.numel(), dtype=torch.double).view_as(out).sin()).sum().backward()
        found.append([inputs.grad, *(p.grad for p in module.parameters())])
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, atol=1e-9)
