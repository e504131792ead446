"""Puts networks, optimizers and their device together into what a training step takes."""

import torch

from realtime_vibe.models.motion_discriminator import MOTION_SIZES, MotionDiscriminator
from realtime_vibe.models.motion_network import LandmarkMotionNetwork
from realtime_vibe.training.adversarial import Adversary, Generator, GeneratorPass
from realtime_vibe.training.distributed import DataParallelRank
from realtime_vibe.training.learner import Learner, Precision
from realtime_vibe.training.settings import RESET_FRAMES, DiscriminatorSettings, TrainSettings


def assembled_generator(
    settings: TrainSettings,
    network: LandmarkMotionNetwork,
    process: DataParallelRank,
    precision: Precision,
) -> Generator:
    """The network, on its device, with its optimizer."""
    reset_every = RESET_FRAMES if settings.encoder == "reset16" else None
    passes = process.wrapped(GeneratorPass(network, reset_every))
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
    network = _discriminator(sizes).to(process.device).train()
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


def _discriminator(sizes: DiscriminatorSettings) -> MotionDiscriminator:
    return MotionDiscriminator(
        MOTION_SIZES[sizes.representation],
        sizes.hidden,
        sizes.layers,
        sizes.pooling,
        sizes.attention_layers,
        sizes.dropout,
    )
