"""From raw landmark features to the feature vector f(I_t) that the temporal encoder reads."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from realtime_vibe.models.mirror import LANDMARK_FEATURES, Mirror


class LandmarkEmbedding(nn.Module):
    """Standardises, clips and lifts landmark features, as they are and as a mirror shows them.

    Clipping keeps one outlier (a tracker glitch) from throwing the recurrent state far from
    anything seen in training.

    Args:
        mean: (F,) mean of each raw feature over the training data.
        std: (F,) standard deviation, floored by the caller.
        embedded_size: E, width of each of both.
        clip: largest standardised magnitude.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, embedded_size: int, clip: float = 6.0) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.clip = clip
        self.mirror = Mirror(LANDMARK_FEATURES)
        self.fc1 = nn.Linear(mean.shape[0], embedded_size)
        self.fc2 = nn.Linear(embedded_size, embedded_size)

    def forward(self, features: Tensor) -> Tensor:
        """(..., F) to (..., 2 E)."""
        both = self.mirror.both(features)
        standard = torch.clamp((both - self.mean) / self.std, -self.clip, self.clip)
        return functional.relu(self.fc2(functional.relu(self.fc1(standard)))).flatten(-2)
