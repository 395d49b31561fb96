"""Memory of ``generate`` against the length of the video: ``python benchmarks/memory.py RUN [FRAMES ...]``.

Each length runs in a process of its own that streams a drive of the street world through the model into an mp4 file;
printed is the process's peak resident memory. It must not grow with the length.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LENGTHS = (100, 500, 2000)


def measure(run: str, frames: int) -> float:
    """Peak resident MiB of this process after generating ``frames`` frames."""
    from videosynth.data.world import iterate_world
    from videosynth.engine.samples import picture
    from videosynth.models.base import load
    from videosynth.types import Request
    from videosynth.video.write import VideoWriter

    model = load(run)
    request = Request(seeds=(0,), maps=iterate_world(model.spec, 1_000_003, frames))
    with tempfile.TemporaryDirectory() as folder, VideoWriter(Path(folder) / "video.mp4", model.spec.fps) as writer:
        for frame in model.generate(request):
            writer.write(picture(frame.image[0]))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    run = sys.argv[1]
    lengths = [int(n) for n in sys.argv[2:]] or list(LENGTHS)
    if len(lengths) == 1:
        print(json.dumps({"frames": lengths[0], "peak_mib": round(measure(run, lengths[0]), 1)}))
        return
    for frames in lengths:
        subprocess.run([sys.executable, __file__, run, str(frames)], check=True)


if __name__ == "__main__":
    main()
