"""Videos from noise: seeds, parts that are fixed, exchanged and interpolated, files of latents, the verb and a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toys import Noise, Prediction, Translation, TwoPart

from videosynth.apps.catalogue import build, example_of
from videosynth.apps.from_noise import read_attributes
from videosynth.apps.latents import collect, load_latents, save_latents
from videosynth.apps.noise import Plan, between, exchanged, fixed, interpolated, videos
from videosynth.cli import main
from videosynth.engine.fit import channels_last
from videosynth.engine.samples import SHOWN, first_clip, from_noise, sample
from videosynth.models import model_class
from videosynth.models.base import load
from videosynth.models.play import Schedule
from videosynth.models.vgan.model import VGAN
from videosynth.models.vgan.options import GeneratorShape as VShape
from videosynth.testing import check_contract, random_clip
from videosynth.types import Clip, DataSpec, Request, UserError
from videosynth.video.read import read_video


@pytest.fixture(scope="module")
def model() -> TwoPart:
    torch.manual_seed(0)
    return TwoPart.tiny().eval()


def made(model: TwoPart, plan: Plan) -> np.ndarray:
    return videos(model, plan.seeds, plan.frames, plan.attributes, latents=plan.latents, speed=plan.speed)


# making


def test_the_toy_keeps_the_contract(tmp_path):
    check_contract(TwoPart, tmp_path)


def test_videos_do_not_depend_on_their_batch(model):
    whole = videos(model, range(5), 6, {"shade": ("dark", "light", "light")})
    assert whole.shape == (5, 6, 8, 8, 3)
    assert whole.dtype == np.uint8
    for batch in (1, 2, 4):
        other = videos(model, range(5), 6, {"shade": ("dark", "light", "light")}, batch=batch)
        assert np.abs(whole.astype(int) - other).max() <= 1
    assert videos(model, range(2)).shape[1] == 4, "as many frames as the model makes by itself"
    assert videos(model, ()).shape == (0, 4, 8, 8, 3)
    assert not np.array_equal(whole[0], whole[1])


def test_attributes_go_round(model):
    plan = Plan((0, 1, 2, 3, 4), attributes={"shade": ("dark", "light")})
    assert plan.request(2, 4).attributes == {"shade": ("dark", "light")}
    assert plan.request(1, 2).attributes == {"shade": ("light",)}
    with pytest.raises(UserError, match="unknown shade 'grey'"):
        videos(model, (0, 1), attributes={"shade": ("dark", "grey")})


def test_a_beginning_serves_all_videos_or_one_each():
    torch.manual_seed(0)
    model = Prediction.tiny().eval()
    one = random_clip(model.spec, 1, 2).frames
    same = videos(model, range(3), 2, context=Clip(frames=one))
    assert np.array_equal(same[0], same[2])
    each = videos(model, range(2), 2, context=Clip(frames=torch.cat([one, 255 - one])), batch=1)
    assert np.array_equal(each[0], same[0])
    assert not np.array_equal(each[1], same[0])
    with pytest.raises(UserError, match="holds 2 items but there are 3"):
        videos(model, range(3), 2, context=Clip(frames=torch.cat([one, one])))


# latents


def test_latents_are_collected(model):
    found = collect(model, Request(seeds=(3, 4), frames=5))
    assert {k: tuple(v.shape) for k, v in found.items()} == {"content": (2, 4), "step": (2, 5, 4)}
    one = collect(model, Request(seeds=(3,), frames=1))
    assert one["step"].shape == (1, 1, 4), "a step, also where a video has a single frame"
    assert torch.equal(one["content"], found["content"][:1])
    with pytest.raises(UserError, match="Noise\\) has no latents"):
        collect(Noise.tiny(), Request(seeds=(0,)))


def test_latents_make_the_same_videos_whatever_the_seeds(model):
    found = collect(model, Request(seeds=(3, 4), frames=5))
    shade = {"shade": ("dark",)}
    again = videos(model, (7, 8), 5, shade, latents=found)
    assert np.array_equal(again, videos(model, (3, 4), 5, shade))


@pytest.mark.parametrize(("part", "name"), [("content", "content"), ("motion", "step")])
def test_a_part_is_the_first_videos_in_all(model, part, name):
    plan = fixed(model, Plan((3, 4, 5), 6), part)
    frames = [f.extras for f in model.generate(plan.request())]
    used = torch.stack([f[f"latents/{name}"] for f in frames if f"latents/{name}" in f], 1)
    assert torch.equal(used, used[:1].expand_as(used))
    other = "latents/step" if part == "content" else "latents/content"
    assert not torch.equal(frames[0][other][0], frames[0][other][1])
    assert np.array_equal(made(model, plan)[0], videos(model, (3,), 6)[0])
    with pytest.raises(UserError, match="no part 'mood' in this model; it has content, motion"):
        fixed(model, Plan((3, 4)), "mood")


def test_slow_motion_is_fixed_too(model):
    plan = fixed(model, Plan((3, 4), 6, speed=0.5), "motion")
    assert plan.latents["step"].shape == (2, 4, 4)
    assert np.array_equal(made(model, plan)[0], videos(model, (3,), 6, speed=0.5)[0])
    plan = fixed(model, Plan((3, 4), 6, speed=2), "motion")
    assert plan.latents["step"].shape == (2, 11, 4)
    assert np.array_equal(made(model, plan)[0], videos(model, (3,), 6, speed=2)[0])


def test_interpolation_leads_from_seed_to_seed(model):
    shade = {"shade": ("light",)}
    plan = interpolated(model, Plan((3, 4, 5), 4, shade), 9)
    way = made(model, plan)
    assert np.array_equal(way[0], videos(model, (3,), 4, shade)[0])
    assert np.array_equal(way[2], videos(model, (9,), 4, shade)[0])
    start, middle, end = plan.latents["content"]
    assert (middle - start).norm() < (end - start).norm()
    plan = interpolated(model, Plan((3, 4, 5), 4, shade), 9, fix="content")
    assert torch.equal(plan.latents["content"][0], plan.latents["content"][2])
    assert torch.equal(plan.latents["step"][2], collect(model, Request(seeds=(9,), frames=4))["step"][0])


def test_uniform_latents_go_straight(monkeypatch):
    torch.manual_seed(0)
    model = TwoPart.tiny().eval()
    round_trip = interpolated(model, Plan((3, 4, 5), 4), 9).latents["content"]
    monkeypatch.setattr(model, "uniform", ("content",))
    plan = interpolated(model, Plan((3, 4, 5), 4), 9)
    start, middle, end = plan.latents["content"]
    assert torch.equal(middle, torch.lerp(start, end, 0.5))
    assert not torch.equal(middle, round_trip[1])
    start, middle, end = plan.latents["step"]
    assert not torch.equal(middle, torch.lerp(start, end, 0.5)), "the other latents are Gaussian"


def test_between_stays_on_the_sphere_or_in_the_box():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 7, 100, generator=generator)
    middle = between(a, b, 0.5)
    assert middle.norm(dim=-1).allclose((a.norm(dim=-1) + b.norm(dim=-1)) / 2, rtol=0.03)
    assert (torch.lerp(a, b, 0.5).norm(dim=-1) < 0.8 * middle.norm(dim=-1)).all(), "a straight line would leave it"
    assert torch.equal(between(a, b, 0), a)
    assert torch.equal(between(a, b, 1), b)
    assert not torch.equal(between(a / 9, b / 9, 0.3), torch.lerp(a / 9, b / 9, 0.3)), "short ones are no uniform ones"
    a, b = torch.rand(2, 100, generator=generator) * 2 - 1
    assert torch.equal(between(a, b, 0.3, uniform=True), torch.lerp(a, b, 0.3))
    assert torch.equal(between(2 * a, 2 * a, 0.3), 2 * a), "no angle between equal latents"


def test_content_of_one_file_and_motion_of_another(model, tmp_path):
    a, b = (collect(model, Request(seeds=(s,), frames=5)) for s in (1, 2))
    for name, found, seed in (("a", a, 1), ("b", b, 2)):
        save_latents(tmp_path / f"{name}.safetensors", found, model, (seed,), {"shade": ("dark",)})
    words = (f"{tmp_path}/a.safetensors:content", f"{tmp_path}/b.safetensors:motion")
    plan = exchanged(model, Plan((0,)), words, None, None)
    assert plan.frames == 5
    assert plan.seeds == (1,)
    assert plan.values == {"shade": ("dark",)}
    assert torch.equal(plan.latents["content"], a["content"])
    assert torch.equal(plan.latents["step"], b["step"])
    plan = exchanged(model, Plan((0,)), words[:1], 3, None)
    assert plan.seeds == (1, 2, 3), "one content, three motions"
    assert plan.latents["content"].shape == (3, 4)
    plan = exchanged(model, Plan((7,), 3), words[1:], 2, 7)
    assert plan.seeds == (7, 8)
    assert plan.latents["step"].shape == (2, 3, 4)


def test_files_of_latents(model, tmp_path):
    found = collect(model, Request(seeds=(1, 2), frames=3))
    file = tmp_path / "l.safetensors"
    save_latents(file, found, model, (1, 2), {"shade": ("dark", "light")})
    saved = load_latents(file)
    assert all(torch.equal(saved.latents[k], v) for k, v in found.items())
    assert saved.parts == model.parts
    assert saved.seeds == (1, 2)
    assert saved.attributes == {"shade": ("dark", "light")}
    assert saved.count == 2

    def refuses(said, *words, count=None, frames=None):
        with pytest.raises(UserError, match=said):
            exchanged(model, Plan((0,), frames), [str(w) for w in words], count, None)

    refuses("holds 3 steps of motion, enough for 3 frames, not 4: pass --frames 3", file, frames=4)
    refuses("holds 2 videos, not 3: pass --count 2", file, count=3)
    refuses("are in .* and in", file, f"{file}:content")
    refuses("has no part 'mood', it has content, motion", f"{file}:mood")
    refuses("none.safetensors is missing", tmp_path / "none.safetensors")
    file.write_bytes(b"nothing")
    refuses("no readable file of latents", file)
    model.save(tmp_path / "run")
    refuses("holds no latents", tmp_path / "run" / "weights.safetensors")
    save_latents(file, {"content": torch.zeros(1, 5)}, model, (1,))
    refuses("content have 5 numbers a video, this model's 4 numbers a video", file)
    save_latents(file, {"content": torch.zeros(1, 2, 4)}, model, (1,))
    refuses("content have 4 numbers a step, this model's 4 numbers a video", file)
    save_latents(file, {"other": torch.zeros(1, 4)}, model, (1,))
    refuses("latents 'other', which this model does not have", file)
    save_latents(file, {"content": torch.zeros(1, 4)}, Noise.tiny(), (1,))
    refuses("latents of Noise, but this run is a TwoPart", file)


def test_attributes_are_read():
    assert read_attributes(("a=b", "c=d,e")) == {"a": ("b",), "c": ("d", "e")}
    for word in ("a", "=b", "a=", "a=b,,c"):
        with pytest.raises(UserError, match="write NAME=VALUE"):
            read_attributes((word,))
    with pytest.raises(UserError, match="given twice"):
        read_attributes(("a=b", "a=c"))


# the verb


@pytest.fixture(scope="module")
def runs(model, tmp_path_factory) -> Path:
    """Runs of the toys, trusted by their module's name."""
    folder = tmp_path_factory.mktemp("runs")
    torch.manual_seed(0)
    model.save(folder / "two")
    for kind in (Noise, Prediction, Translation):
        kind.tiny().save(folder / kind.__name__.lower())
    return folder


@pytest.fixture
def verb(runs, tmp_path, monkeypatch, capsys):
    """Calls `generate` in an empty folder; returns what it said."""
    monkeypatch.chdir(tmp_path)

    def call(run: str, *options: object, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["generate", str(runs / run), "--trust", "toys", "--device", "cpu", *map(str, options)]) == code
        told = capsys.readouterr()
        return told.out if code == 0 else told.err

    return call


def frames_of(path: str) -> np.ndarray:
    return read_video(path)[0]


def test_one_video_several_and_their_grid(verb, model, tmp_path):
    told = verb("two", "--frames", 6, "--seed", 3, "--out", "one")
    assert "wrote one: 6 frames of 8x8" in told
    assert "--fix content" in told
    assert np.array_equal(frames_of("one"), videos(model, (3,), 6)[0]), "a folder of pictures keeps every pixel"
    told = verb("two", "--count", 5, "--frames", 3, "--seed", 3, "--out", "all", "--fps", 5)
    assert "wrote all (00.mp4 to 04.mp4, grid.mp4): 5 videos of 3 frames of 8x8" in told
    assert sorted(p.name for p in Path("all").iterdir()) == [*(f"{i:02d}.mp4" for i in range(5)), "grid.mp4"]
    grid, rate = read_video("all/grid.mp4")
    assert grid.shape == (3, 18, 28, 3), "two rows of three videos"
    assert rate == 5
    verb("two", "--count", 5, "--frames", 3, "--seed", 3, "--out", "grid.gif", "--columns", 5)
    assert frames_of("grid.gif").shape == (3, 8, 48, 3)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_more_videos_than_files_at_a_time(verb, monkeypatch):
    monkeypatch.setattr("videosynth.apps.from_noise.FILES", 3)
    monkeypatch.setattr("videosynth.apps.from_noise.BATCH", 2)
    told = verb("two", "--count", 7, "--out", "all", "--save-latents", "l.safetensors")
    assert "00.mp4 to 06.mp4, grid.mp4 of the first 3" in told
    assert len(list(Path("all").iterdir())) == 8
    assert load_latents("l.safetensors").latents["step"].shape == (7, 4, 4)
    assert load_latents("l.safetensors").seeds == tuple(range(7))


def test_no_video_is_made_to_learn_the_latents_names(verb, monkeypatch):
    made = []
    cell = TwoPart.cell
    monkeypatch.setattr(TwoPart, "cell", lambda self, *parts: made.append(0) or cell(self, *parts))
    verb("two", "--frames", 20, "--out", "v", "--save-latents", "l.safetensors")
    assert 20 <= len(made) < 30


def test_saved_latents_make_the_same_videos_again(verb):
    verb(
        "two", "--count", 2, "--seed", 5, "--attributes", "shade=light", "--out", "a", "--save-latents", "l.safetensors"
    )
    told = verb("two", "--latents", "l.safetensors", "--out", "b")
    assert "next: " in told
    again = verb("two", "--frames", 3, "--out", "c", "--save-latents", "k.safetensors")
    assert "two --frames 3 --latents k.safetensors --out again.mp4" in again
    for name in ("00.mp4", "01.mp4", "grid.mp4"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()
    verb("two", "--latents", "l.safetensors", "--speed", 0.5, "--out", "slow.mkv")
    assert len(frames_of("slow.mkv")) == 7


def test_parts_and_ways_through_the_verb(verb, model):
    verb("two", "--count", 2, "--fix", "motion", "--frames", 3, "--out", "f.mkv", "--attributes", "shade=dark")
    verb("two", "--count", 3, "--interpolate", 9, "--fix", "content", "--out", "way", "--seed", 2)
    assert len(list(Path("way").iterdir())) == 4
    verb("two", "--speed", 0.5, "--frames", 4, "--out", "slow")
    slow = frames_of("slow")
    assert np.array_equal(slow[0], slow[1])
    assert not np.array_equal(slow[1], slow[2])


def test_pictures_beside_the_frames(verb):
    told = verb("two", "--extras", "--out", "v.mp4")
    assert "wrote v-mask.mp4 beside" in told
    verb("two", "--extras", "--count", 2, "--out", "all")
    names = ["00-mask.mp4", "00.mp4", "01-mask.mp4", "01.mp4", "grid-mask.mp4", "grid.mp4"]
    assert sorted(p.name for p in Path("all").iterdir()) == names
    assert "makes no pictures beside its frames" in verb("noise", "--extras", code=2)


def test_videos_that_begin_with_a_picture(verb, runs):
    Image.fromarray(np.full((20, 24, 3), 90, np.uint8)).save("p.png")
    told = verb("prediction", "--first-frame", "p.png", "--frames", 3, "--out", "v")
    assert "--first-frame p.png --count 16" in told
    assert frames_of("v").shape == (3, 8, 10, 3)
    verb("prediction", "--context", "v", "--slice", "1:3", "--frames", 2, "--count", 2, "--out", "w.mkv")
    context = Clip(frames=torch.from_numpy(frames_of("v")[-1:]).permute(0, 3, 1, 2)[None])
    verb("prediction", "--context", "v", "--frames", 2, "--out", "x")
    made = videos(load(runs / "prediction", ["toys"]), (0,), 2, context=context)[0]
    assert np.array_equal(frames_of("x"), made), "what comes after the last frame"
    verb("prediction", "--context", "v", "--slice", "0:1", "--frames", 2, "--out", "y")
    assert not np.array_equal(frames_of("y"), made)
    for options, said in (
        (["--frames", 3], "pass --first-frame PICTURE or --context VIDEO"),
        (["--first-frame", "p.png"], "needs frames: pass --frames"),
        (["--frames", 3, "--first-frame", "q.png"], "q.png is missing"),
        (["--frames", 3, "--context", "nowhere"], "no video and no folder of pictures there"),
        (["--frames", 3, "--context", "v", "--slice", "8:9"], "leaves none of the 3 frames"),
        (["--frames", 3, "--context", "v", "--first-frame", "p.png"], "leave one out"),
    ):
        assert said in verb("prediction", *options, "--out", "x.mp4", code=2)
        assert not Path("x.mp4").exists()


def test_a_strip_is_no_first_frame_but_a_context(verb):
    frames = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    Image.fromarray(np.concatenate(list(frames), axis=1)).save("strip.png")
    Image.fromarray(frames[1]).save("second.png")
    told = verb("prediction", "--first-frame", "strip.png", "--frames", 2, "--out", "x", code=2)
    assert "strip.png looks like a strip of frames, not like one: pass it with --context" in told
    verb("prediction", "--first-frame", "second.png", "--frames", 2, "--out", "a")
    verb("prediction", "--context", "strip.png", "--slice", "1:2", "--frames", 2, "--out", "b")
    assert np.array_equal(frames_of("a"), frames_of("b"))
    verb("prediction", "--context", "strip.png", "--frames", 2, "--out", "c")
    assert not np.array_equal(frames_of("b"), frames_of("c"))
    Image.fromarray(np.zeros((8, 41, 3), np.uint8)).save("odd.png")
    assert "41 is no multiple of 8" in verb("prediction", "--context", "odd.png", "--frames", 2, "--out", "d", code=2)


def test_a_video_without_chance_is_made_once(tmp_path, capsys):
    VGAN(DataSpec(size=(16, 16), fps=8), VShape(width=4, conditional=True), schedule=Schedule(clip_length=4)).save(
        tmp_path / "run"
    )
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(tmp_path / "p.png")
    words = ["generate", str(tmp_path / "run"), "--first-frame", str(tmp_path / "p.png"), "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "v.mp4")]) == 0
    told = capsys.readouterr().out
    assert f"--context {tmp_path / 'v.mp4'}" in told
    assert "--count" not in told
    assert main([*words, "--count", "2", "--out", str(tmp_path / "w.mp4")]) == 2
    assert "VGAN) makes one video of a picture, without chance" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run", "options", "said"),
    [
        ("two", ["--count", 0], "--count must be 1 or more, not 0"),
        ("two", ["--frames", 0], "--frames must be 1 or more, not 0"),
        ("two", ["--maps", "world:street"], "--maps goes with models that paint maps; TwoPart makes videos from noise"),
        ("two", ["--keep", "x"], "--keep goes with models that paint maps"),
        ("two", ["--feather", "0"], "--feather goes with models that paint maps"),
        ("two", ["--relabel", "1=2"], "--relabel goes with models that paint maps"),
        ("two", ["--panels"], "--panels goes with models that paint maps"),
        ("two", ["--predictor", "x"], "--predictor goes with models that paint maps"),
        ("two", ["--style-seed", "0"], "--style-seed goes with models that paint maps"),
        ("two", ["--style-mix", "1:1"], "--style-mix goes with models that paint maps"),
        ("two", ["--style-from", "x"], "--style-from goes with models that paint maps"),
        ("two", ["--slice", "1:2"], "--slice goes with models that paint maps"),
        ("two", ["--size", "16x16"], "makes videos of its own size, 8x8"),
        ("two", ["--precision", "compiled"], "choose auto, fp32 or bf16"),
        ("two", ["--speed", "0"], "--speed must be above 0, not 0"),
        ("two", ["--speed", "101"], "the speed must be above 0 and at most 100, not 101"),
        ("two", ["--speed", "nan"], "--speed must be above 0, not nan"),
        ("two", ["--seed", "-1"], "--seed must lie in 0..2^62"),
        ("two", ["--fps", "0"], "choose a rate above 0"),
        ("two", ["--out", "x.xyz"], "a video's name ends in"),
        ("two", ["--columns", "0", "--count", "3"], "--columns must be 1 or more"),
        ("two", ["--columns", "2"], "--columns arranges several videos"),
        ("two", ["--fix", "content"], "--fix goes with several videos: pass --count 2 or more"),
        ("two", ["--interpolate", "3"], "--interpolate goes with several videos"),
        ("two", ["--interpolate", "-3", "--count", "2"], "--interpolate must lie in"),
        ("two", ["--fix", "mood", "--count", "2"], "no part 'mood' in this model; it has content, motion"),
        ("two", ["--attributes", "hue=red"], "unknown attribute 'hue'; this model knows: shade"),
        ("two", ["--attributes", "shade=grey"], "unknown shade 'grey'; choose from: dark, light"),
        ("two", ["--attributes", "shade=dark,light"], "2 values for 1 videos: pass --count 2"),
        ("two", ["--save-latents", "l.txt"], "choose a name that ends in .safetensors"),
        ("two", ["--save-latents", "l.safetensors", "--speed", "2"], "which --speed changes: leave one out"),
        ("two", ["--latents", "l.safetensors"], "l.safetensors is missing"),
        ("two", ["--latents", "l", "--fix", "content"], "--fix and --latents both say"),
        ("two", ["--first-frame", "zeros"], "zeros is missing"),
        ("noise", ["--fix", "content", "--count", "2"], "makes a video from one latent"),
        ("noise", ["--interpolate", "3", "--count", "2"], "has no latents"),
        ("noise", ["--save-latents", "l.safetensors"], "has no latents"),
        ("noise", ["--speed", "2"], "has no motion path whose speed could be changed"),
        (
            "translation",
            ["--count", "3"],
            "--count goes with models that make videos from noise, which Translation is not",
        ),
        ("translation", ["--latents", "l.safetensors"], "--latents goes with models that make videos from noise"),
        ("translation", ["--interpolate", "0"], "--interpolate goes with models that make videos from noise"),
    ],
)
def test_what_does_not_go_is_refused_in_one_line(verb, tmp_path, run, options, said):
    told = verb(run, "--out", "new/v.mp4", *options, code=2)
    lines = [line for line in told.splitlines() if "of memory beside torch itself" not in line]
    assert len(lines) == 1
    assert said in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_a_fixed_length_is_not_exceeded(model, runs, verb, monkeypatch):
    monkeypatch.setattr(TwoPart, "longest", 4)
    assert "makes 4 frames at most, not 5" in verb("two", "--frames", 5, code=2)
    verb("two", "--frames", 4, "--count", 2, "--fix", "motion", "--out", "v.mp4")


def test_a_fault_in_the_middle_leaves_nothing(verb, monkeypatch, tmp_path):
    usual = TwoPart.cell

    def failing(self, content, step, shade):
        if float(step.sum()) == float(TwoPart.drawn(self, Request(seeds=tuple(range(len(step)))), 2).sum()):
            raise UserError("it broke")
        return usual(self, content, step, shade)

    monkeypatch.setattr(TwoPart, "cell", failing)
    assert "it broke" in verb("two", "--count", 3, "--out", "new/all", "--save-latents", "l.safetensors", code=2)
    assert list(tmp_path.iterdir()) == []


# around a training


def test_samples_are_a_grid_of_seeds(model):
    assert from_noise(model)
    assert not from_noise(Translation.tiny())
    assert first_clip(model, None, 5) is None
    frames = sample(model, None, 5)
    assert len(frames) == 5
    assert frames[0].shape == (18, 4 * 10 - 2, 3)
    shades = tuple(("dark", "light")[i % 2] for i in range(SHOWN))
    assert np.array_equal(frames[2][:8, :8], videos(model, range(SHOWN), 5, {"shade": shades})[0, 2])


def test_samples_of_a_given_frame_stand_beside_the_real_video():
    model = Prediction.tiny().eval()
    clip = random_clip(model.spec, 2, 5)
    frames = sample(model, clip, 5)
    assert len(frames) == 4
    real = clip.frames[0, 1].permute(1, 2, 0).numpy()
    assert np.array_equal(frames[0][-8:, -10:], real)


def test_samples_that_begin_with_the_given_frame_stand_beside_it():
    class Continuation(Prediction):
        first_is_given = True

        def rollout(self, last, count):
            yield last
            yield from super().rollout(last, count - 1)

    model = Continuation.tiny().eval()
    clip = random_clip(model.spec, 2, 5)
    frames = sample(model, clip, 5)
    assert len(frames) == 5
    for t, frame in enumerate(frames):
        assert np.array_equal(frame[-8:, -10:], clip.frames[0, t].permute(1, 2, 0).numpy())
    given = frames[0][-8:, :10]
    assert np.array_equal(frames[0][-8:, -10:], given), "the first real frame is the given one"


def test_weights_of_3d_convolutions_have_their_channels_last_too():
    model = torch.nn.Sequential(torch.nn.Conv3d(4, 6, 3), torch.nn.Conv2d(4, 6, 3), torch.nn.Linear(3, 3))
    before = [p.detach().clone() for p in model.parameters()]
    channels_last(model)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert model[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_example_specs_have_what_a_model_can_use():
    spec = example_of(Noise, (8, 8), {"generator": {"attribute": "mood"}})
    assert spec.maps == ()
    assert list(spec.attributes) == ["mood"]
    assert list(example_of(TwoPart, (8, 8), {}).attributes) == ["action"]
    assert len(example_of(Translation, (8, 8), {}).maps) == 2
    assert build("vid2vid/street_small", device="meta", size=(64, 64)).spec.size == (64, 64)


def test_a_training_on_videos_without_maps(tmp_path, capsys):
    for t in range(5):
        path = tmp_path / "data" / "images" / "s" / f"{t}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 40 * t, np.uint8)).save(path)
    run = tmp_path / "run"
    words = ["train", "--model", "toys.Noise", "--data.root", tmp_path / "data", "--data.size", "[8, 8]", "--out", run]
    words += ["--data.workers", "0", "--data.flow", "none", "--run.progress", "false", "--trainer.accelerator", "cpu"]
    assert main([str(w) for w in words]) == 0
    told = capsys.readouterr().out
    assert f"next: videosynth generate {run} --count 16 --out samples" in told
    assert (run / "samples" / "step_000050.mp4").is_file()
    out = tmp_path / "samples"
    assert main(["generate", str(run), "--trust", "toys", "--count", "16", "--out", str(out), "--device", "cpu"]) == 0
    assert len(list(out.iterdir())) == 17


def test_the_class_goes_with_the_motion(tmp_path):
    """Content of a video that was asked for as one class, motion of another's: the class is the motion's."""
    kind = model_class("mocogan")
    made = kind.tiny().eval()
    for name, seed, action in (("a", 1, "left"), ("b", 2, "right")):
        found = collect(made, Request(seeds=(seed,), frames=5, attributes={"action": action}))
        save_latents(tmp_path / f"{name}.safetensors", found, made, (seed,), {"action": (action,)})
    words = (f"{tmp_path}/a.safetensors:content", f"{tmp_path}/b.safetensors:motion")
    plan = exchanged(made, Plan((0,)), words, None, None)
    assert plan.attributes == {}
    assert plan.latents["category"].tolist() == [[0.0, 1.0]]
