from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from videosynth.data.draws import DrawSettings, draw
from videosynth.data.module import VideoData
from videosynth.data.world import WorldDataset, iterate_world, world_spec
from videosynth.data.worlds.street import StreetWorld
from videosynth.types import UserError

SIZE = (32, 48)


def test_a_clip_of_the_world_is_its_frames_with_exact_flow() -> None:
    data = WorldDataset(world_spec("street", SIZE), [5, 9])
    one = draw(data.lengths, DrawSettings(SIZE, 3, 2), 0, 0, 0, 0)
    clip = data[one]
    seed = data.seeds[one.sequence]
    frames = list(StreetWorld(seed, SIZE).frames(one.start, 3, one.stride))
    assert clip.keys == (f"{seed}/{one.start}",)
    assert clip.frames is not None
    assert clip.flow is not None
    assert clip.confidence is not None
    for t, frame in enumerate(frames):
        assert np.array_equal(clip.frames[0, t].permute(1, 2, 0).numpy(), frame.image)
        assert np.array_equal(clip.maps["labels"][0, t].numpy(), frame.labels)
        assert np.array_equal(clip.maps["instances"][0, t].numpy(), frame.instances)
    assert np.array_equal(clip.flow[0, 2].numpy(), frames[2].flow)
    assert np.array_equal(clip.confidence[0, 2, 0].numpy() > 0, frames[2].visible)
    assert clip.confidence[0, 0].sum() == 0
    assert clip.maps["labels"].dtype == torch.uint8
    assert clip.maps["instances"].dtype == torch.int32


def test_the_module_serves_a_world_with_any_number_of_workers() -> None:
    def clips(workers: int) -> list:
        options = {"size": SIZE, "clip_length": 2, "steps_per_epoch": 3, "scale": (1.0, 1.2), "workers": workers}
        return list(VideoData(world="street", world_seeds=4, **options).train_dataloader())

    for one, other in zip(clips(0), clips(1)):
        assert one.keys == other.keys
        assert torch.equal(one.frames, other.frames)
        assert torch.equal(one.flow, other.flow)
        assert one.frames.shape == (1, 2, 3, *SIZE)


def test_a_stride_thins_a_world_once() -> None:
    data = VideoData(
        world="street", world_seeds=1, maps=[], size=(16, 32), clip_length=3, step=2, flip=False, workers=0
    )
    assert data.spec.fps == 7.5, "what a model from noise plays"
    drawn = data.draw(0, 0, 0)
    clip = data.dataset[drawn]
    spec = replace(data.spec, fps=15.0)
    frames = list(iterate_world(spec, 0, 5, drawn.start))[::2]
    assert clip.frames is not None
    assert torch.equal(clip.frames[0], torch.cat([f["images"] for f in frames]))


def test_seeds_and_frames_can_be_chosen() -> None:
    data = VideoData(world="street", size=SIZE, clip_length=2, frames="10:13", sequences=["77"])
    draws = {(d.sequence, d.start) for d in (data.draw(step, 0, 0) for step in range(20))}
    assert draws == {(0, 0), (0, 1)}
    assert data.dataset[data.draw(0, 0, 0)].keys[0].split("/") in (["77", "10"], ["77", "11"])


def test_streaming_a_world() -> None:
    spec = world_spec("street", SIZE)
    frames = list(iterate_world(spec, 3, 2))
    assert {k: tuple(v.shape) for k, v in frames[1].items()} == {
        "labels": (1, *SIZE),
        "instances": (1, *SIZE),
        "images": (1, 3, *SIZE),
    }
    assert np.array_equal(frames[1]["labels"][0].numpy(), StreetWorld(3, SIZE).frame(1).labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"world": "moon"}, "no world 'moon'; choose from: street"),
        ({"world": "street", "flow": "disk"}, "a world has no files"),
        ({"world": "street", "frames": "::2"}, "without a step"),
        ({"world": "street", "sequences": ["a"]}, "are seeds"),
        ({"world": "street", "world_seeds": 0}, "world_seeds"),
    ],
)
def test_what_a_world_cannot_do_is_a_user_error(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _ = VideoData(**options).dataset
