"""The worlds of shapes and of digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from videosynth.apps.maps import open_maps
from videosynth.data.collections import read_videos
from videosynth.data.module import VideoData
from videosynth.data.worlds import digits, shapes
from videosynth.types import DataSpec, UserError

SIZE = (64, 64)


def motion(places: np.ndarray, along: np.ndarray) -> dict[str, float]:
    """Statistics of centres ``N T 2`` (x, y); ``along`` is the axis of each motion."""
    n = np.arange(len(places))
    ahead, aside = places[n, :, along], places[n, :, 1 - along]
    steps = np.diff(ahead, axis=1)
    length = np.hypot(*np.moveaxis(np.diff(places, axis=1), -1, 0)).sum(1)
    return {
        "path": length.mean(), "spread": length.std(), "first": steps[:, 0].mean(), "last": steps[:, -1].mean(),
        "aside": np.abs(aside - aside[:, :1]).max(1).mean(), "middle": ahead[:, 16].std(), "place": aside[:, 0].std(),
        "way": (ahead[:, 0] - ahead[:, -1]).mean(),
    }  # fmt: skip


def test_shapes_move_as_the_real_ones_do(shared_data: Path) -> None:
    real = np.load(shared_data / "shape_motion" / "labels.npz", allow_pickle=False)
    theirs = motion(real["centre"].astype(float), np.where(real["action"] == 0, 1, 0))
    made = [shapes.shape_of(seed) for seed in range(2000)]
    centres = np.array([shapes.corners(m, SIZE)[0][:, ::-1] for m in made], float)
    ours = motion(centres, np.array([1 if m.action == "up" else 0 for m in made]))
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, rel=0.05), name
    for name, names in (("action", shapes.ACTIONS), ("shape", shapes.SHAPES), ("size", shapes.SIZES)):
        counts = [sum(getattr(m, name) == word for m in made) for word in names]
        assert min(counts) > 0.85 * 2000 / len(names), name


@pytest.mark.parametrize("size", [(64, 64), (32, 32), (48, 80), (128, 128)])
@pytest.mark.parametrize("length", [1, 2, 16, 50])
def test_a_shape_stays_inside_and_keeps_its_looks(size: tuple[int, int], length: int) -> None:
    for seed in range(12):
        shape = shapes.shape_of(seed)
        assert shape.colour.max() >= 96
        places, side = shapes.corners(shape, size, length)
        assert places.min() >= 0
        assert (places + side <= size).all()
        images = shapes.render(seed, size, range(length), length)
        areas = {int((image == shape.colour).all(-1).sum()) for image in images}
        assert len(areas) == 1
        assert {int(image.any(-1).sum()) for image in images} == areas  # hard edges: nothing but colour and black
        if shape.shape == "square":
            assert areas == {side * side}


def test_up_goes_up_and_left_goes_left() -> None:
    for seed in range(20):
        shape = shapes.shape_of(seed)
        places = shapes.corners(shape, SIZE)[0]
        along = 0 if shape.action == "up" else 1
        assert places[0, along] == 62 - shape.size
        assert places[-1, along] == 1
        assert places[0, 1 - along] == places[-1, 1 - along]


def test_a_part_of_a_video_is_that_part() -> None:
    every = shapes.render(3, SIZE, range(32))
    part = shapes.render(3, SIZE, range(4, 20, 3))
    assert all(np.array_equal(a, b) for a, b in zip(part, every[4:20:3], strict=True))
    seen, _ = digits.render(3, SIZE, range(20))
    later, _ = digits.render(3, SIZE, range(5, 20, 5))
    assert all(np.array_equal(a, b) for a, b in zip(later, seen[5:20:5], strict=True))


@pytest.mark.parametrize("name", ["shapes", "digits"])
def test_clips_are_the_same_with_any_number_of_workers(name: str) -> None:
    def clips(workers: int) -> list:
        options = {"size": (32, 32), "clip_length": 4, "batch_size": 3, "steps_per_epoch": 2, "flip": False}
        data = VideoData(world=name, world_seeds=50, digits=1, workers=workers, **options)  # type: ignore[arg-type]
        assert data.flow == "none"
        assert data.spec.maps == ()
        return list(data.train_dataloader())

    for one, two in zip(clips(0), clips(1), strict=True):
        assert one.keys == two.keys
        assert torch.equal(one.frames, two.frames)
        assert one.frames.shape == (3, 4, 3, 32, 32)
        assert one.flow is None
        assert {k: v.shape for k, v in one.attributes.items()} == dict.fromkeys(two.attributes, (3, 4))
        assert all((v >= 0).all() for v in one.attributes.values())


def test_attributes_of_shapes_are_true() -> None:
    data = VideoData(world="shapes", size=SIZE, world_seeds=30, flip=False, workers=0, attributes=["shape", "action"])
    assert data.spec.attributes == {"action": ("up", "left"), "shape": ("disc", "square")}
    for step in range(10):
        draw = data.draw(step, 0, 0)
        clip, shape = data.dataset[draw], shapes.shape_of(draw.sequence)
        assert int(clip.attributes["action"][0, 0]) == shapes.ACTIONS.index(shape.action)
        assert int(clip.attributes["shape"][0, 0]) == shapes.SHAPES.index(shape.shape)


def test_worlds_to_measure_on_are_unseen() -> None:
    spec = VideoData(world="shapes", size=(32, 32)).spec
    clips = list(read_videos("world:shapes", spec, 16, limit=3))
    assert [name for name, _, _ in clips] == ["shapes-1000003@0", "shapes-1000003@16", "shapes-1000004@0"]
    assert clips[0][1].shape == (16, 32, 32, 3)
    assert clips[0][2] == clips[1][2]
    assert min(clips[0][2].values()) >= 0
    long = next(read_videos("world:shapes", spec, 40))
    assert long[1].shape[0] == 40


def test_digits_bounce_inside() -> None:
    for seed in range(40):
        way = digits._walk(np.random.default_rng(seed), (32, 32), 60)
        assert way.min() >= 0
        assert way.max() <= 31
        assert np.abs(np.diff(way, axis=0)).max() <= 4
    resting = sum(
        bool((np.diff(digits._walk(np.random.default_rng(s), (32, 32), 9), axis=0) == 0).all()) for s in range(300)
    )
    assert resting < 20  # a velocity of zero is one of 81


def test_digits_of_a_file_and_their_labels(tmp_path: Path) -> None:
    glyphs = np.zeros((10, 28, 28), np.uint8)
    for n in range(10):
        glyphs[n, 4:24, 4:24] = 20 + 10 * n
    np.savez(tmp_path / "g.npz", train_images=glyphs, train_labels=np.arange(10, dtype=np.uint8))
    options = {
        "world": "digits",
        "size": SIZE,
        "flip": False,
        "workers": 0,
        "clip_length": 2,
        "glyphs": str(tmp_path / "g.npz"),
    }
    one = VideoData(digits=1, **options)  # type: ignore[arg-type]
    assert one.spec.attributes == {"digit": digits.NAMES}
    for step in range(8):
        clip = one.dataset[one.draw(step, 0, 0)]
        assert clip.frames is not None
        label = int(clip.attributes["digit"][0, 0])
        assert clip.frames[0, 0, 0].flatten().mode().values == 0
        assert (clip.frames == 20 + 10 * label).any()
    assert VideoData(**options).spec.attributes == {}  # type: ignore[arg-type]
    two = np.stack(digits.render(1, SIZE, range(30), 2, digits.read_glyphs(tmp_path / "g.npz"))[0])
    assert two.max() <= 255


def test_overlapping_digits_add_up_to_white() -> None:
    glyphs = digits.Glyphs(np.full((1, 28, 28), 200, np.uint8), None)
    frames = np.stack(digits.render(0, SIZE, range(40), 3, glyphs)[0])
    assert set(np.unique(frames)) <= {0, 200, 255}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        ({"pictures": np.zeros((2, 28, 28), np.uint8)}, "no images or train_images"),
        ({"images": np.zeros((2, 20, 20), np.uint8)}, "give uint8 N x 28 x 28"),
        ({"images": np.zeros((2, 28, 28), np.uint8), "labels": np.array([1, 12])}, "numbers of 0 to 9"),
    ],
)
def test_wrong_glyphs_are_one_line(tmp_path: Path, content: dict | None, message: str) -> None:
    path = tmp_path / "g.npz"
    if content is not None:
        np.savez(path, **content)
    with pytest.raises(UserError, match=message):
        VideoData(world="digits", digits=1, glyphs=str(path)).prepare_data()


def test_a_folder_of_glyphs_is_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "mnist.npy", np.zeros((2, 28, 28), np.uint8))
    with pytest.raises(UserError, match=r"is a folder \(it holds mnist.npy\): give a file"):
        VideoData(world="digits", digits=1, glyphs=str(tmp_path)).prepare_data()


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_damaged_glyphs_are_one_line(tmp_path: Path, part: float) -> None:
    path = tmp_path / "g.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UserError, match="cannot be read"):
        VideoData(world="digits", digits=1, glyphs=str(path)).prepare_data()
    bent = bytearray(content)
    bent[len(bent) // 2] ^= 255  # the archive's own list of files stays whole
    path.write_bytes(bytes(bent))
    digits.read_glyphs.cache_clear()
    with pytest.raises(UserError, match="cannot be read"):
        VideoData(world="digits", digits=1, glyphs=str(path)).prepare_data()


def test_real_digits(shared_data: Path) -> None:
    glyphs = digits.read_glyphs(shared_data / "mnist" / "mnist.npz")
    images, known = digits.render(0, SIZE, range(3), 1, glyphs)
    assert len(glyphs.images) == 8000
    assert images[0].any()
    assert known["digit"] in digits.NAMES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"world": "shapes", "flow": "world"}, "knows no flow"),
        ({"world": "shapes", "attributes": ["digit"]}, "the data has action, shape, size"),
        ({"world": "shapes", "maps": ["labels"]}, "no labels maps"),
        ({"world": "shapes", "clip_length": 33}, "longest sequence has 32"),
        ({"world": "forms"}, "no world 'forms'; choose from: street, shapes, digits"),
        ({"world": "digits", "digits": 0}, "data.digits must be 1 or more"),
    ],
)
def test_wrong_options_are_one_line(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        VideoData(size=SIZE, workers=0, **options).draw(0, 0, 0)


def test_a_world_without_maps_drives_nothing() -> None:
    with pytest.raises(UserError, match=r"world:shapes has no maps to drive a model by: .* world:street"):
        open_maps("world:shapes", DataSpec())
