"""Metrics of videos from noise: content, judges, scores of probabilities, nearest neighbours."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videosynth.metrics import judge as judges
from videosynth.metrics.content import (
    centroids,
    content_distance,
    described_by,
    directions,
    moved,
    shape_colours,
    valid_shape,
    video_distance,
)
from videosynth.metrics.meanings import meaning
from videosynth.metrics.nearest import nearest, nearest_ratio, pixels, thumbnails
from videosynth.types import UserError


def square(path, colours=((200, 100, 50),), side=8, size=64):
    """A square whose top left corner goes through ``path`` (x, y), its colours going round; uint8 T H W 3."""
    video = np.zeros((len(path), size, size, 3), np.uint8)
    for t, (x, y) in enumerate(path):
        video[t, y : y + side, x : x + side] = colours[t % len(colours)]
    return video


RIGHT = [(4 + 2 * t, 20) for t in range(16)]


# Content --------------------------------------------------------------------------------------------------------------


def test_content_distance_by_hand():
    steady = square(RIGHT)
    assert video_distance(shape_colours(steady)) == 0
    # 16 frames in turn of two colours 30 apart: 8 * 8 of the 120 pairs differ.
    blinking = square(RIGHT, ((200, 100, 50), (230, 100, 50)))
    assert video_distance(shape_colours(blinking)) == pytest.approx(30 * 64 / 120)
    found = content_distance([steady, blinking])
    assert found.acd == found.acd_valid == pytest.approx(8)
    assert (found.valid, found.described, found.count) == (1, 1, 2)


def test_worthless_videos_do_not_pass_for_steady_ones():
    black, frozen = np.zeros((16, 64, 64, 3), np.uint8), square([RIGHT[0]] * 16)
    blinking = square(RIGHT, ((200, 100, 50), (230, 100, 50)))
    found = content_distance([black, frozen, blinking, blinking])
    assert found.acd_valid == pytest.approx(16)
    assert found.acd == pytest.approx(16 * 2 / 3)
    assert found.valid == 0.5
    assert found.described == 0.75
    nothing = content_distance([black])
    assert nothing.acd is None
    assert nothing.acd_valid is None
    assert content_distance([]).count == 0


def test_valid_shapes():
    assert valid_shape(square(RIGHT))
    assert not valid_shape(square(RIGHT)[:4])  # 6 pixels of a path
    assert valid_shape(square(RIGHT)[:6])  # 10 pixels
    assert not valid_shape(square(RIGHT, side=5))  # 25 pixels of area
    assert not valid_shape(square(RIGHT, side=16))  # 256
    two = square(RIGHT)
    two[7, 50:56, 50:56] = 255
    assert not valid_shape(two)
    touching = square(RIGHT)
    touching[7, 28:31, 26:29] = 255  # one part: the corners touch
    assert valid_shape(touching)
    dark = square(RIGHT)
    dark[3] = np.minimum(dark[3], 32)
    assert not valid_shape(dark)
    assert valid_shape(square([(t, 4) for t in range(16)], side=4, size=32))  # in proportion
    assert not valid_shape(square(RIGHT)[:1])


def test_where_it_went():
    video = square(RIGHT)
    np.testing.assert_allclose(centroids(video)[0], [7.5, 23.5])
    assert moved(video) == "right"
    assert directions([video, video[::-1], video.swapaxes(1, 2), video[::-1].swapaxes(1, 2)]) == [
        "right",
        "left",
        "down",
        "up",
    ]
    assert moved(video[:3]) == "none"
    assert moved(np.zeros_like(video)) == "none"
    assert np.isnan(centroids(np.zeros_like(video))).all()
    round_trip = np.concatenate([video, video[::-1]])
    assert moved(round_trip) == "none"
    with pytest.raises(ValueError, match="uint8 T H W 3"):
        centroids(video.astype(float))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(0, 2**31), st.floats(0.1, 10))
def test_distance_of_a_video_has_no_order_place_or_unit(count, seed, scale):
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(count, 3))
    value = video_distance(d)
    assert value > 0
    assert video_distance(rng.permutation(d)) == pytest.approx(value)
    assert video_distance(d * scale + rng.normal(size=3)) == pytest.approx(value * scale)
    pairs = [np.linalg.norm(d[i] - d[j]) for i in range(count) for j in range(i)]
    assert value == pytest.approx(np.mean(pairs))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(6, 12))
def test_mirrored_videos_go_the_other_way(x, y, side):
    path = [(x + t, y) for t in range(12)]
    video = square(path, side=side)
    assert moved(video) == "right"
    assert moved(video[:, :, ::-1]) == "left"
    assert moved(video[:, ::-1]) == "right"
    assert valid_shape(video) == valid_shape(video[:, :, ::-1])
    np.testing.assert_allclose(centroids(video[:, :, ::-1])[:, 0], 63 - centroids(video)[:, 0])


def test_other_descriptions():
    class Brightness:
        name, dims, feature_size, length = "brightness", 2, 1, 1

        def __call__(self, video):
            return video.mean(dim=(1, 2, 3))[:, None]

    video = np.stack([np.full((8, 8, 3), v, np.uint8) for v in (0, 255)])
    found = content_distance([video], described_by(Brightness()), valid=lambda v: True)
    assert found.acd_valid == pytest.approx(2)  # from -1 to 1
    clips = Brightness()
    clips.dims = 3
    with pytest.raises(ValueError, match="2-D"):
        described_by(clips)


# Judges ---------------------------------------------------------------------------------------------------------------


def movers(count, seed=0, size=24, length=8):
    """Squares of random colours that go right (0) or down (1), and the ids."""
    rng = np.random.default_rng(seed)
    videos, labels = [], []
    for i in range(count):
        a, b = rng.integers(0, 6), rng.integers(0, size - 6)
        path = [(a + t, b) if i % 2 == 0 else (b, a + t) for t in range(length)]
        videos.append(square(path, (tuple(rng.integers(80, 256, 3)),), side=5, size=size))
        labels.append(i % 2)
    return videos, labels


@pytest.fixture(scope="module")
def judge():
    return judges.train_judge(*movers(48), ("right", "down"), attribute="action", seed=3, steps=60)


def test_judge_knows_motion_and_is_repeatable(judge):
    videos, labels = movers(40, seed=9)
    assert judge.accuracy(videos, labels) >= 0.9
    p = judge.probabilities(videos)
    assert p.shape == (40, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(judge.probabilities(np.stack(videos[:3])), p[:3], atol=1e-5)  # nor does the batch matter
    assert np.isnan(judge.accuracy([], []))
    assert judge.probabilities([]).shape == (0, 2)
    before = torch.random.get_rng_state()
    a, b = (judges.train_judge(*movers(8), ("right", "down"), seed=5, steps=2) for _ in range(2))
    assert all(torch.equal(x, y) for x, y in zip(a.network.state_dict().values(), b.network.state_dict().values()))
    assert torch.equal(before, torch.random.get_rng_state())


def test_judge_on_disk(judge, tmp_path):
    path = tmp_path / "judge.safetensors"
    judge.save(path)
    again = judges.load_judge(path)
    assert again.education == judge.education
    videos, _ = movers(4)
    np.testing.assert_array_equal(again.probabilities(videos), judge.probabilities(videos))
    with pytest.raises(UserError, match="is missing"):
        judges.load_judge(tmp_path / "none")
    (tmp_path / "bad").write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="is no judge"):
        judges.load_judge(tmp_path / "bad")
    import safetensors.torch

    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(UserError, match="is no judge of this version"):
        judges.load_judge(tmp_path / "other")
    about = {"judge": '{"format": 1, "classes": ["a", "b"], "length": 8}'}
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "odd", about)
    with pytest.raises(UserError, match="is damaged"):
        judges.load_judge(tmp_path / "odd")


def test_judge_refuses(judge):
    videos, labels = movers(4)
    with pytest.raises(UserError, match="learnt from videos of 8 frames, these have 5"):
        judge.probabilities([v[:5] for v in videos])
    with pytest.raises(UserError, match="at least two classes"):
        judges.train_judge(videos, [0] * 4, ("right",))
    with pytest.raises(UserError, match="no real video of 'up'"):
        judges.train_judge(videos, labels, ("right", "down", "up"))
    with pytest.raises(ValueError, match="do not go with these labels"):
        judges.train_judge(videos, [0, 1, 2, 3], ("right", "down"))


def test_splits_keep_groups_together():
    groups = ["ann", "bob", "ann", "cleo", "bob"]
    learn, test = judges.split_by_group(groups, ["ann"])
    assert learn.tolist() == [1, 3, 4]
    assert test.tolist() == [0, 2]
    with pytest.raises(UserError, match="'dan': choose from ann, bob, cleo"):
        judges.split_by_group(groups, ["dan"])
    for held in ([], groups):
        with pytest.raises(UserError, match="both sides"):
            judges.split_by_group(groups, held)


def test_scores_of_probabilities():
    sure = np.eye(4)[[0, 1, 2, 3] * 3]
    assert judges.inception_score(sure) == pytest.approx(4, rel=1e-4)
    assert judges.inter_entropy(sure) == pytest.approx(np.log(4), abs=1e-5)
    assert judges.intra_entropy(sure) == pytest.approx(0, abs=1e-6)
    flat = np.full((5, 4), 0.25)
    assert judges.inception_score(flat) == pytest.approx(1)
    assert judges.inter_entropy(flat) == judges.intra_entropy(flat) == pytest.approx(np.log(4), abs=1e-5)
    one = np.eye(4)[[2] * 6]
    assert judges.inception_score(one) == pytest.approx(1)
    assert judges.inter_entropy(one) == pytest.approx(0, abs=1e-6)
    assert judges.control_score(sure[:4], [0, 1, 2, 0]) == 0.75


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(2, 6), st.integers(0, 2**31))
def test_inception_score_is_the_gap_of_the_entropies(count, classes, seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(classes), count)
    score = judges.inception_score(p)
    assert 1 - 1e-6 <= score <= classes + 1e-6
    assert np.log(score) == pytest.approx(judges.inter_entropy(p) - judges.intra_entropy(p), abs=1e-5)
    assert 0 <= judges.intra_entropy(p) <= judges.inter_entropy(p) + 1e-6


# Nearest --------------------------------------------------------------------------------------------------------------


def noise(count, seed, size=16):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 3, size, size, 3), dtype=np.uint8))


def test_nearest_finds_copies_over_blocks():
    pool = noise(150, 0)
    queries = [pool[140], pool[3], np.minimum(pool[70], 254) + 1]
    found = nearest(queries, ((None, v) for v in pool))
    assert found.indices.tolist() == [140, 3, 70]
    assert found.distances[:2].tolist() == [0, 0]
    assert found.distances[2] == pytest.approx(1 / 255, rel=0.02)  # the unit: root mean square on [0, 1]
    assert sorted(found.videos) == [3, 70, 140]
    assert (found.videos[70] == pool[70]).all()
    assert found[1:].indices.tolist() == [3, 70]


def test_nearest_leaves_out_the_own_group():
    pool = noise(4, 1)
    groups = ["a", "b", "b", "c"]
    found = nearest(pool, zip(groups, pool), groups=groups)
    assert all(groups[i] != groups[j] for i, j in enumerate(found.indices))
    assert (found.distances > 0).all()
    alone = nearest(pool[:1], [("a", pool[0])], groups=["a"])
    assert alone.indices.tolist() == [-1]
    assert np.isinf(alone.distances).all()
    assert nearest(pool[:1], [("a", pool[0])], groups=[None]).distances.tolist() == [0]
    with pytest.raises(ValueError, match="no videos"):
        nearest([], [])


def test_ratio_tells_copies_from_news():
    pool, fresh = noise(40, 2), noise(20, 3)
    pairs = [(None, v) for v in pool]
    real = nearest(fresh, pairs)
    assert nearest_ratio(nearest(pool[:20], pairs), real) == 0
    assert nearest_ratio(nearest(noise(20, 4), pairs), real) == pytest.approx(1, abs=0.1)
    assert np.isnan(nearest_ratio(real, nearest(fresh[:1], [])))
    assert np.isnan(nearest_ratio(real, nearest(pool[:3], pairs)))


def test_thumbnails_average():
    video = np.zeros((1, 64, 64, 3), np.uint8)
    video[0, :2, :2] = 255
    small = thumbnails([video], 16)
    assert small.shape == (1, 1, 3, 16, 16)
    assert small[0, 0, 0, 0, 0] == 0.25
    assert small.sum() == 0.75
    assert pixels([video]).norm() == pytest.approx(0.25 * 3**0.5 / (3 * 256) ** 0.5)


def test_meanings_of_sets():
    for name in (
        "acd",
        "acd_valid",
        "valid",
        "mcs[a]",
        "direction[a]",
        "inception[a]",
        "inter_entropy",
        "nearest_ratio[p]",
    ):
        assert meaning(name).text
    assert meaning("mcs").badness(0.9) < meaning("mcs").badness(0.3)
    assert not meaning("acd").tells
    assert meaning("acd_valid").tells
