"""The words that every room of videosynth shares.

| thing | form |
|---|---|
| video | ``(B, T, C, H, W)`` at every border; 3-D networks transpose inside themselves only |
| frames | float in [-1, 1], RGB inside models; uint8 in ``video/``, loaders and :class:`Clip` |
| class ids, instance ids | ``(B, T, H, W)`` integers; they become channels inside a model's cell, frame by frame |
| dense and drawn maps | ``(B, T, C, H, W)`` uint8 or float |
| flow | ``(B, 2, H, W)`` pixels, x then y, backward: ``warp(previous, flow)`` looks like now |
| mask | multiplies the *hallucinated* image: ``m * h + (1 - m) * warp(previous)`` |
| letters | ``B T C H W``; ``labels, frames, fake, previous, flow, mask, z`` |

``types`` imports nothing of the package but its error, and everything may import it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from videosynth.errors import UserError

__all__ = ["CATEGORY", "LATENT", "Clip", "DataSpec", "Frame", "MapKind", "MapSpec", "Request", "UserError"]

MapKind = Literal["classes", "instances", "dense", "drawn"]

LATENT = "latents/"  # extras of a frame that can be handed back as Request.latents, without this beginning
CATEGORY = "category"  # the latent that is a class, one-hot


@dataclass(frozen=True)
class MapSpec:
    """One kind of driving map.

    ``classes`` are ids 0..channels-1 that become a one-hot vector (``void`` becomes the zero vector);
    ``instances`` are ids that only give edges and pooling regions (``channels`` is 1: the edge map);
    ``dense`` maps are pictures such as depth, ``drawn`` ones are rendered from points (edges, poses).
    ``remap`` are pairs of an id on disk and the id that it means; ids that it does not name are void.
    """

    name: str
    kind: MapKind
    channels: int
    names: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] = ()
    void: int | None = None
    range: tuple[float, float] = (0.0, 255.0)
    remap: tuple[tuple[int, int], ...] = ()

    def class_id(self, name: str, option: str) -> int:
        """The id of a class by its name (in any case) or number; ``option`` is what an error blames.

        Raises:
            UserError: there is no such class.
        """
        lower = [n.lower() for n in self.names]
        if name.lower() in lower:
            return lower.index(name.lower())
        if name.isdecimal() and int(name) < self.channels:
            return int(name)
        known = ", ".join(self.names) if self.names else f"the ids 0 to {self.channels - 1}"
        raise UserError(f"{option}: there is no class {name!r}; the data has {known}")


@dataclass(frozen=True)
class DataSpec:
    """What a model knows of its data: the one link between data and model, saved with the weights.

    ``size`` is (H, W) of the training frames. ``fit`` says how a person's maps are brought to that size
    (``stretch``, or ``cover``: scale, then centre crop).
    """

    maps: tuple[MapSpec, ...] = ()
    size: tuple[int, int] = (128, 256)
    fps: float = 15.0
    fit: Literal["stretch", "cover"] = "stretch"
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def map(self, kind: MapKind) -> MapSpec | None:
        """The first map of a kind, or None."""
        return next((m for m in self.maps if m.kind == kind), None)

    @property
    def channels(self) -> int:
        """Channels of one frame's maps once ids have become one-hot vectors and edges."""
        return sum(m.channels for m in self.maps)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> DataSpec:
        maps = tuple(
            MapSpec(
                name=m["name"],
                kind=m["kind"],
                channels=m["channels"],
                names=tuple(m["names"]),
                colours=tuple((int(r), int(g), int(b)) for r, g, b in m["colours"]),
                void=m["void"],
                range=(float(m["range"][0]), float(m["range"][1])),
                remap=tuple((int(a), int(b)) for a, b in m.get("remap", ())),
            )
            for m in data["maps"]
        )
        return DataSpec(
            maps=maps,
            size=(int(data["size"][0]), int(data["size"][1])),
            fps=float(data["fps"]),
            fit=data["fit"],
            attributes={k: tuple(v) for k, v in data["attributes"].items()},
        )


@dataclass
class Clip:
    """A batch of short videos with everything known about them. Items of a data set are batches of one.

    Shapes: frames ``B T 3 H W`` uint8; maps as in the table above; flow ``B T 2 H W`` (``flow[:, t]`` leads from
    frame t to frame t-1, in pixels) with confidence ``B T 1 H W`` in [0, 1], index 0 has confidence 0;
    attributes ``B T`` integers (-1: unknown); references: a clip whose T is the number of references;
    keys: one name per item.
    """

    frames: Tensor | None = None
    maps: dict[str, Tensor] = field(default_factory=dict)
    flow: Tensor | None = None
    confidence: Tensor | None = None
    attributes: dict[str, Tensor] = field(default_factory=dict)
    references: Clip | None = None
    keys: tuple[str, ...] = ()

    def _any(self) -> Tensor:
        for tensor in (self.frames, *self.maps.values(), self.flow):
            if tensor is not None:
                return tensor
        raise ValueError("an empty clip has no shape")

    @property
    def batch(self) -> int:
        return self._any().shape[0]

    @property
    def length(self) -> int:
        return self._any().shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        shape = self._any().shape
        return int(shape[-2]), int(shape[-1])

    @property
    def device(self) -> torch.device:
        return self._any().device

    def _apply(self, function: Any, references: bool = True) -> Clip:
        def one(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else function(tensor)

        refs = self.references
        return Clip(
            frames=one(self.frames),
            maps={k: function(v) for k, v in self.maps.items()},
            flow=one(self.flow),
            confidence=one(self.confidence),
            attributes={k: function(v) for k, v in self.attributes.items()},
            references=refs._apply(function) if refs is not None and references else refs,
            keys=self.keys,
        )

    def to(self, *args: Any, **kwargs: Any) -> Clip:
        """Move to a device (ids and uint8 frames keep their types)."""
        return self._apply(lambda t: t.to(*args, **kwargs))

    def pin_memory(self) -> Clip:
        return self._apply(lambda t: t.pin_memory())

    def share_memory(self) -> Clip:
        """Move into memory that processes share; fails with a RuntimeError where the system has none left."""
        return self._apply(lambda t: t.share_memory_() if t.numel() else t)

    def __getitem__(self, index: slice) -> Clip:
        """A part of the clip over time. References stay whole."""
        if not isinstance(index, slice):
            raise TypeError("a clip is sliced over time: clip[a:b]")
        return self._apply(lambda t: t[:, index], references=False)

    def chunks(self, length: int | None) -> Iterator[Clip]:
        """Consecutive parts of at most ``length`` frames (all of it for None)."""
        step = length or self.length
        for start in range(0, self.length, step):
            yield self[start : start + step]

    def split(self, n: int) -> list[Clip]:
        """``n`` clips of equal size along the batch."""
        if self.batch % n:
            raise UserError(f"a batch of {self.batch} clips cannot be split into {n} equal parts: set data.batch_size")
        size = self.batch // n
        return [
            dataclasses.replace(
                self._apply(lambda t, i=i: t[i * size : (i + 1) * size]), keys=self.keys[i * size : (i + 1) * size]
            )
            for i in range(n)
        ]

    @staticmethod
    def collate(clips: list[Clip]) -> Clip:
        """Join clips along the batch."""
        first = clips[0]

        def join(tensors: list[Tensor | None]) -> Tensor | None:
            present = [t for t in tensors if t is not None]
            return torch.cat(present) if len(present) == len(clips) else None

        references = [c.references for c in clips if c.references is not None]
        return Clip(
            frames=join([c.frames for c in clips]),
            maps={k: torch.cat([c.maps[k] for c in clips]) for k in first.maps},
            flow=join([c.flow for c in clips]),
            confidence=join([c.confidence for c in clips]),
            attributes={k: torch.cat([c.attributes[k] for c in clips]) for k in first.attributes},
            references=Clip.collate(references) if len(references) == len(clips) else None,
            keys=tuple(k for c in clips for k in c.keys),
        )


@dataclass
class Frame:
    """One generated frame: image ``B C H W`` in [-1, 1]; whatever else leaves a model leaves through ``extras``.

    ``extras`` whose names begin with :data:`LATENT` are what the video was made from: ``B D``, those of the whole video in its
    first frame only, those of a step in the frame of that step.
    """

    image: Tensor
    extras: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Request:
    """What is asked of a model. ``seeds`` defines B: one CPU generator per item.

    ``maps`` yields one dict per frame: ids ``B H W``, dense and drawn maps ``B C H W``. ``context`` holds frames that
    come before the first one (its last ones are the history). ``start`` says what there is without context: ``own`` (the
    model begins by itself) or ``zeros`` (a black history that it looks at, as models trained so expect).

    ``attributes`` name a value of each attribute asked for, one for all videos or one per video. ``latents`` replace what the
    seeds would draw: one vector per video ``B D``, or one per step ``B T D``, by the names that the model's frames give them.
    ``speed`` 0.5 shows the same motion at half the speed.
    """

    seeds: tuple[int, ...] = (0,)
    frames: int | None = None
    maps: Iterator[dict[str, Tensor]] | None = None
    context: Clip | None = None
    references: Clip | None = None
    attributes: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    latents: dict[str, Tensor] | None = None
    speed: float = 1.0
    start: Literal["own", "zeros"] = "own"
