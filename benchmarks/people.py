"""Cost of a frame with 1 to 8 people: features, motion network and body, without a tracker.

    python -m benchmarks people
    python -m benchmarks people --engine out/vibe-engine --engine out/ov

One person of the clip is repeated with ids of its own, so that every track has its own memory. The
numbers of people take turns, and all of them run through the app's own pipeline.
"""

import argparse
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.backends import VIBE_ENGINE
from benchmarks.command_line import (
    add_json,
    command_parser,
    guarded,
    keep,
    positive,
    seconds,
    table,
)
from benchmarks.interleaved import Contender, Turns, time_in_turns
from benchmarks.latency import decoded_frames
from benchmarks.other_work import warn_if_busy
from benchmarks.results import Collected, Labels, Summary
from benchmarks.stages import (
    EngineStages,
    RepeatedPerson,
    WithMesh,
    frame_of,
    open_stages,
    somebody_in,
)
from realtime_vibe.app.settings import DEFAULT_ENGINE
from realtime_vibe.features.factory import needs_landmarks
from realtime_vibe.packets import FrameResult, ImageArray
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.sources.video_file import demo_clip_path

NAME = "people"
STAGES = ("features", "temporal", "body")
_SIZE = (640, 480)


class PeopleRun:
    """Frames with a fixed number of people; keeps each stage's time."""

    def __init__(self, pipeline: WithMesh, images: list[ImageArray]) -> None:
        self._pipeline, self._images = pipeline, images
        self._indices = count()
        self.stage_ms: list[dict[str, float]] = []

    def __call__(self) -> FrameResult:
        """One frame."""
        index = next(self._indices)
        result = self._pipeline.step(frame_of(self._images[index % len(self._images)], index))
        self.stage_ms.append(dict(result.stage_ms))
        return result


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--engine", action="append", help="default and ResNet-50 engine")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--source", type=Path, default=demo_clip_path(), help="a clip")
    parser.add_argument("--most", type=positive, default=8, help="people (8)")
    parser.add_argument("--seconds", type=seconds, default=20.0, help="for each engine (20)")
    add_json(parser)
    options = parser.parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    warn_if_busy()
    collected = Collected(NAME)
    images = decoded_frames(options.source, _SIZE, limit=60)
    for engine in options.engine or default_engines():
        with closing(open_stages(engine, options.backend)) as stages:
            print(measure(stages, images, options.most, options.seconds, collected) + "\n")
    keep(collected, options.json)


def default_engines() -> list[str]:
    """The default engine, and the ResNet-50 one where it was made."""
    return [DEFAULT_ENGINE, *([str(VIBE_ENGINE)] if VIBE_ENGINE.is_dir() else [])]


def measure(
    stages: EngineStages,
    images: list[ImageArray],
    most: int,
    budget_s: float,
    collected: Collected,
) -> str:
    """Times 1 to `most` people in turn and returns the table."""
    person = somebody_in(images, with_landmarks=needs_landmarks(stages.engine))
    runs = [
        PeopleRun(_pipeline(stages, RepeatedPerson(person, n)), images) for n in range(1, most + 1)
    ]
    contenders = [Contender(name=str(n), run=run) for n, run in enumerate(runs, start=1)]
    time_in_turns(contenders, Turns(rounds=100, budget_s=budget_s))
    rows: list[tuple[str, ...]] = []
    for num_people, (run, contender) in enumerate(zip(runs, contenders, strict=True), start=1):
        labels = Labels(
            engine=stages.engine.name,
            backend=stages.backend,
            precision=stages.engine.precision,
            people=num_people,
            note=contender.error,
        )
        add = partial(collected.add, f"{stages.engine.name}, {num_people} people", labels=labels)
        summary = add(contender.samples_ms, metric="frame").summary
        if summary is None:
            rows.append((str(num_people), contender.error, "", "", "", "", ""))
            continue
        parts = [
            _median_of(add([one[stage] for one in run.stage_ms], metric=stage).summary)
            for stage in STAGES
        ]
        rows.append(
            (
                str(num_people),
                f"{summary.p50:.2f}",
                f"{summary.iqr:.2f}",
                f"{summary.p50 / num_people:.2f}",
                *(f"{part:.2f}" for part in parts),
            )
        )
    title = f"{stages.engine.name} ({stages.backend})"
    return f"{title}, ms\n" + table(("people", "frame p50", "iqr", "a person", *STAGES), rows)


def _pipeline(stages: EngineStages, tracker: RepeatedPerson) -> WithMesh:
    return WithMesh(
        MotionCapturePipeline(
            tracker=tracker, features=stages.features, temporal=stages.temporal(), body=stages.body
        )
    )


def _median_of(summary: Summary | None) -> float:
    assert summary is not None
    return summary.p50


if __name__ == "__main__":
    raise SystemExit(main())
