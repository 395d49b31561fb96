"""The data of the models from noise: the sample data sets as folders that training reads, with what is held out beside them.

| folder | videos | held out |
|---|---|---|
| shapes | ``shape_motion``: strips, attribute ``action`` (up, left) | the last 400 by name, 200 of each action: ``shapes_test`` |
| scenes | ``real_clips``: central 144x144, scaled to 64x64, as ``.npy`` | the last 15 % of each video's frames: ``scenes_test`` |
| actions | ``weizmann_actions``: strips, attributes ``action``, ``person`` | all of one person: ``actions_test`` |

A folder that is there is left as it is.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from videosynth.files import atomic, write_json
from videosynth.video.read import read_video

WAYS = {"0": "up", "1": "left"}  # of shape_motion's folders: from bottom to top, from right to left
TEST = 400  # shapes held out
TRAINED = 0.85  # of the frames of a scene
SCENE, SIDE = 144, 64  # pixels that are cut out, and what they are scaled to
PERSON = 8  # held out: in the same clothes throughout, and like nobody else


def prepare(data: Path, work: Path) -> None:
    """Write ``work/data`` from the folder of sample data sets."""
    out = work / "data"
    shapes(data / "shape_motion" / "videos.zip", out)
    scenes(sorted((data / "real_clips").glob("*.mp4")), out)
    actions(data / "weizmann_actions", out)


def _new(*folders: Path) -> Iterator[tuple[Path, Path]]:
    """(folder, where to write it) of those that are not there yet; each appears whole."""
    for folder in folders:
        if not folder.exists():
            with atomic(folder) as part:
                part.mkdir(parents=True)
                yield folder, part
            print(f"wrote {folder}", flush=True)


def held_out(names: list[str], count: int) -> set[str]:
    """The last ``count`` of ``<class>/<name>``, the same number of each class."""
    classes = sorted({n.split("/")[0] for n in names})
    mine = {c: sorted((n for n in names if n.split("/")[0] == c), key=lambda n: n.split("/")[1]) for c in classes}
    return {n for found in mine.values() for n in found[len(found) - count // len(classes) :]}


def shapes(file: Path, out: Path, count: int = TEST) -> None:
    for folder, part in _new(out / "shapes", out / "shapes_test"):
        with zipfile.ZipFile(file) as archive:
            names = [n for n in archive.namelist() if n.endswith(".png")]
            last = held_out(names, count)
            chosen = [n for n in names if (n in last) == (folder.name == "shapes_test")]
            for name in chosen:
                path = part / name
                path.parent.mkdir(exist_ok=True)
                Image.open(io.BytesIO(archive.read(name))).convert("RGB").save(path)
        write_json(part / "labels.json", {name: {"action": WAYS[name.split("/")[0]]} for name in chosen})


def scenes(videos: list[Path], out: Path) -> None:
    for folder, part in _new(out / "scenes", out / "scenes_test"):
        for file in videos:
            frames = [square(frame) for frame in read_video(file)[0]]
            first = round(TRAINED * len(frames))
            kept = frames[first:] if folder.name == "scenes_test" else frames[:first]
            np.save(part / f"{file.stem}.npy", np.stack(kept))


def square(frame: np.ndarray) -> np.ndarray:
    """The central 144x144 pixels (fewer where there are no more) of a frame uint8 ``H W 3``, at 64x64."""
    side = min(SCENE, *frame.shape[:2])
    top, left = ((n - side) // 2 for n in frame.shape[:2])
    return cv2.resize(frame[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def actions(source: Path, out: Path, person: int = PERSON) -> None:
    for folder, part in _new(out / "actions", out / "actions_test"):
        told = json.loads((source / "labels.json").read_text())
        videos = [v for v in told["videos"] if (v["person"] == person) == (folder.name == "actions_test")]
        if not videos:
            raise ValueError(f"{source} has no videos for {folder.name}: is person {person} in it?")
        for video in videos:
            path = part / video["file"]
            path.parent.mkdir(exist_ok=True)
            shutil.copyfile(source / video["file"], path)
        kept = [{"file": v["file"], "action": v["action_name"], "person": v["person"]} for v in videos]
        write_json(part / "labels.json", {"fps": told["fps"], "videos": kept})
