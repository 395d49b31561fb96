"""What a person sets about pix2pixHD's training: generator, critic, losses, schedule. The defaults are the paper's."""

from __future__ import annotations

from dataclasses import dataclass

from videosynth.losses import adversarial
from videosynth.types import UserError


@dataclass(frozen=True)
class GeneratorShape:
    """The size of a generator. The defaults are the paper's global generator.

    Attributes:
        width: channels of the global generator's first layer (ngf).
        downsamples: halvings in the global generator.
        blocks: its residual blocks.
        enhancers: local enhancers; each doubles the size of the picture and halves the width.
        enhancer_blocks: residual blocks of an enhancer.
        checkpointing: recompute activations in the backward pass (less memory, about a third more time).
    """

    width: int = 64
    downsamples: int = 4
    blocks: int = 9
    enhancers: int = 0
    enhancer_blocks: int = 3
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if min(self.width, self.downsamples, self.blocks, self.enhancer_blocks) < 1 or self.enhancers < 0:
            raise UserError(
                "generator.width, downsamples, blocks and enhancer_blocks must be 1 or more, enhancers 0 or more"
            )
        if self.width % 2**self.enhancers:
            raise UserError(f"generator.width must be a multiple of {2**self.enhancers}: each enhancer halves it")

    @property
    def scales(self) -> int:
        return self.enhancers + 1

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this."""
        return 2 ** (self.downsamples + self.enhancers)

    @property
    def smallest(self) -> int:
        """Height and width must be at least this: reflection padding needs a second pixel in the deepest maps."""
        return 2 * self.multiple


@dataclass(frozen=True)
class CriticShape:
    """The size of the critic.

    Attributes:
        width: channels of the first layer (ndf).
        layers: strided layers (n_layers_D).
        scales: image scales (num_D).
    """

    width: int = 64
    layers: int = 3
    scales: int = 2

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.scales) < 1:
            raise UserError("critic.width, layers and scales must be 1 or more")


@dataclass(frozen=True)
class Losses:
    """The game and the weight of every term; weight 0 switches a term off and its network is not computed.

    Attributes:
        game: ls (least squares), ce (cross-entropy), hinge or wasserstein.
        adv: the critic.
        feature: feature matching with the critic.
        perceptual: distance in the features of the perceptual network.
        reconstruction: mean absolute difference to the real frame (not in the paper: 0).
        penalty: gradient penalty of the critic (for wasserstein).
        network: perceptual network: a weights path, vgg19 or squeezenet (downloaded), or none.
    """

    game: adversarial.Game = "ls"
    adv: float = 1.0
    feature: float = 10.0
    perceptual: float = 10.0
    reconstruction: float = 0.0
    penalty: float = 0.0
    network: str = "vgg19"

    def __post_init__(self) -> None:
        if self.game == "wasserstein" and not self.penalty:
            raise UserError("the game wasserstein needs critics of bounded slope: set losses.penalty (10 is usual)")


@dataclass(frozen=True)
class Schedule:
    """Lengths and rates over the training, in training steps (one batch of clips each).

    Attributes:
        steps: training steps in all.
        decay_from: share of the training after which the learning rate falls linearly to 0.
        clip_length: frames of a clip that are learnt from in one step (they need not be neighbours).
        grow: share of the training for each scale but the finest, coarsest first; without enhancers unused.
        alone: share of each finer scale's time during which only its own networks train.
        lr: learning rate of Adam.
        lr_critic: learning rate of the critic (0: the same).
        beta1: first moment decay of Adam.
    """

    steps: int = 100_000
    decay_from: float = 0.5
    clip_length: int = 1
    grow: float = 0.5
    alone: float = 0.25
    lr: float = 2e-4
    lr_critic: float = 0.0
    beta1: float = 0.5

    def __post_init__(self) -> None:
        if min(self.steps, self.clip_length) < 1:
            raise UserError("schedule.steps and clip_length must be 1 or more")
        if not 0 < self.grow < 1 or not 0 <= self.alone < 1:
            raise UserError("schedule.grow must lie between 0 and 1, schedule.alone in 0..1, below 1")
