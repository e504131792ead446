"""The GRU over per-frame features (Kocabas et al. 2020, sec. 3.1), as a function of its state.

Legend: T time, P people, F feature size, L layers, H hidden size. The encoder is unidirectional, so
running it frame by frame with the state carried equals running the whole sequence.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from realtime_vibe.models.precision import linear


class TemporalEncoder(nn.Module):
    """GRU, then ReLU and a linear layer back to F, then the input added.

    Args:
        retention: largest share of the old state that an update gate keeps. Below 1 whatever happened
            long ago fades, so that a stream of hours ends where a fresh one does; the paper's is 1.
        sides: views of every person that are encoded with the same weights and know nothing of each
            other; features and state hold them one after the other in their last axis, which is
            `sides` times F or H.
    """

    def __init__(
        self,
        feature_size: int = 2048,
        hidden_size: int = 1024,
        num_layers: int = 2,
        *,
        retention: float = 1.0,
        sides: int = 1,
    ) -> None:
        super().__init__()
        self.retention = retention
        self.sides = sides
        self.gru = nn.GRU(feature_size, hidden_size, num_layers)
        self.linear = nn.Linear(hidden_size, feature_size)

    def initial_hidden(self, num_people: int) -> Tensor:
        """Zeros (L, P, H): the state before the first frame."""
        weight = next(self.gru.parameters())
        size = self.sides * self.gru.hidden_size
        return weight.new_zeros(self.gru.num_layers, num_people, size)

    def forward(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Runs a sequence of features (T, P, F) from a hidden state (L, P, H).

        Gives features (T, P, F) that know the past, and the state (L, P, H) after the last frame.
        """
        features, hidden = self._apart(features), self._apart(hidden)
        if self.retention == 1.0:
            recurrent, hidden = self.gru(features, hidden)
        else:
            recurrent, hidden = self._fading(features, hidden)
        return self._together(self._head(recurrent, features)), self._together(hidden)

    def step(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Runs one frame, (P, F) and (L, P, H) in and out, spelled out as matrix products.

        Exporters turn `nn.GRU` into a loop node that TensorRT runs slowly and that old exporters got
        wrong; plain products export the same everywhere. Equal to `forward` on one frame.
        """
        features, hidden = self._apart(features), self._apart(hidden)
        hidden = self._stepped(features, hidden)
        return self._together(self._head(hidden[-1], features)), self._together(hidden)

    def next_hidden(self, features: Tensor, hidden: Tensor) -> Tensor:
        """The recurrent part of `step` alone: (P, F) and (L, P, H) to (L, P, H)."""
        return self._together(self._stepped(self._apart(features), self._apart(hidden)))

    def _apart(self, x: Tensor) -> Tensor:
        """Sides become people of their own: (..., P, sides * X) to (..., P * sides, X)."""
        if self.sides == 1:
            return x
        apart: Tensor = x.unflatten(-1, (self.sides, -1)).flatten(-3, -2)
        return apart

    def _together(self, x: Tensor) -> Tensor:
        """Undoes `_apart`."""
        if self.sides == 1:
            return x
        together: Tensor = x.unflatten(-2, (-1, self.sides)).flatten(-2)
        return together

    def _stepped(self, features: Tensor, hidden: Tensor) -> Tensor:
        current = features
        states = []
        for layer in range(self.gru.num_layers):
            gate_input = linear(current, *self._weights(layer, "ih"))
            current = self._cell(layer, gate_input, hidden[layer])
            states.append(current)
        return torch.stack(states)

    def _fading(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The recurrent part of a sequence with update gates that `nn.GRU` does not have."""
        current = features
        last = []
        for layer in range(self.gru.num_layers):
            gate_inputs = linear(current, *self._weights(layer, "ih"))
            h = hidden[layer]
            states = []
            for gate_input in gate_inputs:
                h = self._cell(layer, gate_input, h)
                states.append(h)
            current = torch.stack(states)
            last.append(h)
        return current, torch.stack(last)

    def _cell(self, layer: int, gate_input: Tensor, h: Tensor) -> Tensor:
        """One GRU cell: gates r (reset), z (update), n (new), in PyTorch's order."""
        gate_hidden = linear(h, *self._weights(layer, "hh"))
        size = self.gru.hidden_size
        both = torch.sigmoid(gate_input[..., : 2 * size] + gate_hidden[..., : 2 * size])
        reset, update = both[..., :size], both[..., size:]
        if self.retention != 1.0:
            update = self.retention * update
        new = torch.tanh(gate_input[..., 2 * size :] + reset * gate_hidden[..., 2 * size :])
        return new + update * (h - new)

    def _weights(self, layer: int, kind: str) -> tuple[Tensor, Tensor]:
        weight: Tensor = getattr(self.gru, f"weight_{kind}_l{layer}")
        bias: Tensor = getattr(self.gru, f"bias_{kind}_l{layer}")
        return weight, bias

    def _head(self, recurrent: Tensor, features: Tensor) -> Tensor:
        recurrent = functional.relu(recurrent)
        return linear(recurrent, self.linear.weight, self.linear.bias) + features
