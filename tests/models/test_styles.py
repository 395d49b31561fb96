"""Many looks: one vector per object, kept for the whole video; mixtures; choices by seed, by reference, in between."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from videosynth import ops
from videosynth.models.base import load
from videosynth.models.vid2vid.model import Vid2Vid
from videosynth.models.vid2vid.options import CriticShape, GeneratorShape, Losses, Schedule
from videosynth.models.vid2vid.styles import Styles
from videosynth.nn.style import StyleMixtures
from videosynth.testing import frames_of, random_clip, request_for, train_steps
from videosynth.types import Clip, DataSpec, MapSpec, UserError

SPEC = DataSpec(
    maps=(MapSpec("labels", "classes", 3, void=3), MapSpec("instances", "instances", 1)), size=(16, 24), fps=8
)


def many_looks(**options) -> Vid2Vid:
    torch.manual_seed(0)
    return Vid2Vid(
        SPEC,
        GeneratorShape(**{"width": 8, "downsamples": 1, "blocks": 2, "style": 3, **options}),
        CriticShape(4, 1, 1),
        Losses(network="none", perceptual=0.0),
        Schedule(steps=50, clip_length=4, clip_double=0, bptt=2, lr=2e-3),
    )


def test_means_over_objects_by_hand():
    features = torch.tensor([[1.0, 3.0, 10.0, 2.0], [0.0, 4.0, 20.0, 5.0]])
    keys, means, counts = ops.means_over(features, torch.tensor([7, 7, -2, 7]))
    assert keys.tolist() == [-2, 7]
    assert means.tolist() == [[10.0, 20.0], [2.0, 3.0]]
    assert counts.tolist() == [1, 3]


def test_objects_are_classes_with_instances():
    maps = {"labels": torch.tensor([[0, 1, 3, 1]]), "instances": torch.tensor([[5, 5, 5, 6]])}
    keys = ops.object_keys(maps, SPEC)
    assert len(set(keys.flatten().tolist())) == 4
    assert ops.class_of(keys).tolist() == [[0, 1, -1, 1]]
    stuff = replace(SPEC, maps=SPEC.maps[:1])
    assert ops.class_of(ops.object_keys(maps, stuff)).tolist() == [[0, 1, -1, 1]]


def test_mixtures_find_their_components():
    generator = torch.Generator().manual_seed(0)
    low, high = (
        torch.randn(60, 3, generator=generator) * 0.05 - 0.5,
        torch.randn(30, 3, generator=generator) * 0.05 + 0.5,
    )
    mixtures = StyleMixtures(4, 3)
    classes = torch.cat([torch.full((90,), 1), torch.full((1,), 2)])
    mixtures.fit(torch.cat([low, high, torch.tensor([[0.1, 0.2, 0.3]])]), classes)
    assert (mixtures.weights[1] > 0).sum() == 2
    assert sorted(mixtures.weights[1, :2].tolist()) == pytest.approx([1 / 3, 2 / 3], abs=1e-3)
    looks = torch.stack([mixtures.draw(1, torch.Generator().manual_seed(s)) for s in range(300)])
    share = float((looks[:, 0] > 0).float().mean())
    assert 0.25 < share < 0.42, "components are drawn by their weights"
    assert 0.03 < float(looks[looks[:, 0] > 0].std(0).mean()) < 0.08
    assert torch.allclose(mixtures.draw(2, torch.Generator().manual_seed(0)), torch.tensor([0.1, 0.2, 0.3]), atol=0.1)
    assert torch.equal(mixtures.draw(0, torch.Generator().manual_seed(0)), torch.zeros(3))
    other = StyleMixtures(4, 3)
    other.load_state_dict(mixtures.state_dict())
    assert torch.equal(
        other.draw(1, torch.Generator().manual_seed(5)), mixtures.draw(1, torch.Generator().manual_seed(5))
    )


def test_an_object_has_one_vector_in_the_whole_clip_and_gradients_reach_the_encoder():
    torch.manual_seed(0)
    styles = Styles(3, 2)
    real = torch.randn(1, 4, 3, 16, 16)
    keys = torch.zeros(1, 4, 16, 16, dtype=torch.long)
    keys[:, :, :, 8:] = 2**32 + 4
    tables = styles.tables(real, keys)
    first, second = (styles.painted(real[:, a:b], keys[:, a:b], tables) for a, b in ((0, 2), (2, 4)))
    painted = torch.cat([first, second], dim=1)
    for columns, place in ((slice(0, 8), 0), (slice(8, 16), 1)):
        vectors = painted[0, :, :, :, columns].permute(0, 2, 3, 1).reshape(-1, 2)
        assert torch.allclose(vectors, tables[0][1][place].expand_as(vectors), atol=1e-5)
    first.sum().backward()
    assert all(p.grad is not None for p in styles.encoder.parameters())


def trained() -> Vid2Vid:
    model = many_looks()
    watch = train_steps(model, random_clip(SPEC, 2, 4), 6)
    assert watch.touched >= {n for n, _ in model.named_parameters() if n.startswith(("styles", "generator"))}
    return model.eval()


def test_looks_are_kept_drawn_by_seed_and_saved(tmp_path):
    model = trained()
    model.save(tmp_path)
    loaded = load(tmp_path)
    assert (loaded.styles.mixtures.weights.sum(1) > 0).any()
    clip = random_clip(SPEC, 1, 4)
    one = frames_of(loaded, request_for(loaded, clip, seeds=(1,)))
    assert torch.equal(one, frames_of(loaded, request_for(loaded, clip, seeds=(1,))))
    assert not torch.allclose(one, frames_of(loaded, request_for(loaded, clip, seeds=(2,))), atol=1e-4)
    both = Clip.collate([clip, clip])
    pair = frames_of(loaded, request_for(loaded, both, seeds=(1, 2)))
    assert torch.allclose(pair[:1], one, atol=1e-4), "a look depends on its own seed only"
    cache: dict = {}
    keys = [ops.object_keys({k: v[:, t] for k, v in clip.maps.items()}, SPEC) for t in range(4)]
    maps = [loaded.styles.drawn(k, (1,), cache) for k in keys]
    shared = set(keys[0].unique().tolist()) & set(keys[3].unique().tolist())
    assert shared
    for key in shared:
        assert torch.equal(maps[0][0][:, keys[0][0] == key][:, 0], maps[3][0][:, keys[3][0] == key][:, 0])


def test_between_two_looks():
    model = trained()
    model.styles.fit()
    clip = random_clip(SPEC, 1, 2)

    def made(**latents):
        return frames_of(model, replace(request_for(model, clip, seeds=(1,)), latents=latents or None))

    seeds = {"style_seeds": torch.tensor([1]), "style_other": torch.tensor([2])}
    assert torch.equal(made(**seeds, style_mix=torch.tensor([0.0])), made())
    assert torch.allclose(made(**seeds, style_mix=torch.tensor([1.0])), made(style_seeds=torch.tensor([2])), atol=1e-6)
    middle = made(**seeds, style_mix=torch.tensor([0.5]))
    assert not torch.allclose(middle, made(), atol=1e-5)


def test_the_look_of_a_reference():
    model = trained()
    model.styles.fit()
    clip, other = random_clip(SPEC, 1, 3), random_clip(SPEC, 1, 1, seed=9)
    request = request_for(model, clip, seeds=(1,))
    plain = frames_of(model, request)
    like = frames_of(model, replace(request_for(model, clip, seeds=(1,)), references=other))
    assert not torch.allclose(plain, like, atol=1e-4)
    again = frames_of(model, replace(request_for(model, clip, seeds=(5,)), references=other))
    assert torch.allclose(like, again, atol=1e-6), "all classes are in the reference: nothing is drawn"
    there = {"style_other": torch.tensor([1]), "style_mix": torch.tensor([1.0])}
    away = replace(request_for(model, clip, seeds=(5,)), references=other, latents=there)
    assert torch.allclose(frames_of(model, away), plain, atol=1e-6), "all the way from the reference to the other seed"


def test_looks_that_cannot_be():
    with pytest.raises(UserError, match="needs label maps"):
        Vid2Vid(DataSpec(maps=(MapSpec("depth", "dense", 1),)), GeneratorShape(style=3))
    plain = many_looks(style=0)
    clip = random_clip(SPEC, 1, 2)
    with pytest.raises(UserError, match="has no latents or looks"):
        plain.generate(replace(request_for(plain, clip), latents={"style_seeds": torch.tensor([1])}))
    model = many_looks()
    with pytest.raises(UserError, match="unknown latent 'mood'"):
        model.generate(replace(request_for(model, clip), latents={"mood": torch.tensor([1])}))
    with pytest.raises(UserError, match="style_seeds holds 2 numbers for 1 videos"):
        model.generate(replace(request_for(model, clip), latents={"style_seeds": torch.tensor([1, 2])}))
    with pytest.raises(UserError, match="picture and its maps"):
        list(model.generate(replace(request_for(model, clip), references=Clip(frames=clip.frames))))
