"""Builds an engine for one backend and one precision, out of a single precision ONNX engine.

    python -m export.build engines/blazepose-gru --target openvino --precision bf16 --out out/ov
    python -m export.build engines/blazepose-gru --target tensorrt-rtx --precision fp16 --out out/rtx

An engine that reads landmarks gets its tracker along, in `OUT/tracker`. Every graph is compared with the one it
was built from, on what the live pipeline feeds to it, and the joints of a real clip are compared in
millimetres; OUT changes only when all agree, and in one step.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from export.build_run import BuildOptions, BuildReport, build_engine, check_engine
from export.calibration import default_clips
from export.openvino_target import OpenVinoTarget
from export.parity_report import MEAN_JOINT_LIMIT_MM
from export.targets import OnnxTarget, Target
from export.tensorrt_rtx_target import DEFAULT_CAPABILITIES, TensorRtRtxTarget
from export.tensorrt_target import TensorRtTarget
from realtime_vibe.errors import RealtimeVibeError

TARGETS = ("onnx", "openvino", "tensorrt", "tensorrt-rtx", "torch-tensorrt")
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
_MIB = 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; gives the exit status."""
    given = _parser().parse_args(arguments)
    options = BuildOptions(
        precision=given.precision,
        clips=tuple(given.calibrate or default_clips()),
        frames=given.frames,
        limit_mm=given.limit_mm,
        kept=tuple(given.keep),
    )
    try:
        target = _target(given.target, tuple(given.compute_capability))
        if given.check_only:
            report = check_engine(given.engine, target, options)
        else:
            out = given.out or Path("out") / f"{given.engine.name}-{given.target}-{given.precision}"
            report = build_engine(given.engine, target, options, out)
    except (RealtimeVibeError, OSError) as error:
        print(f"export.build: error: {error}", file=sys.stderr)
        return 2
    _print(report)
    return 0


def _target(name: str, capabilities: tuple[str, ...]) -> Target:
    """The target of that name, one of `TARGETS`; torch is imported for the one that needs it."""
    match name:
        case "onnx":
            return OnnxTarget()
        case "openvino":
            return OpenVinoTarget()
        case "tensorrt":
            return TensorRtTarget()
        case "tensorrt-rtx":
            return TensorRtRtxTarget(capabilities)
        case _:
            from export.torch_tensorrt_target import TorchTensorRtTarget

            return TorchTensorRtTarget()


def _print(report: BuildReport) -> None:
    for name, parity in report.found.graphs.items():
        worst = max(parity.outputs, key=lambda output: parity.outputs[output].mean_relative)
        error = parity.outputs[worst]
        print(
            f"{name} {parity.precision}: {worst} differs by {error.mean_relative:.1e} of its range in the "
            f"mean, {error.max_relative:.1e} at most ({report.found.seconds[name]:.1f} s)"
        )
    for note in report.notes:
        print(note)
    joints = report.found.joints
    print(
        f"joints move by {joints.mean_mm:.2f} mm in the mean, {joints.max_mm:.1f} mm at most, over "
        f"{joints.frames} frames of {report.clip}"
    )
    if report.size_bytes:
        print(f"{report.folder}: {report.size_bytes / _MIB:.1f} MiB")
    else:
        print(f"{report.folder}: the precision is now stated as allowed")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export.build",
        description="Build an engine for one backend and precision, checked on a real clip.",
    )
    parser.add_argument("engine", type=Path, help="folder with an engine.json or a blazepose.json")
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--out", type=Path, help="default: out/ENGINE-TARGET-PRECISION")
    parser.add_argument(
        "--calibrate",
        type=Path,
        nargs="+",
        metavar="CLIP",
        help="videos to calibrate on; joints are compared on the first (default: the bundled clip)",
    )
    parser.add_argument(
        "--frames", type=int, default=90, help="of each clip at most (default: %(default)s)"
    )
    parser.add_argument(
        "--limit-mm",
        type=float,
        default=MEAN_JOINT_LIMIT_MM,
        help="how far joints may move in the mean (default: %(default)s mm)",
    )
    parser.add_argument(
        "--keep", nargs="+", default=(), metavar="GRAPH", help="graphs that stay in fp32"
    )
    parser.add_argument(
        "--compute-capability",
        nargs="+",
        default=DEFAULT_CAPABILITIES,
        metavar="X.Y",
        help="GPUs to compile for, with --target tensorrt-rtx (default: all: %(default)s)",
    )
    parser.add_argument(
        "--check-only",
        action="store_true",
        help="write no engine; where the check passes, state the precision as allowed in ENGINE's "
        "manifest, so that --backend auto may take it",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
