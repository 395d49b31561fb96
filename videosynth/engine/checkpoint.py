"""The run folder: what a training leaves behind, and how it goes on.

``model.json`` and ``weights.safetensors`` are what people share. ``last.ckpt`` and ``best.ckpt`` hold everything
(critics, live and averaged weights, optimizers, step): tensors and plain containers, loaded without running pickles.
``run.json`` says how the run was made. Every file appears whole or not at all.
"""

from __future__ import annotations

import datetime
import os
import pickle
import platform
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, cast

import torch

from videosynth import __version__
from videosynth.engine.ema import Average
from videosynth.files import atomic, read_json, write_json
from videosynth.models.base import VideoModel, check_tensors
from videosynth.types import UserError

FORMAT = 1


def optimizers_of(model: VideoModel) -> list[torch.optim.Optimizer]:
    found = model.optimizers(use_pl_optimizer=False)
    return cast("list[torch.optim.Optimizer]", found if isinstance(found, list) else [found])


def write_checkpoint(path: Path, model: VideoModel, average: Average, best: float | None) -> None:
    content = {
        "format": FORMAT,
        "step": model.steps,
        "scales": model.phase_at(max(model.steps - 1, 0)).scales or 1,
        "model": model.state_dict(),
        "average": average.weights,
        "optimizers": [o.state_dict() for o in optimizers_of(model)],
        "best": best,
    }
    with atomic(path) as part:
        try:
            torch.save(content, part)
        except RuntimeError as error:
            # The archive writer hides the system's refusal; write through Python, which says what is wrong.
            try:
                with part.open("wb") as file:
                    torch.save(content, file)
            except (RuntimeError, OSError) as told:
                raise _refusal(told) or error from None
            raise


def _refusal(error: BaseException | None) -> OSError | None:
    """The operating system's error behind another one."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Raises UserError when the file is missing, damaged or of an unknown format."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: there is nothing to resume; train without --resume") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile):
        raise UserError(f"{path} is damaged: copy best.ckpt over it if there is one, or train again") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is no checkpoint of this version (format {FORMAT}): train again")
    return content


def restore(path: Path, content: dict[str, Any], model: VideoModel, average: Average) -> None:
    """Put a checkpoint into model, optimizers and average, strictly."""
    check_tensors(path, content["model"], model.state_dict())
    scales = model.phase_at(min(content["step"], model.total_steps - 1)).scales or 1
    if scales < content.get("scales", 1):
        raise UserError(
            f"{path} was trained at {content['scales']} scales; with these options it would go back to {scales}: "
            "leave model.schedule.steps and grow as they were, or lower grow"
        )
    model.load_state_dict(content["model"])
    for name, value in content["average"].items():
        average.weights[name].copy_(value)
    mine = optimizers_of(model)
    if len(mine) != len(content["optimizers"]):
        raise UserError(
            f"{path} has {len(content['optimizers'])} optimizers, the model {len(mine)}: another configuration"
        )
    for optimizer, state in zip(mine, content["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    model.steps = content["step"]


class RunRecord:
    """``run.json``: command, commit, versions, seed, device, precision, data, wall time, earlier parts."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.path = folder / "run.json"
        self.content: dict[str, Any] = {
            "format": FORMAT,
            "command": ["videosynth", *sys.argv[1:]],
            "commit": _commit(),
            "versions": {"videosynth": __version__, "torch": torch.__version__, "python": platform.python_version()},
            "machine": _machine(),
            "folder": os.getcwd(),
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **facts,
        }

    def earlier(self) -> tuple[float, int]:
        """Seconds and frames of the parts of this run before a resume."""
        if not self.path.exists():
            return 0.0, 0
        told = read_json(self.path)
        self.content["parts"] = [
            *told.get("parts", []),
            {k: told.get(k) for k in ("command", "commit", "started", "steps")},
        ]
        return float(told.get("wall_seconds", 0.0)), int(told.get("frames", 0))

    def write(self, **facts: Any) -> None:
        self.content |= facts
        write_json(self.path, self.content)


def _commit() -> str | None:
    """The commit of the source tree that runs (with + when it has changes), None for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        told = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12"], capture_output=True, text=True
        )
    except OSError:
        return None
    return told.stdout.strip() or None


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
