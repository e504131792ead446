"""Makes BlazePose's graphs: `python -m export.blazepose [--model lite|full|heavy]`.

Takes TensorFlow Lite files from pinned packages (detector and `full` from the MediaPipe wheel, `lite`
and `heavy` from npm's `@mediapipe/pose`), converts them to ONNX, checks the result against the
originals run by LiteRT, and writes the graphs and `blazepose.json` with their sha256. `full` and `lite`
are part of the repository, which this command only reproduces; `heavy` is too large and is made by it.

Every landmark network comes twice, without and with its heat maps: they take a third off the pixel
error and cost an eighth of the network's time (in `heavy` nothing), so that the user chooses.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import onnx

from export.blazepose_check import check_graph, sample_images
from export.blazepose_npm import NPM_TFLITE_SHA256, PACKAGE, fetch_landmarks, member_name
from export.blazepose_source import REQUIREMENT, TFLITE_SHA256, fetch_blazepose
from export.blazepose_task import write_task
from export.heat_windows import add_heat_windows
from export.tflite_reader import read_tflite
from export.tflite_to_onnx import Normalisation, convert
from realtime_vibe.backends.graph_folder import FORMAT_VERSION
from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder, folder_name
from realtime_vibe.tracking.choices import FULL, TRACKER_MODELS
from realtime_vibe.tracking.mediapipe_tracker import default_task_path

_ROOT = Path(__file__).resolve().parent.parent
_IN_CACHE = Path()
"""Stands for `default_task_path`, which depends on the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one graph is made."""

    source: Literal["detector", "landmarks"]
    """The file it comes from."""
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


def build_graph(original: Path, recipe: Recipe, model: str = FULL) -> onnx.ModelProto:
    """Converts one file to one graph, with whole heat maps where the recipe has them."""
    suffix = "" if model == FULL else f"_{model}"
    return convert(
        read_tflite(original),
        outputs=recipe.outputs,
        normalisation=recipe.normalisation,
        name=f"blazepose_{recipe.source}{suffix}",
    )


def write_engine(
    graphs: dict[str, onnx.ModelProto], errors: dict[str, Any], folder: Path, model: str = FULL
) -> None:
    """Writes the graphs and the manifest that names them.

    Args:
        errors: measured largest difference from the original by graph and output.
        folder: of the model; made when absent.
        model: one of `TRACKER_MODELS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Any] = {}
    for name, graph in graphs.items():
        data = graph.SerializeToString(deterministic=True)
        (folder / f"{name}.onnx").write_bytes(data)
        entries[name] = {
            "file": f"{name}.onnx",
            "sha256": hashlib.sha256(data).hexdigest(),
            "inputs": [_describe(value) for value in graph.graph.input],
            "outputs": [_describe(value) for value in graph.graph.output],
            "max_abs_error_to_tflite": errors[name],
        }
    manifest = {
        "format_version": FORMAT_VERSION,
        "family": "blazepose",
        **({} if model == FULL else {"model": model}),
        "licence": "Apache-2.0",
        "source": _source(model),
        "graphs": entries,
    }
    (folder / BlazePoseFolder.manifest).write_text(
        json.dumps(manifest, indent=2) + "\n", encoding="utf-8"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit status."""
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            if options.task is not None:
                _make_task(options, Path(folder))
            else:
                _make_engine(options, Path(folder))
    except RealtimeVibeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export.blazepose", description=__doc__)
    parser.add_argument(
        "--model", choices=TRACKER_MODELS, default=FULL, help="size of the landmark network (full)"
    )
    parser.add_argument("--wheel", type=Path, help=f"a wheel of {REQUIREMENT}; default: download")
    parser.add_argument("--package", type=Path, help=f"a .tgz of {PACKAGE}; default: download")
    parser.add_argument("--out", type=Path, help="default: the model's folder in engines/")
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
        const=_IN_CACHE,
        help="write MediaPipe's .task bundle instead of the engine; without a path into the cache",
    )
    return parser


def _make_task(options: argparse.Namespace, folder: Path) -> None:
    files = fetch_blazepose(folder, options.wheel)
    if options.model != FULL:
        landmarks = fetch_landmarks(options.model, folder, options.package)
        files = replace(files, landmarks=landmarks)
    path = default_task_path(options.model) if options.task == _IN_CACHE else options.task
    write_task(files, path)
    print(f"wrote {path}")


def _make_engine(options: argparse.Namespace, folder: Path) -> None:
    originals = _fetched(options, folder)
    images = sample_images(options.clips)
    graphs: dict[str, onnx.ModelProto] = {}
    errors: dict[str, Any] = {}
    for name, recipe in RECIPES.items():
        if recipe.source not in originals:
            continue
        original = originals[recipe.source]
        graph = build_graph(original, recipe, options.model)
        errors[name] = check_graph(graph, original, recipe.outputs, recipe.normalisation, images)
        has_maps = "heatmaps" in recipe.outputs.values()
        graphs[name] = add_heat_windows(graph) if has_maps else graph
        print(f"{name}: largest difference from the original {errors[name]}")
    out = options.out or _ROOT / "engines" / folder_name(options.model)
    write_engine(graphs, errors, out, options.model)
    print(f"wrote {out}")


def _fetched(options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """The originals by `Recipe.source`; the detector belongs to `full`."""
    if options.model == FULL:
        files = fetch_blazepose(folder, options.wheel)
        return {"detector": files.detector, "landmarks": files.landmarks}
    return {"landmarks": fetch_landmarks(options.model, folder, options.package)}


def _source(model: str) -> dict[str, Any]:
    if model == FULL:
        return {"requirement": REQUIREMENT, "sha256": TFLITE_SHA256}
    return {"requirement": PACKAGE, "sha256": {member_name(model): NPM_TFLITE_SHA256[model]}}


def _describe(value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = [dimension.dim_value for dimension in tensor.shape.dim]
    return {"name": value.name, "shape": shape, "dtype": str(dtype)}


if __name__ == "__main__":
    raise SystemExit(main())
