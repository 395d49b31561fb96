"""Networks that only judge: teachers, feature trunks, extractors."""

from __future__ import annotations

from typing import Any, Self

from torch import nn


class Frozen(nn.Module):
    """Wraps a network whose weights never change; ``forward`` is the network's own unless a subclass says otherwise.

    Always in evaluation mode. Its weights become buffers that are not saved, so it has no parameters (no optimizer can
    hold it), its ``state_dict`` is empty and loading expects nothing of it; it still follows ``.to(...)``.
    Gradients flow through it to its input. Load the network's weights *before* wrapping it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for module in network.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, weight.detach(), persistent=False)
            # Buffers that were there before (running statistics) leave the state as well.
            module._non_persistent_buffers_set.update(module._buffers)
        self.network = network
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, whatever the model around it does."""
        return super().train(False)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.network(*args, **kwargs)
