"""The only table of models: name -> where its class is imported from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from videosynth.models.base import VideoModel

MODELS = {
    "mapprediction": "videosynth.models.mapprediction.model.MapPrediction",
    "mocogan": "videosynth.models.mocogan.model.MoCoGAN",
    "pix2pixhd": "videosynth.models.pix2pixhd.model.Pix2PixHD",
    "tgan": "videosynth.models.tgan.model.TGAN",
    "vgan": "videosynth.models.vgan.model.VGAN",
    "vid2vid": "videosynth.models.vid2vid.model.Vid2Vid",
}

# Weights of other implementations: kind -> the module whose ``convert(folder, epoch, ...)`` reads them.
CONVERTERS = {
    "nvidia-vid2vid": "videosynth.models.vid2vid.from_nvidia",
    "nvidia-pix2pixhd": "videosynth.models.pix2pixhd.from_nvidia",
}


def model_class(name: str) -> type[VideoModel]:
    """Import the class of a model of the table."""
    module, _, kind = MODELS[name].rpartition(".")
    return getattr(importlib.import_module(module), kind)
