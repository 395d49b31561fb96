"""vid2vid: the composition, the start, the history, the critics' windows, the terms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from videosynth import ops
from videosynth.models.base import Terms
from videosynth.models.vid2vid.memory import Rollout
from videosynth.models.vid2vid.model import Vid2Vid
from videosynth.models.vid2vid.networks import Vid2VidGenerator
from videosynth.models.vid2vid.options import CriticShape, GeneratorShape, Losses, Schedule
from videosynth.testing import frames_of, random_clip, request_for, train_steps
from videosynth.types import Clip, DataSpec, MapSpec, Request, UserError

LOSSES = Losses(network="none", perceptual=0.0)
TERMS = ("adv", "adv_t", "feature", "feature_t", "flow", "warp", "coherence", "mask")


def tiny(
    losses: Losses = LOSSES, shape: dict[str, Any] | None = None, size: tuple[int, int] = (16, 24), **schedule: Any
) -> Vid2Vid:
    """Starts by itself; everything is small; the same weights every time."""
    torch.manual_seed(1)
    model = Vid2Vid(
        replace(Vid2Vid.tiny().spec, size=size),
        GeneratorShape(**{"width": 4, "downsamples": 2, "blocks": 2, "flow_scale": 5.0, **(shape or {})}),
        CriticShape(width=4, layers=2, scales=1),
        losses,
        Schedule(**{"steps": 100, "clip_length": 4, "clip_double": 0, "bptt": 2, "start": "self", **schedule}),
    )
    for p in model.generator.parameters():  # far from the small weights of the beginning, so that every part is heard
        p.data += 0.1 * torch.randn_like(p)
    return model


def maps_at(clip: Clip, t: int) -> dict[str, Tensor]:
    return {k: v[:, t] for k, v in clip.maps.items()}


# the cell


def test_a_frame_is_the_composition():
    """m * hallucinated + (1 - m) * warp(previous, flow), from the networks' own outputs."""
    model = tiny()
    clip = random_clip(model.spec, 2, 5)
    state = model.start(2, maps_at(clip, 2), clip[:2])
    with torch.no_grad():
        for t in range(2, 5):
            previous = state.frames[-1][:, -1]
            frame, state = model.cell(maps_at(clip, t), state)
            mask, raw, flow = (frame.extras[k] for k in ("mask", "raw", "flow"))
            warped = ops.warp(previous, flow)
            assert torch.allclose(frame.image, mask * raw + (1 - mask) * warped, atol=1e-6)
            assert torch.allclose(frame.extras["warped"], warped, atol=1e-6)
            assert (mask > 0).all()
            assert (mask < 1).all()
            assert flow.abs().max() > 0.1
            assert torch.equal(state.frames[-1][:, -1], frame.image), "the next frame looks at this one"


def test_the_mask_weighs_the_hallucinated_image():
    model = tiny()
    clip = random_clip(model.spec, 1, 3)
    state = model.start(1, maps_at(clip, 2), clip[:2])
    for bias, part in ((30.0, "raw"), (-30.0, "warped")):
        model.generator.scales[-1].mask_head[1].bias.data.fill_(bias)
        with torch.no_grad():
            frame, _ = model.cell(maps_at(clip, 2), state)
        assert torch.allclose(frame.image, frame.extras[part], atol=1e-5), part


def test_bounds_of_the_mask():
    model = tiny(shape={"refresh": 0.2, "persist": 0.3})
    clip = random_clip(model.spec, 1, 3)
    state = model.start(1, maps_at(clip, 2), clip[:2])
    for bias, share in ((60.0, 0.7), (-60.0, 0.2)):
        model.generator.scales[-1].mask_head[1].bias.data.fill_(bias)
        with torch.no_grad():
            frame, _ = model.cell(maps_at(clip, 2), state)
        assert torch.allclose(frame.extras["mask"], torch.tensor(share), atol=1e-5)
        alone, _ = model.cell(maps_at(clip, 2), model.start(1, maps_at(clip, 2)))
        assert (alone.extras["mask"] == 1).all(), "without history there is nothing to keep"
    with pytest.raises(UserError, match="together less than 1"):
        GeneratorShape(refresh=0.5, persist=0.5)


def test_the_first_frame_is_hallucinated():
    model = tiny()
    clip = random_clip(model.spec, 2, 3)
    first, second, _ = model.generate(request_for(model, clip))
    assert torch.equal(first.image, first.extras["raw"])
    assert (first.extras["mask"] == 1).all()
    assert first.extras["first"].all()
    assert (second.extras["mask"] < 1).all()
    assert not second.extras["first"].any()
    for p in model.generator.scales[-1].history_trunk.parameters():
        p.data += torch.randn_like(p)
    other_first, other_second, _ = model.generate(request_for(model, clip))
    assert torch.equal(first.image, other_first.image), "the first frame listens to an empty history"
    assert not torch.allclose(second.image, other_second.image, atol=1e-3)


def test_items_with_and_without_history_share_a_batch():
    model = tiny()
    clip = random_clip(model.spec, 2, 3)
    state = model.start(2, maps_at(clip, 2), clip[:2])
    mixed = state._replace(known=torch.tensor([True, False]), told=torch.tensor([True, False]))
    with torch.no_grad():
        whole, after = model.cell(maps_at(clip, 2), mixed)
        known, _ = model.cell(maps_at(clip, 2), state)
        fresh, _ = model.cell(maps_at(clip, 2), model.start(2, maps_at(clip, 2)))
    assert torch.allclose(whole.image[0], known.image[0], atol=1e-5)
    # The second item's maps of the past differ (they were given); its frame is hallucinated all the same.
    assert torch.equal(whole.image[1], whole.extras["raw"][1])
    assert torch.equal(fresh.image, fresh.extras["raw"])
    assert torch.equal(after.frames[-1][1, 0], after.frames[-1][1, 1]), "the first frame stands in for those before it"
    assert not torch.equal(after.frames[-1][0, 0], after.frames[-1][0, 1])


def repeated(x: Tensor, height: int, width: int) -> Tensor:
    rows, columns = torch.arange(height).clamp(max=x.shape[-2] - 1), torch.arange(width).clamp(max=x.shape[-1] - 1)
    return x[..., rows, :][..., columns]


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (8, 40)])
def test_frames_smaller_than_the_deepest_maps_allow(size):
    model = tiny(size=size, shape={"downsamples": 3})
    assert frames_of(model, request_for(model, random_clip(model.spec, 1, 3))).shape == (1, 3, 3, *size)


@pytest.mark.parametrize("size", [(17, 23), (16, 25), (19, 24), (20, 24)])
def test_any_size_is_padded_and_cropped_back(size):
    """The network is fully convolutional: padded inputs give the same frame, cropped."""
    model = tiny(size=size)
    clip = random_clip(model.spec, 2, 3)
    state = model.start(2, maps_at(clip, 2), clip[:2])
    height, width = (-(-n // 4) * 4 for n in size)
    steps = [maps_at(clip, 0), maps_at(clip, 1), maps_at(clip, 2)]
    maps = torch.cat([ops.encode_maps(m, model.spec) for m in steps], dim=1)
    history = ops.to_float(clip.frames[:, :2]).flatten(1, 2)
    with torch.no_grad():
        frame, _ = model.cell(maps_at(clip, 2), state)
        (whole,) = model.generator(repeated(maps, height, width), (repeated(history, height, width),), state.known)
    assert frame.image.shape == (2, 3, *size)
    assert torch.allclose(frame.image, whole.image[..., : size[0], : size[1]], atol=1e-5)
    assert frame.extras["flow"].shape == (2, 2, *size)
    assert frames_of(model, request_for(model, clip)).shape == (2, 3, 3, *size)


def test_a_given_first_frame_is_the_history():
    model = tiny()
    clip = random_clip(model.spec, 1, 4)
    maps = maps_at(clip, 3)
    state = model.start(1, maps, clip[:3])
    assert torch.equal(state.frames[-1], ops.to_float(clip.frames[:, 1:3])), "its last frames"
    assert torch.equal(state.maps["labels"], clip.maps["labels"][:, 1:3])
    one = model.start(1, maps, Clip(frames=clip.frames[:, :1]))
    assert torch.equal(one.frames[-1], ops.to_float(clip.frames[:, [0, 0]])), "a single one is repeated"
    assert torch.equal(one.maps["labels"][:, 0], maps["labels"])
    assert one.known.all()
    request = replace(request_for(model, clip), context=Clip(frames=clip.frames[:, :1]))
    begun = frames_of(model, request)
    assert not torch.allclose(begun, frames_of(model, request_for(model, clip)), atol=1e-3)
    with torch.no_grad():
        expected, _ = model.cell(maps_at(clip, 0), model.start(1, maps_at(clip, 0), Clip(frames=clip.frames[:, :1])))
    assert torch.equal(begun[:, 0], expected.image)


@pytest.mark.parametrize("past", [1, 2, 4])
def test_any_number_of_past_frames(past):
    model = tiny(shape={"past": past})
    clip = random_clip(model.spec, 1, 6)
    state = model.start(1, maps_at(clip, 0))
    images = []
    with torch.no_grad():
        for t in range(6):
            frame, state = model.cell(maps_at(clip, t), state)
            images.append(frame.image)
            wanted = [images[max(0, t - k)] for k in reversed(range(past))]
            assert torch.equal(state.frames[-1], torch.stack(wanted, dim=1))


def test_without_past_frames_each_frame_is_on_its_own():
    model = tiny(shape={"past": 0, "flow": False})
    clip = random_clip(model.spec, 1, 3)
    whole = frames_of(model, request_for(model, clip))
    last = frames_of(model, request_for(model, clip[2:]))
    assert torch.equal(whole[:, 2:], last)
    assert "flow" not in next(model.generate(request_for(model, clip))).extras
    losses = train_steps(model, random_clip(model.spec, 1, 4), 1).losses[0]
    assert losses["g/adv"] > 0
    assert losses["g/coherence"] > 0, "frames are held together in training all the same"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_as_many_frames_as_maps(count):
    model = tiny()
    assert len(list(model.generate(request_for(model, random_clip(model.spec, 1, count))))) == count


def test_an_endless_stream_is_cut_at_the_number_of_frames():
    model = tiny()
    maps = maps_at(random_clip(model.spec, 1, 1), 0)
    assert len(list(model.generate(Request(frames=3, maps=iter(lambda: maps, None))))) == 3


def test_checkpointing_gives_the_same_gradients():
    plain, saving = tiny(), tiny(shape={"checkpointing": True})
    clip = random_clip(plain.spec, 1, 4)
    gradients = []
    for model in (plain, saving):
        fake, _ = model.rollout(clip, model.start(1, maps_at(clip, 0)))
        fake.image.square().mean().backward()
        gradients.append({n: p.grad for n, p in model.generator.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], atol=1e-7), name


def test_checkpointing_recomputes():
    calls = []
    torch.manual_seed(0)
    for checkpointing in (False, True):
        shape = GeneratorShape(width=4, downsamples=1, blocks=2, checkpointing=checkpointing)
        generator = Vid2VidGenerator(3, shape)
        count = []
        generator.scales[0].label_trunk.register_forward_pre_hook(lambda *_, count=count: count.append(1))
        (painted,) = generator(torch.rand(1, 9, 8, 8), (torch.rand(1, 6, 8, 8),), torch.tensor([True]))
        painted.image.sum().backward()
        calls.append(len(count))
    assert calls == [1, 2]


# time


def test_clip_length_doubles_on_schedule():
    model = tiny(steps=100, clip_length=3, clip_double=10, clip_longest=10, decay_from=0.5)
    assert [model.phase_at(s).clip_length for s in (0, 9, 10, 19, 20, 99)] == [3, 3, 6, 6, 10, 10]
    assert [model.phase_at(s).lr for s in (0, 49, 75, 100)] == [1.0, 1.0, 0.5, 0.0]
    assert tiny(clip_double=0).phase_at(10**6).clip_length == 4
    assert tiny(clip_length=8, clip_longest=4, clip_double=5).phase_at(50).clip_length == 8


def numbered(spec: DataSpec, length: int) -> Clip:
    """Frame t has the colour 10 t, its flow is t everywhere."""
    clip = random_clip(spec, 1, length)
    assert clip.frames is not None
    number = torch.arange(length)
    clip.frames = (number * 10).to(torch.uint8).view(1, length, 1, 1, 1).expand_as(clip.frames).contiguous()
    clip.flow = number.float().view(1, length, 1, 1, 1).expand(1, length, 2, *clip.size).contiguous()
    return clip


@pytest.mark.parametrize("bptt", [1, 2, 3, 7])
def test_the_temporal_critic_sees_every_window_once(bptt, monkeypatch):
    """Whatever the chunks: all runs of K = 3 frames of the clip, each once, with the two real flows inside."""
    model = tiny(clip_length=7, bptt=bptt)
    seen: list[tuple[list[int], list[int]]] = []
    motion = model._motion

    def watched(frames: Tensor, seen_so_far: Any, rate: int) -> Tensor | None:
        out = motion(frames, seen_so_far, rate)
        if (
            out is not None and not frames.requires_grad and frames.std((2, 3, 4)).max() < 1e-6
        ):  # the real ones are plain
            for window in out:
                pictures = ((window[:9:3, 0, 0] + 1) * 12.75).round().int().tolist()
                flows = (window[9::2, 0, 0] * model.shape.flow_scale).round().int().tolist()
                seen.append((pictures, flows))
        return out

    monkeypatch.setattr(model, "_motion", watched)
    train_steps(model, numbered(model.spec, 7), 1)
    assert sorted(seen) == [([t, t + 1, t + 2], [t + 1, t + 2]) for t in range(5)]


@pytest.mark.parametrize(("start", "bptt"), [("self", 2), ("given", 2), ("given", 3)])
def test_chunks(start, bptt, monkeypatch):
    """Chunks are the clip in order; no gradient enters one from the chunk before it."""
    model = tiny(start=start, bptt=bptt, clip_length=7)
    clip = numbered(model.spec, 7)
    lengths, colours, known, history = [], [], [], []
    original = model._chunk

    def watched(chunk, state, seen):
        assert not state.frames[-1].requires_grad
        assert not seen.fake.requires_grad
        lengths.append(chunk.length)
        colours.extend((chunk.frames[0, :, 0, 0, 0] // 10).tolist())
        known.append(bool(state.known.all()))
        history.append(state.frames[-1])
        return original(chunk, state, seen)

    monkeypatch.setattr(model, "_chunk", watched)
    train_steps(model, clip, 1)
    first = 0 if start == "self" else 2
    assert colours == list(range(first, 7))
    assert set(lengths[:-1]) == {bptt}
    assert known == [start == "given"] + [True] * (len(lengths) - 1)
    if start == "given":
        assert torch.equal(history[0], ops.to_float(clip.frames[:, :2]))
    assert model.steps == 1


def test_gradients_pass_frames_but_not_a_detached_state():
    model = tiny()
    clip = random_clip(model.spec, 1, 2)
    first, state = model.cell(maps_at(clip, 0), model.start(1, maps_at(clip, 0)))
    second, _ = model.cell(maps_at(clip, 1), state)
    (slope,) = torch.autograd.grad(second.image.sum(), first.image, retain_graph=True)
    assert slope.abs().sum() > 0
    cut, _ = model.cell(maps_at(clip, 1), ops.detach(state))
    assert torch.equal(cut.image, second.image)
    assert torch.autograd.grad(cut.image.sum(), first.image, allow_unused=True) == (None,)


# terms


def calls_of(module: torch.nn.Module) -> list[int]:
    sizes: list[int] = []
    module.register_forward_hook(lambda _, inputs, out: sizes.append(inputs[0].shape[0]))
    return sizes


@pytest.mark.parametrize("name", [None, *TERMS])
def test_weight_zero_switches_a_term_off(name):
    losses = LOSSES if name is None else replace(LOSSES, **{name: 0.0})
    watch = train_steps(tiny(losses), random_clip(tiny().spec, 1, 4), 1)
    told = {k.removeprefix("g/") for k in watch.losses[0] if k.startswith("g/")}
    assert told == {*TERMS} - {name}
    assert ("d/adv" in watch.losses[0]) == (name != "adv")
    assert ("t/adv" in watch.losses[0]) == (name != "adv_t")


def test_a_critic_without_weight_is_not_called():
    for off, silent, heard in (
        ({"adv": 0.0, "feature": 0.0}, "image_critic", "temporal_critics.0"),
        ({"adv_t": 0.0, "feature_t": 0.0}, "temporal_critics.0", "image_critic"),
    ):
        model = tiny(replace(LOSSES, **off))
        quiet, loud = calls_of(model.get_submodule(silent)), calls_of(model.get_submodule(heard))
        train_steps(model, random_clip(model.spec, 1, 4), 1)
        assert quiet == []
        assert loud


def test_the_hallucinated_image_is_judged_unless_raw_is_zero():
    for raw, images in ((1.0, 3), (0.0, 2)):
        model = tiny(replace(LOSSES, raw=raw))
        sizes = calls_of(model.image_critic)
        train_steps(model, random_clip(model.spec, 1, 4), 1)
        painted = 2 * (images - 1)
        assert sizes[:3] == [2, painted, painted], "two frames per chunk: real; composed (and hallucinated), twice"


def test_feature_matching_compares_features_of_one_critic():
    """Frames equal to the real ones are at distance 0, however fast the critics change."""
    model = tiny(replace(LOSSES, raw=0.0), lr_critic=0.1)
    paint = model.rollout

    def perfect(chunk, state):
        fake, state = paint(chunk, state)
        return fake._replace(image=fake.image * 0 + ops.to_float(chunk.frames)), state

    model.rollout = perfect
    watch = train_steps(model, random_clip(model.spec, 1, 4), 2)
    assert watch.losses[-1]["g/feature"] < 1e-6
    assert watch.losses[-1]["g/feature_t"] < 1e-6


def test_reconstruction_is_an_option():
    watch = train_steps(tiny(replace(LOSSES, reconstruction=1.0)), random_clip(tiny().spec, 1, 4), 1)
    assert "g/reconstruction" in watch.losses[0]


@pytest.mark.parametrize("game", ["ls", "ce", "hinge", "wasserstein"])
def test_every_game_trains(game):
    model = tiny(replace(LOSSES, game=game, penalty=10.0 if game == "wasserstein" else 0.0))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    watch = train_steps(model, random_clip(model.spec, 1, 4), 2)
    assert all(torch.isfinite(torch.tensor(list(losses.values()))).all() for losses in watch.losses)
    assert ("d/penalty" in watch.losses[0]) == ("t/penalty" in watch.losses[0]) == (game == "wasserstein")
    after = model.state_dict()
    assert all(torch.isfinite(v).all() for v in after.values())
    for part in ("generator", "image_critic", "temporal_critics"):
        assert any(not torch.equal(v, before[k]) for k, v in after.items() if k.startswith(part)), part


def test_clips_without_flow_train_what_they_can():
    clip = random_clip(tiny().spec, 1, 4)
    clip.flow = clip.confidence = None
    with pytest.raises(UserError, match=r"losses.adv_t, feature_t, flow, warp, coherence, mask need .* data.flow"):
        train_steps(tiny(), clip, 1)
    off = dict.fromkeys(("adv_t", "feature_t", "flow", "warp", "coherence", "mask"), 0.0)
    watch = train_steps(tiny(replace(LOSSES, **off)), clip, 1)
    assert {k for k in watch.losses[0] if k.startswith("g/")} == {"g/adv", "g/feature"}


def test_flow_terms_by_hand():
    """Where the reference is not trusted nothing is asked; the first frame of a video is never asked."""
    model = tiny(bptt=4)
    clip = random_clip(model.spec, 1, 4)
    assert clip.confidence is not None
    clip.confidence.zero_()
    losses = train_steps(model, clip, 1).losses[0]
    assert [losses[f"g/{k}"] for k in ("flow", "warp", "coherence", "mask")] == [0, 0, 0, 0]
    clip.confidence[:, 0] = 1
    losses = train_steps(tiny(bptt=4), clip, 1).losses[0]
    assert [losses[f"g/{k}"] for k in ("flow", "warp", "coherence", "mask")] == [0, 0, 0, 0]
    clip.confidence[:, 2] = 1
    losses = train_steps(tiny(bptt=4), clip, 1).losses[0]
    assert min(losses[f"g/{k}"] for k in ("flow", "warp", "coherence", "mask")) > 0


@pytest.mark.parametrize("scales", [1, 2])
def test_flow_terms_are_those_of_the_paper(scales):
    """Pictures that are slopes, so that every number can be told: warping by u pixels adds u to the slope."""
    model = tiny(replace(LOSSES, mask=1.0), {"scales": scales, "flow_scale": 5.0})
    slope = torch.arange(24.0).view(1, 1, 1, 1, 24).expand(1, 2, 3, 16, 24) / 100
    real, before, previous = slope + 0.1, slope[:, :1] + 0.2, slope[:, :1] + 0.4
    drawn = (slope + torch.tensor([0.3, 0.35]).view(1, 2, 1, 1, 1)).requires_grad_()
    flow = torch.zeros(1, 2, 2, 16, 24)
    confidence = torch.full((1, 2, 1, 16, 24), 0.5)
    chunk = Clip(flow=flow, confidence=confidence)
    fake = Rollout(drawn, drawn, flow + 0.5, torch.full((1, 2, 1, 16, 24), 0.25), torch.zeros(1, 2, dtype=torch.bool))
    terms = Terms(dict.fromkeys(("flow", "warp", "coherence", "mask"), 1.0))
    model._flow_terms(terms, chunk, real, fake, before, previous)
    found = {name: value.item() for name, value in terms.values.items()}
    # The frames before: real 0.2 then 0.1, generated 0.4 then 0.3 above the slope. Warped by half a pixel the real ones rise
    # by 0.005, but for the last column, where the border is repeated.
    inside, border = (0.105 + 0.005) / 2, (0.1 + 0.0) / 2
    assert found["flow"] == pytest.approx(0.5 * 0.5 / 2 ** (scales - 1))
    assert found["mask"] == pytest.approx(0.5 * 0.25)
    assert found["coherence"] == pytest.approx(0.5 * (0.1 + 0.05) / 2, abs=1e-5)
    assert found["warp"] == pytest.approx(0.5 * (23 * inside + border) / 24, abs=1e-5)
    (gradient,) = torch.autograd.grad(terms.values["coherence"], drawn)
    pull = torch.full((1, 3, 16, 24), 0.5 / drawn.numel())
    assert torch.allclose(gradient[:, 0], -pull), "drawn to the frame before, and not pulled along by the one after"
    assert torch.allclose(gradient[:, 1], pull)


# bad input


def test_what_cannot_be_built():
    with pytest.raises(UserError, match="paints from maps, but the data has none"):
        Vid2Vid(DataSpec())
    spec = DataSpec(maps=(MapSpec("labels", "classes", 2),))
    with pytest.raises(UserError, match=r"set generator\.flow to false"):
        Vid2Vid(spec, GeneratorShape(past=0))
    with pytest.raises(UserError, match=r"critic\.frames 2 or more"):
        CriticShape(frames=1)
    with pytest.raises(UserError, match="bptt"):
        Schedule(bptt=0)


def test_a_perceptual_weight_needs_a_network():
    with pytest.raises(UserError, match=r"set losses\.network, or losses\.perceptual to 0"):
        train_steps(tiny(replace(LOSSES, perceptual=1.0)), random_clip(tiny().spec, 1, 4), 1)


def test_requests_that_cannot_be_met():
    model = tiny()
    clip = random_clip(model.spec, 2, 3)
    whole = request_for(model, clip)
    with pytest.raises(UserError, match="needs maps: pass --maps"):
        model.generate(Request())
    with pytest.raises(UserError, match="context holds 1 items but there are 2 seeds"):
        model.generate(replace(whole, context=random_clip(model.spec, 1, 2)))
    with pytest.raises(UserError, match="no seeds"):
        model.generate(replace(whole, seeds=()))
    with pytest.raises(UserError, match="unknown attribute 'weather'; this model knows: none"):
        model.generate(replace(whole, attributes={"weather": "rain"}))
    steps = [maps_at(clip, t) for t in range(3)]
    with pytest.raises(UserError, match="2 labels maps for 3 seeds"):
        list(model.generate(Request(seeds=(0, 1, 2), maps=iter(steps))))
    del steps[1]["instances"]
    with pytest.raises(UserError, match="frame 1 has no instances map"):
        list(model.generate(Request(seeds=(0, 1), maps=iter(steps))))
    other = random_clip(replace(model.spec, size=(16, 16)), 2, 1)
    with pytest.raises(UserError, match="the first frame is 16x16 but the maps are 24x16"):
        list(model.generate(replace(request_for(model, clip), context=Clip(frames=other.frames))))
    single = tiny(shape={"past": 0, "flow": False})
    with pytest.raises(UserError, match="cannot take a first frame"):
        single.generate(replace(request_for(single, clip), context=clip[:1]))
