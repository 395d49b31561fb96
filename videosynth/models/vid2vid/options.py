"""What a person sets about vid2vid: generator, critics, losses, schedule. The defaults are the paper's coarsest scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from videosynth.losses import adversarial
from videosynth.types import UserError


@dataclass(frozen=True)
class GeneratorShape:
    """The size of a generator. The defaults are the paper's coarsest scale.

    Attributes:
        kind: composite (the paper's) or spade (maps modulate every layer; one scale, no foreground branch).
        width: channels at full resolution of the coarsest scale (ngf); they double with each halving.
        downsamples: halvings of height and width before the residual blocks (spade: before the encoded previous frame
            enters).
        blocks: residual blocks; the first half (rounded up) in each trunk, the rest in each branch (spade: of the flow
            network).
        levels: halvings down to where a first frame grows from (spade).
        widest: most channels of a layer (spade).
        combine: how the warped previous frame enters (spade): spade (it modulates the finest layers) or blend (by the mask,
            as in the composite generator).
        warped_levels: finest layers that it modulates (spade).
        scales: spatial scales; each finer one doubles the size of the frames and halves the width.
        finer_blocks: residual blocks of a finer scale.
        foreground: classes (names or ids) that a branch of its own paints, such as car; none: no branch.
        foreground_rule: replace (the foreground replaces the whole frame there, as the public code does it) or blend (it
            replaces the hallucinated image only, equation 9 of the paper).
        style: numbers that describe the look of an object (3 in the paper); each object keeps its own for the whole video.
            0: no looks, the video is decided by its maps.
        past: past frames (and past maps) that the generator looks at; 0 makes a per-frame model.
        flow_scale: pixels that the flow head's output 1 stands for at the coarsest scale (20 in the reference, for frames
            512 wide or more); it doubles with each finer scale.
        refresh: smallest value of the mask: the share of the hallucinated image that every frame gets at least. 0 is the
            paper's; above it, blur and errors of repeated warping fade away however long the video is.
        persist: smallest share of the warped previous frame, where there is one. 0 is the paper's; above it, hallucinated
            details that differ from frame to frame flicker less. refresh + persist is below 1.
        flow: predict flow and mask and warp the previous frame; off, the hallucinated image is the frame.
        checkpointing: recompute activations in the backward pass (less memory, about a third more time).
    """

    kind: Literal["composite", "spade"] = "composite"
    width: int = 128
    downsamples: int = 3
    blocks: int = 9
    levels: int = 5
    widest: int = 1024
    combine: Literal["spade", "blend"] = "spade"
    warped_levels: int = 3
    scales: int = 1
    finer_blocks: int = 3
    foreground: tuple[str, ...] = ()
    foreground_rule: Literal["replace", "blend"] = "replace"
    style: int = 0
    past: int = 2
    flow_scale: float = 20.0
    refresh: float = 0.0
    persist: float = 0.0
    flow: bool = True
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if (
            min(self.width, self.blocks, self.scales, self.finer_blocks) < 1
            or min(self.past, self.downsamples, self.style) < 0
        ):
            raise UserError(
                "generator.width, blocks, scales and finer_blocks must be 1 or more, past, downsamples and style 0 or more"
            )
        if not self.past and self.flow:
            raise UserError(
                "without past frames there is nothing to warp: set generator.flow to false, or past to 1 or more"
            )
        if min(self.refresh, self.persist) < 0 or self.refresh + self.persist >= 1:
            raise UserError("generator.refresh and generator.persist must be 0 or more, together less than 1")
        if self.kind == "spade" and (self.scales > 1 or self.foreground or self.style):
            raise UserError(
                "the spade generator has one scale, no foreground branch and no looks: use generator.kind composite"
            )
        if self.kind == "spade" and not max(self.downsamples, self.warped_levels) <= self.levels:
            raise UserError("generator.levels must be at least generator.downsamples and generator.warped_levels")
        if self.width % 2 ** (self.scales - 1 + bool(self.foreground)):
            raise UserError(f"generator.width {self.width} cannot be halved for every finer scale: choose a power of 2")

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this."""
        return 2 ** (self.levels if self.kind == "spade" else self.downsamples + self.scales - 1)

    @property
    def smallest(self) -> int:
        """Height and width must be at least this: reflection padding needs a second pixel in the deepest maps."""
        return max(2 * self.multiple, 4)


@dataclass(frozen=True)
class CriticShape:
    """The size of the critics.

    Attributes:
        width: channels of the first layer (ndf).
        layers: strided layers (n_layers_D).
        scales: image scales (num_D).
        frames: frames that the temporal critic sees at once (K).
        rates: temporal critics; each next one looks at frames K times further apart.
        sparse: the slower critics look only at every K-th (K^2-th, ...) run of frames that ends in a new one.
        regions: classes (names or ids) on whose surroundings a further critic looks closely; none: no such critic.
        region_size: height and width in pixels of what that critic sees.
    """

    width: int = 64
    layers: int = 3
    scales: int = 2
    frames: int = 3
    rates: int = 1
    sparse: bool = False
    regions: tuple[str, ...] = ()
    region_size: int = 64

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.scales, self.rates) < 1 or self.frames < 2:
            raise UserError("critic.width, layers, scales and rates must be 1 or more, critic.frames 2 or more")
        if self.region_size < 16:
            raise UserError("critic.region_size must be 16 or more")

    @property
    def span(self) -> int:
        """Frames before a frame that the slowest temporal critic needs."""
        return self.frames ** (self.rates - 1) * (self.frames - 1)


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
        region: critic of the regions (critic.regions).
        region_feature: feature matching with it.
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
    region: float = 2.0
    region_feature: float = 20.0
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
        clip_double: steps after which the clip length doubles, again and again (0: never); a new scale begins with
            clip_length again.
        clip_longest: clips grow no longer than this.
        bptt: frames of truncated back-propagation through time; each such chunk of a clip is one optimizer step.
        grow: share of the training that the coarser scales have together (with generator.scales above 1).
        alone: share of each finer scale's time during which only its own networks train.
        lr_finer: factor on the learning rate with each finer scale.
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
    grow: float = 0.5
    alone: float = 0.25
    lr_finer: float = 0.5
    start: Literal["self", "given", "both"] = "both"
    lr: float = 2e-4
    lr_critic: float = 0.0
    beta1: float = 0.5

    def __post_init__(self) -> None:
        if min(self.steps, self.clip_length, self.bptt) < 1:
            raise UserError("schedule.steps, clip_length and bptt must be 1 or more")
        if not 0 < self.grow < 1 or not 0 <= self.alone < 1:
            raise UserError("schedule.grow must lie between 0 and 1, schedule.alone in 0..1, below 1")
