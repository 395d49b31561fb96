"""Feature extractors for the distribution distances: what turns frames or clips into vectors.

Anything with the four attributes of :class:`Extractor` that can be called serves. Distances are comparable only under
one extractor, so its name is part of the metric's name.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth.nn.frozen import Frozen
from videosynth.nn.trunks import FeatureTrunk, load_trunk, sha256_of
from videosynth.types import UserError


class Extractor(Protocol):
    """``dims`` 2: frames N 3 H W in [-1, 1] -> N F. ``dims`` 3: clips N T 3 H W of ``length`` frames -> N F."""

    name: str
    dims: Literal[2, 3]
    feature_size: int
    length: int  # frames of a clip; 1 when dims is 2

    def __call__(self, video: Tensor) -> Tensor: ...


class PooledTrunk(Frozen):
    """2-D: the deepest map of a feature trunk, each pixel scaled to mean square 1 over channels, averaged over pixels.

    The scaling keeps the features of all trunks in one range, so that the kernel distance stays below about 10.
    """

    dims: Literal[2, 3] = 2
    length = 1

    def __init__(self, trunk: FeatureTrunk) -> None:
        super().__init__(trunk)
        self.name, self.sha256 = trunk.name, trunk.sha256
        with torch.no_grad():
            self.feature_size = self(torch.zeros(1, 3, 64, 64, device=trunk.mean.device)).shape[1]

    def forward(self, video: Tensor) -> Tensor:
        trunk: FeatureTrunk = self.network  # type: ignore[assignment]
        deepest = trunk(video.to(trunk.mean.device))[-1].float()
        return (F.normalize(deepest, dim=1) * deepest.shape[1] ** 0.5).mean(dim=(2, 3))


class TimeStatistics:
    """3-D stand-in made of a 2-D extractor: over a clip, each feature's mean and its mean absolute change per frame.

    It sees what appears and how fast it changes, but no motion pattern as a video network does: use it to compare
    one's own models when no video network (I3D, VideoMAE) is at hand. Its figures are not the published FVD.
    """

    dims: Literal[2, 3] = 3

    def __init__(self, frames: Extractor, length: int = 16) -> None:
        self.frames, self.length = frames, length
        self.name = f"{frames.name}-time{length}"
        self.sha256 = getattr(frames, "sha256", "")
        self.feature_size = 2 * frames.feature_size

    def __call__(self, video: Tensor) -> Tensor:
        count, length = video.shape[:2]
        features = self.frames(video.flatten(0, 1)).unflatten(0, (count, length))  # N T F
        change = (features[:, 1:] - features[:, :-1]).abs().mean(dim=1)
        return torch.cat([features.mean(dim=1), change], dim=1)


class ScriptExtractor:
    """A TorchScript file, for the networks of published figures (Inception for FID, I3D for FVD).

    It is called with float32 in [0, 255], N 3 H W or N 3 T H W, and gives N F. Arguments named ``return_features``,
    ``rescale`` or ``resize`` are set to True when it has them, as the common files of those networks expect.
    A TorchScript file is a program: load only files that you trust.
    """

    def __init__(self, path: str | Path, dims: Literal[2, 3], length: int = 16) -> None:
        path = Path(path)
        try:
            self.module = torch.jit.load(str(path), map_location="cpu").eval()
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{path} is not a TorchScript file: export the extractor with torch.jit.save") from error
        self.dims: Literal[2, 3] = dims
        self.length = length if dims == 3 else 1
        self.name, self.sha256 = path.stem, sha256_of(path)
        known = {"return_features", "rescale", "resize"}
        arguments = self.module.forward.schema.arguments
        self.options = {a.name: True for a in arguments if a.name in known}
        shape = (1, 3, 224, 224) if dims == 2 else (1, length, 3, 224, 224)
        try:
            self.feature_size = self(torch.zeros(shape)).shape[1]
        except (RuntimeError, IndexError, AttributeError) as error:
            raise UserError(
                f"{path} gives no features N F for {'frames' if dims == 2 else 'clips'}: choose the other kind (2-D or "
                f"3-D), or export it to take float32 in [0, 255], {'N 3 H W' if dims == 2 else 'N 3 T H W'}"
            ) from error

    @torch.no_grad()
    def __call__(self, video: Tensor) -> Tensor:
        x = (video.float() * 127.5 + 127.5).round()
        if self.dims == 3:
            x = x.transpose(1, 2).contiguous()  # N 3 T H W
        features = self.module(x, **self.options)
        if features.dim() != 2:
            raise RuntimeError(f"features of shape {tuple(features.shape)}")
        return features


def load_extractor(path: str | Path, dims: Literal[2, 3] = 2, length: int = 16) -> Extractor | None:
    """An extractor from a file: TorchScript as it is, or VGG19 / SqueezeNet weights (also by name) as a pooled trunk.

    With ``dims`` 3 a trunk becomes the stand-in :class:`TimeStatistics`. ``none`` gives None.
    """
    if is_script(Path(path)):
        return ScriptExtractor(path, dims, length)
    trunk = load_trunk(path)
    if trunk is None:
        return None
    pooled = PooledTrunk(trunk)
    return pooled if dims == 2 else TimeStatistics(pooled, length)


def is_script(path: Path) -> bool:
    """Whether a file is a TorchScript program."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())
