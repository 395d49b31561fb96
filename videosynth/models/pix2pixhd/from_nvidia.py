"""Weights of NVIDIA's pix2pixHD, also as vid2vid ships them for first frames -> a run folder.

``latest_net_G.pth`` or ``latest_net_G_512.pth``, ``_1024``, ``_2048``: a global generator, with local enhancers or without.
The architecture is read off the tensors. Their norms are instance norms without parameters: ours get weight 1 and bias 0.
Coarser scales have no last convolution there; ours rest, and are 0.
"""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

from torch import Tensor

from videosynth.models.base import Converted, read_pickled_tensors
from videosynth.models.foreign import completed, placed
from videosynth.models.pix2pixhd.model import Pix2PixHD
from videosynth.models.pix2pixhd.options import GeneratorShape, Losses
from videosynth.types import DataSpec, MapSpec, UserError


def convert(folder: Path, epoch: str = "latest", foreground: tuple[str, ...] | None = None) -> Converted:
    """Build the model that ``folder`` (or the file itself) holds the weights of.

    Raises:
        UserError: no such file, or several; a file that is damaged; a tensor that has no place, or a place without one.
    """
    if foreground is not None:
        raise UserError("--foreground is for vid2vid's weights: single pictures have no foreground branch")
    path = _file(folder, epoch)
    state = read_pickled_tensors(path)
    if any(name.startswith("model_downsample") for name in state):
        raise UserError(
            f"{path} holds a generator with features (Global_with_z, of the face models): it paints from features.npy, "
            "a pickle of the training pictures' features, and is not read"
        )
    shape, classes = _shape(path, state)
    # A wide picture, as the file's name says; the networks take any size.
    width = next((int(m[1]) for m in [re.search(r"_G_(\d+)\.pth$", path.name)] if m), 1024)
    spec = DataSpec(maps=(MapSpec("labels", "classes", classes),), size=(width // 2, width))
    model = Pix2PixHD(spec, shape, losses=Losses(network="none", perceptual=0.0))
    wanted = model.generator.state_dict()
    found, unused = placed(path, state, wanted, lambda name: _our_name(name, shape))
    found["active.trained"] = wanted["active.trained"]
    resting = tuple(f"heads.{k}." for k in range(shape.scales - 1))
    model.generator.load_state_dict(completed(found, wanted, path, resting))
    return Converted(model.eval(), {"running statistics of norms (never used)": unused})


def _file(folder: Path, epoch: str) -> Path:
    if folder.is_file():
        return folder
    if not folder.is_dir():
        raise UserError(f"no file and no folder at {folder}: pass {epoch}_net_G.pth or its folder")
    found = sorted(p for p in folder.iterdir() if re.fullmatch(rf"{re.escape(epoch)}_net_G(_\d+)?\.pth", p.name))
    if not found:
        held = ", ".join(sorted(p.name for p in folder.glob("*.pth"))[:5]) or "no .pth files"
        raise UserError(f"{folder} has no {epoch}_net_G.pth (it holds {held}): pass another folder, or --epoch")
    if len(found) > 1:
        raise UserError(f"{folder} holds {', '.join(p.name for p in found)}: pass one of these files instead")
    return found[0]


def _shape(path: Path, state: dict[str, Tensor]) -> tuple[GeneratorShape, int]:
    """The architecture and the number of classes, read off the tensors.

    Raises:
        UserError: these are not the weights of a pix2pixHD generator.
    """
    first = state.get("model.1.weight")
    if first is None or first.dim() != 4 or first.shape[-1] != 7:
        raise UserError(f"{path} lacks model.1.weight: these are not the weights of pix2pixHD's generator")
    downsamples = next(k for k in count() if f"model.{4 + 3 * k}.weight" not in state)
    blocks = sum(1 for n in state if re.fullmatch(r"model\.\d+\.conv_block\.1\.weight", n))
    enhancers = next(k for k in count() if f"model{k + 1}_1.1.weight" not in state)
    inner = sum(1 for n in state if re.fullmatch(r"model1_2\.\d+\.conv_block\.1\.weight", n))
    if not downsamples or not blocks:
        raise UserError(f"{path} has no residual blocks in its tensors: these are not the weights of pix2pixHD")
    shape = GeneratorShape(first.shape[0], downsamples, blocks, enhancers, inner or 3)
    return shape, first.shape[1]


def _our_name(name: str, shape: GeneratorShape) -> str:
    name = name.replace("conv_block", "body")
    part, _, rest = name.partition(".")
    place, _, tail = rest.partition(".")
    last = 5 + 6 * shape.downsamples + shape.blocks
    if part == "model":
        return f"heads.0.1.{tail}" if place == str(last) else f"coarsest.{rest}"
    finer = re.fullmatch(r"model(\d+)_([12])", part)
    if finer is None:
        return name
    index = int(finer[1])
    if finer[2] == "1":
        return f"enhancers.{index - 1}.fine.{rest}"
    if place == str(shape.enhancer_blocks + 4):
        return f"heads.{index}.1.{tail}"
    return f"enhancers.{index - 1}.joint.{rest}"
