"""Tensor functions without parameters."""

from videosynth.ops.images import to_float, to_uint8
from videosynth.ops.maps import encode_maps, instance_edges, one_hot, one_hot_channels
from videosynth.ops.pyramid import halve, pad_to_multiple, pyramid
from videosynth.ops.time import detach, fold, windows
from videosynth.ops.warp import compose_flow, pixel_grid, warp

__all__ = [
    "compose_flow",
    "detach",
    "encode_maps",
    "fold",
    "halve",
    "instance_edges",
    "one_hot",
    "one_hot_channels",
    "pad_to_multiple",
    "pixel_grid",
    "pyramid",
    "to_float",
    "to_uint8",
    "warp",
    "windows",
]
