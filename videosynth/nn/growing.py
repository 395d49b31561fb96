"""Networks that grow from coarse to fine while they train."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ActiveScales(nn.Module):
    """How many scales of a network are in use, the coarsest first; saved with the weights, so that a run that was stopped
    before the finest scale is used as far as it was trained.

    ``reduction``: how much smaller the frames are that the scales in use were trained on.
    """

    trained: Tensor

    def __init__(self, scales: int) -> None:
        super().__init__()
        self.total = scales
        self.count = scales  # beside the tensor, so that nobody waits for a device to read it
        self.register_buffer("trained", torch.tensor(scales))
        self.register_load_state_dict_post_hook(_follow)

    @property
    def reduction(self) -> int:
        return 2 ** (self.total - self.count)

    def use(self, scales: int) -> None:
        self.count = scales
        self.trained.fill_(scales)


def _follow(module: nn.Module, _: Any) -> None:
    if isinstance(module, ActiveScales) and not module.trained.is_meta:
        module.count = int(module.trained)
