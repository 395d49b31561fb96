"""Evaluation of videos from noise: sets against sets, control, memorisation, the page, and what is refused."""

import functools
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from videosynth.apps import real as reals
from videosynth.apps.unpaired import REAL, Choices, contenders, evaluate_unpaired
from videosynth.cli import main
from videosynth.metrics.judge import load_judge, train_judge
from videosynth.models.base import Phase, VideoModel
from videosynth.ops.images import to_float
from videosynth.types import DataSpec, Frame, UserError
from videosynth.video.images import save_image
from videosynth.video.read import read_video

sys.path.insert(0, str(Path(__file__).parents[1]))
import toys

WAYS = ("up", "left")
SIZE = (16, 16)


def shape(seed, way, length=8, size=16):
    """A 3x3 square of a random colour that goes up or left; uint8 T H W 3."""
    rng = np.random.default_rng(seed)
    colour, across = rng.integers(60, 256, 3), int(rng.integers(0, size - 3))
    video = np.zeros((length, size, size, 3), np.uint8)
    for t in range(length):
        along = round((size - 3) * (1 - t / (length - 1)))
        y, x = (along, across) if way == "up" else (across, along)
        video[t, y : y + 3, x : x + 3] = colour
    return video


def items(start=0, count=40, length=8):
    """A stream of labelled real clips."""
    for i in range(start, start + count):
        yield f"{WAYS[i % 2]}/{i}@0", shape(i, WAYS[i % 2], length), {"action": i % 2}


class Shapes(VideoModel):
    """Shows perfect shapes: of the seed, moving as asked."""

    def __init__(self, spec=None, length=8, start=1000, known=True):
        super().__init__(spec or DataSpec(size=SIZE, attributes={"action": WAYS} if known else {}))
        self.length, self.start, self.begun = length, start, None

    def phase_at(self, step):
        return Phase(self.length, self.length)

    @torch.no_grad()
    def frames(self, request):
        self.begun = request.context
        ways = request.attributes.get("action") or [WAYS[s % 2] for s in request.seeds]
        made = [shape(self.start + s, w, request.frames) for s, w in zip(request.seeds, ways, strict=True)]
        for t in range(request.frames):
            yield Frame(to_float(torch.from_numpy(np.stack([v[t] for v in made]))).permute(0, 3, 1, 2))


class Flat(Shapes):
    """Grey, whatever is asked."""

    def frames(self, request):
        for _ in range(request.frames):
            yield Frame(torch.zeros(len(request.seeds), 3, *SIZE))


class Colours:
    """A 2-D extractor: mean and deviation of each channel."""

    name, dims, feature_size, length = "colours", 2, 6, 1

    def __call__(self, video):
        return torch.cat([video.mean(dim=(2, 3)), video.std(dim=(2, 3))], dim=1)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """A third of a judge's training: the shapes are easy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reals, "train_judge", functools.partial(train_judge, steps=100))
        yield


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    out = tmp_path_factory.mktemp("unpaired") / "report"
    lines = []
    models = {
        "good <b>": Shapes(),
        "long": Shapes(DataSpec(size=SIZE, fps=30.0), length=16),
        "flat": Flat(),
        "parrot": Shapes(start=0),
    }
    choices = Choices(count=18, content="shapes", attribute="action")
    report = evaluate_unpaired(
        models, items, out, choices, extractors=[Colours()], settings={"command": "<RUN>"}, say=lines.append
    )
    return out, report, lines


def test_figures(evaluated):
    out, report, lines = evaluated
    assert json.loads((out / "report.json").read_text()) == json.loads(json.dumps(report))
    rows = {row["name"]: row for row in report["rows"]}
    assert list(rows) == ["good <b>", "long", "flat", "parrot", REAL]
    good, flat = rows["good <b>"]["metrics"], rows["flat"]["metrics"]
    assert good["acd_valid"] == 0
    assert good["valid"] == good["direction[action]"] == 1
    assert good["mcs[action]"] >= 0.9
    assert flat["valid"] == 0
    assert flat["acd_valid"] is None
    assert flat["acd"] == 0
    assert flat["mcs[action]"] == 0.5
    distance = next(k for k in good if k.startswith(("fid", "kid")))
    assert "N=" in distance
    assert all(distance in row["metrics"] for row in rows.values())
    assert flat[distance] > good[distance]
    assert rows["long"]["frames"] == 16
    assert rows["long"]["step"] == 2
    assert "mcs[action]" not in rows["long"]["metrics"]
    assert "inception[action]" in rows["long"]["metrics"]
    assert rows["parrot"]["metrics"]["nearest_ratio[pixels]"] < 0.1 < 0.5 < good["nearest_ratio[pixels]"] < 2
    assert rows[REAL]["metrics"]["nearest_ratio[pixels]"] == rows[REAL]["metrics"]["nearest_ratio[colours]"] == 1
    assert rows["parrot"]["metrics"]["nearest_ratio[colours]"] < 0.1 < good["nearest_ratio[colours]"]
    assert rows[REAL]["metrics"]["mcs[action]"] == report["judge"]["accuracy"] >= 0.9
    assert np.sum(rows["good <b>"]["verdicts"]) == 18
    assert any("judge" in line for line in lines)


def test_a_judge_is_kept(evaluated, tmp_path):
    out, report, _ = evaluated
    judge = load_judge(out / "judge.safetensors")
    assert judge.classes == WAYS
    again = evaluate_unpaired({"good": Shapes()}, items, tmp_path / "r", Choices(count=8), judge=judge)
    assert again["judge"] == report["judge"]
    assert again["rows"][0]["metrics"]["mcs[action]"] >= 0.9
    assert again["rows"][-1]["metrics"]["mcs[action]"] == report["judge"]["accuracy"]
    unasked = evaluate_unpaired({"u": Shapes(known=False)}, items, tmp_path / "r", Choices(count=8), judge=judge)
    assert "mcs[action]" not in unasked["rows"][0]["metrics"]
    assert "inception[action]" in unasked["rows"][0]["metrics"]


class Links(HTMLParser):
    """Collects the files that a page refers to, its text and its films, and checks that its elements nest."""

    def __init__(self):
        super().__init__()
        self.files, self.open, self.text, self.films = set(), [], "", []

    def handle_starttag(self, tag, attrs):
        self.files |= {v for k, v in attrs if k in ("src", "href", "poster")}
        if tag == "video":
            self.films.append({k for k, _ in attrs})
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_plays_by_itself(evaluated):
    out, report, _ = evaluated
    page = (out / "report.html").read_text()
    links = Links()
    links.feed(page)
    assert links.open == []
    assert all((out / f).is_file() for f in links.files)
    assert "http" not in page
    assert len(links.films) == 9  # samples of four models and of the real clips, pairs of four models
    assert all({"autoplay", "loop", "muted"} <= film for film in links.films)
    for words in ("good <b>", "<RUN>", "Nearest training clips", "The judge of action", "asked for: up, left"):
        assert words in links.text, words
    assert f"right on {report['judge']['accuracy']:.1%}" in links.text
    assert re.search(r"prefers-color-scheme: dark", page)
    video, rate = read_video(out / report["rows"][1]["samples"])
    assert video.shape[0] == 8
    assert rate == 15, "as fast as the models' videos, not as that of 30 frames per second of which one in two is taken"
    assert video.shape[1] >= 4 * 128
    pairs, _ = read_video(out / report["rows"][3]["pairs"])
    top, bottom = pairs[3][:128], pairs[3][-128:]
    assert np.abs(top.astype(int) - bottom).mean() < 3  # a parrot's videos are training clips


def test_beginnings_and_training_clips(tmp_path):
    class Continues(Shapes):
        needs = frozenset({"context", "frames"})

    model = Continues()
    report = evaluate_unpaired(
        {"m": model}, lambda: items(40, 12), tmp_path / "r", Choices(count=6, attribute="action", content="shapes"),
        training=lambda: items(0, 30),
    )  # fmt: skip
    assert model.begun.frames.shape == (6, 1, 3, *SIZE)
    assert report["judge"]["trained_on"] == 30
    assert report["judge"]["held_out"] == 12
    assert report["rows"][-1]["metrics"]["direction[action]"] == 1
    alone = evaluate_unpaired({"m": model}, items, tmp_path / "r", Choices(count=6), look_back=False)
    assert "pairs" not in alone["rows"][0]
    assert alone["judge"] is None
    assert not (tmp_path / "r" / "judge.safetensors").exists()


def fast(rate, length=8):
    return Shapes(DataSpec(size=SIZE, fps=rate), length)


def test_one_rate_for_all():
    rows = contenders({"a": fast(24), "b": fast(50, 16)}, Choices())
    assert [(r.step, r.rate) for r in rows] == [(1, 24), (2, 25)], "nobody sees the difference"
    with pytest.raises(UserError, match=r"a would show 15 frames per second and b 7\.5 .*choose --step and --frames"):
        contenders({"a": fast(15), "b": fast(15, 16)}, Choices())
    with pytest.raises(UserError, match=r"a would show 15 frames per second and b 7\.5 "):
        contenders({"a": fast(15), "b": fast(7.5)}, Choices())
    rows = contenders({"a": fast(15), "b": fast(7.5)}, Choices(frames=(16, 8), steps=(2, 1)))
    assert [r.rate for r in rows] == [7.5, 7.5]


def test_one_length_for_all():
    rows = contenders({"a": Shapes(), "b": fast(60, 32)}, Choices())
    assert [(r.frames, r.step, r.taken) for r in rows] == [(8, 1, 8), (32, 4, 8)]
    rows = contenders({"a": Shapes(), "b": Shapes(length=32)}, Choices(frames=(16,)))
    assert [(r.frames, r.step) for r in rows] == [(16, 1), (16, 1)]
    rows = contenders({"a": fast(30), "b": Shapes()}, Choices(frames=(16, 8), steps=(2, 1)))
    assert [r.taken for r in rows] == [8, 8]
    with pytest.raises(UserError, match="a gives 8 frames and b 12: choose"):
        contenders({"a": Shapes(), "b": Shapes(length=12)}, Choices())
    with pytest.raises(UserError, match="other sizes"):
        contenders({"a": Shapes(), "b": Shapes(DataSpec(size=(8, 8)))}, Choices())
    with pytest.raises(UserError, match="3 numbers for 2 runs"):
        contenders({"a": Shapes(), "b": Shapes()}, Choices(steps=(1, 2, 3)))
    with pytest.raises(UserError, match="must be 1 or more"):
        contenders({"a": Shapes()}, Choices(steps=(0,)))
    with pytest.raises(UserError, match="--count must be 2"):
        contenders({"a": Shapes()}, Choices(count=1))
    with pytest.raises(UserError, match="no motion"):
        contenders({"a": Shapes()}, Choices(frames=(2,), steps=(2,)))
    short = Shapes()
    short.longest = 9
    with pytest.raises(UserError, match="a makes 9 frames at most, not 10"):
        contenders({"a": short}, Choices(frames=(10,)))


@pytest.mark.parametrize(
    ("stream", "choices", "words"),
    [
        (lambda: items(count=1), Choices(count=4), "1 real clips of 8 frames"),
        (lambda: items(length=6), Choices(count=4), "is 6 frames of 16x16, the generated ones are 8"),
        (items, Choices(count=4, attribute="colour"), "'colour'; they know: action"),
        (lambda: items(count=2), Choices(count=4, attribute="action"), "from two recordings or more"),
        (
            lambda: ((n, v, {}) for n, v, _ in items()),
            Choices(count=4, attribute="action"),
            "no real clip has a value of",
        ),
    ],
)
def test_refusals(tmp_path, stream, choices, words):
    with pytest.raises(UserError, match=re.escape(words)):
        evaluate_unpaired({"m": Shapes()}, stream, tmp_path / "r", choices)
    assert not (tmp_path / "r").exists()


def test_more_refusals(tmp_path, evaluated):
    judge = load_judge(evaluated[0] / "judge.safetensors")
    other = DataSpec(size=SIZE, attributes={"action": ("left", "up")})
    with pytest.raises(UserError, match="other values of action"):
        evaluate_unpaired({"a": Shapes(), "b": Shapes(other)}, items, tmp_path / "r", Choices(attribute="action"))
    ways = DataSpec(size=SIZE, attributes={"action": ("down", "left", "up")})
    with pytest.raises(UserError, match="the judge knows up, left, the runs down, left, up"):
        evaluate_unpaired({"b": Shapes(ways)}, items, tmp_path / "r", Choices(), judge=judge)
    made = evaluate_unpaired(
        {"b": Shapes(other)}, items, tmp_path / "o", Choices(count=8), judge=judge, look_back=False
    )  # fmt: skip
    assert made["rows"][0]["metrics"]["mcs[action]"] >= 0.9, "the judge's classes may stand in another order"
    lonely = DataSpec(size=SIZE, attributes={"action": ("up",)})
    with pytest.raises(UserError, match="one value only"):
        evaluate_unpaired({"b": Shapes(lonely)}, items, tmp_path / "r", Choices(attribute="action"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(UserError, match="no earlier result"):
        evaluate_unpaired({"a": Shapes()}, items, tmp_path / "notes", Choices())


class Climbs(torch.nn.Module):
    """A classifier of clips: does the light climb, or go to the left, or (never) fall?"""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        light = x.mean(dim=1)  # N T H W
        rows = light.mean(dim=3)
        places = torch.arange(rows.shape[2]).float()
        height = (rows * places).sum(dim=2) / rows.sum(dim=2).clamp(min=1e-3)
        climbed = height[:, 0] - height[:, -1]
        return torch.stack([2 * torch.ones_like(climbed), -1e3 * torch.ones_like(climbed), climbed], dim=1)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("judges") / "climbs.pt"
    torch.jit.script(Climbs()).save(file)
    return file


def test_a_classifier_of_ones_own(classifier, tmp_path):
    judge = load_judge(classifier, 8)
    assert judge.probabilities([shape(0, "up"), shape(1, "left")]).argmax(axis=1).tolist() == [2, 0]
    choices = Choices(count=8, attribute="action")
    nameless = evaluate_unpaired({"good": Shapes(), "flat": Flat()}, items, tmp_path / "n", choices, judge=judge)
    good, flat, real = (row["metrics"] for row in nameless["rows"])
    assert good["inception[climbs]"] == pytest.approx(real["inception[climbs]"], rel=0.2)
    assert flat["inception[climbs]"] == pytest.approx(1)
    assert "mcs[climbs]" not in good
    assert not (tmp_path / "n" / "judge.safetensors").exists()
    named = load_judge(classifier, 8, ("left", "down", "up"))
    report = evaluate_unpaired({"good": Shapes(), "flat": Flat()}, items, tmp_path / "r", choices, judge=named)
    assert [row["metrics"]["mcs[climbs]"] for row in report["rows"]] == [1, 0.5, 1]
    assert report["rows"][0]["verdicts"] == [[4, 0, 0], [0, 0, 0], [0, 0, 4]]
    assert "The classifier climbs" in (tmp_path / "r" / "report.html").read_text()
    assert report["hashes"] == nameless["hashes"]
    assert any(named.network.sha256 in str(value) for value in report["hashes"].values())
    with pytest.raises(UserError, match="tells 3 classes apart, but 2 are named"):
        load_judge(classifier, 8, ("left", "up"))


def test_names_beside_a_classifier(classifier, tmp_path, evaluated):
    file = tmp_path / "c.pt"
    file.write_bytes(classifier.read_bytes())
    beside = file.with_suffix(".json")
    beside.write_text(json.dumps({"classes": ["left", "down", "up"], "attribute": "action"}))
    assert load_judge(file, 8).education.attribute == "action"
    report = evaluate_unpaired({"good": Shapes()}, items, tmp_path / "r", Choices(count=8), judge=load_judge(file, 8))
    assert report["rows"][0]["metrics"]["mcs[c]"] == 1
    beside.write_text(json.dumps(["a", "b", "c"]))
    assert load_judge(file, 8).classes == ("a", "b", "c")
    assert load_judge(file, 8, ("x", "y", "z")).classes == ("x", "y", "z")
    beside.write_text("{}")
    with pytest.raises(UserError, match=r"c\.json: expected"):
        load_judge(file, 8)
    with pytest.raises(UserError, match=r"which .*judge\.safetensors is not"):
        load_judge(evaluated[0] / "judge.safetensors", 8, ("up", "left"))


def test_content_in_the_features_of_an_extractor(tmp_path):
    models = {"good": Shapes(), "flat": Flat()}
    report = evaluate_unpaired(
        models, items, tmp_path / "r", Choices(count=4), describe=Colours(), look_back=False
    )  # fmt: skip
    good, flat, real = (row["metrics"] for row in report["rows"])
    assert flat["acd[colours]"] == 0
    assert good["acd[colours]"] == pytest.approx(0, abs=1e-4), "a shape keeps its colour and size"
    assert real.keys() >= {"acd[colours]"}
    assert "valid" not in good
    assert "acd_valid" not in good


def strips(root, ways, length=8, start=0):
    for i, way in enumerate(ways):
        path = root / way / f"{start + i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        video = shape(start + i, way if way in WAYS else "up", length)
        save_image(path, video.swapaxes(0, 1).reshape(16, -1, 3))


def test_videos_of_unknown_classes_are_left_out(tmp_path, capsys):
    run, data = tmp_path / "run", tmp_path / "data"
    strips(data, WAYS * 6)
    strips(data, ["jump", "walk", "walk"], start=20)
    toys.Noise(DataSpec(size=SIZE, attributes={"class": ("left", "up")})).save(run)
    words = ["evaluate", str(run), "--trust", "toys", "--count", "12", "--frames", "8", "--out", str(tmp_path / "r")]
    assert main([*words, "--data.root", str(data)]) == 0
    told = capsys.readouterr().err
    line = f"{data}: 3 of 15 videos are left out, which the runs do not know: class jump, class walk"
    assert told.count(line) == 1
    assert json.loads((tmp_path / "r" / "report.json").read_text())["settings"]["real_clips"] == 12
    strips(tmp_path / "strange", ["jump"] * 3)
    assert main([*words, "--overwrite", "--data.root", str(tmp_path / "strange")]) == 2
    assert "has only videos that the runs do not know (class jump)" in capsys.readouterr().err
    for file in sorted((tmp_path / "strange" / "jump").iterdir()):
        file.rename(tmp_path / "strange" / file.name)
    assert main([*words, "--overwrite", "--data.root", str(tmp_path / "strange")]) == 0, "nothing is said of them"


def test_real_clips_as_fast_as_the_videos(tmp_path, capsys):
    run, data = tmp_path / "run", tmp_path / "data"
    strips(data, WAYS * 2, length=32)
    toys.Noise(DataSpec(size=SIZE, fps=12.5)).save(run)
    words = ["evaluate", str(run), "--trust", "toys", "--count", "2", "--frames", "8", "--out", str(tmp_path / "r")]
    words += ["--overwrite", "--data.root"]

    def settings(*more):
        assert main([*words, *map(str, more)]) == 0
        return json.loads((tmp_path / "r" / "report.json").read_text())

    (data / "dataset.yaml").write_text("fps: 25\n")
    report = settings(data)
    assert report["settings"]["data_steps"] == [2]
    assert read_video(tmp_path / "r" / report["rows"][0]["samples"])[1] == 12.5
    assert settings(data, "--slice", "::2")["settings"]["data_steps"] == [1]
    assert settings(data, "--slice", ":16", "--train-slice", "::2")["settings"]["data_steps"] == [2, 1]
    (data / "dataset.yaml").unlink()
    assert main([*words, str(data)]) == 2
    assert f"{data} has 15 frames per second, the runs' videos 12.5: no whole step" in capsys.readouterr().err
    assert main([*words, "world:shapes"]) == 2
    assert "world:shapes has 15 frames per second" in capsys.readouterr().err
    assert settings(data, "--data.step", 3)["settings"]["data_steps"] == [3]
    toys.Noise(DataSpec(size=SIZE, fps=7.5)).save(run)
    assert settings(data)["settings"]["data_steps"] == [2], "nothing is said: as a training takes it"
    assert settings("world:shapes")["settings"]["data_steps"] == [2]
    assert settings("world:shapes", "--step", 2, "--frames", 4)["settings"]["data_steps"] == [4]


def test_command(tmp_path, capsys):
    run = tmp_path / "run"
    toys.Noise(DataSpec(size=(8, 8))).save(run)
    words = ["evaluate", str(run), "--data.root", "world:shapes", "--trust", "toys", "--out", str(tmp_path / "r")]
    assert main([*words, "--count", "4", "--frames", "6", "--content", "shapes"]) == 0
    told = capsys.readouterr().out
    assert "valid" in told
    assert "report.html" in told
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["settings"]["real_clips"] == 8
    assert report["settings"]["runs"] == [str(run)]
    assert main([*words, "--step", "x"]) == 2
    assert "'x' is no whole number" in capsys.readouterr().err
    assert main([*words, "--attribute", "action"]) == 2
    assert "they know: none" in capsys.readouterr().err
    assert main([*words, "--preference"]) == 2
    assert "--preference compares videos of the same maps" in capsys.readouterr().err
    assert main([*words, "--group", "person"]) == 2
    assert "no such attribute; it has action, shape, size" in capsys.readouterr().err
    assert main([*words, "--judge", str(tmp_path / "none")]) == 2
    assert "is missing" in capsys.readouterr().err
    assert main([*words, "--judge-classes", "a,b"]) == 2
    assert "pass --judge FILE too" in capsys.readouterr().err
    assert main([*words, "--phase", "train"]) == 2
    assert "--phase chooses among folders with maps" in capsys.readouterr().err
    assert main([*words, "--content", str(tmp_path / "none.pt")]) == 2
    assert "none.pt: there is no such file: give shapes, none, or" in capsys.readouterr().err


def test_command_on_a_folder(tmp_path, capsys):
    for i in range(12):
        video = np.concatenate([shape(i, WAYS[i % 2]), shape(i + 50, WAYS[i % 2])])
        path = tmp_path / "data" / WAYS[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_image(path, video.swapaxes(0, 1).reshape(16, -1, 3))
    run = tmp_path / "run"
    toys.Noise(DataSpec(size=SIZE, attributes={"class": ("left", "up")})).save(run)
    words = [
        "evaluate",
        str(run),
        "--data.root",
        str(tmp_path / "data"),
        "--trust",
        "toys",
        "--out",
        str(tmp_path / "r"),
    ]
    words += ["--count", "4", "--frames", "8"]
    asked = ["--attribute", "class", "--content", "shapes"]
    assert main([*words, *asked, "--slice", "8:", "--train-slice", ":8"]) == 0
    told = capsys.readouterr().out
    assert "judge of class: " in told
    assert "right on 12 real clips held out" in told
    assert "nearest_ratio[pixels]" in told
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["training_apart"]
    assert report["settings"]["real_clips"] == 12
    assert report["rows"][-1]["metrics"]["direction[class]"] == 1
    judge = str(tmp_path / "r" / "judge.safetensors")
    assert main([*words, "--judge", judge, "--group", "class"]) == 0
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["settings"]["real_clips"] == 8  # of 24
    assert "mcs[class]" in report["rows"][0]["metrics"]
    assert main([*words, "--data.step", "3"]) == 2
    assert "no video has the 22 frames" in capsys.readouterr().err


def test_options_of_the_other_kind_are_refused(tmp_path, capsys):
    run = tmp_path / "run"
    toys.Translation.tiny().save(run)
    words = ["evaluate", str(run), "--data.root", str(tmp_path), "--trust", "toys", "--out", str(tmp_path / "r")]
    assert main([*words, "--count", "4"]) == 2
    assert "--count goes with runs that make videos from noise" in capsys.readouterr().err
