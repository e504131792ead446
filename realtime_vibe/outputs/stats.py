"""Latency statistics of a run as one JSON file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from realtime_vibe.packets import FrameResult
from realtime_vibe.system.machine import installed_versions, machine_facts
from realtime_vibe.system.placing import write_atomically
from realtime_vibe.system.timing import LatencyStats

STAGES = ("track", "features", "temporal", "body", "step", "end_to_end")
"""The four stages, their whole (`step`), and grab to mesh ready (`end_to_end`)."""

DEFAULT_WARMUP_FRAMES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What only the application knows about a run."""

    frames_grabbed: int
    """Frames the source delivered."""
    frames_dropped: int
    """Frames that a newer one replaced before they were processed."""
    frames_started_over: int = 0
    """Frames in which somebody was left out because a network's numbers were no body's."""
    engine: str
    backend: str
    """What really ran the graphs, such as `onnxruntime:CPU`."""
    precision: str
    backends: Mapping[str, str] = field(default_factory=dict)
    """The same for each graph: `{"landmarks": "openvino:CPU:f32"}`."""


class StatsCollector:
    """Collects the times of a run; memory is bounded.

    The first `warmup` frames are left out of every figure: first runs allocate and tune.
    """

    def __init__(self, *, warmup: int = DEFAULT_WARMUP_FRAMES) -> None:
        self._warmup = warmup
        self._stages = {name: LatencyStats(warmup) for name in STAGES}
        self._first_ready_s: float | None = None
        self._last_ready_s = 0.0
        self.num_processed = 0
        """Frames added so far, warm-up included."""

    def add(self, result: FrameResult, ready_at_s: float) -> None:
        """Takes one processed frame, whose mesh was ready at `ready_at_s` by `time.perf_counter`."""
        for name, spent_ms in result.stage_ms.items():
            if name not in self._stages:
                self._stages[name] = LatencyStats(self._warmup)
            self._stages[name].add(spent_ms)
        self._stages["end_to_end"].add((ready_at_s - result.frame.grabbed_at_s) * 1e3)
        self.num_processed += 1
        if self.num_processed > self._warmup:
            if self._first_ready_s is None:
                self._first_ready_s = ready_at_s
            self._last_ready_s = ready_at_s

    def percentile_ms(self, stage: str, percent: float) -> float:
        """A percentile of a stage over the run [ms]; NaN while there is no value."""
        return self._stages[stage].percentile_ms(percent)

    def recent_ms(self, stage: str, percent: float) -> float:
        """A percentile of a stage over the last seconds [ms], to be shown while the run goes on."""
        return self._stages[stage].recent_ms(percent)

    @property
    def fps(self) -> float | None:
        """Processed frames per second after the warm-up, by intervals; None below two frames."""
        intervals = self.num_processed - self._warmup - 1
        if intervals < 1 or self._first_ready_s is None:
            return None
        span_s = self._last_ready_s - self._first_ready_s
        return intervals / span_s if span_s > 0 else None

    def document(self, facts: RunFacts) -> dict[str, object]:
        """The statistics as JSON-ready values; a figure that was not measured is None."""
        fps = self.fps
        return {
            "stages": {name: stats.summary() for name, stats in self._stages.items()},
            "fps": None if fps is None else round(fps, 3),
            "frames": {
                "grabbed": facts.frames_grabbed,
                "processed": self.num_processed,
                "dropped": facts.frames_dropped,
                "started_over": facts.frames_started_over,
            },
            "warmup_frames": min(self._warmup, self.num_processed),
            "engine": facts.engine,
            "backend": facts.backend,
            "backends": dict(facts.backends),
            "precision": facts.precision,
            "machine": machine_facts(),
            "versions": installed_versions(),
        }


def write_stats(path: Path, document: dict[str, object], *, overwrite: bool) -> None:
    """Writes the statistics to `path`, or beside it where it is there and may not be replaced.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()), overwrite=overwrite)
