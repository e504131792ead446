"""Step time of the live path with each size of BlazePose's landmark network, in turn.

    python -m benchmarks tracker_models                 # bundled demo clip at 640x480

Frames are decoded to memory first; every model steps through the same ones, a few at a time, so that
what the machine does meanwhile happens to all. The ratio is of the medians, to `full`. How exact each
is tells `python -m benchmarks.accuracy FOLDER --tracker-model lite|full|heavy`.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks.command_line import (
    add_json,
    add_refine,
    command_parser,
    guarded,
    keep,
    positive,
    table,
)
from benchmarks.interleaved import Contender, Turns, time_in_turns
from benchmarks.latency import decoded_frames
from benchmarks.results import Collected, Labels
from benchmarks.stages import frame_of
from realtime_vibe.app.run import BuiltPipeline, build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.tracking.choices import FULL, TRACKER_MODELS

NAME = "tracker_models"
_SIZE = (640, 480)
_RUNS = 10


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    options = _parser().parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--source", type=Path, default=demo_clip_path(), help="a clip")
    parser.add_argument("--models", nargs="+", choices=TRACKER_MODELS, default=TRACKER_MODELS)
    parser.add_argument("--backend", default="auto")
    add_refine(parser)
    parser.add_argument(
        "--rounds", type=positive, default=30, help=f"of {_RUNS} frames of each model (30)"
    )
    add_json(parser)
    return parser


def _run(options: argparse.Namespace) -> None:
    images = decoded_frames(options.source, _SIZE, limit=300)
    with ExitStack() as stack:
        built = {
            model: build_pipeline(
                LiveConfig(
                    view="none",
                    backend=options.backend,
                    tracker_model=model,
                    refine=options.refine,
                )
            )
            for model in dict.fromkeys(options.models)
        }
        for pipeline in built.values():
            stack.enter_context(closing(pipeline.pipeline))
        contenders = [
            Contender(name=model, run=_stepper(pipeline, images))
            for model, pipeline in built.items()
        ]
        turns = Turns(rounds=options.rounds, runs=_RUNS, budget_s=float("inf"))
        time_in_turns(contenders, turns)
    print(_as_table(contenders))
    collected = Collected(NAME)
    for contender in contenders:
        if contender.samples_ms:
            used = built[contender.name]
            labels = Labels(engine=used.engine, backend=used.backend, precision=used.precision)
            case = f"{contender.name}{'' if options.refine else ', not refined'}"
            collected.add(case, contender.samples_ms, labels, metric="step")
    keep(collected, options.json)


def _stepper(built: BuiltPipeline, images: Sequence[ImageArray]) -> Callable[[], object]:
    """Steps to the next frame with each call; the clip is played back and forth, so that nobody jumps."""
    there_and_back = [*images, *images[-2:0:-1]]
    numbers = count()

    def step() -> object:
        number = next(numbers)
        image = there_and_back[number % len(there_and_back)]
        return built.pipeline.step(frame_of(image, number))

    return step


def _as_table(contenders: Sequence[Contender]) -> str:
    medians = {each.name: median(each.samples_ms) for each in contenders if each.samples_ms}
    base = medians.get(FULL)
    rows = []
    for each in contenders:
        if each.error:
            rows.append((each.name, each.error, ""))
            continue
        time_ms = medians[each.name]
        rows.append((each.name, f"{time_ms:.2f}", f"{time_ms / base:.2f}" if base else "-"))
    return table(("tracker model", "step p50 ms", "ratio to full"), rows)


if __name__ == "__main__":
    raise SystemExit(main())
