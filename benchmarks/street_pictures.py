"""Draw a contact sheet of the street world: RGB | labels | instances | depth | flow, one row per drive.

python benchmarks/street_pictures.py sheet.png --seeds 0 1 2 --frame 40 --size 128 256
python benchmarks/street_pictures.py strip.png --seeds 3 --count 8 --step 15 --only-rgb
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np

from videosynth.data.worlds.street import COLOURS, StreetFrame, StreetWorld
from videosynth.files import atomic


def flow_colours(flow: np.ndarray, longest: float = 12.0) -> np.ndarray:
    """RGB of a (2, H, W) flow: hue is the direction, saturation the length."""
    angle = np.arctan2(flow[1], flow[0]) * (90 / np.pi) + 90
    length = np.clip(np.hypot(*flow) / longest, 0, 1)
    hsv = np.stack([angle, 255 * length**0.5, np.full_like(angle, 255)], 2).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def row(frame: StreetFrame, only_rgb: bool) -> np.ndarray:
    """The pictures of one frame side by side."""
    if only_rgb:
        return frame.image
    instances = (np.stack([frame.instances * k % 200 for k in (37, 71, 113)], 2) + 55).astype(np.uint8)
    instances[frame.instances == 0] = 0
    depth = (255 * np.clip(3 / np.maximum(frame.depth, 3), 0, 1) ** 0.5).astype(np.uint8)
    flow = flow_colours(frame.flow)
    flow[~frame.visible] //= 2
    return np.concatenate(
        [frame.image, np.array(COLOURS, np.uint8)[frame.labels], instances, np.dstack([depth] * 3), flow], 1
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--frame", type=int, default=40)
    parser.add_argument("--count", type=int, default=1, help="frames per drive, one below the other")
    parser.add_argument("--step", type=int, default=15)
    parser.add_argument("--columns", type=int, default=1)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 256), metavar=("H", "W"))
    parser.add_argument("--only-rgb", action="store_true")
    options = parser.parse_args()
    rows = []
    for seed in options.seeds:
        world = StreetWorld(seed, tuple(options.size))
        rows += [row(world.frame(options.frame + i * options.step), options.only_rgb) for i in range(options.count)]
    rows = [np.concatenate(rows[i : i + options.columns], 1) for i in range(0, len(rows), options.columns)]
    with atomic(options.out) as part:
        cv2.imwrite(str(part), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
