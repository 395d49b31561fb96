"""Optical-flow teachers behind one protocol.

Flow is backward, in pixels, x then y: the previous frame sampled at ``x + flow(x)`` looks like the current one.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np


class FlowTeacher(Protocol):
    """Tells how the previous picture moves into the current one. Teachers can be pickled and are deterministic."""

    name: str  # names the method and its settings; part of the keys of stored flow

    def __call__(self, current: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures uint8 RGB ``H W 3``; gives flow float32 ``2 H W`` and confidence float32 ``1 H W`` in [0, 1]."""
        ...
