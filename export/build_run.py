"""What `python -m export.build` does: convert, write, compare, and only then put in place."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx

from export.build_attempts import BuildAttempts, Comparison
from export.build_manifest import built_content, with_allowed_precision
from export.build_source import BuildSource, opened, read_source
from export.built_folder import check_replaceable, folder_bytes, write_manifest, written_aside
from export.calibration import record_clips
from export.int8_graphs import num_convolutions
from export.targets import Target, check_precision
from realtime_vibe.backends.graph_folder import GraphFolder
from realtime_vibe.errors import ExportError

TRACKER_PLACE = "tracker"
_TRACKER_PRECISIONS = ("fp32", "fp16")
"""Eight bits, of mantissa or of all, move the joints behind the landmark network by 40 to 50 mm."""
_SETTINGS = (("openvino", "bf16"), ("onnx", "fp16"))
"""Precisions a backend can compute in without other files: CoreML does the second to any graph."""


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
    found: Comparison
    clip: str
    notes: tuple[str, ...]
    """What the user should know besides."""
    size_bytes: int
    """0: nothing was written."""


def build_engine(engine: Path, target: Target, options: BuildOptions, out: Path) -> BuildReport:
    """Builds the folder `out`.

    Args:
        engine: folder of the single precision ONNX engine, or of the tracker.
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
            write_manifest(aside / place / part.manifest, content)
        if "body" in source.parts[""].content:
            shutil.copyfile(source.engine.body, aside / source.engine.body.name)
        size = folder_bytes(aside)
    return _report(report, manifests, out, options, size)


def check_engine(engine: Path, target: Target, options: BuildOptions) -> BuildReport:
    """Compares as a build does, then states the precision as allowed in the engine's own manifest.

    That of its tracker stays as it is; it can be named itself.

    Args:
        engine: folder of the single precision ONNX engine, or of the tracker.

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
    write_manifest(part.path / part.manifest, stated)
    return _report(report, manifests, engine, options, 0)


def _built(
    source: BuildSource, target: Target, options: BuildOptions, folder: Path
) -> tuple[Comparison, dict[str, dict[str, Any]]]:
    """Writes all graphs and compares them; gives the manifests, by place."""
    plan = _plan(source, options.precision, options.kept)
    clips = options.clips if "int8" in plan.values() else options.clips[:1]
    with opened(source.all_graphs) as expected:
        recording = record_clips(source.engine, expected, clips, options.frames)
        attempts = BuildAttempts(
            source=source,
            target=target,
            plan=plan,
            folder=folder,
            expected=expected,
            recording=recording,
        )
        comparison = attempts.within(options.limit_mm, options.precision)
    manifests = {
        place: built_content(
            part,
            target,
            _part_precision(part, plan),
            comparison,
            recording.clips,
            options.limit_mm,
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
        for name, spec in part.graphs().items():
            takes_part = name not in kept and (
                place != TRACKER_PLACE or precision in _TRACKER_PRECISIONS
            )
            if precision == "int8":
                takes_part = takes_part and num_convolutions(onnx.load(str(spec.path))) > 0
            plan[name] = precision if takes_part else "fp32"
    if precision not in plan.values():
        raise ExportError(
            f"nothing of {source.parts[''].path} would be in {precision}: eight bits are for convolutions, the "
            "tracker tolerates neither them nor bf16, and some may be kept; expected another precision"
        )
    return plan


def _part_precision(part: GraphFolder, plan: Mapping[str, str]) -> str:
    """What the manifest of a folder states: the lowest precision of its graphs."""
    found = {plan[name] for name in part.graph_names} - {"fp32"}
    return found.pop() if found else "fp32"


def _report(
    found: Comparison,
    manifests: Mapping[str, Mapping[str, Any]],
    folder: Path,
    options: BuildOptions,
    size: int,
) -> BuildReport:
    notes = [
        f"{name}: the first {parity.convolutions_kept} convolutions stay in fp32, as eight bits in all of them "
        "would move joints too far"
        for name, parity in found.graphs.items()
        if parity.convolutions_kept
    ]
    if found.on_target != "run":
        notes.append(
            f"parity on the target {found.on_target}; the figures are those of the graphs it was built from"
        )
    tracker = manifests.get(TRACKER_PLACE)
    if tracker is not None and tracker["precision"] != options.precision:
        notes.append(
            f"the tracker stays in fp32: in {options.precision} its landmarks would move joints by centimetres"
        )
    return BuildReport(
        folder=folder,
        found=found,
        clip=options.clips[0].name,
        notes=tuple(notes),
        size_bytes=size,
    )
