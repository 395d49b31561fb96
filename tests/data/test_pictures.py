from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videosynth.data.pictures import quick_ids, quick_image
from videosynth.video.images import read_ids, read_image

SCENE = np.kron(np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8), np.ones((8, 8, 1), np.uint8))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_quick_pictures_equal_careful_ones(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(SCENE).save(path)
    quick = quick_image(path)
    assert quick is not None
    assert np.array_equal(quick, read_image(path))


def test_quick_ids_equal_careful_ones(tmp_path: Path) -> None:
    Image.fromarray(SCENE[..., 0]).save(tmp_path / "a.png")
    quick = quick_ids(tmp_path / "a.png")
    assert quick is not None
    assert np.array_equal(quick, read_ids(tmp_path / "a.png"))


@pytest.mark.parametrize(
    ("box", "size"), [((48, 80), (96, 160)), ((24, 40), (48, 80)), ((9, 9), (24, 40)), ((5, 5), (12, 20))]
)
def test_a_large_jpeg_comes_reduced_but_not_below_twice_the_box(tmp_path: Path, box: tuple, size: tuple) -> None:
    Image.fromarray(SCENE).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    quick = quick_image(tmp_path / "a.jpg", box)
    assert quick is not None
    assert quick.shape == (*size, 3)
    factor = 96 // size[0]
    average = SCENE.reshape(size[0], factor, size[1], factor, 3).mean((1, 3))
    assert np.abs(quick - average).mean() < 6


def test_what_is_not_plain_is_left_to_the_careful_reader(tmp_path: Path) -> None:
    Image.fromarray(SCENE).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(SCENE[..., 0].astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(SCENE).save(tmp_path / "rgb.png")
    for name in ("palette.png", "deep.png", "rgb.png", "missing.png"):
        assert quick_ids(tmp_path / name) is None
    for suffix in (".jpg", ".png"):
        Image.fromarray(SCENE).save(tmp_path / f"cut{suffix}")
        data = (tmp_path / f"cut{suffix}").read_bytes()
        (tmp_path / f"cut{suffix}").write_bytes(data[:-100])
        assert quick_image(tmp_path / f"cut{suffix}") is None


def test_a_picture_that_a_camera_stored_on_its_side_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(SCENE).save(tmp_path / "a.jpg", exif=exif)
    quick = quick_image(tmp_path / "a.jpg", (10, 10))
    assert quick is not None
    assert quick.shape == (160, 96, 3)
    assert np.array_equal(quick, read_image(tmp_path / "a.jpg"))
