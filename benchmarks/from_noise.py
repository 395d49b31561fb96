"""The models from noise, measured: trainings on the sample data sets, and the tables, curves and pictures of them.

    python benchmarks/from_noise.py prepare --data DATA             # DATA: the folder of the sample data sets
    python benchmarks/from_noise.py train mocogan tgan vgan --data DATA
    python benchmarks/from_noise.py acd --out report                # average content distance, beside the paper's
    python benchmarks/from_noise.py control --out report            # direction, content and motion apart, speed
    python benchmarks/from_noise.py train mocogan-actions tgan-actions vgan-actions
    python benchmarks/from_noise.py actions --out report            # a judge of real actions
    python benchmarks/from_noise.py probe --out report              # what the critics have learnt of actions
    python benchmarks/from_noise.py train vgan-scenes vgan-scenes-one
    python benchmarks/from_noise.py scenes --out report --data DATA
    python benchmarks/from_noise.py train tgan-32-svc tgan-32-none tgan-32-clip tgan-32-penalty --data DATA
    python benchmarks/from_noise.py clipping --out report           # curves, and what a clipping costs
    python benchmarks/from_noise.py train mocogan-32 mocogan-32-no-image --data DATA
    python benchmarks/from_noise.py images --out report             # curves with and without the image critic

Trainings and data lie under ``--work`` (``runs/from_noise``). What is finished is not done again: a row whose training has
ended, a measurement whose JSON file is in ``--out`` and of these very trainings, whose commits, steps and minutes stand in it
(remove the file to repeat it; curves and costs are written anew each time). A training that was cut off goes on from its last
checkpoint. ``train ROW --steps 6 -- --data.batch_size 2`` tries a row out: the words behind ``--`` are options of
``videosynth train``.

The rows with ``-32`` are trained in six equal stages, and measured after each.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch
from from_noise_control import actions, control
from from_noise_data import prepare
from from_noise_figures import acd, clipping, curve_images, scenes
from from_noise_probe import probe
from from_noise_runs import ROWS, Place, train

from videosynth.types import UserError


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--work", type=Path, default=Path("runs/from_noise"))
    common.add_argument("--data", type=Path, default=Path(os.environ.get("VIDEOSYNTH_DATA", "../shared/data")))
    common.add_argument("--threads", type=int, help="of torch, here and in trainings (default: torch's own)")
    sub = p.add_subparsers(dest="verb", required=True)
    sub.add_parser("prepare", parents=[common])
    t = sub.add_parser("train", parents=[common])
    t.add_argument("rows", nargs="+", choices=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    t.add_argument("--steps", type=int, help="training steps, in place of the preset's")
    for verb in ("acd", "control", "actions", "probe", "scenes", "clipping", "images"):
        v = sub.add_parser(verb, parents=[common])
        v.add_argument("--out", type=Path, required=True, help="folder of JSON files, pictures and curves")
        if verb == "control":
            v.add_argument("--speed", type=float, nargs="+", default=[0.5, 2.0])
    return p


def main() -> None:
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    extra = words[cut + 1 :]
    o = parser().parse_args(words[:cut])
    place = Place(o.work, o.data, o.threads)
    if o.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(o.threads)
        torch.set_num_threads(o.threads)
    if o.verb == "prepare":
        prepare(o.data, o.work)
    elif o.verb == "train":
        for row in o.rows:
            train(row, place, o.steps, extra)
    elif o.verb == "control":
        control(place, o.out, o.speed)
    else:
        verbs = {"acd": acd, "actions": actions, "probe": probe, "scenes": scenes, "clipping": clipping}
        (verbs | {"images": curve_images})[o.verb](place, o.out)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from None
