"""Weights of NVIDIA's vid2vid (2018) -> a run folder: ``latest_net_G0.pth``, ``_G1``, ``_G2`` of one training.

The architecture is read off the tensors. Their batch norm ran on single images with batch statistics, at test time too, so
it becomes the affine instance norm that it was; its running statistics were never used and are left out. The warp is
corner-aligned with flow in pixels, as ours is.
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from videosynth.models.base import Converted, read_pickled_tensors
from videosynth.models.foreign import completed, placed
from videosynth.models.vid2vid.model import Vid2Vid
from videosynth.models.vid2vid.options import GeneratorShape, Losses
from videosynth.types import DataSpec, MapSpec, UserError

CITYSCAPES_IDS = 35  # labelIds and the licence plate
CAR = "26"  # the foreground of the street models (option fg_labels, which the weights do not tell)
_BRANCHES = {"img": "image", "flow": "flow"}
_HEADS = {"final_img": "image_head", "final_flow": "flow_head", "final_w": "mask_head"}


def convert(folder: Path, epoch: str = "latest", foreground: tuple[str, ...] | None = None) -> Converted:
    """Build the model that ``{epoch}_net_G*.pth`` in ``folder`` hold the weights of; ``foreground``: None is the street
    models' car.

    Raises:
        UserError: no such files; a file that is damaged; a tensor that has no place, or a place without a tensor.
    """
    files = scale_files(folder, epoch)
    states = [read_pickled_tensors(path) for path in files]
    shape, spec = read_shape(files, states, foreground)
    model = Vid2Vid(spec, shape, losses=Losses(network="none", perceptual=0.0))
    wanted = model.generator.state_dict()
    found: dict[str, Tensor] = {"active.trained": wanted["active.trained"]}
    unused = 0
    for index, (path, state) in enumerate(zip(files, states, strict=True)):
        here, statistics = placed(
            path, state, wanted, lambda n, p=path, k=index: f"scales.{k}.{our_name(p, n, shape, k)}"
        )
        found |= here
        unused += statistics
    model.generator.load_state_dict(completed(found, wanted, files[0].parent))
    left = {"running statistics of batch norms (never used, spec 1.8)": unused}
    return Converted(model.eval(), left, "--first-frame PICTURE_OR_RUN")


def scale_files(folder: Path, epoch: str) -> list[Path]:
    """G0, G1, ... of one training.

    Raises:
        UserError: there is no G0, or a scale between others is missing.
    """
    if not folder.is_dir():
        raise UserError(f"no folder at {folder}: pass the folder that holds {epoch}_net_G0.pth")
    there = {
        int(m[1]): p for p in folder.iterdir() if (m := re.fullmatch(rf"{re.escape(epoch)}_net_G(\d)\.pth", p.name))
    }
    if 0 not in there:
        held = ", ".join(sorted(p.name for p in folder.glob("*.pth"))[:5]) or "no .pth files"
        raise UserError(f"{folder} has no {epoch}_net_G0.pth (it holds {held}): pass another folder, or --epoch")
    if sorted(there) != list(range(len(there))):
        raise UserError(f"{folder} has the scales {sorted(there)}: one between them is missing")
    return [there[k] for k in range(len(there))]


def read_shape(
    files: list[Path], states: list[dict[str, Tensor]], foreground: tuple[str, ...] | None
) -> tuple[GeneratorShape, DataSpec]:
    """The architecture, read off the tensors.

    Raises:
        UserError: these are not the weights of a composite generator.
    """
    state = states[0]
    for name in ("model_down_seg.1.weight", "model_down_img.1.weight", "model_final_img.1.weight"):
        if name not in state:
            raise UserError(f"{files[0]} lacks {name}: these are not the weights of vid2vid's composite generator")
    first = state["model_down_seg.1.weight"]
    past = state["model_down_img.1.weight"].shape[1] // 3
    downsamples = (
        sum(1 for n, t in state.items() if re.fullmatch(r"model_down_seg\.\d+\.weight", n) and t.dim() == 4) - 1
    )
    blocks = sum(1 for n in state if re.fullmatch(r"model_(down_seg|res_img)\.\d+\.conv_block\.1\.weight", n))
    finer = (
        sum(1 for n in states[1] if re.fullmatch(r"model_up_img\.\d+\.conv_block\.1\.weight", n))
        if len(states) > 1
        else 3
    )
    has_foreground = "indv_down.1.weight" in state
    if foreground is not None and not has_foreground:
        raise UserError(f"--foreground: {files[0]} has no foreground branch: leave the option out")
    shape = GeneratorShape(
        width=first.shape[0],
        downsamples=downsamples,
        blocks=blocks,
        scales=len(states),
        finer_blocks=finer,
        foreground=(foreground or (CAR,)) if has_foreground else (),
        past=past,
        flow="model_final_flow.1.weight" in state,
    )
    per_frame = first.shape[1] // (past + 1)
    side = 2 ** (len(states) - 1)
    spec = DataSpec(maps=_maps(files[0], per_frame), size=(256 * side, 512 * side))
    labels = spec.map("classes")
    if labels is not None:
        for name in shape.foreground:
            labels.class_id(name, "--foreground")
    return shape, spec


def _maps(path: Path, channels: int) -> tuple[MapSpec, ...]:
    """The driving maps of the published variants, by the number of channels per frame."""
    known = {
        CITYSCAPES_IDS: (MapSpec("labels", "classes", CITYSCAPES_IDS),),
        CITYSCAPES_IDS + 1: (MapSpec("labels", "classes", CITYSCAPES_IDS), MapSpec("instances", "instances", 1)),
        15: (MapSpec("edges", "drawn", 15),),  # face: edges and 14 distance maps, 0..1
        1: (MapSpec("edges", "drawn", 1),),
        6: (MapSpec("poses", "drawn", 6, range=(127.5, 255.0)),),  # DensePose and OpenPose, -1..1
        3: (MapSpec("poses", "drawn", 3, range=(127.5, 255.0)),),
    }
    if channels not in known:
        raise UserError(
            f"{path}: {channels} map channels per frame; known are the street ({CITYSCAPES_IDS}, {CITYSCAPES_IDS + 1}), "
            "faces (1, 15) and poses (3, 6)"
        )
    return known[channels]


def our_name(path: Path, name: str, shape: GeneratorShape, scale: int) -> str:
    """Our name within a scale for one of their tensors.

    Raises:
        UserError: an unknown tensor.
    """
    name = name.replace("conv_block", "body")
    part, _, rest = name.partition(".")
    place, _, tail = rest.partition(".")
    if part.startswith("model_") and part.removeprefix("model_") in _HEADS:
        return f"{_HEADS[part.removeprefix('model_')]}.{rest}"
    if part == "indv_final":
        return f"foreground_head.{rest}"
    if part in ("model_down_seg", "model_down_img", "indv_down"):
        ours = {"model_down_seg": "label_trunk", "model_down_img": "history_trunk", "indv_down": "foreground_trunk"}
        return f"{ours[part]}.{rest}"
    kind = re.fullmatch(r"(model|indv)_(res|up)_?(img|flow)?", part)
    if kind is None or not place.isdecimal():
        raise UserError(f"{path}: unknown tensor {name}: these are not the weights of vid2vid's composite generator")
    branch = "foreground_branch" if kind[1] == "indv" else f"{_BRANCHES[kind[3]]}_branch"
    before = 0
    if kind[2] == "up" and scale == 0:  # at the coarsest scale the blocks before are a module of their own
        before = shape.blocks if kind[1] == "indv" else shape.blocks // 2
    return f"{branch}.{before + int(place)}.{tail}"
