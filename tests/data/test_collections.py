"""Collections: videos without maps, in whatever files they come."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from videosynth.data.collections import _parts, read_videos
from videosynth.data.layouts import index_folder
from videosynth.data.module import VideoData
from videosynth.data.strips import cut
from videosynth.types import DataSpec, UserError
from videosynth.video.write import write_video

SPEC = DataSpec((), (8, 8))


def movie(length: int, size: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (length, size, size, 3)).astype(np.uint8)


def tiled(video: np.ndarray, upright: bool = False) -> np.ndarray:
    return np.concatenate(list(video), axis=0 if upright else 1)


def save(path: Path, picture: np.ndarray, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).convert(mode).save(path)


def whole(root: Path, length: int, **options: object) -> dict[str, np.ndarray]:
    return {name: frames for name, frames, _ in read_videos(str(root), SPEC, length, **options)}  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.bmp", "a.tif", "a.webp"])
@pytest.mark.parametrize("upright", [False, True])
def test_strips_of_either_direction_and_any_ending(tmp_path: Path, name: str, upright: bool) -> None:
    video = movie(5)
    picture = Image.fromarray(tiled(video, upright))
    picture.save(tmp_path / name, lossless=True)  # webp's option; the others know no loss
    (tmp_path / "README.md").write_text("no video")
    assert np.array_equal(whole(tmp_path, 5)["a@0"], video)


def test_a_strip_is_known_by_its_content(tmp_path: Path) -> None:
    save(tmp_path / "a.png", tiled(movie(5)))
    (tmp_path / "a.png").rename(tmp_path / "a.strip")
    assert np.array_equal(whole(tmp_path, 5)["a@0"], movie(5))


def test_alpha_is_dropped_and_grey_repeated(tmp_path: Path) -> None:
    video = movie(4)
    rgba = np.concatenate([tiled(video), np.full((8, 32, 1), 7, np.uint8)], axis=2)
    Image.fromarray(rgba).save(tmp_path / "clear.png")
    Image.fromarray(tiled(video)[..., 0]).save(tmp_path / "grey.png")
    found = whole(tmp_path, 4)
    assert np.array_equal(found["clear@0"], video)
    assert np.array_equal(found["grey@0"], np.repeat(video[..., :1], 3, axis=3))


@given(st.integers(2, 9), st.integers(1, 6), st.booleans())
def test_cutting_a_strip_gives_its_frames(length: int, size: int, upright: bool) -> None:
    video = movie(length, size)
    assert np.array_equal(cut(tiled(video, upright)), video)


def test_a_strip_that_does_not_divide_is_one_line(tmp_path: Path) -> None:
    save(tmp_path / "c" / "good.png", tiled(movie(4)))
    save(tmp_path / "c" / "odd.png", np.zeros((8, 35, 3), np.uint8))
    with pytest.raises(UserError, match=r"odd\.png is 35x8: 35 is no multiple of 8.*cut it") as error:
        VideoData(root=str(tmp_path)).prepare_data()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("names", [["one.png"], ["one.png", "more.png"]])
def test_a_strip_of_one_frame_is_no_video(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        save(tmp_path / name, tiled(movie(1 if name == "one.png" else 6)))
    with pytest.raises(UserError, match=r"one\.png is 8x8: it holds one frame only"):
        index_folder(tmp_path)


def test_frame_folders_with_classes(tmp_path: Path) -> None:
    for kind in ("run", "walk"):
        for n in range(2):
            for t, frame in enumerate(movie(3, seed=n)):
                save(tmp_path / kind / f"v{n}" / f"{t}.png", frame)
    index = index_folder(tmp_path)
    assert index.names == ("run/v0", "run/v1", "walk/v0", "walk/v1")
    assert index.lengths == (3, 3, 3, 3)
    assert index.spec((8, 8)).attributes == {"class": ("run", "walk")}
    assert np.array_equal(whole(tmp_path, 3)["walk/v1@0"], movie(3, seed=1))


def test_wide_frames_are_frames_unless_told_otherwise(tmp_path: Path) -> None:
    for t in range(4):
        save(tmp_path / "v" / f"{t}.png", np.full((8, 16, 3), t, np.uint8))
    assert index_folder(tmp_path).lengths == (4,)
    (tmp_path / "dataset.yaml").write_text("videos: strips\n")
    assert index_folder(tmp_path).lengths == (2, 2, 2, 2)
    (tmp_path / "dataset.yaml").write_text("videos: films\n")
    with pytest.raises(UserError, match=r"strips .* or frames"):
        index_folder(tmp_path)


@pytest.mark.parametrize("width", [24 + 3, 32 - 1])
def test_wide_pictures_that_do_not_divide_are_no_frames_unless_told(tmp_path: Path, width: int) -> None:
    for t in range(3):
        save(tmp_path / "v" / f"{t}.png", np.full((8, width, 3), t, np.uint8))
    with pytest.raises(UserError, match=rf"{width}x8: {width} is no multiple of 8.*set videos to frames"):
        index_folder(tmp_path)
    (tmp_path / "dataset.yaml").write_text("videos: frames\n")
    assert index_folder(tmp_path).lengths == (3,)


def test_mirrored_where_there_are_maps(tmp_path: Path) -> None:
    save(tmp_path / "v" / "a.png", tiled(movie(5)))

    def mirrored(**options: object) -> set[bool]:
        data = VideoData(size=(8, 8), clip_length=2, workers=0, **options)  # type: ignore[arg-type]
        return {data.draw(step, 0, 0).flip for step in range(40)}

    assert mirrored(root=str(tmp_path)) == mirrored(world="shapes") == {False}
    assert mirrored(root=str(tmp_path), flip=True) == {False, True}
    assert mirrored(world="street") == {False, True}
    assert mirrored(world="street", flip=False) == {False}


def test_frames_that_look_like_strips_can_be_told(tmp_path: Path) -> None:
    for t in range(3):
        save(tmp_path / "v" / f"{t}.png", np.full((8, 32, 3), t, np.uint8))
    assert index_folder(tmp_path).lengths == (4, 4, 4)
    (tmp_path / "dataset.yaml").write_text("videos: frames\nfps: 12\n")
    index = index_folder(tmp_path)
    assert (index.lengths, index.fps) == ((3,), 12)


def test_video_files_and_one_alone(tmp_path: Path) -> None:
    for name, count in (("b", 5), ("a", 7)):
        write_video(tmp_path / f"{name}.mp4", iter(movie(count, 16)), 10)
    index = index_folder(tmp_path)
    assert (index.names, index.lengths, index.fps) == (("a", "b"), (7, 5), 10)
    alone = index_folder(tmp_path / "b.mp4")
    assert (alone.names, alone.lengths, alone.collection) == (("b",), (5,), True)


def test_mixed_sizes_are_resized(tmp_path: Path) -> None:
    save(tmp_path / "a.png", tiled(movie(4, 8)))
    save(tmp_path / "b.png", tiled(movie(4, 12)))
    data = VideoData(root=str(tmp_path), size=(8, 8), clip_length=4, batch_size=8, workers=0, steps_per_epoch=1)
    clip = next(iter(data.train_dataloader()))
    assert clip.frames is not None
    assert clip.frames.shape == (8, 4, 3, 8, 8)
    assert clip.frames.dtype == torch.uint8
    assert {key[0] for key in clip.keys} == {"a", "b"}


def test_known_layouts_stay_what_they_are(tmp_path: Path) -> None:
    save(tmp_path / "images" / "0.png", tiled(movie(4)))
    assert index_folder(tmp_path).layout == "videosynth"
    save(tmp_path / "other" / "train_B" / "0.png", tiled(movie(4)))
    with pytest.raises(UserError, match="phases train"):
        index_folder(tmp_path / "other", phase="test")
    save(tmp_path / "strips" / "0.png", tiled(movie(4)))
    with pytest.raises(UserError, match="no layout that is known"):
        index_folder(tmp_path / "strips", needs=["labels"])
    assert VideoData(root=str(tmp_path)).flow == "dis"
    assert VideoData(root=str(tmp_path / "strips")).flow == "none"


def test_memory_and_workers_change_nothing(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / str(n % 2) / f"{n}.png", tiled(movie(9, 12, seed=n)))

    def clips(**options: object) -> list:
        common = {
            "size": (8, 8),
            "clip_length": 3,
            "step": 2,
            "batch_size": 4,
            "scale": (1.0, 1.5),
            "steps_per_epoch": 3,
        }
        return list(VideoData(root=str(tmp_path), **common, **options).train_dataloader())  # type: ignore[arg-type]

    plain = clips(workers=0)
    for other in (clips(workers=0, cache="memory"), clips(workers=1, cache="memory")):
        for one, two in zip(plain, other, strict=True):
            assert one.keys == two.keys
            assert torch.equal(one.frames, two.frames)
            assert torch.equal(one.attributes["class"], two.attributes["class"])
    assert plain[0].flow is None
    for key, ids in zip(plain[0].keys, plain[0].attributes["class"], strict=True):
        assert ids.tolist() == [int(key.split("/")[0])] * 3


def test_memory_keeps_a_strip_whole_and_within_its_limit(tmp_path: Path) -> None:
    for n in range(2):
        save(tmp_path / f"{n}.png", tiled(movie(9, 12, seed=n)))
    data = VideoData(root=str(tmp_path), size=(8, 8), clip_length=2, flip=False, workers=0, cache="memory")
    memory = data.dataset.memory  # type: ignore[union-attr]
    assert memory is not None
    memory.limit = 9 * 8 * 8 * 3
    for step in range(12):
        data.dataset[data.draw(step, 0, 0)]
    assert memory.used == 9 * 8 * 8 * 3  # one of two


def test_a_stride_takes_every_second_frame(tmp_path: Path) -> None:
    save(tmp_path / "a.png", tiled(movie(7)))
    data = VideoData(root=str(tmp_path), size=(8, 8), clip_length=4, step=2, flip=False, workers=0)
    clip = data.dataset[data.draw(0, 0, 0)]
    assert clip.frames is not None
    assert np.array_equal(clip.frames[0].permute(0, 2, 3, 1).numpy(), movie(7)[::2])
    with pytest.raises(UserError, match=r"needs 9 frames \(5, one in 2\) but the longest sequence has 7"):
        VideoData(root=str(tmp_path), size=(8, 8), clip_length=5, step=2, workers=0).draw(0, 0, 0)


def test_labels_by_file(tmp_path: Path) -> None:
    for n in range(4):
        save(tmp_path / f"{n}.png", tiled(movie(4)))
    (tmp_path / "labels.json").write_text(json.dumps({"0.png": "run", "1.png": "walk", "2": "run"}))
    data = VideoData(root=str(tmp_path), size=(8, 8), clip_length=4, workers=0)
    assert data.spec.attributes == {"class": ("run", "walk")}
    assert [v["class"] for _, _, v in read_videos(tmp_path, data.spec, 4)] == [0, 1, 0, -1]
    before = data.fingerprint()
    (tmp_path / "labels.json").write_text(json.dumps({"0.png": {"action": "run", "person": 10, "frames": 4}}))
    changed = VideoData(root=str(tmp_path))
    assert changed.spec.attributes == {"action": ("run",), "person": ("10",), "frames": ("4",)}
    assert changed.fingerprint() != before


def test_fields_of_records(tmp_path: Path) -> None:
    rows = []
    for n in range(12):
        save(tmp_path / str(n % 2) / f"{n}.png", tiled(movie(4)))
        fields = {"person": n % 11, "note": f"take {n}", "length": 100 + n % 2, "score": 0.5, "ok": n > 3}
        rows.append({"file": f"{n % 2}/{n}.png", **fields, "class": "odd" if n % 2 else "even"})
    (tmp_path / "labels.json").write_text(json.dumps({"fps": 12, "videos": rows}))
    data = VideoData(root=str(tmp_path))
    assert data.spec.attributes == {
        "class": ("even", "odd"),
        "person": tuple(str(n) for n in range(11)),
        "ok": ("false", "true"),
    }
    assert data.spec.fps == 12
    chosen = VideoData(root=str(tmp_path), attributes=["ok"], size=(8, 8), clip_length=2, workers=0)
    assert list(chosen.dataset[chosen.draw(0, 0, 0)].attributes) == ["ok"]
    with pytest.raises(UserError, match="no usable attribute 'note'; the data has class, person, ok"):
        VideoData(root=str(tmp_path), attributes=["note"]).prepare_data()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected"),
        ("3", "expected"),
        ('[{"name": "a"}]', "expected"),
        ("{", "labels.json"),
        ('{"elsewhere/a.png": "run"}', "names elsewhere/a.png but no video of that name"),
    ],
)
def test_wrong_labels_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    save(tmp_path / "a.png", tiled(movie(4)))
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        index_folder(tmp_path)
    assert "\n" not in str(error.value)


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 4))
def test_consecutive_clips_neither_overlap_nor_overrun(count: int, length: int, step: int) -> None:
    parts = list(_parts(count, length, step))
    frames = [i for part in parts for i in part]
    assert all(len(part) == length for part in parts)
    assert frames == sorted(set(frames))
    assert all(0 <= i < count for i in frames)
    assert (not parts) == (count < (length - 1) * step + 1)


def test_read_videos_cuts_and_says_what_is_missing(tmp_path: Path) -> None:
    save(tmp_path / "a.png", tiled(movie(4)))
    save(tmp_path / "b.png", tiled(movie(11, seed=1)))
    assert list(whole(tmp_path, 5)) == ["b@0", "b@5"]
    assert np.array_equal(whole(tmp_path, 5)["b@5"], movie(11, seed=1)[5:10])
    assert list(whole(tmp_path, 2, step=2, limit=3)) == ["a@0", "b@0", "b@4"]
    assert list(whole(tmp_path, 3, frames="1:5")) == ["a@0", "b@0"]
    with pytest.raises(UserError, match="no video has the 12 frames"):
        read_videos(tmp_path, SPEC, 12)
    with pytest.raises(UserError, match="does not exist"):
        read_videos(tmp_path / "c", SPEC, 12)


def test_the_real_actions(shared_data: Path) -> None:
    data = VideoData(
        root=str(shared_data / "weizmann_actions"), size=(64, 64), flip=False, cache="memory", clip_length=16, step=2
    )
    data.workers = 0
    assert sum(data.index.lengths) == 4328
    assert data.spec.attributes["class"] == ("0", "1", "3", "4")
    assert data.spec.attributes["mirrored"] == ("false", "true")
    assert "frames" not in data.spec.attributes
    assert data.spec.fps == 12.5  # of 25, one in two
    names = data.spec.attributes["action_name"]
    spoken = {"0": "wave_one_hand", "1": "wave_two_hands", "3": "jumping_jack", "4": "bend"}
    for step in range(5):
        clip = data.dataset[data.draw(step, 0, 0)]
        assert names[int(clip.attributes["action_name"][0, 0])] == spoken[clip.keys[0].split("/")[0]]


def test_real_videos(shared_data: Path) -> None:
    spec = DataSpec((), (64, 64), fit="cover")
    clips = read_videos(str(shared_data / "real_clips"), spec, 16, limit=2)
    assert [(name, frames.shape, ids) for name, frames, ids in clips] == [
        ("blocks@0", (16, 64, 64, 3), {}),
        ("blocks@16", (16, 64, 64, 3), {}),
    ]


def test_known_layouts_can_be_measured_on_too(tmp_path: Path) -> None:
    for t, frame in enumerate(movie(6)):
        save(tmp_path / "images" / "s" / f"{t}.png", frame)
        save(tmp_path / "labels" / "s" / f"{t}.png", frame[..., 0] % 4, "L")
    assert np.array_equal(whole(tmp_path, 3)["s@3"], movie(6)[3:])


def test_streaming_a_collection(tmp_path: Path) -> None:
    save(tmp_path / "a.png", tiled(movie(4)))
    data = VideoData(root=str(tmp_path), size=(8, 8), workers=0)
    streamed = {name: [frame["images"] for frame in frames] for name, frames in data.videos("1:3")}
    assert list(streamed) == ["a"]
    assert np.array_equal(torch.cat(streamed["a"]).permute(0, 2, 3, 1).numpy(), movie(4)[1:3])
