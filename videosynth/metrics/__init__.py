"""How good a generated video is: numbers on frames, on features and on motion, and one suite that streams them.

Frames are uint8 arrays ``T H W 3`` (RGB) at every border of this room; floats are taken to be in [0, 1].
"""

from videosynth.metrics.content import ContentDistance, content_distance, directions, valid_shape
from videosynth.metrics.extractors import Extractor, PooledTrunk, ScriptExtractor, TimeStatistics, load_extractor
from videosynth.metrics.frechet import distribution_distance, frechet_distance, kernel_distance
from videosynth.metrics.judge import (
    Judge,
    control_score,
    inception_score,
    inter_entropy,
    intra_entropy,
    load_judge,
    split_by_group,
    train_judge,
)
from videosynth.metrics.nearest import Nearest, nearest_ratio
from videosynth.metrics.pixels import gradient_energy, perceptual_distance, psnr, ssim
from videosynth.metrics.suite import Reference, Score, Suite, score
from videosynth.metrics.temporal import Motion, motion_of, warping_error

__all__ = [
    "ContentDistance",
    "Extractor",
    "Judge",
    "Motion",
    "Nearest",
    "PooledTrunk",
    "Reference",
    "Score",
    "ScriptExtractor",
    "Suite",
    "TimeStatistics",
    "content_distance",
    "control_score",
    "directions",
    "distribution_distance",
    "frechet_distance",
    "gradient_energy",
    "inception_score",
    "inter_entropy",
    "intra_entropy",
    "kernel_distance",
    "load_extractor",
    "load_judge",
    "motion_of",
    "nearest_ratio",
    "perceptual_distance",
    "psnr",
    "score",
    "split_by_group",
    "ssim",
    "train_judge",
    "valid_shape",
    "warping_error",
]
