"""The training loop: single frames first, then sequences with the state carried and the adversary.

Consecutive frames teach the same lesson, and lifting a pose from one frame is most of the work; hence
the first stage on shuffled frames. Then sequences: the state goes from piece to piece and gradients stop
at the borders (truncated back-propagation through time). Some streams begin with the state of an
unrelated one, as happens live when the tracker changes person; the rest with zeros.
"""

import copy
import json
import logging
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from realtime_vibe.errors import ConfigError, DatasetError, OutputError
from realtime_vibe.models.checkpoint import load_official_discriminator
from realtime_vibe.models.landmark_skeleton import SkeletonArrays
from realtime_vibe.models.motion_discriminator import MotionDiscriminator
from realtime_vibe.models.motion_network import LandmarkMotionNetwork
from realtime_vibe.system.file_boundary import file_boundary, make_folder
from realtime_vibe.system.signals import EndingSignals
from realtime_vibe.training.adversarial import (
    PAIR_EVERY,
    FramePlan,
    discriminator_step,
    generator_step,
)
from realtime_vibe.training.checkpoint import (
    CHECKPOINT_NAME,
    check_same_settings,
    read_checkpoint,
    write_checkpoint,
)
from realtime_vibe.training.csv_logger import CsvLogger
from realtime_vibe.training.distributed import DataParallelRank
from realtime_vibe.training.learner import AveragedWeights, Precision, rate_share
from realtime_vibe.training.losses import LossTerms
from realtime_vibe.training.network import NetworkSize, save_network
from realtime_vibe.training.samples.feeding import Feeder, Piece
from realtime_vibe.training.samples.motion import MotionPool
from realtime_vibe.training.samples.sequences import SequenceBatch, SequenceSource
from realtime_vibe.training.samples.streams import RealMotion, StreamSettings
from realtime_vibe.training.settings import TrainSettings
from realtime_vibe.training.starting import (
    assembled_adversary,
    assembled_generator,
    starting_network,
)

logger = logging.getLogger(__name__)

NETWORK_NAME = "network.pt"
CURVE_NAME = "curve.csv"
_TERMS = (
    *(term.name for term in fields(LossTerms)),
    *("adversarial", "discriminator", "score_real", "score_fake"),
)
_SHORTEST_PIECE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What to learn from."""

    source: SequenceSource
    """Pairs of tracker output and truth; this process's own, seeded with `DataParallelRank.seed`."""
    pool: MotionPool
    """Recorded motion: the regressor's mean pose, and real motion for the discriminator."""
    skeleton: SkeletonArrays
    """Of the engine's body."""
    streams: StreamSettings = field(default_factory=StreamSettings)
    """How the discriminator's real motion varies; as the source's, or tempo gives it away."""
    provenance: dict[str, str] = field(default_factory=dict)
    """Words on the data for the network's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a run begins."""

    network: Path | None = None
    """Weights of an earlier run; None begins with random ones."""
    discriminator: Path | None = None
    """A released VIBE checkpoint whose motion discriminator goes on learning; its sizes must be the
    settings'."""
    resume: bool = False
    """Go on from the checkpoint in the output folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a run left behind."""

    network: Path
    """The averaged network."""
    steps: int
    finished: bool
    """False after Ctrl-C or SIGTERM; resuming goes on."""


def train(
    settings: TrainSettings, data: TrainingData, out: Path, process: DataParallelRank, start: Start
) -> TrainResult:
    """Runs the recipe to its end or until a signal; then writes checkpoint and network.

    Args:
        out: folder for `network.pt` (the average, for export), `curve.csv` and `checkpoint.pt`.
        process: its device and rank, from `joined_processes`.

    Raises:
        ConfigError: the folder holds a checkpoint and `resume` is not set, or settings differ from
            the checkpoint's, or the starting network reads other features.
        DatasetError: a file to start from is missing or damaged.
        CheckpointError: the released checkpoint is.
    """
    if process.is_first:
        make_folder(out, OutputError)
    if not start.resume and (out / CHECKPOINT_NAME).exists():
        raise ConfigError(
            f"{out} already holds a run; --resume goes on with it, another --out begins anew"
        )
    torch.manual_seed(process.seed(settings.seed))
    saved = read_checkpoint(out) if start.resume else None
    # All processes have looked at the folder before the first one writes into it.
    process.any_rank(False)
    if saved is not None:
        # Sizes may have come from a file the run started from.
        with file_boundary(out / CHECKPOINT_NAME, DatasetError, "leave --resume out to start anew"):
            settings = replace(settings, size=NetworkSize(**saved["settings"]["size"]))
        check_same_settings(saved["settings"], asdict(settings))
    weights = saved["network"] if saved is not None else start.network
    network, size = starting_network(settings, data.source, data.pool, data.skeleton, weights)
    trainer = Trainer(replace(settings, size=size), data, network, out, process)
    if saved is not None:
        with file_boundary(out / CHECKPOINT_NAME, DatasetError, "leave --resume out to start anew"):
            trainer.load(saved)
    elif start.discriminator is not None:
        trainer.begin_with(load_official_discriminator(start.discriminator))
    return trainer.run()


class Trainer:
    """One run; `train` sets it up."""

    def __init__(
        self,
        settings: TrainSettings,
        data: TrainingData,
        network: LandmarkMotionNetwork,
        out: Path,
        process: DataParallelRank,
    ) -> None:
        self._settings, self._data, self._out, self._process = settings, data, out, process
        self._network = network.to(process.device).train()
        precision = Precision.chosen(process.device, settings.precision)
        self._generator = assembled_generator(settings, self._network, process, precision)
        self._adversary = assembled_adversary(settings, process, precision)
        self._averaged = AveragedWeights(self._network, settings.ema_decay)
        self._feeder = Feeder(
            data.source, settings.frames_per_step, settings.chunk_frames, _SHORTEST_PIECE
        )
        self._real = RealMotion(data.pool, data.streams, process.seed(settings.seed + 1))
        path = out / CURVE_NAME if process.is_first else None
        self._curve = CsvLogger(path, _TERMS, settings.curve_every)
        self._step = 0
        self._elapsed_s = 0.0
        self._hidden: Tensor | None = None

    def run(self) -> TrainResult:
        """Trains until the last step or a signal."""
        self._curve.begin(self._step)
        clock = time.perf_counter
        resumed_s, began_s = self._elapsed_s, clock()
        saved_s = began_s
        with (
            EndingSignals() as signals,
            tqdm(
                total=self._settings.steps,
                initial=self._step,
                unit="step",
                disable=None if self._process.is_first else True,
            ) as bar,
        ):
            while self._step < self._settings.steps:
                if self._process.any_rank(bool(signals.caught)):
                    break
                share = self.advance()
                bar.update()
                self._elapsed_s = resumed_s + clock() - began_s
                rate = share * self._settings.learning_rate
                means = self._curve.line(self._step, self._elapsed_s, rate)
                if means is not None:
                    bar.set_postfix(mm=round(means["joints"] * 1e3, 1))
                due = clock() - saved_s > self._settings.checkpoint_every_s
                if self._process.any_rank(due):
                    self.save()
                    saved_s = clock()
                    if self._process.is_first and bar.disable:  # a log, not a terminal
                        logger.info("step %d of %d, saved", self._step, self._settings.steps)
        self.save()
        finished = self._step == self._settings.steps
        if not finished:
            logger.info("stopped after step %d; --resume goes on", self._step)
        return TrainResult(network=self._out / NETWORK_NAME, steps=self._step, finished=finished)

    def advance(self) -> float:
        """One step of generator and, in sequences, discriminator; returns the share of the full rate."""
        settings = self._settings
        share = rate_share(self._step, settings.steps, settings.warmup_steps)
        self._generator.learner.set_rate(share)
        if self._step < settings.frame_steps:
            piece = self._feeder.next("frames")
            plan, hidden = FramePlan(), None
        else:
            piece = self._feeder.next("sequence")
            plan, hidden = self._plan(piece.batch), self._start_state(piece)
        self._check_features(piece.batch)
        batch = SequenceBatch(*(part.to(self._process.device) for part in piece.batch))
        weight = settings.objective.weights.adversarial * self._adversarial_share()
        result = generator_step(self._generator, batch, hidden, plan, self._adversary, weight)
        self._hidden = result.hidden
        self._curve.add(result.terms)
        if self._adversary is not None and result.window_rotmat is not None:
            self._adversary.learner.set_rate(share)
            dt_s = piece.batch.view[plan.window][..., 6]
            real = self._real.sample(dt_s).to(self._process.device)
            self._curve.add(discriminator_step(self._adversary, real, result.window_rotmat))
        self._averaged.update(self._network)
        self._step += 1
        return share

    def save(self) -> None:
        """Writes checkpoint and network; all processes must call it, the first one writes."""
        ranks = self._process.gathered(self._rank_state())
        if not self._process.is_first:
            return
        adversary = self._adversary
        content: dict[str, Any] = {
            "settings": asdict(self._settings),
            "step": self._step,
            "elapsed_s": self._elapsed_s,
            "network": self._network.state_dict(),
            "generator_learner": self._generator.learner.state_dict(),
            "averaged": self._averaged.state_dict(),
            "curve": self._curve.state_dict(),
            "ranks": ranks,
        }
        if adversary is not None:
            content["discriminator"] = adversary.network.state_dict()
            content["discriminator_learner"] = adversary.learner.state_dict()
        write_checkpoint(self._out, content)
        provenance = self._data.provenance | {
            "recipe": json.dumps(asdict(self._settings)),
            "seed": str(self._settings.seed),
            "steps": str(self._step),
            "hours": f"{self._elapsed_s / 3600:.2f}",
            "processes": str(self._process.num_ranks),
        }
        network = copy.deepcopy(self._network)
        network.load_state_dict(self._averaged.values)
        save_network(self._out / NETWORK_NAME, network.cpu(), self._settings.size, provenance)

    def begin_with(self, discriminator: MotionDiscriminator) -> None:
        """Takes over the weights of a trained discriminator.

        Raises:
            ConfigError: the run has none, or one of other sizes.
        """
        weights = discriminator.state_dict()
        own = {} if self._adversary is None else self._adversary.network.state_dict()
        if self._adversary is None or {k: v.shape for k, v in own.items()} != {
            k: v.shape for k, v in weights.items()
        }:
            raise ConfigError(
                "the discriminator to begin with has other sizes than this run's: expected the released "
                "ones (--discriminator attention, axis-angle, two layers of 1024 units)"
            )
        self._adversary.network.load_state_dict(weights)

    def load(self, saved: dict[str, Any]) -> None:
        """Puts back what `save` wrote; the network's weights are already in place.

        Raises:
            ConfigError: the checkpoint was written by another number of processes.
        """
        if len(saved["ranks"]) != self._process.num_ranks:
            raise ConfigError(
                f"the checkpoint is of {len(saved['ranks'])} processes, this run has "
                f"{self._process.num_ranks}; start as many as before"
            )
        self._step, self._elapsed_s = saved["step"], saved["elapsed_s"]
        self._generator.learner.load_state_dict(saved["generator_learner"])
        self._averaged.load_state_dict(saved["averaged"])
        self._curve.load_state_dict(saved["curve"], self._process.device)
        if self._adversary is not None:
            self._adversary.network.load_state_dict(saved["discriminator"])
            self._adversary.learner.load_state_dict(saved["discriminator_learner"])
        rank = saved["ranks"][self._process.rank]
        self._feeder.load_state_dict(rank["feeder"])
        self._real.load_state_dict(rank["real"])
        if rank["hidden"] is not None:
            self._hidden = rank["hidden"].to(self._process.device)
        # Last: the feeder moved the generator when it drew its batch again.
        torch.set_rng_state(rank["torch"])
        if rank["cuda"] is not None:
            torch.cuda.set_rng_state(rank["cuda"], self._process.device)

    def _rank_state(self) -> dict[str, Any]:
        on_cuda = self._process.device.type == "cuda"
        return {
            "feeder": self._feeder.state_dict(),
            "real": self._real.state_dict(),
            "hidden": None if self._hidden is None else self._hidden.cpu(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self._process.device) if on_cuda else None,
        }

    def _plan(self, batch: SequenceBatch) -> FramePlan:
        frames, streams = batch.features.shape[:2]
        first_pair = int(torch.randint(PAIR_EVERY - 1, ()))
        sizes = self._settings.discriminator
        if sizes is None:
            return FramePlan(first_pair)
        first = int(torch.randint(frames - sizes.window_frames + 1, ()))
        chosen = torch.randperm(streams)[: sizes.num_windows]
        return FramePlan(first_pair, (slice(first, first + sizes.window_frames), chosen))

    def _start_state(self, piece: Piece) -> Tensor:
        """The state (L, B, H) the piece begins with."""
        settings = self._settings
        streams = piece.batch.features.shape[1]
        state = self._network.initial_hidden(streams)
        previous = self._hidden
        if previous is None:
            return state
        if piece.starts_streams:
            # The next source may have more or fewer streams; any state is as unrelated as another.
            previous = previous[:, torch.randint(previous.shape[1], (streams,))]
            keep_chance = settings.keep_chance
        else:
            keep_chance = 1.0 - settings.window_chance
        keep = torch.rand(1, streams, 1) < keep_chance
        return torch.where(keep.to(state.device), previous, state)

    def _adversarial_share(self) -> float:
        """L_adv's part of its weight: it rises from the first sequence on."""
        sizes = self._settings.discriminator
        if sizes is None:
            return 0.0
        return min(1.0, (self._step - self._settings.frame_steps) / max(1, sizes.rise_steps))

    def _check_features(self, batch: SequenceBatch) -> None:
        expected = len(self._network.embedding.mean)
        if batch.features.shape[-1] != expected:
            raise ConfigError(
                f"the training source gives {batch.features.shape[-1]} features per frame, the "
                f"network reads {expected}; start from a network of this feature layout or anew"
            )
