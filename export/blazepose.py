"""Makes BlazePose's engine: `python -m export.blazepose`.

Takes the two TensorFlow Lite files from the pinned MediaPipe wheel, converts them to ONNX, checks
the result against the originals run by LiteRT, and writes `detector.onnx`, `landmarks.onnx` and
`blazepose.json` with their sha256. The converted files are part of the repository; this command
only reproduces them.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from export.blazepose_check import check_graph, sample_images
from export.blazepose_source import REQUIREMENT, TFLITE_SHA256, BlazePoseFiles, fetch_blazepose
from export.blazepose_task import write_task
from export.heat_windows import add_heat_windows
from export.tflite_reader import read_tflite
from export.tflite_to_onnx import Normalisation, convert
from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.tracking.factory import FORMAT_VERSION, MANIFEST
from realtime_vibe.tracking.mediapipe_tracker import default_task_path

_ROOT = Path(__file__).resolve().parent.parent
DETECTOR_OUTPUTS = {"Identity": "boxes", "Identity_1": "scores"}
DETECTOR_NORMALISATION = Normalisation(mean=127.5, scale=127.5)
LANDMARK_OUTPUTS = {
    "Identity": "landmarks",
    "Identity_1": "presence",
    "Identity_3": "heatmaps",
    "Identity_4": "world_landmarks",
}
LANDMARK_NORMALISATION = Normalisation(mean=0.0, scale=255.0)


def build_graphs(files: BlazePoseFiles) -> dict[str, onnx.ModelProto]:
    """Converts both files; by the name of the graph, `detector` and `landmarks`."""
    return {
        "detector": convert(
            read_tflite(files.detector),
            outputs=DETECTOR_OUTPUTS,
            normalisation=DETECTOR_NORMALISATION,
            name="blazepose_detector",
        ),
        "landmarks": convert(
            read_tflite(files.landmarks),
            outputs=LANDMARK_OUTPUTS,
            normalisation=LANDMARK_NORMALISATION,
            name="blazepose_landmarks",
        ),
    }


def write_engine(graphs: dict[str, onnx.ModelProto], errors: dict[str, Any], folder: Path) -> None:
    """Writes the graphs and the manifest that names them.

    Args:
        graphs: from `build_graphs`.
        errors: measured largest difference from the original by graph and output.
        folder: of the engine; made when absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Any] = {}
    for name, model in graphs.items():
        data = model.SerializeToString(deterministic=True)
        (folder / f"{name}.onnx").write_bytes(data)
        entries[name] = {
            "file": f"{name}.onnx",
            "sha256": hashlib.sha256(data).hexdigest(),
            "inputs": [_describe(value) for value in model.graph.input],
            "outputs": [_describe(value) for value in model.graph.output],
            "max_abs_error_to_tflite": errors[name],
        }
    manifest = {
        "format_version": FORMAT_VERSION,
        "family": "blazepose",
        "licence": "Apache-2.0",
        "source": {"requirement": REQUIREMENT, "sha256": TFLITE_SHA256},
        "graphs": entries,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit status."""
    parser = argparse.ArgumentParser(prog="python -m export.blazepose", description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"a wheel of {REQUIREMENT}; default: download")
    parser.add_argument("--out", type=Path, default=_ROOT / "engines" / "blazepose")
    parser.add_argument(
        "--clips",
        type=Path,
        default=_ROOT.parent / "shared" / "data",
        help="folder searched for .mp4 files to check on, besides random images",
    )
    parser.add_argument(
        "--task",
        type=Path,
        nargs="?",
        const=default_task_path(),
        help="write MediaPipe's .task bundle instead of the engine; without a path into the cache",
    )
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = fetch_blazepose(Path(folder), options.wheel)
            if options.task is not None:
                write_task(files, options.task)
                print(f"wrote {options.task}")
            else:
                _make_engine(files, options.clips, options.out)
    except RealtimeVibeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _make_engine(files: BlazePoseFiles, clips: Path, out: Path) -> None:
    graphs = build_graphs(files)
    errors = {
        "detector": check_graph(
            graphs["detector"],
            files.detector,
            DETECTOR_OUTPUTS,
            DETECTOR_NORMALISATION,
            sample_images(clips),
        ),
        "landmarks": check_graph(
            graphs["landmarks"],
            files.landmarks,
            LANDMARK_OUTPUTS,
            LANDMARK_NORMALISATION,
            sample_images(clips),
        ),
    }
    graphs["landmarks"] = add_heat_windows(graphs["landmarks"])
    for name, by_output in errors.items():
        print(f"{name}: largest difference from the original {by_output}")
    write_engine(graphs, errors, out)
    print(f"wrote {out}")


def _describe(value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = [dimension.dim_value for dimension in tensor.shape.dim]
    return {"name": value.name, "shape": shape, "dtype": str(dtype)}


if __name__ == "__main__":
    raise SystemExit(main())
