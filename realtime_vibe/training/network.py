"""Builds the embedded engine's network and stores it with what is needed to build it again."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from realtime_vibe.errors import DatasetError
from realtime_vibe.models.feedback_regressor import FeedbackRegressor
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, SkeletonArrays
from realtime_vibe.models.mirror import SIDES
from realtime_vibe.models.motion_network import LandmarkEmbedding, LandmarkMotionNetwork
from realtime_vibe.models.regressor import CAMERA_SIZE, POSE_SIZE, SHAPE_SIZE, MeanParams
from realtime_vibe.models.temporal_encoder import TemporalEncoder
from realtime_vibe.models.torch_file import load_torch, save_torch
from realtime_vibe.system.file_boundary import file_boundary

_CHECKPOINT_KEYS = {"size", "state_dict", "provenance"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSize:
    """Widths of the landmark network."""

    embedded: int = 256
    hidden: int = 256
    layers: int = 2
    regressor: int = 384
    iterations: int = 3
    retention: float = 0.99
    """Largest share of the old state a frame keeps; see `TemporalEncoder`."""
    dropout: float = 0.0


class FeatureStatistics(NamedTuple):
    """Of the raw features, over training batches."""

    mean: Tensor
    """(F,)."""
    std: Tensor
    """(F,)."""


def build_network(
    size: NetworkSize,
    statistics: FeatureStatistics,
    mean_params: MeanParams,
    skeleton: SkeletonArrays,
) -> LandmarkMotionNetwork:
    """A new network with random weights, for the raw features' statistics and the body that the engine carries."""
    encoder = TemporalEncoder(
        size.embedded, size.hidden, size.layers, retention=size.retention, sides=SIDES
    )
    # The recurrent branch starts silent: the network first learns each frame, then its past.
    torch.nn.init.zeros_(encoder.linear.weight)
    torch.nn.init.zeros_(encoder.linear.bias)
    regressor = FeedbackRegressor(
        mean_params,
        LandmarkSkeleton(skeleton),
        size.embedded,
        size.regressor,
        num_iterations=size.iterations,
        dropout=size.dropout,
    )
    embedding = LandmarkEmbedding(statistics.mean, statistics.std, size.embedded)
    return LandmarkMotionNetwork(embedding, encoder, regressor)


def save_network(
    path: Path, network: LandmarkMotionNetwork, size: NetworkSize, provenance: dict[str, str]
) -> None:
    """Writes weights, sizes and where they come from.

    Raises:
        OutputError: it cannot be written; an old file stays.
    """
    weights = network.state_dict()
    save_torch(path, {"size": asdict(size), "state_dict": weights, "provenance": provenance})


class SavedNetwork(NamedTuple):
    """A network from a file, in eval mode."""

    network: LandmarkMotionNetwork
    size: NetworkSize
    provenance: dict[str, str]


def load_network(path: Path) -> SavedNetwork:
    """Reads what `save_network` wrote; runs no code from the file.

    Raises:
        DatasetError: the file is missing, damaged or of another layout.
    """
    with file_boundary(path, DatasetError, "expected a network of this version: train it anew"):
        content = load_torch(path)
        if not isinstance(content, dict) or set(content) != _CHECKPOINT_KEYS:
            raise ValueError(f"expected a checkpoint with {sorted(_CHECKPOINT_KEYS)}")
        size = NetworkSize(**content["size"])
        network = blank_network(size, content["state_dict"])
        return SavedNetwork(network.eval(), size, content["provenance"])


def blank_network(size: NetworkSize, weights: dict[str, Tensor]) -> LandmarkMotionNetwork:
    """The network of a state dict.

    Raises:
        KeyError, RuntimeError: the weights are of another layout.
    """
    start = weights["regressor.init_estimate"].split([POSE_SIZE, SHAPE_SIZE, CAMERA_SIZE])
    statistics = FeatureStatistics(weights["embedding.mean"], weights["embedding.std"])
    names = SkeletonArrays._fields
    skeleton = SkeletonArrays(*(weights[f"regressor.skeleton.{name}"] for name in names))
    network = build_network(size, statistics, MeanParams(*start), skeleton)
    network.load_state_dict(weights)
    return network
