from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videosynth.data.classes import read_classes
from videosynth.data.index import frame_slice
from videosynth.data.layouts import index_folder
from videosynth.types import UserError
from videosynth.video.images import write_image
from videosynth.video.write import VideoWriter


def picture(path: Path, value: int = 0, size: tuple[int, int] = (6, 8)) -> None:
    write_image(path, np.full((*size, 3), value, np.uint8))


def ids(path: Path, value: int = 0, size: tuple[int, int] = (6, 8), dtype: type = np.uint8) -> None:
    write_image(path, np.full(size, value, dtype))


def test_our_layout_with_sequences(tmp_path: Path) -> None:
    for sequence, count in (("b", 3), ("a", 2)):
        for i in range(count):
            picture(tmp_path / "images" / sequence / f"{i}.jpg")
            ids(tmp_path / "labels" / sequence / f"{i}.png", i)
            ids(tmp_path / "instances" / sequence / f"{i}.png", 1000 * i, dtype=np.uint16)
    index = index_folder(tmp_path)
    assert index.layout == "videosynth"
    assert index.names == ("a", "b")
    assert index.lengths == (2, 3)
    assert index.types == ("images", "labels", "instances")
    spec = index.spec((6, 8))
    assert [(m.name, m.kind, m.channels) for m in spec.maps] == [
        ("labels", "classes", 3),
        ("instances", "instances", 1),
    ]


def test_a_single_sequence_may_leave_its_level_out(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / "images" / f"{i}.png")
    index = index_folder(tmp_path)
    assert index.names == (tmp_path.name,)
    assert index.lengths == (3,)


def test_frames_match_by_stem_in_natural_order(tmp_path: Path) -> None:
    for i in (1, 2, 9, 10):
        picture(tmp_path / "images" / f"f{i}.png", i)
    for i in (2, 9, 10, 11):
        ids(tmp_path / "labels" / f"f{i}.png", i)
    (sequence,) = index_folder(tmp_path).sequences
    assert sequence.stems == ("f2", "f9", "f10")
    assert {k: [p.name for p in v] for k, v in sequence.left_out.items()} == {
        "images": ["f1.png"],
        "labels": ["f11.png"],
    }


def test_nvidia_layout_pairs_by_order_and_knows_phases(tmp_path: Path) -> None:
    for i in range(2):
        ids(tmp_path / "train_A" / "s" / f"{i}_label.png", i)
        picture(tmp_path / "train_B" / "s" / f"{i}_photo.jpg")
        ids(tmp_path / "train_inst" / "s" / f"{i}_inst.png", i)
    ids(tmp_path / "test_A" / "t" / "0.png")
    index = index_folder(tmp_path)
    assert (index.layout, index.types) == ("NVIDIA/vid2vid", ("images", "labels", "instances"))
    (sequence,) = index.sequences
    assert sequence.matched == "order"
    assert str(sequence.at("labels", 1)).endswith("1_label.png")
    assert str(sequence.at("images", 1)).endswith("1_photo.jpg")
    assert index_folder(tmp_path, phase="test").names == ("t",)
    with pytest.raises(UserError, match="phases test, train"):
        index_folder(tmp_path, phase="val")


def test_imaginaire_layout_with_nested_sequences(tmp_path: Path) -> None:
    for kind in ("images", "seg_maps", "depth_maps-mine"):
        ids(tmp_path / kind / "town" / "001" / "7.png", 5)
    index = index_folder(tmp_path)
    assert (index.layout, index.names, index.types) == ("imaginaire", ("town/001",), ("images", "labels", "depth"))


def test_sequence_first_layout(tmp_path: Path) -> None:
    for name in ("car", "bike"):
        picture(tmp_path / name / "images" / "0.jpg")
        ids(tmp_path / name / "masks" / "0.png", 1)
    index = index_folder(tmp_path)
    assert (index.layout, index.names) == ("sequence first", ("bike", "car"))
    assert index.spec((6, 8)).maps[0].channels == 2


def test_one_video_file_per_sequence(tmp_path: Path) -> None:
    for name, count in (("x", 4), ("y", 3)):
        with VideoWriter(tmp_path / "images" / f"{name}.mp4", fps=12) as writer:
            for i in range(count):
                writer.write(np.full((16, 16, 3), 40 * i, np.uint8))
        for i in range(count):
            ids(tmp_path / "labels" / name / f"{i:03d}.png", i, (16, 16))
    index = index_folder(tmp_path)
    assert (index.names, index.lengths, index.fps) == (("x", "y"), (4, 3), 12)
    ref = index.sequences[0].at("images", 2)
    assert ref is not None
    assert ref.position == 2


@pytest.mark.parametrize("nested", [False, True])
def test_flow_may_miss_the_first_frame(tmp_path: Path, nested: bool) -> None:
    below = "s/" if nested else ""
    for i in range(3):
        picture(tmp_path / f"images/{below}{i}.png")
    for i in (1, 2):
        path = tmp_path / f"flow/{below}{i}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.zeros((2, 6, 8), np.float32))
    (sequence,) = index_folder(tmp_path).sequences
    assert len(sequence) == 3
    assert [ref is None for ref in sequence.frames["flow"]] == [True, False, False]


def test_subset_and_fingerprint(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i in range(10):
            picture(tmp_path / "images" / name / f"{i}.png", i)
    index = index_folder(tmp_path)
    part = index.subset("2:8", ["b"])
    assert (part.names, part.lengths) == (("b",), (6,))
    assert part.sequences[0].stems[0] == "2"
    assert index.subset("-3:").lengths == (3, 3)
    assert index.fingerprint() == index_folder(tmp_path).fingerprint() != part.fingerprint()
    with pytest.raises(UserError, match="no sequence 'c'; it has a, b"):
        index.subset(None, ["c"])
    with pytest.raises(UserError, match="longest sequence has 10 frames"):
        index.subset("20:")


@pytest.mark.parametrize("text", ["5", "a:b", "1:2:3:4", "0:9:-1", "0:9:0"])
def test_a_wrong_slice_is_a_user_error(text: str) -> None:
    with pytest.raises(UserError, match="frames must be a slice"):
        frame_slice(text)


def test_folders_that_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        index_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is empty"):
        index_folder(tmp_path)
    (tmp_path / "stuff").mkdir()
    with pytest.raises(UserError, match=r"no layout that is known \(it holds stuff"):
        index_folder(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="no frames in them"):
        index_folder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        index_folder(tmp_path / "file")


def test_dataset_yaml_names_classes(tmp_path: Path) -> None:
    text = "classes: [road, car]\ncolours: [[1, 2, 3], [4, 5, 6]]\nvoid: 255\nfps: 25\n"
    (tmp_path / "dataset.yaml").write_text(text)
    ids(tmp_path / "labels" / "0.png", 1)
    index = index_folder(tmp_path)
    (labels,) = index.spec((6, 8)).maps
    assert (labels.channels, labels.names, labels.void) == (2, ("road", "car"), 255)
    assert labels.colours == ((1, 2, 3), (4, 5, 6))
    assert index.spec((6, 8)).fps == 25


def test_void_255_is_found_when_nothing_is_said(tmp_path: Path) -> None:
    write_image(tmp_path / "labels" / "0.png", np.array([[0, 7], [3, 255]], np.uint8))
    (labels,) = index_folder(tmp_path).spec((2, 2)).maps
    assert (labels.channels, labels.void) == (8, 255)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("klasses: 3", "unknown key 'klasses'; the keys are classes, colours, void, fps"),
        ("classes: many", "classes must be a list"),
        ("classes: [a, b\n", "not valid YAML"),
        ("void: -1", "void must be an id"),
        ("fps: 0", "fps must be"),
        ("classes: 3\ncolours: [[0, 0, 0]]", "1 colours for 3 classes"),
        ("colours: [[0, 0, 300]]", "a colour is three numbers"),
        ("- 1", "must hold keys"),
    ],
)
def test_a_wrong_dataset_yaml_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_classes(tmp_path)
    assert "\n" not in str(error.value)
    assert "dataset.yaml" in str(error.value)


def test_a_wrong_classes_json_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('{"classes": [{"index": 1, "name": "a", "colour_rgb": [0, 0, 0]}]}')
    with pytest.raises(UserError, match="must be 0, 1, 2"):
        read_classes(tmp_path)
    (tmp_path / "classes.json").write_text('{"klasses": []}')
    with pytest.raises(UserError, match="expected"):
        read_classes(tmp_path)
