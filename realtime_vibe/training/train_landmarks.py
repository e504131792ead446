"""Trains the embedded engine's network on motion seen through a noisy landmark tracker.

    python -m realtime_vibe.training.train_landmarks --motion DIR --body body.npz --out runs/first

First each frame alone, from shuffled frames: consecutive frames teach the same lesson, and lifting a
pose from one frame is most of the work. Then whole sequences with the recurrent encoder.

Sequences are long; the state is carried from chunk to chunk and gradients stop at its borders
(truncated back-propagation through time). Half the streams keep the state of an unrelated stream at
the start, as happens live when the tracker changes person; the rest start from zeros.
"""

import argparse
import csv
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from realtime_vibe.body.model_file import load_body
from realtime_vibe.models.regressor import MeanParams
from realtime_vibe.models.rotation6d import rot6d_from_rotmat
from realtime_vibe.models.smpl_layer import SmplLayer
from realtime_vibe.models.vibe import VIBE
from realtime_vibe.training.losses import LossTerms, LossWeights, supervised_losses
from realtime_vibe.training.motion import MotionPool, load_clips
from realtime_vibe.training.network import NetworkSize, build_network, load_network, save_network
from realtime_vibe.training.sequences import (
    SequenceBatch,
    SequenceSampler,
    SequenceSettings,
    rotmat_from_quat,
)
from realtime_vibe.training.tracker_noise import NoiseLevels

_LOGGER = logging.getLogger(__name__)

PAIR_EVERY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """The recipe."""

    minutes: float = 60.0
    per_frame_share: float = 0.3
    """Part of the time spent on single frames."""
    frames_per_step: int = 512
    learning_rate: float = 1.2e-3
    warmup_steps: int = 200
    chunk_frames: int = 32
    ema_decay: float = 0.998
    seed: int = 7
    pool_sequences: int = 700
    pool_frames: int = 900
    checkpoint_every_s: float = 240.0


def training_step(
    network: VIBE,
    body: SmplLayer,
    optimizer: torch.optim.Optimizer,
    chunk: SequenceBatch,
    hidden: Tensor | None,
    weights: LossWeights = LossWeights(),  # noqa: B008 - frozen
) -> tuple[LossTerms, Tensor | None]:
    """One gradient step on one chunk.

    Args:
        network: in training mode.
        body: gives joints and landmarks of the prediction.
        optimizer: of the network's parameters.
        chunk: (T, B, ...).
        hidden: (L, B, H); None leaves the temporal encoder out and looks at each frame alone.
        weights: of the loss terms.

    Returns:
        The terms before the step and the state (L, B, H) to carry on with, cut from the graph.
    """
    encoded = network.embedding(chunk.features)
    if hidden is not None:
        encoded, hidden = network.encoder(encoded, hidden)
        first = int(torch.randint(PAIR_EVERY - 1, ()))
        encoded = frame_pairs(encoded, first)
        chunk = SequenceBatch(*(frame_pairs(field, first) for field in chunk))
    predicted = network.regressor(encoded)
    joints, landmarks = body.light(predicted.rotmat, predicted.betas)
    terms = supervised_losses(predicted, joints, landmarks, chunk)
    optimizer.zero_grad(set_to_none=True)
    terms.total(weights).backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return terms, None if hidden is None else hidden.detach()


def chunks(batch: SequenceBatch, size: int) -> Iterator[SequenceBatch]:
    """Cuts a batch along time."""
    for start in range(0, len(batch.features), size):
        yield SequenceBatch(*(field[start : start + size] for field in batch))


def frame_pairs(values: Tensor, first: int) -> Tensor:
    """Picks two neighbouring frames of every `PAIR_EVERY`: (T, B, ...) to (2, K * B, ...).

    The encoder runs over all frames, but neighbours say nearly the same, so regressor, body and
    losses look at these only; a pair has a movement between its frames.
    """
    starts = torch.arange(first, values.shape[0] - 1, PAIR_EVERY)
    return torch.stack([values[starts], values[starts + 1]]).flatten(1, 2)


def shuffled_frames(batch: SequenceBatch, size: int) -> Iterator[SequenceBatch]:
    """Cuts a batch into pieces (1, size, ...) of unrelated frames."""
    order = torch.randperm(batch.features.shape[0] * batch.features.shape[1])
    flat = [field.flatten(0, 1) for field in batch]
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        yield SequenceBatch(*(field[rows][None] for field in flat))


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


class _Averaged:
    """Exponential moving average of the weights: steadier than the last step's."""

    def __init__(self, network: VIBE, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        self._values = {
            name: value.detach().clone() for name, value in network.state_dict().items()
        }

    @torch.no_grad()
    def update(self, network: VIBE) -> None:
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, value in network.state_dict().items():
            self._values[name].lerp_(value, 1 - decay)

    def state_dict(self) -> dict[str, Tensor]:
        return self._values


def train(
    motion: Path,
    body_path: Path,
    out: Path,
    settings: TrainSettings,
    start_from: Path | None = None,
) -> Path:
    """Runs the recipe.

    Args:
        motion: folder of AMASS npz files.
        body_path: body.npz.
        out: folder for `network.pt` and `curve.csv`.
        settings: the recipe.
        start_from: checkpoint whose weights to begin with.

    Returns:
        The path of the averaged network.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    pool = MotionPool(load_clips(motion), settings.pool_sequences, settings.pool_frames, rng)
    body = SmplLayer(load_body(body_path))
    sampler = SequenceSampler(pool, body, SequenceSettings(), NoiseLevels(), settings.seed)
    size = NetworkSize()
    if start_from is None:
        features = torch.cat([sampler.sample().features.flatten(0, 1) for _ in range(3)])
        network = build_network(
            size, features.mean(0), features.std(0).clamp_min(0.02), mean_parameters(pool)
        )
    else:
        network = load_network(start_from)[0]
        network.regressor.dropout = size.dropout
    _LOGGER.info("pool of %d sequences, %d parameters", len(pool.quats), _count(network))
    return _loop(network, size, body, sampler, out, settings)


def _loop(
    network: VIBE,
    size: NetworkSize,
    body: SmplLayer,
    sampler: SequenceSampler,
    out: Path,
    settings: TrainSettings,
) -> Path:
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
    )
    averaged = _Averaged(network, settings.ema_decay)
    started_s = saved_s = time.monotonic()
    budget_s = settings.minutes * 60
    step = 0
    hidden: Tensor | None = None
    path = out / "network.pt"
    with (out / "curve.csv").open("w", newline="") as file, tqdm(unit="step") as bar:
        writer = csv.writer(file)
        writer.writerow(["step", "seconds", *(term.name for term in fields(LossTerms))])
        while (spent_s := time.monotonic() - started_s) < budget_s:
            batch = sampler.sample()
            network.train()
            progress = spent_s / budget_s
            if progress < settings.per_frame_share:
                pieces = shuffled_frames(batch, settings.frames_per_step)
                hidden = None
            else:
                pieces = chunks(batch, settings.chunk_frames)
                hidden = _start_state(network, batch, hidden)
            for piece in pieces:
                _set_rate(optimizer, settings, step, progress)
                terms, hidden = training_step(network, body, optimizer, piece, hidden)
                averaged.update(network)
                step += 1
                bar.update()
            values = [float(getattr(terms, term.name)) for term in fields(LossTerms)]
            writer.writerow([step, round(spent_s, 1), *(round(value, 5) for value in values)])
            bar.set_postfix(mm=round(values[0] * 1e3, 1))
            if time.monotonic() - saved_s > settings.checkpoint_every_s:
                file.flush()
                _save(path, network, averaged, size, settings, step)
                saved_s = time.monotonic()
    _save(path, network, averaged, size, settings, step)
    return path


def _start_state(network: VIBE, batch: SequenceBatch, previous: Tensor | None) -> Tensor:
    zeros = network.initial_hidden(batch.features.shape[1])
    if previous is None:
        return zeros
    keep = torch.rand(1, zeros.shape[1], 1) < 0.5
    return torch.where(keep, previous, zeros)


def _set_rate(
    optimizer: torch.optim.Optimizer, settings: TrainSettings, step: int, progress: float
) -> None:
    """Linear warm-up, then a half cosine down to nearly nothing."""
    warm = min(1.0, (step + 1) / settings.warmup_steps)
    cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, progress)))
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate * warm * (0.01 + 0.99 * cosine)


def _save(
    path: Path,
    network: VIBE,
    averaged: _Averaged,
    size: NetworkSize,
    settings: TrainSettings,
    step: int,
) -> None:
    raw = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(averaged.state_dict())
    provenance = {
        "recipe": json.dumps(asdict(settings)),
        "noise": json.dumps(asdict(NoiseLevels())),
        "steps": str(step),
    }
    save_network(path, network, size, provenance)
    network.load_state_dict(raw)


def _count(network: VIBE) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--motion", type=Path, required=True, help="folder of AMASS npz files")
    parser.add_argument("--body", type=Path, default=Path("engines/blazepose-gru/body.npz"))
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=TrainSettings().minutes)
    parser.add_argument("--learning-rate", type=float, default=TrainSettings().learning_rate)
    parser.add_argument(
        "--per-frame-share",
        type=float,
        default=TrainSettings().per_frame_share,
        help="part of the time spent on single frames",
    )
    parser.add_argument("--start-from", type=Path, help="checkpoint to go on from")
    parser.add_argument("--seed", type=int, default=TrainSettings().seed)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = TrainSettings(
        minutes=arguments.minutes,
        seed=arguments.seed,
        per_frame_share=arguments.per_frame_share,
        learning_rate=arguments.learning_rate,
    )
    path = train(arguments.motion, arguments.body, arguments.out, settings, arguments.start_from)
    _LOGGER.info("wrote %s", path)


if __name__ == "__main__":
    main()
