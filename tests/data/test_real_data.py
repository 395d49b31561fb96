"""Reading real data sets as they are; skipped where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from videosynth.data.dataset import iterate
from videosynth.data.layouts import index_folder
from videosynth.data.module import VideoData
from videosynth.prepare.check import check

DATA = Path(os.environ.get("VIDEOSYNTH_DATA") or Path(__file__).parents[2] / "../shared/data").resolve()
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here (set VIDEOSYNTH_DATA)")


def folder(name: str) -> str:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not here")
    return str(DATA / name)


def test_street_camvid() -> None:
    data = VideoData(
        folder("street_camvid/train"), size=(120, 160), clip_length=6, frames="0:64", workers=0, steps_per_epoch=1
    )
    (labels,) = data.spec.maps
    assert (labels.kind, labels.channels, labels.void) == ("classes", 11, 11)
    assert labels.names[:4] == ("Sky", "Building", "Pole", "Road")
    assert labels.colours[3] == (128, 64, 128)
    assert (data.whole.lengths, data.index.lengths) == ((80,), (64,))
    (clip,) = data.train_dataloader()
    assert clip.frames is not None
    assert clip.flow is not None
    assert clip.confidence is not None
    assert clip.frames.shape == (1, 6, 3, 120, 160)
    assert int(clip.maps["labels"].max()) <= 11
    assert clip.confidence[0, 1:].mean() > 0.8


def test_street_camvid_held_out_frames_stream() -> None:
    index = index_folder(folder("street_camvid/train"))
    frames = list(iterate(index, None, index.spec((120, 160)), "64:80"))
    assert len(frames) == 16
    assert set(np.unique(np.concatenate([f["labels"].numpy() for f in frames]))) <= set(range(12))


@pytest.mark.parametrize(
    ("name", "layout", "lengths", "maps"),
    [
        ("street_camvid/train", "videosynth", (80,), {"labels": 11}),
        ("street_camvid", "sequence first", (40, 80), {"labels": 11}),
        ("object_masks/car-shadow", "videosynth", (32,), {"labels": 2}),
        ("object_masks", "sequence first", (64, 32, 56), {"labels": 2}),
        ("imaginaire_samples/vid2vid/street", "imaginaire", (4,), {"labels": 32}),
        ("imaginaire_samples/wc_vid2vid/cityscapes", "imaginaire", (10,), {"labels": 34, "depth": 1}),
        ("imaginaire_samples/pix2pixHD", "imaginaire", (1,), {"labels": 34, "instances": 1}),
    ],
)
def test_layouts_are_read_as_they_are(name: str, layout: str, lengths: tuple, maps: dict) -> None:
    index = index_folder(folder(name))
    assert (index.layout, index.lengths) == (layout, lengths)
    spec = index.spec((32, 64))
    assert {m.name: m.channels for m in spec.maps} == maps
    frame = next(iterate(index, None, spec))
    assert tuple(frame["images"].shape) == (1, 3, 32, 64)
    assert tuple(frame["labels"].shape) == (1, 32, 64)


def test_instances_of_pix2pixhd_keep_their_16_bits() -> None:
    index = index_folder(folder("imaginaire_samples/pix2pixHD"))
    frame = next(iterate(index, None, index.spec((1024, 2048))))
    assert int(frame["instances"].max()) > 1000


@pytest.mark.parametrize("name", ["street_camvid/train", "object_masks", "imaginaire_samples/wc_vid2vid/cityscapes"])
def test_the_doctor_finds_no_error(name: str) -> None:
    report = check(folder(name), needs=("images", "labels"), clip_length=6)
    assert report.ok, report.text()
