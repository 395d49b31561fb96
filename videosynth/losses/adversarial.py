"""What generator and critic play for. Logits come as one tensor per critic scale; scales are summed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Game = Literal["ls", "ce", "hinge", "wasserstein"]
"""``ls`` least squares (LSGAN); ``ce`` cross-entropy (the paper's equations, non-saturating); ``hinge``; ``wasserstein``."""


def _generator(game: Game, fake: Tensor) -> Tensor:
    if game == "ls":
        return (fake - 1).square().mean()
    if game == "ce":
        return F.softplus(-fake).mean()
    return -fake.mean()


def _critic(game: Game, real: Tensor, fake: Tensor) -> Tensor:
    if game == "ls":
        return 0.5 * ((real - 1).square().mean() + fake.square().mean())
    if game == "ce":
        return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
    if game == "hinge":
        return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
    return fake.mean() - real.mean()


def generator_loss(game: Game, fake: Sequence[Tensor]) -> Tensor:
    """The generator's side, summed over scales."""
    return torch.stack([_generator(game, f.float()) for f in fake]).sum()


def critic_loss(game: Game, real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """The critic's side (halved for all but Wasserstein, as in pix2pixHD), summed over scales."""
    return torch.stack([_critic(game, r.float(), f.float()) for r, f in zip(real, fake, strict=True)]).sum()


def gradient_penalty(critic: Callable[[Tensor], Sequence[Tensor]], real: Tensor, fake: Tensor) -> Tensor:
    """(|gradient| - 1)^2 at random points between real and fake (Gulrajani et al. 2017, equation 3).

    real, fake ``(B, ...)``: the norm is over all of an item. ``critic`` returns the logits of every scale, each of which must
    have slope 1.
    """
    alpha = torch.rand(real.shape[0], *(1 for _ in real.shape[1:]), device=real.device)
    between = (alpha * real.float() + (1 - alpha) * fake.float()).detach().requires_grad_(True)
    penalties = []
    for score in critic(between):
        (slope,) = torch.autograd.grad(
            score.flatten(1).float().mean(1).sum(), between, create_graph=True, retain_graph=True
        )
        penalties.append((slope.flatten(1).norm(dim=1) - 1).square().mean())
    return torch.stack(penalties).sum()


def accuracy(real: Sequence[Tensor], fake: Sequence[Tensor], game: Game) -> Tensor:
    """Share of patches the critic puts on the right side (0.5: it cannot tell)."""
    middle = 0.5 if game == "ls" else 0.0
    hits = [((r > middle).float().mean() + (f <= middle).float().mean()) / 2 for r, f in zip(real, fake, strict=True)]
    return torch.stack(hits).mean()
