from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from videosynth.data.draws import DrawSettings, draw
from videosynth.types import UserError

SMALL = DrawSettings(size=(8, 16), length=3)


def test_every_start_is_possible_and_the_last_one_is_included() -> None:
    settings = DrawSettings(size=(8, 16), length=3, max_step=2)
    seen = {(d.stride, d.start) for d in (draw([7], settings, 0, step, 0, 0) for step in range(400))}
    assert seen == {(1, s) for s in range(5)} | {(2, s) for s in range(3)}


def test_clips_never_leave_their_sequence() -> None:
    lengths = [3, 9, 1, 30]
    settings = DrawSettings(size=(8, 16), length=4, max_step=9)
    for step in range(300):
        one = draw(lengths, settings, 1, step, 0, 0)
        assert len(one.indices) == 4
        assert one.indices[-1] < lengths[one.sequence]


def test_sequences_are_drawn_in_proportion_to_their_starts() -> None:
    counts = Counter(draw([12, 2, 32], SMALL, 0, step, 0, 0).sequence for step in range(4000))
    assert 1 not in counts
    assert counts[0] / 4000 == pytest.approx(10 / 40, abs=0.03)


def test_a_draw_depends_on_seed_step_rank_and_slot_and_on_nothing_else() -> None:
    places = [(seed, step, rank, slot) for seed in (0, 1) for step in (0, 1) for rank in (0, 1) for slot in (0, 1)]
    draws = [draw([500], SMALL, *place) for place in places]
    assert draws == [draw([500], SMALL, *place) for place in places]
    assert len({d.seed for d in draws}) == len(draws)


def test_scale_crop_flip_and_colour_are_drawn() -> None:
    settings = DrawSettings(size=(100, 200), length=2, scale=(1.0, 1.5), flip=True, colour=0.2)
    draws = [draw([50], settings, 0, step, 0, 0) for step in range(200)]
    assert {d.scaled for d in draws} == {(100, 200), (112, 225), (125, 250), (138, 275), (150, 300)}
    assert {d.flip for d in draws} == {True, False}
    assert all(d.colour is not None and all(0.8 <= c <= 1.2 for c in d.colour[:3]) for d in draws)
    assert draw([50], SMALL, 0, 0, 0, 0).colour is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"scale": (0.5, 1.0)}, "data.scale"),
        ({"max_step": 0}, "data.max_step"),
        ({"length": 0}, "data.clip_length"),
        ({"colour": 2.0}, "data.colour"),
        ({"size": (0, 5)}, "data.size"),
    ],
)
def test_settings_out_of_range_name_the_option(change: dict, word: str) -> None:
    with pytest.raises(UserError, match=word):
        DrawSettings(**{"size": (8, 16), "length": 3, **change})


@pytest.mark.parametrize("lengths", [[], [2, 1]])
def test_all_too_short_is_a_user_error(lengths: list[int]) -> None:
    with pytest.raises(UserError, match="a clip needs 3 frames"):
        draw(lengths, SMALL, 0, 0, 0, 0)


def test_a_fixed_stride_multiplies_the_drawn_one() -> None:
    lengths = (40, 61, 5)
    free = DrawSettings((8, 8), 4, max_step=3)
    for step in range(60):
        plain = draw(lengths, free, 0, step, 0, 0)
        fixed = draw(lengths, DrawSettings((8, 8), 4, max_step=3, step=4), 0, step, 0, 0)
        assert fixed.stride == 4 * plain.stride
        assert fixed.indices[-1] < lengths[fixed.sequence]
        assert draw(lengths, DrawSettings((8, 8), 4, max_step=3, step=1), 0, step, 0, 0) == plain
        assert draw(np.array(lengths), free, 0, step, 0, 0) == plain
    with pytest.raises(UserError, match=r"needs 65 frames \(5, one in 16\) but the longest sequence has 61"):
        draw(lengths, DrawSettings((8, 8), 5, step=16), 0, 0, 0, 0)
    with pytest.raises(UserError, match=r"data\.step must be 1 or more"):
        DrawSettings((8, 8), 5, step=0)


def test_draws_are_those_of_earlier_versions() -> None:
    """Runs are resumed and repeated: for a stride of 1 nothing may change."""
    one = draw((40, 61, 5), DrawSettings((8, 8), 4, 3, (1.0, 2.0), True, 0.5, 0.5), 7, 11, 0, 3)
    assert (one.sequence, one.start, one.stride, one.scaled, one.flip, one.seed) == (
        0,
        18,
        2,
        (14, 14),
        False,
        1830547277235259163,
    )
