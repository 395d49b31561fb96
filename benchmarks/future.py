"""Future prediction against repeating the last frame (vid2vid, section 4.3).

    python benchmarks/future.py PREDICTOR PAINTER world:street --network SQUEEZENET --out future.json --video future.mp4
    python benchmarks/future.py PREDICTOR PAINTER street_camvid/train --slice 48:80 ...

The first half of each sequence (of the frames in ``--slice``; 32 of a world) is given, the second half is predicted:
label maps by PREDICTOR, frames by PAINTER from these and the last given frames. Beside it stands the last given frame,
repeated, and (``true maps``) the painter on the maps that really came. Per frame ahead: share of pixels whose class is
right, PSNR, SSIM, perceptual distance; gradient energy as a share of the real frames'.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videosynth.apps.maps import DRIVE, open_maps
from videosynth.apps.precision import prepare
from videosynth.engine.samples import picture
from videosynth.files import write_json
from videosynth.metrics.pixels import gradient_energy, perceptual_distance, psnr, ssim
from videosynth.models.base import load
from videosynth.nn.trunks import load_trunk
from videosynth.types import Clip, Request
from videosynth.video.colours import colour_labels
from videosynth.video.sheets import side_by_side
from videosynth.video.write import write_video

DRIVES, LENGTH = 12, 32


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("predictor")
    p.add_argument("painter")
    p.add_argument("data")
    p.add_argument("--slice")
    p.add_argument("--network", required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--video", type=Path)
    o = p.parse_args()
    predictor, painter = (prepare(load(run), "fp32") for run in (o.predictor, o.painter))
    trunk = load_trunk(o.network)
    assert trunk is not None
    world = o.data.startswith("world:")
    data = f"{o.data}:{','.join(str(DRIVE + k) for k in range(DRIVES))}" if world else o.data
    part = f"0:{LENGTH}" if world else o.slice
    curves: dict[str, dict[str, list[np.ndarray]]] = {}
    for number, driving in enumerate(open_maps(data, painter.spec, part, "train", real=True)):
        frames = list(driving.frames)
        half = len(frames) // 2
        real = np.stack([f["images"][0].permute(1, 2, 0).numpy() for f in frames])
        ids = torch.stack([f["labels"] for f in frames], dim=1)
        past = Clip(torch.stack([f["images"] for f in frames[:half]], dim=1), {"labels": ids[:, :half]})
        ahead = len(frames) - half
        said = [f.extras["labels"] for f in predictor.generate(Request(frames=ahead, context=past))]
        true = [ids[:, half + t] for t in range(ahead)]
        videos = {"predicted": said, "true maps": true}
        made = {
            name: np.stack([picture(f.image[0]) for f in painter.generate(_from(maps, past))])
            for name, maps in videos.items()
        }
        made["last frame repeated"] = np.repeat(real[half - 1 : half], ahead, axis=0)
        videos["last frame repeated"] = [ids[:, half - 1]] * ahead
        for name, fake in made.items():
            right = [float((m == t).float().mean()) for m, t in zip(videos[name], true, strict=True)]
            found = {
                "classes right": np.array(right),
                "PSNR": psnr(fake, real[half:]),
                "SSIM": ssim(fake, real[half:]),
                "perceptual": perceptual_distance(fake, real[half:], trunk),
                "gradient": gradient_energy(fake) / gradient_energy(real[half:]),
            }
            for metric, curve in found.items():
                curves.setdefault(name, {}).setdefault(metric, []).append(curve)
        if not number and o.video is not None:
            labels = painter.spec.map("classes")
            assert labels is not None
            shown = [colour_labels(m[0].numpy(), labels.colours or None, labels.void) for m in said]
            rows = zip(shown, made["predicted"], made["last frame repeated"], real[half:], strict=True)
            titles = ["predicted maps", "predicted", "repeated", "real"]
            write_video(o.video, [side_by_side(row, titles) for row in rows], fps=painter.spec.fps)
    report: dict[str, Any] = {
        name: {metric: np.mean(values, axis=0).tolist() for metric, values in found.items()}
        for name, found in curves.items()
    }
    write_json(o.out, report)
    for name, found in report.items():
        thirds = {m: [round(float(np.mean(c)), 3) for c in np.array_split(v, 3)] for m, v in found.items()}
        print(name, {m: round(float(np.mean(v)), 3) for m, v in found.items()}, "by thirds", thirds)


def _from(maps: list[torch.Tensor], past: Clip) -> Request:
    return Request(maps=iter([{"labels": m} for m in maps]), context=past)


if __name__ == "__main__":
    main()
