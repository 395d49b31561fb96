"""Clips, specs, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from videosynth import files
from videosynth.types import Clip, DataSpec, MapSpec, UserError


def clip(batch: int = 2, length: int = 5, references: bool = True) -> Clip:
    def count(*shape: int) -> torch.Tensor:
        return torch.arange(batch * length).view(batch, length, *[1] * len(shape)).expand(batch, length, *shape)

    return Clip(
        frames=count(3, 4, 6).to(torch.uint8),
        maps={"labels": count(4, 6).to(torch.uint8), "depth": count(1, 4, 6).float()},
        flow=count(2, 4, 6).float(),
        confidence=count(1, 4, 6).float(),
        attributes={"action": count()},
        references=clip(batch, 3, references=False) if references else None,
        keys=tuple(f"k{i}" for i in range(batch)),
    )


def tensors(c: Clip) -> list[torch.Tensor]:
    assert c.frames is not None
    assert c.flow is not None
    assert c.confidence is not None
    return [c.frames, c.maps["labels"], c.maps["depth"], c.flow, c.confidence, c.attributes["action"]]


def same(a: Clip, b: Clip) -> bool:
    pairs = [*zip(tensors(a), tensors(b), strict=True)]
    if a.references is not None and b.references is not None:
        pairs += zip(tensors(a.references), tensors(b.references), strict=True)
    return a.keys == b.keys and all(torch.equal(x, y) for x, y in pairs)


def test_shape():
    c = clip()
    assert (c.batch, c.length, c.size, c.device.type) == (2, 5, (4, 6), "cpu")
    assert Clip(maps={"labels": torch.zeros(3, 7, 4, 5)}).size == (4, 5)
    with pytest.raises(ValueError, match="empty clip"):
        _ = Clip().batch


def test_slices_are_over_time():
    c = clip()
    part = c[1:3]
    assert part.length == 2
    assert all(torch.equal(x, y[:, 1:3]) for x, y in zip(tensors(part), tensors(c), strict=True))
    assert part.references is not None
    assert part.references.length == 3, "references stay whole"
    assert part.keys == c.keys
    with pytest.raises(TypeError, match="clip"):
        _ = c[1]  # type: ignore[index]


@pytest.mark.parametrize(("length", "parts"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5]), (None, [5])])
def test_chunks_are_the_whole_clip_in_order(length, parts):
    c = clip()
    chunks = list(c.chunks(length))
    assert [p.length for p in chunks] == parts
    for i, whole in enumerate(tensors(c)):
        assert torch.equal(torch.cat([tensors(p)[i] for p in chunks], dim=1), whole)


def test_split_and_collate_are_inverse():
    c = clip(4)
    parts = c.split(2)
    assert [p.batch for p in parts] == [2, 2]
    assert parts[1].keys == ("k2", "k3")
    assert parts[1].references is not None
    assert parts[1].references.batch == 2
    assert same(Clip.collate(parts), c)
    with pytest.raises(UserError, match=r"4 clips cannot be split into 3"):
        c.split(3)


def test_collate_drops_what_not_all_have():
    a, b = clip(1), clip(1)
    b.flow = b.references = None
    both = Clip.collate([a, b])
    assert both.batch == 2
    assert both.flow is None
    assert both.references is None
    assert both.confidence is not None


def test_to_moves_everything_and_keeps_types():
    moved = clip().to("meta")
    assert all(t.is_meta for t in tensors(moved))
    assert moved.references is not None
    assert all(t.is_meta for t in tensors(moved.references))
    assert [t.dtype for t in tensors(moved)] == [t.dtype for t in tensors(clip())]


def test_spec_survives_json():
    spec = DataSpec(
        maps=(
            MapSpec("labels", "classes", 3, ("road", "car", "sky"), ((1, 2, 3), (4, 5, 6), (7, 8, 9)), void=255),
            MapSpec("instances", "instances", 1),
            MapSpec("depth", "dense", 1, range=(0.5, 65535.0)),
        ),
        size=(48, 64),
        fps=12.5,
        fit="cover",
        attributes={"action": ("walk", "run")},
    )
    again = DataSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert hash(again.maps) == hash(spec.maps)
    assert again.channels == 5
    found = again.map("instances")
    assert found is not None
    assert found.name == "instances"
    assert again.map("drawn") is None
    assert DataSpec.from_json(json.loads(json.dumps(DataSpec().to_json()))) == DataSpec()


# files


def test_atomic_replaces_a_file_at_the_end(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    files.write_text(target, "old")
    with files.atomic(target) as part:
        part.write_text("new")
        assert part.suffix == ".txt"
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_atomic_replaces_a_folder(tmp_path):
    for text in ("old", "new"):
        with files.atomic(tmp_path / "frames") as part:
            part.mkdir()
            (part / text).write_text(text)
    assert [p.name for p in (tmp_path / "frames").iterdir()] == ["new"]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_exception_the_old_file_is_all_there_is(tmp_path, error):
    files.write_text(tmp_path / "a.txt", "old")

    def fail(part):
        part.write_text("half")
        raise error

    for target in (tmp_path / "a.txt", tmp_path / "new" / "deep" / "a.txt"):
        with pytest.raises(error), files.atomic(target) as part:
            fail(part)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "old.png").write_text("old")
    usual = os.replace

    def refuses(source, target):
        if Path(target) == tmp_path / "frames" and Path(source).name == "frames":
            raise OSError(errno.EACCES, "no")
        usual(source, target)

    monkeypatch.setattr(files.os, "replace", refuses)
    with pytest.raises(UserError, match="permission denied"), files.atomic(tmp_path / "frames") as part:
        part.mkdir()
    assert (tmp_path / "frames" / "old.png").read_text() == "old"


def test_nothing_left(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    def fail(*names):
        for name in names:
            files.write_text(tmp_path / name, "x")
        raise ValueError

    with pytest.raises(ValueError), files.nothing_left(tmp_path, unless="done"):
        fail("mine.txt", "more", "deep/more")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ValueError), files.nothing_left(tmp_path / "new" / "run", unless="done"):
        fail("new/run/log/a", "new/run/b")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ValueError), files.nothing_left(tmp_path / "run", unless="done"):
        fail("run/done", "run/more")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["done", "more"]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"cannot write .*file/a\.txt: .*choose another path"):
        files.write_text(tmp_path / "file" / "a.txt", "text")


LIMITED = """
import resource, sys
from videosynth import files
from videosynth.types import UserError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write_bytes(sys.argv[1], bytes(5000))
except UserError as error:
    print(error)
"""


def test_a_refused_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "data.bin"
    target.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", LIMITED, str(target)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert f"cannot write {target}: the file would exceed the file size limit" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]
    assert target.read_bytes() == b"old"


def test_json(tmp_path):
    files.write_json(tmp_path / "a.json", {"x": [1, 2]})
    assert files.read_json(tmp_path / "a.json") == {"x": [1, 2]}
    with pytest.raises(UserError, match=r"b\.json is missing"):
        files.read_json(tmp_path / "b.json")
    for damaged in (b'{"x": [1,', b"\xff\xfe\x00"):
        (tmp_path / "a.json").write_bytes(damaged)
        with pytest.raises(UserError, match=r"a\.json is damaged") as error:
            files.read_json(tmp_path / "a.json")
        assert "\n" not in str(error.value)
