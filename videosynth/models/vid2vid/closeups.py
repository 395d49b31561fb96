"""A critic that looks closely at some regions, such as faces and hands: crops around the pixels of some classes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from videosynth import ops
from videosynth.losses import adversarial
from videosynth.losses.feature import feature_matching
from videosynth.models.base import Terms
from videosynth.nn.critics import MultiscaleCritic, Scores, logits


class Close(NamedTuple):
    """Crops of the present chunk's frames, ``(N, C, size, size)``, and the critic's scores of the real ones."""

    maps: Tensor
    real: Tensor  # maps and pictures
    fake: Tensor
    scores: Scores
    share: float  # factor on all terms: 0 where nothing was there to look at, so that all ranks step alike


def look(
    critic: MultiscaleCritic, classes: tuple[int, ...], size: int, labels: Tensor, real: Tensor, fake: Tensor
) -> Close:
    """Maps with real and generated pictures around the classes' pixels (channels of ``labels``); where no frame has any,
    the first frame as a whole, which counts nothing. All ``(B, T, C, H, W)``.
    """
    condition = ops.fold(labels)
    boxes, found = ops.boxes_around(condition[:, list(classes)].sum(1) > 0.5)
    share = float(found.any())
    if not share:
        found = torch.arange(len(found), device=found.device) == 0

    def close(x: Tensor) -> Tensor:
        return ops.crop(x[found], boxes[found], size)

    around = close(condition)
    real_input = torch.cat([around, close(ops.fold(real))], dim=1)
    return Close(around, real_input, close(ops.fold(fake)), critic(real_input), share)


def generator_terms(critic: MultiscaleCritic, terms: Terms, seen: Close, game: adversarial.Game) -> None:
    scores = critic(torch.cat([seen.maps, seen.fake], dim=1))
    if terms.wants("region"):
        terms["region"] = seen.share * adversarial.generator_loss(game, logits(scores))
    if terms.wants("region_feature"):
        terms["region_feature"] = seen.share * feature_matching(scores, seen.scores)


def critic_terms(critic: MultiscaleCritic, terms: Terms, seen: Close, game: adversarial.Game) -> None:
    fake = torch.cat([seen.maps, seen.fake.detach()], dim=1)
    if terms.wants("adv"):
        terms["adv"] = seen.share * adversarial.critic_loss(game, logits(seen.scores), logits(critic(fake)))
    if terms.wants("penalty"):
        terms["penalty"] = seen.share * adversarial.gradient_penalty(lambda x: logits(critic(x)), seen.real, fake)
