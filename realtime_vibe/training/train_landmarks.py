"""Trains the embedded engine's network on motion seen through a noisy landmark tracker.

    python -m realtime_vibe.training.train_landmarks --motion DIR --body body.npz --out runs/first

`torchrun --nproc-per-node N -m realtime_vibe.training.train_landmarks ...` trains in N processes. Ctrl-C
and SIGTERM save first; `--resume` then goes on as if nothing had happened.
"""

import argparse
import json
import logging
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import ConfigError, RealtimeVibeError
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.training.datasets.keypoint_video import load_keypoint_videos
from realtime_vibe.training.distributed import DataParallelRank, joined_processes
from realtime_vibe.training.losses import PAPER_WEIGHTS, LossWeights, Objective
from realtime_vibe.training.samples.ahead import SampledAhead
from realtime_vibe.training.samples.keypoint_source import KeypointVideoSource
from realtime_vibe.training.samples.mixed_source import MixedSource
from realtime_vibe.training.samples.motion import MotionPool, load_clips
from realtime_vibe.training.samples.rendered import RenderedSource, load_streams
from realtime_vibe.training.samples.sequences import (
    SequenceSampler,
    SequenceSettings,
    SequenceSource,
)
from realtime_vibe.training.samples.tracker_noise import NoiseLevels
from realtime_vibe.training.settings import (
    RELEASED_DISCRIMINATOR,
    DiscriminatorSettings,
    TrainSettings,
)
from realtime_vibe.training.trainer import Start, TrainingData, TrainResult, train

logger = logging.getLogger(__name__)

_USAGE_ERROR = 2
_STOPPED = 3
_LONGEST_RENDERED = 64
"""Frames; longer streams are cut, shorter ones filled up."""


def training_data(arguments: argparse.Namespace, process: DataParallelRank) -> TrainingData:
    """The data the command line asks for, drawn with this process's own seed.

    Raises:
        DatasetError: the motion cannot be read.
        BodyModelError: the body cannot be read.
    """
    seed = process.seed(arguments.seed)
    clips = load_clips(
        arguments.motion,
        "train",
        skip_bad=arguments.skip_bad,
        up_axis=arguments.up,
        bvh_repair=arguments.bvh_repair,
    )
    pool = MotionPool(
        clips, arguments.pool_sequences, arguments.pool_frames, np.random.default_rng(seed)
    )
    skeleton = skeleton_arrays(load_body(arguments.body))
    body = LandmarkSkeleton(skeleton)
    streams = SequenceSettings(num_frames=arguments.frames, num_streams=arguments.streams)
    simulated = SequenceSampler(pool, body, streams, NoiseLevels(), seed)
    provenance = {"noise": json.dumps(asdict(NoiseLevels())), "clips": str(len(clips))}
    # Every further kind of data joins here with its share of the batches.
    sources: list[tuple[SequenceSource, float]] = []
    if arguments.rendered is not None:
        rendered = load_streams(arguments.rendered)
        provenance["rendered_frames"] = str(sum(len(stream) for stream in rendered))
        source = RenderedSource(
            rendered,
            body,
            num_frames=min(_LONGEST_RENDERED, max(map(len, rendered))),
            num_streams=streams.num_streams,
            seed=seed,
        )
        sources.append((source, arguments.rendered_share))
    if arguments.videos is not None:
        videos = load_keypoint_videos(arguments.videos, skip_bad=arguments.skip_bad)
        provenance["videos"] = str(len(videos))
        sources.append((KeypointVideoSource(videos, seed=seed), arguments.videos_share))
    sources.append((simulated, 1.0 - sum(share for _, share in sources)))
    return TrainingData(
        source=SampledAhead(MixedSource(sources, seed), seed),
        pool=pool,
        skeleton=skeleton,
        streams=streams,
        provenance=provenance,
    )


def settings_from(arguments: argparse.Namespace) -> TrainSettings:
    """The recipe the command line asks for.

    Raises:
        ConfigError: a number is out of range.
    """
    weights = PAPER_WEIGHTS if arguments.losses == "paper" else LossWeights()
    if arguments.adversarial_weight is not None:
        weights = replace(weights, adversarial=arguments.adversarial_weight)
    if arguments.velocity_weight is not None:
        weights = replace(weights, velocity=arguments.velocity_weight)
    discriminator = None
    if arguments.discriminator_from is not None:
        if arguments.discriminator == "none":
            raise ConfigError("--discriminator-from with --discriminator none: give one of them")
        discriminator = RELEASED_DISCRIMINATOR
    elif arguments.discriminator != "none":
        discriminator = DiscriminatorSettings()
    return TrainSettings(
        steps=arguments.steps,
        seed=arguments.seed,
        per_frame_share=arguments.per_frame_share,
        learning_rate=arguments.learning_rate,
        objective=Objective(form=arguments.losses, weights=weights),
        discriminator=discriminator,
        precision=arguments.precision,
    )


def run(arguments: argparse.Namespace) -> TrainResult:
    """Trains as the command line says."""
    settings = settings_from(arguments)
    with joined_processes(arguments.device) as process:
        if not process.is_first:
            logging.getLogger().setLevel(logging.WARNING)
        data = training_data(arguments, process)
        start = Start(
            network=arguments.start_from,
            discriminator=arguments.discriminator_from,
            resume=arguments.resume,
        )
        return train(settings, data, arguments.out, process, start)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    defaults = TrainSettings()
    streams = SequenceSettings()
    result = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = result.add_argument
    add("--motion", type=Path, required=True, help="folder of AMASS .npz and .bvh files")
    add("--skip-bad", action="store_true", help="leave out files that cannot be read")
    add("--up", choices=("y", "z"), default="z", help="axis that points up in .npz (AMASS: z)")
    add(
        "--bvh-repair",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="extend knees and elbows that a BVH conversion left bent",
    )
    add("--rendered", type=Path, help="folder of shards made by realtime_vibe.training.render")
    add("--rendered-share", type=float, default=0.5, help="part of the batches that are rendered")
    add(
        "--videos",
        type=Path,
        help="folder of videos labelled by realtime_vibe.training.samples.label_videos",
    )
    add("--videos-share", type=float, default=0.1, help="part of the batches with 2D points alone")
    add("--body", type=Path, default=Path("engines/blazepose-gru/body.npz"))
    add("--out", type=Path, required=True, help="folder for the results")
    add("--steps", type=int, default=defaults.steps, help="gradient steps in all")
    add("--seed", type=int, default=defaults.seed)
    add("--start-from", type=Path, help="network.pt to begin with")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add(
        "--precision",
        choices=("auto", "fp32"),
        default="auto",
        help="auto: 16 bits on CUDA where they suffice",
    )
    add(
        "--discriminator",
        choices=("attention", "none"),
        default="attention",
        help="the motion discriminator, which pools over time by attention, or none",
    )
    add(
        "--discriminator-from",
        type=Path,
        metavar="FILE",
        help="released VIBE checkpoint whose discriminator goes on learning",
    )
    add("--losses", choices=("landmark", "paper"), default="landmark")
    add("--velocity-weight", type=float, help="of movement between frames; by default as --losses")
    add("--adversarial-weight", type=float, help="of L_adv; by default as --losses has it")
    add(
        "--per-frame-share",
        type=float,
        default=defaults.per_frame_share,
        help="part of the steps spent on single frames",
    )
    add("--learning-rate", type=float, default=defaults.learning_rate)
    add("--streams", type=int, default=streams.num_streams, help="sequences in a batch")
    add("--frames", type=int, default=streams.num_frames, help="length of a sequence")
    add("--pool-sequences", type=int, default=700, help="sequences spliced from the clips")
    add("--pool-frames", type=int, default=900, help="length of each at 60 frames a second")
    return result


def main() -> int:
    """Runs the command line; 2 on an error the user can fix, 3 when a signal ended it early."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        result = run(parser().parse_args())
    except RealtimeVibeError as error:
        logger.error("%s", error)
        return _USAGE_ERROR
    logger.info("wrote %s", result.network)
    return 0 if result.finished else _STOPPED


if __name__ == "__main__":
    sys.exit(main())
