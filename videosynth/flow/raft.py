"""RAFT (Teed and Deng 2020) as a flow teacher, where torchvision is installed: more accurate than DIS, and slower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from videosynth.flow.confidence import check_pair, forward_backward
from videosynth.types import UserError


class RAFT:
    """torchvision's ``raft_large`` with weights from a file (its ``state_dict``, as torchvision offers for download).

    ``threshold`` in pixels is that of the forward-backward check. Missing torchvision or weights: UserError, raised
    when the teacher is made. The network is loaded at first use, in the process that uses it.
    """

    def __init__(self, weights: Path | str, threshold: float = 1.0, device: str = "cpu") -> None:
        try:
            import torchvision.models.optical_flow  # noqa: F401  # pyright: ignore[reportMissingImports]
        except (ImportError, RuntimeError):  # an installation that does not fit torch raises RuntimeError
            raise UserError("RAFT needs torchvision: pip install torchvision, or use the DIS flow teacher") from None
        self.weights = Path(weights)
        if not self.weights.is_file():
            raise UserError(f"RAFT's weights {self.weights} are missing: name a file of raft_large weights, or use DIS")
        self.threshold = threshold
        self.device = device
        self.name = f"raft-{threshold:g}"
        self._network: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_network": None}

    def __call__(self, current: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_pair(current, previous)
        height, width = current.shape[:2]
        # RAFT wants multiples of 8 and at least 128 pixels (its coarsest correlation level must not vanish).
        pad = (0, max(128, -(-width // 8) * 8) - width, 0, max(128, -(-height // 8) * 8) - height)
        pair = torch.from_numpy(np.stack([current, previous])).permute(0, 3, 1, 2).float().to(self.device) / 127.5 - 1
        pair = functional.pad(pair, pad, mode="replicate")
        with torch.no_grad():
            # Both directions as one batch: (current, previous) and (previous, current).
            flows = self._loaded()(pair, pair.flip(0))[-1][:, :, :height, :width].float().cpu().numpy()
        return flows[0], forward_backward(flows[0], flows[1], self.threshold)

    def _loaded(self) -> Any:
        if self._network is None:
            from torchvision.models.optical_flow import raft_large  # pyright: ignore[reportMissingImports]

            network = raft_large(weights=None)
            try:
                network.load_state_dict(torch.load(self.weights, map_location="cpu", weights_only=True))
            except Exception as error:  # whatever a foreign file provokes, the remedy is the same
                raise UserError(f"{self.weights} does not hold raft_large weights: download them again") from error
            self._network = network.eval().to(self.device)
        return self._network
