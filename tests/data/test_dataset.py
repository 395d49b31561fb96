from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from videosynth import ops
from videosynth.data.dataset import ClipDataset, Memory, StoredFlow, iterate
from videosynth.data.draws import Draw, DrawSettings, draw
from videosynth.data.layouts import index_folder
from videosynth.data.transforms import coarsened
from videosynth.flow.cache import FlowCache
from videosynth.types import DataSpec, UserError
from videosynth.video.images import write_image

SIZE = (24, 32)
SHIFT = 2  # pixels that the picture moves left per frame


def moving(i: int, wide: int = 60) -> np.ndarray:
    scene = np.random.default_rng(0).integers(0, 256, (SIZE[0], wide, 3), dtype=np.uint8)
    return scene[:, SHIFT * i : SHIFT * i + SIZE[1]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for i in range(8):
        image = moving(i)
        write_image(folder / "images" / f"{i}.png", image)
        write_image(folder / "labels" / f"{i}.png", (image[..., 0] // 64).astype(np.uint8))
        write_image(folder / "instances" / f"{i}.png", image[..., 0].astype(np.uint16) * 200)
        write_image(folder / "depth" / f"{i}.png", image[..., 1])
        (folder / "flow").mkdir(exist_ok=True)
        flow = np.zeros((2, *SIZE), np.float32)
        flow[0] = SHIFT  # now[x] = before[x + SHIFT]
        np.save(folder / "flow" / f"{i}.npy", flow)
    return folder


class Counting:
    """A teacher that knows the answer and counts how often it is asked."""

    name = "counting"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, current: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.calls += 1
        flow = np.zeros((2, *current.shape[:2]), np.float32)
        flow[0] = SHIFT * current.shape[1] / SIZE[1]
        return flow, np.ones((1, *current.shape[:2]), np.float32)


def test_an_id_that_the_scan_missed_is_refused(root):
    index = index_folder(root)
    spec = index.spec(SIZE)
    write_image(root / "labels" / "4.png", np.full(SIZE, 9, np.uint8))
    data = ClipDataset(index, spec)
    assert data[plain(0)].length == 3
    with pytest.raises(UserError, match=r"4\.png holds the id 9; .* dataset.yaml"):
        _ = data[plain(3)]


def test_ids_are_remapped_as_the_data_set_says(root):
    (root / "dataset.yaml").write_text("classes: [near, far]\nremap: {0: 1, 2: 0}\n")
    index = index_folder(root)
    spec = index.spec(SIZE)
    labels = ClipDataset(index, spec)[plain(0, length=1)].maps["labels"][0, 0].numpy()
    stored = moving(0)[..., 0] // 64
    assert (labels[stored == 0] == 1).all()
    assert (labels[stored == 2] == 0).all()
    assert (labels[(stored == 1) | (stored == 3)] == 255).all(), "what is not named is void"
    assert spec.map("classes").void == 255
    (root / "dataset.yaml").unlink()  # the same maps, handed to a model that was trained so
    again = next(iterate(index_folder(root), None, DataSpec.from_json(spec.to_json())))["labels"]
    assert np.array_equal(again[0].numpy(), labels)
    (root / "dataset.yaml").write_text("remap: cityscapes\n")
    assert index_folder(root).spec(SIZE).map("classes").channels == 19
    (root / "dataset.yaml").write_text("remap: [1, 2]\n")
    with pytest.raises(UserError, match="remap must be cityscapes"):
        index_folder(root)


def test_coarser_labels():
    ids = np.zeros((48, 64), np.uint8)
    ids[10:30, 10:40] = 1
    ids[5, 50] = 2  # a single pixel
    ids[11:29:3, 40:46] = 1  # a comb
    ((same, other),) = coarsened([[ids, ids]], 0.8, seed=3)
    assert np.array_equal(same, other), "all frames of a clip alike"
    assert set(np.unique(same)) == {0, 1}, "no class appears, specks vanish"
    assert (same == 1)[15:25, 15:35].all()
    edges = [np.abs(np.diff((m == 1).astype(int), axis=0)).sum() for m in (ids, same)]
    assert edges[1] < edges[0], "outlines are shorter"
    assert not np.array_equal(coarsened([[ids]], 0.8, seed=4)[0][0], same)
    objects = np.where(ids == 1, 7, 0).astype(np.int32)
    objects[10:30, 25:] *= 2  # two objects of the class, side by side
    ((labels,), (instances,)) = coarsened([[ids], [objects]], 0.8, seed=3)
    assert np.array_equal(labels == 1, instances > 0), "classes and objects keep one outline"
    assert set(np.unique(instances)) == {0, 7, 14}
    assert instances.dtype == np.int32


def test_coarse_clips_are_drawn_by_share():
    settings = DrawSettings(SIZE, 3, coarsen=0.5)
    strengths = [draw((8,), settings, 0, step, 0, 0).coarsen for step in range(200)]
    assert 70 < sum(s > 0 for s in strengths) < 130
    before = [draw((8,), DrawSettings(SIZE, 3), 0, step, 0, 0) for step in range(20)]
    assert all(a == draw((8,), settings, 0, s, 0, 0)._replace(coarsen=0.0) for s, a in enumerate(before))


def plain(start: int = 0, stride: int = 1, length: int = 3, size: tuple[int, int] = SIZE, **changes: object) -> Draw:
    return Draw(0, start, stride, length, size, SIZE, (0.0, 0.0), False, None, 0)._replace(**changes)


def test_a_clip_has_the_shapes_and_types_of_the_table(root: Path) -> None:
    index = index_folder(root)
    clip = ClipDataset(index, index.spec(SIZE), StoredFlow())[plain(start=2)]
    assert clip.frames is not None
    assert (clip.frames.shape, clip.frames.dtype) == ((1, 3, 3, *SIZE), torch.uint8)
    assert {k: (tuple(v.shape), v.dtype) for k, v in clip.maps.items()} == {
        "labels": ((1, 3, *SIZE), torch.uint8),
        "instances": ((1, 3, *SIZE), torch.int32),
        "depth": ((1, 3, 1, *SIZE), torch.uint8),
    }
    assert clip.flow is not None
    assert clip.confidence is not None
    assert (clip.flow.shape, clip.flow.dtype) == ((1, 3, 2, *SIZE), torch.float32)
    assert clip.confidence.shape == (1, 3, 1, *SIZE)
    assert clip.keys == ("set/2",)
    assert np.array_equal(clip.frames[0, 0].permute(1, 2, 0).numpy(), moving(2))
    assert torch.equal(clip.maps["instances"][0, 1], torch.from_numpy(moving(3)[..., 0].astype(np.int32) * 200))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("source", ["disk", "teacher"])
def test_flow_leads_to_the_frame_before_whatever_the_geometry(root: Path, source: str, flip: bool) -> None:
    index = index_folder(root)
    data = ClipDataset(index, index.spec((16, 20)), StoredFlow() if source == "disk" else Counting())
    clip = data[plain(start=1, size=(16, 20), crop=(0.5, 1.0), flip=flip)]
    assert clip.frames is not None
    assert clip.flow is not None
    assert clip.confidence is not None
    dx = -SHIFT if flip else SHIFT
    assert (clip.flow[0, 1:, 0] == dx).all()
    assert (clip.flow[0, 0] == 0).all()
    assert clip.confidence[0].mean((1, 2, 3)).tolist() == [0, 1, 1]
    now, before = clip.frames[0, 2], clip.frames[0, 1]
    assert torch.equal(now[..., 2:-2], torch.roll(before, -dx, -1)[..., 2:-2])
    labels = clip.maps["labels"][0]
    assert torch.equal(labels, clip.frames[0, :, 0] // 64)


def test_colour_changes_all_frames_alike_and_no_map(root: Path) -> None:
    index = index_folder(root)
    data = ClipDataset(index, index.spec(SIZE))
    before, after = data[plain()], data[plain(colour=(1.2, 0.9, 0.8, 0.3))]
    assert before.frames is not None
    assert after.frames is not None
    assert not torch.equal(before.frames, after.frames)
    assert torch.equal(before.maps["labels"], after.maps["labels"])
    assert torch.equal(after.frames[0, 0, :, :, 2:], after.frames[0, 1, :, :, :-2])  # still one moving picture


def test_stored_flow_joins_neighbours_only(root: Path) -> None:
    index = index_folder(root)
    with pytest.raises(UserError, match=r"data\.max_step"):
        ClipDataset(index, index.spec(SIZE), StoredFlow())[plain(stride=2)]


def test_memory_gives_the_same_clips_and_computes_once(root: Path, tmp_path: Path) -> None:
    index = index_folder(root)
    spec = index.spec(SIZE)
    settings = DrawSettings(SIZE, 3, 2, (1.0, 1.3), True, 0.1)
    draws = [draw(index.lengths, settings, 0, step, 0, 0) for step in range(12)]
    direct, kept, teacher = ClipDataset(index, spec, Counting()), Memory(1 << 20), Counting()
    cached = ClipDataset(index, spec, teacher, kept)
    stored = ClipDataset(index, spec, FlowCache(tmp_path / "cache", Counting()))
    for one in draws:
        clip, again, third = direct[one], cached[one], stored[one]
        assert clip.frames is not None
        assert again.frames is not None
        assert clip.flow is not None
        assert again.flow is not None
        assert third.flow is not None
        assert torch.equal(clip.frames, again.frames)
        assert torch.equal(clip.flow, again.flow)
        assert torch.allclose(clip.flow, third.flow, atol=0.01)
    calls = teacher.calls
    for one in draws:
        _ = cached[one]
    assert teacher.calls == calls
    assert 0 < kept.used <= kept.limit
    assert pickle.loads(pickle.dumps(cached)).memory.used == 0


def test_memory_stops_at_its_limit() -> None:
    memory = Memory(limit=100)
    for i in range(5):
        memory.get(i, lambda: np.zeros(40, np.uint8))
    assert memory.used == 80


def test_void_ids_stay_ids(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "0.png", np.zeros((2, 2, 3), np.uint8))
    write_image(tmp_path / "labels" / "0.png", np.array([[0, 1], [255, 2]], np.uint8))
    index = index_folder(tmp_path)
    clip = ClipDataset(index, index.spec((2, 2)))[plain(length=1, size=(2, 2), scaled=(2, 2))]
    assert clip.maps["labels"].flatten().tolist() == [0, 1, 255, 2]


def test_ids_beyond_a_byte_name_the_file(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "0.png", np.zeros((2, 2, 3), np.uint8))
    write_image(tmp_path / "labels" / "0.png", np.full((2, 2), 26001, np.uint16))
    index = index_folder(tmp_path)
    with pytest.raises(UserError, match=r"labels/0.png holds the class id 26001"):
        _ = ClipDataset(index, index.spec((2, 2)))[plain(length=1, size=(2, 2), scaled=(2, 2))]


@pytest.mark.parametrize("fit", ["stretch", "cover"])
def test_streaming_yields_every_frame_at_the_models_size(root: Path, fit: str) -> None:
    index = index_folder(root)
    spec = index.spec((12, 12), fit)  # type: ignore[arg-type]
    frames = list(iterate(index, None, spec, "2:7"))
    assert len(frames) == 5
    assert {k: tuple(v.shape) for k, v in frames[0].items()} == {
        "labels": (1, 12, 12),
        "instances": (1, 12, 12),
        "depth": (1, 1, 12, 12),
        "images": (1, 3, 12, 12),
    }
    assert "images" not in next(iterate(index, "set", spec, images=False))


def test_streaming_without_a_needed_type_fails_before_the_first_frame(root: Path, tmp_path: Path) -> None:
    spec = index_folder(root).spec(SIZE)
    write_image(tmp_path / "other" / "labels" / "0.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(UserError, match="has no instances"):
        iterate(index_folder(tmp_path / "other"), None, spec)
    with pytest.raises(UserError, match="no sequence 'x'"):
        iterate(index_folder(root), "x", spec)


def test_streaming_refuses_ids_that_the_model_does_not_know(tmp_path: Path) -> None:
    write_image(tmp_path / "labels" / "0.png", np.array([[0, 3], [255, 1]], np.uint8))
    index = index_folder(tmp_path)
    assert len(list(iterate(index, None, index.spec((2, 2))))) == 1  # 255 is void
    (labels,) = index.spec((2, 2)).maps
    spec = DataSpec((replace(labels, channels=3),), (2, 2))
    with pytest.raises(UserError, match=r"0\.png holds the id 3; the model knows 0..2 and 255"):
        list(iterate(index, None, spec))


def test_flow_files_of_all_kinds_are_read(tmp_path: Path) -> None:
    import cv2

    from videosynth.data.decode import Decoder, FrameRef

    flow = np.random.default_rng(0).integers(-40, 40, (2, 5, 7)).astype(np.float32) / 4
    np.save(tmp_path / "a.npy", flow)
    np.save(tmp_path / "b.npy", flow.transpose(1, 2, 0))
    header = np.float32(202021.25).tobytes() + np.int32(7).tobytes() + np.int32(5).tobytes()
    (tmp_path / "c.flo").write_bytes(header + flow.transpose(1, 2, 0).astype("<f4").tobytes())
    kitti = np.stack([np.ones((5, 7)), flow[1] * 64 + 2**15, flow[0] * 64 + 2**15], -1).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / "d.png"), kitti)
    for name in ("a.npy", "b.npy", "c.flo", "d.png"):
        read, valid = Decoder().flow(FrameRef(tmp_path / name))
        assert np.array_equal(read, flow), name
        assert valid.shape == (1, 5, 7)
        assert (valid == 1).all()
    (tmp_path / "e.flo").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"e.flo cannot be read as flow"):
        Decoder().flow(FrameRef(tmp_path / "e.flo"))


def test_dense_maps_that_the_data_set_names(root: Path) -> None:
    """Normals in RGB as three channels, depth in its own range; a mirrored clip, a streamed video."""
    for i in range(8):
        write_image(root / "normals" / f"{i}.png", moving(i)[..., ::-1].copy())
    assert "normals" not in index_folder(root).types
    (root / "dataset.yaml").write_text("dense: {normals: {channels: 3}, depth: {range: [0, 128]}}\n")
    index = index_folder(root)
    spec = index.spec(SIZE)
    kinds = {m.name: (m.kind, m.channels, m.range) for m in spec.maps[-2:]}
    assert kinds == {"depth": ("dense", 1, (0.0, 128.0)), "normals": ("dense", 3, (0.0, 255.0))}
    assert spec.channels == spec.maps[0].channels + 1 + 1 + 3
    clip = ClipDataset(index, spec)[plain(start=2, flip=True)]
    told = clip.maps["normals"]
    assert (told.shape, told.dtype) == ((1, 3, 3, *SIZE), torch.uint8)
    assert np.array_equal(told[0, 0].permute(1, 2, 0).numpy(), moving(2)[:, ::-1, ::-1])
    frame = next(iterate(index, None, spec))
    assert np.array_equal(frame["normals"][0].permute(1, 2, 0).numpy(), moving(0)[..., ::-1])
    encoded = ops.encode_maps({k: v[:, 0] for k, v in clip.maps.items()}, spec)
    assert torch.allclose(encoded[:, -3:], told[:, 0].float() / 255)
    soft = ClipDataset(index, spec)[plain(start=2, coarsen=1.0)].maps["normals"]
    assert soft.shape == told.shape
    assert soft.float().std() < told.float().std()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dense: [normals]", "must name types of maps"),
        ("dense: {normals: {channels: 2}}", "channels must be 1"),
        ("dense: {normals: {range: [1, 0]}}", "two rising numbers"),
        ("dense: {normals: {depth: 3}}", "takes channels and range"),
        ("dense: {labels: {}}", "labels is a type of its own"),
    ],
)
def test_dense_maps_that_cannot_be(root: Path, text: str, said: str) -> None:
    (root / "dataset.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        index_folder(root)


def test_depth_of_16_bits_keeps_its_depth(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "0.png", np.zeros((2, 2, 3), np.uint8))
    write_image(tmp_path / "depth" / "0.png", np.array([[0, 1000], [40000, 65535]], np.uint16))
    index = index_folder(tmp_path)
    spec = index.spec((2, 2))
    assert spec.maps[0].range == (0.0, 65535.0)
    clip = ClipDataset(index, spec)[plain(length=1, size=(2, 2), scaled=(2, 2))]
    assert clip.maps["depth"].flatten().tolist() == [0, 1000, 40000, 65535]
