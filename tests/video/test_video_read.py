"""Reading videos: every frame exactly, from anywhere, in any process; damage is named."""

import os
import pickle
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videosynth.types import UserError
from videosynth.video.images import write_image
from videosynth.video.read import VideoReader, read_video
from videosynth.video.write import write_video

DATA = Path(os.environ.get("VIDEOSYNTH_DATA", Path(__file__).parents[2] / "../shared/data")).resolve()


def scene(frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Moving stripes over a still texture: enough for B-frames, and every frame differs from every other."""
    t, y, x = np.mgrid[:frames, :height, :width]
    still = np.random.default_rng(0).normal(0, 12, (height, width))
    planes = [(128 + 70 * np.sin((x + k * t + k * y) / 9) + still) for k in (1, 2, 3)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def encode(
    path: Path, frames: np.ndarray, codec: str = "libx264", start: int = 0, skip: int = 0, **options: str
) -> Path:
    """A file as foreign software might write it: B-frames, GOPs, a late start, missing times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for t, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = start + t + (skip if t > 9 else 0), Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def in_order(path: Path) -> np.ndarray:
    """The frames as a plain decoder gives them, converted as the reader converts."""
    with VideoReader(path) as reader:
        return np.stack(list(reader))


GOP12 = {"g": "12", "bf": "3", "x264-params": "scenecut=0:b-adapt=0"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, np.ndarray]]:
    folder, frames = tmp_path_factory.mktemp("videos"), scene(50)
    paths = {
        "b-frames": encode(folder / "b.mp4", frames, **GOP12),
        "open gop": encode(folder / "open.mp4", frames, **{**GOP12, "x264-params": "open-gop=1:scenecut=0:b-adapt=0"}),
        "short gop": encode(folder / "short.mp4", frames, g="2", bf="3"),
        "one gop": encode(folder / "one.mkv", frames, g="500"),
        "late start": encode(folder / "late.mkv", frames, start=1000, **GOP12),
        "variable rate": encode(folder / "gap.mp4", frames, skip=40, **GOP12),
        "transport stream": encode(folder / "a.ts", frames, **GOP12),
        "avi": encode(folder / "a.avi", frames, "mpeg4", g="12", bf="2"),
        "mpeg4": encode(folder / "m4.mp4", frames, "mpeg4", g="12", bf="2"),
        "raw": encode(folder / "a.h264", frames, **GOP12),
    }
    write_video(folder / "own.mp4", frames, 25)
    write_video(folder / "own.mkv", frames, 25, "ffv1")
    write_video(folder / "own.gif", frames[:12], 25)
    write_video(folder / "own", frames[:12], 25)
    for name in ("own.mp4", "own.mkv", "own.gif", "own"):
        paths[name] = folder / name
    return {name: (path, in_order(path)) for name, path in paths.items()}


KINDS = [
    "b-frames",
    "open gop",
    "short gop",
    "one gop",
    "late start",
    "variable rate",
    "transport stream",
    "avi",
    "mpeg4",
]
KINDS += ["raw", "own.mp4", "own.mkv", "own.gif", "own"]


@pytest.mark.parametrize("kind", KINDS)
def test_random_access_equals_reading_in_order(videos, kind: str):
    path, expected = videos[kind]
    length = 12 if kind in ("own.gif", "own") else 50
    assert len(expected) == len(VideoReader(path)) == length
    assert len({frame.tobytes() for frame in expected}) == length
    reader = VideoReader(path)
    for index in np.random.default_rng(1).integers(0, length, 40):
        np.testing.assert_array_equal(reader[int(index)], expected[index])


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_the_ones_that_were_written(videos, kind: str):
    _, frames = videos[kind]
    written = scene(50)[: len(frames)].astype(float)
    errors = [
        [np.abs(frames[t] - written[s]).mean() for s in range(max(0, t - 2), min(len(frames), t + 3))]
        for t in (0, 5, 11)
    ]
    # The nearest of the neighbours in time is the frame itself.
    assert [int(np.argmin(e)) for e in errors] == [0, 2, 2]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 49), min_size=1, max_size=12), st.sampled_from(["b-frames", "open gop", "late start"]))
def test_any_order_of_access(videos, order, kind):
    path, expected = videos[kind]
    with VideoReader(path) as reader:
        for index in order:
            np.testing.assert_array_equal(reader[index], expected[index])


def test_length_rate_and_size(videos):
    reader = VideoReader(videos["b-frames"][0])
    assert len(reader) == 50
    assert reader.fps == 25
    assert reader.size == (48, 64)
    assert VideoReader(videos["b-frames"][0], fps=10).fps == 10
    assert VideoReader(videos["own"][0]).names[:2] == ["000000", "000001"]
    assert reader.names[49] == "000049"


def test_read_takes_steps(videos):
    path, expected = videos["b-frames"]
    reader = VideoReader(path)
    np.testing.assert_array_equal(reader.read(30, 5), expected[30:35])
    np.testing.assert_array_equal(reader.read(1, 17, step=3), expected[1::3])
    np.testing.assert_array_equal(reader.read(49, 1, step=9), expected[49:])
    np.testing.assert_array_equal(reader[-1], expected[-1])
    assert reader.read(0, 0).shape == (0, 48, 64, 3)
    with pytest.raises(IndexError, match="50 frames"):
        reader.read(40, 11)
    with pytest.raises(IndexError, match="50 frames"):
        reader[50]


def test_reading_again_after_the_end_and_after_close(videos):
    path, expected = videos["b-frames"]
    reader = VideoReader(path)
    for _ in range(2):
        np.testing.assert_array_equal(np.stack(list(reader)), expected)
    reader.close()
    np.testing.assert_array_equal(reader[7], expected[7])


def _frames_of(reader: VideoReader) -> list[bytes]:
    return [reader[i].tobytes() for i in (20, 21, 3)]


@pytest.mark.parametrize("kind", ["b-frames", "own"])
def test_readers_travel_to_other_processes(videos, kind: str):
    path, expected = videos[kind]
    reader = VideoReader(path)
    reader[5]  # open in the parent, in the middle of the file
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader))[9], expected[9])
    if kind == "own":
        return
    with get_context("fork").Pool(2) as pool:
        answers = pool.map(_frames_of, [reader] * 4)
        pool.close()
        pool.join()  # leaving the block would terminate the workers, which can wait for a lock for ever
    assert all(a == [expected[i].tobytes() for i in (20, 21, 3)] for a in answers)


def _inherited(reader: VideoReader, queue) -> None:
    queue.put(_frames_of(reader))


def test_a_fork_does_not_share_the_decoder(tmp_path: Path):
    # Larger than any buffer: with a shared file position, the child's reading would derail the parent's.
    expected = np.random.default_rng(0).integers(0, 256, (24, 96, 128, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mkv", expected, 25, "ffv1")
    reader = VideoReader(tmp_path / "a.mkv")
    reader[5]
    context = get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_inherited, args=(reader, queue))  # the open reader itself, unpickled
    process.start()
    answer = queue.get(timeout=60)
    process.join()
    assert answer == [expected[i].tobytes() for i in (20, 21, 3)]
    np.testing.assert_array_equal(reader.read(6, 10), expected[6:16])


def test_portrait_footage_stands_upright(tmp_path: Path):
    frames = scene(6)
    plain, turned = encode(tmp_path / "plain.mp4", frames), tmp_path / "turned.mp4"
    data = bytearray(plain.read_bytes())
    # The display matrix in the track header, as a phone held upright writes it: 90 degrees clockwise.
    identity = b"".join(v.to_bytes(4, "big") for v in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    clockwise = b"".join(
        (v % 2**32).to_bytes(4, "big") for v in (0, 0x10000, 0, -0x10000, 0, 0, 48 << 16, 0, 0x40000000)
    )
    at = data.index(identity, data.index(b"tkhd"))
    data[at : at + 36] = clockwise
    turned.write_bytes(data)
    reader = VideoReader(turned)
    assert reader.size == (64, 48)
    np.testing.assert_array_equal(reader[2], np.rot90(VideoReader(plain)[2], -1))


# Folders.


def test_folders_are_in_natural_order(tmp_path: Path):
    for number in (10, 9, 1, 2):
        write_image(tmp_path / f"frame{number}.png", np.full((4, 5, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / "._frame1.png").write_bytes(b"left by another system")
    reader = VideoReader(tmp_path)
    assert reader.names == ["frame1", "frame2", "frame9", "frame10"]
    assert [int(frame[0, 0, 0]) for frame in reader] == [1, 2, 9, 10]
    assert reader.fps == 15


def test_a_folder_with_two_sizes(tmp_path: Path):
    write_image(tmp_path / "1.png", np.zeros((4, 5, 3), np.uint8))
    write_image(tmp_path / "2.png", np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(UserError, match=r"2\.png is 6x4, but 1\.png beside it is 5x4"):
        read_video(tmp_path)


def test_an_empty_folder(tmp_path: Path):
    with pytest.raises(UserError, match="has no frames"):
        len(VideoReader(tmp_path))


# Label videos.


def test_label_videos(tmp_path: Path):
    colours = [(10, 20, 30), (200, 0, 0)]
    ids = np.random.default_rng(0).integers(0, 2, (3, 6, 7))
    write_video(tmp_path / "colour.mp4", np.array(colours, np.uint8)[ids], 15, codec="rgb")
    reader = VideoReader(tmp_path / "colour.mp4")
    np.testing.assert_array_equal(reader.ids(1, colours), ids[1])
    with pytest.raises(UserError, match=r"dataset\.yaml"):
        reader.ids(0)
    write_video(tmp_path / "lossy.mp4", np.zeros((3, 6, 8, 3), np.uint8), 15)
    with pytest.raises(UserError, match="blurs ids"):
        VideoReader(tmp_path / "lossy.mp4").ids(0)


# Damage.


def all_of(path: Path) -> None:
    with VideoReader(path) as reader:
        list(reader)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.98])
@pytest.mark.parametrize("kind", ["b-frames", "own.mp4", "own.mkv", "own.gif"])
def test_a_truncated_video_is_a_user_error(videos, tmp_path: Path, kind: str, share: float):
    path, _ = videos[kind]
    data = path.read_bytes()
    short = tmp_path / path.name
    short.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=path.name):
        all_of(short)


def test_noise_in_the_middle_never_escapes_as_a_crash(videos, tmp_path: Path):
    data = bytearray(videos["b-frames"][0].read_bytes())
    random = np.random.default_rng(0)
    for trial in range(8):
        bad = bytearray(data)
        at = int(random.integers(100, len(bad) - 400))
        bad[at : at + 300] = random.bytes(300)
        (tmp_path / f"{trial}.mp4").write_bytes(bad)
        told = f"{trial}.mp4 decoded"
        try:
            all_of(tmp_path / f"{trial}.mp4")
        except UserError as error:
            told = str(error)
        assert f"{trial}.mp4" in told


def test_what_is_no_video(tmp_path: Path):
    (tmp_path / "text.mp4").write_text("hello " * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    for name, words in (
        ("text.mp4", "not a readable video"),
        ("empty.mp4", "not a readable video"),
        ("missing.mp4", "is missing"),
        ("sound.wav", "no video stream"),
    ):
        with pytest.raises(UserError, match=words) as raised:
            len(VideoReader(tmp_path / name))
        assert name in str(raised.value)


# Real footage.


@pytest.mark.parametrize("name", ["coffee.mp4", "blocks.mp4"])
def test_real_clips(name: str):
    path = DATA / "real_clips" / name
    if not path.exists():
        pytest.skip("the real clips are not here")
    reader = VideoReader(path)
    assert (len(reader), reader.size) == ((287 if name == "coffee.mp4" else 292), (144, 256))
    assert reader.fps == pytest.approx(29.97, abs=0.01)
    expected = reader.read(0, 120)
    for index in np.random.default_rng(0).integers(0, 120, 25):
        np.testing.assert_array_equal(reader[int(index)], expected[index])
