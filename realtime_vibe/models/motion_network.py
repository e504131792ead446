"""VIBE's video half: features in, SMPL parameters out, the memory an argument and a result.

`MotionNetwork` is the paper's. `LandmarkMotionNetwork` is the embedded engine's: its regressor also looks
at the raw landmarks.

Legend: T time, P people, F feature size, L layers, H hidden size.
"""

from typing import NamedTuple

from torch import Tensor, nn

from realtime_vibe.models.feedback_regressor import FeedbackRegressor
from realtime_vibe.models.landmark_embedding import LandmarkEmbedding
from realtime_vibe.models.regressor import Regressor, RegressorOutput
from realtime_vibe.models.temporal_encoder import TemporalEncoder


class MotionOutput(NamedTuple):
    """Parameters of each frame and the state to carry on with."""

    params: RegressorOutput
    """Leading shape (T, P) from `forward`, (P,) from `step`."""
    hidden: Tensor
    """(L, P, H)."""


class MotionNetwork(nn.Module):
    """Temporal encoder and regressor, after an embedding that fits raw features to the encoder.

    Args:
        encoder: the GRU.
        regressor: parameters from its output.
        embedding: from the engine's per-frame features to the encoder's; None passes them on, as the
            ResNet-50 engine does.
    """

    def __init__(
        self, encoder: TemporalEncoder, regressor: Regressor, embedding: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.embedding = nn.Identity() if embedding is None else embedding
        self.encoder = encoder
        self.regressor = regressor

    def initial_hidden(self, num_people: int) -> Tensor:
        """Zeros (L, P, H)."""
        return self.encoder.initial_hidden(num_people)

    def forward(self, features: Tensor, hidden: Tensor) -> MotionOutput:
        """Runs a whole sequence: (T, P, F), (L, P, H)."""
        encoded, hidden = self.encoder(self.embedding(features), hidden)
        return MotionOutput(self.regressor(encoded), hidden)

    def step(self, features: Tensor, hidden: Tensor) -> MotionOutput:
        """Runs one frame: (P, F), (L, P, H); equal to `forward` frame by frame."""
        encoded, hidden = self.encoder.step(self.embedding(features), hidden)
        return MotionOutput(self.regressor(encoded), hidden)


class LandmarkMotionNetwork(nn.Module):
    """Landmark features in, parameters out, by embedding, temporal encoder and feedback regressor.

    Args:
        embedding: from raw landmark features to the encoder's.
        encoder: the GRU.
        regressor: corrects parameters until their landmarks project where they were seen.
    """

    def __init__(
        self,
        embedding: LandmarkEmbedding,
        encoder: TemporalEncoder,
        regressor: FeedbackRegressor,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.regressor = regressor

    def initial_hidden(self, num_people: int) -> Tensor:
        """Zeros (L, P, H)."""
        return self.encoder.initial_hidden(num_people)

    def forward(self, features: Tensor, hidden: Tensor) -> MotionOutput:
        """Runs a whole sequence: (T, P, F), (L, P, H)."""
        encoded, hidden = self.encoder(self.embedding(features), hidden)
        return MotionOutput(self.regressor(encoded, features), hidden)

    def step(self, features: Tensor, hidden: Tensor) -> MotionOutput:
        """Runs one frame: (P, F), (L, P, H); equal to `forward` frame by frame."""
        encoded, hidden = self.encoder.step(self.embedding(features), hidden)
        return MotionOutput(self.regressor(encoded, features), hidden)
