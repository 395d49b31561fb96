"""Memory of a training step, computed and measured: ``python benchmarks/step_memory.py PRESET [--size WxH ...]``.

Computed: bytes of the tensors alive at the step's peak (``videosynth.apps.cost``), for any size. Measured, with
``--measure``: on a CUDA GPU the allocator's peak; else the growth of a fresh process on the CPU while it trains, which
holds the libraries' workspaces as well. One clip per step, at the end of the schedule; each line is one size.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

import torch

from videosynth.apps.bench import measure_training
from videosynth.apps.catalogue import build, example_spec, options_of
from videosynth.apps.cost import FRAMES, step_cost
from videosynth.apps.estimate import told


def frames_of(preset: str, size: tuple[int, int]) -> int:
    """Frames of the clip, computed and measured alike."""
    model = build(preset, example_spec(size), device="meta")
    return min(FRAMES, model.phase_at(model.total_steps - 1).clip_length)


def measure(preset: str, size: tuple[int, int]) -> None:
    """Run in a process of its own: prints the bytes."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    measure_training(preset, size, device, plain=False, steps=2, length=frames_of(preset, size))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(torch.cuda.max_memory_allocated() if device.type == "cuda" else after - before)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("preset")
    p.add_argument("--size", action="append", default=[], help="WxH (default: the preset's)")
    p.add_argument("--measure", action="store_true")
    p.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    o = p.parse_args()
    options = options_of(o.preset)
    sizes = [tuple(int(x) for x in text.split("x"))[::-1] for text in o.size] or [tuple(options.data.size)]
    for height, width in sizes:
        size = (height, width)
        if o.child:
            measure(o.preset, size)
            continue
        model = build(o.preset, example_spec(size), device="meta")
        half = "16" in str(options.trainer.precision)
        found = step_cost(model, size, 1, half, model.total_steps - 1, frames_of(o.preset, size))
        line = f"{o.preset} {width}x{height}: computed {told(found.memory)}"
        if o.measure:
            words = [sys.executable, __file__, o.preset, "--size", f"{width}x{height}", "--child"]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            line += f", measured {told(int(done.stdout.split()[-1]))}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
