"""Several spatial scales, temporal rates, regions and the foreground branch of vid2vid; pix2pixHD's enhancers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from videosynth import ops
from videosynth.engine.checkpoint import optimizers_of
from videosynth.models.base import load
from videosynth.models.phases import growth, held_then_falling
from videosynth.models.pix2pixhd.model import Pix2PixHD
from videosynth.models.vid2vid.model import Vid2Vid
from videosynth.models.vid2vid.networks import Scale, Vid2VidGenerator
from videosynth.models.vid2vid.options import CriticShape, GeneratorShape, Losses, Schedule
from videosynth.testing import frames_of, random_clip, request_for, train_steps
from videosynth.types import Clip, DataSpec, MapSpec, Request, UserError

STREET = DataSpec(maps=(MapSpec("labels", "classes", 35), MapSpec("instances", "instances", 1)), size=(256, 512))
NAMED = DataSpec(maps=(MapSpec("labels", "classes", 3, names=("road", "car", "sky")),), size=(32, 48), fps=8)


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def three_scales(**options) -> Vid2Vid:
    torch.manual_seed(0)
    return Vid2Vid(
        NAMED,
        GeneratorShape(**{"width": 8, "downsamples": 1, "blocks": 2, "scales": 3, "finer_blocks": 1, **options}),
        CriticShape(width=4, layers=1, scales=1),
        Losses(network="none", perceptual=0.0),
        Schedule(steps=12, clip_length=4, clip_double=0, grow=0.5, alone=0.5, start="self"),
    )


def test_the_papers_parameter_counts():
    with torch.device("meta"):
        shape = GeneratorShape(scales=3, foreground=("26",))
        scales = Vid2VidGenerator(36, shape, (26,)).scales
        assert [parameters(s) for s in scales] == [411_335_241, 2_880_489, 859_641]
        assert parameters(Scale(108, GeneratorShape(), 0)) == 365_391_366  # streets without the foreground branch
        assert parameters(Scale(45, GeneratorShape(), 0)) == 364_996_230  # faces
        assert parameters(Scale(45, GeneratorShape(width=64), 0)) == 91_370_310


def test_single_picture_networks_have_the_papers_size():
    """45,693,699 without the parameters of norms, which the public networks have none of."""
    from videosynth.models.pix2pixhd.networks import Pix2PixHDGenerator
    from videosynth.models.pix2pixhd.options import GeneratorShape as HD

    with torch.device("meta"):
        network = Pix2PixHDGenerator(35, HD(downsamples=3))
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)]
    assert sum(parameters(m) for m in convolutions) == 45_693_699


# phases


def test_growth():
    stages = [growth(step, 100, 3, 0.5, 0.2) for step in (0, 24, 25, 29, 30, 49, 50, 59, 60, 99)]
    assert [s.scales for s in stages] == [1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
    assert [s.alone for s in stages] == [False, False, True, True, False, False, True, True, False, False]
    assert [s.since for s in stages] == [0, 0, 25, 25, 25, 25, 50, 50, 50, 50]
    assert growth(7, 100, 1, 0.5, 0.2) == (1, False, 0)
    assert [held_then_falling(s, 100, 0.5) for s in (0, 49, 75, 100)] == [1, 1, 0.5, 0]


@pytest.mark.parametrize("kind", ["vid2vid", "looks", "pix2pixhd"])
def test_in_every_phase_what_trains_moves_and_nothing_else(kind):
    model = Pix2PixHD.tiny() if kind == "pix2pixhd" else three_scales(style=3 if kind == "looks" else 0)
    everything = dict(model.named_parameters())
    seen = set()
    for step in range(model.total_steps):
        phase = model.phase_at(step)
        if (phase.scales, phase.rests) in seen:
            continue
        seen.add((phase.scales, phase.rests))
        model.steps = step
        before = {n: p.detach().clone() for n, p in everything.items()}
        size = phase.size or model.spec.size
        clip = random_clip(replace(model.spec, size=size), 1, max(phase.clip_length, 3))
        watch = train_steps(model, clip, 1)
        assert watch.touched >= {n for n in everything if not n.startswith(phase.rests)}
        for name, p in everything.items():
            assert torch.equal(p, before[name]) == name.startswith(phase.rests), (phase, name)
    assert len(seen) == (3 if kind == "pix2pixhd" else 5)


@pytest.mark.parametrize("kind", ["vid2vid", "pix2pixhd"])
def test_the_learning_rate_falls_for_every_optimizer(kind):
    model = three_scales() if kind == "vid2vid" else Pix2PixHD.tiny()
    last = model.total_steps - 1
    assert 0 < model.phase_at(last).lr < 0.25
    model.steps = last
    clip = random_clip(model.spec, 1, 4)
    train_steps(model, clip, 1)
    optimizers = optimizers_of(model)
    assert len(optimizers) == len(model.groups)
    for optimizer, group in zip(optimizers, model.groups.values(), strict=True):
        assert [g["lr"] for g in optimizer.param_groups] == [pytest.approx(group.lr * model.phase_at(last).lr)]


def test_the_rates_of_the_phases():
    model = three_scales()
    rates = [model.phase_at(s).lr for s in range(12)]
    assert rates[0] == 1.0
    assert rates[3] == 0.5
    assert rates[11] < rates[6] == 0.25


def test_a_run_that_was_stopped_early_paints_at_the_size_it_was_trained_at():
    for model in (three_scales(), Pix2PixHD.tiny()):
        clip = random_clip(model.spec, 1, 4)
        full = frames_of(model, request_for(model, clip))
        model.generator.active.use(1)
        sizes = []
        cell = model.cell
        model.cell = lambda maps, *state, cell=cell, sizes=sizes: (
            sizes.append(tuple(maps["labels"].shape[-2:])), cell(maps, *state)
        )[1]  # fmt: skip
        assert frames_of(model, request_for(model, clip)).shape == full.shape
        reduction = model.generator.active.reduction
        assert reduction > 1
        assert set(sizes) == {(model.spec.size[0] // reduction, model.spec.size[1] // reduction)}


def test_a_picture_that_begins_a_run_that_was_stopped_early_is_made_smaller():
    model = three_scales()
    model.generator.active.use(2)
    clip = random_clip(model.spec, 1, 4)
    steps = iter([{"labels": clip.maps["labels"][:, 0]}])
    begun = next(iter(model.generate(Request(seeds=(0,), maps=steps, context=clip[:2]))))
    assert begun.image.shape[-2:] == begun.extras["flow"].shape[-2:] == (32, 48)
    bright = Clip(frames=torch.full((1, 1, 3, 32, 48), 200, dtype=torch.uint8))
    seen = []
    cell = model.cell
    model.cell = lambda maps, state: (seen.append(state.frames[-1]), cell(maps, state))[1]
    next(iter(model.generate(Request(maps=iter([{"labels": clip.maps["labels"][:1, 0]}]), context=bright))))
    assert seen[0].shape[-2:] == (16, 24)
    assert torch.allclose(seen[0], ops.to_float(bright.frames)[..., :16, :24].expand_as(seen[0]))


# scales


def test_a_finer_scale_looks_at_the_coarser_ones_features_and_keeps_its_own_history():
    model = three_scales()
    for p in model.generator.parameters():
        p.data += 0.1 * torch.randn_like(p)
    clip = random_clip(model.spec, 1, 4)
    whole = frames_of(model, request_for(model, clip))
    assert whole.shape == (1, 4, 3, 32, 48)
    state = model.start(1, {"labels": clip.maps["labels"][:, 0]})
    assert [tuple(f.shape[-2:]) for f in state.frames] == [(8, 12), (16, 24), (32, 48)]
    with torch.no_grad():
        for t in range(4):
            frame, state = model.cell({"labels": clip.maps["labels"][:, t]}, state)
            assert torch.equal(frame.image, whole[:, t])
    assert not torch.allclose(state.frames[0][:, -1], ops.pyramid(state.frames[2][:, -1], 3)[-1], atol=1e-3)
    model.generator.scales[0].image_branch[0].body[1].weight.data.add_(0.1)
    assert not torch.allclose(frames_of(model, request_for(model, clip)), whole, atol=1e-4)


def test_given_frames_are_the_history_of_every_scale():
    model = three_scales()
    clip = random_clip(model.spec, 1, 2)
    state = model.start(1, {"labels": clip.maps["labels"][:, 0]}, clip)
    real = ops.to_float(clip.frames)
    assert torch.equal(state.frames[2], real)
    coarse = torch.stack([ops.pyramid(real[:, t], 3)[2] for t in range(2)], dim=1)
    assert torch.allclose(state.frames[0], coarse, atol=1e-6)


def test_any_size_at_several_scales():
    model = three_scales()
    clip = random_clip(replace(NAMED, size=(19, 37)), 1, 3)
    assert frames_of(model, request_for(model, clip)).shape == (1, 3, 3, 19, 37)


def test_a_run_that_stopped_early_paints_with_what_it_has(tmp_path):
    model = three_scales()
    train_steps(model, random_clip(replace(NAMED, size=(8, 12)), 1, 4), 2)
    assert model.generator.active.count == 1
    model.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.generator.active.count == 1
    clip = random_clip(NAMED, 1, 3)
    assert torch.equal(frames_of(loaded, request_for(loaded, clip)), frames_of(model, request_for(model, clip)))


def test_flow_is_in_pixels_of_its_scale():
    with torch.device("meta"):
        scales = Vid2VidGenerator(3, GeneratorShape(width=8, scales=3, flow_scale=5.0)).scales
    assert [s.flow_scale for s in scales] == [5, 10, 20]


# foreground


def test_the_foreground_branch_paints_its_classes():
    clip = random_clip(NAMED, 1, 3)
    cars = (clip.maps["labels"] == 1)[:, :, None]
    for rule in ("replace", "blend"):
        torch.manual_seed(0)
        shape = GeneratorShape(width=8, downsamples=1, blocks=2, foreground=("car",), foreground_rule=rule)
        model = Vid2Vid(
            NAMED, shape, CriticShape(4, 1, 1), Losses(network="none", perceptual=0.0), Schedule(clip_length=3)
        )
        frames = list(model.generate(request_for(model, clip)))
        for t, frame in enumerate(frames):
            there = cars[:, t].expand_as(frame.image)
            front = frame.extras["foreground"]
            assert torch.equal(frame.extras["raw"][there], front[there])
            if rule == "replace":
                assert torch.equal(frame.image[there], front[there])
            elif t:
                mask, warped = frame.extras["mask"], frame.extras["warped"]
                expected = mask * frame.extras["raw"] + (1 - mask) * warped
                assert torch.allclose(frame.image, expected, atol=1e-6)
        watch = train_steps(model, clip, 1)
        assert {n for n in watch.touched if "foreground" in n}


def test_unknown_foreground_classes():
    with pytest.raises(UserError, match=r"generator.foreground: there is no class 'tram'; the data has road, car, sky"):
        Vid2Vid(NAMED, GeneratorShape(foreground=("tram",)))
    with pytest.raises(UserError, match="the ids 0 to 34"):
        Vid2Vid(STREET, GeneratorShape(foreground=("35",)))
    with pytest.raises(UserError, match="no label maps"):
        Vid2Vid(DataSpec(maps=(MapSpec("depth", "dense", 1),)), GeneratorShape(foreground=("1",)))


# temporal rates


def test_strided_flow_is_the_way_back_over_several_frames():
    flow = torch.full((1, 6, 2, 8, 8), 1.5)
    assert torch.allclose(ops.strided_flow(flow, 3)[:, 3:], torch.full((1, 3, 2, 8, 8), 4.5))
    assert torch.equal(ops.strided_flow(flow, 1), flow)
    varied = torch.randn(1, 4, 2, 8, 8)
    by_hand = ops.compose_flow(varied[:, 3], varied[:, 2])
    assert torch.allclose(ops.strided_flow(varied, 2)[:, 3], by_hand, atol=1e-6)


@pytest.mark.parametrize("bptt", [1, 4])
@pytest.mark.parametrize("sparse", [False, True])
def test_slower_critics_see_runs_further_apart(bptt, sparse, monkeypatch):
    """Whatever the chunks: K = 3 frames, 3 apart, each run once (sparse: every third end)."""
    torch.manual_seed(0)
    model = Vid2Vid(
        NAMED,
        GeneratorShape(width=4, downsamples=1, blocks=2, flow_scale=1.0),
        CriticShape(4, 1, 1, frames=3, rates=2, sparse=sparse),
        Losses(network="none", perceptual=0.0),
        Schedule(steps=1, clip_length=10, bptt=bptt, start="self"),
    )
    clip = random_clip(NAMED, 1, 10)
    number = torch.arange(10)
    clip.frames = (number * 10).to(torch.uint8).view(1, 10, 1, 1, 1).expand_as(clip.frames).contiguous()
    clip.flow = torch.ones(1, 10, 2, 32, 48)
    seen: dict[int, list[list[int]]] = {0: [], 1: []}
    motion = model._motion

    def watched(frames, so_far, rate):
        out = motion(frames, so_far, rate)
        if out is not None and frames.std((2, 3, 4)).max() < 1e-6:
            assert torch.allclose(out[:, 9:], torch.full_like(out[:, 9:], 3.0**rate), atol=1e-5), "flows between them"
            seen[rate] += [((w[:9:3, 0, 0] + 1) * 12.75).round().int().tolist() for w in out]
        return out

    monkeypatch.setattr(model, "_motion", watched)
    watch = train_steps(model, clip, 1)
    assert sorted(seen[0]) == [[t, t + 1, t + 2] for t in range(8)]
    assert sorted(seen[1]) == ([[2, 5, 8]] if sparse else [[t, t + 3, t + 6] for t in range(4)])
    assert {n for n in watch.touched if n.startswith("temporal_critics.1")}


def test_a_rate_that_no_clip_reaches_is_refused():
    with pytest.raises(UserError, match="7 from first to last, but clips never grow beyond 6"):
        Vid2Vid(NAMED, critic=CriticShape(rates=2), schedule=Schedule(clip_length=6, clip_double=0))


# regions


def test_boxes_and_crops():
    there = torch.zeros(3, 20, 30, dtype=torch.bool)
    there[0, 4:8, 10:18] = True
    there[1, 19, 29] = True
    boxes, found = ops.boxes_around(there, margin=0.0)
    assert found.tolist() == [True, True, False]
    assert boxes[0].tolist() == [9.5, 1.5, 17.5, 9.5]
    assert boxes[2].tolist() == [0, 0, 29, 19]
    picture = torch.arange(20 * 30).float().view(1, 1, 20, 30)
    same = ops.crop(picture, torch.tensor([[3.0, 2.0, 10.0, 9.0]]), 8)
    assert torch.allclose(same, picture[..., 2:10, 3:11], atol=1e-3)


def test_a_critic_of_regions_learns_where_there_are_any():
    torch.manual_seed(0)
    model = Vid2Vid(
        NAMED,
        GeneratorShape(width=4, downsamples=1, blocks=2),
        CriticShape(4, 1, 1, regions=("car",), region_size=16),
        Losses(network="none", perceptual=0.0),
        Schedule(clip_length=4, bptt=2, start="self"),
    )
    clip = random_clip(NAMED, 1, 4)
    watch = train_steps(model, clip, 1)
    assert {"g/region", "g/region_feature", "r/adv"} <= watch.losses[0].keys()
    assert {n for n in watch.touched if n.startswith("region_critic")}
    empty = Clip(clip.frames, {"labels": torch.zeros_like(clip.maps["labels"])}, clip.flow, clip.confidence)
    losses = train_steps(model, empty, 1).losses[0]
    assert losses["g/region"] == losses["r/adv"] == 0  # counted as nothing, so that all processes step alike
    assert losses["g/adv"] > 0


# the spade generator


def test_spade_without_past_frames():
    torch.manual_seed(0)
    shape = GeneratorShape(kind="spade", width=4, widest=8, downsamples=1, levels=3, blocks=1, past=0, flow=False)
    model = Vid2Vid(
        NAMED,
        shape,
        CriticShape(4, 1, 1),
        Losses(network="none", perceptual=0.0),
        Schedule(clip_length=4, start="self"),
    )
    clip = random_clip(NAMED, 1, 4)
    assert train_steps(model, clip, 1).losses[0]["g/adv"] > 0
    assert frames_of(model, request_for(model, clip)).shape == (1, 4, 3, 32, 48)
    with pytest.raises(UserError, match="cannot take a first frame"):
        model.generate(Request(seeds=(0,), maps=iter([]), context=clip[:1]))


def spade(**options) -> Vid2Vid:
    torch.manual_seed(0)
    shape = {"kind": "spade", "width": 4, "downsamples": 2, "blocks": 1, "levels": 3, "widest": 16, "warped_levels": 2}
    return Vid2Vid(
        NAMED,
        GeneratorShape(**{**shape, **options}),
        CriticShape(4, 1, 1),
        Losses(network="none", perceptual=0.0),
        Schedule(steps=100, clip_length=4, clip_double=0, start="both", lr=2e-3),
    )


@pytest.mark.parametrize("options", [{}, {"combine": "blend"}, {"flow": False}, {"checkpointing": True}])
def test_the_spade_generator_learns_and_streams(options, tmp_path):
    model = spade(**options)
    clip = random_clip(replace(NAMED, size=(21, 30)), 1, 4)
    before = frames_of(model.eval(), request_for(model, clip))
    assert before.shape == (1, 4, 3, 21, 30)
    watch = train_steps(model, clip, 25)
    assert watch.touched >= {n for n, _ in model.named_parameters() if n.startswith("generator")}
    model.eval()
    real = ops.to_float(clip.frames)
    after = frames_of(model, request_for(model, clip))
    assert (after - real).abs().mean() < (before - real).abs().mean()
    assert torch.equal(after, frames_of(model, request_for(model, clip)))
    model.save(tmp_path)
    assert torch.allclose(frames_of(load(tmp_path), request_for(model, clip)), after, atol=1e-6)


def test_spade_items_with_and_without_history_share_a_batch():
    model = spade().eval()
    clip = random_clip(NAMED, 2, 3)
    maps = {"labels": clip.maps["labels"][:, 2]}
    state = model.start(2, maps, clip[:2])
    with torch.no_grad():
        mixed, _ = model.cell(maps, state._replace(known=torch.tensor([True, False])))
        known, _ = model.cell(maps, state)
        fresh, _ = model.cell(maps, model.start(2, maps))
    assert torch.allclose(mixed.image[0], known.image[0], atol=1e-5)
    assert torch.allclose(mixed.image[1], fresh.image[1], atol=1e-5)
    assert not torch.allclose(known.image[1], fresh.image[1], atol=1e-3)


def test_spade_shapes_that_cannot_be():
    with pytest.raises(UserError, match="one scale, no foreground branch and no looks"):
        GeneratorShape(kind="spade", scales=2)
    with pytest.raises(UserError, match="levels must be at least"):
        GeneratorShape(kind="spade", levels=2)
