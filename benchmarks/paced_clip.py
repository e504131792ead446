"""The clip that benchmarks of outputs play: frames in memory, back and forth, with media times."""

import argparse
import time
from itertools import cycle
from pathlib import Path

from benchmarks.command_line import add_json, positive
from benchmarks.latency import decoded_frames
from realtime_vibe.app.run import BuiltPipeline, build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.packets import Frame
from realtime_vibe.sources.video_file import demo_clip_path

MEDIA_RATE_HZ = 30.0
"""Frames carry media time of this rate, by which receivers tell them apart."""


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    """Options that `opened_clip` reads, and `--rate`."""
    parser.add_argument("--source", type=Path, default=demo_clip_path(), help="a clip")
    parser.add_argument("--frames", type=positive, default=900, help="in all (900)")
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second; 0: all it can")
    parser.add_argument("--engine", default="blazepose-gru")
    parser.add_argument("--backend", default="auto")
    add_json(parser)


def opened_clip(options: argparse.Namespace) -> tuple[BuiltPipeline, list[Frame]]:
    """The pipeline and the frames that the options ask for."""
    built = build_pipeline(LiveConfig(view="none", engine=options.engine, backend=options.backend))
    images = decoded_frames(options.source, (640, 480), limit=200)
    played = cycle(images + images[-2:0:-1])
    frames = [
        Frame(
            image_bgr=next(played),
            index=index,
            captured_at_s=index / MEDIA_RATE_HZ,
            grabbed_at_s=time.perf_counter(),
        )
        for index in range(options.frames)
    ]
    return built, frames
