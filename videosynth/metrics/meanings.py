"""What each metric says, in plain words, and which way is better: for reports and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Meaning:
    """``better``: higher, lower, or the nearer to one or zero. ``digits`` are those after the point."""

    label: str
    better: Literal["higher", "lower", "one", "zero"]
    digits: int
    text: str

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
}


def meaning(metric: str) -> Meaning:
    """The meaning of ``psnr``, ``fid[squeezenet,N=2048]`` and the like; KeyError for an unknown metric."""
    return _MEANINGS[metric.split("[")[0]]
