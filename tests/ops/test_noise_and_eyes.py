"""Noise by seed, points on paths, what critics see."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from videosynth import ops


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=5))
def test_a_videos_noise_depends_on_its_seed_alone(seeds):
    together = ops.normal(ops.generators(seeds, "z"), 3)
    alone = torch.cat([ops.normal(ops.generators([s], "z"), 3) for s in seeds])
    assert torch.equal(together, alone)


def test_latents_of_one_seed_are_not_each_others():
    a, b = (ops.normal(ops.generators([7], name), 50) for name in ("content", "start"))
    assert not torch.equal(a, b)
    assert (a - ops.normal(ops.generators([8], "content"), 50)).abs().max() > 0.1


def test_ranges():
    sources = ops.generators(range(200), "z")
    u = ops.uniform(sources, 20)
    assert u.min() >= -1
    assert u.max() <= 1
    assert abs(float(u.mean())) < 0.05
    assert set(ops.integers(sources, 3).tolist()) == {0, 1, 2}


def test_points_on_a_path():
    path = torch.tensor([[[0.0], [2.0], [6.0]]])
    at = ops.along(path, torch.tensor([0.0, 0.5, 1.0, 1.25, 2.0]))
    assert at[0, :, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 6.0]


def test_eyes_look_at_the_same_times():
    video = torch.arange(2 * 5).view(2, 5)
    times = torch.tensor([[4, 0], [1, 2]])
    assert ops.some_frames(video, times).tolist() == [4, 0, 6, 7]
    torch.manual_seed(0)
    times = ops.some_times(50, 6, 3)
    assert times.shape == (50, 3)
    assert all(len(set(row)) == 3 for row in times.tolist())
    assert set(times.flatten().tolist()) == set(range(6))
    assert ops.some_times(2, 4, 9).shape == (2, 4)


@given(st.integers(1, 200), st.floats(0.01, 20))
def test_points_on_a_path_and_steps_they_take(frames, speed):
    speed = round(speed, 2)
    steps = ops.steps_of(frames, speed)
    assert ops.points_on(steps, speed) >= frames
    assert steps == 1 or ops.points_on(steps - 1, speed) < frames
    assert ops.points_on(8, 0.14) == 51
