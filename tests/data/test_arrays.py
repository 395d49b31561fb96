from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videosynth.data.arrays import ArrayVideos, axes_of
from videosynth.data.collections import read_videos
from videosynth.data.layouts import index_folder
from videosynth.data.module import VideoData
from videosynth.types import DataSpec, UserError

VIDEOS = np.random.default_rng(0).integers(0, 256, (6, 5, 8, 10, 3)).astype(np.uint8)  # N T H W C


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((20, 10000, 64, 64), "TNHW"),
        ((100, 16, 64, 64), "NTHW"),
        ((8, 32, 64, 64), "NTHW"),
        ((100, 16, 64, 64, 3), "NTHWC"),
        ((100, 16, 1, 64, 64), "NTCHW"),
        ((16, 64, 64, 3), "THWC"),
        ((16, 3, 64, 64), "TCHW"),
        ((16, 4, 64, 64), "NTHW"),
        ((16, 64, 64), "THW"),
        ((64, 64), None),
        ((2, 3, 5, 6, 7), None),
    ],
)
def test_axes(shape: tuple[int, ...], axes: str | None) -> None:
    assert axes_of(shape) == axes


@pytest.mark.parametrize("axes", ["NTHWC", "NTCHW", "NTHW", "TNHW", "CNTWH"])
def test_every_order_gives_the_same_frames(tmp_path: Path, axes: str) -> None:
    array = VIDEOS if "C" in axes else VIDEOS[..., 0]
    here = "NTHWC"[: array.ndim]
    np.save(tmp_path / "all.npy", array.transpose([here.index(a) for a in axes]))
    (tmp_path / "dataset.yaml").write_text(f"axes: {axes}\n")
    found = {n: f for n, f, _ in read_videos(tmp_path, DataSpec((), (8, 10)), 5)}
    assert list(found) == [f"all/{n:05d}@0" for n in range(6)]
    expected = VIDEOS[4] if "C" in axes else np.repeat(VIDEOS[4, ..., :1], 3, axis=-1)
    assert np.array_equal(found["all/00004@0"], expected)


def test_one_video_and_a_clip_of_it(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VIDEOS[0])
    data = VideoData(root=str(tmp_path / "v.npy"), size=(8, 10), clip_length=5, flip=False, workers=0)
    clip = data.dataset[data.draw(0, 0, 0)]
    assert clip.frames is not None
    assert np.array_equal(clip.frames[0].permute(0, 2, 3, 1).numpy(), VIDEOS[0])
    assert clip.keys == ("v/0",)


def test_npz_with_labels_and_more(tmp_path: Path) -> None:
    words = np.array(["a", "b", "a", "b", "a", "b"])
    extra = {"labels": np.array([10, 2, 10, 2, 3, 3]), "word": words, "length": np.zeros((6, 5))}
    np.savez(tmp_path / "set.npz", videos=VIDEOS, background=VIDEOS, **extra)
    spec = index_folder(tmp_path).spec((8, 10))
    assert spec.attributes == {"class": ("2", "3", "10"), "word": ("a", "b")}
    clips = list(read_videos(tmp_path, spec, 5))
    assert [ids for _, _, ids in clips][:2] == [{"class": 2, "word": 0}, {"class": 0, "word": 1}]
    assert np.array_equal(clips[3][1], VIDEOS[3])
    np.savez(tmp_path / "set.npz", a=VIDEOS, b=VIDEOS)
    with pytest.raises(UserError, match="no array `videos`"):
        index_folder(tmp_path)


@pytest.mark.parametrize(
    ("make", "factor"),
    [
        (lambda v: v.astype(np.float32) / 255, 1),
        (lambda v: v.astype(np.float64) / 127.5 - 1, 1),
        (lambda v: v.astype(np.int64), 1),
        (lambda v: v.astype(np.float32), 1),
        (lambda v: v > 127, 0),
    ],
)
def test_values(tmp_path: Path, make, factor: int) -> None:
    values = VIDEOS.copy()
    values[0, 0, 0, 0] = 0, 255, 0
    np.save(tmp_path / "v.npy", make(values))
    frame = ArrayVideos(tmp_path / "v.npy").frame(0, 0)
    assert np.array_equal(frame, values[0, 0] if factor else (values[0, 0] > 127) * 255)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((5, 5)), "has the shape"),
        (np.full((2, 5, 8, 8), 300), "values from 300 to 300"),
        (np.zeros((2, 5, 6, 6), complex), "not pixels"),
        (np.zeros((40, 32, 2)), r"of shape \(40, 32, 2\) would be frames of 2x32, which are no pictures"),
        (np.array([{}, {}], object), "cannot be read as arrays"),
        (b"no array", "cannot be read as arrays"),
    ],
)
def test_what_is_no_video(tmp_path: Path, content, message: str) -> None:
    path = tmp_path / "v.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content, allow_pickle=True)
    with pytest.raises(UserError, match=message) as error:
        read_videos(tmp_path, DataSpec((), (4, 4)), 3)
    assert "\n" not in str(error.value)


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.zeros((4, 30, 16, 16), np.uint8))
    assert isinstance(ArrayVideos(tmp_path / "v.npy")._file[0], np.memmap)
