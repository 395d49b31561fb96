"""Bad input ends in one line that names the thing, with exit code 2 and nothing half-written."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videosynth.cli import VERBS, main
from videosynth.models import MODELS

TINY = [
    "--model", MODELS["vid2vid"],
    "--model.generator.width", "4", "--model.generator.downsamples", "1", "--model.generator.blocks", "2",
    "--model.critic.width", "4", "--model.critic.layers", "1", "--model.critic.scales", "1",
    "--model.losses.perceptual", "0", "--model.losses.network", "none",
    "--model.losses.adv_t", "0", "--model.losses.feature_t", "0",
    "--model.schedule.clip_length", "2", "--model.schedule.clip_double", "0", "--model.schedule.steps", "1",
    "--data.size", "[16, 16]", "--data.workers", "0",
    "--run.sample_every", "0", "--run.progress", "false", "--trainer.accelerator", "cpu",
]  # fmt: skip


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def make_data(root: Path) -> Path:
    """Two sequences of a bright square that moves over two classes."""
    for s, length in enumerate((5, 4)):
        for t in range(length):
            image = np.full((18, 20, 3), 60, np.uint8)
            ids = np.zeros((18, 20), np.uint8)
            image[4:12, 2 + t : 9 + t] = (200, 180, 40 * s)
            ids[4:12, 2 + t : 9 + t] = 1
            write(root / "images" / f"s{s}" / f"{t:03d}.png", image)
            write(root / "labels" / f"s{s}" / f"{t:03d}.png", ids)
    (root / "dataset.yaml").write_text("classes: 2\n")
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", *TINY, "--data.root", str(data), "--out", str(out)]) == 0
    return out


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def complaints(errors: str) -> list[str]:
    """The lines on the error stream, but for the estimate of memory that long work begins with."""
    return [line for line in errors.splitlines() if line.strip() and "of memory beside torch itself" not in line]


@pytest.fixture
def refused(capfd) -> Callable[..., str]:
    """Calls the program, which must refuse in one line; returns that line."""

    def call(*words: str | Path) -> str:
        capfd.readouterr()
        assert main([str(w) for w in words]) == 2
        told = capfd.readouterr()
        assert "wrote" not in told.out
        lines = complaints(told.err)
        assert len(lines) == 1, told.err
        assert lines[0].startswith("videosynth")
        assert len(lines[0]) < 700
        return lines[0]

    return call


# words


def test_verbs(refused, capfd):
    line = refused("paint")
    assert "unknown verb 'paint'" in line
    assert all(verb in line for verb in VERBS)
    assert main([]) == 2
    capfd.readouterr()
    assert main(["--help"]) == 0
    usage = capfd.readouterr().out
    assert all(verb in usage for verb in VERBS)
    assert main(["--version"]) == 0


def test_unknown_options(refused):
    assert "--fames" in refused("generate", "run", "--fames", "3")
    assert "the following arguments are required: run" in refused("generate")
    assert "--frames: invalid int value: 'x'" in refused("generate", "run", "--frames", "x")
    assert "'big' is no size: write WIDTHxHEIGHT" in refused("generate", "run", "--size", "big")
    assert "needs run folders" in refused("evaluate")


def test_interrupt(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(VERBS, "models", (interrupted, ""))
    assert main(["models"]) == 130
    assert capsys.readouterr().err == "videosynth models: interrupted\n"


# configuration


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model.generator.widht", "3"], ["generator.widht"]),
        (["--modle.generator.width", "3"], ["--modle.generator.width"]),
        (["--data.sise", "3"], ["--data.sise"]),
        (["--model.generator.width", "wide"], ["generator.width", "wide"]),
        (["--model.losses.game", "chess"], ["losses.game", "chess", "wasserstein"]),
        (["--model.schedule.bptt", "0"], ["schedule.steps, clip_length and bptt must be 1 or more"]),
        (["--model.critic.frames", "1"], ["critic.frames 2 or more"]),
        (["--model.generator.past", "0"], ["set generator.flow to false"]),
        (["--model.losses.perceptual", "1"], ["set losses.network, or losses.perceptual to 0"]),
        (["--model", "elsewhere.Model"], ["elsewhere"]),
        (["--run.checkpoint_every", "0"], ["run.checkpoint_every"]),
        (["--run.ema", "1.5"], ["run.ema"]),
        (["--run.validate_every", "1", "--run.metric", "beauty"], ["'beauty'", "ssim"]),
        (["--trainer.precision", "12"], ["trainer.precision", "12", "bf16-mixed"]),
        (["--trainer.devices", "0"], ["devices"]),
        (["--trainer.precision", "16-mixed"], ["16-mixed", "bf16-mixed"]),
        (["--trainer.gradient_clip_val", "1.0"], ["gradient_clip_val", "own limit"]),
        (["--trainer.accumulate_grad_batches", "2"], ["accumulate_grad_batches", "batch_size"]),
        (["--trainer.max_steps", "5"], ["max_steps", "schedule.steps"]),
        (["--trainer.precision", "64"], ["precision 64", "32-true"]),
        (["--trainer.min_steps", "5"], ["min_steps", "schedule.steps"]),
        (["--trainer.limit_train_batches", "0.5"], ["limit_train_batches", "steps_per_epoch"]),
        (["--model.losses.game", "wasserstein"], ["losses.penalty"]),
        (["--data.root", "nowhere"], ["nowhere does not exist"]),
        (["--data.flow", "raft"], ["data.flow_weights"]),
        (["--data.flow", "world"], ["data.flow is world", "dis"]),
        (["--data.scale", "[0.5, 1]"], ["data.scale"]),
        (["--model.losses.adv_t", "1"], ["looks at 3 frames", "never grow beyond 2"]),
        (["--data.flow", "none"], ["losses.flow, warp, coherence, mask need", "data.flow to dis"]),
        (["--model.schedule.clip_length", "30"], ["30 frames", "longest sequence has 5"]),
        (
            ["--model.schedule.clip_double", "1", "--model.schedule.clip_longest", "24", "--model.schedule.steps", "9"],
            ["grow to 24"],
        ),
    ],
)
def test_wrong_options_of_train(refused, data, tmp_path, options, said):
    out = tmp_path / "deep" / "run"
    line = refused("train", *TINY, "--data.root", data, "--out", out, *options)
    assert all(word in line for word in said), line
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model:\n  class_path: {}\n  init_args:\n    generator: {{widht: 3}}\n", "widht"),
        ("model:\n  class_path: {}\ndata: {{rooot: here}}\n", "rooot"),
        ("modle:\n  class_path: {}\n", "modle"),
        ("model: [{}\n", "is no valid YAML"),
        ("", "is empty or no mapping"),
    ],
)
def test_wrong_configuration_files(refused, data, tmp_path, text, said):
    path = tmp_path / "my.yaml"
    path.write_text(text.format(MODELS["vid2vid"]))
    assert said in refused("train", "--config", path, "--data.root", data, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_presets(refused, data, tmp_path):
    line = refused("train", "--config", "vid2vid/street_tiny", "--data.root", data, "--out", tmp_path / "run")
    assert "no preset 'vid2vid/street_tiny': choose from" in line
    assert "vid2vid/street_small" in line
    line = refused("train", "--config", tmp_path / "none.yaml", "--data.root", data, "--out", tmp_path / "run")
    assert "no configuration file at" in line
    assert "out" in refused("train", "--config", "vid2vid/street_small", "--data.root", data)
    assert "--resume needs a value" in refused("train", "--resume")


def test_what_was_there_stays(refused, data, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    options = ["--model.schedule.clip_length", "30"]
    refused("train", *TINY, "--data.root", data, "--out", tmp_path / "run", *options)
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["notes.txt"]
    line = refused("train", *TINY, "--data.root", data, "--out", tmp_path / "run" / "notes.txt")
    assert "choose another path" in line
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


# run folders


def generate(run: Path | str, maps: Path, out: Path, *more: str) -> list[str | Path]:
    return ["generate", run, "--maps", maps, "--out", out, "--precision", "fp32", "--device", "cpu", *more]


def change(run: Path, **entries: object) -> None:
    path = run / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def damage(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


def narrower(run: Path) -> None:
    arguments = json.loads((run / "model.json").read_text())["arguments"]
    arguments["generator"]["width"] = 6
    change(run, arguments=arguments)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda run: (run / "model.json").unlink(), "has no model.json"),
        (lambda run: damage(run / "model.json", 30), "model.json is damaged"),
        (lambda run: (run / "model.json").write_text("[]"), "does not describe a model"),
        (lambda run: change(run, **{"class": 3}), "does not describe a model"),
        (lambda run: change(run, format=99), "has format 99, this version reads up to"),
        (lambda run: change(run, spec={}), "does not fit"),
        (lambda run: change(run, arguments={"generator": {"widht": 3}}), "widht"),
        (lambda run: change(run, **{"class": "elsewhere.models.Own"}), "pass --trust elsewhere"),
        (lambda run: change(run, **{"class": "videosynth.models.Missing"}), "cannot be imported"),
        (lambda run: change(run, **{"class": "videosynth.cli.main"}), "is not a video model"),
        (lambda run: (run / "weights.safetensors").unlink(), "weights.safetensors is missing"),
        (lambda run: damage(run / "weights.safetensors", 2000), "weights.safetensors is damaged"),
        (lambda run: damage(run / "weights.safetensors", 0), "weights.safetensors is damaged"),
        (narrower, "another architecture than model.json"),
    ],
)
def test_damaged_runs(refused, run, data, tmp_path, harm, said):
    harm(run)
    line = refused(*generate(run, data / "labels" / "s0", tmp_path / "new" / "video.mp4"))
    assert said in line
    assert str(run) in line
    assert not (tmp_path / "new").exists()


def test_a_class_outside_is_imported_only_when_trusted(refused, run, data, tmp_path, monkeypatch):
    (tmp_path / "outside.py").write_text("raise RuntimeError('this code ran')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    change(run, **{"class": "outside.Own"})
    words = generate(run, data / "labels" / "s0", tmp_path / "video.mp4")
    assert "outside videosynth: if you trust that code, pass --trust outside" in refused(*words)
    assert "pass --trust outside" in refused(*words, "--trust", "other")
    with pytest.raises(RuntimeError, match="this code ran"):
        main([*map(str, words), "--trust", "outside"])


def test_missing_runs(refused, data, tmp_path):
    maps = data / "labels" / "s0"
    assert "no run folder at" in refused(*generate(tmp_path / "none", maps, tmp_path / "v.mp4"))
    assert "has no model.json" in refused(*generate(data, maps, tmp_path / "v.mp4"))


def test_damaged_checkpoints(refused, run):
    more = ("--model.schedule.steps", "2")
    wider = refused("train", "--resume", run, *more, "--model.generator.width", "6")
    assert "last.ckpt: generator." in wider
    assert "another architecture" in wider
    for keep in (5000, 100, 0):
        damage(run / "last.ckpt", keep)
        assert "last.ckpt is damaged" in refused("train", "--resume", run, *more)
    (run / "last.ckpt").write_bytes(b"not a checkpoint at all")
    assert "last.ckpt is damaged" in refused("train", "--resume", run, *more)
    (run / "last.ckpt").unlink()
    assert "last.ckpt is missing" in refused("train", "--resume", run, *more)
    assert (run / "weights.safetensors").exists(), "a failed resume removes nothing"
    (run / "config.yaml").unlink()
    assert "holds no run to resume" in refused("train", "--resume", run, *more)


def test_a_checkpoint_cannot_run_code(refused, run, tmp_path):
    import torch

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "touched",))

    torch.save({"format": 1, "step": Evil()}, run / "last.ckpt")
    assert "last.ckpt is damaged" in refused("train", "--resume", run, "--model.schedule.steps", "2")
    assert not (tmp_path / "touched").exists()


# generate


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--frames", "0"], "--frames must be 1 or more, not 0"),
        (["--precision", "fp8"], "unknown precision 'fp8': choose from auto, fp32"),
        (["--device", "abacus"], "no device 'abacus' here"),
        (["--size", "4x4"], "--size 4x4 is too small"),
        (["--fps", "0"], "choose a rate above 0"),
        (["--slice", "90:99"], "its longest sequence has 5 frames"),
        (["--slice", "first"], "must be a slice such as 0:64"),
        (["--first-frame", "none.png"], "none.png is missing"),
        (["--first-frame", __file__], "not a readable picture"),
        (["--out", "video.xyz"], "a video's name ends in .mp4, .mov, .mkv or .gif"),
        (["--maps", "nowhere"], "no maps at nowhere"),
        (["--maps", __file__], "is no folder and no video"),
    ],
)
def test_wrong_options_of_generate(refused, trained, data, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused(*generate(trained, data / "labels" / "s0", Path("new/video.mp4"), *options))
    assert list(tmp_path.iterdir()) == []


def test_maps_that_do_not_serve(refused, trained, data, tmp_path):
    out = tmp_path / "new" / "video.mp4"
    video = tmp_path / "maps.mkv"
    video.write_bytes(b"no video" * 100)
    assert f"{video} is not a readable video" in refused(*generate(trained, video, out))
    assert "pass --maps DIR" in refused("generate", trained, "--out", out)
    assert "2 sequences (s0, s1)" in refused(*generate(trained, data, out))
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(*generate(trained, tmp_path / "empty", out))
    assert not out.parent.exists()


def test_a_fault_in_the_middle_leaves_no_video(trained, data, tmp_path, capsys):
    maps = Path(shutil.copytree(data / "labels" / "s0", tmp_path / "maps"))
    damage(maps / "003.png", 40)
    words = generate(trained, maps, tmp_path / "new" / "video.mp4")
    assert main([str(w) for w in words]) == 2
    (told,) = complaints(capsys.readouterr().err)
    assert told.startswith("videosynth generate: ")
    assert "003.png" in told
    assert not (tmp_path / "new").exists()


def test_generate_writes_what_was_asked(trained, data, tmp_path, capsys):
    assert main([str(w) for w in generate(trained, data, tmp_path / "both", "--frames", "2")]) == 0
    assert sorted(p.name for p in (tmp_path / "both").iterdir()) == ["s0.mp4", "s1.mp4"]
    assert capsys.readouterr().out.count("2 frames of 16x16") == 2


# writes that fail


@contextlib.contextmanager
def no_file_beyond(limit: int) -> Iterator[None]:
    """What is printed goes to memory (capsys), so only the program's own files meet the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("limit", "file"), [(300, ""), (5_000, "last.ckpt"), (100_000, "last.ckpt")])
def test_training_whose_writes_fail(data, tmp_path, capsys, limit, file):
    out = tmp_path / "deep" / "run"
    with no_file_beyond(limit):
        assert main(["train", *TINY, "--data.root", str(data), "--out", str(out)]) == 2
    (told,) = complaints(capsys.readouterr().err)
    assert told.startswith(f"videosynth train: cannot write {out / file if file else out}: the file would exceed")
    assert not out.parent.exists()


def test_workers_that_cannot_pass_clips_on(data, tmp_path, capfd):
    """Shared memory counts as files: a refusal there must not leave the training waiting."""
    out = tmp_path / "run"
    with no_file_beyond(3_000):
        assert main(["train", *TINY, "--data.root", str(data), "--out", str(out), "--data.workers", "1"]) == 2
    (told,) = complaints(capfd.readouterr().err)
    assert told.startswith("videosynth train: a loader process cannot pass its clip on")
    assert "data.workers 0" in told
    assert not out.exists()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_log_that_cannot_be_written(data, tmp_path, capsys):
    """The log is written by a thread of its own: its traceback stays inside."""
    out = tmp_path / "deep" / "run"
    more = ["--model.schedule.steps", "40", "--trainer.log_every_n_steps", "1"]
    with no_file_beyond(3_000):
        assert main(["train", *TINY, "--data.root", str(data), "--out", str(out), *more]) == 2
    (told,) = complaints(capsys.readouterr().err)
    assert told.startswith(f"videosynth train: cannot write {out}: the file would exceed")
    assert not out.parent.exists()


def test_a_refused_checkpoint_keeps_the_last_one(run, capsys):
    before = {p.name: p.read_bytes() for p in run.iterdir() if p.is_file()}
    with no_file_beyond(100_000):
        assert main(["train", "--resume", str(run), "--model.schedule.steps", "2"]) == 2
    (told,) = complaints(capsys.readouterr().err)
    assert "last.ckpt: the file would exceed" in told
    assert {p.name: p.read_bytes() for p in run.iterdir() if p.is_file()} == before


@pytest.mark.parametrize("name", ["video.mp4", "video.gif", "frames"])
def test_videos_whose_writes_fail(trained, data, tmp_path, capsys, name):
    out = tmp_path / "new" / name
    with no_file_beyond(100):
        assert main([str(w) for w in generate(trained, data / "labels" / "s0", out)]) == 2
    (told,) = complaints(capsys.readouterr().err)
    assert told.startswith(f"videosynth generate: cannot write {out}")
    assert not out.parent.exists()


# data sets


def rgb_labels(root: Path) -> None:
    write(root / "labels" / "s0" / "001.png", np.full((18, 20, 3), 7, np.uint8))


def short(root: Path) -> None:
    for kind in ("images", "labels"):
        for s in ("s0", "s1"):
            for file in sorted((root / kind / s).iterdir())[1:]:
                file.unlink()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            lambda root: (root / "labels" / "s0" / "002.png").unlink(),
            "images/s0/002.png: no frame of this name in labels",
        ),
        (lambda root: write(root / "labels" / "s0" / "002.png", np.zeros((9, 9), np.uint8)), "labels/s0/002.png"),
        (lambda root: write(root / "labels" / "s0" / "001.png", np.full((18, 20), 77, np.uint8)), "labels/s0/001.png"),
        (rgb_labels, "labels/s0/001.png"),
        (lambda root: damage(root / "images" / "s1" / "001.png", 50), "images/s1/001.png"),
        (lambda root: damage(root / "labels" / "s1" / "001.png", 50), "labels/s1/001.png"),
        (lambda root: shutil.rmtree(root / "images"), "images"),
        (lambda root: shutil.rmtree(root / "labels"), "labels"),
        (lambda root: (root / "dataset.yaml").write_text("classes: many\n"), "dataset.yaml"),
        (short, "frames"),
    ],
    ids=["stems", "sizes", "ids", "rgb", "image", "map", "no images", "no labels", "yaml", "short"],
)
def test_faulty_data_sets(refused, tmp_path, harm, said):
    root = make_data(tmp_path / "set")
    harm(root)
    out = tmp_path / "deep" / "run"
    line = refused("train", *TINY, "--data.root", root, "--out", out)
    assert said in line
    assert not out.parent.exists()


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_faults_that_only_a_worker_meets(tmp_path, capfd, kind):
    """A file that breaks after the check: the worker's traceback stays inside."""
    root = make_data(tmp_path / "set")
    words = ["train", *TINY, "--data.root", str(root), "--out", str(tmp_path / "run"), "--data.workers", "1"]
    from videosynth.prepare import check

    def then_break(*args, **kwargs):
        report = check.check(*args, **kwargs)
        for s in ("s0", "s1"):
            for file in (root / kind / s).iterdir():
                damage(file, 60)
        return report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("videosynth.apps.train.check", then_break)
        assert main(words) == 2
    (told,) = complaints(capfd.readouterr().err)
    assert told.startswith("videosynth train: ")
    assert f"/{kind}/" in told
    assert not (tmp_path / "run").exists()


def test_check_says_what_train_says(tmp_path, capsys):
    root = make_data(tmp_path / "set")
    assert main(["check", str(root)]) == 0
    (root / "labels" / "s0" / "002.png").unlink()
    write(root / "labels" / "s1" / "001.png", np.full((18, 20), 77, np.uint8))
    capsys.readouterr()
    assert main(["check", str(root), "--thorough"]) == 2
    told = capsys.readouterr()
    assert "images/s0/002.png" in told.out
    assert "labels/s1/001.png" in told.out
    assert told.err == ""
    assert main(["check", str(root), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)
    assert main(["check", str(tmp_path / "nowhere")]) == 2
