"""The quick convolution is the convolution."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from videosynth import ops
from videosynth.models.vid2vid.networks import Vid2VidGenerator
from videosynth.models.vid2vid.options import GeneratorShape
from videosynth.nn import winograd
from videosynth.nn.lookup import LookUpConv, OneHotConv


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 8, 12), (2, 7, 9), (1, 3, 3), (3, 4, 5)])
def test_same_as_the_library(batch, height, width):
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 7, 3)
    x = torch.randn(batch, 5, height, width)
    expected, found = conv(x), winograd.WinogradConv(conv)(x)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-5)


def test_bf16_stays_close():
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 64, 3)
    x = torch.randn(1, 64, 10, 14)
    found = winograd.WinogradConv(conv.bfloat16())(x.bfloat16()).float()
    expected = conv.float()(x)
    assert float((found - expected).square().mean().sqrt() / expected.std()) < 0.02


def test_only_what_suits_is_replaced(monkeypatch):
    monkeypatch.setattr(winograd, "FEWEST", 4)
    net = nn.Sequential(
        nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=2), nn.Conv2d(4, 3, 3),
        nn.Sequential(nn.Conv2d(4, 8, 3)), nn.Conv2d(4, 4, 1),
    )  # fmt: skip
    assert winograd.can_quicken(net)
    winograd.quicken(net)
    assert [isinstance(m, winograd.WinogradConv) for m in (*net[:4], net[4][0], net[5])] == [
        True,
        *[False] * 3,
        True,
        False,
    ]
    assert not winograd.can_quicken(net)


@pytest.mark.parametrize("height", [3, 70])
def test_a_look_up_is_the_convolution_on_one_hot_maps(height):
    torch.manual_seed(0)
    conv = OneHotConv(4 + 1 + 3, 6, 3, ((0, 4), (5, 8)))
    ids = torch.randint(0, 5, (2, height, 9))  # 4: no class
    others = torch.randint(0, 3, (2, height, 9))
    x = torch.cat([ops.one_hot(ids, 4), torch.rand(2, 1, height, 9), ops.one_hot(others, 3)], dim=1)
    assert torch.allclose(LookUpConv(conv)(x), conv(x), atol=1e-5)


def test_a_quickened_generator_paints_the_same(monkeypatch):
    monkeypatch.setattr(winograd, "FEWEST", 8)
    torch.manual_seed(0)
    generator = Vid2VidGenerator(4, GeneratorShape(width=4, downsamples=1, blocks=2), (), ((0, 3),)).eval()
    frames = [
        torch.cat([ops.one_hot(torch.randint(0, 4, (1, 16, 20)), 3), torch.rand(1, 1, 16, 20)], 1) for _ in range(3)
    ]
    inputs = torch.cat(frames, dim=1), (torch.randn(1, 6, 16, 20),), torch.tensor([True])
    with torch.no_grad():
        (expected,) = generator(*inputs)
        winograd.quicken(generator)
        (found,) = generator(*inputs)
    assert any(isinstance(m, LookUpConv) for m in generator.modules())
    assert any(isinstance(m, winograd.WinogradConv) for m in generator.modules())
    for a, b in zip(expected, found, strict=True):
        assert (a is None and b is None) or torch.allclose(a, b, atol=1e-4)
