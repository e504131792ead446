"""Makes BlazePose's engine: `python -m export.blazepose`.

Takes the two TensorFlow Lite files from the pinned MediaPipe wheel, converts them to ONNX, checks
the result against the originals run by LiteRT, and writes `detector.onnx`, `landmarks.onnx`,
`landmarks_heat.onnx` and `blazepose.json` with their sha256. The converted files are part of the
repository; this command only reproduces them.

The landmark network comes twice, without and with its heat maps: they take a third off the pixel
error and cost an eighth of the network's time, so that the user chooses.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx

from export.blazepose_check import check_graph, sample_images
from export.blazepose_source import REQUIREMENT, TFLITE_SHA256, BlazePoseFiles, fetch_blazepose
from export.blazepose_task import write_task
from export.heat_windows import add_heat_windows
from export.tflite_reader import read_tflite
from export.tflite_to_onnx import Normalisation, convert
from realtime_vibe.backends.manifest import FORMAT_VERSION
from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.tracking.factory import BLAZEPOSE_KIND
from realtime_vibe.tracking.mediapipe_tracker import default_task_path

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one graph is made."""

    source: Literal["detector", "landmarks"]
    """The file it comes from: a field of `BlazePoseFiles`."""
    outputs: Mapping[str, str]
    """New name of each output to keep, by its name in the file; the rest is cut off."""
    normalisation: Normalisation


LANDMARK_NORMALISATION = Normalisation(mean=0.0, scale=255.0)
RECIPES: Mapping[str, Recipe] = {
    "detector": Recipe(
        source="detector",
        outputs={"Identity": "boxes", "Identity_1": "scores"},
        normalisation=Normalisation(mean=127.5, scale=127.5),
    ),
    "landmarks": Recipe(
        source="landmarks",
        outputs={
            "Identity": "landmarks",
            "Identity_1": "presence",
            "Identity_4": "world_landmarks",
        },
        normalisation=LANDMARK_NORMALISATION,
    ),
    "landmarks_heat": Recipe(
        source="landmarks",
        outputs={
            "Identity": "landmarks",
            "Identity_1": "presence",
            "Identity_3": "heatmaps",
            "Identity_4": "world_landmarks",
        },
        normalisation=LANDMARK_NORMALISATION,
    ),
}
"""By the name of the graph. A graph with heat maps gets their windows cut out after the check."""


def build_graph(files: BlazePoseFiles, recipe: Recipe) -> onnx.ModelProto:
    """Converts one file to one graph, with whole heat maps where the recipe has them."""
    return convert(
        read_tflite(getattr(files, recipe.source)),
        outputs=recipe.outputs,
        normalisation=recipe.normalisation,
        name=f"blazepose_{recipe.source}",
    )


def write_engine(graphs: dict[str, onnx.ModelProto], errors: dict[str, Any], folder: Path) -> None:
    """Writes the graphs and the manifest that names them.

    Args:
        graphs: by their names.
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
    (folder / BLAZEPOSE_KIND.file_name).write_text(
        json.dumps(manifest, indent=2) + "\n", encoding="utf-8"
    )


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
    images = sample_images(clips)
    graphs: dict[str, onnx.ModelProto] = {}
    errors: dict[str, Any] = {}
    for name, recipe in RECIPES.items():
        graph = build_graph(files, recipe)
        original = getattr(files, recipe.source)
        errors[name] = check_graph(graph, original, recipe.outputs, recipe.normalisation, images)
        has_maps = "heatmaps" in recipe.outputs.values()
        graphs[name] = add_heat_windows(graph) if has_maps else graph
        print(f"{name}: largest difference from the original {errors[name]}")
    write_engine(graphs, errors, out)
    print(f"wrote {out}")


def _describe(value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = [dimension.dim_value for dimension in tensor.shape.dim]
    return {"name": value.name, "shape": shape, "dtype": str(dtype)}


if __name__ == "__main__":
    raise SystemExit(main())
