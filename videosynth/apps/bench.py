"""`videosynth bench`: speed and memory of this machine, as a table and JSON."""

from __future__ import annotations

import json
import logging
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from videosynth import __version__
from videosynth.apps.catalogue import build, options_of
from videosynth.apps.catalogue import presets as shipped
from videosynth.apps.generate import pick_device
from videosynth.apps.precision import Setting, prepare
from videosynth.engine.fit import channels_last
from videosynth.engine.samples import from_noise
from videosynth.files import write_json
from videosynth.models.base import VideoModel
from videosynth.nn.trunks import untrained
from videosynth.nn.winograd import can_quicken
from videosynth.testing import Repeat, random_clip, request_for
from videosynth.types import Clip, UserError

ROUNDS = 3  # of the training's measurement
SIZES = ((128, 256), (256, 512), (512, 1024))


def bench(
    what: list[str], presets: list[str], sizes: list[tuple[int, int]], device: str, compiled: bool, out: Path | None
) -> dict[str, Any]:
    """Measure, print as it goes, and write JSON.

    Raises:
        UserError: an unknown thing to measure, preset or device.
    """
    for name in what:
        if name not in MEASURES:
            raise UserError(f"cannot measure {name!r}: choose from {', '.join(MEASURES)}")
    for name in presets:
        if name not in shipped():
            raise UserError(f"no preset {name!r}: choose from {', '.join(shipped())}")
    where = pick_device(device)
    rows: list[dict[str, Any]] = []
    say(f"{'what':46} {'value':>10}  unit")
    for name in what or MEASURES:
        for row in MEASURES[name](presets or shipped(), sizes or list(SIZES), where, compiled):
            rows.append(row)
            value = "-" if row["value"] is None else f"{row['value']:.3f}"
            say(f"{row['what']:46} {value:>10}  {row['unit']}{row.get('note', '')}")
    result = {
        "format": 1,
        "machine": machine(where),
        "videosynth": __version__,
        "torch": torch.__version__,
        "rows": rows,
    }
    if out is not None:
        write_json(out, result)
        say(f"wrote {out}")
    return result


def say(line: str) -> None:
    print(line, flush=True)


def machine(device: torch.device) -> dict[str, Any]:
    """Kind of processor, threads and memory."""
    if device.type == "cuda":
        kind = torch.cuda.get_device_name(device)
    else:
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            kind = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
        except (OSError, StopIteration):
            kind = platform.processor()
    return {"kind": kind, "threads": torch.get_num_threads(), "bf16": torch.backends.mkldnn.is_available()}


def peak_memory(device: torch.device) -> float:
    """MiB: the peak of the device, or of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


# generate: one process per setting, so that each has its own peak memory


def _generate(
    presets: list[str], sizes: list[tuple[int, int]], device: torch.device, compiled: bool
) -> Iterator[dict[str, Any]]:
    for preset in presets:
        ghost = build(preset, device="meta")
        wide = device.type == "cpu" and any(can_quicken(getattr(ghost, name)) for name in ghost.exported)
        quick: tuple[Setting, ...] = ("bf16-quick",) if wide else ()
        last: tuple[Setting, ...] = ("compiled",) if compiled else ()
        settings: tuple[Setting, ...] = ("fp32", "channels-last", "bf16", *quick, *last)
        if from_noise(ghost):  # of one size and, so small, in one precision
            settings = ("fp32",)
        for size in [ghost.spec.size] if from_noise(ghost) else sizes:
            for setting in settings:
                yield from _in_process(preset, size, setting, device)


def _in_process(preset: str, size: tuple[int, int], setting: str, device: torch.device) -> Iterator[dict[str, Any]]:
    code = (
        "import sys, json; from videosynth.apps.bench import measure_generate; "
        f"print(json.dumps(measure_generate({preset!r}, {size!r}, {setting!r}, {str(device)!r}, {torch.get_num_threads()})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    name = f"generate {preset} {size[1]}x{size[0]} {setting}"
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["killed: out of memory"])[-1]
        yield {"what": name, "value": None, "unit": "frames/s", "note": f"  ({reason[:100]})"}
        return
    found = json.loads(done.stdout.strip().splitlines()[-1])
    yield {
        "what": name,
        "value": found["speed"],
        "unit": "frames/s",
        "note": f"  {found['memory']:.0f} MiB peak",
    } | found


def measure_generate(
    preset: str, size: tuple[int, int], setting: Setting, device: str, threads: int
) -> dict[str, float]:
    """Frames per second (median of the later frames; of models that make a video at once, of the second video) and peak memory
    in MiB of one setting.
    """
    torch.set_num_threads(threads)
    where = torch.device(device)
    torch.manual_seed(0)
    model = prepare(build(preset, size=size).eval(), setting).to(where)
    clip = random_clip(model.spec, 1, model.longest or 12).to(where)
    if model.longest is not None:
        return {"speed": _at_once(model, clip, where), "memory": peak_memory(where)}
    times = []
    start = time.perf_counter()
    begun = start
    for _ in model.generate(request_for(model, clip)):
        _wait(where)
        now = time.perf_counter()
        times.append(now - start)
        start = now
        if len(times) >= 4 and now - begun > 20:
            break
    later = sorted(times[2:])
    return {"speed": 1 / later[len(later) // 2], "memory": peak_memory(where)}


def _at_once(model: VideoModel, clip: Clip, device: torch.device) -> float:
    start, count = 0.0, 0
    for _ in range(2):  # the first one warms up
        start = time.perf_counter()
        count = sum(1 for _ in model.generate(request_for(model, clip)))
        _wait(device)
    return count / (time.perf_counter() - start)


# train


def _train(
    presets: list[str], sizes: list[tuple[int, int]], device: torch.device, compiled: bool
) -> Iterator[dict[str, Any]]:
    del compiled
    for preset in presets:
        if device.type == "cpu" and "paper" in preset:
            note = "  (left out: a step of the paper's size takes minutes and tens of GB on a CPU)"
            yield {"what": f"train {preset}", "value": None, "unit": "frames/s", "note": note}
            continue
        own = options_of(preset).data.size
        given = sizes != list(SIZES) and not from_noise(build(preset, device="meta"))
        size = sizes[0] if given else (own[0], own[1])
        # By turns, the best of each: a shared machine's speed changes by more than what is to be told apart.
        turns = [[measure_training(preset, size, device, plain) for plain in (True, False)] for _ in range(ROUNDS)]
        for mode, speeds in zip(("eager fp32", "as it trains"), zip(*turns, strict=True), strict=True):
            yield {"what": f"train {preset} {size[1]}x{size[0]} {mode}", "value": max(speeds), "unit": "frames/s"}


def measure_training(
    preset: str, size: tuple[int, int], device: torch.device, plain: bool, steps: int = 5, length: int | None = None
) -> float:
    """Frames trained on per second at the end of the preset's schedule, when all scales train: ``plain`` in eager fp32 and
    the ordinary memory format, else as the preset has it. Clips have ``length`` frames (default: as at the beginning).

    A perceptual network of the preset counts, with untrained weights: they cost the same and need no download.
    """
    import lightning as L

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # the table is what is to be read
    options = options_of(preset)
    torch.backends.cudnn.allow_tf32 = not plain
    torch.manual_seed(0)
    model = build(preset, size=size)
    if getattr(model, "trunk", model) is None and any(w.get("perceptual") for w in model.weights.values()):
        model.trunk = untrained("vgg19")
    if options.run.channels_last and not plain:
        channels_last(model)
    model.steps = max(model.total_steps - 1 - steps, 0)
    batch = options.data.batch_size if from_noise(model) else 1  # batch norms need more than one video
    clip = random_clip(model.spec, batch, length or model.phase_at(0).clip_length)
    times: list[float] = []

    class Clock(L.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            _wait(device)
            self.start = time.perf_counter()

        def on_train_batch_end(self, *_: Any) -> None:
            _wait(device)
            times.append(time.perf_counter() - self.start)

    trainer = L.Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1,
        precision="32-true" if plain else options.trainer.precision,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Clock()],
    )
    trainer.fit(model, torch.utils.data.DataLoader(Repeat(clip, steps), batch_size=None))
    later = sorted(times[1:])
    return batch * clip.length / later[len(later) // 2]


# data


def _street(
    presets: list[str], sizes: list[tuple[int, int]], device: torch.device, compiled: bool
) -> Iterator[dict[str, Any]]:
    del presets, device, compiled
    from videosynth.data.worlds.street import StreetWorld

    for size in sizes[:2]:
        world = StreetWorld(3, size)
        frames = world.frames(0, 60)
        next(frames)
        start = time.perf_counter()
        count = sum(1 for _ in frames)
        yield {
            "what": f"street world {size[1]}x{size[0]}, one core",
            "value": count / (time.perf_counter() - start),
            "unit": "frames/s",
        }


def _loader(
    presets: list[str], sizes: list[tuple[int, int]], device: torch.device, compiled: bool
) -> Iterator[dict[str, Any]]:
    del presets, device, compiled
    from videosynth.apps.bench_loader import measure

    size = sizes[0]
    for source in (size, (360, 480)):
        for kind, speed in measure(size, source, seconds=1.5)["frames_per_second"].items():
            what = f"loader {size[1]}x{size[0]} from {source[1]}x{source[0]} {kind}"
            yield {"what": what, "value": speed, "unit": "frames/s"}


Measure = Callable[[list[str], list[tuple[int, int]], torch.device, bool], Iterator[dict[str, Any]]]
MEASURES: dict[str, Measure] = {"generate": _generate, "train": _train, "loader": _loader, "street": _street}
