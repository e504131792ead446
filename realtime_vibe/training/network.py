"""Builds the embedded engine's network and stores it with what is needed to build it again."""

from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_vibe.errors import DatasetError
from realtime_vibe.models.landmark_embedding import LandmarkEmbedding
from realtime_vibe.models.motion_network import MotionNetwork
from realtime_vibe.models.regressor import CAMERA_SIZE, POSE_SIZE, SHAPE_SIZE, MeanParams, Regressor
from realtime_vibe.models.temporal_encoder import TemporalEncoder

_CHECKPOINT_KEYS = {"size", "state_dict", "provenance"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSize:
    """Widths of the landmark network."""

    embedded: int = 256
    hidden: int = 256
    layers: int = 2
    regressor: int = 256
    dropout: float = 0.0


def build_network(
    size: NetworkSize, mean: Tensor, std: Tensor, mean_params: MeanParams
) -> MotionNetwork:
    """A new network with random weights.

    Args:
        size: widths.
        mean: (F,) of the raw features.
        std: (F,) of the raw features.
        mean_params: where the regressor's iteration starts.
    """
    encoder = TemporalEncoder(size.embedded, size.hidden, size.layers)
    if encoder.linear is not None:
        # The recurrent branch starts silent: the network first learns each frame, then its past.
        torch.nn.init.zeros_(encoder.linear.weight)
        torch.nn.init.zeros_(encoder.linear.bias)
    regressor = Regressor(
        mean_params, size.embedded, size.regressor, dropout=size.dropout, activation=True
    )
    return MotionNetwork(encoder, regressor, LandmarkEmbedding(mean, std, size.embedded))


def save_network(
    path: Path, network: MotionNetwork, size: NetworkSize, provenance: dict[str, str]
) -> None:
    """Writes weights, sizes and where they come from; replaces `path` in one step."""
    part = path.with_suffix(path.suffix + ".part")
    torch.save(
        {"size": asdict(size), "state_dict": network.state_dict(), "provenance": provenance}, part
    )
    part.replace(path)


class SavedNetwork(NamedTuple):
    """A network from a file, in eval mode."""

    network: MotionNetwork
    size: NetworkSize
    provenance: dict[str, str]


def load_network(path: Path) -> tuple[MotionNetwork, dict[str, str]]:
    """Reads what `save_network` wrote; runs no code from the file.

    Returns:
        The network in eval mode and its provenance.

    Raises:
        DatasetError: the file is missing, damaged or of another layout.
    """
    saved = read_network(path)
    return saved.network, saved.provenance


def read_network(path: Path) -> SavedNetwork:
    """As `load_network`, with the sizes.

    Raises:
        DatasetError: the file is missing, damaged or of another layout.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise DatasetError(f"{path}: not a readable checkpoint ({error})") from error
    if not isinstance(content, dict) or set(content) != _CHECKPOINT_KEYS:
        raise DatasetError(f"{path}: expected a checkpoint with {sorted(_CHECKPOINT_KEYS)}")
    size = NetworkSize(**content["size"])
    network = blank_network(size, num_features(content["state_dict"]))
    network.load_state_dict(content["state_dict"], strict=True)
    return SavedNetwork(network.eval(), size, content["provenance"])


def blank_network(size: NetworkSize, features: int) -> MotionNetwork:
    """A network to load a state dict into."""
    blank = MeanParams(torch.zeros(POSE_SIZE), torch.zeros(SHAPE_SIZE), torch.zeros(CAMERA_SIZE))
    return build_network(size, torch.zeros(features), torch.ones(features), blank)


def num_features(state_dict: dict[str, Tensor]) -> int:
    """Raw features per frame that a landmark network of these weights reads."""
    return len(state_dict["embedding.mean"])


def feature_statistics(network: MotionNetwork) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation (F,) of the raw features the network was made for."""
    embedding = network.embedding
    if not isinstance(embedding, LandmarkEmbedding):
        raise TypeError(f"expected a landmark network, got an embedding {type(embedding).__name__}")
    return embedding.mean.numpy(), embedding.std.numpy()
