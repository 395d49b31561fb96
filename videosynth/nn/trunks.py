"""ImageNet networks as frozen feature extractors: VGG19 (Simonyan 2015) and SqueezeNet 1.0 (Iandola 2016).

Perceptual losses and distances compare their intermediate maps. The weights are those of torchvision, by path or by a
checked download; torchvision itself is not needed. There is no random fall-back: an untrained trunk would train
a model towards noise without a word.
"""

from __future__ import annotations

import hashlib
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from videosynth.files import atomic, cache_folder
from videosynth.nn.frozen import Frozen
from videosynth.types import UserError

# Networks -------------------------------------------------------------------------------------------------------------


class Fire(nn.Module):
    """SqueezeNet's block: 1x1 squeeze, then 1x1 and 3x3 expansions side by side."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()


def squeezenet() -> nn.Sequential:
    """SqueezeNet 1.0 up to its last fire module; positions as in torchvision's ``features``."""
    pool = {"kernel_size": 3, "stride": 2, "ceil_mode": True}
    return nn.Sequential(
        nn.Conv2d(3, 96, 7, stride=2),
        nn.ReLU(),  # 1: conv1
        nn.MaxPool2d(**pool),
        Fire(96, 16, 64),
        Fire(128, 16, 64),
        Fire(128, 32, 128),  # 5: before the second pooling
        nn.MaxPool2d(**pool),
        Fire(256, 32, 128),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),  # 10: before the third pooling
        nn.MaxPool2d(**pool),
        Fire(512, 64, 256),  # 12: the last fire module
    )


def vgg19() -> nn.Sequential:
    """VGG19 up to relu5_1; positions as in torchvision's ``features``."""
    layers: list[nn.Module] = []
    channels = 3
    for block, (width, depth) in enumerate([(64, 2), (128, 2), (256, 4), (512, 4), (512, 1)]):
        if block:
            layers.append(nn.MaxPool2d(2))
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


@dataclass(frozen=True)
class TrunkKind:
    """What distinguishes one trunk: its builder, the positions listened to, their loss weights, its public file."""

    name: str
    build: Any
    layers: tuple[int, ...]
    weights: tuple[float, ...]
    url: str
    smallest: int  # pixels a side below which a pooling has nothing left to pool


KINDS = {
    "vgg19": TrunkKind(
        name="vgg19",
        build=vgg19,
        layers=(1, 6, 11, 20, 29),  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1
        weights=(1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0),
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        smallest=16,
    ),
    "squeezenet": TrunkKind(
        name="squeezenet",
        build=squeezenet,
        layers=(1, 5, 10, 12),
        # Its maps are 20 to 100 times VGG's in size: these weights give a loss about as large as VGG19's above.
        weights=(1 / 400, 1 / 500, 1 / 80, 1 / 40),
        url="https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth",
        smallest=21,
    ),
}

REMEDY = "pass the path of the weights (vgg19 or squeezenet1_0 in torchvision's names), or none to do without"


class FeatureTrunk(Frozen):
    """Maps of a frozen ImageNet network at a few depths.

    ``name`` (vgg19 or squeezenet), ``sha256`` of the weights file, ``layers`` (positions in the network) and
    ``weights`` (one loss weight per layer) describe it.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        kind: TrunkKind,
        network: nn.Sequential,
        sha256: str = "",
        layers: tuple[int, ...] | None = None,
        normalise: bool = True,
    ) -> None:
        chosen = kind.layers if layers is None else tuple(sorted(layers))
        super().__init__(network[: chosen[-1] + 1])
        self.name, self.sha256, self.layers, self.normalise = kind.name, sha256, chosen, normalise
        given = dict(zip(kind.layers, kind.weights))
        self.weights = tuple(given.get(layer, 1.0) for layer in chosen)
        self.smallest = kind.smallest
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """``images`` B 3 H W in [-1, 1] -> one map B C h w per layer, after its ReLU.

        With ``normalise`` the pictures are brought to ImageNet's mean and deviation first; without, the network gets
        [-1, 1] as it is (as the original vid2vid did).
        """
        if min(images.shape[-2:]) < self.smallest:
            raise UserError(
                f"frames of {images.shape[-2]}x{images.shape[-1]} are too small for {self.name}: "
                f"use frames of at least {self.smallest} pixels a side, or no perceptual network"
            )
        x = (images * 0.5 + 0.5 - self.mean) / self.std if self.normalise else images
        maps = []
        for position, layer in enumerate(self.network):  # type: ignore[arg-type]
            x = layer(x)
            if position in self.layers:
                maps.append(x)
        return maps


# Loading --------------------------------------------------------------------------------------------------------------


def load_trunk(
    weights: str | Path,
    *,
    layers: tuple[int, ...] | None = None,
    normalise: bool = True,
    cache: str | Path | None = None,
) -> FeatureTrunk | None:
    """A feature trunk from ``weights``: a path (.pt, .pth, .safetensors), ``vgg19`` or ``squeezenet``, or ``none``.

    The names stand for torchvision's public files: taken from the cache folder (see
    :func:`~videosynth.files.cache_folder`) or downloaded into it, and checked against the hash in the file's name. The
    kind of a file given by path is told by its tensors. ``none`` gives None. Whatever fails is a :class:`UserError`.
    """
    if str(weights).lower() in ("none", ""):
        return None
    path = fetch(KINDS[str(weights)].url, cache) if str(weights) in KINDS else Path(weights)
    state = read_state(path)
    kind = _kind_of(state, path)
    network = kind.build()
    wanted = {name: state.get(f"features.{name}") for name in network.state_dict()}
    for name, tensor in network.state_dict().items():
        found = wanted[name]
        if found is None or found.shape != tensor.shape:
            what = "missing" if found is None else f"of shape {tuple(found.shape)}, not {tuple(tensor.shape)}"
            raise UserError(f"{path}: tensor features.{name} of {kind.name} is {what}; {REMEDY}")
    network.load_state_dict(wanted)
    return FeatureTrunk(kind, network, sha256_of(path), layers, normalise)


def untrained(name: str) -> FeatureTrunk:
    """A trunk with random weights, for measurements of speed only: it judges nothing."""
    kind = KINDS[name]
    return FeatureTrunk(kind, kind.build())


def read_state(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a weights file, without running any code that it may hold."""
    if not path.is_file():
        raise UserError(f"feature weights {path} not found: {REMEDY}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in as many ways as there are readers
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} is not a readable weights file ({first[:120]}): {REMEDY}") from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path} holds no plain state dict: {REMEDY}")
    return state


def _kind_of(state: Mapping[str, Tensor], path: Path) -> TrunkKind:
    first = state.get("features.0.weight")
    if "features.3.squeeze.weight" in state and first is not None and tuple(first.shape) == (96, 3, 7, 7):
        return KINDS["squeezenet"]
    last = state.get("features.28.weight")
    deep = "features.34.weight" in state or "features.30.weight" not in state
    if first is not None and tuple(first.shape) == (64, 3, 3, 3) and last is not None and last.dim() == 4 and deep:
        return KINDS["vgg19"]
    raise UserError(f"{path} is neither VGG19 nor SqueezeNet 1.0: {REMEDY}")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(url: str, cache: str | Path | None = None) -> Path:
    """Download ``url`` once; the start of its SHA-256 stands after the last dash of its name and is checked.

    Progress goes to the error stream. A cached file is checked again, and fetched anew when it is damaged.
    """
    name = url.rsplit("/", 1)[1]
    prefix = name.rsplit("-", 1)[1].split(".")[0]
    target = Path(cache or cache_folder()) / name
    if target.is_file() and sha256_of(target).startswith(prefix):
        return target
    with atomic(target) as part:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer, part.open("wb") as file:
                _copy(answer, file, name)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise UserError(f"cannot download {url} ({reason}): {REMEDY}") from error
        if not sha256_of(part).startswith(prefix):
            raise UserError(f"the download of {url} arrived damaged (its SHA-256 does not start {prefix}): try again")
    return target


def _copy(answer: Any, file: Any, name: str) -> None:
    total = int(answer.headers.get("Content-Length") or 0)
    done = shown = 0
    while block := answer.read(1 << 20):
        file.write(block)
        done += len(block)
        if done - shown >= 1 << 24 or done == total:
            shown = done
            of = f" of {total / 1e6:.0f}" if total else ""
            print(f"\rdownloading {name}: {done / 1e6:.0f}{of} MB", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
