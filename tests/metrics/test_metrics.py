"""Every metric against an independent definition or a case with a known answer."""

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from videosynth import metrics
from videosynth.metrics import Motion, PooledTrunk, ScriptExtractor, Suite, TimeStatistics, load_extractor
from videosynth.nn.trunks import KINDS, FeatureTrunk
from videosynth.types import UserError


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    real = (rng.random((3, 8, 12, 3)).repeat(4, 1).repeat(4, 2) * 255).astype(np.uint8)
    noisy = np.clip(real + rng.normal(0, 20, real.shape), 0, 255).astype(np.uint8)
    return real, noisy


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return FeatureTrunk(KINDS["squeezenet"], KINDS["squeezenet"].build())


class Line:
    """A 2-D extractor with a known answer: the mean colour."""

    name, dims, feature_size, length = "colour", 2, 3, 1

    def __call__(self, video):
        return video.mean(dim=(2, 3))


def shift(_current, previous):
    """A teacher that knows: everything moved by (2, 1) pixels."""
    flow = np.zeros((2, *previous.shape[:2]), np.float32)
    flow[0], flow[1] = -2, -1
    confidence = np.ones((1, *previous.shape[:2]), np.float32)
    confidence[:, :1], confidence[:, :, :2] = 0, 0
    return flow, confidence


def test_psnr_and_gaussian_ssim_agree_with_torchmetrics(pair):
    real, noisy = pair
    a, b = (torch.from_numpy(x).permute(0, 3, 1, 2).double() / 255 for x in (noisy, real))
    each = [peak_signal_noise_ratio(p, q, data_range=1.0).item() for p, q in zip(a, b)]
    np.testing.assert_allclose(metrics.psnr(noisy, real), each, rtol=1e-5)
    # torchmetrics also counts windows over a mirrored border: compare those that lie inside the picture
    options = {"data_range": 1.0, "sigma": 1.5, "reduction": "none", "return_full_image": True}
    full = structural_similarity_index_measure(a, b, **options)[1]
    inside = full[:, :, 5:-5, 5:-5].mean(dim=(1, 2, 3))
    np.testing.assert_allclose(metrics.ssim(noisy, real, "gaussian"), inside, atol=1e-6)


def test_uniform_ssim_follows_its_definition(pair):
    real, noisy = (x[:1, :9, :8] for x in pair)
    total = []
    for channel in range(3):
        for y in range(3):
            for x in range(2):
                a, b = (v[0, y : y + 7, x : x + 7, channel].ravel() / 255 for v in (noisy, real))
                c = np.cov(a, b)
                top = (2 * a.mean() * b.mean() + 1e-4) * (2 * c[0, 1] + 9e-4)
                total.append(top / ((a.mean() ** 2 + b.mean() ** 2 + 1e-4) * (c[0, 0] + c[1, 1] + 9e-4)))
    assert metrics.ssim(noisy, real)[0] == pytest.approx(np.mean(total), abs=1e-6)


def test_equal_frames(pair, trunk):
    real, _ = pair
    np.testing.assert_allclose(metrics.psnr(real, real), 100)
    np.testing.assert_allclose(metrics.ssim(real, real), 1)
    np.testing.assert_allclose(metrics.perceptual_distance(real, real, trunk), 0, atol=1e-6)


def test_perceptual_distance_follows_its_definition(pair, trunk):
    real, noisy = pair
    a, b = (trunk(torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1) for x in (noisy, real))
    expected = 0.0
    for p, q in zip(a, b):
        p, q = (m / m.norm(dim=1, keepdim=True).clamp(min=1e-12) for m in (p, q))
        expected = expected + ((p - q) ** 2).sum(1).mean((1, 2))
    np.testing.assert_allclose(metrics.perceptual_distance(noisy, real, trunk), expected, rtol=1e-4)


def test_gradient_energy_tells_blur_and_noise(pair):
    real, noisy = pair
    ramp = np.tile((np.arange(10, dtype=np.uint8) * 5)[None, None, :, None], (1, 10, 1, 3))
    assert metrics.gradient_energy(ramp)[0] == pytest.approx(5 / 255)
    blurred = np.stack([np.full_like(f, f.mean()) for f in real])
    assert (metrics.gradient_energy(blurred) == 0).all()
    assert (metrics.gradient_energy(noisy) > metrics.gradient_energy(real)).all()


def test_warping_error_is_zero_for_the_known_motion():
    picture = np.random.default_rng(1).integers(0, 255, (30, 40, 3), np.uint8)
    video = np.stack([np.roll(picture, (t, 2 * t), (0, 1)) for t in range(4)])
    motion = metrics.motion_of(video, shift)
    assert motion.flow.shape == (3, 2, 30, 40)
    np.testing.assert_allclose(metrics.warping_error(video, motion), 0, atol=1e-6)
    still = np.repeat(video[:1], 4, axis=0)
    assert (metrics.warping_error(still, motion) > 0.1).all()
    nowhere = Motion(motion.flow, motion.valid * 0)
    assert np.isnan(metrics.warping_error(video, nowhere)).all()
    with pytest.raises(ValueError, match="do not go with"):
        metrics.warping_error(video[:2], motion)


def test_frechet_distance_of_known_gaussians():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (40_000, 3)), rng.normal(1, 2, (40_000, 3)) * [1, 1, 1]
    # |mean|^2 = 3, tr(A + B - 2 sqrt(AB)) = 3 * (1 + 4 - 4)
    assert metrics.frechet_distance(a, b) == pytest.approx(6, abs=0.15)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    c = (rng.normal(size=(4000, 3)) * [3, 1, 0.1]) @ rotation
    d = rng.normal(size=(4000, 3)) * [0.5, 2, 1]
    values = np.linalg.eigvals(np.cov(c, rowvar=False) @ np.cov(d, rowvar=False))
    expected = np.sum((c.mean(0) - d.mean(0)) ** 2) + np.trace(np.cov(c, rowvar=False) + np.cov(d, rowvar=False))
    assert metrics.frechet_distance(c, d) == pytest.approx(expected - 2 * np.sqrt(values.real).sum(), rel=1e-8)


def test_frechet_distance_survives_flat_features():
    flat = np.ones((10, 4))
    assert metrics.frechet_distance(flat, flat + 1) == pytest.approx(4)


def test_kernel_distance_is_unbiased():
    rng = np.random.default_rng(3)
    same = [metrics.kernel_distance(rng.normal(size=(20, 5)), rng.normal(size=(20, 5))) for _ in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 300**0.5
    assert metrics.kernel_distance(rng.normal(size=(20, 5)), rng.normal(2, 1, (20, 5))) > 10 * np.std(same)
    a, b = np.array([[1.0, 0], [0, 1]]), np.array([[1.0, 1], [1, 1]])
    # k = (x.y/2 + 1)^3: within a 1, within b 8, across (1/2 + 1)^3 = 3.375
    assert metrics.kernel_distance(a, b) == pytest.approx(1 + 8 - 2 * 3.375)


def test_distance_and_name_follow_the_number_of_samples():
    x = np.random.default_rng(4).normal(size=(8, 4))
    assert list(metrics.distribution_distance(x, x, "net", 2)) == ["fid[net,N=8]"]
    assert list(metrics.distribution_distance(x, x[:7], "net", 2)) == ["kid[net,N=7]"]
    assert list(metrics.distribution_distance(x, x, "net", 3)) == ["fvd[net,N=8]"]
    assert list(metrics.distribution_distance(x[:2], x, "net", 3)) == ["kvd[net,N=2]"]
    assert metrics.distribution_distance(x[:1], x, "net", 3) == {}


def test_built_in_extractors(trunk):
    frames, clips = PooledTrunk(trunk), TimeStatistics(PooledTrunk(trunk), length=4)
    assert (frames.name, frames.dims, frames.feature_size) == ("squeezenet", 2, 512)
    assert (clips.name, clips.dims, clips.feature_size) == ("squeezenet-time4", 3, 1024)
    video = torch.rand(2, 4, 3, 32, 32) * 2 - 1
    out = clips(video)
    assert out.shape == (2, 1024)
    each = frames(video[1])
    torch.testing.assert_close(out[1, :512], each.mean(0))
    torch.testing.assert_close(out[1, 512:], each.diff(dim=0).abs().mean(0))
    assert clips(video[:, :1].expand(-1, 4, -1, -1, -1))[:, 512:].abs().max() < 1e-5  # nothing moves


class Inception(nn.Module):
    def forward(self, img: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        mean = img.mean(dim=(2, 3))
        return mean if return_features else mean[:, :1]


class I3D(nn.Module):
    def forward(self, x: torch.Tensor, rescale: bool = False, resize: bool = False) -> torch.Tensor:
        return x[:, :, 0].mean(dim=(2, 3)) if rescale and resize else x


def test_script_extractors(tmp_path):
    torch.jit.script(Inception()).save(tmp_path / "inception.pt")
    torch.jit.script(I3D()).save(tmp_path / "i3d.pt")
    frames, clips = load_extractor(tmp_path / "inception.pt", 2), load_extractor(tmp_path / "i3d.pt", 3, length=5)
    assert isinstance(frames, ScriptExtractor)
    assert isinstance(clips, ScriptExtractor)
    assert (frames.name, frames.feature_size, clips.name, clips.feature_size) == ("inception", 3, "i3d", 3)
    torch.testing.assert_close(frames(torch.ones(2, 3, 8, 8)), torch.full((2, 3), 255.0))
    video = torch.full((2, 5, 3, 8, 8), -1.0)
    video[:, 0] = 1
    torch.testing.assert_close(clips(video), torch.full((2, 3), 255.0))
    with pytest.raises(UserError, match="choose the other kind"):
        load_extractor(tmp_path / "i3d.pt", 2)
    (tmp_path / "no.pt").write_text("no")
    with pytest.raises(UserError, match=r"no\.pt"):
        load_extractor(tmp_path / "no.pt")
    assert load_extractor("none") is None


def test_suite_over_sequences(pair, trunk):
    real, noisy = pair
    suite = Suite(trunk, [Line(), TimeStatistics(Line(), length=2)], teacher=shift)
    suite.update(real, noisy, "a")
    reference = suite.reference(real[:2])
    suite.update(reference, real[:2], "b")
    result = suite.result()
    assert set(result) == {
        "psnr", "ssim", "perceptual[squeezenet]", "warping_error", "warping_excess", "gradient_ratio",
        "kid[colour,N=5]", "kvd[colour-time2,N=3]",
    }  # fmt: skip
    assert suite.scores["b"].values()["ssim"] == 1
    every = np.concatenate([metrics.ssim(noisy, real), [1, 1]])
    assert result["ssim"] == pytest.approx(every.mean())
    with pytest.raises(UserError, match="sequence c: the generated frames"):
        suite.update(real, noisy[:2], "c")
    with pytest.raises(ValueError, match="already"):
        suite.update(real, noisy, "a")


def test_score_of_one_sequence_with_dis(pair):
    real, noisy = pair
    values = metrics.score(real, noisy)
    assert values["gradient_ratio"] > 1
    assert values["psnr"] < 30
    black = np.zeros_like(real)
    assert "gradient_ratio" not in metrics.score(black, black)  # nothing to compare with
    assert metrics.score(real[:1], noisy[:1]).keys() == {"psnr", "ssim", "gradient_ratio"}
