"""Frozen networks and feature trunks."""

import pytest
import torch
from torch import nn

from videosynth.losses.perceptual import perceptual
from videosynth.nn import trunks
from videosynth.nn.frozen import Frozen
from videosynth.nn.trunks import KINDS, FeatureTrunk, load_trunk
from videosynth.types import UserError


def saved(tmp_path, kind, suffix=".pt"):
    """Random weights on disk in torchvision's names."""
    torch.manual_seed(0)
    state = {f"features.{k}": v for k, v in KINDS[kind].build().state_dict().items()}
    path = tmp_path / f"{kind}{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def test_frozen_keeps_nothing_and_stays_frozen():
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    weight = inner[0].weight.detach().clone()
    model = nn.Module()
    model.teacher, model.head = Frozen(inner), nn.Linear(2, 2)
    model.train()
    assert not any(m.training for m in model.teacher.modules())
    assert set(model.state_dict()) == {"head.weight", "head.bias"}
    assert [name for name, _ in model.named_parameters()] == ["head.weight", "head.bias"]
    model.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(inner[0].weight, weight)
    model.to(torch.float64)
    assert inner[0].weight.dtype == torch.float64
    x = torch.randn(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    model.teacher(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("kind", ["vgg19", "squeezenet"])
def test_kind_is_inferred_from_the_tensors(tmp_path, kind, suffix):
    trunk = load_trunk(saved(tmp_path, kind, suffix))
    assert isinstance(trunk, FeatureTrunk)
    assert trunk.name == kind
    assert len(trunk.sha256) == 64
    maps = trunk(torch.zeros(2, 3, 64, 48))
    assert len(maps) == len(trunk.weights)
    widths = {"vgg19": [64, 128, 256, 512, 512], "squeezenet": [96, 256, 512, 512]}[kind]
    assert [m.shape[1] for m in maps] == widths
    assert all((m >= 0).all() for m in maps)


def test_vgg_layers_and_weights(tmp_path):
    trunk = load_trunk(saved(tmp_path, "vgg19"))
    assert trunk is not None
    assert trunk.weights == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    assert [m.shape[-2:] for m in trunk(torch.zeros(1, 3, 32, 48))] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert sum(v.numel() for v in KINDS["vgg19"].build().state_dict().values()) == 12_944_960  # conv1_1 to conv5_1


def test_gradient_autocast_and_channels_last(tmp_path):
    trunk = load_trunk(saved(tmp_path, "squeezenet"))
    assert trunk is not None
    real = torch.rand(1, 3, 40, 40) * 2 - 1
    fake = (torch.rand(1, 3, 40, 40) * 2 - 1).requires_grad_()
    plain = perceptual(trunk(fake), trunk(real), trunk.weights)
    plain.backward()
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0
    trunk.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = perceptual(trunk(fake.contiguous(memory_format=torch.channels_last)), trunk(real), trunk.weights)
    assert half.item() == pytest.approx(plain.item(), rel=0.05)


def test_layers_and_normalisation_are_options(tmp_path):
    path = saved(tmp_path, "squeezenet")
    one, raw = load_trunk(path, layers=(1,)), load_trunk(path, layers=(1,), normalise=False)
    assert one is not None
    assert raw is not None
    x = torch.rand(1, 3, 30, 30) * 2 - 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    torch.testing.assert_close(one(x)[0], raw((x * 0.5 + 0.5 - mean) / std)[0])
    assert len(one(x)) == 1


def test_nothing_is_ever_random(tmp_path, monkeypatch):
    assert load_trunk("none") is None
    with pytest.raises(UserError, match="pass the path"):
        load_trunk(tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(UserError, match=r"text\.pt is not a readable"):
        load_trunk(tmp_path / "text.pt")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="neither VGG19 nor SqueezeNet"):
        load_trunk(tmp_path / "other.pt")
    state = torch.load(saved(tmp_path, "squeezenet"), weights_only=True)
    del state["features.7.squeeze.bias"]
    torch.save(state, tmp_path / "part.pt")
    with pytest.raises(UserError, match=r"features\.7\.squeeze\.bias .* missing"):
        load_trunk(tmp_path / "part.pt")

    def refuse(*_args, **_kwargs):
        raise trunks.urllib.error.URLError("no route")

    monkeypatch.setattr(trunks.urllib.request, "urlopen", refuse)
    with pytest.raises(UserError, match=r"cannot download .*no route.*pass the path"):
        load_trunk("vgg19", cache=tmp_path / "cache")
    with pytest.raises(UserError, match="too small for squeezenet"):
        FeatureTrunk(KINDS["squeezenet"], KINDS["squeezenet"].build())(torch.zeros(1, 3, 20, 40))


@pytest.mark.parametrize("kind", ["vgg19", "squeezenet"])
def test_smallest_size_works(kind):
    side = KINDS[kind].smallest
    maps = FeatureTrunk(KINDS[kind], KINDS[kind].build())(torch.zeros(1, 3, side, side))
    assert min(maps[-1].shape[-2:]) >= 1


def test_download_is_checked_and_cached(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "x.bin").write_bytes(b"weights")
    good = trunks.sha256_of(source / "x.bin")[:8]
    (source / f"net-{good}.pth").write_bytes(b"weights")
    (source / "net-00000000.pth").write_bytes(b"weights")
    cache = tmp_path / "cache"
    path = trunks.fetch((source / f"net-{good}.pth").as_uri(), cache)
    assert path.read_bytes() == b"weights"
    (source / f"net-{good}.pth").unlink()
    assert trunks.fetch((source / f"net-{good}.pth").as_uri(), cache) == path  # from the cache
    with pytest.raises(UserError, match="damaged"):
        trunks.fetch((source / "net-00000000.pth").as_uri(), cache)
    assert [p.name for p in cache.iterdir()] == [path.name]


def test_perceptual_is_a_weighted_l1():
    fake = [torch.full((1, 2, 2, 2), 3.0, requires_grad=True), torch.zeros(1, 1, 1, 1)]
    real = [torch.ones(1, 2, 2, 2, requires_grad=True), torch.full((1, 1, 1, 1), -4.0)]
    loss = perceptual(fake, real, (0.5, 0.25))
    assert loss.item() == pytest.approx(0.5 * 2 + 0.25 * 4)
    loss.backward()
    assert fake[0].grad is not None
    assert real[0].grad is None
    with pytest.raises(ValueError, match="do not match"):
        perceptual(fake, real[:1], (1.0, 1.0))


def test_real_weights_tell_pictures_apart(shared_data):
    """Frames a moment apart are nearer than frames seconds apart, in every layer."""
    path = shared_data / "weights/squeezenet1_0_imagenet.pt"
    frames = sorted((shared_data / "street_camvid/train/images").glob("*.jpg"))
    if not path.is_file() or not frames:
        pytest.skip("the shared data is not here")
    import numpy as np
    from PIL import Image

    trunk = load_trunk(path)
    assert trunk is not None
    pictures = np.stack([np.asarray(Image.open(frames[i]).resize((80, 60))) for i in (0, 1, 60)])
    maps = trunk(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1)
    for m in maps:
        assert (m[0] - m[1]).abs().mean() < 0.9 * (m[0] - m[2]).abs().mean()
