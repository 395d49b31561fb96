"""Flow that is computed once and kept on disk, for data sets that are read many times."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import numpy as np

from videosynth import files
from videosynth.flow import FlowTeacher

FORMAT = 1
# One step of 16 bits is 1/128 pixel up to 256 pixels of motion, so the error is at most 1/256 = 0.004 pixel at any
# length; float16 would be off by up to 0.06 pixel beyond 128 pixels. Longer vectors are stored with a larger step.
_STEP = 1 / 128


class FlowCache:
    """A teacher with a memory: flow of a pair of frames is stored in ``folder`` under its key.

    Any number of processes may share a folder: files appear whole, and two that compute the same pair write the same
    bytes. A damaged file is computed anew. One file per pair, named after the key, the teacher and the size:
    flow in 16-bit steps of 1/128 pixel (error at most 0.004 pixel up to 255 pixels of motion), confidence in 1/255.
    """

    def __init__(self, folder: Path | str, teacher: FlowTeacher) -> None:
        self.folder = Path(folder)
        self.teacher = teacher

    def path(self, key: str, size: tuple[int, int]) -> Path:
        """The file of a pair; ``key`` names it (for example ``sequence/frame``), ``size`` is (H, W)."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", key)[-80:]
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]  # two keys may look alike when made plain
        teacher = re.sub(r"[^A-Za-z0-9._-]+", "_", self.teacher.name)
        return self.folder / f"{teacher}_{size[1]}x{size[0]}" / f"{plain}_{digest}.npz"

    def get(self, key: str, current: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flow float32 ``2 H W`` and confidence float32 ``1 H W`` of a pair (uint8 ``H W 3``), from disk or computed.

        The answer is the same whether it was stored before or not. A disk that cannot be written is a UserError.
        """
        size = (current.shape[0], current.shape[1])
        path = self.path(key, size)
        stored = _load(path, size)
        if stored is None:
            _store(path, *self.teacher(current, previous))
            stored = _load(path, size)
            if stored is None:
                raise OSError(f"{path} cannot be read back")
        return stored


def _store(path: Path, flow: np.ndarray, confidence: np.ndarray) -> None:
    longest = float(np.abs(flow).max(initial=0.0))
    step = max(_STEP, longest / 32767)
    with files.atomic(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            format=np.int32(FORMAT),
            step=np.float64(step),
            flow=np.round(flow / step).astype(np.int16),
            confidence=np.round(confidence * 255).astype(np.uint8),
        )


def _load(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
    """What is stored, or None where nothing (readable, of this format and size) is."""
    try:
        with np.load(path, allow_pickle=False) as data:
            if int(data["format"]) != FORMAT or data["flow"].shape != (2, *size):
                return None
            flow = data["flow"].astype(np.float32) * np.float32(data["step"])
            return flow, data["confidence"].astype(np.float32) / np.float32(255)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
