"""Singular value clipping, weight clipping, spectral norms."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from videosynth.nn.constraints import (
    LOWEST,
    add_spectral_norms,
    clip_singular_values,
    clip_weights,
    largest_singular_value,
)
from videosynth.nn.norms import BatchNorm


def critic(scale: float = 3.0, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Conv3d(3, 8, 4, 2, 1), BatchNorm(8), nn.Conv2d(8, 40, 1), nn.Linear(6, 5))
    for layer in (layers[0], layers[2], layers[3]):
        nn.init.normal_(layer.weight, 0, scale)
    return layers


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(0.01, 30.0), seed=st.integers(0, 50))
def test_values_are_at_most_one_and_a_second_call_changes_nothing(scale, seed):
    network = critic(scale, seed)
    clip_singular_values(network)
    assert largest_singular_value(network) <= 1 + 1e-5
    once = {k: v.clone() for k, v in network.state_dict().items()}
    clip_singular_values(network)
    assert all(torch.equal(v, once[k]) for k, v in network.state_dict().items())


def test_it_is_the_decomposition_with_values_cut_at_one():
    network = critic(0.4)
    biases = [network[0].bias.clone(), network[2].bias.clone()]
    expected = []
    for layer in (network[0], network[2], network[3]):
        u, s, v = torch.linalg.svd(layer.weight.detach().flatten(1).double(), full_matrices=False)
        assert s.max() > 1  # otherwise this would test nothing
        expected.append((u * s.clamp(max=1)) @ v)
    clip_singular_values(network)
    for layer, target in zip((network[0], network[2], network[3]), expected, strict=True):
        assert torch.allclose(layer.weight.flatten(1).double(), target, atol=1e-5)
    assert torch.equal(network[0].bias, biases[0])
    assert torch.equal(network[2].bias, biases[1])


def test_what_is_small_stays_bit_for_bit():
    network = critic(0.01)
    before = network[0].weight.clone()
    clip_singular_values(network)
    assert torch.equal(network[0].weight, before)


def test_scales_of_batch_norms_follow_the_running_deviation():
    network = critic()
    norm = network[1]
    norm.running_var.copy_(torch.tensor([4.0, 4.0, 4.0, 0.25, 0.25, 1.0, 1.0, 1.0]))
    norm.weight.data = torch.tensor([5.0, 1.0, -1.0, 5.0, 0.4, 0.5, 0.001, 2.0])
    clip_singular_values(network)
    expected = torch.tensor([2.0, 1.0, 2 * LOWEST, 0.5, 0.4, 0.5, LOWEST, 1.0])
    assert torch.allclose(norm.weight, expected)


def test_weight_clipping_reaches_every_parameter():
    network = critic()
    clip_weights(network, 0.01)
    assert all(p.abs().max() <= 0.01 for p in network.parameters())
    assert float(network[1].weight.detach().max()) == pytest.approx(0.01)


def test_spectral_norms_bring_the_largest_value_to_one():
    network = critic()
    add_spectral_norms(network)
    for _ in range(100):  # one power iteration each
        _ = network[0].weight
    assert largest_singular_value(nn.Sequential(network[0])) == pytest.approx(1, abs=1e-3)


def test_synchronised_batch_norms_are_clipped_too():
    network = nn.SyncBatchNorm.convert_sync_batchnorm(critic())
    assert isinstance(network[1], nn.SyncBatchNorm)
    network[1].running_var.fill_(0.01)
    clip_singular_values(network)
    assert torch.allclose(network[1].weight, torch.full((8,), 0.1))
