"""How many frames a second one core reads, resizes and cuts (`videosynth bench --what loader`)."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import torch

from videosynth.data.dataset import ClipDataset, FlowSource, Memory
from videosynth.data.draws import DrawSettings, draw
from videosynth.data.layouts import index_folder
from videosynth.data.worlds.street import StreetWorld
from videosynth.flow.dis import DIS
from videosynth.video.images import write_image
from videosynth.video.write import VideoWriter

CLIP = 8  # frames per clip


def make(folder: Path, size: tuple[int, int], frames: int) -> None:
    """The same drive as JPEG, PNG and mp4, each with PNG label maps."""
    with VideoWriter(folder / "mp4" / "images" / "s.mp4", 15) as video:
        for i, frame in enumerate(StreetWorld(0, size).frames(0, frames)):
            write_image(folder / "jpeg" / "images" / "s" / f"{i:04d}.jpg", frame.image)
            write_image(folder / "png" / "images" / "s" / f"{i:04d}.png", frame.image)
            video.write(frame.image)
            for kind in ("jpeg", "png", "mp4"):
                write_image(folder / kind / "labels" / "s" / f"{i:04d}.png", frame.labels)


def rate(root: Path, size: tuple[int, int], seconds: float, flow: FlowSource = None, memory: bool = False) -> float:
    """Frames per second of clips, read in this process; with ``memory`` after everything was read once."""
    index = index_folder(root)
    data = ClipDataset(index, index.spec(size), flow, Memory(1 << 30) if memory else None)
    settings = DrawSettings(size, CLIP, flip=True, colour=0.1)
    if memory:
        _ = data[draw(index.lengths, DrawSettings(size, index.lengths[0]), 0, 0, 0, 0)]
    _ = data[draw(index.lengths, settings, 0, 0, 0, 0)]
    clips, begin = 0, time.process_time()  # one thread: seconds of a core, whatever else the machine does
    while time.process_time() - begin < seconds:
        clips += 1
        _ = data[draw(index.lengths, settings, 0, clips, 0, 0)]
    return round(clips * CLIP / (time.process_time() - begin), 1)


def measure(
    size: tuple[int, int] = (128, 256),
    source: tuple[int, int] = (360, 480),
    *,
    frames: int = 48,
    seconds: float = 3.0,
) -> dict[str, Any]:
    """Frames per second per core at ``size`` (H, W) from files of ``source`` size, image and label map together."""
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make(folder, source, frames)
            rates = {kind: rate(folder / kind, size, seconds) for kind in ("jpeg", "png", "mp4")}
            rates["jpeg, DIS flow"] = rate(folder / "jpeg", size, seconds, DIS())
            rates["jpeg, DIS flow, memory"] = rate(folder / "jpeg", size, seconds, DIS(), memory=True)
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
    return {"size": list(size), "source": list(source), "frames_per_second": rates}
