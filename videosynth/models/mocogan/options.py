"""What a person sets about MoCoGAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from videosynth.types import UserError


@dataclass(frozen=True)
class GeneratorShape:
    """The motion path and the image generator.

    Attributes:
        content: size of the vector that a whole video shares.
        motion: size of the motion vector, the state of the recurrent cell.
        innovation: size of the noise that enters the cell at each frame.
        width: channels ahead of the picture; they double with each halving of the size.
        mode: none; supervised: videos of a class that is asked for; infogan: classes that the model finds for itself.
        attribute: which attribute of the data is the class (supervised; empty: its only one).
        categories: how many classes infogan finds.
        category_to: where the class enters: motion (the recurrent cell, as in the paper) or image (the image generator, as in
            the public code).
        from_image: the content is a given picture (image-to-video).
    """

    content: int = 50
    motion: int = 10
    innovation: int = 10
    width: int = 64
    mode: Literal["none", "supervised", "infogan"] = "none"
    attribute: str = ""
    categories: int = 6
    category_to: Literal["motion", "image"] = "motion"
    from_image: bool = False

    def __post_init__(self) -> None:
        if min(self.content, self.motion, self.innovation, self.width) < 1:
            raise UserError("generator.content, motion, innovation and width must be 1 or more")
        if self.categories < 2:
            raise UserError(f"generator.categories must be 2 or more, not {self.categories}")


@dataclass(frozen=True)
class CriticShape:
    """The two critics.

    Attributes:
        image: of single frames: patch (a score per patch), plain (one score), or none.
        video: of whole clips: categorical (one score and the class; plain where there are no classes), plain or patch.
        width: channels of their first layers; they double with each of the others.
        frames: how many frames of each clip the image critic sees.
        norm: they have batch norms (leave them out under a gradient penalty or spectral norms).
        noise: deviation of noise ahead of their layers in training.
        centre: the grey that is 0 to the critics, and so lies beyond the edges of what they see: -1 black, 0 grey, 1 white.
            Shapes on black are learnt far sooner with -1.
        edges: how often a clip's first and last frames are repeated ahead of the video critic's layers. None of these fills up
            in time, so that they see the ends of a clip far more seldom than its middle.
    """

    image: Literal["patch", "plain", "none"] = "patch"
    video: Literal["categorical", "plain", "patch"] = "categorical"
    width: int = 64
    frames: int = 1
    norm: bool = True
    noise: float = 0.0
    centre: float = 0.0
    edges: int = 0

    def __post_init__(self) -> None:
        if min(self.width, self.frames) < 1 or min(self.noise, self.edges) < 0:
            raise UserError("critic.width and frames must be 1 or more, critic.noise and edges 0 or more")


@dataclass(frozen=True)
class Losses:
    """The weight of every term of the generator; weight 0 switches it off.

    Attributes:
        image: the image critic's game.
        video: the video critic's game.
        category: the class that the video critic reads from the video against the one it was made of.
        category_critic: the same beside the video critic's own score, in the critic's step.
        first: absolute difference between the first frame and the given picture (from_image).
    """

    image: float = 1.0
    video: float = 1.0
    category: float = 1.0
    category_critic: float = 1.0
    first: float = 10.0
