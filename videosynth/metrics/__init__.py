"""How good a generated video is: numbers on frames, on features and on motion, and one suite that streams them.

Frames are uint8 arrays ``T H W 3`` (RGB) at every border of this room; floats are taken to be in [0, 1].
"""

from videosynth.metrics.extractors import Extractor, PooledTrunk, ScriptExtractor, TimeStatistics, load_extractor
from videosynth.metrics.frechet import distribution_distance, frechet_distance, kernel_distance
from videosynth.metrics.pixels import gradient_energy, perceptual_distance, psnr, ssim
from videosynth.metrics.suite import Reference, Score, Suite, score
from videosynth.metrics.temporal import Motion, motion_of, warping_error

__all__ = [
    "Extractor",
    "Motion",
    "PooledTrunk",
    "Reference",
    "Score",
    "ScriptExtractor",
    "Suite",
    "TimeStatistics",
    "distribution_distance",
    "frechet_distance",
    "gradient_energy",
    "kernel_distance",
    "load_extractor",
    "motion_of",
    "perceptual_distance",
    "psnr",
    "score",
    "ssim",
    "warping_error",
]
