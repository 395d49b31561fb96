"""The default flow teacher: dense inverse search (Kroeger et al. 2016) as in OpenCV. Needs no weights."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from videosynth.flow.confidence import check_pair, forward_backward


class DIS:
    """Dense inverse search in both directions; confidence 1 where the two agree within ``threshold`` pixels, else 0.

    ``finest`` is the pyramid level at which the search ends, 0 for full resolution. OpenCV's own presets (None) stop at
    half or quarter resolution, which blurs small pictures over moving edges; published warping errors use them.
    """

    def __init__(self, threshold: float = 1.0, finest: int | None = 0) -> None:
        self.threshold, self.finest = threshold, finest
        level = {0: "", None: "-preset"}.get(finest, f"-level{finest}")
        self.name = f"dis-{threshold:g}{level}"
        self._solver: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_solver": None}  # OpenCV's objects cannot be pickled

    def __call__(self, current: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_pair(current, previous)
        now, before = (cv2.cvtColor(np.ascontiguousarray(p), cv2.COLOR_RGB2GRAY) for p in (current, previous))
        backward = self._flow(now, before)
        forward = self._flow(before, now)
        return backward, forward_backward(backward, forward, self.threshold)

    def _flow(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        if self._solver is None:
            self._solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            if self.finest is not None:
                self._solver.setFinestScale(self.finest)
        flow = self._solver.calc(source, target, None)
        return np.ascontiguousarray(flow.transpose(2, 0, 1), dtype=np.float32)
