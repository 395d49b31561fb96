"""Many looks (vid2vid, section 3.5): each object has one vector, which it keeps for the whole video.

In training the vector is the mean of the encoder's features over the object's pixels in the whole clip; in use it is drawn
from its class's mixture, by a generator that depends on the seed and the object alone, so no table need be kept.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videosynth import ops
from videosynth.nn.style import FEWEST, StyleEncoder, StyleMixtures
from videosynth.types import Clip, DataSpec, Request, UserError

REMEMBERED = 256  # the newest looks of each class, to which its mixture is fitted
SMALLEST = 1 / 2000  # share of a clip's pixels below which an object's look is not remembered

Table = tuple[Tensor, Tensor]  # sorted keys (K,) and vectors (K, channels) of one item


class Styles(nn.Module):
    """Encoder, mixtures, and the looks seen lately."""

    looks: Tensor
    seen: Tensor
    fitted: Tensor

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = StyleEncoder(channels)
        self.mixtures = StyleMixtures(classes, channels)
        self.register_buffer("looks", torch.zeros(classes, REMEMBERED, channels))
        self.register_buffer("seen", torch.zeros(classes, dtype=torch.long))  # looks of each class so far
        self.register_buffer(
            "fitted", torch.zeros(classes, dtype=torch.long)
        )  # as it was when the mixtures were fitted

    # ---- training

    @torch.no_grad()
    def tables(self, real: Tensor, keys: Tensor) -> list[Table]:
        """Every object's mean vector over the whole clip: real ``(B, T, 3, H, W)`` in [-1, 1], keys ``(B, T, H, W)``; in
        training they are remembered.
        """
        features = torch.stack([self._encode(real[:, t]) for t in range(real.shape[1])], dim=2)  # B C T H W
        found = []
        for item, objects in zip(features, keys, strict=True):
            names, vectors, counts = ops.means_over(item.flatten(1), objects.flatten())
            if self.training:
                self._remember(names, vectors, counts)
            found.append((names, vectors))
        return found

    def painted(self, real: Tensor, keys: Tensor, tables: list[Table]) -> Tensor:
        """The clip's vectors in every pixel of a chunk, ``(B, T, channels, H, W)``, with gradients to the encoder through
        the chunk's own frames.
        """
        batch, length = real.shape[:2]
        features = self._encode(ops.fold(real)).unflatten(0, (batch, length))
        out = []
        for item, objects, (names, vectors) in zip(features, keys, tables, strict=True):
            flat = objects.flatten()
            here, means, _ = ops.means_over(item.transpose(0, 1).flatten(1), flat)
            # Pixels of no class have no look, neither here nor in use.
            here_known = (ops.class_of(here) >= 0).unsqueeze(1)
            kept, means = vectors[torch.searchsorted(names, here)] * here_known, means * here_known
            through = kept + (means - means.detach())
            out.append(through[torch.searchsorted(here, flat)].view(*objects.shape, -1).permute(0, 3, 1, 2))
        return torch.stack(out)

    def _encode(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        padded = ops.pad_to_multiple(pictures, self.encoder.multiple, 2 * self.encoder.multiple)
        return self.encoder(padded)[..., :height, :width].float()

    def _remember(self, names: Tensor, vectors: Tensor, counts: Tensor) -> None:
        kinds = ops.class_of(names)
        known = kinds >= 0
        # Small objects say little of themselves; they count where a class has hardly any others.
        rare = self.seen[kinds.clamp_min(0)] < FEWEST
        large = known & ((counts >= SMALLEST * counts.sum()) | rare)
        for kind, vector in zip(kinds[large].tolist(), vectors[large], strict=True):
            self.looks[kind, int(self.seen[kind]) % REMEMBERED] = vector
            self.seen[kind] += 1

    def fit(self) -> None:
        """Mixtures of the looks seen lately, unless they are those already: a function of what was seen alone."""
        if self.seen.is_meta or torch.equal(self.fitted, self.seen):
            return
        held = self.seen.clamp(max=REMEMBERED)
        classes = torch.repeat_interleave(torch.arange(len(held), device=held.device), held)
        self.mixtures.fit(torch.cat([looks[:n] for looks, n in zip(self.looks, held.tolist(), strict=True)]), classes)
        self.fitted.copy_(self.seen)

    # ---- use

    def drawn(self, keys: Tensor, seeds: tuple[int, ...], cache: dict[tuple[int, int], Tensor]) -> Tensor:
        """A look per object, drawn by seed, in every pixel: keys ``(B, H, W)``; returns ``(B, channels, H, W)``.

        ``cache`` holds what was drawn for the frame before, and then what was drawn for this one: whatever is not in it
        is drawn again, and is the same.
        """
        out = []
        here: dict[tuple[int, int], Tensor] = {}
        for objects, seed in zip(keys, seeds, strict=True):
            names, place = objects.unique(return_inverse=True)
            for name in names.tolist():
                here[seed, name] = cache[seed, name] if (seed, name) in cache else self._look(name, seed)
            vectors = torch.stack([here[seed, name] for name in names.tolist()]).to(keys.device)
            out.append(vectors[place].permute(2, 0, 1))
        cache.clear()
        cache.update(here)
        return torch.stack(out)

    def _look(self, key: int, seed: int) -> Tensor:
        kind = key >> 32
        generator = torch.Generator().manual_seed(((seed + 1) * 0x9E3779B97F4A7C15 + key * 0xBF58476D1CE4E5B9) % 2**63)
        return self.mixtures.draw(kind, generator) if kind >= 0 else torch.zeros(self.channels)


def check_latents(request: Request) -> None:
    """Raises UserError when latents of a request are none of looks, or not one per video."""
    for name, value in (request.latents or {}).items():
        if name not in ("style_seeds", "style_other", "style_mix"):
            raise UserError(f"unknown latent {name!r}; this model knows style_seeds, style_other, style_mix")
        if tuple(value.shape) != (len(request.seeds),):
            raise UserError(f"{name} holds {value.numel()} numbers for {len(request.seeds)} videos: pass one per video")


class Looks:
    """The looks of one request's videos: from a reference clip, drawn by seeds, or between those and another seed's.

    ``request.latents`` may hold ``style_seeds`` ``(B,)`` (default: the request's seeds), ``style_other`` ``(B,)`` seeds and
    ``style_mix`` ``(B,)`` in [0, 1]: how far the looks lie from the first to the other.
    """

    def __init__(self, styles: Styles, spec: DataSpec, request: Request) -> None:
        self.styles, self.spec = styles, spec
        latents = request.latents or {}
        self.seeds = self._seeds(latents.get("style_seeds"), request.seeds)
        self.other = self._seeds(latents.get("style_other"), request.seeds) if "style_other" in latents else None
        self.mix = latents.get("style_mix", torch.zeros(len(request.seeds)))
        self.cache: dict[tuple[int, int], Tensor] = {}
        self.other_cache: dict[tuple[int, int], Tensor] = {}
        self.given = None if request.references is None else self._of(request.references)

    @staticmethod
    def _seeds(chosen: Tensor | None, default: tuple[int, ...]) -> tuple[int, ...]:
        if chosen is None:
            return default
        return tuple(int(s) for s in chosen)

    def _of(self, references: Clip) -> list[Table]:
        """Per item the mean vector of every class of the reference."""
        if references.frames is None or any(m.name not in references.maps for m in self.spec.maps):
            raise UserError("a style reference needs a picture and its maps: pass a data set folder with both")
        device = self.styles.looks.device
        maps = {k: v.to(device) for k, v in references.maps.items()}
        keys = ops.class_of(ops.object_keys(maps, self.spec))
        tables = self.styles.tables(ops.to_float(references.frames.to(device)), keys)
        return [(names[names >= 0], vectors[names >= 0]) for names, vectors in tables]  # no class, no look

    def __call__(self, maps: dict[str, Tensor]) -> Tensor:
        """The map ``style`` of one frame, ``(B, channels, H, W)``."""
        keys = ops.object_keys(maps, self.spec)
        if keys.is_meta:  # shapes without content are counted
            return torch.zeros(keys.shape[0], self.styles.channels, *keys.shape[1:], device="meta")
        looks = self.styles.drawn(keys, self.seeds, self.cache)
        if self.given is not None:
            looks = self._like(self.given, keys, looks)
        if self.other is not None:
            other = self.styles.drawn(keys, self.other, self.other_cache)
            looks = torch.lerp(looks, other, self.mix.to(looks).view(-1, 1, 1, 1))
        return looks

    @staticmethod
    def _like(given: list[Table], keys: Tensor, drawn: Tensor) -> Tensor:
        """Classes that the reference has look as there; the others as they were drawn."""
        out = []
        for kinds, own, (names, vectors) in zip(ops.class_of(keys), drawn, given, strict=True):
            if not len(names):
                out.append(own)
                continue
            place = torch.searchsorted(names, kinds.flatten()).clamp(max=len(names) - 1)
            known = (names[place] == kinds.flatten()).view(1, *kinds.shape)
            out.append(torch.where(known, vectors[place].T.view_as(own), own))
        return torch.stack(out)
