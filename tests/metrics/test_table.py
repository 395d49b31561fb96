"""The metrics reproduce figures that were measured independently on a real street video (frames 64..79 at 160x120)."""

import numpy as np
import pytest
from PIL import Image

from videosynth.metrics import Suite
from videosynth.nn.trunks import load_trunk

PERCEPTUAL = "perceptual[squeezenet]"


@pytest.fixture(scope="module")
def street(shared_data):
    files = sorted((shared_data / "street_camvid/train/images").glob("*.jpg"))
    weights = shared_data / "weights/squeezenet1_0_imagenet.pt"
    if len(files) != 80 or not weights.is_file():
        pytest.skip("the shared data is not here")
    frames = np.stack([np.asarray(Image.open(f).resize((160, 120), Image.Resampling.BICUBIC)) for f in files])
    labels = [Image.open(f.parents[1] / "labels" / f"{f.stem}.png") for f in files]
    maps = np.stack([np.asarray(m.resize((160, 120), Image.Resampling.NEAREST)) for m in labels])
    suite = Suite(load_trunk(weights))
    return frames, maps, suite.trunk, suite.reference(frames[64:])


def measured(trunk, reference, fake):
    suite = Suite(trunk)
    suite.update(reference, fake, "street")
    return suite.result()


def test_class_mean_colour(street):
    frames, maps, trunk, reference = street
    mean = np.stack([frames[:64][maps[:64] == c].mean(axis=0) for c in range(12)])
    values = measured(trunk, reference, mean[maps[64:]].round().astype(np.uint8))
    assert values["psnr"] == pytest.approx(16.52, abs=0.03)
    assert values["ssim"] == pytest.approx(0.394, abs=0.002)
    assert values[PERCEPTUAL] == pytest.approx(3.52, abs=0.03)
    assert values["warping_error"] == pytest.approx(0.0075, abs=0.0001)
    assert values["gradient_ratio"] == pytest.approx(0.19, abs=0.006)


def test_last_training_frame_repeated(street):
    frames, _, trunk, reference = street
    values = measured(trunk, reference, np.repeat(frames[63:64], 16, axis=0))
    assert values["psnr"] == pytest.approx(15.25, abs=0.006)
    assert values["ssim"] == pytest.approx(0.303, abs=0.001)
    assert values[PERCEPTUAL] == pytest.approx(2.49, abs=0.006)
    assert values["warping_error"] == pytest.approx(0.0394, abs=0.0001)
    assert values["gradient_ratio"] == pytest.approx(1, abs=0.06)


def test_real_video(street):
    frames, _, trunk, reference = street
    values = measured(trunk, reference, frames[64:])
    assert values["psnr"] == 100
    assert values["ssim"] == pytest.approx(1)
    assert values[PERCEPTUAL] == pytest.approx(0, abs=1e-6)
    assert values["warping_error"] == pytest.approx(0.0174, abs=0.0001)
    assert values["warping_excess"] == 0
    assert values["gradient_ratio"] == 1
