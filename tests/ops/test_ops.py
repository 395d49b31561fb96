"""Tensor functions against their definitions."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videosynth import ops
from videosynth.types import DataSpec, MapSpec

quick = settings(max_examples=25, deadline=None)
shifts = st.integers(-3, 3)
sizes = st.integers(1, 12)


def picture(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def uniform(x: float, y: float, height: int, width: int) -> torch.Tensor:
    return torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()


# warp


@quick
@given(shifts, shifts, st.integers(0, 99))
def test_an_integer_shift_is_a_roll_inside(x, y, seed):
    image = picture(seed, 1, 3, 9, 13)
    moved = ops.warp(image, uniform(x, y, 9, 13))
    rolled = torch.roll(image, (-y, -x), dims=(2, 3))
    inside = (..., slice(3, -3), slice(3, -3))
    assert torch.allclose(moved[inside], rolled[inside], atol=1e-5)


def test_flow_is_x_then_y_and_backward():
    """The pixel at (row 2, column 4) of the previous frame appears where the flow leads back to it."""
    previous = torch.zeros(1, 1, 6, 8)
    previous[0, 0, 2, 4] = 1
    now = ops.warp(previous, uniform(3, 1, 6, 8))  # looks 3 to the right and 1 down
    assert now.nonzero().tolist() == [[0, 0, 1, 1]]
    assert now[0, 0, 1, 1] == pytest.approx(1, abs=1e-5)


@quick
@given(st.integers(-40, 40), st.integers(-40, 40))
def test_the_border_is_repeated(x, y):
    image = picture(0, 1, 2, 5, 7)
    rows = (torch.arange(5) + y).clamp(0, 4)
    columns = (torch.arange(7) + x).clamp(0, 6)
    wanted = image[:, :, rows][..., columns]
    assert torch.allclose(ops.warp(image, uniform(x, y, 5, 7)), wanted, atol=1e-4)


def test_half_a_pixel_is_the_mean_of_two():
    image = picture(1, 1, 3, 4, 6)
    half = ops.warp(image, uniform(0.5, 0, 4, 6))
    assert torch.allclose(half[..., :-1], (image[..., :-1] + image[..., 1:]) / 2, atol=1e-5)


@pytest.mark.parametrize("width", [1024, 2048])
def test_wide_frames_are_exact_under_bf16_autocast(width):
    """In bf16 neighbouring columns beyond 256 have the same coordinate."""
    image = picture(2, 1, 3, 2, width)
    flow = uniform(1, 0, 2, width)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        moved = ops.warp(image, flow)
        low = ops.warp(image.bfloat16(), flow.bfloat16())
    assert moved.dtype == torch.float32
    assert torch.allclose(moved[..., :-1], image[..., 1:], atol=2e-3)
    assert low.dtype == torch.bfloat16
    assert torch.allclose(low[..., :-1].float(), image[..., 1:], atol=2e-2)


@quick
@given(st.integers(0, 99))
def test_a_flip_negates_x(seed):
    image, flow = picture(seed, 2, 3, 6, 9), picture(seed + 100, 2, 2, 6, 9) * 3
    mirrored = flow.flip(-1) * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1)
    assert torch.allclose(ops.warp(image.flip(-1), mirrored), ops.warp(image, flow).flip(-1), atol=1e-4)


def test_gradients_reach_picture_and_flow():
    image, flow = picture(0, 1, 1, 5, 5).requires_grad_(), (picture(1, 1, 2, 5, 5)).requires_grad_()
    ops.warp(image, flow).square().sum().backward()
    assert image.grad is not None
    assert flow.grad is not None
    assert flow.grad.abs().sum() > 0


@quick
@given(shifts, shifts, shifts, shifts)
def test_translations_compose_by_addition(a, b, c, d):
    both = ops.compose_flow(uniform(a, b, 5, 6), uniform(c, d, 5, 6))
    assert torch.allclose(both, uniform(a + c, b + d, 5, 6), atol=1e-5)


def test_composition_reads_the_earlier_flow_where_the_later_one_leads():
    earlier = torch.zeros(1, 2, 1, 6)
    earlier[0, 0] = torch.arange(6.0)
    both = ops.compose_flow(uniform(2, 0, 1, 6), earlier)
    assert torch.allclose(both[0, 0, 0, :4], torch.tensor([4.0, 5.0, 6.0, 7.0]), atol=1e-4)


def test_the_grid_is_x_then_y():
    grid = ops.pixel_grid(2, 3, torch.device("cpu"))
    assert grid[0, 0].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert grid[0, 1].tolist() == [[0, 0, 0], [1, 1, 1]]


# maps


def test_one_hot():
    ids = torch.tensor([[[0, 1, 2, 255, -1, 3]]])
    wanted = [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]]
    for kind in (torch.int64, torch.int32, torch.int16):
        assert ops.one_hot(ids.to(kind), 3)[0, :, 0].tolist() == wanted
    assert ops.one_hot(ids[..., :4].to(torch.uint8), 3)[0, :, 0].tolist() == [row[:4] for row in wanted]


@quick
@given(st.integers(1, 40), sizes, sizes, st.integers(0, 99))
def test_one_hot_is_a_partition(channels, height, width, seed):
    ids = torch.randint(-2, channels + 3, (2, height, width), generator=torch.Generator().manual_seed(seed))
    hot = ops.one_hot(ids, channels)
    known = (ids >= 0) & (ids < channels)
    assert torch.equal(hot.sum(1), known.float())
    assert torch.equal(hot.argmax(1)[known], ids[known])


def test_instance_edges():
    ids = torch.tensor([[[7, 7, 7, 7], [7, 7, 9, 9], [7, 7, 9, 9], [7, 7, 9, 9]]])
    wanted = [[0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 0], [0, 1, 1, 0]]
    assert ops.instance_edges(ids)[0, 0].tolist() == wanted
    assert ops.instance_edges(ids + 70_000).tolist() == ops.instance_edges(ids).tolist()
    assert ops.instance_edges(torch.full((2, 3, 3), 5)).sum() == 0


def test_maps_are_encoded_in_the_order_of_the_spec():
    spec = DataSpec(
        maps=(
            MapSpec("depth", "dense", 1, range=(10.0, 20.0)),
            MapSpec("labels", "classes", 3, void=1),
            MapSpec("instances", "instances", 1),
        )
    )
    maps = {
        "labels": torch.tensor([[[0, 1, 2, 255]]], dtype=torch.uint8),
        "instances": torch.tensor([[[4, 4, 4, 5]]]),
        "depth": torch.tensor([[[[10, 15, 20, 10]]]], dtype=torch.uint8),
    }
    encoded = ops.encode_maps(maps, spec)
    assert encoded.shape == (1, spec.channels, 1, 4)
    assert encoded[0, :, 0].tolist() == [[0, 0.5, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]


# pyramids and padding


@quick
@given(sizes, sizes, st.integers(1, 8), st.booleans())
def test_padding_repeats_the_edge(height, width, multiple, whole):
    x = torch.arange(2 * height * width).view(1, 2, height, width)
    x = x if whole else x.float() / 7
    padded = ops.pad_to_multiple(x, multiple)
    assert padded.dtype == x.dtype
    tall, wide = (-(-n // multiple) * multiple for n in (height, width))
    rows, columns = torch.arange(tall).clamp(max=height - 1), torch.arange(wide).clamp(max=width - 1)
    assert torch.equal(padded, x[:, :, rows][..., columns])


def test_padding_keeps_large_ids():
    ids = torch.tensor([[[[2**24 + 1, 33_000_001]]]])
    assert ops.pad_to_multiple(ids, 4)[0, 0, 0].tolist() == [2**24 + 1, 33_000_001, 33_000_001, 33_000_001]


def test_pyramid_by_hand():
    """Each output is the mean over the 3x3 window around every second pixel, of the pixels that exist."""
    x = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]).view(1, 1, 4, 4)
    first, second, third = ops.pyramid(x, 3)
    assert torch.equal(first, x)
    assert torch.allclose(second, torch.tensor([[[[3.5, 5.0], [9.5, 11.0]]]]))
    assert torch.allclose(third, torch.tensor([[[[7.25]]]]))
    assert torch.allclose(ops.halve(torch.ones(1, 1, 5, 7)), torch.ones(1, 1, 3, 4))


# time


@quick
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
def test_windows(length, size, stride):
    x = torch.arange(2 * length).view(2, length, 1)
    found = ops.windows(x, size, stride)
    count = max(0, length - (size - 1) * stride)
    assert found.shape == (2 * count, size, 1)
    wanted = [[b * length + t + k * stride for k in range(size)] for b in range(2) for t in range(count)]
    assert found.squeeze(-1).tolist() == wanted


def test_fold():
    x = torch.arange(12).view(2, 3, 2)
    assert torch.equal(ops.fold(x), x.view(6, 2))


class Memory(NamedTuple):
    seen: torch.Tensor
    maps: dict[str, torch.Tensor]
    more: list[torch.Tensor]
    count: int
    nothing: None


def test_detach_cuts_every_gradient():
    x = torch.ones(2, requires_grad=True) * 2
    state = Memory(x, {"a": x}, [x, x], 3, None)
    cut = ops.detach(state)
    assert type(cut) is Memory
    tensors = [cut.seen, cut.maps["a"], *cut.more, *ops.detach((x, x))]
    assert not any(t.requires_grad for t in tensors)
    assert all(torch.equal(t, x) for t in tensors)
    assert (cut.count, cut.nothing) == (3, None)
    assert state.seen.requires_grad


# images


def test_every_byte_survives():
    x = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(ops.to_uint8(ops.to_float(x)), x)
    assert ops.to_float(x).min() == -1
    assert ops.to_float(x).max() == 1


def test_beyond_the_range_is_clamped():
    assert ops.to_uint8(torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])).tolist() == [0, 0, 128, 255, 255]
