"""VIBE's video half: features in, SMPL parameters out, the memory an argument and a result.

Legend: T time, P people, F feature size, L layers, H hidden size.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from realtime_vibe.models.feedback_regressor import FeedbackRegressor
from realtime_vibe.models.mirror import LANDMARK_FEATURES, Mirror
from realtime_vibe.models.regressor import Regressor, RegressorOutput
from realtime_vibe.models.temporal_encoder import TemporalEncoder

_LARGEST = 6.0
"""Of a standardised feature."""


class LandmarkEmbedding(nn.Module):
    """Standardises, clips and lifts landmark features, as they are and as a mirror shows them.

    Clipping keeps one outlier (a tracker glitch) from throwing the recurrent state far from
    anything seen in training.

    Args:
        mean: (F,) mean of each raw feature over the training data.
        std: (F,) standard deviation, floored by the caller.
        embedded_size: E, width of each of both.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, embedded_size: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.mirror = Mirror(LANDMARK_FEATURES)
        self.fc1 = nn.Linear(mean.shape[0], embedded_size)
        self.fc2 = nn.Linear(embedded_size, embedded_size)

    def forward(self, features: Tensor) -> Tensor:
        """(..., F) to (..., 2 E)."""
        both = self.mirror.both(features)
        standard = torch.clamp((both - self.mean) / self.std, -_LARGEST, _LARGEST)
        return functional.relu(self.fc2(functional.relu(self.fc1(standard)))).flatten(-2)


class MotionOutput(NamedTuple):
    """Parameters of each frame and the state to carry on with."""

    params: RegressorOutput
    """Leading shape (T, P) from `forward`, (P,) from `step`."""
    hidden: Tensor
    """(L, P, H)."""


class RecurrentNetwork(nn.Module):
    """Embedding that fits raw features to the encoder, the GRU, and whatever regresses parameters from what it says."""

    def __init__(self, embedding: nn.Module, encoder: TemporalEncoder) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder

    def initial_hidden(self, num_people: int) -> Tensor:
        """Zeros (L, P, H)."""
        return self.encoder.initial_hidden(num_people)

    def forward(self, features: Tensor, hidden: Tensor) -> MotionOutput:
        """Runs a whole sequence: (T, P, F), (L, P, H)."""
        encoded, hidden = self.encoder(self.embedding(features), hidden)
        return MotionOutput(self.regressed(encoded, features), hidden)

    def step(self, features: Tensor, hidden: Tensor) -> MotionOutput:
        """Runs one frame: (P, F), (L, P, H); equal to `forward` frame by frame."""
        encoded, hidden = self.encoder.step(self.embedding(features), hidden)
        return MotionOutput(self.regressed(encoded, features), hidden)

    @abstractmethod
    def regressed(self, encoded: Tensor, features: Tensor) -> RegressorOutput:
        """Parameters of each frame, from the encoder's (..., E) and, where they are used, raw features (..., F)."""


class MotionNetwork(RecurrentNetwork):
    """The paper's: features go to the encoder as they are, and the regressor sees what it says and nothing else."""

    def __init__(self, encoder: TemporalEncoder, regressor: Regressor) -> None:
        super().__init__(nn.Identity(), encoder)
        self.regressor = regressor

    def regressed(self, encoded: Tensor, features: Tensor) -> RegressorOutput:
        """See the base."""
        del features
        params: RegressorOutput = self.regressor(encoded)
        return params


class LandmarkMotionNetwork(RecurrentNetwork):
    """The embedded engine's: a regressor that corrects where the landmarks project."""

    embedding: LandmarkEmbedding

    def __init__(
        self, embedding: LandmarkEmbedding, encoder: TemporalEncoder, regressor: FeedbackRegressor
    ) -> None:
        super().__init__(embedding, encoder)
        self.regressor = regressor

    def regressed(self, encoded: Tensor, features: Tensor) -> RegressorOutput:
        """See the base."""
        params: RegressorOutput = self.regressor(encoded, features)
        return params
