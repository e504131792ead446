"""Cost of the temporal part of one frame against the length of the stream before it.

    python -m benchmarks streaming
    python -m benchmarks streaming --engine out/vibe-engine --seconds 300

stream    the carried state: one step a frame, as the app runs
window    the last 16 features run again from zeros for every frame, as the paper evaluates
whole     every feature so far run again for every frame

A stream really grows to the greatest length; at 16, 64, 256 .. frames a copy of it stops there, and
then the copies go on in turn, a few frames at a time, so that other load affects every length alike.
Smoothing is on as in the app. What does not fit into --seconds is said to be left out.
"""

import argparse
import copy
import itertools
import statistics
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from benchmarks.command_line import (
    add_json,
    command_parser,
    guarded,
    keep,
    seconds,
    table,
)
from benchmarks.interleaved import Contender, Turns, time_in_turns
from benchmarks.other_work import warn_if_busy
from benchmarks.people import default_engines
from benchmarks.results import Collected, Labels
from benchmarks.stages import FRAME_S, EngineStages, open_stages
from realtime_vibe.packets import FloatArray, TrackedPerson
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.temporal.stage import TemporalStage

NAME = "streaming"
LENGTHS = (16, 64, 256, 1024, 4096, 10_000)
MOST_CHANGE = 0.05
LEAST_GAIN = 10.0
MODES = ("stream", "window", "whole")
_SHARES = {"grow": 0.4, "stream": 0.15, "window": 0.15, "whole": 0.3}
"""Of the time."""
_FEATURES = 64
"""Different rows that streams are made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A promise, and whether it was kept."""

    text: str
    passed: bool

    def __str__(self) -> str:
        return f"{'pass' if self.passed else 'FAIL'}: {self.text}"


class Stream:
    """One person's frames through a temporal stage.

    Args:
        rows: (N, F) features that come again and again.
    """

    def __init__(self, temporal: TemporalStage, rows: FloatArray) -> None:
        self._temporal = temporal
        self._rows = rows
        self._nobody = TrackedPerson(
            track_id=0, bbox_xyxy=np.array([0, 0, 9, 9], np.float32), score=1.0, dt_s=FRAME_S
        )
        self._transl: FloatArray = np.array([0, 0, 3], np.float32)
        self.length = 0
        """Frames so far."""

    def __call__(self) -> None:
        """One frame more."""
        now_s = self.length * FRAME_S
        row = self.length % len(self._rows)
        self._temporal.step((self._nobody,), self._rows[row : row + 1], now_s)
        self._temporal.place(0, self._transl, now_s)
        self.length += 1

    def grow(self, length: int, until_s: float) -> bool:
        """Adds frames until there are `length`; false when `perf_counter` passed `until_s` before."""
        while self.length < length:
            self()
            if perf_counter() > until_s:
                return self.length >= length
        return True


def rerun_whole(model: MotionModel, rows: FloatArray, length: int) -> None:
    """All frames of a stream once, from zeros: what each new frame costs without a memory."""
    hidden = model.initial_hidden(1)
    for at in itertools.islice(itertools.cycle(range(len(rows))), length):
        hidden = model.step(rows[at : at + 1], hidden).hidden


def checks(stream_ms: dict[int, float], window_ms: dict[int, float]) -> tuple[Check, ...]:
    """What stream mode promises.

    Args:
        stream_ms: median cost of a frame by stream length.
    """
    if not stream_ms:
        return (Check(text="stream mode was not measured", passed=False),)
    shortest, longest = min(stream_ms), max(stream_ms)
    middle = statistics.median(stream_ms.values())
    change = max(abs(value / middle - 1) for value in stream_ms.values())
    found = [
        Check(
            text=f"stream mode, {shortest} to {longest} frames: cost within {change:.1%} of its median "
            f"{middle:.3f} ms (at most {MOST_CHANGE:.0%})",
            passed=change <= MOST_CHANGE and longest > shortest,
        )
    ]
    shared = sorted(set(stream_ms) & set(window_ms))
    if shared:
        gain = min(window_ms[length] / stream_ms[length] for length in shared)
        found.append(
            Check(
                text=f"stream mode is {gain:.1f}x cheaper than a window of 16 (at least "
                f"{LEAST_GAIN:g}x)",
                passed=gain >= LEAST_GAIN,
            )
        )
    return tuple(found)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    parser = command_parser(NAME, __doc__)
    parser.add_argument("--engine", action="append", help="default and ResNet-50 engine")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--seconds", type=seconds, default=80.0, help="for each engine (80)")
    add_json(parser)
    options = parser.parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    warn_if_busy()
    collected = Collected(NAME)
    for engine in options.engine or default_engines():
        with closing(open_stages(engine, options.backend)) as stages:
            if stages.is_fused:
                print(
                    f"{stages.engine.name}: its one graph has no temporal part of its own; left out"
                )
                continue
            medians = measure(stages, options.seconds, collected)
            print(_as_table(stages, medians))
            for check in checks(medians["stream"], medians["window"]):
                print(f"  {check}")
            print()
    keep(collected, options.json)


def measure(
    stages: EngineStages, budget_s: float, collected: Collected
) -> dict[str, dict[int, float]]:
    """Median cost of a frame [ms] by mode and stream length; lengths without time are missing."""
    rows = stages.random_features(_FEATURES)
    medians: dict[str, dict[int, float]] = {}
    for mode in MODES:
        budget_of_mode_s = budget_s * _SHARES[mode]
        match mode:
            case "stream":
                contenders = _streams(stages, rows, budget_s * _SHARES["grow"])
                turns = Turns(rounds=200, budget_s=budget_of_mode_s)
            case "window":
                contenders = _windows(stages, rows)
                turns = Turns(rounds=200, warmup_runs=1, budget_s=budget_of_mode_s)
            case _:
                contenders = _wholes(stages, rows, budget_of_mode_s)
                # The first round is what the time was planned for; any others are extra.
                turns = Turns(rounds=20, runs=1, skipped_runs=0, warmup_runs=0, budget_s=1.0)
        time_in_turns(list(contenders.values()), turns)
        medians[mode] = {}
        for length in LENGTHS:
            found = contenders.get(length)
            labels = Labels(
                engine=stages.engine.name,
                backend=stages.backend,
                precision=stages.engine.precision,
                length=length,
                note="" if found else "no time for it: give more --seconds",
            )
            samples_ms = found.samples_ms if found else []
            case = f"{stages.engine.name}, {mode}, {length} frames"
            record = collected.add(case, samples_ms, labels)
            if record.summary is not None:
                medians[mode][length] = record.summary.p50
    return medians


def _streams(stages: EngineStages, rows: FloatArray, budget_s: float) -> dict[int, Contender]:
    """Streams that have grown to their lengths, as far as the time reaches."""
    until_s = perf_counter() + budget_s
    grown = {}
    stream = Stream(stages.temporal("stream"), rows)
    for length in LENGTHS:
        if not stream.grow(length, until_s):
            break
        # A copy of the memory; network and features stay the same objects.
        copied: Stream = copy.deepcopy(stream, {id(one): one for one in (stages.model, rows)})
        grown[length] = Contender(name=str(length), run=copied)
    return grown


def _windows(stages: EngineStages, rows: FloatArray) -> dict[int, Contender]:
    """Window mode forgets all but 16 frames: a short stream and one four times as long show it."""
    found = {}
    for length in LENGTHS[:2]:
        stream = Stream(stages.temporal("window"), rows)
        for _ in range(length):
            stream()
        found[length] = Contender(name=str(length), run=stream)
    return found


def _wholes(stages: EngineStages, rows: FloatArray, budget_s: float) -> dict[int, Contender]:
    """Re-runs that fit into the time, once each."""
    rerun_whole(stages.model, rows, LENGTHS[0])  # warm
    started_s = perf_counter()
    rerun_whole(stages.model, rows, LENGTHS[0])
    step_s = (perf_counter() - started_s) / LENGTHS[0]
    found, left_s = {}, budget_s
    for length in LENGTHS:
        left_s -= length * step_s
        if left_s < 0:
            break
        found[length] = Contender(
            name=str(length),
            run=_Whole(stages.model, rows, length),
        )
    return found


@dataclass(frozen=True, slots=True)
class _Whole:
    model: MotionModel
    rows: FloatArray
    length: int

    def __call__(self) -> None:
        rerun_whole(self.model, self.rows, self.length)


def _as_table(stages: EngineStages, medians: dict[str, dict[int, float]]) -> str:
    title = f"{stages.engine.name} ({stages.backend}), ms a frame"
    return f"{title}\n" + table(("frames before", *MODES), list(_rows(medians)))


def _rows(medians: dict[str, dict[int, float]]) -> Iterator[tuple[str, ...]]:
    for length in LENGTHS:
        cells = (medians[mode].get(length) for mode in MODES)
        yield (f"{length}", *("-" if cell is None else f"{cell:.3f}" for cell in cells))


if __name__ == "__main__":
    raise SystemExit(main())
