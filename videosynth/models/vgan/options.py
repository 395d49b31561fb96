"""What a person sets about VGAN."""

from __future__ import annotations

from dataclasses import dataclass

from videosynth.types import UserError


@dataclass(frozen=True)
class GeneratorShape:
    """The generator.

    Attributes:
        latent: size of the vector that a video is made from (not used by a conditional generator).
        width: channels ahead of the picture; they double with each halving of the size.
        streams: 2: a moving foreground behind a mask, over a still background; 1: the foreground alone.
        conditional: the video goes on from a given first frame.
    """

    latent: int = 100
    width: int = 64
    streams: int = 2
    conditional: bool = False

    def __post_init__(self) -> None:
        if min(self.latent, self.width) < 1 or self.streams not in (1, 2):
            raise UserError("generator.latent and width must be 1 or more, generator.streams 1 or 2")


@dataclass(frozen=True)
class CriticShape:
    """The video critic.

    Attributes:
        width: channels of its first layer; they double with each of the others.
        norm: it has batch norms (leave them out under a gradient penalty or spectral norms).
        noise: deviation of noise ahead of its layers in training.
        centre: the grey that is 0 to the critic, and so lies beyond the edges of what it sees: -1 black, 0 grey, 1 white.
            Shapes on black are learnt far sooner with -1.
    """

    width: int = 64
    norm: bool = True
    noise: float = 0.0
    centre: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.noise < 0:
            raise UserError("critic.width must be 1 or more, critic.noise 0 or more")


@dataclass(frozen=True)
class Losses:
    """The weight of every term of the generator beside the game; weight 0 switches it off.

    Attributes:
        mask: mean of the mask (two streams without a given frame): what can be still shall be background.
        first: absolute difference between the first frame and the given one (conditional).
    """

    mask: float = 0.1
    first: float = 10.0
