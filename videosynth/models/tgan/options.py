"""What a person sets about TGAN."""

from __future__ import annotations

from dataclasses import dataclass

from videosynth.types import UserError


@dataclass(frozen=True)
class GeneratorShape:
    """The two generators.

    Attributes:
        latent: size of the vector that a whole video is made from.
        motion: size of the vector of each frame.
        temporal: channels of the temporal generator's last layers; the first ones have twice and four times as many.
        width: channels of the image generator ahead of the picture; they double with each halving of the size.
        beta: batch norms of the temporal generator have a shift (the paper's have none).
        conditional: videos of a class that is asked for.
        attribute: which attribute of the data is that class (empty: its only one).
    """

    latent: int = 100
    motion: int = 100
    temporal: int = 128
    width: int = 32
    beta: bool = False
    conditional: bool = False
    attribute: str = ""

    def __post_init__(self) -> None:
        if min(self.latent, self.motion, self.temporal, self.width) < 1:
            raise UserError("generator.latent, motion, temporal and width must be 1 or more")


@dataclass(frozen=True)
class CriticShape:
    """The video critic.

    Attributes:
        width: channels of its first layer; they double with each of the others.
        beta: batch norms have a shift (the paper's have none).
        norm: it has batch norms at all (leave them out under a gradient penalty or spectral norms).
        noise: deviation of noise ahead of its layers in training (0.3 in the paper's vanilla GAN).
        centre: the grey that is 0 to the critic, and so lies beyond the edges of what it sees: -1 black, 0 grey, 1 white.
            Shapes on black are learnt far sooner with -1.
    """

    width: int = 64
    beta: bool = False
    norm: bool = True
    noise: float = 0.0
    centre: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.noise < 0:
            raise UserError("critic.width must be 1 or more, critic.noise 0 or more")
