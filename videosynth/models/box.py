"""The run folders that come with the package: small weights, to be asked for as ``box:NAME``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from videosynth.errors import UserError

PREFIX = "box:"


def names() -> tuple[str, ...]:
    """Of all run folders in the box, sorted."""
    return tuple(sorted(p.name for p in _folder().iterdir() if (p / "model.json").exists()))


def box(name: str) -> Path:
    """The run folder of that name.

    Raises:
        UserError: there is none.
    """
    if name not in names():
        raise UserError(f"there are no weights {name!r} in the box: choose from {', '.join(names())}")
    return _folder() / name


def _folder() -> Path:
    return Path(str(resources.files("videosynth") / "box"))
