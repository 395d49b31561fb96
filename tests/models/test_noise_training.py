"""TGAN, VGAN, MoCoGAN: what a training step does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_from_noise import SHORT, SMALL, moco, tgan, vgan

from videosynth.models.mocogan.model import MoCoGAN
from videosynth.models.mocogan.networks import ImageCritic, VideoCritic
from videosynth.models.mocogan.options import CriticShape as Critics
from videosynth.models.mocogan.options import GeneratorShape as Moco
from videosynth.models.play import Play
from videosynth.models.tgan.model import TGAN
from videosynth.models.tgan.networks import Critic as TGANCritic
from videosynth.models.tgan.options import CriticShape as TCritic
from videosynth.models.vgan.model import VGAN
from videosynth.models.vgan.networks import Critic as VCritic
from videosynth.models.vgan.networks import Grid
from videosynth.models.vgan.options import CriticShape as VCriticShape
from videosynth.nn.constraints import largest_singular_value
from videosynth.nn.norms import BatchNorm
from videosynth.testing import random_clip, train_steps
from videosynth.types import UserError


@pytest.mark.parametrize("constraint", ["none", "svc", "clip", "penalty", "spectral"])
@pytest.mark.parametrize("kind", [MoCoGAN, TGAN, VGAN])
def test_every_constraint_trains(kind, constraint):
    base = kind.tiny()
    play = Play("wasserstein", constraint, every=2)
    critic = {MoCoGAN: Critics, TGAN: TCritic, VGAN: VCriticShape}[kind](
        width=8, norm=constraint in ("none", "svc", "clip")
    )
    model = kind(base.spec, base.shape, critic, play=play, schedule=base.schedule)
    critics = [m for n, m in model.named_children() if "critic" in n]
    if constraint == "svc":  # from beyond the bound, or nothing would have to be clipped
        for layer in (m for c in critics for m in c.modules() if isinstance(m, torch.nn.modules.conv._ConvNd)):
            torch.nn.init.normal_(layer.weight)
    watch = train_steps(model, random_clip(base.spec, 2, base.schedule.clip_length), 4)
    assert len(watch.losses) == 4
    assert model.steps == 4
    bound = [
        p.detach() for c in critics for n, p in c.named_parameters() if not n.startswith("classes")
    ]  # a class head is not
    if constraint == "svc":
        assert max(float(torch.linalg.matrix_norm(p.flatten(1), 2)) for p in bound if p.ndim > 2) <= 1 + 1e-5
    if constraint == "clip":
        assert all(p.abs().max() <= play.bound for p in bound)
    if constraint == "spectral":
        assert max(largest_singular_value(c) for c in critics) < 1.5  # of few power iterations
    if constraint == "penalty":
        assert any(k.endswith("/penalty") for k in watch.losses[0])


@pytest.mark.parametrize("constraint", ["svc", "clip", "spectral"])
def test_the_class_head_is_not_bound(constraint):
    tiny = MoCoGAN.tiny()
    play = Play("wasserstein", constraint, every=1)
    model = MoCoGAN(tiny.spec, tiny.shape, tiny.eyes, play=play, schedule=tiny.schedule)
    assert model.video_critic.classes is not None
    torch.nn.init.constant_(model.video_critic.classes.weight, 3.0)
    train_steps(model, random_clip(model.spec, 2, 8), 1)
    assert model.video_critic.classes.weight.max() > 2.9


@pytest.mark.parametrize(
    ("critic", "black"),
    [
        (lambda c: ImageCritic((16, 16), Critics(image="plain", width=4, centre=c)), (1, 3, 16, 16)),
        (lambda c: VideoCritic((16, 16), 8, 0, Critics(width=4, centre=c)), (1, 8, 3, 16, 16)),
        (lambda c: TGANCritic(8, (16, 16), 0, TCritic(width=4, centre=c)), (1, 8, 3, 16, 16)),
        (lambda c: VCritic(Grid.of(8, (16, 16)), VCriticShape(width=4, centre=c)), (1, 8, 3, 16, 16)),
    ],
)
def test_what_is_as_dark_as_the_centre_has_no_edges(critic, black):
    edges = {}
    for centre in (-1.0, 0.0):
        made, first = critic(centre), []
        made.trunk[0].register_forward_hook(lambda _m, _i, out, seen=first: seen.append(out))
        made(torch.full(black, -1.0))
        edges[centre] = float(first[0].detach().transpose(0, 1).flatten(1).std(dim=1).max())
    assert edges[-1.0] < 1e-6 < 1e-4 < edges[0.0]


def test_the_video_critic_sees_repeated_ends():
    video = random_clip(SMALL, 2, 8).frames.float() / 127.5 - 1
    repeated = torch.cat([video[:, :1]] * 3 + [video] + [video[:, -1:]] * 3, dim=1)
    torch.manual_seed(0)
    wide = VideoCritic((16, 16), 8, 2, Critics(width=4, edges=3))
    torch.manual_seed(0)
    plain = VideoCritic((16, 16), 14, 2, Critics(width=4))
    for seen, same in zip(wide(video), plain(repeated), strict=True):
        torch.testing.assert_close(seen, same)

    def share(edges: int) -> float:
        """Slope of the score at a clip's first frame, relative to a middle one."""
        torch.manual_seed(0)
        critic = VideoCritic((16, 16), 8, 0, Critics(width=4, edges=edges))
        seen = video.clone().requires_grad_()
        critic(seen).score.sum().backward()
        slopes = seen.grad.pow(2).sum((0, 2, 3, 4)).sqrt()
        return float(slopes[0] / slopes[4])

    assert share(3) > 1.5 * share(0)


def test_singular_values_are_clipped_every_so_many_steps():
    model = TGAN.tiny()
    model.play = Play("wasserstein", "svc", every=3)
    torch.nn.init.normal_(model.critic.trunk[0].weight)
    clip = random_clip(model.spec, 2, 4)
    train_steps(model, clip, 2)
    assert largest_singular_value(model.critic) > 1.5
    train_steps(model, clip, 1)
    assert largest_singular_value(model.critic) <= 1 + 1e-5


def test_several_critic_steps_share_the_batch(monkeypatch):
    model = VGAN.tiny()
    model.schedule = replace(model.schedule, critic_steps=2)
    seen = []
    usual = VGAN._critic_step
    monkeypatch.setattr(
        VGAN, "_critic_step", lambda self, clip, fake: (seen.append(clip.batch), usual(self, clip, fake))
    )
    train_steps(model, random_clip(model.spec, 4, 4), 1)
    assert seen == [2, 2]
    with pytest.raises(UserError, match="cannot be split into 2"):
        train_steps(model, random_clip(model.spec, 3, 4), 1)


@pytest.mark.parametrize(("order", "first"), [("critic_first", "d"), ("generator_first", "g")])
def test_who_steps_first(order, first, monkeypatch):
    model = TGAN.tiny()
    model.play = replace(model.play, order=order)
    seen = []
    usual = TGAN.step
    monkeypatch.setattr(TGAN, "step", lambda self, name: (seen.append(name), usual(self, name))[1])
    train_steps(model, random_clip(model.spec, 2, 4), 1)
    assert seen[0] == first
    assert sorted(seen) == ["d", "g"]


def test_the_class_head_learns_from_whom_it_should():
    """Supervised: from real videos of known class; infogan: from the model's own; and never by the generator's step."""
    clip = random_clip(SMALL, 4, 8)
    clip.attributes["action"][2:] = 1
    for mode in ("supervised", "infogan"):
        torch.manual_seed(1)
        model = MoCoGAN(SMALL, Moco(width=4, mode=mode, categories=2), Critics(width=4), schedule=SHORT)
        model.groups["v"] = replace(model.groups["v"], lr=5e-3)
        assert model.weights["v"]["category"] == model.weights["g"]["category"] == 1
        moved = watched_head(model)
        watch = train_steps(model, clip, 40)
        assert set(moved) == {"v"}
        assert len(moved) == 40
        assert watch.losses[-1]["v/category"] < 0.9 * watch.losses[0]["v/category"]


def watched_head(model: MoCoGAN) -> list[str]:
    """The groups whose steps moved the class head, step by step."""
    moved: list[str] = []
    head = model.video_critic.classes
    assert head is not None
    usual = model._finish

    def finish(name, group, terms):
        before = head.weight.detach().clone()
        usual(name, group, terms)
        if not torch.equal(before, head.weight):
            moved.append(name)

    object.__setattr__(model, "_finish", finish)
    return moved


def test_unknown_classes_are_refused():
    clip = random_clip(SMALL, 2, 8)
    clip.attributes["action"][1] = -1
    model = MoCoGAN(SMALL, Moco(width=4, mode="supervised"), Critics(width=4), schedule=SHORT)
    with pytest.raises(UserError, match="clip1 has no action"):
        train_steps(model, clip, 1)


def test_without_an_image_critic():
    model = MoCoGAN(SMALL, Moco(width=4), Critics(image="none", width=4), schedule=SHORT)
    watch = train_steps(model, random_clip(SMALL, 2, 8), 1)
    assert set(model.groups) == {"g", "v"}
    assert not any(k.startswith("i/") or k == "g/image" for k in watch.losses[0])


def test_mask_weight_is_of_its_mean():
    model = VGAN.tiny()
    watch = train_steps(model, random_clip(model.spec, 2, 4), 1)
    assert 0.2 < watch.losses[0]["g/mask"] < 0.8  # of untrained sigmoids; a sum would be in the hundreds


def test_only_a_critics_own_step_moves_its_running_deviations():
    """They bound the scales of its norms under singular value clipping: real and fake are to weigh alike."""
    model = TGAN.tiny()
    norm = next(m for m in model.critic.modules() if isinstance(m, BatchNorm))
    seen = []
    usual = norm.forward
    norm.forward = lambda x: (seen.append(norm.momentum), usual(x))[1]
    train_steps(model, random_clip(model.spec, 2, 4), 1)
    assert seen == [0.1, 0.1, 0.0]  # real, fake, the generator's step


@pytest.mark.parametrize(
    ("make", "options"), [(moco, {"mode": "supervised"}), (tgan, {"conditional": True}), (vgan, {})]
)
def test_together_real_and_fake_are_one_batch_and_the_generator_meets_running_statistics(make, options):
    model = make(**options)
    model.train().play = Play("wasserstein", apart=0.0)
    critic = model.get_submodule("video_critic" if make is moco else "critic")
    norm = next(m for m in critic.modules() if isinstance(m, BatchNorm))
    seen = []
    norm.register_forward_hook(lambda m, i, _: seen.append((i[0].shape[0], m.training)))
    train_steps(model, random_clip(model.spec, 2, 8), 1)
    assert seen == [(4, True), (2, False)]
    assert norm.training
    assert norm.momentum == 0.1


def test_apart_is_a_share_of_the_training():
    model = VGAN.tiny()
    model.play = Play(apart=0.5)
    model.total_steps = 4
    together = []
    for model.steps in range(4):
        together.append(model.play.together(model))
    assert together == [False, False, True, True]
    with pytest.raises(UserError, match=r"play.apart must lie in 0..1, not 1.5"):
        Play(apart=1.5)


def test_batch_norms_mix_what_a_penalty_measures():
    with pytest.raises(UserError, match=r"needs a critic without batch norms: set critic\.norm false"):
        TGAN(TGAN.tiny().spec, play=Play("wasserstein", "penalty"), schedule=SHORT)


def test_one_clip_is_too_few_for_tgan():
    model = TGAN.tiny()
    with pytest.raises(UserError, match=r"two clips or more at once: set data\.batch_size"):
        train_steps(model, random_clip(model.spec, 1, 4), 1)
