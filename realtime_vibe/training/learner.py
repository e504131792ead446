"""An optimizer with what belongs to it: clipped gradients, scaled losses, a rate that rises and falls, averaged weights."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

PrecisionName = Literal["auto", "fp32"]

_FINAL_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What networks compute in; body and losses always stay in 32 bits."""

    device: torch.device
    dtype: torch.dtype = torch.float32

    @classmethod
    def chosen(cls, device: torch.device, name: PrecisionName) -> "Precision":
        """Mixed on CUDA by default.

        float16 and not bfloat16: autocast runs cuDNN's GRU in float16 whichever is asked for, and
        bfloat16 training would go without the loss scaling that this needs.
        """
        if device.type != "cuda" or name == "fp32":
            return cls(device=device)
        return cls(device=device, dtype=torch.float16)

    def autocast(self) -> AbstractContextManager[Any]:
        """Context for a network's forward pass."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32)

    def scaler(self) -> torch.amp.GradScaler:
        """Keeps small gradients above float16's smallest number; does nothing for other types."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)


class Learner:
    """Turns a loss into one step of some parameters.

    Args:
        max_gradient_norm: longer gradients are shortened; None leaves them.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        optimizer: torch.optim.Optimizer,
        precision: Precision,
        max_gradient_norm: float | None = 1.0,
    ) -> None:
        self.parameters = list(parameters)
        self.precision = precision
        self._optimizer = optimizer
        self._scaler = precision.scaler()
        self._max_gradient_norm = max_gradient_norm
        self._full_rates = [group["lr"] for group in optimizer.param_groups]

    def set_rate(self, share: float) -> None:
        """Sets the learning rate as a share of the one the optimizer was made with."""
        for group, rate in zip(self._optimizer.param_groups, self._full_rates, strict=True):
            group["lr"] = rate * share

    def descend(self, loss: Tensor) -> None:
        """One step; parameters the loss does not depend on stay as they are."""
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        if self._max_gradient_norm is not None:
            self._scaler.unscale_(self._optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters, self._max_gradient_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """State of optimizer and scaler."""
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])


def rate_share(step: int, num_steps: int, warmup_steps: int) -> float:
    """Part of the full learning rate: a linear rise over the warm-up, then a half cosine down to one hundredth."""
    warm = min(1.0, (step + 1) / max(1, warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, num_steps))))
    return warm * (_FINAL_SHARE + (1 - _FINAL_SHARE) * cosine)


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

    def state_dict(self) -> dict[str, Any]:
        """Average and number of updates."""
        return {"num_updates": self._num_updates, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        self._num_updates = state["num_updates"]
        for name, value in state["values"].items():
            self.values[name].copy_(value)
