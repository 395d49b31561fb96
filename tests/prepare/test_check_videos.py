from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videosynth.cli import main
from videosynth.prepare.check import check
from videosynth.types import UserError


def strip(path: Path, frames: int, size: int = 8, extra: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, frames * size + extra, 3), 9, np.uint8)).save(path)


def test_a_sound_collection(tmp_path: Path) -> None:
    for n, frames in enumerate((4, 6, 6)):
        strip(tmp_path / ("run" if n else "walk") / f"{n}.png", frames)
    report = check(tmp_path, clip_length=4)
    assert report.ok
    assert report.summary == [
        "layout: collection of strips, 3 videos",
        "frames: 16 (4 to 6, half have 6 or more)",
        "size: 8x8",
        "class: run (2), walk (1)",
    ]


def test_the_axes_of_arrays_are_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 50, 8, 8), np.uint8))
    np.save(tmp_path / "b.npy", np.zeros((50, 8, 10, 3), np.uint8))
    told = check(tmp_path, clip_length=4).summary
    assert "axes: T 4 x N 50 x H 8 x W 8 (a.npy; by their shapes; `axes` in dataset.yaml says otherwise)" in told
    assert any(line.startswith("axes: T 50 x H 8 x W 10 x C 3 (b.npy;") for line in told)
    (tmp_path / "dataset.yaml").write_text("axes: NTHW\n")
    told = check(tmp_path, clip_length=4).summary
    assert "axes: N 4 x T 50 x H 8 x W 8 (a.npy; as dataset.yaml says)" in told


def test_every_fault_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strip(tmp_path / "a" / "0.png", 4)
    strip(tmp_path / "a" / "1.png", 4, extra=3)
    strip(tmp_path / "b" / "2.png", 1)
    strip(tmp_path / "b" / "3.png", 4)
    cut = (tmp_path / "b" / "3.png").read_bytes()
    (tmp_path / "b" / "3.png").write_bytes(cut[: len(cut) // 2 + 5])
    (tmp_path / "b" / "4.png").write_bytes(b"no picture")
    (tmp_path / "b" / "5.mp4").write_bytes(b"no video")
    report = check(tmp_path)
    text = report.text()
    assert "a/1.png: is 35x8: 35 is no multiple of 8" in text
    assert "b/2.png: is 8x8: it holds one frame only" in text
    named = sorted(f.file for f in report.findings if f.level == "error")
    assert named == ["a/1.png", "b/2.png", "b/3.png", "b/4.png", "b/5.mp4"]
    assert main(["check", str(tmp_path)]) == 2
    assert "mend the errors before training" in capsys.readouterr().out


def test_what_is_packed_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "centre.npy", np.zeros((40, 32, 2)))
    (tmp_path / "videos.zip").write_bytes(b"")
    text = check(tmp_path).text()
    assert "centre.npy: of shape (40, 32, 2) would be frames of 2x32" in text
    assert "videos.zip: is packed" in text


def test_labels_of_no_video_are_named(tmp_path: Path) -> None:
    strip(tmp_path / "0.png", 16)
    strip(tmp_path / "1.png", 16)
    (tmp_path / "labels.json").write_text('{"0.png": "run", "2.png": "run", "3.png": "walk"}')
    report = check(tmp_path)
    assert "labels.json: names 2.png, but no video of that name is here (nor of 1 more names)" in report.text()
    assert not [f for f in report.findings if f.level == "error"]


def test_too_short_videos(tmp_path: Path) -> None:
    strip(tmp_path / "0.png", 4)
    strip(tmp_path / "1.png", 9)
    report = check(tmp_path, clip_length=5)
    assert report.ok
    assert [(f.level, f.file) for f in report.findings] == [("warning", "video 0")]
    report = check(tmp_path, clip_length=10)
    with pytest.raises(UserError, match=r"video 0: has 4 frames, a clip needs 10.*1 more"):
        report.raise_if_errors()
    report = check(tmp_path, clip_length=5, frames="0:4")
    assert report.count("error") == 2


def test_sizes_and_unlike_ends(tmp_path: Path) -> None:
    strip(tmp_path / "0.png", 4)
    strip(tmp_path / "1.png", 4, size=10)
    assert "size: 8x8 (1 of those looked at), 10x10 (1 of those looked at)" in check(tmp_path).text()
    frames = tmp_path / "frames"
    for t, side in enumerate((8, 8, 9)):
        frames.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(frames / f"{t}.png")
    assert "its last frame has another size than its first" in check(frames).text()


def test_the_real_actions_are_well(shared_data: Path) -> None:
    report = check(shared_data / "weizmann_actions", clip_length=32)
    assert report.findings == []
    assert "class: 0 (14), 1 (14), 3 (14), 4 (14)" in report.summary
    assert "fps: 25" in report.summary
