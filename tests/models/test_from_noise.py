"""TGAN, VGAN, MoCoGAN: the papers' tables, what a request can ask, what can be built."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
import torch
from small_from_noise import SHORT, SMALL, moco, tgan, vgan

from videosynth.models.base import exported_weights, load
from videosynth.models.mocogan.model import MoCoGAN
from videosynth.models.mocogan.options import CriticShape as Critics
from videosynth.models.mocogan.options import GeneratorShape as Moco
from videosynth.models.play import Play, Schedule
from videosynth.models.tgan.model import TGAN
from videosynth.models.tgan.options import CriticShape as TCritic
from videosynth.models.tgan.options import GeneratorShape as TShape
from videosynth.models.vgan.model import VGAN
from videosynth.models.vgan.networks import Critic as VCritic
from videosynth.models.vgan.networks import Grid
from videosynth.models.vgan.options import CriticShape as VCriticShape
from videosynth.models.vgan.options import GeneratorShape as VShape
from videosynth.testing import frames_of, random_clip, train_steps
from videosynth.types import DataSpec, Request, UserError

PAPER = DataSpec(size=(64, 64), attributes={"action": tuple("abcdef")})


def size(module: torch.nn.Module | None) -> int:
    assert module is not None
    return sum(p.numel() for p in module.parameters())


def all_of(model, request: Request) -> list:
    return list(model.generate(request))


def latents_of(frames: list) -> dict[str, torch.Tensor]:
    """What a request is told to make the same video again."""
    once = {k: v for k, v in frames[0].extras.items() if k.startswith("latents/")}
    steps = {k for k in frames[-1].extras if k.startswith("latents/")}
    joined = {k: torch.stack([f.extras[k] for f in frames], dim=1) for k in steps}
    return {k.removeprefix("latents/"): v for k, v in {**once, **joined}.items()}


# The papers' tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("beta", "temporal", "critic"), [(False, 825_444, 11_032_385), (True, 826_468, 11_033_281)])
def test_tgan_has_the_papers_parameters(beta, temporal, critic):
    with torch.device("meta"):
        model = TGAN(PAPER, TShape(beta=beta), TCritic(beta=beta))
    found = (size(model.generator.temporal), size(model.generator.image), size(model.critic))
    assert found == (temporal, 3_622_691, critic)


def test_vgan_has_the_papers_parameters():
    with torch.device("meta"):
        two, one = VGAN(PAPER), VGAN(PAPER, VShape(streams=1))
        reference = VCritic(Grid.of(32, (64, 64)), VCriticShape(), outputs=2)
    assert (size(two.generator), size(one.generator), size(two.critic)) == (16_245_383, 12_663_619, 11_041_473)
    assert size(reference) == 11_057_858


def test_mocogan_has_the_papers_parameters():
    with torch.device("meta"):
        paper = MoCoGAN(PAPER, Moco(mode="supervised"))
        public = MoCoGAN(PAPER, Moco(mode="supervised", category_to="image"), Critics(image="plain"))
        patches = MoCoGAN(PAPER, Moco(), Critics(video="patch"))
    assert (size(paper.generator), size(public.generator)) == (3_249_864, 3_298_836)
    assert (size(paper.image_critic), size(public.image_critic)) == (663_296, 2_765_568)
    assert (size(paper.video_critic), size(patches.video_critic)) == (11_253_504, 2_650_880)


def test_shapes_inside():
    with torch.device("meta"):
        tgan, vgan, moco = TGAN(PAPER), VGAN(PAPER), MoCoGAN(PAPER, critic=Critics(video="patch"))
        short, long = torch.zeros(2, 16, 3, 64, 64), torch.zeros(2, 32, 3, 64, 64)
        assert tgan.critic.trunk(short.transpose(1, 2)).shape == (2, 512, 1, 4, 4)
        assert tgan.critic(long).shape == (2, 2)  # a score for each 16 frames
        assert tgan.generator.temporal(torch.zeros(2, 100)).shape == (2, 16, 100)
        assert vgan.critic.trunk(long.transpose(1, 2)).shape == (2, 512, 2, 4, 4)
        assert moco.image_critic is not None
        assert moco.image_critic(short[:, 0]).shape == (2, 1, 4, 4)
        assert moco.video_critic(short).score.shape == (2, 4 * 4 * 4)


# What a request can ask ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [moco, tgan, vgan])
def test_latents_make_the_same_video_again(make):
    model = make()
    frames = all_of(model, Request(seeds=(3, 4), frames=8))
    known = latents_of(frames)
    again = all_of(model, Request(seeds=(8, 9), frames=8, latents=known))
    for a, b in zip(frames, again, strict=True):
        assert torch.equal(a.image, b.image)
    other = frames_of(model, Request(seeds=(8, 9), frames=8))
    assert not torch.allclose(other[:, 0], frames[0].image)


def test_mocogan_keeps_content_while_motion_changes_and_the_reverse():
    model = moco()
    a, b = (latents_of(all_of(model, Request(seeds=(s,), frames=4))) for s in (1, 2))
    mixed = latents_of(all_of(model, Request(seeds=(1,), frames=4, latents={"content": b["content"]})))
    assert torch.equal(mixed["content"], b["content"])
    assert torch.equal(mixed["innovation"], a["innovation"])
    assert torch.equal(mixed["start"], a["start"])
    assert model.parts == {"content": ("content",), "motion": ("start", "innovation")}


def test_mocogan_makes_any_number_of_frames_and_the_first_ones_stay():
    model = moco()
    short = frames_of(model, Request(seeds=(1,), frames=5))
    long = frames_of(model, Request(seeds=(1,), frames=40))
    assert long.shape[1] == 40
    assert torch.allclose(long[:, :5], short, atol=1e-6)


@pytest.mark.parametrize("make", [moco, tgan])
def test_speed_walks_the_same_path(make):
    model = make()
    normal = frames_of(model, Request(seeds=(5,), frames=7))
    slow = frames_of(model, Request(seeds=(5,), frames=13, speed=0.5))
    fast = frames_of(model, Request(seeds=(5,), frames=4, speed=2.0))
    assert torch.allclose(slow[:, ::2], normal, atol=1e-6)
    assert torch.allclose(fast, normal[:, ::2], atol=1e-6)
    between = frames_of(model, Request(seeds=(5,), frames=9, speed=0.75))
    assert torch.allclose(between[:, [0, 4, 8]], normal[:, [0, 3, 6]], atol=1e-6)


def test_tgan_goes_as_far_as_its_path():
    model = tgan()
    assert frames_of(model, Request(seeds=(1,))).shape[1] == 8
    assert frames_of(model, Request(seeds=(1,), speed=0.5)).shape[1] == 15
    with pytest.raises(UserError, match="makes 8 frames at most, not 9"):
        model.generate(Request(seeds=(1,), frames=9))
    with pytest.raises(UserError, match="makes 15 frames at most, not 16"):
        model.generate(Request(seeds=(1,), frames=16, speed=0.5))


@pytest.mark.parametrize("to", ["motion", "image"])
def test_mocogan_is_told_a_class(to):
    model = moco(mode="supervised", category_to=to)
    up, left = (frames_of(model, Request(seeds=(1,), attributes={"action": a})) for a in ("up", "left"))
    both = frames_of(model, Request(seeds=(1, 1), attributes={"action": ("up", "left")}))
    assert not torch.allclose(up, left)
    assert torch.allclose(both, torch.cat([up, left]), atol=1e-6)
    with pytest.raises(UserError, match="unknown action 'down'; choose from: up, left"):
        model.generate(Request(attributes={"action": "down"}))
    with pytest.raises(UserError, match="3 values of action for 2 videos"):
        model.generate(Request(seeds=(1, 2), attributes={"action": ("up", "up", "left")}))
    known = latents_of(all_of(model, Request(seeds=(1,), attributes={"action": "left"})))
    assert torch.equal(frames_of(model, Request(seeds=(1,), latents=known)), left)


def test_classes_that_nobody_asked_for_are_not_known():
    with pytest.raises(UserError, match="unknown attribute 'action'; this model knows: none"):
        moco().generate(Request(attributes={"action": "up"}))
    with pytest.raises(UserError, match="unknown attribute"):
        vgan().generate(Request(attributes={"action": "up"}))
    model = moco(mode="infogan", categories=3)
    assert model.spec.attributes == {"category": ("0", "1", "2")}
    assert not torch.allclose(*(frames_of(model, Request(attributes={"category": c})) for c in "02"))


def test_tgan_is_told_a_class():
    model = tgan(conditional=True)
    up, left = (frames_of(model, Request(seeds=(1,), attributes={"action": a})) for a in ("up", "left"))
    assert not torch.allclose(up, left)


def test_vgan_is_made_of_layers():
    frames = all_of(vgan(), Request(seeds=(1, 2)))
    for frame in frames:
        mask, front, back = (frame.extras[k] for k in ("mask", "foreground", "background"))
        assert mask.shape == (2, 1, 16, 16)
        assert 0 <= mask.min() <= mask.max() <= 1
        assert torch.allclose(frame.image, mask * front + (1 - mask) * back, atol=1e-6)
        assert torch.equal(back, frames[0].extras["background"])
    one = vgan(streams=1)
    assert one.pictures == ()
    assert set(all_of(one, Request())[0].extras) == {"latents/z"}


@pytest.mark.parametrize(("make", "options"), [(moco, {"from_image": True}), (vgan, {"conditional": True})])
def test_a_video_from_a_picture(make, options):
    model = make(**options)
    clip = random_clip(SMALL, 2, 3)
    request = Request(seeds=(1, 2), context=clip[:1], frames=6)
    made = frames_of(model, request)
    assert made.shape == (2, 6, 3, 16, 16)
    other = frames_of(model, replace(request, context=clip[2:3]))
    assert not torch.allclose(made, other)
    with pytest.raises(UserError, match="needs context"):
        model.generate(Request(frames=6))
    with pytest.raises(UserError, match="context holds 2 items but there are 3 seeds"):
        model.generate(replace(request, seeds=(1, 2, 3)))
    other = random_clip(replace(SMALL, size=(20, 24)), 2, 1)
    with pytest.raises(UserError, match="context has frames of 24x20, this model makes 16x16"):
        model.generate(replace(request, context=other))
    model = make(**options).train()
    model.schedule = dataclasses.replace(SHORT, lr=2e-3)
    model.groups["g"] = model.schedule.group("generator")
    watch = train_steps(model, random_clip(SMALL, 4, 8), 40)
    assert watch.losses[-1]["g/first"] < 0.6 * watch.losses[0]["g/first"]


@pytest.mark.parametrize(
    ("make", "request_", "message"),
    [
        (vgan, Request(speed=0.5), "no motion path"),
        (vgan, Request(frames=9), "makes 8 frames at most"),
        (moco, Request(frames=0), "must be 1 or more"),
        (moco, Request(speed=0.0), "above 0"),
        (moco, Request(latents={"z": torch.zeros(1, 5)}), "no latents 'z' in this model; it has content, start"),
        (moco, Request(latents={"content": torch.zeros(1, 9)}), "latents content have shape"),
        (moco, Request(frames=9, latents={"innovation": torch.zeros(1, 8, 3)}), "1 videos of 9 steps"),
        (moco, Request(frames=4, speed=1.5, latents={"innovation": torch.zeros(1, 5, 3)}), "1 videos of 6 steps"),
        (tgan, Request(latents={"z": torch.zeros(2, 6)}), "latents z have shape"),
    ],
)
def test_what_cannot_be_asked(make, request_, message):
    with pytest.raises(UserError, match=message):
        make().generate(request_)  # before the first frame is asked for


# Building -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MoCoGAN(DataSpec(size=(60, 64))), "must divide by 8"),
        (lambda: MoCoGAN(SMALL, schedule=Schedule(clip_length=6)), "clips of 7 frames or more"),
        (
            lambda: MoCoGAN(SMALL, critic=Critics(edges=1), schedule=Schedule(clip_length=4)),
            "clips of 5 frames or more",
        ),
        (lambda: TGAN(SMALL, schedule=Schedule(clip_length=12)), "4, 8, 16, 32"),
        (lambda: TGAN(DataSpec(size=(64, 64)), schedule=Schedule(clip_length=8)), "clips of 16 frames or more"),
        (lambda: MoCoGAN(DataSpec(size=(8, 8))), "16 pixels a side or more, not 8x8: choose plain"),
        (lambda: VGAN(SMALL, schedule=Schedule(clip_length=6)), "must divide by 4"),
        (lambda: MoCoGAN(DataSpec(size=(16, 16)), Moco(mode="supervised")), "the data has none"),
        (lambda: MoCoGAN(SMALL, Moco(mode="supervised"), Critics(video="plain")), "needs critic.video categorical"),
        (lambda: MoCoGAN(SMALL, Moco(mode="supervised", attribute="colour")), "no attribute 'colour'; it has action"),
        (lambda: Moco(width=0), "must be 1 or more"),
        (lambda: Critics(edges=-1), "edges 0 or more"),
        (lambda: Schedule(steps=0), "steps"),
        (lambda: Play(every=0), "play.every"),
        (lambda: Play(constraint="spectral", begin="bound"), "play.begin bound is for play.constraint svc"),
    ],
)
def test_what_cannot_be_built(build, message):
    with pytest.raises(UserError, match=message):
        build()


def test_one_of_several_attributes_is_named():
    spec = replace(SMALL, attributes={"action": ("up", "left"), "shape": ("disc", "square")})
    with pytest.raises(UserError, match=r"action, shape: choose one with model\.generator\.attribute"):
        MoCoGAN(spec, Moco(mode="supervised"), schedule=SHORT)
    model = MoCoGAN(spec, Moco(mode="supervised", attribute="shape"), schedule=SHORT)
    assert model.spec.attributes == {"shape": ("disc", "square")}


def test_weights_in_half_precision_keep_their_counters(tmp_path):
    model = tgan()
    model.save(tmp_path, dtype=torch.float16)
    again = load(tmp_path)
    assert frames_of(again, Request(seeds=(1,))).shape == (1, 8, 3, 16, 16)
    counts = [v for k, v in exported_weights(again).items() if k.endswith("num_batches_tracked")]
    assert counts
    assert all(v.dtype == torch.long for v in counts)
