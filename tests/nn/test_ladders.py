"""Tables of layers, batch norms with and without a shift, folding over frames."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from videosynth.nn.ladders import Form, InstanceNoise, PerFrame, Rung, doublings, ladder, widths
from videosynth.nn.norms import BatchNorm


def test_a_ladder_halves_and_doubles():
    down = ladder(3, 3, [Rung(4, norm=False, activation="leaky"), Rung(8)])
    assert down(torch.zeros(2, 3, 8, 16, 24)).shape == (2, 8, 2, 4, 6)
    assert [type(m).__name__ for m in down] == ["Conv3d", "LeakyReLU", "Conv3d", "BatchNorm", "ReLU"]
    up = ladder(2, 5, [Rung(4, (2, 3), 1, 0), Rung(3, norm=False, activation="tanh")], transposed=True)
    assert up(torch.zeros(2, 5, 1, 1)).shape == (2, 3, 4, 6)


def test_forms():
    plain = ladder(1, 2, [Rung(3), Rung(3)], form=Form(bias=False, beta=False, eps=0.1, noise=0.5))
    convolutions = [m for m in plain if isinstance(m, nn.Conv1d)]
    norms = [m for m in plain if isinstance(m, BatchNorm)]
    assert all(c.bias is None for c in convolutions)
    assert all(n.bias is None and n.eps == 0.1 for n in norms)
    assert sum(isinstance(m, InstanceNoise) for m in plain) == 2


def test_noise_is_of_training_only():
    noise, x = InstanceNoise(0.1), torch.zeros(4, 1000)
    assert float(noise(x).std()) == pytest.approx(0.1, rel=0.1)
    assert torch.equal(noise.eval()(x), x)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5), (6, 4, 5, 3), (6, 4, 2, 5, 3)])
def test_batch_norm_is_torchs(shape):
    mine = BatchNorm(4)
    theirs = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[len(shape)](4)
    x = torch.randn(shape) * 3 + 1
    assert torch.equal(mine(x), theirs(x))
    assert torch.equal(mine.eval()(x), theirs.eval()(x))


def test_batch_norm_without_a_shift_has_one_parameter():
    norm = BatchNorm(4, beta=False)
    assert [n for n, _ in norm.named_parameters()] == ["weight"]
    assert norm(torch.randn(8, 4)).shape == (8, 4)


def test_frames_are_folded_video_by_video():
    seen = []

    class Look(nn.Module):
        def forward(self, x, y):
            seen.append((x[:, 0].tolist(), y[:, 0].tolist()))
            return x + y

    x = torch.tensor([0.0, 1.0])[:, None, None].expand(2, 3, 1)  # the same in all frames of a video
    y = torch.arange(6.0).view(2, 3, 1)
    out = PerFrame(Look())(x, y)
    assert seen == [([0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 4, 5])]
    assert torch.equal(out, x + y)


@given(st.integers(8, 300), st.integers(8, 300))
def test_doublings_give_a_grid_or_a_clear_error(height, width):
    grid = max(k for k in range(1, 8) if min(height, width) >= 4 * 2**k)
    if height % 2**grid or width % 2**grid:
        with pytest.raises(ValueError, match=f"{width}x{height}"):
            doublings((height, width))
    else:
        assert doublings((height, width)) == grid


def test_doublings_of_the_papers_sizes():
    assert doublings((64, 64)) == 4
    assert doublings((32, 32)) == 3
    assert doublings((96, 96)) == 4
    assert widths(64, 4) == (512, 256, 128, 64)
