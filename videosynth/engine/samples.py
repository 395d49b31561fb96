"""Sample videos while training: what the model makes now, next to the truth."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from videosynth import ops
from videosynth.engine.ema import Average
from videosynth.files import explained
from videosynth.models.base import VideoModel
from videosynth.types import Clip, DataSpec, Frame, Request
from videosynth.video.colours import colour_flow, colour_instances, colour_labels, colour_mask
from videosynth.video.sheets import contact_sheet, side_by_side
from videosynth.video.write import write_video

SHOWN = 8  # videos from noise in a sample


def from_noise(model: VideoModel) -> bool:
    """Whether a model makes videos from seeds (and perhaps from given frames), not from maps."""
    return "maps" not in model.needs and model.produces == "frames"


def map_picture(maps: dict[str, Tensor], spec: DataSpec) -> np.ndarray:
    """The first map of one frame (batch item 0) as ``H W 3`` uint8."""
    item = spec.maps[0]
    value = maps[item.name][0].cpu().numpy()
    if item.kind == "classes":
        return colour_labels(value, item.colours or None, void=item.void)
    if item.kind == "instances":
        return colour_instances(value)
    low, high = item.range
    grey = np.clip((value.astype(np.float32).mean(0) - low) / (high - low), 0, 1)
    return np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=2)


def picture(image: Tensor) -> np.ndarray:
    """``(3, H, W)`` in [-1, 1] as ``H W 3`` uint8."""
    return ops.to_uint8(image).permute(1, 2, 0).cpu().numpy()


def panels(frame: Frame, maps: dict[str, Tensor], spec: DataSpec, real: np.ndarray | None) -> np.ndarray:
    """maps | fake | real | flow | mask of one frame, side by side."""
    parts, titles = [map_picture(maps, spec), picture(frame.image[0])], ["maps", "fake"]
    if real is not None:
        parts.append(real)
        titles.append("real")
    if "flow" in frame.extras:
        parts.append(colour_flow(frame.extras["flow"][0].float().cpu().numpy()))
        titles.append("flow")
    if "mask" in frame.extras:
        parts.append(colour_mask(frame.extras["mask"][0, 0].float().cpu().numpy()))
        titles.append("mask")
    return side_by_side(parts, titles)


def sample(model: VideoModel, clip: Clip | None, frames: int) -> list[np.ndarray]:
    """Pictures of what the model makes now. From maps: the video of the first item of a clip. Of a model that continues maps:
    the second half from the first. From given frames: what comes after the clip's first one, or begins with it where the
    model's videos do, beside the real video. From noise alone (``clip`` None): a grid of videos of ``frames`` frames, whose
    attributes go round.
    """
    if clip is None:
        return _from_noise(model, frames)
    assert clip.frames is not None
    given = 0
    if "context" in model.needs:
        given = 1 if from_noise(model) else max(clip.length // 2, 1)
    context = Clip(clip.frames[:1], {k: v[:1] for k, v in clip.maps.items()})[:given] if given else None
    begin = 0 if from_noise(model) and model.first_is_given else given
    end = clip.length if model.longest is None else min(clip.length, begin + model.longest)
    steps = [{k: v[:1, t] for k, v in clip.maps.items()} for t in range(begin, end)]
    request = Request(
        seeds=(0,), frames=len(steps), maps=iter(steps) if "maps" in model.needs else None, context=context
    )
    real: Iterator[np.ndarray] = (f.permute(1, 2, 0).cpu().numpy() for f in clip.frames[0, begin:])
    if from_noise(model):
        start = picture(ops.to_float(clip.frames[0, 0]))
        return [
            side_by_side([start, picture(f.image[0]), r], ["given", "fake", "real"])
            for f, r in zip(model.generate(request), real, strict=False)
        ]
    show = _foretold if model.produces == "classes" else panels
    return [show(f, m, model.spec, r) for f, m, r in zip(model.generate(request), steps, real, strict=False)]


def _from_noise(model: VideoModel, frames: int) -> list[np.ndarray]:
    """Videos of the seeds 0, 1, ..., side by side in rows."""
    seeds = range(SHOWN)
    attributes: dict[str, str | tuple[str, ...]] = {
        name: tuple(values[i % len(values)] for i in seeds) for name, values in model.spec.attributes.items()
    }
    length = frames if model.longest is None else min(frames, model.longest)
    made = model.generate(Request(seeds=tuple(seeds), frames=length, attributes=attributes))
    return [contact_sheet([picture(image) for image in frame.image], SHOWN // 2) for frame in made]


def _foretold(frame: Frame, maps: dict[str, Tensor], spec: DataSpec, real: np.ndarray) -> np.ndarray:
    """predicted maps | real maps | real frame."""
    labels = spec.map("classes")
    assert labels is not None
    said = map_picture({k: frame.extras.get(k, v) for k, v in maps.items()}, replace(spec, maps=(labels,)))
    return side_by_side([said, map_picture(maps, replace(spec, maps=(labels,))), real], ["predicted", "maps", "real"])


class Samples(L.Callback):
    """Writes ``samples/step_N.mp4`` every so many steps and shows it in TensorBoard as a moving picture."""

    def __init__(self, folder: Path, average: Average, every: int, clip: Clip | None, frames: int = 24) -> None:
        self.folder, self.average, self.every, self.clip, self.frames = folder, average, every, clip, frames

    def on_train_batch_end(self, trainer: L.Trainer, model: VideoModel, outputs: Any, batch: Clip, index: int) -> None:
        if model.steps % self.every and model.steps < model.total_steps:
            return
        if not trainer.is_global_zero:
            return
        with self.average.applied(model):
            model.eval()
            clip = None if self.clip is None else self.clip.to(model.device)
            frames = sample(model, clip, self.frames)
            model.train()
        write_video(self.folder / f"step_{model.steps:06d}.mp4", frames, fps=model.spec.fps)
        if trainer.logger is not None:
            _show(trainer.logger.experiment, frames, model.spec.fps, model.steps)  # pyright: ignore[reportAttributeAccessIssue]


def _show(writer: Any, frames: list[np.ndarray], fps: float, step: int) -> None:
    """TensorBoard plays a GIF handed over as an image; its own video call needs a further library."""
    from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

    pictures = [Image.fromarray(f) for f in frames]
    data = io.BytesIO()
    pictures[0].save(data, "GIF", save_all=True, append_images=pictures[1:], duration=round(1000 / fps), loop=0)
    height, width = frames[0].shape[:2]
    image = Summary.Image(encoded_image_string=data.getvalue(), height=height, width=width, colorspace=3)
    with explained(Path(writer.log_dir)):
        writer.file_writer.add_summary(Summary(value=[Summary.Value(tag="sample", image=image)]), step)


def first_clip(model: VideoModel, data: Any, frames: int) -> Clip | None:
    """A fixed clip of the training data to sample from, without augmentation as far as the data allows; None for models that
    make videos from noise alone.
    """
    if from_noise(model) and "context" not in model.needs:
        return None
    draw = data.draw(0, 0, 0)
    size = model.spec.size  # also while a model grows: it paints smaller then, and enlarges
    stride = data.settings.step if from_noise(model) else 1  # videos from noise are as fast as the clips
    plain = draw._replace(
        stride=stride, start=0, flip=False, colour=None, coarsen=0.0, size=size, scaled=size, crop=(0.0, 0.0)
    )
    longest = data.dataset.lengths[plain.sequence]
    with torch.no_grad():
        return data.dataset[plain._replace(length=min(frames, (longest - 1) // stride + 1))]
