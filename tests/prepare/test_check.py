from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videosynth.prepare.check import check
from videosynth.prepare.report import Finding, Report
from videosynth.types import UserError
from videosynth.video.images import write_image
from videosynth.video.write import VideoWriter

SIZE = (20, 30)


def noise(i: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 256, (*size, 3), dtype=np.uint8)


def ids(i: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 5, size, dtype=np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for name in ("a", "b"):
        for i in range(4):
            write_image(folder / "images" / name / f"{i}.jpg", noise(i))
            write_image(folder / "labels" / name / f"{i}.png", ids(i))
    (folder / "dataset.yaml").write_text("classes: 5\nvoid: 255\n")
    return folder


def only(report: Report, kind: str) -> Finding:
    found = [f for f in report.findings if f.kind == kind]
    assert len(found) == 1, report.text()
    assert "\n" not in found[0].what + found[0].remedy
    assert found[0].remedy
    return found[0]


def test_a_sound_data_set_has_no_findings(root: Path) -> None:
    report = check(root, clip_length=4, needs=("images", "labels"))
    assert report.findings == []
    assert report.ok
    assert report.summary == [
        "layout: videosynth, 2 sequences, 8 frames",
        "images: 30x20",
        "labels: 30x20, 5 classes, void 255",
    ]
    assert report.text().endswith("All is well: the data set can be used.")
    report.raise_if_errors()


def test_a_folder_that_nothing_reads_is_named(root: Path) -> None:
    for name in ("a", "b"):
        for i in range(4):
            write_image(root / "normals" / name / f"{i}.png", noise(i))
    report = check(root)
    assert report.ok
    assert "dense: {normals:" in only(report, "folders that are not read").remedy
    (root / "dataset.yaml").write_text("classes: 5\nvoid: 255\ndense: {normals: {channels: 3}}\n")
    assert check(root).findings == []
    assert "normals: 30x20" in check(root).summary
    (root / "normals" / "a" / "2.png").write_bytes(b"no")
    assert only(check(root), "files that cannot be read").file == "normals/a/2.png"


def test_stems_that_do_not_match(root: Path) -> None:
    (root / "labels" / "a" / "3.png").unlink()
    write_image(root / "labels" / "a" / "x9.png", ids(0))
    report = check(root)
    first, second = (f for f in report.findings if f.kind == "frames without a partner")
    assert (first.level, first.file, first.what) == ("error", "images/a/3.jpg", "no frame of this name in labels")
    assert second.file == "labels/a/x9.png"
    with pytest.raises(UserError, match=r"images/a/3\.jpg: no frame of this name in labels; .*\(1 more: see") as error:
        report.raise_if_errors()
    assert "\n" not in str(error.value)


def test_counts_that_do_not_match_without_a_common_stem(root: Path) -> None:
    for i in range(4):
        (root / "labels" / "a" / f"{i}.png").rename(root / "labels" / "a" / f"y{i}.png")
    assert only(check(root), "names differ between types").level == "warning"
    (root / "labels" / "a" / "y3.png").unlink()
    report = check(root)
    assert sum(f.kind == "frames without a partner" for f in report.findings) == 7
    assert not report.ok


def test_sizes_that_differ_within_a_sequence(root: Path) -> None:
    write_image(root / "images" / "b" / "2.jpg", noise(0, (24, 36)))
    write_image(root / "labels" / "b" / "2.png", ids(0, (24, 36)))
    report = check(root)
    what = {f.file: f.what for f in report.findings if f.kind == "sizes differ within a sequence"}
    assert what["images/b/2.jpg"] == "is 36x24, the sequence began with 30x20"
    assert set(what) == {"images/b/2.jpg", "labels/b/2.png"}


def test_labels_of_another_shape_or_size_than_their_image(root: Path) -> None:
    for i in range(4):
        write_image(root / "labels" / "a" / f"{i}.png", ids(i, (20, 20)))
        write_image(root / "labels" / "b" / f"{i}.png", ids(i, (40, 60)))
    report = check(root)
    shape = [f for f in report.findings if f.kind == "labels and images differ in shape"]
    size = [f for f in report.findings if f.kind == "labels and images differ in size"]
    assert [(f.level, f.what) for f in shape] == [("error", "is 20x20, its image is 30x20")] * 4
    assert [f.level for f in size] == ["warning"] * 4


def test_ids_out_of_range(root: Path) -> None:
    broken = ids(1)
    broken[0, :3] = 9
    broken[1, 0] = 255  # void is allowed
    write_image(root / "labels" / "a" / "1.png", broken)
    found = only(check(root), "ids out of range")
    assert (found.level, found.file) == ("error", "labels/a/1.png")
    assert found.what == "holds the id 9 (3 pixels are beyond the 5 classes)"
    assert "dataset.yaml" in found.remedy


def test_palette_labels_are_explained(root: Path) -> None:
    picture = Image.fromarray(ids(2)).convert("P")
    picture.putpalette([7] * 768)
    picture.putdata(ids(2).ravel().tolist())
    picture.save(root / "labels" / "a" / "2.png")
    report = check(root)
    found = only(report, "labels with a palette")
    assert (found.level, found.file) == ("info", "labels/a/2.png")
    assert report.ok


def test_16_bits_are_for_instances(root: Path) -> None:
    write_image(root / "labels" / "a" / "2.png", ids(2).astype(np.uint16))
    for name in ("a", "b"):
        for i in range(4):
            write_image(root / "instances" / name / f"{i}.png", ids(i).astype(np.uint16) * 1000)
    report = check(root)
    found = only(report, "labels of 16 bits")
    assert (found.level, found.file) == ("warning", "labels/a/2.png")
    assert len(report.findings) == 1


def test_rgb_labels_need_colours(root: Path) -> None:
    colours = np.array([[10 * c, c, 0] for c in range(5)], np.uint8)
    for name in ("a", "b"):
        for i in range(4):
            write_image(root / "labels" / name / f"{i}.png", colours[ids(i)])
    report = check(root)
    assert {(f.level, f.kind) for f in report.findings} == {("error", "labels in RGB")}
    assert len(report.findings) == 8
    assert "dataset.yaml" in report.findings[0].remedy
    (root / "dataset.yaml").write_text(f"colours: {colours.tolist()}\n")
    assert check(root).findings == []
    write_image(root / "labels" / "a" / "0.png", noise(0))
    found = only(check(root), "files that cannot be read")
    assert found.file == "labels/a/0.png"
    assert "has the colour" in found.what


def test_jpeg_labels_are_refused(root: Path) -> None:
    (root / "labels" / "a" / "0.png").unlink()
    Image.fromarray(ids(0)).save(root / "labels" / "a" / "0.jpg")
    assert only(check(root), "labels as JPEG").file == "labels/a/0.jpg"


def cityscapes(root: Path, values: list[int]) -> Path:
    picture = np.resize(np.array(values, np.uint8), SIZE)
    for name in ("a", "b"):
        for i in range(4):
            write_image(root / "labels" / name / f"{i}.png", picture)
    return root


def test_train_ids_where_label_ids_are_declared(root: Path) -> None:
    cityscapes(root, [*range(19), 255])
    (root / "dataset.yaml").write_text("classes: 35\n")
    found = only(check(root), "trainIds or labelIds")
    assert (found.level, "trainIds" in found.what, "classes: 19" in found.remedy) == ("warning", True, True)
    (root / "dataset.yaml").unlink()
    found = only(check(root), "class count")
    assert (
        "19 classes found in 8 of 8 label maps, 255 taken for void (they look like Cityscapes trainIds)" in found.what
    )


def test_label_ids_where_train_ids_are_declared(root: Path) -> None:
    cityscapes(root, list(range(34)))
    (root / "dataset.yaml").write_text("classes: 19\nvoid: 255\n")
    report = check(root)
    assert only(report, "trainIds or labelIds").level == "warning"
    assert any(f.kind == "ids out of range" for f in report.findings)
    (root / "dataset.yaml").write_text("classes: 34\n")
    assert check(root).findings == []


def test_masks_of_0_and_255(root: Path) -> None:
    cityscapes(root, [0, 255])
    (root / "dataset.yaml").unlink()
    assert only(check(root), "masks of 0 and 255").level == "warning"


@pytest.mark.parametrize("name", ["images/a/1.jpg", "labels/b/2.png"])
@pytest.mark.parametrize("part", [0, 0.5, 0.9])
def test_truncated_files(root: Path, name: str, part: float) -> None:
    data = (root / name).read_bytes()
    (root / name).write_bytes(data[: int(len(data) * part)])
    found = only(check(root), "files that cannot be read")
    assert (found.level, found.file) == ("error", name)


def test_a_png_without_its_end_is_a_warning(root: Path) -> None:
    path = root / "labels" / "a" / "1.png"
    path.write_bytes(path.read_bytes()[:-8])
    assert only(check(root), "files with a cut end").level == "warning"


def test_a_damaged_middle_is_found_by_a_thorough_look(root: Path) -> None:
    path = root / "labels" / "a" / "1.png"
    data = bytearray(path.read_bytes())
    middle = data.index(b"IDAT") + 20
    data[middle : middle + 30] = bytes(30)
    path.write_bytes(bytes(data))
    assert only(check(root, thorough=True), "files that cannot be read").file == "labels/a/1.png"


def test_a_truncated_video(root: Path) -> None:
    with VideoWriter(root / "images" / "c.mp4", fps=10) as writer:
        for i in range(6):
            writer.write(noise(i))
    path = root / "images" / "c.mp4"
    path.write_bytes(path.read_bytes()[:-500])
    report = check(root)
    with pytest.raises(UserError, match=r"c\.mp4"):
        report.raise_if_errors()


def test_videos_are_checked_too(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "images" / "c.mp4", fps=10) as writer:
        for i in range(6):
            writer.write(noise(i))
    for i in range(6):
        write_image(tmp_path / "labels" / "c" / f"{i:02d}.png", ids(i, (10, 10)))
    (tmp_path / "dataset.yaml").write_text("classes: 5\n")
    report = check(tmp_path)
    assert "images: 30x20" in report.summary
    assert "fps: 10" in report.summary
    assert any(f.kind == "labels and images differ in shape" for f in report.findings)


def test_sequences_too_short(root: Path) -> None:
    for kind in ("images/a/3.jpg", "labels/a/3.png"):
        (root / kind).unlink()
    found = only(check(root, clip_length=4), "sequences too short")
    assert (found.level, found.file, found.what) == ("warning", "sequence a", "has 3 frames, a clip needs 4")
    report = check(root, clip_length=9)
    assert {f.level for f in report.findings} == {"error"}


def test_a_missing_type(root: Path) -> None:
    found = only(check(root, needs=("images", "instances")), "a type is missing")
    assert found.what == "there is no folder of instances; there is images, labels"
    for i in range(4):
        (root / "labels" / "b" / f"{i}.png").unlink()
    assert only(check(root), "a sequence lacks a type").file == "sequence b"
    assert check(root, sequences=["a"]).ok


def test_missing_frames_in_the_middle(root: Path) -> None:
    for kind in ("images/a/1.jpg", "labels/a/1.png"):
        (root / kind).unlink()
    found = only(check(root), "gaps in the numbering")
    assert found.what == "the frame after 0 is 2: some are missing"


@pytest.mark.parametrize("make", [True, False])
def test_no_data_set_at_all(tmp_path: Path, make: bool) -> None:
    folder = tmp_path / "x"
    if make:
        folder.mkdir()
    report = check(folder)
    with pytest.raises(UserError, match="is empty" if make else "does not exist") as error:
        report.raise_if_errors()
    assert str(error.value).count(str(folder)) == 1


def test_an_unknown_layout_and_a_wrong_yaml(root: Path, tmp_path: Path) -> None:
    (tmp_path / "odd" / "stuff").mkdir(parents=True)
    assert "no layout that is known" in check(tmp_path / "odd").text()
    (root / "dataset.yaml").write_text("clases: 5\n")
    assert "unknown key 'clases'" in check(root).text()


def test_the_text_groups_and_counts(root: Path) -> None:
    for name in ("a", "b"):
        for i in range(4):
            write_image(root / "labels" / name / f"{i}.png", np.full(SIZE, 7, np.uint8))
    text = check(root).text()
    assert "ERROR: ids out of range (8 times)" in text
    assert "labels/a/0.png" in text
    assert "... and 5 more" in text
    assert text.endswith("8 errors, 0 warnings: mend the errors before training.")
    assert check(root).to_json()["findings"][0]["kind"] == "ids out of range"
