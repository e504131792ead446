"""The released video half with everything after the GRU as one affine map: the same function, a third less to read.

A frame of one person multiplies every weight once, so its time is the time to read the weights. The released
regressor has no activations and its input is linear in the GRU's output: the encoder's linear layer, the
residual and all three iterations become two matrices of 157 rows, 0.5 million weights for 5.6 million.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from realtime_vibe.models.motion_network import MotionNetwork, MotionOutput
from realtime_vibe.models.precision import linear
from realtime_vibe.models.regressor import parameters


class CollapsedMotionNetwork(nn.Module):
    """Runs one frame like `MotionNetwork.step`; cannot be trained."""

    def __init__(self, network: MotionNetwork) -> None:
        super().__init__()
        encoder = network.encoder
        of_features, bias = network.regressor.as_affine()
        with torch.no_grad():
            of_hidden = of_features @ encoder.linear.weight.double()
            bias = bias + of_features @ encoder.linear.bias.double()
        self.encoder = encoder
        self.of_hidden = _linear(of_hidden, bias)
        self.of_features = _linear(of_features, None)

    def step(self, features: Tensor, hidden: Tensor) -> MotionOutput:
        """Runs one frame: (P, F), (L, P, H)."""
        hidden = self.encoder.next_hidden(features, hidden)
        recurrent = functional.relu(hidden[-1])
        estimate = linear(recurrent, self.of_hidden.weight, self.of_hidden.bias)
        estimate = estimate + linear(features, self.of_features.weight)
        return MotionOutput(parameters(estimate), hidden)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer
