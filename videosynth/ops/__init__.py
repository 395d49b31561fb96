"""Tensor functions without parameters."""

from videosynth.ops.eyes import some_frames, some_times
from videosynth.ops.images import to_float, to_uint8
from videosynth.ops.maps import class_channels, encode_maps, instance_edges, one_hot, one_hot_channels
from videosynth.ops.noise import along, generators, integers, normal, points_on, steps_of, uniform
from videosynth.ops.pyramid import halve, pad_to_multiple, pyramid
from videosynth.ops.regions import boxes_around, class_of, crop, means_over, object_keys
from videosynth.ops.sizes import larger_frame, smaller_clip, smaller_maps
from videosynth.ops.time import detach, fold, windows
from videosynth.ops.warp import compose_flow, pixel_grid, strided_flow, warp

__all__ = [
    "along",
    "boxes_around",
    "class_channels",
    "class_of",
    "compose_flow",
    "crop",
    "detach",
    "encode_maps",
    "fold",
    "generators",
    "halve",
    "instance_edges",
    "integers",
    "larger_frame",
    "means_over",
    "normal",
    "object_keys",
    "one_hot",
    "one_hot_channels",
    "pad_to_multiple",
    "pixel_grid",
    "points_on",
    "pyramid",
    "smaller_clip",
    "smaller_maps",
    "some_frames",
    "some_times",
    "steps_of",
    "strided_flow",
    "to_float",
    "to_uint8",
    "uniform",
    "warp",
    "windows",
]
