"""What `python -m export.build` does: convert, write, compare, and only then put in place."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import onnx

from export.build_manifest import ParityFacts, built_content, with_allowed_precision
from export.build_source import BuildSource, SourceFolder, opened, read_source
from export.built_folder import check_replaceable, folder_bytes, write_manifest, written_aside
from export.calibration import ClipRecording, Feeds, record_clips
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
from export.targets import Target, check_precision, file_entry
from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.manifest import GraphSpec
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import ExportError

TRACKER_PLACE = "tracker"
_TRACKER_BEARS = ("fp32", "fp16")
"""Eight bits, of mantissa or of all, move the joints behind the landmark network by 40 to 50 mm."""
_SETTINGS = (("openvino", "bf16"), ("onnx", "fp16"))
"""Precisions a backend can compute in without other files: CoreML does the second to any graph."""
_NUM_COMPARED = 32
"""Runs of a network without memory that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What can be chosen besides the target."""

    precision: str
    clips: tuple[Path, ...]
    """Networks are calibrated on all of them and joints compared on the first."""
    frames: int
    """Of each clip at most."""
    limit_mm: float
    """How far joints may move in the mean."""
    kept: tuple[str, ...] = ()
    """Graphs that stay in single precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What was written and how well it agrees."""

    folder: Path
    graphs: Mapping[str, GraphParity]
    seconds: Mapping[str, float]
    """To convert and write each graph."""
    joints: JointError
    clip: str
    notes: tuple[str, ...]
    """What the user should know besides."""
    size_bytes: int
    """0: nothing was written."""


def build_engine(engine: Path, target: Target, options: BuildOptions, out: Path) -> BuildReport:
    """Builds the folder `out`.

    Args:
        engine: folder of the single precision ONNX engine, or of the tracker.
        target: writes the graphs.
        options: see there.
        out: replaced when everything has passed, if it is a built engine itself.

    Raises:
        ExportError: the target lacks the precision, or a graph differs too much.
        EngineError: the engine is damaged.
        BackendUnavailableError: the target's library is missing.
    """
    check_precision(target, options.precision)
    check_replaceable(out)
    source = read_source(engine)
    target.prepare()
    with written_aside(out) as aside:
        report, manifests = _built(source, target, options, aside)
        for place, content in manifests.items():
            part = source.parts[place]
            write_manifest(aside / place / part.kind.file_name, content)
        if "body" in source.parts[""].content:
            shutil.copyfile(source.engine.body, aside / source.engine.body.name)
        size = folder_bytes(aside)
    return _report(report, out, options, size)


def check_engine(engine: Path, target: Target, options: BuildOptions) -> BuildReport:
    """Compares as a build does, then states the precision as allowed in the engine's own manifest.

    That of its tracker stays as it is; it can be named itself.

    Args:
        engine: folder of the single precision ONNX engine, or of the tracker.
        target: computes the graphs.
        options: see there.

    Raises:
        ExportError: the target lacks the precision, or a graph differs too much; nothing was stated.
        EngineError: the engine is damaged.
        BackendUnavailableError: the target's library is missing.
    """
    check_precision(target, options.precision)
    if (target.name, options.precision) not in _SETTINGS:
        raise ExportError(
            f"{options.precision} on {target.name} needs files of its own, so that there is nothing to allow: "
            f"expected {' or '.join(f'{name} with {value}' for name, value in _SETTINGS)}"
        )
    source = read_source(engine)
    target.prepare()
    with TemporaryDirectory() as scratch:
        report, manifests = _built(source, target, options, Path(scratch))
    part = source.parts[""]
    if manifests[""]["precision"] != options.precision:
        raise ExportError(
            f"no graph of {engine} itself is in {options.precision}: nothing was stated"
        )
    stated = with_allowed_precision(part.content, options.precision)
    write_manifest(part.folder / part.kind.file_name, stated)
    return _report(report, engine, options, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """What was found out about all graphs."""

    graphs: Mapping[str, GraphParity]
    seconds: Mapping[str, float]
    joints: JointError
    on_target: str
    precisions: Mapping[str, str]
    """Of the parts, by their place."""


def _built(
    source: BuildSource, target: Target, options: BuildOptions, folder: Path
) -> tuple[_Comparison, dict[str, dict[str, Any]]]:
    """Writes all graphs and compares them; gives the manifests, by place."""
    plan = _plan(source, options.precision, options.kept)
    clips = options.clips if "int8" in plan.values() else options.clips[:1]
    entries: dict[str, dict[str, Any]] = {}
    seconds: dict[str, float] = {}
    parities: dict[str, GraphParity] = {}
    with opened(source.all_graphs) as expected, ExitStack() as stack:
        recording = record_clips(source.engine, expected, clips, options.frames)
        built: dict[str, InferenceSession] = {}
        on_target = "run"
        for place, part in source.parts.items():
            (folder / place).mkdir(exist_ok=True)
            for name, spec in part.graphs.items():
                begun_s = perf_counter()
                model = _converted(spec, plan[name], target, recording.feeds[name])
                path = target.write(model, spec, folder / place / name, plan[name])
                seconds[name] = perf_counter() - begun_s
                entries[name] = file_entry(path, spec, plan[name])
                session = target.open(path, plan[name])
                if session is None:
                    on_target = "not run: no GPU"
                    session = stack.enter_context(_as_onnx(model))
                built[name] = stack.enter_context(session)
                feeds = _compared_feeds(recording, name)
                parities[name] = compare_graph(expected[name], built[name], feeds, plan[name])
                check_graph(name, parities[name])
        joints = compare_joints(
            replayed_joints(source.engine, expected, recording.seen),
            replayed_joints(source.engine, {**expected, **built}, recording.seen),
        )
    check_joints(joints, options.precision, options.limit_mm)
    comparison = _Comparison(
        graphs=parities,
        seconds=seconds,
        joints=joints,
        on_target=on_target,
        precisions={place: _part_precision(part, plan) for place, part in source.parts.items()},
    )
    facts = ParityFacts(
        joints=joints, limit_mm=options.limit_mm, on_target=on_target, clips=recording.clips
    )
    manifests = {
        place: built_content(
            part,
            {name: entries[name] for name in part.graphs},
            {"target": target.name, "precision": comparison.precisions[place]},
            target.built(),
            facts.content({name: parities[name] for name in part.graphs}),
        )
        for place, part in source.parts.items()
    }
    return comparison, manifests


def _plan(source: BuildSource, precision: str, kept: tuple[str, ...]) -> dict[str, str]:
    """The precision of each graph.

    Raises:
        ExportError: there is no graph of a name that is kept, or none would be in the precision.
    """
    unknown = set(kept) - source.built_graphs.keys()
    if unknown:
        raise ExportError(
            f"there is no graph {', '.join(sorted(unknown))} to keep: expected some of "
            f"{', '.join(sorted(source.built_graphs))}"
        )
    plan = {}
    for place, part in source.parts.items():
        for name, spec in part.graphs.items():
            bears = name not in kept and (place != TRACKER_PLACE or precision in _TRACKER_BEARS)
            if precision == "int8":
                bears = bears and num_convolutions(onnx.load(str(spec.path))) > 0
            plan[name] = precision if bears else "fp32"
    if precision not in plan.values():
        raise ExportError(
            f"nothing of {source.parts[''].folder} would be in {precision}: eight bits are for convolutions, the "
            "tracker bears neither them nor bf16, and some may be kept; expected another precision"
        )
    return plan


def _part_precision(part: SourceFolder, plan: Mapping[str, str]) -> str:
    found = {plan[name] for name in part.graphs} - {"fp32"}
    return found.pop() if found else "fp32"


def _converted(spec: GraphSpec, precision: str, target: Target, feeds: Feeds) -> onnx.ModelProto:
    model = onnx.load(str(spec.path))
    if precision == "int8":
        return in_int8(model, feeds)
    if precision == "fp16" and target.name != "openvino":
        return in_half(model)
    return model


def _compared_feeds(recording: ClipRecording, name: str) -> Feeds:
    """All in order where a state is carried from one to the next."""
    feeds = recording.feeds[name]
    return feeds if "hidden" in feeds[0] else spread(feeds, _NUM_COMPARED)


@contextmanager
def _as_onnx(model: onnx.ModelProto) -> Iterator[InferenceSession]:
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "graph.onnx"
        onnx.save(model, str(path))
        with OnnxRuntimeSession(path) as session:
            yield session


def _report(found: _Comparison, folder: Path, options: BuildOptions, size: int) -> BuildReport:
    notes = []
    if found.on_target != "run":
        notes.append(
            f"parity on the target {found.on_target}; the figures are those of the graphs it was built from"
        )
    if found.precisions.get(TRACKER_PLACE, options.precision) != options.precision:
        notes.append(
            f"the tracker stays in fp32: in {options.precision} its landmarks would move joints by centimetres"
        )
    return BuildReport(
        folder=folder,
        graphs=found.graphs,
        seconds=found.seconds,
        joints=found.joints,
        clip=options.clips[0].name,
        notes=tuple(notes),
        size_bytes=size,
    )
