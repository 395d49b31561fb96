"""Shared by all tests: one thread, where the sample data lies, and no stray caches."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)  # tiny tensors: a second thread only costs


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("VIDEOSYNTH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of sample data sets (``$VIDEOSYNTH_DATA`` or ``../shared/data``); tests that need it skip without."""
    root = Path(os.environ.get("VIDEOSYNTH_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()
    if not root.is_dir():
        pytest.skip("no sample data here (set VIDEOSYNTH_DATA)")
    return root
