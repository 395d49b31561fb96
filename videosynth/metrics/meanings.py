"""What each metric says, in plain words, and which way is better: for reports and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Meaning:
    """``better``: higher, lower, or the nearer to one or zero. ``digits`` are those after the point. ``tells``: whether the
    best value is the best video; False where worthless videos can have it.
    """

    label: str
    better: Literal["higher", "lower", "one", "zero"]
    digits: int
    text: str
    tells: bool = True

    def badness(self, value: float) -> float:
        """Smaller is better, whatever the metric: for sorting and for marking the best."""
        if self.better == "one":
            return max(value, 1 / value) if value > 0 else float("inf")
        if self.better == "zero":
            return abs(value)
        return -value if self.better == "higher" else value


_KERNEL = (
    "Polynomial-kernel distance between the features of real and generated {0}, used where there are too few {0} for a "
    "Frechet distance. The extractor and the number N belong to the name: compare only figures of the same name. "
    "It may be slightly negative for two equal sets."
)
_FRECHET = (
    "Frechet distance between the features of real and generated {0}. The extractor and the number N belong to the "
    "name: compare only figures of the same name."
)
_MEANINGS = {
    "psnr": Meaning(
        "PSNR, dB", "higher", 2, "Peak signal-to-noise ratio: agreement pixel by pixel. It favours blur over detail."
    ),
    "ssim": Meaning(
        "SSIM", "higher", 3, "Structural similarity of 7x7 windows: agreement of local structure; 1 for equal frames."
    ),
    "perceptual": Meaning(
        "Perceptual",
        "lower",
        3,
        "Distance in the features of an image network: nearer to what people see; 0 for equal.",
    ),
    "warping_error": Meaning(
        "Warping error",
        "lower",
        4,
        "Flicker: how much each frame differs from the one before it, moved along the real video's motion. The real "
        "video's own value is the floor of honest videos; blur falls below it, so read it together with sharpness.",
    ),
    "warping_excess": Meaning(
        "Warping excess", "zero", 4, "Warping error minus that of the real video; below 0 means blur."
    ),
    "gradient_ratio": Meaning(
        "Sharpness",
        "one",
        2,
        "Gradient energy as a share of the real frames': below 1 is blur, above 1 noise or invented texture.",
    ),
    "fid": Meaning("FID", "lower", 2, _FRECHET.format("frames")),
    "kid": Meaning("KID", "lower", 4, _KERNEL.format("frames")),
    "fvd": Meaning("FVD", "lower", 2, _FRECHET.format("clips")),
    "kvd": Meaning("KVD", "lower", 4, _KERNEL.format("clips")),
    "acd_valid": Meaning(
        "ACD",
        "lower",
        2,
        "Average content distance: how much the shape's mean colour (0 to 255) differs between the frames of one video, over "
        "the videos that show one moving shape. 0: it keeps its colour. Read it with the share of those videos.",
    ),
    "valid": Meaning(
        "Valid",
        "higher",
        3,
        "Share of videos that show one moving shape: a single part of plausible size in every frame that travels far enough.",
    ),
    "acd": Meaning(
        "ACD, all",
        "lower",
        2,
        "Average content distance over all videos that are black in no frame, as papers give it; under the name of a network, in "
        "its features of the frames. A frozen video scores 0.",
        False,
    ),
    "mcs": Meaning(
        "Control",
        "higher",
        3,
        "Motion control score: share of videos in which the judge, a classifier trained on real videos, sees what was asked "
        "for. The real row is its accuracy on real videos that it did not learn from: nothing can be told beyond that.",
    ),
    "direction": Meaning(
        "Direction",
        "higher",
        3,
        "Share of videos whose foreground moves where it was asked to, measured by its centre.",
    ),
    "inception": Meaning(
        "Inception",
        "higher",
        3,
        "Inception score under the judge: sure of each video, and varied over all; at most the number of classes. Compare it "
        "only under one judge.",
    ),
    "inter_entropy": Meaning(
        "Inter-entropy",
        "higher",
        3,
        "Entropy of the judge's mean verdict, in nats: how varied the videos are. Some papers swap the two names.",
    ),
    "intra_entropy": Meaning(
        "Intra-entropy",
        "lower",
        3,
        "Mean entropy of the judge's verdict on one video, in nats: how doubtful it looks to the judge.",
        False,
    ),
    "nearest_ratio": Meaning(
        "Nearest ratio",
        "one",
        2,
        "Distance to the nearest training clip, as a share of the distance of real clips that were not trained on. Far below "
        "1 means clips learnt by heart; above 1, clips unlike the real ones.",
    ),
}


def meaning(metric: str) -> Meaning:
    """The meaning of ``psnr``, ``fid[squeezenet,N=2048]`` and the like; KeyError for an unknown metric."""
    return _MEANINGS[metric.split("[")[0]]
