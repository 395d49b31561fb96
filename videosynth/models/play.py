"""The game between a generator from noise and its critics: what is played for, and what keeps a critic smooth."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from videosynth import ops
from videosynth.losses.adversarial import Game, accuracy, critic_loss, gradient_penalty
from videosynth.models.base import Group, Phase, Terms, VideoModel
from videosynth.models.phases import held_then_falling
from videosynth.nn.constraints import add_spectral_norms, clip_singular_values, clip_weights, orthogonal_init
from videosynth.types import CATEGORY, Clip, DataSpec, Request, UserError

Fakes = TypeVar("Fakes")  # what a model calls its fakes
Constraint = Literal["none", "svc", "clip", "penalty", "spectral"]


@dataclass(frozen=True)
class Play:
    """What generator and critics play for.

    Attributes:
        game: ce (cross-entropy, non-saturating), ls, hinge or wasserstein.
        constraint: what keeps the critics smooth: svc (singular value clipping, TGAN), clip (weight clipping, WGAN), penalty
            (gradient penalty, WGAN-GP), spectral (spectral norms) or none.
        every: training steps between two singular value clippings.
        bound: largest absolute weight under weight clipping.
        penalty: weight of the gradient penalty.
        begin: weights of the critics: own (as the paper draws them) or bound (orthogonal, all singular values 1).
        order: who steps first on a batch's fakes, the critics or the generator (as in TGAN's reference).
        apart: share of the training in which real and fake go through a critic one after the other, each normed by itself, as
            in the papers: that makes for variety, but hides from the critic how much of something there is. After it they go
            through together, normed by the same statistics, and the generator's fakes by the running ones.
    """

    game: Game = "ce"
    constraint: Constraint = "none"
    every: int = 5
    bound: float = 0.01
    penalty: float = 10.0
    begin: Literal["own", "bound"] = "own"
    order: Literal["critic_first", "generator_first"] = "critic_first"
    apart: float = 1.0

    def __post_init__(self) -> None:
        if self.every < 1 or self.bound <= 0 or self.penalty < 0:
            raise UserError("play.every must be 1 or more, play.bound above 0, play.penalty 0 or more")
        if not 0 <= self.apart <= 1:
            raise UserError(f"play.apart must lie in 0..1, not {self.apart:g}")
        if self.begin == "bound" and self.constraint != "svc":
            raise UserError(f"play.begin bound is for play.constraint svc, not {self.constraint}: leave it out")

    def together(self, model: VideoModel) -> bool:
        """Whether, at the model's training step, real and fake go through a critic together."""
        return model.steps >= self.apart * model.total_steps

    @property
    def critic_weights(self) -> dict[str, float]:
        return {"adv": 1.0, "penalty": self.penalty if self.constraint == "penalty" else 0.0}

    def prepared(self, *critic: nn.Module) -> None:
        """Before training, of all parts of a critic: spectral norms belong to it; one whose singular values are to be clipped
        may begin with all of them at the bound, so that its first scores already matter.

        Raises:
            UserError: slopes are to be measured of clips that batch norms mix.
        """
        if self.constraint == "penalty" and any(isinstance(m, _BatchNorm) for part in critic for m in part.modules()):
            raise UserError("play.constraint penalty needs a critic without batch norms: set critic.norm false")
        for part in critic:
            if self.constraint == "spectral":
                add_spectral_norms(part)
            if self.begin == "bound":
                orthogonal_init(part)


@dataclass(frozen=True)
class Schedule:
    """Lengths and rates over the training, in training steps (one batch of clips each).

    Attributes:
        steps: training steps in all; each is one step of the generator.
        clip_length: frames of a training clip.
        critic_steps: steps of the critics per step; the batch of real clips is shared out among them.
        lr: learning rate of the generator.
        lr_critic: learning rate of the critics.
        optimizer: adam or rmsprop.
        beta1: first momentum of adam.
        weight_decay: L2 penalty of all weights.
        decay_from: share of the training after which the learning rates fall linearly to 0.
    """

    steps: int = 100_000
    clip_length: int = 16
    critic_steps: int = 1
    lr: float = 2e-4
    lr_critic: float = 2e-4
    optimizer: Literal["adam", "rmsprop"] = "adam"
    beta1: float = 0.5
    weight_decay: float = 0.0
    decay_from: float = 1.0

    def __post_init__(self) -> None:
        if min(self.steps, self.critic_steps) < 1 or self.clip_length < 2:
            raise UserError("schedule.steps and critic_steps must be 1 or more, clip_length 2 or more")

    def group(self, *modules: str, critic: bool = False) -> Group:
        rate = self.lr_critic if critic else self.lr
        return Group(modules, rate, (self.beta1, 0.999), optimizer=self.optimizer, weight_decay=self.weight_decay)

    def phase(self, step: int) -> Phase:
        rate = held_then_falling(step, self.steps, self.decay_from)
        return Phase(clip_length=self.clip_length, bptt=self.clip_length, lr=rate)


def keep_smooth(model: VideoModel, optimizer: torch.optim.Optimizer, critics: list[nn.Module], play: Play) -> None:
    """After steps of the critics' optimizer: singular value clipping every ``play.every`` training steps, weight clipping
    at each.
    """
    if play.constraint == "clip":
        optimizer.register_step_post_hook(lambda *_: [clip_weights(c, play.bound) for c in critics])  # pyright: ignore[reportArgumentType]
    elif play.constraint == "svc":

        def clip(*_: Any) -> None:
            if (model.steps + 1) % play.every == 0:
                for critic in critics:
                    _share_deviations(model, critic)
                    clip_singular_values(critic)

        optimizer.register_step_post_hook(clip)


def _share_deviations(model: VideoModel, critic: nn.Module) -> None:
    """Scales are clipped by the running deviations: those that all processes have seen, or their weights would part."""
    if model.trainer.world_size > 1:
        for norm in critic.modules():
            if isinstance(norm, _BatchNorm) and norm.running_var is not None:
                shared = cast("Tensor", model.trainer.strategy.reduce(norm.running_var.clone(), reduce_op="mean"))
                norm.running_var.copy_(shared)


def critic_terms(
    model: VideoModel,
    play: Play,
    terms: Terms,
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
) -> tuple[Tensor, Tensor]:
    """The critic's terms ``adv`` and ``penalty``; first real, then fake videos go through it, so that batch norms see
    either, or both as one batch. Returns both scores.
    """
    if play.together(model):
        real_score, fake_score = critic(torch.cat([real, fake])).chunk(2)
    else:
        real_score, fake_score = critic(real), critic(fake)
    terms["adv"] = critic_loss(play.game, [real_score], [fake_score])
    if terms.wants("penalty"):
        with torch.autocast(real.device.type, enabled=False):  # slopes of slopes are not for half precision
            terms["penalty"] = gradient_penalty(lambda x: [critic(x)], real.float(), fake.float())
    return real_score, fake_score


def one_step(
    model: VideoModel,
    play: Play,
    schedule: Schedule,
    clip: Clip,
    fake: Callable[[Clip], Fakes],
    critics: Callable[[Clip, Fakes], None],
    generator: Callable[[Clip, Fakes], None],
) -> None:
    """One training step: the critics' steps, each on its share of the clips, and the generator's on the last share's fakes."""
    *early, last = clip.split(schedule.critic_steps)
    for part in early:
        critics(part, fake(part))
    made = fake(last)
    for side in (generator, critics) if play.order == "generator_first" else (critics, generator):
        side(last, made)
    model.steps += 1


@contextlib.contextmanager
def only_looking(together: bool, *critics: nn.Module) -> Iterator[None]:
    """In the generator's step batch norms use the statistics of the batch (``together``: the running ones) but do not collect
    them: a critic's running deviations, by which singular value clipping bounds their scales, weigh real and fake alike.
    """
    norms = [m for critic in critics for m in critic.modules() if isinstance(m, _BatchNorm)]
    usual = [(norm.momentum, norm.training) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.train(norm.training and not together)
    try:
        yield
    finally:
        for norm, (momentum, training) in zip(norms, usual, strict=True):
            norm.momentum = momentum
            norm.train(training)


def hits(play: Play, real: Tensor, fake: Tensor) -> Tensor:
    """Share of real and fake that a critic tells apart; of scores without a zero (Wasserstein), about their middle."""
    with torch.no_grad():
        middle = (real.mean() + fake.mean()) / 2 if play.game == "wasserstein" else torch.zeros_like(real.mean())
        return accuracy([real - middle], [fake - middle], play.game)


def training_noise(model: VideoModel, batch: int, *shape: int) -> Tensor:
    """``(B, *shape)`` from N(0, 1) for a training step. All processes draw the noise of the whole batch and take their part,
    so two of them with half the batch see that of one.
    """
    rank, world = model.trainer.global_rank, model.trainer.world_size
    return torch.randn(batch * world, *shape)[rank * batch : (rank + 1) * batch].to(model.device)


def training_choices(model: VideoModel, batch: int, below: int) -> Tensor:
    """``(B)`` ids in 0, ..., below - 1, drawn like :func:`training_noise`."""
    rank, world = model.trainer.global_rank, model.trainer.world_size
    return torch.randint(below, (batch * world,))[rank * batch : (rank + 1) * batch].to(model.device)


def training_times(model: VideoModel, batch: int, length: int, count: int) -> Tensor:
    """``(B, count)`` times of the frames that an image critic sees, drawn like :func:`training_noise`."""
    rank, world = model.trainer.global_rank, model.trainer.world_size
    return ops.some_times(batch * world, length, count)[rank * batch : (rank + 1) * batch].to(model.device)


# Attributes ---------------------------------------------------------------------------------------------------------------


def chosen_attribute(spec: DataSpec, name: str) -> str:
    """The attribute that a model is conditioned on: ``name``, or the data's only one.

    Raises:
        UserError: the data has none, several but none is named, or not this one.
    """
    known = ", ".join(spec.attributes)
    if not spec.attributes:
        raise UserError(
            "the model is to know classes but the data has none: put each class's videos in a folder of its own (of moving "
            "digits: data.digits 1), or choose a model without classes"
        )
    if not name and len(spec.attributes) > 1:
        raise UserError(f"the data has the attributes {known}: choose one with model.generator.attribute")
    name = name or next(iter(spec.attributes))
    if name not in spec.attributes:
        raise UserError(f"the data has no attribute {name!r}; it has {known}: correct model.generator.attribute")
    return name


def known_ids(model: VideoModel, clip: Clip, name: str) -> Tensor:
    """``(B)`` ids of the clips' attribute.

    Raises:
        UserError: a clip has none.
    """
    ids = clip.attributes[name][:, 0]
    model._check_known(ids, name, clip.keys)
    return ids


def asked_class(spec: DataSpec, name: str, request: Request) -> Tensor:
    """``(B, K)`` one-hot: the value of the attribute that a request asks for, else that of its latents (:data:`CATEGORY`), else
    each seed draws its own.
    """
    values = spec.attributes[name]
    asked = request.attributes.get(name)
    if asked is None:
        drawn = ops.integers(ops.generators(request.seeds, name), len(values))
        return latent(request, CATEGORY, F.one_hot(drawn, len(values)).float())
    each = (asked,) * len(request.seeds) if isinstance(asked, str) else asked
    return F.one_hot(torch.tensor([values.index(value) for value in each]), len(values)).float()


def latent(request: Request, name: str, drawn: Tensor) -> Tensor:
    """The latent called ``name``: what the request holds (see :func:`check_latents`), or what was drawn from its seeds."""
    given = (request.latents or {}).get(name)
    return drawn if given is None else given.to(drawn)


def check_latents(request: Request, known: dict[str, int], steps: str | None = None) -> None:
    """Raises UserError when a request holds latents that a model does not have, or of another shape than ``(B, known[name])``;
    ``steps`` is the name of those that there are more of than one per video, which are checked elsewhere.
    """
    names = [*known, *([steps] if steps else [])]
    for name, value in (request.latents or {}).items():
        if name not in names:
            raise UserError(f"there are no latents {name!r} in this model; it has {', '.join(names) or 'none'}")
        expected = (len(request.seeds), known.get(name, 0))
        if name != steps and tuple(value.shape) != expected:
            raise UserError(
                f"the latents {name} have shape {tuple(value.shape)}, this model needs {expected}: "
                "take those of the same model, as many as there are videos"
            )
