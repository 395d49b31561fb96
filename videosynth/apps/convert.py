"""`videosynth convert`: weights of other implementations -> a run folder."""

from __future__ import annotations

import importlib
from pathlib import Path

from videosynth.files import atomic
from videosynth.models import CONVERTERS
from videosynth.types import UserError


def convert(kind: str, folder: Path, out: Path, epoch: str, foreground: tuple[str, ...] | None) -> None:
    """Write a run folder.

    Raises:
        UserError: an unknown kind of weights; something in the way; tensors that do not fit.
    """
    if kind not in CONVERTERS:
        raise UserError(f"cannot convert {kind!r}: choose from {', '.join(CONVERTERS)}")
    if out.exists():
        raise UserError(f"{out} is in the way: choose another --out")
    options = {} if foreground is None else {"foreground": foreground}
    converted = importlib.import_module(CONVERTERS[kind]).convert(folder, epoch, **options)
    with atomic(out) as part:
        part.mkdir()
        converted.model.save(part)
    count = sum(p.numel() for name in converted.model.exported for p in getattr(converted.model, name).parameters())
    print(f"every tensor has its place: {count:,} parameters")
    for what, number in converted.left_out.items():
        print(f"left out: {number} {what}")
    print(f"wrote {out}: weights.safetensors, model.json")
    drawn = [m.name for m in converted.model.spec.maps if m.kind == "drawn"]
    if drawn:
        print(
            f"its maps are drawn from points ({', '.join(drawn)}), which no command draws yet: hand them over in Python"
        )
    else:
        words = ["videosynth generate", str(out), "--maps DIR", converted.begin, "--out video.mp4"]
        print(f"next: {' '.join(word for word in words if word)}")
