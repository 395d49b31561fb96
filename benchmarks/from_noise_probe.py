"""What a critic has learnt of people's actions: a linear probe on its frozen trunk, trained against random weights.

A clip's features: the trunk's last map, averaged over time and pooled to 2x2. A logistic regression on standardised
features reads the action from them; its penalty is chosen on the training persons only, whole persons held out.

The critic was trained on all persons but one, without being told any action. So the probe on that one person is on a person
whom neither critic nor probe has seen; in leave-one-person-out over all, the critic has seen six of the seven persons'
videos (unlabelled), also where they are held out from the probe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from from_noise_data import PERSON
from from_noise_runs import Place, newest, open_run, print_table, report, trained
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.modules.batchnorm import _BatchNorm

from videosynth.data.collections import read_videos
from videosynth.engine.checkpoint import read_checkpoint
from videosynth.files import read_json
from videosynth.models.base import VideoModel, rebuild
from videosynth.types import DataSpec

STRENGTHS = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]  # C of the logistic regression
SEEDS = (0, 1, 2)  # of the random critics
BATCH = 16


def probe(place: Place, out: Path) -> None:
    rows = trained(place, ["tgan-actions", "vgan-actions"])
    if not rows:
        return
    told = {row: report(out / f"probe-{row}.json", place, [row], partial(_probed, place, row)) for row in rows}
    lines = [
        [row, kind, found["frames"], found["clips"], f["unseen"], f["mean"], f["std"], f.get("ahead", "-")]
        for row, found in told.items()
        for kind, f in found["critics"].items()
    ]
    head = ["row", "critic", "frames", "clips", "person unseen by all", "one person out: mean", "std over persons"]
    head += ["persons ahead / equal / behind"]
    print_table(
        newest(told.values()),
        "Accuracy of a linear probe for 4 actions on frozen critics (of random ones the mean of 3)",
        head,
        lines,
    )
    print(
        "\nThe critics were trained on six of the seven persons, without any label: in the mean over persons they have seen "
        "six of those held out from the probe, in the column before it nobody has seen the person."
    )


def _probed(place: Place, row: str) -> dict[str, Any]:
    model, step = open_run(place.run(row))
    frames, labels, persons = _clips(place, model, step)
    counts = np.bincount(labels)
    found = {"frames": int(frames.shape[1]), "clips": len(frames), "largest_class": float(counts.max() / counts.sum())}
    model.load_state_dict(read_checkpoint(place.run(row) / "last.ckpt")["model"])
    critics = {"trained": accuracies(trunk_features(model, frames), labels, persons)}
    each = [accuracies(trunk_features(m, frames), labels, persons) for m in _random(model, frames)]
    critics["random"] = {name: float(np.mean([e[name] for e in each])) for name in ("unseen", "mean", "std")}
    signs = [
        np.sign(round(right - float(np.mean([e["persons"][person] for e in each])), 9))
        for person, right in critics["trained"]["persons"].items()
    ]
    critics["trained"]["ahead"] = " / ".join(str(signs.count(sign)) for sign in (1, 0, -1))
    return found | {"critics": critics, "random": each}


def _clips(place: Place, model: VideoModel, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clips of all persons ``N T H W 3``, their actions' ids and their persons."""
    folders = [place.clips(name) for name in ("actions", "actions_test")]
    told = [v for folder in folders for v in read_json(folder / "labels.json")["videos"]]
    known = {name: tuple(sorted({str(v[name]) for v in told})) for name in ("action", "person")}
    spec: DataSpec = replace(model.spec, maps=(), attributes=known)
    length = model.phase_at(0).clip_length
    found = [item for folder in folders for item in read_videos(folder, spec, length, step)]
    actions, persons = (np.array([ids[name] for _, _, ids in found]) for name in ("action", "person"))
    return np.stack([c for _, c, _ in found]), actions, np.array([int(known["person"][k]) for k in persons])


def _random(model: VideoModel, frames: np.ndarray) -> Iterator[VideoModel]:
    """The same architecture as it begins; batch norms, where there are some, have the statistics of all clips."""
    for seed in SEEDS:
        torch.manual_seed(seed)
        fresh = type(model)(spec=model.spec, **rebuild(type(model), model.arguments))
        for norm in (m for m in fresh.modules() if isinstance(m, _BatchNorm)):
            norm.momentum = None  # the mean over all batches: one pass would not bring a running one there
        fresh.train()
        trunk_features(fresh, frames)
        yield fresh.eval()


@torch.no_grad()
def trunk_features(model: VideoModel, frames: np.ndarray) -> np.ndarray:
    """``N F`` of clips uint8 ``N T H W 3``."""
    critic: Any = model.get_submodule("critic")
    made = []
    for start in range(0, len(frames), BATCH):
        clips = torch.from_numpy(frames[start : start + BATCH]).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
        made.append(F.adaptive_avg_pool2d(critic.trunk(clips - critic.centre).mean(dim=2), 2).flatten(1))
    return torch.cat(made).double().numpy()


def accuracies(features: np.ndarray, labels: np.ndarray, persons: np.ndarray) -> dict[str, Any]:
    """Of the probe on each person in turn, and on the one whom the critic has not seen."""
    each: dict[str, float] = {}
    for person in np.unique(persons):
        learn = persons != person
        folds = GroupKFold(min(6, len(np.unique(persons[learn]))))
        line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        search: Any = GridSearchCV(line, {"logisticregression__C": STRENGTHS}, cv=folds)
        search.fit(features[learn], labels[learn], groups=persons[learn])
        each[str(person)] = float(search.score(features[~learn], labels[~learn]))
    values = list(each.values())
    return {
        "unseen": each.get(str(PERSON), float("nan")),
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
        "persons": each,
    }
