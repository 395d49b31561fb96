"""The laws of the house that a test can keep: who imports whom, who may use which library, sizes, presets."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from videosynth.apps.catalogue import build, presets
from videosynth.models import MODELS
from videosynth.models.base import VideoModel
from videosynth.nn.critics import MultiscaleCritic

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "videosynth"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {f.relative_to(PACKAGE).as_posix(): ast.parse(f.read_text(encoding="utf-8")) for f in FILES}

# Lower rooms first; a room may import its own files and those of lower levels.
LEVELS = (
    ("__init__", "errors"),
    ("types", "files"),
    ("ops",),
    ("nn", "losses", "video"),
    ("flow",),
    ("data", "metrics"),
    ("models", "prepare"),
    ("engine",),
    ("testing",),
    ("apps",),
    ("cli",),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def room(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of all imported modules, those inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_way(file: str, tree: ast.AST) -> list[str]:
    """Imports of ``file`` that do not go down."""
    here, found = room(file), []
    for name in imports(tree):
        parts = name.split(".")
        if parts[0] != "videosynth" or len(parts) < 2 or parts[1] not in LEVEL:
            continue
        there = parts[1]
        down = LEVEL[there] < LEVEL[here] or there == here
        if here == "__init__":  # the package's front door imports lazily, when asked for a name
            down = there in ("errors", "types", "models")
        if not down or (here == "models" and there == "data"):
            found.append(name)
        model = file.split("/")[1] if here == "models" and file.count("/") == 2 else None
        if model and there == "models" and len(parts) > 2 and parts[2] in MODELS and parts[2] != model:
            found.append(name)
    return found


def test_every_room_has_a_level():
    assert {room(f) for f in TREES} <= LEVEL.keys()


@pytest.mark.parametrize("file", TREES)
def test_imports_go_down(file):
    assert wrong_way(file, TREES[file]) == []


def test_a_wrong_import_is_found():
    assert wrong_way("ops/warp.py", ast.parse("def f():\n    from videosynth.nn import norms"))
    assert wrong_way("models/base.py", ast.parse("import videosynth.data.index"))
    assert wrong_way("models/other/model.py", ast.parse("from videosynth.models.vid2vid import networks"))
    assert wrong_way("data/x.py", ast.parse("from videosynth import metrics, cli"))
    assert not wrong_way("models/vid2vid/model.py", ast.parse("from videosynth.models.vid2vid import networks"))


LIGHTNING = {
    "models/base.py",
    "data/module.py",
    "testing.py",
    "cli.py",
    "apps/train.py",
    "apps/bench.py",
}


def may_use(library: str, file: str) -> bool:
    if library == "av":
        return room(file) == "video"
    if library == "cv2":  # the loader's benchmark keeps OpenCV to one thread, as the loader's workers do
        return room(file) in ("flow", "data", "prepare") or file == "apps/bench_loader.py"
    if library in ("lightning", "pytorch_lightning"):
        shown = file in LIGHTNING or room(file) == "engine"
        return shown or (file.startswith("models/") and file.endswith("/model.py"))
    if library in ("onnx", "onnxruntime", "onnxscript"):
        return file == "apps/export.py"
    if library == "gradio":
        return file == "apps/studio.py"
    return True


@pytest.mark.parametrize("file", TREES)
def test_third_parties_stay_in_their_rooms(file):
    strangers = [name for name in imports(TREES[file]) if not may_use(name.split(".")[0], file)]
    assert strangers == []


@pytest.mark.parametrize("file", [f for f in TREES if f.endswith("/networks.py")])
def test_networks_are_plain_torch(file):
    own = f"videosynth.models.{file.split('/')[1]}"
    for name in imports(TREES[file]):
        if name.startswith("videosynth."):
            assert name.startswith(("videosynth.nn", "videosynth.ops", own)), name
        elif name != "videosynth":
            assert name.split(".")[0] in {"torch", *sys.stdlib_module_names}, name


def words(tree: ast.AST) -> Iterator[str]:
    """Names and strings of the code, docstrings left out."""
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)


CONCRETE = {*MODELS, *(path.rpartition(".")[2] for path in MODELS.values())}


@pytest.mark.parametrize("file", [f for f in TREES if room(f) in ("engine", "apps", "cli", "testing")])
def test_no_model_is_named_above_models(file):
    said = [w for w in words(TREES[file]) if any(name in w for name in CONCRETE)]
    if file == "apps/demo.py":  # tells which preset made the weights in the box
        said = [w for w in said if not w.startswith("next: ")]
    assert said == []


def test_a_named_model_is_found():
    said = list(words(ast.parse('"""vid2vid"""\nfrom videosynth.models.vid2vid import model\nx = "a vid2vid"')))
    assert "videosynth.models.vid2vid" in said
    assert "a vid2vid" in said
    assert "vid2vid" not in said


def test_no_utils():
    assert [f for f in TREES if Path(f).stem.strip("_") in ("utils", "util", "helpers", "misc", "common")] == []


def test_no_careless_calls():
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                assert name != "NotImplementedError", file
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            where = f"{file}:{node.lineno}: {called}"
            assert not called.endswith(".cuda"), where
            assert called not in ("pickle.load", "pickle.loads", "eval", "exec"), where
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if called == "torch.load":
                assert options.get("weights_only") == "True", where
            if called == "np.load":
                assert options.get("allow_pickle") == "False", where
            if called == "yaml.load":
                assert "Safe" in ast.unparse(node), where


@pytest.mark.parametrize("file", TREES)
def test_sizes(file):
    length = len((PACKAGE / file).read_text(encoding="utf-8").splitlines())
    assert length <= 500, f"{file} has {length} lines"
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= 60, f"{file}: {node.name} has {lines} lines"


def test_video_model_has_few_public_methods():
    public = [n for n in vars(VideoModel) if not n.startswith("_") and callable(getattr(VideoModel, n))]
    assert len(public) <= 8, public


HELP = """
import contextlib, io, sys
from videosynth.cli import VERBS, main
for words in (["--help"], *([verb, "--help"] for verb in VERBS if verb != "train"), ["--version"], ["nonsense"]):
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        code = main(words)
    assert code == (2 if words == ["nonsense"] else 0), words
    assert told.getvalue().strip(), words
heavy = {"torch", "lightning", "av", "cv2", "numpy", "jsonargparse"} & set(sys.modules)
assert not heavy, heavy
"""


def test_help_imports_no_torch():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


def size_of(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("preset", presets())
def test_presets_build(preset):
    model = build(preset, device="meta")
    assert preset.split("/")[0] in MODELS
    assert all(p.is_meta for p in model.parameters())
    assert model.phase_at(0).clip_length >= 1


def test_there_are_presets():
    assert {"vid2vid/street_small", "vid2vid/street_paper_512"} <= set(presets())


def test_papers_parameter_counts():
    assert size_of(build("vid2vid/street_paper_512", device="meta").get_submodule("generator")) == 411_335_241
    with torch.device("meta"):
        assert size_of(MultiscaleCritic(39)) == 5_606_786
        assert size_of(MultiscaleCritic(13)) == 5_553_538
