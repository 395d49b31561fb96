"""The human comparison: its pages, its sides, and the reading of its votes."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from videosynth.apps.preference import summarise, wilson, write_preference
from videosynth.types import UserError
from videosynth.video.read import read_video


def pairs(count=6, frames=12, shorter=0):
    """The first model is dark, the second bright."""
    for i in range(count):
        dark = np.full((frames, 16, 16, 3), 20, np.uint8)
        yield f"drive {i}", dark, np.full_like(dark, 230)[shorter:]


def write(out, **options):
    return write_preference(out, ("dark </script>", "bright"), pairs(), 4.0, **options)


def test_sides_are_random_hidden_and_true(tmp_path):
    page = write(tmp_path / "vote", seed=3)
    comparison = json.loads((tmp_path / "vote/trials.json").read_text())
    trials = comparison["trials"]
    rounds = [t["round"] for t in trials]
    assert rounds == sorted(rounds)  # the short round comes first
    assert rounds.count("whole") == 6
    assert rounds.count("short") == 12
    assert {t["left"] for t in trials} == {"a", "b"}
    assert [t["id"] for t in trials] != sorted(t["id"] for t in trials)
    for trial in trials:
        for side in ("left", "right"):
            video, fps = read_video(tmp_path / f"vote/clips/{trial['id']:03d}-{side}.mp4")
            is_a = (trial["left"] == "a") == (side == "left")
            assert abs(int(video.mean()) - (20 if is_a else 230)) < 4
            assert fps == 4
            assert len(video) == (12 if trial["round"] == "whole" else 6)
    text = page.read_text()
    assert "bright" not in text  # the names are nowhere to be seen
    assert "http" not in text
    hidden = base64.b64decode(re.search(r'atob\("([^"]+)"\)', text)[1])
    assert json.loads(hidden) == comparison


def test_seed_decides(tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        write(tmp_path / name, seed=seed)
    read = {p.parent.name: json.loads(p.read_text())["trials"] for p in tmp_path.glob("*/trials.json")}
    assert read["one"] == read["again"]
    assert read["one"] != read["two"]


def test_single_frames_can_be_compared(tmp_path):
    page = write_preference(tmp_path / "vote", ("a", "b"), pairs(1, 1), 4.0)
    assert page.is_file()


def test_refusals(tmp_path):
    out = tmp_path / "vote"
    with pytest.raises(UserError, match="both models are called"):
        write_preference(out, ("a", "a"), pairs(), 4.0)
    with pytest.raises(UserError, match="no sequences"):
        write_preference(out, ("a", "b"), [], 4.0)
    with pytest.raises(UserError, match="compare models that give as many"):
        write_preference(out, ("a", "b"), pairs(shorter=3), 4.0)
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="--overwrite"):
        write(out)
    write(out, overwrite=True)
    write(out)  # an earlier comparison is replaced


def test_wilson():
    assert wilson(0, 0) == (0, 1)
    low, high = wilson(8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)
    assert wilson(2, 10) == (pytest.approx(1 - high), pytest.approx(1 - low))
    # the interval is where the score test does not reject: |p - share| = z sqrt(p (1 - p) / n) at both ends
    for p in wilson(30, 80):
        assert abs(p - 30 / 80) == pytest.approx(1.96 * (p * (1 - p) / 80) ** 0.5)
    with pytest.raises(ValueError, match="impossible"):
        wilson(3, 2)


def votes(path, choices, **changes):
    every = [{"trial": i, "round": r, "choice": c} for i, (r, c) in enumerate(choices)]
    data = {"format": 1, "kind": "videosynth preference votes", "a": "x", "b": "y", "seed": 0, "votes": every}
    path.write_text(json.dumps(data | changes))
    return path


def test_summarise_adds_voters_up(tmp_path):
    one = votes(tmp_path / "1.json", [("short", "a"), ("short", "skip"), ("whole", "b")])
    two = votes(tmp_path / "2.json", [("short", "a"), ("short", "b"), ("whole", "a")])
    result = summarise([one, two])
    assert result["voters"] == 2
    assert (result["short"]["votes"], result["short"]["wins"], result["short"]["skipped"]) == (3, 2, 1)
    assert (result["all"]["votes"], result["all"]["wins"]) == (5, 3)
    assert (result["all"]["low"], result["all"]["high"]) == wilson(3, 5)
    assert summarise(votes(tmp_path / "0.json", []))["all"]["share"] is None


def test_summarise_refuses(tmp_path):
    good = votes(tmp_path / "1.json", [("short", "a")])
    with pytest.raises(UserError, match="another comparison"):
        summarise([good, votes(tmp_path / "2.json", [], seed=1)])
    with pytest.raises(UserError, match="no votes file"):
        summarise(votes(tmp_path / "3.json", [], kind="report"))
    with pytest.raises(UserError, match="newer videosynth"):
        summarise(votes(tmp_path / "4.json", [], format=2))
    with pytest.raises(UserError, match="damaged"):
        summarise(votes(tmp_path / "5.json", [("short", "left")]))
    with pytest.raises(UserError, match="missing"):
        summarise(tmp_path / "6.json")
    with pytest.raises(UserError, match="at least one"):
        summarise([])


@pytest.mark.slow
def test_page_in_a_browser(tmp_path):
    """Votes by keys in headless Chromium: A is chosen in every trial, whichever side it is on."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here")
    page = write(tmp_path / "vote")
    robot = """<script>
    document.getElementById("begin").click();
    const press = key => document.dispatchEvent(new KeyboardEvent("keydown", {key}));
    press("ArrowLeft"); press("u"); press(" "); press("u");
    while (!document.getElementById("vote").hidden) {
      press(trials[votes.length].left === "a" ? "ArrowLeft" : "ArrowRight");
    }
    document.body.append(Object.assign(document.createElement("pre"), {textContent: JSON.stringify(result())}));
    </script></body>"""
    page.write_text(page.read_text().replace("</body>", robot))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    dom = subprocess.run([chromium, *options, page.as_uri()], capture_output=True, text=True, timeout=120).stdout
    saved = tmp_path / "votes.json"
    saved.write_text(re.search(r"<pre>(.*?)</pre>", dom, re.S)[1].replace("&lt;", "<").replace("&gt;", ">"))
    result = summarise(saved)
    assert result["a"] == "dark </script>"
    assert (result["all"]["votes"], result["all"]["wins"]) == (18, 18)
