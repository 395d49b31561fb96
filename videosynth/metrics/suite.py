"""All metrics of a set of sequences at once, one sequence at a time.

Means are taken over frames, so a long sequence counts for more than a short one; distribution distances are taken
over all sequences together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from videosynth.flow import FlowTeacher
from videosynth.metrics.extractors import Extractor
from videosynth.metrics.frechet import distribution_distance
from videosynth.metrics.pixels import BATCH, as_tensor, gradient_energy, perceptual_distance, psnr, ssim
from videosynth.metrics.temporal import Motion, motion_of, warping_error
from videosynth.nn.trunks import FeatureTrunk
from videosynth.types import UserError


@dataclass
class Reference:
    """A real sequence with what every comparison needs of it, computed once for several models."""

    frames: np.ndarray  # uint8 T H W 3
    motion: Motion
    features: dict[str, np.ndarray]  # per extractor: N F
    gradients: np.ndarray  # T
    warping: np.ndarray  # T-1, the real video's own warping error


@dataclass
class Score:
    """One model on one sequence: ``curves`` hold a value per frame (T; warping T-1, from the second frame on)."""

    curves: dict[str, np.ndarray] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """Means over frames."""
        return _means([self])


class Suite:
    """Feed it sequences with :meth:`update`, ask for :meth:`result`.

    ``trunk`` adds the perceptual distance, ``extractors`` add distribution distances; ``teacher`` gives the real
    frames' flow (default DIS).
    """

    def __init__(
        self,
        trunk: FeatureTrunk | None = None,
        extractors: Sequence[Extractor] = (),
        teacher: FlowTeacher | None = None,
    ) -> None:
        self.trunk, self.extractors, self.teacher = trunk, tuple(extractors), teacher
        self.scores: dict[str, Score] = {}
        self._real: dict[str, list[np.ndarray]] = {e.name: [] for e in self.extractors}
        self._fake: dict[str, list[np.ndarray]] = {e.name: [] for e in self.extractors}

    def reference(self, real: np.ndarray) -> Reference:
        """Prepare a real sequence, uint8 T H W 3, T at least 1."""
        if real.dtype != np.uint8 or real.ndim != 4 or real.shape[3] != 3 or not len(real):
            raise ValueError(f"real frames are uint8 T H W 3, not {real.dtype} {real.shape}")
        motion = motion_of(real, self.teacher)
        features = {e.name: features_of(real, e) for e in self.extractors}
        return Reference(real, motion, features, gradient_energy(real), warping_error(real, motion))

    def update(self, real: np.ndarray | Reference, fake: np.ndarray, sequence: str) -> Score:
        """Score one whole generated sequence, uint8 T H W 3, against the real one. Sequence names are unique."""
        if sequence in self.scores:
            raise ValueError(f"sequence {sequence} was scored already")
        reference = real if isinstance(real, Reference) else self.reference(real)
        real = reference.frames
        if fake.dtype != np.uint8 or fake.shape != real.shape:
            raise UserError(
                f"sequence {sequence}: the generated frames are {fake.dtype} {fake.shape}, the real ones uint8 "
                f"{real.shape}: generate as many frames, at the size of the real ones"
            )
        curves = {"psnr": psnr(fake, real), "ssim": ssim(fake, real)}
        if self.trunk is not None:
            curves[f"perceptual[{self.trunk.name}]"] = perceptual_distance(fake, real, self.trunk)
        curves["warping_error"] = warping_error(fake, reference.motion)
        curves["warping_excess"] = curves["warping_error"] - reference.warping
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = gradient_energy(fake) / reference.gradients
        curves["gradient_ratio"] = np.where(reference.gradients > 0, ratio, np.nan)  # a blank real frame has no measure
        for extractor in self.extractors:
            self._real[extractor.name].append(reference.features[extractor.name])
            same = fake is real
            features = reference.features[extractor.name] if same else features_of(fake, extractor)
            self._fake[extractor.name].append(features)
        self.scores[sequence] = Score(curves)
        return self.scores[sequence]

    def result(self) -> dict[str, float]:
        """Every metric over all sequences; a metric without enough data is left out."""
        out = _means(list(self.scores.values()))
        for extractor in self.extractors:
            real, fake = (np.concatenate(sets[extractor.name]) for sets in (self._real, self._fake))
            out |= distribution_distance(real, fake, extractor.name, extractor.dims)
        return out


def score(
    real: np.ndarray,
    fake: np.ndarray,
    trunk: FeatureTrunk | None = None,
    extractors: Sequence[Extractor] = (),
    teacher: FlowTeacher | None = None,
) -> dict[str, float]:
    """All metrics of one generated sequence against the real one, both uint8 T H W 3."""
    suite = Suite(trunk, extractors, teacher)
    suite.update(real, fake, "sequence")
    return suite.result()


@torch.no_grad()
def features_of(frames: np.ndarray, extractor: Extractor) -> np.ndarray:
    """Features N F of a sequence: of every frame (2-D), or of windows at half-length steps (3-D); float32."""
    parts = [extractor(part).float().cpu().numpy() for part in _parts(frames, extractor)]
    return np.concatenate(parts) if parts else np.zeros((0, extractor.feature_size), np.float32)


def _parts(frames: np.ndarray, extractor: Extractor) -> Iterator[torch.Tensor]:
    if extractor.dims == 2:
        for start in range(0, len(frames), BATCH):
            yield as_tensor(frames[start : start + BATCH]) * 2 - 1
        return
    for start in range(0, len(frames) - extractor.length + 1, max(1, extractor.length // 2)):
        yield as_tensor(frames[start : start + extractor.length]).unsqueeze(0) * 2 - 1


def _means(scores: list[Score]) -> dict[str, float]:
    out: dict[str, float] = {}
    for name in scores[0].curves if scores else ():
        values = np.concatenate([s.curves[name] for s in scores])
        values = values[~np.isnan(values)]
        if len(values):
            out[name] = float(values.mean())
    return out
