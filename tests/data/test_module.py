from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import lightning as L
import numpy as np
import pytest
import torch

from videosynth.data.module import DrawSampler, VideoData
from videosynth.types import Clip, UserError
from videosynth.video.images import write_image


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    random = np.random.default_rng(0)
    for name, count in (("a", 12), ("b", 7)):
        for i in range(count):
            write_image(folder / "images" / name / f"{i}.png", random.integers(0, 256, (20, 30, 3), dtype=np.uint8))
            write_image(folder / "labels" / name / f"{i}.png", random.integers(0, 4, (20, 30), dtype=np.uint8))
    return folder


class Phase(NamedTuple):
    clip_length: int
    size: tuple[int, int] | None


def growing(step: int) -> Phase:
    return Phase(2 + step // 3, (16, 24) if step < 6 else None)


def module(root: Path, **options: object) -> VideoData:
    options = {"size": (18, 28), "batch_size": 2, "flow": "none", "workers": 0, "steps_per_epoch": 8} | options
    data = VideoData(
        root=str(root),
        clip_length=3,
        max_step=2,
        scale=(1, 1.2),
        colour=0.1,
        seed=3,
        **options,  # type: ignore[arg-type]
    )
    data.phase_at = growing
    return data


def equal(one: Clip, other: Clip) -> bool:
    assert one.frames is not None
    assert other.frames is not None
    maps = all(torch.equal(one.maps[k], other.maps[k]) for k in one.maps)
    return one.keys == other.keys and torch.equal(one.frames, other.frames) and maps


def test_clips_are_the_same_for_any_number_of_workers_and_after_a_resume(root: Path) -> None:
    reference = list(module(root).train_dataloader())
    assert [c.length for c in reference] == [2, 2, 2, 3, 3, 3, 4, 4]
    assert [c.size for c in reference][5:7] == [(16, 24), (18, 28)]
    assert len({c.keys for c in reference}) > 4
    for workers in (1, 2):
        clips = list(module(root, workers=workers).train_dataloader())
        assert len(clips) == 8
        assert all(equal(a, b) for a, b in zip(reference, clips))
    resumed = module(root, workers=1, cache="memory")
    resumed.start_step = 5
    assert all(equal(a, b) for a, b in zip(reference[5:], resumed.train_dataloader()))


def test_epochs_go_on_where_the_last_one_ended(root: Path) -> None:
    whole = [c.keys for c in module(root).train_dataloader()]
    data = module(root, steps_per_epoch=4, workers=1)
    loader = data.train_dataloader()
    assert len(loader) == 4
    assert [c.keys for c in loader] + [c.keys for c in loader] == whole
    assert data.start_step == 8


class Watch(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.keys: list[tuple[str, ...]] = []

    def training_step(self, clip: Clip, index: int) -> torch.Tensor:
        assert isinstance(clip, Clip)
        self.keys.append(clip.keys)
        return self.layer(torch.zeros(1)).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def test_lightning_trains_on_the_module(root: Path, tmp_path: Path) -> None:
    expected = [c.keys for c in module(root).train_dataloader()]
    data, model = module(root, steps_per_epoch=4), Watch()
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    assert model.keys == expected


def test_two_processes_share_the_batch_of_one(root: Path) -> None:
    whole = module(root, batch_size=4)
    halves = [module(root), module(root)]
    for rank, half in enumerate(halves):
        half.trainer = SimpleNamespace(global_rank=rank)  # type: ignore[assignment]
    for one, first, second in zip(DrawSampler(whole), DrawSampler(halves[0]), DrawSampler(halves[1])):
        assert one == [*first, *second]
        assert len(set(one)) == 4


def test_spec_and_index_are_there_before_training(root: Path) -> None:
    data = module(root, frames="0:5", sequences=["a"])
    assert (data.index.names, data.index.lengths) == (("a",), (5,))
    assert (data.spec.size, data.spec.channels, data.spec.fps) == ((18, 28), 4, 15.0)
    assert len(data.fingerprint()) == 64


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_frame_is_one_line_even_from_a_worker(tmp_path: Path, workers: int) -> None:
    for i in range(3):
        write_image(tmp_path / "images" / f"{i}.png", np.random.default_rng(i).integers(0, 256, (40, 40, 3), np.uint8))
    path = tmp_path / "images" / "1.png"
    path.write_bytes(path.read_bytes()[:2000])
    data = VideoData(root=str(tmp_path), size=(8, 8), clip_length=3, flow="none", workers=workers)
    with pytest.raises(UserError, match=r"1\.png") as error:
        next(iter(data.train_dataloader()))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give data.root .* or data.world"),
        ({"root": "x", "batch_size": 0}, "data.batch_size"),
        ({"root": "x", "workers": -1}, "data.workers"),
        ({"root": "x", "steps_per_epoch": 0}, "data.steps_per_epoch"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        VideoData(**options)


def test_flow_on_disk_is_kept_in_the_users_cache(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEOSYNTH_CACHE", str(tmp_path))
    data = VideoData(root=str(root), size=(20, 30), clip_length=3, cache="disk", workers=0, steps_per_epoch=1)
    direct = VideoData(root=str(root), size=(20, 30), clip_length=3, workers=0, steps_per_epoch=1)
    (clip,), (other,) = data.train_dataloader(), direct.train_dataloader()
    assert clip.flow is not None
    assert other.flow is not None
    assert torch.allclose(clip.flow, other.flow, atol=0.01)
    assert len(list(tmp_path.rglob("*.npz"))) == 2


def test_a_models_frames_are_as_far_apart_as_those_it_saw():
    assert (
        VideoData(world="shapes", size=(16, 16)).spec.fps
        == 2 * VideoData(world="shapes", size=(16, 16), step=2).spec.fps
    )
