"""Evaluation of toy models, its baselines, its folder and its page."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from videosynth.apps.charts import Line, line_chart
from videosynth.apps.evaluate import REAL, Truth, baselines, class_means, evaluate, from_model
from videosynth.metrics.meanings import meaning
from videosynth.types import DataSpec, Frame, MapSpec, UserError
from videosynth.video.read import read_video

COLOURS = ((10, 20, 30), (200, 100, 50))
SPEC = DataSpec((MapSpec("labels", "classes", 2, ("road", "car"), COLOURS, 255),), (24, 32), 10.0)


def truth(name="drive", frames=5, seed=0):
    """A car (class 1) that moves over a road (class 0); one corner is void."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((frames, 24, 32), np.uint8)
    for t in range(frames):
        ids[t, 8:16, 2 * t : 2 * t + 10] = 1
    ids[:, :4, :4] = 255
    means = np.array([[60, 60, 60], [220, 40, 40]])
    picture = np.where((ids == 1)[..., None], means[1], means[0]) + rng.integers(-9, 10, (24, 32, 1))
    return Truth(name, picture.astype(np.uint8), {"labels": torch.from_numpy(ids)})


class Painter:
    """A model: grey road, red car."""

    spec = SPEC
    seen = None

    def generate(self, request):
        self.seen = request
        for maps in request.maps:
            assert set(maps) == {"labels"}
            assert maps["labels"].shape == (1, 24, 32)
            car = (maps["labels"] == 1).float()[:, None]
            yield Frame(torch.cat([car * 1.3 - 0.5, -0.5 - 0.2 * car, -0.5 - 0.2 * car], dim=1))


def inverted(t):
    return 255 - t.frames


def test_report_is_whole(tmp_path):
    model, out, lines = Painter(), tmp_path / "report", []
    report = evaluate(
        {"painter <b>": from_model(model, seed=7), "inverted": inverted},
        [truth(), truth("second/drive", 3, 1)],
        SPEC,
        out,
        training=[truth(frames=4)],
        settings={"command": "videosynth evaluate <RUN>", "seed": 7},
        hashes={"weights": "00ff"},
        say=lines.append,
    )
    assert model.seen.seeds == (7,)
    assert model.seen.frames == 3
    assert json.loads((out / "report.json").read_text()) == json.loads(json.dumps(report))
    assert report["format"] == 1
    names = ["painter <b>", "inverted", "class mean colour", "last training frame repeated", REAL]
    assert [row["name"] for row in report["rows"]] == names
    by_name = {row["name"]: row for row in report["rows"]}
    assert by_name["painter <b>"]["metrics"]["psnr"] > by_name["inverted"]["metrics"]["psnr"] + 10
    assert by_name[REAL]["metrics"]["ssim"] == 1
    assert [s["frames"] for s in report["sequences"]] == [5, 3]
    entry = by_name["painter <b>"]["sequences"]["drive"]
    assert len(entry["curves"]["psnr"]) == 5
    assert len(entry["curves"]["warping_error"]) == 4
    video, fps = read_video(out / entry["video"])
    assert video.shape == (5, 24, 32, 3)
    assert fps == 10
    assert len(lines) == 10
    assert not [p for p in tmp_path.iterdir() if p.name != "report"]


class Links(HTMLParser):
    """Collects the files that a page refers to, and checks that its elements nest."""

    void = ("meta", "img", "br", "line", "polyline")

    def __init__(self):
        super().__init__()
        self.files, self.open, self.text = set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.files |= {v for k, v in attrs if k in ("src", "href", "poster")}
        if tag not in ("meta", "img", "br", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_is_self_contained_and_escaped(tmp_path):
    out = tmp_path / "report"
    evaluate({"painter <b>": from_model(Painter())}, [truth()], SPEC, out, settings={"command": "<RUN>"})
    page = (out / "report.html").read_text()
    links = Links()
    links.feed(page)
    assert links.open == []
    assert links.files
    assert all((out / f).is_file() for f in links.files)
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page)
    assert "painter <b>" in links.text
    assert "<RUN>" in links.text
    assert "class mean colour (of these frames)" in links.text
    assert "first frame repeated" in links.text
    metrics = json.loads((out / "report.json").read_text())["rows"][0]["metrics"]
    assert page.count('class="best"') >= len(metrics)


def test_class_means_and_repeated_frame():
    train, test = truth(frames=4), truth(seed=3)
    means = class_means([train], SPEC)
    ids = train.maps["labels"].numpy()
    np.testing.assert_allclose(means[1], train.frames[ids == 1].mean(axis=0))
    np.testing.assert_allclose(means[2], train.frames.reshape(-1, 3).mean(axis=0))
    made = baselines(SPEC, [train])
    colours = np.stack(list(made["class mean colour"](test)))
    assert (colours[0, 0, 0] == means[2].round()).all()  # void
    assert (colours[0, 8, 0] == means[1].round()).all()
    repeated = np.stack(list(made["last training frame repeated"](test)))
    assert (repeated == train.frames[-1]).all()
    assert len(repeated) == len(test.frames)
    unseen = MapSpec("labels", "classes", 5, void=255)
    table = class_means([train], DataSpec((unseen,), (24, 32)))
    np.testing.assert_allclose(table[4], table[5])  # a class never seen has the overall mean


def test_collect_from_a_stream():
    t = truth()
    stream = (
        {"labels": t.maps["labels"][i : i + 1], "images": torch.from_numpy(t.frames[i : i + 1]).permute(0, 3, 1, 2)}
        for i in range(5)
    )
    again = Truth.collect("drive", stream)
    assert (again.frames == t.frames).all()
    assert (again.maps["labels"] == t.maps["labels"]).all()
    with pytest.raises(UserError, match="no images"):
        Truth.collect("drive", [{"labels": t.maps["labels"][:1]}])


def test_pictures_of_maps():
    t = truth()
    picture = t.picture(0, SPEC)
    assert tuple(picture[20, 20]) == COLOURS[0]
    assert tuple(picture[10, 3]) == COLOURS[1]
    assert tuple(picture[0, 0]) == (0, 0, 0)
    depth = DataSpec((MapSpec("depth", "dense", 1, range=(0, 10)),), (2, 2))
    dense = Truth("d", t.frames, {"depth": torch.tensor([[[[0.0, 5.0], [10.0, 20.0]]]])})
    assert dense.picture(0, depth)[..., 0].tolist() == [[0, 128], [255, 255]]
    assert Truth("n", t.frames).picture(0, SPEC) is None


def test_targets(tmp_path):
    out = tmp_path / "report"
    evaluate({}, [truth()], SPEC, out)
    first = (out / "report.json").stat().st_mtime_ns
    evaluate({}, [truth()], SPEC, out)  # an earlier report is replaced
    assert (out / "report.json").stat().st_mtime_ns > first
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "notes.txt").write_text("precious")
    with pytest.raises(UserError, match="--overwrite"):
        evaluate({}, [truth()], SPEC, other)
    assert (other / "notes.txt").read_text() == "precious"
    evaluate({}, [truth()], SPEC, other, overwrite=True)
    assert (other / "report.html").is_file()
    with pytest.raises(UserError, match="exists"):
        evaluate({}, [truth()], SPEC, out / "report.json")


def test_nothing_half_written(tmp_path, monkeypatch):
    out = tmp_path / "report"
    with pytest.raises(UserError, match="no sequences"):
        evaluate({}, [], SPEC, out)
    with pytest.raises(UserError, match="drive: the generated frames"):
        evaluate({"short": lambda t: t.frames[:2]}, [truth()], SPEC, out)

    def breaks(_truth):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate({"broken": breaks}, [truth()], SPEC, out)
    assert list(tmp_path.iterdir()) == []
    inside = tmp_path / "work" / "deep"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    with pytest.raises(UserError, match="in use"):
        evaluate({}, [truth()], SPEC, tmp_path / "work", overwrite=True)


def test_a_disk_that_refuses_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
        with pytest.raises(UserError, match=r"cannot write .*file size limit"):
            evaluate({"inverted": inverted}, [truth()], SPEC, tmp_path / "report")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_chart():
    svg = line_chart([Line("a", "m0", [1.0, None, 2.0, 3.0]), Line("<b>", "b0", [0.5] * 4)], "PSNR & co", start=1)
    assert svg.count("<polyline") == 2  # the lone first point is no line
    assert "&lt;b&gt;" in svg
    assert "PSNR &amp; co" in svg
    assert ">4</text>" in svg
    assert line_chart([Line("a", "m0", [1.0])], "one") == ""
    assert line_chart([Line("a", "m0", [None, None])], "none") == ""
    assert "<polyline" in line_chart([Line("a", "m0", [2.0, 2.0])], "flat")


def test_meanings_say_which_is_better():
    assert meaning("psnr").badness(30) < meaning("psnr").badness(20)
    assert meaning("fid[net,N=9]").badness(1) < meaning("fid[net,N=9]").badness(2)
    sharp = meaning("gradient_ratio")
    assert sharp.badness(0.9) < sharp.badness(1.5) < sharp.badness(0.1)
    with pytest.raises(KeyError):
        meaning("unheard-of")
