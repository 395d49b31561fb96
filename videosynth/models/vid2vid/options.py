"""What a person sets about vid2vid's training: critics, losses, schedule. The defaults are the paper's coarsest scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from videosynth.losses import adversarial
from videosynth.types import UserError


@dataclass(frozen=True)
class CriticShape:
    """The size of the critics.

    Attributes:
        width: channels of the first layer (ndf).
        layers: strided layers (n_layers_D).
        scales: image scales (num_D).
        frames: frames that the temporal critic sees at once (K).
    """

    width: int = 64
    layers: int = 3
    scales: int = 2
    frames: int = 3

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.scales) < 1 or self.frames < 2:
            raise UserError("critic.width, layers and scales must be 1 or more, critic.frames 2 or more")


@dataclass(frozen=True)
class Losses:
    """The game and the weight of every term; weight 0 switches a term off and its network is not computed.

    Attributes:
        game: ls (least squares), ce (cross-entropy, the paper's equations), hinge or wasserstein.
        adv: image critic.
        adv_t: temporal critic.
        feature: feature matching with the image critic.
        feature_t: feature matching with the temporal critic.
        perceptual: distance in the features of the perceptual network.
        flow: predicted against reference flow, where that is reliable.
        warp: the previous real frame, warped by the predicted flow, against the real frame.
        coherence: the generated frame against the previous generated one, warped by the reference flow.
        mask: occlusion mask towards 0 (warp) where the reference flow is reliable.
        reconstruction: mean absolute difference to the real frame (not in the paper: 0).
        raw: factor on the image terms (adv, feature, perceptual) of the hallucinated image.
        penalty: gradient penalty of the critics (for wasserstein).
        network: perceptual network: a weights path, vgg19 or squeezenet (downloaded), or none.
    """

    game: adversarial.Game = "ls"
    adv: float = 1.0
    adv_t: float = 1.0
    feature: float = 10.0
    feature_t: float = 10.0
    perceptual: float = 10.0
    flow: float = 10.0
    warp: float = 10.0
    coherence: float = 10.0
    mask: float = 1.0
    reconstruction: float = 0.0
    raw: float = 1.0
    penalty: float = 0.0
    network: str = "vgg19"

    def __post_init__(self) -> None:
        if self.game == "wasserstein" and not self.penalty:
            raise UserError("the game wasserstein needs critics of bounded slope: set losses.penalty (10 is usual)")


@dataclass(frozen=True)
class Schedule:
    """Lengths, sizes and rates over the training, in training steps (one batch of clips each).

    Attributes:
        steps: training steps in all.
        decay_from: share of the training after which the learning rate falls linearly to 0.
        clip_length: frames per training clip at the start.
        clip_double: steps after which the clip length doubles, again and again (0: never).
        clip_longest: clips grow no longer than this.
        bptt: frames of truncated back-propagation through time; each such chunk of a clip is one optimizer step.
        start: how training clips begin: self (no history), given (real frames first), or both (half of each).
        lr: learning rate of Adam.
        lr_critic: learning rate of the critics (0: the same).
        beta1: first moment decay of Adam.
    """

    steps: int = 100_000
    decay_from: float = 0.5
    clip_length: int = 6
    clip_double: int = 25_000
    clip_longest: int = 24
    bptt: int = 1
    start: Literal["self", "given", "both"] = "both"
    lr: float = 2e-4
    lr_critic: float = 0.0
    beta1: float = 0.5

    def __post_init__(self) -> None:
        if min(self.steps, self.clip_length, self.bptt) < 1:
            raise UserError("schedule.steps, clip_length and bptt must be 1 or more")
