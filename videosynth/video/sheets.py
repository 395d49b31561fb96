"""Several pictures as one: grids, contact sheets, comparisons with titles. Pictures are uint8 RGB ``H W 3``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

BACKGROUND, INK = 24, 235


def grid(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str] = (), gap: int = 2) -> np.ndarray:
    """Pictures in rows and columns, ``gap`` pixels apart, one title above each column.

    Every picture is brought to the height of the first one (nearest pixel, so that label colours stay), keeping its
    shape; rows may be shorter than others. No pictures at all: ValueError.
    """
    cells = [[np.asarray(p) for p in row] for row in rows if len(row)]
    if not cells:
        raise ValueError("a grid needs at least one picture")
    height = cells[0][0].shape[0]
    cells = [[_to_height(p, height) for p in row] for row in cells]
    columns = max(len(row) for row in cells)
    widths = [max(row[c].shape[1] for row in cells if c < len(row)) for c in range(columns)]
    lefts = np.concatenate([[0], np.cumsum([w + gap for w in widths])]).astype(int)
    bar = max(14, min(40, height // 8)) if any(titles) else 0
    sheet = np.full((bar + len(cells) * (height + gap) - gap, lefts[-1] - gap, 3), BACKGROUND, np.uint8)
    for r, row in enumerate(cells):
        top = bar + r * (height + gap)
        for c, picture in enumerate(row):
            sheet[top : top + height, lefts[c] : lefts[c] + picture.shape[1]] = picture
    for c, title in enumerate(titles[:columns] if bar else ()):
        sheet[:bar, lefts[c] : lefts[c] + widths[c]] = _title(title, bar, widths[c])
    return sheet


def contact_sheet(frames: Iterable[np.ndarray], columns: int, gap: int = 2) -> np.ndarray:
    """Frames of a video row by row."""
    pictures = list(frames)
    return grid([pictures[i : i + columns] for i in range(0, len(pictures), columns)], gap=gap)


def side_by_side(frames: Sequence[np.ndarray], titles: Sequence[str] = (), gap: int = 2) -> np.ndarray:
    """One row of pictures, for example maps, fake and real. Same sizes in give same sizes out, frame after frame."""
    return grid([frames], titles, gap)


def _to_height(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), Image.Resampling.NEAREST))


def _title(text: str, height: int, width: int) -> np.ndarray:
    """A bar with centred text, smaller where the column is narrow."""
    bar = Image.new("RGB", (width, height), (BACKGROUND,) * 3)
    draw = ImageDraw.Draw(bar)
    size = height * 0.7
    length = draw.textlength(text, font=ImageFont.load_default(size))
    if length > width - 2:
        size = max(6.0, size * (width - 2) / length)
    draw.text((width / 2, height / 2), text, (INK,) * 3, ImageFont.load_default(size), anchor="mm")
    return np.asarray(bar)
