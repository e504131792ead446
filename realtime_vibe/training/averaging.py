"""Exponential moving average of a network's weights: steadier than the last step's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class AveragedWeights:
    """Follows a network step by step.

    Early on the average follows quickly (decay (1 + n) / (10 + n) after n steps), so that the random
    start is soon forgotten.

    Args:
        decay: share of the old average kept in each step, once it has warmed up.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._num_updates = 0
        self.values = {name: value.detach().clone() for name, value in network.state_dict().items()}
        """The averaged state dict."""

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Takes one step's weights in."""
        self._num_updates += 1
        decay = min(self._decay, (1 + self._num_updates) / (10 + self._num_updates))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)

    @contextmanager
    def in_place_of(self, network: nn.Module) -> Iterator[None]:
        """Puts the average into the network for a while."""
        raw = {name: value.clone() for name, value in network.state_dict().items()}
        network.load_state_dict(self.values)
        try:
            yield
        finally:
            network.load_state_dict(raw)

    def state_dict(self) -> dict[str, Any]:
        """Average and number of updates."""
        return {"num_updates": self._num_updates, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        self._num_updates = state["num_updates"]
        for name, value in state["values"].items():
            self.values[name].copy_(value)
