"""Pictures for people: directions, distinct colours, sizes of sheets."""

import numpy as np
import pytest

from videosynth.video.colours import colour_flow, colour_instances, colour_labels, colour_mask, palette
from videosynth.video.sheets import BACKGROUND, contact_sheet, grid, side_by_side


def one(x: float, y: float, maximum: float | None = 1.0) -> tuple[int, ...]:
    return tuple(int(c) for c in colour_flow(np.array([[[x]], [[y]]]), maximum)[0, 0])


def test_flow_directions():
    assert one(0, 0) == (255, 255, 255)
    assert one(1, 0) == (255, 0, 0)
    red, green, blue = one(0, 1)
    assert red == 255
    assert green > 200
    assert blue == 0
    red, green, blue = one(-1, 0)
    assert red == 0
    assert min(green, blue) > 180
    red, green, blue = one(0, -1)
    assert blue == 255
    assert max(red, green) < 140


def test_flow_strength():
    assert one(0.5, 0)[1] == pytest.approx(128, abs=1)
    assert one(3, 0) == (191, 0, 0)  # beyond the scale: darker
    assert one(np.nan, 0) == (0, 0, 0)
    assert one(7, 0, None) == (255, 0, 0)  # the longest sets the scale
    assert one(0, 0, None) == (255, 255, 255)


def test_palette_is_distinct_and_stable():
    colours = palette(30).astype(int)
    distances = np.abs(colours[:, None] - colours[None]).sum(-1) + 1000 * np.eye(30, dtype=int)
    assert distances.min() > 30
    assert colours.sum(1).min() > 60
    np.testing.assert_array_equal(palette(5), palette(30)[:5])


def test_labels_use_the_table():
    ids = np.array([[0, 1], [2, -1]])
    picture = colour_labels(ids, [(1, 2, 3), (4, 5, 6)])
    np.testing.assert_array_equal(picture, [[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [0, 0, 0]]])
    np.testing.assert_array_equal(colour_labels(ids, [(1, 2, 3), (4, 5, 6)], void=0)[0, 0], [0, 0, 0])
    np.testing.assert_array_equal(colour_labels(ids)[0, 1], palette(2)[1])


def test_instances_keep_their_colour():
    one_frame, other = colour_instances(np.array([[0, 26001]])), colour_instances(np.array([[26001, 26002, 5]]))
    np.testing.assert_array_equal(one_frame[0, 1], other[0, 0])
    assert len({tuple(c) for c in other[0]}) == 3
    assert one_frame[0, 0].max() == 0


def test_mask():
    np.testing.assert_array_equal(colour_mask(np.array([[0, 0.5, 1, 2]]))[0, :, 0], [0, 128, 255, 255])


def picture(height: int, width: int, value: int) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_contact_sheet_places_frames_row_by_row():
    sheet = contact_sheet([picture(4, 6, 10 * i) for i in range(5)], columns=3, gap=2)
    assert sheet.shape == (4 * 2 + 2, 6 * 3 + 4, 3)
    assert (sheet[:4, :6] == 0).all()
    assert (sheet[:4, 8:14] == 10).all()
    assert (sheet[6:, 8:14] == 40).all()
    assert (sheet[6:, 16:] == BACKGROUND).all()  # the empty cell
    assert (sheet[4:6] == BACKGROUND).all()


def test_side_by_side_scales_to_the_first_height_with_whole_pixels():
    checks = np.array([[0, 255], [255, 0]], np.uint8)[..., None].repeat(3, 2)
    row = side_by_side([picture(8, 5, 9), checks], gap=1)
    assert row.shape == (8, 5 + 1 + 8, 3)
    assert set(np.unique(row[:, 6:])) == {0, 255}
    assert (row[:4, 6:10] == 0).all()


def test_titles_fit_their_column():
    plain = side_by_side([picture(64, 64, 9), picture(64, 64, 9)])
    titled = side_by_side([picture(64, 64, 9), picture(64, 64, 9)], ["real", "a title that is far too long for it"])
    bar = titled.shape[0] - plain.shape[0]
    assert bar >= 14
    assert titled[:bar, :64].max() > 150
    assert (titled[:bar, 64:66] == BACKGROUND).all()
    np.testing.assert_array_equal(titled[bar:], plain)


def test_grid_of_nothing():
    with pytest.raises(ValueError, match="at least one"):
        grid([])
