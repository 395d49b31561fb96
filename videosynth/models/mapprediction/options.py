"""What a person sets about the prediction of label maps: network, losses, schedule."""

from __future__ import annotations

from dataclasses import dataclass

from videosynth.types import UserError


@dataclass(frozen=True)
class PredictorShape:
    """The size of the predictor.

    Attributes:
        width: channels at full resolution; they double with each halving.
        downsamples: halvings of height and width before the residual blocks.
        blocks: residual blocks; the first half (rounded up) in the trunk, the rest in each branch.
        past: past maps that it looks at.
        flow_scale: pixels that the flow head's output 1 stands for.
        checkpointing: recompute activations in the backward pass (less memory, about a third more time).
    """

    width: int = 64
    downsamples: int = 3
    blocks: int = 9
    past: int = 4
    flow_scale: float = 20.0
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if min(self.width, self.blocks, self.past) < 1 or self.downsamples < 0:
            raise UserError("predictor.width, blocks and past must be 1 or more, downsamples 0 or more")

    @property
    def multiple(self) -> int:
        return 2**self.downsamples

    @property
    def smallest(self) -> int:
        return max(2 * self.multiple, 4)


@dataclass(frozen=True)
class Losses:
    """The weight of every term; weight 0 switches it off.

    Attributes:
        classes: cross-entropy of the predicted classes.
        flow: predicted flow against the reference flow, where that is reliable.
        warp: share of the pixels whose class differs between the real map and the previous one, warped by the predicted flow.
    """

    classes: float = 1.0
    flow: float = 0.1
    warp: float = 0.5


@dataclass(frozen=True)
class Schedule:
    """Lengths and rates over the training, in training steps (one batch of clips each).

    Attributes:
        steps: training steps in all.
        decay_from: share of the training after which the learning rate falls linearly to 0.
        ahead: frames that are predicted in each clip, each from the predictions before it.
        bptt: frames of truncated back-propagation through time; each such chunk of a clip is one optimizer step.
        lr: learning rate of Adam.
    """

    steps: int = 50_000
    decay_from: float = 0.5
    ahead: int = 4
    bptt: int = 4
    lr: float = 2e-4

    def __post_init__(self) -> None:
        if min(self.steps, self.ahead, self.bptt) < 1:
            raise UserError("schedule.steps, ahead and bptt must be 1 or more")
