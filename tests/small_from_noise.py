"""Small models from noise, the same at every call."""

from __future__ import annotations

import torch

from videosynth.models.mocogan.model import MoCoGAN
from videosynth.models.mocogan.options import CriticShape as Critics
from videosynth.models.mocogan.options import GeneratorShape as Moco
from videosynth.models.play import Schedule
from videosynth.models.tgan.model import TGAN
from videosynth.models.tgan.options import CriticShape as TCritic
from videosynth.models.tgan.options import GeneratorShape as TShape
from videosynth.models.vgan.model import VGAN
from videosynth.models.vgan.options import CriticShape as VCriticShape
from videosynth.models.vgan.options import GeneratorShape as VShape
from videosynth.types import DataSpec

SMALL = DataSpec(size=(16, 16), fps=8, attributes={"action": ("up", "left")})
SHORT = Schedule(steps=50, clip_length=8)


def moco(**options) -> MoCoGAN:
    torch.manual_seed(0)
    shape = Moco(**{"content": 5, "motion": 4, "innovation": 3, "width": 4, **options})
    return MoCoGAN(SMALL, shape, Critics(width=4), schedule=SHORT).eval()


def tgan(**options) -> TGAN:
    torch.manual_seed(0)
    shape = TShape(latent=6, motion=5, temporal=4, width=4, **options)
    return TGAN(SMALL, shape, TCritic(width=4), schedule=SHORT).eval()


def vgan(**options) -> VGAN:
    torch.manual_seed(0)
    return VGAN(SMALL, VShape(latent=6, width=4, **options), VCriticShape(width=4), schedule=SHORT).eval()
