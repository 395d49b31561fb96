"""Written videos: exact where promised, close where not, whole or not at all."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from videosynth.types import UserError
from videosynth.video.read import VideoReader, read_ids, read_image, read_video
from videosynth.video.write import VideoWriter, write_image, write_video

LOSSLESS = [("a.mkv", "ffv1"), ("a.mkv", "rgb"), ("a.mp4", "rgb"), ("folder", "png")]


def noise(frames: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def smooth(frames: int, height: int, width: int) -> np.ndarray:
    t, y, x = np.mgrid[:frames, :height, :width]
    planes = [90 + 60 * np.sin(x / 17 + t / 5), 120 + 50 * np.cos(y / 13 - t / 7), 128 + 40 * np.sin((x + y) / 23)]
    return np.stack(planes, -1).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 40), st.integers(0, 9), st.sampled_from(LOSSLESS))
def test_lossless_round_trips_are_exact(tmp_path_factory, frames, height, width, seed, form):
    video = noise(frames, height, width, seed)
    path = tmp_path_factory.mktemp("lossless") / form[0]
    write_video(path, video, 12.5, codec=form[1])
    again, fps = read_video(path)
    np.testing.assert_array_equal(again, video)
    if form[1] != "png":
        assert fps == 12.5


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (40, 1), (1, 40)])
@pytest.mark.parametrize("form", LOSSLESS)
def test_thinnest_pictures(tmp_path: Path, size, form):
    video = noise(3, *size)
    write_video(tmp_path / form[0], video, 15, codec=form[1])
    np.testing.assert_array_equal(read_video(tmp_path / form[0])[0], video)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(1, 33), st.integers(1, 33), st.sampled_from([("ids.mkv", "ffv1"), ("ids", "png")]))
def test_ids_survive(tmp_path_factory, height, width, form):
    ids = noise(3, height, width)[..., 0]
    path = tmp_path_factory.mktemp("ids") / form[0]
    write_video(path, ids, 15, codec=form[1])
    reader = VideoReader(path)
    for t in range(3):
        again = reader.ids(t)
        assert again.dtype == np.int32
        np.testing.assert_array_equal(again, ids[t])


@pytest.mark.parametrize(("height", "width"), [(96, 128), (95, 127), (31, 64)])
def test_h264_is_close_and_odd_sides_come_back_one_longer(tmp_path: Path, height: int, width: int):
    video = smooth(20, height, width)
    write_video(tmp_path / "a.mp4", video, 30000 / 1001)
    again, fps = read_video(tmp_path / "a.mp4")
    assert again.shape == (20, height + height % 2, width + width % 2, 3)
    assert psnr(again[:, :height, :width], video) > 38
    # No drift of colours: what matters for metrics on written videos.
    assert np.abs((again[:, :height, :width].astype(float) - video).mean((0, 1, 2))).max() < 0.7
    assert fps == pytest.approx(29.97, abs=1e-3)
    if width % 2:
        assert psnr(again[:, :height, -1], again[:, :height, -2]) > 35


def test_crf_trades_size_for_quality(tmp_path: Path):
    video = noise(8, 32, 32) // 4 + smooth(8, 32, 32) // 2
    write_video(tmp_path / "good.mp4", video, 15, crf=10)
    write_video(tmp_path / "small.mp4", video, 15, crf=40)
    assert (tmp_path / "good.mp4").stat().st_size > 2 * (tmp_path / "small.mp4").stat().st_size


def test_gif_is_readable_again_with_every_frame(tmp_path: Path):
    video = smooth(9, 40, 60)
    video[4] = video[3]  # two equal frames stay two frames
    write_video(tmp_path / "a.gif", video, 20)
    again, fps = read_video(tmp_path / "a.gif")
    assert again.shape == video.shape
    assert fps == pytest.approx(20)
    assert psnr(again, video) > 28
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["loop"] == 0  # for ever


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "h264"), ("a.mkv", "ffv1"), ("a.gif", "gif")])
def test_same_frames_same_bytes(tmp_path: Path, name: str, codec):
    video = smooth(20, 60, 76)
    bits = []
    for _ in range(3):
        write_video(tmp_path / name, video, 15, codec=codec)
        bits.append((tmp_path / name).read_bytes())
    assert bits[0] == bits[1] == bits[2]


def test_jpg_folder(tmp_path: Path):
    video = smooth(3, 40, 60)
    write_video(tmp_path / "frames", video, 15, codec="jpg")
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == ["000000.jpg", "000001.jpg", "000002.jpg"]
    assert psnr(read_video(tmp_path / "frames")[0], video) > 38


# Whole or not at all.


def interrupted(frames: np.ndarray, error: BaseException) -> Iterator[np.ndarray]:
    yield from frames
    raise error


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif", "folder"])
def test_an_exception_inside_leaves_nothing(tmp_path: Path, name: str):
    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / name, interrupted(smooth(5, 32, 32), KeyboardInterrupt()), 15)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "folder"])
def test_an_exception_leaves_the_old_video(tmp_path: Path, name: str):
    old = smooth(3, 32, 32)
    write_video(tmp_path / name, old, 15, codec="png" if name == "folder" else "rgb")
    with pytest.raises(RuntimeError):
        write_video(tmp_path / name, interrupted(noise(1, 8, 8), RuntimeError()), 15)
    np.testing.assert_array_equal(read_video(tmp_path / name)[0], old)


def test_a_folder_of_frames_is_replaced_and_no_other_folder(tmp_path: Path):
    write_video(tmp_path / "frames", noise(5, 8, 8), 15)
    write_video(tmp_path / "frames", noise(2, 8, 8), 15)
    assert len(VideoReader(tmp_path / "frames")) == 2
    (tmp_path / "frames" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match=r"letter\.txt"):
        write_video(tmp_path / "frames", noise(2, 8, 8), 15)
    assert (tmp_path / "frames" / "letter.txt").read_text() == "dear"


_LIMITED = """
import resource, sys
import numpy as np
from videosynth.types import UserError
from videosynth.video.write import write_video
frames = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)
for name, limits in (("a.mp4", (0, 3000, 20000)), ("a.mkv", (0, 9000)), ("a.gif", (0, 9000)), ("png", (0, 2000)),
                     ("jpg", (0, 2000))):
    for limit in limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        codec = name if name in ("png", "jpg") else None
        try:
            write_video(f"{sys.argv[1]}/{name}", frames, 15, codec)
        except UserError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            print(name, str(error))
        else:
            raise SystemExit(f"{name} was written past {limit}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_a_file_size_limit_is_one_user_error_and_leaves_nothing(tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", _LIMITED, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 11
    assert all(f"cannot write {tmp_path}" in line and "ulimit -f" in line for line in lines)
    assert os.listdir(tmp_path) == []


# What a person may get wrong.


def test_another_size_in_the_middle(tmp_path: Path):
    with pytest.raises(UserError, match=r"frame 1 is uint8 \(8, 10, 3\)"):
        write_video(tmp_path / "a.mp4", itertools.chain(noise(1, 8, 8), noise(1, 8, 10)), 15)
    assert os.listdir(tmp_path) == []


def test_no_frames(tmp_path: Path):
    for name in ("a.mp4", "a.gif", "folder"):
        with pytest.raises(UserError, match="no frames"):
            write_video(tmp_path / name, [], 15)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "fps", "codec", "words"),
    [
        ("a.wmv", 15, None, ".mp4"),
        ("a.mp4", 15, "ffv1", "h264 or rgb"),
        ("a.mp4", 0, None, "rate above 0"),
        ("a.mp4", float("nan"), None, "rate above 0"),
    ],
)
def test_wrong_arguments(tmp_path: Path, name: str, fps: float, codec, words: str):
    with pytest.raises(UserError, match=words):
        VideoWriter(tmp_path / name, fps, codec)


def test_ids_need_a_lossless_form(tmp_path: Path):
    with pytest.raises(UserError, match="ffv1 or a PNG folder"):
        write_video(tmp_path / "a.mp4", noise(2, 8, 8)[..., 0], 15)
    with pytest.raises(UserError, match=r"use \.png"):
        write_image(tmp_path / "a.jpg", noise(1, 8, 8)[0, ..., 0])
    assert os.listdir(tmp_path) == []


def test_floats_are_a_mistake_of_the_caller(tmp_path: Path):
    with pytest.raises(ValueError, match="uint8"):
        write_video(tmp_path / "a.mp4", noise(2, 8, 8).astype(np.float32), 15)
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "a.png", noise(1, 8, 8)[0].astype(np.float32))
    assert os.listdir(tmp_path) == []


def test_pictures(tmp_path: Path):
    picture = noise(1, 9, 7)[0]
    write_image(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)
    ids = np.array([[0, 300], [65535, 7]], np.uint16)
    write_image(tmp_path / "ids.png", ids)
    np.testing.assert_array_equal(read_ids(tmp_path / "ids.png"), ids)
    with pytest.raises(UserError, match=r"\.png or \.jpg"):
        write_image(tmp_path / "a.bmp", picture)
