"""`videosynth train`: configuration files and options -> one training into a run folder."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import lightning as L
import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from videosynth.apps.estimate import to_train, told
from videosynth.data.attributes import ids
from videosynth.data.module import VideoData
from videosynth.engine.fit import Settings, fit
from videosynth.engine.samples import from_noise
from videosynth.files import nothing_left, read_json
from videosynth.models.base import VideoModel, rebuild
from videosynth.prepare.check import check
from videosynth.types import DataSpec, UserError

# Set by videosynth itself.
OURS: set[str | int] = {
    "logger",
    "callbacks",
    "enable_progress_bar",
    "enable_checkpointing",
    "enable_model_summary",
    "use_distributed_sampler",
    "default_root_dir",
}


def parser() -> ArgumentParser:
    """Every option of a training: ``model``, ``data``, ``run`` and Lightning's ``trainer``."""
    p = ArgumentParser(prog="videosynth train", exit_on_error=False, description="Train a model into a run folder.")
    p.add_argument("--config", action="config", help="a preset (see videosynth models) or the path of a .yaml file")
    p.add_argument("--out", type=str, required=True, help="run folder to write")
    p.add_class_arguments(VideoData, "data", instantiate=False)
    p.add_subclass_arguments(VideoModel, "model", required=True, skip={"spec"}, instantiate=False)
    p.add_class_arguments(Settings, "run", instantiate=False)
    p.add_class_arguments(L.Trainer, "trainer", skip=OURS, instantiate=False)
    p.link_arguments("run.seed", "data.seed")
    return p


def presets() -> list[str]:
    """Names of the shipped configurations, such as ``vid2vid/street_small``."""
    root = Path(str(resources.files("videosynth") / "configs"))
    return sorted(str(f.relative_to(root).with_suffix("")) for f in root.glob("*/*.yaml"))


def config_path(name: str) -> Path:
    """A configuration file by path, or a shipped one by name."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise UserError(
                f"no configuration file at {path}: check the path, or name a preset: {', '.join(presets())}"
            )
    else:
        path = Path(str(resources.files("videosynth") / "configs")) / f"{name}.yaml"
        if not path.is_file():
            raise UserError(f"no preset {name!r}: choose from {', '.join(presets())}, or pass the path of a .yaml file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is empty or no mapping: it needs at least a model and data")
    return path


def train(arguments: list[str]) -> None:
    """Run ``videosynth train ARGUMENTS``.

    Raises:
        UserError: an unknown option or value, bad data, a run in the way, nothing to resume.
    """
    os.environ.setdefault("TENSORBOARD_WRITER_QUIET", "1")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a model class of the user's own may lie beside their data
    p = parser()
    resume, arguments = _take(arguments, "--resume")
    config, arguments = _take(arguments, "--config")
    if resume is not None and config is not None:
        raise UserError("--resume goes on with the run's own configuration: leave --config out, change single options")
    if resume is not None:
        if not (Path(resume) / "config.yaml").is_file():
            raise UserError(f"{resume} holds no run to resume: it has no config.yaml")
        arguments = ["--config", str(config_path(f"{resume}/config.yaml")), "--out", resume, *arguments]
    elif config is not None:
        arguments = ["--config", str(config_path(config)), *arguments]
    options = parse(p, arguments)
    folder = Path(options.out)
    settings = Settings(**options.run.as_dict())
    trainer = {k: v for k, v in options.trainer.as_dict().items() if v is not None}

    def make() -> tuple[VideoModel, VideoData]:
        data = VideoData(**options.data.as_dict())
        if data.root is not None:
            _healthy(data, folder if resume is not None else None)
        model = _model(options.model.as_dict(), data)
        if resume is not None:
            _same_data(model, folder)
        if data.root is not None:
            _long_enough(model, data)
            _all_known(model, data)
        if _first_process():
            half = "16" in str(trainer.get("precision", "32"))
            needed = to_train(model, data.size, data.batch_size, half)
            print(f"a training step needs about {told(needed)} of memory beside torch itself", file=sys.stderr)
        return model, data

    config_text = p.dump(options, skip_unset=True)
    with nothing_left(folder, unless="last.ckpt") if _first_process() else contextlib.nullcontext():
        try:
            model = fit(make, folder, settings, trainer, resume is not None, {"config": config or resume}, config_text)
        except KeyboardInterrupt:
            if _first_process() and (folder / "last.ckpt").exists():
                print(f"saved in {folder}; go on with: videosynth train --resume {folder}", file=sys.stderr)
            raise
    if _first_process():
        print(
            f"wrote {folder}: weights.safetensors, model.json, last.ckpt, run.json, log/ (tensorboard --logdir {folder})"
        )
        print(f"next: videosynth generate {folder} {_asked(model)}")


def _asked(model: VideoModel) -> str:
    """Options with which videos of a model are made."""
    count = "--frames 16 " if "frames" in model.needs else ""
    if not from_noise(model):
        need = "--maps DIR " if "maps" in model.needs else ""
        return f"{need}{'--context DIR ' if 'context' in model.needs else ''}{count}--out video.mp4"
    if "context" in model.needs:
        return f"--first-frame PICTURE {count}--out video.mp4"
    return f"--count 16 {count}--out samples"


def _healthy(data: VideoData, resumed: Path | None) -> None:
    """The doctor's word before training: errors end it, warnings are told."""
    assert data.root is not None
    if resumed is not None and not data.root.exists() and not data.root.is_absolute():
        begun = read_json(resumed / "run.json").get("folder", "the folder it was begun in")
        raise UserError(f"there is no {data.root} here: resume from {begun}, or pass --data.root")
    report = check(data.root, phase=data.phase, frames=data.frames, sequences=data.sequences)
    report.raise_if_errors()
    if _first_process():
        for line in report.warnings():
            print(f"warning: {line}", file=sys.stderr)


def _same_data(model: VideoModel, folder: Path) -> None:
    """The run goes on with what it was begun with: under other classes, what was learnt would silently mean something else."""
    file = folder / "model.json"
    if not file.is_file():  # ended while its first checkpoint was written
        return
    try:
        saved = DataSpec.from_json(read_json(file)["spec"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{file} does not describe a model: copy it again, or train anew") from None
    for what, known, there in _facts(saved, model.spec):
        if known != there:
            raise UserError(
                f"{folder} was trained on {what} {known or 'none'}, here it is {there or 'none'}: resume with the same data "
                "and options of data, or train without --resume"
            )


def _facts(saved: DataSpec, now: DataSpec) -> Iterator[tuple[str, str, str]]:
    """What of the data a model is built for: a name, what the run knows and what there is now."""
    size = [f"{width}x{height}" for height, width in (saved.size, now.size)]
    yield "frames of", size[0], size[1]
    for name in (*saved.attributes, *(n for n in now.attributes if n not in saved.attributes)):
        yield f"the {name}", ", ".join(saved.attributes.get(name, ())), ", ".join(now.attributes.get(name, ()))
    one, two = (", ".join(f"{m.name} ({m.kind}, {m.channels})" for m in s.maps) for s in (saved, now))
    yield "the maps", one, two
    for old, new in zip(saved.maps, now.maps, strict=False):
        if old.names and new.names:  # names may be given, or left out, later
            yield f"{old.name} of", ", ".join(old.names), ", ".join(new.names)


def _lengths(model: VideoModel) -> list[int]:
    """Of the clips that a training draws, over its schedule."""
    last = model.total_steps - 1
    return [model.phase_at(round(last * share / 1000)).clip_length for share in range(1001)]


def _all_known(model: VideoModel, data: VideoData) -> None:
    """A model learns from attributes: say now, not when it is first drawn, that a video has none of its values."""
    if not data.index.collection:
        return
    needed = (min(_lengths(model)) - 1) * data.settings.step + 1
    videos = [s for s in data.index.sequences if len(s) >= needed]
    for name, values in model.spec.attributes.items():
        if data.spec.attributes.get(name) != values:  # not the data's: the model finds it by itself
            continue
        without = [s.name for s in videos if ids(s.attributes, model.spec)[name] < 0]
        if without:
            more = f" and {len(without) - 1} more videos" if len(without) > 1 else ""
            have = "have" if more else "has"
            raise UserError(
                f"{without[0]}{more} of {data.root} {have} no {name}, which this model learns from: give them one "
                "(labels.json), leave them out (data.sequences), or choose a model that learns from no attribute"
            )


def _long_enough(model: VideoModel, data: VideoData) -> None:
    """The clips grow: say now, not in hours, that no sequence will be long enough."""
    longest = max(_lengths(model))
    needed = (longest - 1) * data.settings.step + 1
    if max(data.index.lengths, default=0) < needed:
        step = f", every {data.settings.step} frames (data.step)" if data.settings.step > 1 else ""
        known = [n for n in ("clip_length", "clip_longest") if n in model.arguments.get("schedule", {})]
        lower = ", lower data.step" if step else ""
        raise UserError(
            f"clips grow to {longest} frames{step} but the longest sequence has {max(data.index.lengths, default=0)}: "
            f"shorten model.schedule ({', '.join(known)}){lower}, or give {data.root} longer sequences"
        )


def _model(chosen: dict[str, Any], data: VideoData) -> VideoModel:
    """Build the configured class for the data's spec."""
    module, _, name = chosen["class_path"].rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    model = kind(spec=data.spec, **rebuild(kind, chosen.get("init_args", {})))
    if data.spec.maps and not model.spec.maps:  # it leaves the maps out, and plays its frames as fast as it saw them
        model.spec = replace(model.spec, fps=model.spec.fps / data.settings.step)
    return model


def _first_process() -> bool:
    """Before Lightning knows: what torchrun, SLURM and Lightning's own launcher tell their processes."""
    told = (os.environ.get(name, "0") for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"))
    return all(rank == "0" for rank in told)


def _take(arguments: list[str], option: str) -> tuple[str | None, list[str]]:
    """Take ``--option VALUE`` or ``--option=VALUE`` out of the arguments."""
    for i, word in enumerate(arguments):
        if word == option:
            if i + 1 == len(arguments):
                raise UserError(f"{option} needs a value")
            return arguments[i + 1], arguments[:i] + arguments[i + 2 :]
        if word.startswith(f"{option}="):
            return word.split("=", 1)[1], arguments[:i] + arguments[i + 1 :]
    return None, arguments


def parse(p: ArgumentParser, arguments: list[str]) -> Namespace:
    """Parse; whatever is wrong becomes one line."""
    try:
        return p.parse_args(arguments)
    except (ArgumentError, ValueError, TypeError, KeyError) as error:
        raise UserError(_one_line(str(error))) from None


def _one_line(message: str) -> str:
    """jsonargparse explains at length, one line per alternative: join them, keep what the user wrote wrong, and cut."""
    text = " ".join(line.strip(" -") for line in message.splitlines() if line.strip())
    inside = re.search(r"Problem with given class_path '([^']*)': (.*?)(?: Expected a <class 'NoneType'>.*)?$", text)
    if inside:
        text = f"model {inside[1]}: {inside[2]}"
    choice = re.search(
        r'Parser key "([^"]*)": Does not validate .*?Subtypes: \[(.*)\] Errors: .*Given value: (.*)$', text
    )
    if choice:
        kinds = re.sub(r"typing\.Literal|<class '|'>", "", choice[2])
        text = f"{choice[1]}: {choice[3]} is none of {kinds}"
    text = re.sub(r'Parser key "([^"]*)"', r"\1", text)
    return (text if len(text) < 500 else f"{text[:500]} ...") + "; see videosynth train --help"
