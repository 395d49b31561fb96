"""Label images: ids as they are stored; pictures as a person sees them; damage named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videosynth.types import UserError
from videosynth.video.images import colours_to_ids, frame_files, image_size, natural_key, read_ids, read_image

IDS = np.array([[0, 1, 2], [3, 4, 250]], np.uint8)


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def test_grey_of_8_and_16_bits(tmp_path: Path):
    np.testing.assert_array_equal(read_ids(saved(tmp_path / "8.png", Image.fromarray(IDS))), IDS)
    wide = IDS.astype(np.uint16) * 200
    ids = read_ids(saved(tmp_path / "16.png", Image.fromarray(wide)))
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, wide)
    np.testing.assert_array_equal(read_ids(saved(tmp_path / "16.tif", Image.fromarray(wide))), wide)
    np.testing.assert_array_equal(read_ids(saved(tmp_path / "32.tif", Image.fromarray(wide.astype(np.int32)))), wide)
    np.testing.assert_array_equal(read_ids(saved(tmp_path / "8.pgm", Image.fromarray(IDS))), IDS)


def test_palette_gives_indices_not_colours(tmp_path: Path):
    image = Image.fromarray(IDS, mode="P")
    image.putpalette([*range(255, -1, -1)] * 3)
    np.testing.assert_array_equal(read_ids(saved(tmp_path / "p.png", image)), IDS)
    image.info["transparency"] = 3
    np.testing.assert_array_equal(read_ids(saved(tmp_path / "t.png", image, transparency=3)), IDS)


def test_one_bit_and_alpha(tmp_path: Path):
    mask = IDS > 2
    np.testing.assert_array_equal(read_ids(saved(tmp_path / "1.png", Image.fromarray(mask))), mask)
    image = Image.merge("LA", (Image.fromarray(IDS), Image.fromarray(IDS)))
    np.testing.assert_array_equal(read_ids(saved(tmp_path / "la.png", image)), IDS)


COLOURS = [(128, 64, 128), (0, 0, 142), (70, 70, 70)]


def test_colours_become_ids(tmp_path: Path):
    ids = np.random.default_rng(0).integers(0, 3, (5, 7))
    rgb = np.array(COLOURS, np.uint8)[ids]
    path = saved(tmp_path / "rgb.png", Image.fromarray(rgb))
    np.testing.assert_array_equal(read_ids(path, COLOURS), ids)
    rgb[2, 3] = 0
    path = saved(tmp_path / "void.png", Image.fromarray(rgb))
    ids[2, 3] = 255
    np.testing.assert_array_equal(read_ids(path, COLOURS, void=255), ids)
    with pytest.raises(UserError, match=r"void\.png has the colour \(0, 0, 0\) at row 2, column 3 \(1 pixels"):
        read_ids(path, COLOURS)


def test_black_is_a_class_where_the_table_says_so():
    rgb = np.zeros((1, 2, 3), np.uint8)
    rgb[0, 1] = 9
    np.testing.assert_array_equal(colours_to_ids(rgb, [(9, 9, 9), (0, 0, 0)], void=7), [[1, 0]])
    # Of two classes with one colour the first one wins.
    np.testing.assert_array_equal(colours_to_ids(rgb, [(9, 9, 9), (0, 0, 0), (9, 9, 9)]), [[1, 0]])


def test_rgb_without_a_table_names_the_remedy(tmp_path: Path):
    path = saved(tmp_path / "rgb.png", Image.fromarray(np.zeros((2, 2, 3), np.uint8)))
    with pytest.raises(UserError, match=r"rgb\.png is an RGB picture.*dataset\.yaml"):
        read_ids(path)


def test_jpeg_labels_are_refused(tmp_path: Path):
    path = saved(tmp_path / "a.jpg", Image.fromarray(IDS))
    with pytest.raises(UserError, match="PNG"):
        read_ids(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "ppm", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.95])
def test_truncated_pictures_are_named(tmp_path: Path, suffix: str, share: float):
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    data = saved(tmp_path / f"whole.{suffix}", Image.fromarray(picture)).read_bytes()
    path = tmp_path / f"short.{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    for read in (read_image, lambda p: read_ids(p, [(0, 0, 0)])):
        if suffix == "jpg" and read is not read_image and share > 0.1:
            continue  # refused as JPEG
        with pytest.raises(UserError, match=rf"short\.{suffix} .*damaged.*copy it again or remove the frame"):
            read(path)


def test_missing_pictures_and_folders(tmp_path: Path):
    with pytest.raises(UserError, match=r"no\.png is missing"):
        read_image(tmp_path / "no.png")
    with pytest.raises(UserError, match="is a folder"):
        read_ids(tmp_path)
    with pytest.raises(UserError, match="is missing"):
        frame_files(tmp_path / "no")


def test_pictures_as_a_person_sees_them(tmp_path: Path):
    grey = saved(tmp_path / "g.png", Image.fromarray(IDS))
    np.testing.assert_array_equal(read_image(grey), np.repeat(IDS[..., None], 3, 2))
    deep = saved(tmp_path / "d.png", Image.fromarray(IDS.astype(np.uint16) * 257))
    np.testing.assert_array_equal(read_image(deep), np.repeat(IDS[..., None], 3, 2))
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "p.png", palette)), [[[10, 20, 30], [40, 50, 60]]])


def test_pictures_of_a_phone_stand_upright(tmp_path: Path):
    picture = Image.fromarray(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to show
    path = saved(tmp_path / "a.png", picture, exif=exif)
    assert image_size(path) == (6, 4)
    np.testing.assert_array_equal(read_image(path), np.rot90(np.asarray(picture), -1))


def test_natural_order():
    names = ["a10b2", "a9b1", "a10b1", "a1", "b", "a", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "a1", "a9b1", "a10b1", "a10b2", "b"]
