"""A small classifier of videos as a judge: does a generated video show the action that was asked for?

A judge's verdicts mean what its accuracy on real videos that it did not learn from allows: show both together.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videosynth.files import atomic, read_json
from videosynth.metrics.extractors import ScriptExtractor, is_script
from videosynth.metrics.nearest import thumbnails
from videosynth.metrics.pixels import Videos
from videosynth.types import UserError

FORMAT = 1
SIDE = 32  # pixels of the pictures that a judge looks at
BATCH = 16
RATE = 2e-3


class JudgeNet(nn.Module):
    """Videos ``N T 3 32 32`` on [0, 1] -> logits ``N K``: four 3-D convolutions, mean over space and time.

    It sees each frame, scaled to the video's mean and deviation, and its change from the frame before. Group norms, so
    that no verdict depends on the other videos of a batch.
    """

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()

        def block(inputs: int, outputs: int, stride: tuple[int, int, int]) -> list[nn.Module]:
            convolution = nn.Conv3d(inputs, outputs, 3, stride, padding=1, bias=False)
            return [convolution, nn.GroupNorm(4, outputs), nn.ReLU()]

        self.body = nn.Sequential(
            *block(6, width, (1, 2, 2)),
            *block(width, 2 * width, (1, 2, 2)),
            *block(2 * width, 4 * width, (2, 2, 2)),
            *block(4 * width, 4 * width, (2, 1, 1)),
        )
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(4 * width, classes))

    def forward(self, video: Tensor) -> Tensor:
        mean, deviation = video.mean(dim=(1, 2, 3, 4), keepdim=True), video.std(dim=(1, 2, 3, 4), keepdim=True)
        x = ((video - mean) / (deviation + 1e-3)).transpose(1, 2)  # N 3 T H W
        change = torch.cat([torch.zeros_like(x[:, :, :1]), x[:, :, 1:] - x[:, :, :-1]], dim=2)
        return self.head(self.body(torch.cat([x, 3 * change], dim=1)).mean(dim=(2, 3, 4)))


@dataclass(frozen=True)
class Education:
    """What a judge is: the names of its classes, what they are values of, the frames of its videos, and how good it is
    (``accuracy`` on ``held_out`` real videos; None: never tested). Without ``classes`` nobody says what they are.
    """

    classes: tuple[str, ...]
    length: int
    attribute: str = ""
    seed: int = 0
    steps: int = 0
    trained_on: int = 0
    accuracy: float | None = None
    held_out: int = 0
    file: str = ""  # a classifier of the user's own

    @property
    def name(self) -> str:
        """In the names of metrics: figures of two judges are not to be compared."""
        return self.file or self.attribute or "judge"


class Judge:
    """A trained classifier. Videos are uint8 ``T H W 3`` of ``education.length`` frames, of any one size."""

    def __init__(self, network: JudgeNet, education: Education) -> None:
        self.network, self.education = network.eval(), education

    @property
    def classes(self) -> tuple[str, ...]:
        return self.education.classes

    @torch.no_grad()
    def probabilities(self, videos: Videos) -> np.ndarray:
        """``N K`` float64, rows sum to 1.

        Raises:
            UserError: the videos have another number of frames than the judge learnt from.
        """
        for video in videos[:1]:
            if len(video) != self.education.length:
                raise UserError(
                    f"the judge learnt from videos of {self.education.length} frames, these have {len(video)}: "
                    "ask for as many frames, or train another judge"
                )
        parts = [F.softmax(self._logits(videos[i : i + BATCH]).double(), dim=1) for i in range(0, len(videos), BATCH)]
        return torch.cat(parts).numpy() if parts else np.zeros((0, len(self.classes)))

    def _logits(self, videos: Videos) -> Tensor:
        """``N K``"""
        return self.network(thumbnails(videos, SIDE))

    def accuracy(self, videos: Videos, labels: Sequence[int] | np.ndarray) -> float:
        """Share of videos whose most probable class is ``labels`` (ids); NaN without videos.

        On generated videos and the classes asked for this is the motion control score (MCS) of the MoCoGAN paper.
        """
        if len(videos) != len(labels):
            raise ValueError(f"{len(videos)} videos and {len(labels)} labels")
        if not len(videos):
            return float("nan")
        return control_score(self.probabilities(videos), labels)

    def save(self, path: Path | str) -> None:
        """One safetensors file: the weights, and what the judge is as JSON in the header."""
        about = {"judge": json.dumps({"format": FORMAT, **asdict(self.education)})}
        tensors = {k: v.contiguous() for k, v in self.network.state_dict().items()}
        with atomic(path) as part:
            part.write_bytes(safetensors.torch.save(tensors, about))


class ScriptJudge(Judge):
    """A TorchScript classifier of the user's own (a program: load only files that you trust), called as extractors of clips
    are: float32 in [0, 255], ``N 3 T H W``, gives logits ``N K``.
    """

    network: ScriptExtractor  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, path: Path, length: int, classes: Sequence[str] = (), attribute: str = "") -> None:
        self.network = ScriptExtractor(path, 3, length)
        if classes and len(classes) != self.network.feature_size:
            raise UserError(
                f"{path} tells {self.network.feature_size} classes apart, but {len(classes)} are named: name each in its order"
            )
        self.education = Education(tuple(classes), length, attribute, file=path.stem)

    def _logits(self, videos: Videos) -> Tensor:
        stack = torch.from_numpy(np.stack(list(videos)))  # N T H W 3
        return self.network(stack.permute(0, 1, 4, 2, 3).float() / 127.5 - 1)

    def save(self, path: Path | str) -> None:
        raise TypeError("a classifier of the user's own stays where it is")


def train_judge(
    videos: Videos,
    labels: Sequence[int] | np.ndarray,
    classes: Sequence[str],
    *,
    attribute: str = "",
    seed: int = 0,
    steps: int = 300,
) -> Judge:
    """Train a judge on real videos (uint8 ``T H W 3`` of one shape) with class ids; same seed, same judge.

    ``steps`` of 16 videos, every class as often as any other; each is shifted by up to 2 of 32 pixels and its brightness
    changed by up to a fifth. No mirroring: left is not right. About half a minute on one CPU core for 16 frames.

    Raises:
        UserError: fewer than two classes, or one without videos.
        ValueError: labels that do not fit the videos or classes.
    """
    ids = np.asarray(labels)
    if len(ids) != len(videos) or (len(ids) and not 0 <= ids.min() <= ids.max() < len(classes)):
        raise ValueError(f"{len(videos)} videos of {len(classes)} classes do not go with these labels")
    if len(classes) < 2:
        raise UserError("a judge tells at least two classes apart: choose another attribute")
    places = [np.flatnonzero(ids == k) for k in range(len(classes))]
    for name, place in zip(classes, places):
        if not len(place):
            raise UserError(f"the judge has no real video of {name!r} to learn from: add some, or drop the value")
    small = thumbnails(videos, SIDE)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = JudgeNet(len(classes)).train()
        optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(steps, 2))
        for _ in range(steps):
            targets = rng.permutation(len(classes) * BATCH)[:BATCH] % len(classes)
            chosen = [int(rng.choice(places[k])) for k in targets]
            logits = network(_varied(small[chosen], rng))
            loss = F.cross_entropy(logits, torch.from_numpy(targets), label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    known = Education(tuple(classes), int(small.shape[1]), attribute, seed, steps, len(ids))
    return Judge(network, known)


def _varied(videos: Tensor, rng: np.random.Generator) -> Tensor:
    """Shifted (border repeated) and brightened or darkened, each video as a whole."""
    count, length = videos.shape[:2]
    padded = F.pad(videos.flatten(0, 1), (2, 2, 2, 2), mode="replicate").unflatten(0, (count, length))
    side = videos.shape[-1]
    out = []
    for video in padded:
        y, x = rng.integers(0, 5, 2)
        out.append(video[..., y : y + side, x : x + side] * float(rng.uniform(0.8, 1.2)))
    return torch.stack(out).clamp(0, 1)


def load_judge(path: Path | str, length: int = 16, classes: Sequence[str] = ()) -> Judge:
    """A judge saved by :meth:`Judge.save`, or a TorchScript classifier for clips of ``length`` frames.

    The names of a classifier's ``classes`` may stand in a JSON file beside it (``FILE.json`` for ``FILE.pt``): a list, or
    ``{"classes": [...], "attribute": "action"}``.

    Raises:
        UserError: the file is missing, damaged or no judge.
    """
    if is_script(Path(path)):
        told, attribute = _beside(Path(path).with_suffix(".json"))
        return ScriptJudge(Path(path), length, tuple(classes) or told, attribute)
    if classes:
        raise UserError(f"--judge-classes names those of a TorchScript classifier, which {path} is not: leave it out")
    remedy = "pass a judge.safetensors written by an evaluation"
    try:
        with safetensors.safe_open(str(path), "pt") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {}).get("judge", "null"))
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {remedy}, or leave the judge out to train one") from None
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is no judge ({str(error).splitlines()[0]}): {remedy}") from None
    if not isinstance(about, dict) or about.pop("format", None) != FORMAT:
        raise UserError(f"{path} is no judge of this version: {remedy}")
    try:
        education = Education(**{**about, "classes": tuple(about["classes"])})
        network = JudgeNet(len(education.classes))
        network.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{path} is damaged ({str(error).splitlines()[0]}): {remedy}") from None
    return Judge(network, education)


def _beside(path: Path) -> tuple[tuple[str, ...], str]:
    """Classes and attribute that a JSON file tells; none without it."""
    if not path.is_file():
        return (), ""
    content = read_json(path)
    content = {"classes": content} if isinstance(content, list) else content
    classes = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
        raise UserError(f'{path}: expected ["run", "walk"] or {{"classes": ["run", "walk"], "attribute": "action"}}')
    return tuple(classes), str(content.get("attribute", ""))


def split_by_group(groups: Sequence[Hashable], held_out: Collection[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """Places of the items to learn from and of those held out: whole groups (a person, a pair of mirror images, the parts
    of one recording) go to one side.

    Raises:
        UserError: a held-out group does not occur, or one side is empty.
    """
    chosen = set(held_out)
    for group in chosen - set(groups):
        known = ", ".join(sorted(map(str, set(groups))))
        raise UserError(f"no video belongs to the group {group!r}: choose from {known}")
    out = np.array([g in chosen for g in groups], bool)
    if out.all() or not out.any():
        raise UserError("a split needs groups on both sides: hold out at least one, and not all")
    return np.flatnonzero(~out), np.flatnonzero(out)


# Scores of probabilities N K ------------------------------------------------------------------------------------------


def control_score(probabilities: np.ndarray, asked: Sequence[int] | np.ndarray) -> float:
    """Motion control score, MCS (MoCoGAN): the share of videos judged to show what was asked for."""
    return float((probabilities.argmax(axis=1) == np.asarray(asked)).mean())


def inception_score(probabilities: np.ndarray) -> float:
    """``exp(mean KL(p(y|video) || p(y)))`` over one set (Salimans et al. 2016), 1 to K; logs of ``p + 1e-7``.

    The same figure is the I-score of video papers. Comparable only under one classifier and one number of videos.
    """
    p = probabilities.astype(np.float64)
    gap = np.log(p + 1e-7) - np.log(p.mean(axis=0, keepdims=True) + 1e-7)
    return float(np.exp((p * gap).sum(axis=1).mean()))


def intra_entropy(probabilities: np.ndarray) -> float:
    """``H(y|video)``, mean over videos, in nats: lower is surer. As in the VideoVAE paper (He et al. 2018).

    Beware: S3VAE and papers after it use the two names the other way round (*inter* for ``H(y|video)``).
    """
    p = probabilities.astype(np.float64)
    return float(-(p * np.log(p + 1e-7)).sum(axis=1).mean().clip(max=0))


def inter_entropy(probabilities: np.ndarray) -> float:
    """``H(y)`` of the mean probabilities, in nats: higher is more varied, at most ln K. See :func:`intra_entropy`."""
    p = probabilities.astype(np.float64).mean(axis=0)
    return float(-(p * np.log(p + 1e-7)).sum().clip(max=0))
