"""Writes an engine's graphs and compares them; where eight bits move joints too far, again with fewer of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import onnx

from export.build_source import BuildSource
from export.calibration import ClipRecording, Feeds
from export.clip_replay import replayed_joints
from export.int8_graphs import in_int8, num_convolutions, spread
from export.parity_report import (
    GraphParity,
    JointError,
    check_graph,
    check_joints,
    compare_graph,
    compare_joints,
)
from export.precision_graphs import in_half
from export.targets import Target, file_entry
from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.packets import FloatArray

KEPT_SHARES = (0.0, 0.2, 0.45, 0.7)
"""Of a network's convolutions, from the first on, that stay single; the least that will do is taken.

What the first ones round goes through all that follow: a fifth of ResNet-50's makes half of the error.
"""
_NUM_COMPARED = 32
"""Runs of a network without memory that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was written and found out about all graphs."""

    graphs: Mapping[str, GraphParity]
    seconds: Mapping[str, float]
    """To convert and write each graph."""
    entries: Mapping[str, dict[str, Any]]
    """As the manifest lists each file."""
    joints: JointError
    on_target: str
    """`run`, or why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildAttempts:
    """Writes the graphs of one build, more than once if need be."""

    source: BuildSource
    target: Target
    plan: Mapping[str, str]
    """The precision of each graph."""
    folder: Path
    expected: Mapping[str, InferenceSession]
    """The single precision graphs, open."""
    recording: ClipRecording

    def within(self, limit_mm: float, precision: str) -> Comparison:
        """The graphs as written last; see `first_within`."""
        shares = KEPT_SHARES if "int8" in self.plan.values() else KEPT_SHARES[:1]
        wanted = replayed_joints(self.source.engine, self.expected, self.recording.seen)
        return first_within(lambda share: self._attempt(share, wanted), shares, limit_mm, precision)

    def _attempt(self, share: float, wanted: list[FloatArray | None]) -> Comparison:
        entries: dict[str, dict[str, Any]] = {}
        seconds: dict[str, float] = {}
        parities: dict[str, GraphParity] = {}
        built: dict[str, InferenceSession] = {}
        on_target = "run"
        with ExitStack() as stack:
            for place, part in self.source.parts.items():
                (self.folder / place).mkdir(exist_ok=True)
                for name, spec in part.graphs().items():
                    precision = self.plan[name]
                    begun_s = perf_counter()
                    model, num_kept = self._converted(name, spec, share)
                    path = self.target.write(model, spec, self.folder / place / name, precision)
                    seconds[name] = perf_counter() - begun_s
                    entries[name] = file_entry(path, spec, precision)
                    session = self.target.open(path, precision)
                    if session is None:
                        on_target = "not run: no GPU"
                        session = stack.enter_context(_as_onnx(model))
                    built[name] = stack.enter_context(session)
                    parities[name] = replace(
                        compare_graph(
                            self.expected[name], built[name], self._compared_feeds(name), precision
                        ),
                        convolutions_kept=num_kept,
                    )
                    check_graph(name, parities[name])
            found = replayed_joints(
                self.source.engine, {**self.expected, **built}, self.recording.seen
            )
        return Comparison(
            graphs=parities,
            seconds=seconds,
            entries=entries,
            joints=compare_joints(wanted, found),
            on_target=on_target,
        )

    def _converted(self, name: str, spec: Graph, share: float) -> tuple[onnx.ModelProto, int]:
        """The graph in its precision, and how many convolutions of an int8 graph stay single."""
        model, precision = onnx.load(str(spec.path)), self.plan[name]
        if precision == "int8":
            num_kept = round(share * num_convolutions(model))
            return in_int8(model, self.recording.feeds[name], num_kept), num_kept
        if precision == "fp16" and self.target.name != "openvino":
            return in_half(model), 0
        return model, 0

    def _compared_feeds(self, name: str) -> Feeds:
        """All in order where a state is carried from one to the next."""
        feeds = self.recording.feeds[name]
        return feeds if "hidden" in feeds[0] else spread(feeds, _NUM_COMPARED)


def first_within(
    attempt: Callable[[float], Comparison],
    shares: Sequence[float],
    limit_mm: float,
    precision: str,
) -> Comparison:
    """The first attempt that moves joints by no more than the limit.

    Args:
        attempt: writes everything, with a share of the convolutions in single precision.
        shares: to try in turn, one at least.

    Raises:
        ExportError: none does, or a graph differs too much.
    """
    for share in shares:
        found = attempt(share)
        if found.joints.mean_mm <= limit_mm:
            break
    kept = f", the first {share:.0%} of the convolutions in fp32," if share else ""
    check_joints(found.joints, precision + kept, limit_mm)
    return found


@contextmanager
def _as_onnx(model: onnx.ModelProto) -> Iterator[InferenceSession]:
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "graph.onnx"
        onnx.save(model, str(path))
        with OnnxRuntimeSession(path) as session:
            yield session
