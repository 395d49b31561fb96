"""Losses on values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from videosynth.losses.adversarial import accuracy, critic_loss, generator_loss, gradient_penalty
from videosynth.losses.feature import feature_matching
from videosynth.losses.flow import masked_l1
from videosynth.losses.perceptual import perceptual

GAMES = ("ls", "ce", "hinge", "wasserstein")


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


BY_HAND = {  # game: (generator on fake 3 and -1, critic on real 2 and fake 0.5)
    "ls": ((4 + 4) / 2, 0.5 * (1 + 0.25)),
    "ce": ((softplus(-3) + softplus(1)) / 2, 0.5 * (softplus(-2) + softplus(0.5))),
    "hinge": (-1.0, 0.5 * (0 + 1.5)),
    "wasserstein": (-1.0, 0.5 - 2),
}


@pytest.mark.parametrize("game", GAMES)
def test_games_by_hand(game):
    generator, critic = BY_HAND[game]
    assert generator_loss(game, [tensor([3.0, -1.0])]) == pytest.approx(generator, rel=1e-5)
    assert critic_loss(game, [tensor([2.0])], [tensor([0.5])]) == pytest.approx(critic, rel=1e-5)


@pytest.mark.parametrize("game", GAMES)
def test_scales_are_summed_whatever_their_size(game):
    small, large = tensor([0.5]), torch.full((2, 1, 8, 8), 0.5)
    assert generator_loss(game, [small, large]) == pytest.approx(2 * float(generator_loss(game, [small])), rel=1e-5)
    both = critic_loss(game, [small, large], [small, large])
    assert both == pytest.approx(2 * float(critic_loss(game, [small], [small])), rel=1e-5)


def slope(loss, at: float) -> float:
    x = tensor([at], requires_grad=True)
    loss(x).backward()
    return float(x.grad)


@pytest.mark.parametrize("game", GAMES)
def test_the_critic_wants_real_up_and_fake_down(game):
    other = [tensor([0.0])]
    assert slope(lambda x: critic_loss(game, [x], other), 0.3) < 0
    assert slope(lambda x: critic_loss(game, other, [x]), 0.3) > 0
    assert slope(lambda x: generator_loss(game, [x]), 0.3) < 0


def test_minima():
    """Least squares is content at 1 and 0, the hinge from 1 and -1 on; the others always want more."""
    zero = [tensor([0.0])]
    assert slope(lambda x: critic_loss("ls", [x], zero), 1.0) == 0
    assert slope(lambda x: critic_loss("ls", zero, [x]), 0.0) == 0
    assert slope(lambda x: generator_loss("ls", [x]), 1.0) == 0
    assert critic_loss("ls", [tensor([1.0])], zero) == 0
    assert slope(lambda x: critic_loss("hinge", [x], zero), 1.5) == 0
    assert slope(lambda x: critic_loss("hinge", zero, [x]), -1.5) == 0
    assert critic_loss("hinge", [tensor([1.5])], [tensor([-1.5])]) == 0
    for game in ("ce", "wasserstein"):
        assert slope(lambda x, game=game: critic_loss(game, [x], zero), 5.0) < 0


def test_losses_are_computed_in_fp32():
    many = torch.full((1, 1, 64, 64), 0.1, dtype=torch.bfloat16)
    assert generator_loss("hinge", [many]).dtype == torch.float32
    assert critic_loss("ls", [many], [many]).dtype == torch.float32


def test_gradient_penalty():
    real, fake = torch.randn(3, 2, 4, 5), torch.randn(3, 2, 4, 5)
    direction = torch.randn(2, 4, 5)
    direction /= direction.norm()

    def critic(scale):
        return lambda x: [scale * (x * direction).flatten(1).sum(1, keepdim=True)]

    assert gradient_penalty(critic(1.0), real, fake) == pytest.approx(0, abs=1e-8)
    assert gradient_penalty(critic(3.0), real, fake) == pytest.approx(4, rel=1e-4)
    assert gradient_penalty(lambda x: critic(1.0)(x) + critic(0.5)(x), real, fake) == pytest.approx(0.25, rel=1e-4)


def test_gradient_penalty_trains_the_critic_only():
    weight = tensor(3.0, requires_grad=True)
    real, fake = torch.randn(1, 1, 2, 2, requires_grad=True), torch.randn(1, 1, 2, 2, requires_grad=True)
    gradient_penalty(lambda x: [weight * x.flatten(1).sum(1, keepdim=True) / 2], real, fake).backward()
    assert weight.grad == pytest.approx(2 * (3 - 1), rel=1e-4)
    assert real.grad is None
    assert fake.grad is None


def test_accuracy():
    assert accuracy([tensor([0.6, 0.4])], [tensor([0.4, 0.1])], "ls") == pytest.approx(0.75)
    assert accuracy([tensor([0.6, 0.4])], [tensor([0.4, 0.1])], "ce") == pytest.approx(0.5)
    perfect, lost = tensor([2.0]), tensor([-2.0])
    assert accuracy([perfect, perfect], [lost, perfect], "hinge") == pytest.approx(0.75)


def test_feature_matching_by_hand():
    """Two layers and the logits: each layer weighs 4 / (2 layers); the logits do not count; the mean over scales."""
    fake = [[tensor([1.0, 3.0]), tensor([2.0]), tensor([100.0])]]
    real = [[tensor([0.0, 0.0]), tensor([5.0]), tensor([0.0])]]
    assert feature_matching(fake, real) == pytest.approx(2 * (2 + 3))
    assert feature_matching(fake * 3, real * 3) == pytest.approx(2 * (2 + 3))
    assert feature_matching(fake, fake) == 0


def test_feature_matching_moves_the_fake_only():
    fake, real = tensor([1.0], requires_grad=True), tensor([3.0], requires_grad=True)
    feature_matching([[fake, fake]], [[real, real]]).backward()
    assert fake.grad is not None
    assert fake.grad < 0
    assert real.grad is None


def test_perceptual_by_hand():
    fake, real = tensor([1.0, 2.0], requires_grad=True), tensor([3.0, 2.0], requires_grad=True)
    loss = perceptual([fake, fake], [real, real], [0.5, 2.0])
    assert float(loss.detach()) == pytest.approx(2.5)
    loss.backward()
    assert real.grad is None
    with pytest.raises(ValueError, match="do not match"):
        perceptual([fake], [real], [1.0, 1.0])


def test_masked_l1():
    a, b = torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 4)
    a[0, :, 0, 0], a[0, :, 0, 3] = 4.0, 100.0
    mask = tensor([0.5, 1.0, 1.0, 0.0]).view(1, 1, 1, 4)
    assert masked_l1(a, b, mask) == pytest.approx(2 * 2 / 8)  # over all elements, not the mask's area
    assert masked_l1(a, b, torch.zeros_like(mask)) == 0
