"""The command line: one verb per use. A verb's code is imported when it is called; --help imports no torch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from videosynth import __version__
from videosynth.errors import UserError

Verb = Callable[[list[str]], None]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def _parser(verb: str, about: str) -> argparse.ArgumentParser:
    return _Parser(prog=f"videosynth {verb}", description=about, allow_abbrev=False)


def _size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT as (H, W)."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write WIDTHxHEIGHT, such as 512x256")
    return int(height), int(width)


def _numbers(text: str) -> tuple[int, ...]:
    """One or more whole numbers, with commas between."""
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, nor several as in 2,1") from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def demo(arguments: list[str]) -> None:
    p = _parser("demo", "Show the main job: maps of a drive never trained on -> video, with the weights in the box.")
    p.add_argument("--out", default="demo", help="folder to write (default: demo)")
    p.add_argument("--frames", type=int, default=64, help="frames to generate (default: 64)")
    p.add_argument("--seed", type=int, default=None, help="which drive of the built-in street world")
    o = p.parse_args(arguments)
    from videosynth.apps.demo import demo as run

    run(Path(o.out), o.frames, o.seed)


def prepare(arguments: list[str]) -> None:
    p = _parser("prepare", "Make what a data set lacks from what it has.")
    p.add_argument("what", choices=["tracks"], help="tracks: instance ids that stay the same over time, linked by flow")
    p.add_argument("folder", help="data set folder")
    p.add_argument("--out", required=True, help="folder to write")
    p.add_argument("--phase", default="train", help="for NVIDIA's layout: train or test")
    o = p.parse_args(arguments)
    from videosynth.prepare.tracks import write_tracks

    count = write_tracks(Path(o.folder), Path(o.out), o.phase)
    print(f"wrote {o.out}: {count} instance maps whose ids are stable over time")
    print(f"next: put them in the place of {o.folder}'s instances, then videosynth check {o.folder}")


def check(arguments: list[str]) -> None:
    p = _parser("check", "Say what is wrong with a data set, and how to mend it.")
    p.add_argument("folder", help="data set folder")
    p.add_argument("--clip-length", type=int, default=None, help="frames that a training clip needs")
    p.add_argument("--phase", default="train", help="for NVIDIA's layout: train or test")
    p.add_argument("--thorough", action="store_true", help="read every pixel of every map")
    p.add_argument("--json", action="store_true", help="print the report as JSON")
    o = p.parse_args(arguments)
    import json

    from videosynth.prepare.check import check as run

    options = {} if o.clip_length is None else {"clip_length": o.clip_length}
    report = run(o.folder, phase=o.phase, thorough=o.thorough, **options)
    print(json.dumps(report.to_json(), indent=1) if o.json else report.text())
    if not report.ok:
        raise SystemExit(2)


def train(arguments: list[str]) -> None:
    from videosynth.apps.train import train as run

    run(arguments)


def generate(arguments: list[str]) -> None:
    p = _parser("generate", "Make videos with a trained model.")
    p.add_argument(
        "run", help="run folder, box:NAME (weights that come along: videosynth models), or owner/name on the hub"
    )
    p.add_argument(
        "--maps", help="label maps: a data set, a folder of pictures, a lossless video, or world:street[:SEED]"
    )
    p.add_argument(
        "--out", default="video.mp4", help=".mp4 .mkv .gif, or a folder: of pictures, with --count of videos"
    )
    p.add_argument("--frames", type=int, help="at most this many frames; from noise, exactly so many")
    p.add_argument("--slice", help="which frames of each sequence (or of a given video), such as 64:80")
    p.add_argument(
        "--first-frame",
        help="how to begin: own (default: the model by itself), zeros, a picture, or a run that paints the first frame",
    )
    p.add_argument(
        "--context",
        help="predict what comes after these frames: a data set, world:street[:SEED], or (from noise) a video, whose last frame "
        "is given (--slice chooses others)",
    )
    p.add_argument("--predictor", help="run that continues the label maps (with --context)")
    p.add_argument(
        "--relabel", action="append", default=[], metavar="OLD=NEW", help="paint a class as another (repeatable)"
    )
    p.add_argument("--keep", help="real video or pictures: only what --relabel changes is painted, the rest stays")
    p.add_argument("--feather", type=int, help="pixels over which painted regions come in (default: 2)")
    p.add_argument("--style-seed", type=int, help="another look of all objects (models with looks; default: --seed)")
    p.add_argument("--style-mix", metavar="SEED:SHARE", help="a look on the way to another seed's")
    p.add_argument("--style-from", metavar="DIR", help="the look of this data set's first frame")
    p.add_argument("--size", type=_size, help="WIDTHxHEIGHT (default: the training size)")
    p.add_argument("--fps", type=float, help="frames per second of the video")
    p.add_argument("--precision", default="auto", help="auto, fp32, channels-last, bf16, bf16-quick or compiled")
    p.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ... (default: a GPU where there is one)")
    p.add_argument("--seed", type=int, help="of the first video (default: 0, or as saved with --latents)")
    p.add_argument("--panels", action="store_true", help="write maps | fake | real | flow | mask side by side")
    p.add_argument(
        "--trust", action="append", default=[], metavar="PACKAGE", help="package of a model class of your own"
    )
    _from_noise(p)
    o = p.parse_args(arguments)
    from videosynth.apps.generate import Options
    from videosynth.apps.generate import generate as run

    lists = ("trust", "relabel", "attributes", "latents")
    given: dict[str, Any] = vars(o) | {name: tuple(vars(o)[name]) for name in lists}
    run(Options(**given))


def _from_noise(parser: argparse.ArgumentParser) -> None:
    p = parser.add_argument_group("models that make videos from noise")
    p.add_argument("--count", type=int, help="videos, of the seeds --seed, --seed + 1, ... (default: 1)")
    p.add_argument("--fix", metavar="PART", help="content or motion: that of the first video in all")
    p.add_argument("--speed", type=float, help="of the motion: 0.5 is half as fast")
    p.add_argument(
        "--attributes",
        action="append",
        default=[],
        metavar="NAME=VALUE[,VALUE...]",
        help="what is to be shown; several values go round over the videos (repeatable)",
    )
    p.add_argument(
        "--latents",
        action="append",
        default=[],
        metavar="FILE[:PART]",
        help="saved latents, or their content or motion alone (repeatable)",
    )
    p.add_argument("--save-latents", metavar="FILE", help="keep what the videos were made from (.safetensors)")
    p.add_argument("--interpolate", type=int, metavar="SEED", help="the videos lead from --seed to this seed")
    p.add_argument("--extras", action="store_true", help="also write masks, backgrounds and foregrounds as videos")
    p.add_argument("--columns", type=int, help="of the grid of all videos")


def evaluate(arguments: list[str]) -> None:
    p = _parser("evaluate", "Measure runs on a data set, beside baselines: report.json and report.html.")
    p.add_argument("runs", nargs="*", help="run folders")
    p.add_argument("--data.root", dest="root", help="data set with images and maps, a folder of videos, or world:NAME")
    p.add_argument("--out", help="folder to write")
    p.add_argument("--slice", help="frames to generate and measure, such as 64:80")
    p.add_argument("--train-slice", help="frames the baselines may learn from, such as 0:64")
    p.add_argument("--phase", help="for NVIDIA's layout: train or test (default)")
    p.add_argument(
        "--perceptual", default="none", help="weights of the perceptual network: a path, vgg19, squeezenet or none"
    )
    p.add_argument(
        "--extractor", action="append", default=[], help="2-D extractor for Frechet distances: a path (repeatable)"
    )
    p.add_argument("--extractor3d", action="append", default=[], help="3-D extractor: a path (repeatable)")
    p.add_argument("--preference", action="store_true", help="write a page for a human comparison of two runs instead")
    p.add_argument("--votes", nargs="+", default=[], metavar="FILE", help="add up votes that such a page saved")
    p.add_argument("--device", default="auto")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--overwrite", action="store_true", help="replace an earlier report")
    _measured_from_noise(p)
    p.add_argument("--trust", action="append", default=[], metavar="PACKAGE")
    o = p.parse_args(arguments)
    if not o.votes and not (o.runs and o.root and o.out):
        raise UserError("evaluate needs run folders, --data.root DIR and --out DIR (or --votes FILE)")
    from videosynth.apps.compare import compare

    compare(o)


def _measured_from_noise(parser: argparse.ArgumentParser) -> None:
    p = parser.add_argument_group("runs that make videos from noise (real clips are those of --data.root)")
    p.add_argument("--count", type=int, help="videos of each run (default: 256)")
    p.add_argument(
        "--frames", type=_numbers, default=(), help="of a video (default: as trained); 16, or one per run: 32,16"
    )
    p.add_argument(
        "--step", type=_numbers, default=(), help="take one generated frame in so many; 2, or one per run: 2,1"
    )
    p.add_argument(
        "--data.step", dest="data_step", type=int, help="of the real clips (default: as fast as the runs' videos)"
    )
    p.add_argument("--train-root", help="the clips that the runs learnt from, where --data.root holds others")
    p.add_argument(
        "--content",
        metavar="shapes|FILE",
        help="content distance: of one moving shape on black, or in the features of a 2-D extractor (a file as for --extractor)",
    )
    p.add_argument(
        "--attribute", help="ask for each of its values in turn; a judge trained on real clips says what it sees"
    )
    p.add_argument("--group", help="attribute whose values are not to be learnt and tested at once, such as person")
    p.add_argument(
        "--judge", metavar="FILE", help="judge.safetensors of an earlier evaluation, or a TorchScript classifier"
    )
    p.add_argument(
        "--judge-classes",
        type=_words,
        default=(),
        metavar="A,B,C",
        help="what a TorchScript classifier tells apart, in its order (default: as in FILE.json beside FILE.pt)",
    )


def models(arguments: list[str]) -> None:
    p = _parser("models", "List every model and preset: paper, parameters, what it consumes and produces.")
    p.add_argument("names", nargs="*", help="models or presets (default: all)")
    p.add_argument("--cost", action="store_true", help="add memory and hours of a training (takes seconds per preset)")
    o = p.parse_args(arguments)
    from videosynth.apps.catalogue import catalogue

    for line in catalogue(o.cost, o.names):
        print(line, flush=True)


def convert(arguments: list[str]) -> None:
    from videosynth.models import CONVERTERS

    p = _parser("convert", "Turn weights of another implementation into a run folder.")
    p.add_argument("kind", help=f"whose weights: {', '.join(CONVERTERS)}")
    p.add_argument("folder", help="folder of the weights (of pix2pixHD, or the file itself)")
    p.add_argument("--out", required=True, help="run folder to write")
    p.add_argument("--epoch", default="latest", help="which of the weights: the files' first word (default: latest)")
    p.add_argument("--foreground", action="append", help="class that the foreground branch paints (repeatable)")
    o = p.parse_args(arguments)
    from videosynth.apps.convert import convert as run

    run(o.kind, Path(o.folder), Path(o.out), o.epoch, None if o.foreground is None else tuple(o.foreground))


def bench(arguments: list[str]) -> None:
    p = _parser("bench", "Measure speed and memory on this machine: a table and JSON.")
    p.add_argument("--out", help="JSON file to write")
    p.add_argument(
        "--what", action="append", default=[], help="generate, train, loader, street (repeatable; default: all)"
    )
    p.add_argument("--preset", action="append", default=[], help="preset to measure (repeatable)")
    p.add_argument("--size", type=_size, action="append", default=[], help="WIDTHxHEIGHT (repeatable)")
    p.add_argument("--device", default="auto")
    p.add_argument("--compiled", action="store_true", help="also measure torch.compile (minutes on a CPU)")
    o = p.parse_args(arguments)
    from videosynth.apps.bench import bench as run

    run(o.what, o.preset, o.size, o.device, o.compiled, None if o.out is None else Path(o.out))


VERBS: dict[str, tuple[Verb, str]] = {
    "demo": (demo, "show the main job with the weights in the box"),
    "prepare": (prepare, "make what a data set lacks: stable instance ids"),
    "check": (check, "say what is wrong with a data set, and how to mend it"),
    "train": (train, "train a model into a run folder"),
    "generate": (generate, "make videos with a trained model"),
    "evaluate": (evaluate, "measure runs beside baselines, or set up a human comparison"),
    "models": (models, "list models and presets"),
    "convert": (convert, "turn weights of another implementation into a run folder"),
    "bench": (bench, "measure speed and memory here"),
}


def _usage() -> str:
    lines = [
        f"videosynth {__version__}: learned video synthesis",
        "",
        "usage: videosynth VERB [options]   (VERB --help tells more)",
        "",
    ]
    lines += [f"  {verb:10} {about}" for verb, (_, about) in VERBS.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0 done, 2 the user can mend it (one line says how), 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if words else 2
    if words[0] in ("--version", "-V"):
        print(__version__)
        return 0
    if words[0] not in VERBS:
        print(f"videosynth: unknown verb {words[0]!r}: choose from {', '.join(VERBS)}", file=sys.stderr)
        return 2
    try:
        VERBS[words[0]][0](words[1:])
    except UserError as error:
        print(f"videosynth {words[0]}: {error}", file=sys.stderr)
        return 2
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0 if error.code is None else 2
    except KeyboardInterrupt:
        print(f"videosynth {words[0]}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def entry() -> None:
    raise SystemExit(main())
