"""Real clips: samples, halves, and the recordings that a judge is tested on."""

from __future__ import annotations

import numpy as np
import pytest

from videosynth.apps import real as reals
from videosynth.types import UserError


def test_halves_and_samples_keep_recordings_together():
    stream = [(f"v{i // 4}@{i % 4 * 8}", i, {"person": i // 8}) for i in range(40)]
    clips = reals.sample(stream, 100, seed=1)
    assert sorted(c.name for c in clips) == sorted(name for name, _, _ in stream)
    assert [c.name for c in clips] != [name for name, _, _ in stream]
    a, b = reals.halves(clips)
    assert len(a) == len(b) == 20
    assert not {c.group for c in a} & {c.group for c in b}
    assert [c for c in clips if c in a] == a  # still mixed
    assert len({c.recording for c in a[:5]}) > 1
    by_person = reals.sample(stream, 100, seed=1, group="person")
    assert {c.group for c in by_person} == set(range(5))
    few = reals.sample(stream, 7, seed=2)
    assert len(few) == 7
    assert len({c.name for c in few}) == 7
    assert reals.halves(clips[:1])[1] == []
    counts = np.zeros(10)
    for seed in range(400):
        for c in reals.sample(stream[:10], 3, seed):
            counts[stream.index(next(s for s in stream if s[0] == c.name))] += 1
    assert abs(counts / 400 - 0.3).max() < 0.1  # late clips have the same chance as early ones


@pytest.mark.parametrize(("values", "each"), [(2, 2), (4, 3), (10, 3), (10, 5), (3, 20)])
def test_a_part_of_every_value_is_held_out(values, each):
    """Also where a quarter of the recordings would be fewer than there are values."""
    clips = [
        reals.Real(f"{k}/{i}", np.zeros((1, 2, 2, 3), np.uint8), {"way": k}, (k, i))
        for k in range(values)
        for i in range(each)
    ]
    for seed in range(5):
        learn, test = reals._split("way", [str(k) for k in range(values)], clips, seed)
        assert {c.ids["way"] for c in learn} == {c.ids["way"] for c in test} == set(range(values))
        assert not {c.group for c in learn} & {c.group for c in test}
        assert len(test) == max(values, -(-len(clips) // 4))
    with pytest.raises(UserError, match="two recordings or more"):
        reals._split("way", ["0", "1"], clips[: each + 1], 0)


def test_recordings_of_several_values_are_held_out_whole():
    clips = [
        reals.Real("", np.zeros((1, 2, 2, 3), np.uint8), {"way": k}, person) for person in range(4) for k in range(3)
    ]
    learn, test = reals._split("way", ["0", "1", "2"], clips, 0)
    assert len(test) == 3
    assert len({c.group for c in test}) == 1
    assert len(learn) == 9
