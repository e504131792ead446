"""What a run begins with: its network, and optimizers and device put together for a training step."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from realtime_vibe.models.landmark_skeleton import SkeletonArrays
from realtime_vibe.models.motion_discriminator import MOTION_SIZES, MotionDiscriminator
from realtime_vibe.models.motion_network import LandmarkMotionNetwork
from realtime_vibe.models.regressor import MeanParams
from realtime_vibe.models.rotation import rot6d_from_rotmat
from realtime_vibe.training.adversarial import Adversary, Generator, GeneratorPass
from realtime_vibe.training.distributed import DataParallelRank
from realtime_vibe.training.learner import Learner, Precision
from realtime_vibe.training.network import (
    FeatureStatistics,
    NetworkSize,
    blank_network,
    build_network,
    load_network,
)
from realtime_vibe.training.samples.motion import MotionPool
from realtime_vibe.training.samples.sequences import SequenceSource
from realtime_vibe.training.samples.streams import rotmat_from_quat
from realtime_vibe.training.settings import TrainSettings

_STATISTICS_BATCHES = 4
_LEAST_DEVIATION = 0.02


def starting_network(
    settings: TrainSettings,
    source: SequenceSource,
    pool: MotionPool,
    skeleton: SkeletonArrays,
    weights: dict[str, Tensor] | Path | None,
) -> tuple[LandmarkMotionNetwork, NetworkSize]:
    """Builds the network; returns it and its sizes.

    Args:
        settings: give the sizes, unless a file does.
        source: its first batches give the features' mean and deviation for a new network.
        skeleton: of the engine's body, for a new network.
        weights: state dict of a checkpoint, file of an earlier network, or None for random weights.

    Raises:
        DatasetError: the file cannot be read.
    """
    size = settings.size
    if isinstance(weights, dict):
        network = blank_network(size, weights)
    elif weights is not None:
        network, size, _ = load_network(weights)
        size = replace(size, dropout=settings.size.dropout)
    else:
        batches = [source.sample().features.flatten(0, 1) for _ in range(_STATISTICS_BATCHES)]
        features = torch.cat(batches)
        deviation = features.std(0).clamp_min(_LEAST_DEVIATION)
        statistics = FeatureStatistics(features.mean(0), deviation)
        network = build_network(size, statistics, mean_parameters(pool), skeleton)
    network.regressor.dropout = size.dropout
    return network, size


def mean_parameters(pool: MotionPool) -> MeanParams:
    """Average body pose of the pool, upright and facing the camera, average shape."""
    quats = torch.from_numpy(pool.quats[:, ::30].reshape(-1, 24, 4))
    mean = rotmat_from_quat(quats).mean(0)
    left, _, right = torch.linalg.svd(mean)
    sign = torch.linalg.det(left @ right)[:, None, None]
    rotmat = torch.cat([left[..., :2], left[..., 2:] * sign], -1) @ right
    rotmat[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    return MeanParams(
        rot6d_from_rotmat(rotmat).flatten(), torch.zeros(10), torch.tensor([0.9, 0.0, 0.0])
    )


def assembled_generator(
    settings: TrainSettings,
    network: LandmarkMotionNetwork,
    process: DataParallelRank,
    precision: Precision,
) -> Generator:
    """The network, on its device, with its optimizer."""
    passes = process.wrapped(GeneratorPass(network))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
    )
    return Generator(
        passes=passes,
        learner=Learner(network.parameters(), optimizer, precision),
        objective=settings.objective,
    )


def assembled_adversary(
    settings: TrainSettings, process: DataParallelRank, precision: Precision
) -> Adversary | None:
    """The discriminator with its optimizer; None where the recipe has none."""
    sizes = settings.discriminator
    if sizes is None:
        return None
    network = MotionDiscriminator(
        MOTION_SIZES[sizes.representation],
        sizes.hidden,
        sizes.layers,
        sizes.attention_layers,
        sizes.dropout,
    )
    network.to(process.device).train()
    optimizer = torch.optim.Adam(
        network.parameters(), lr=sizes.learning_rate, weight_decay=sizes.weight_decay
    )
    return Adversary(
        network=network,
        wrapped=process.wrapped(network),
        learner=Learner(network.parameters(), optimizer, precision, max_gradient_norm=None),
        representation=sizes.representation,
        weight=settings.objective.weights.adversarial,
    )
