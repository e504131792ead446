"""What a target is: a format that graphs are written in, and the libraries it takes."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import onnx

from realtime_vibe.backends.base import InferenceSession, TensorSpec
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.graph_folder import file_sha256
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import ExportError

MOST_PEOPLE = 8
"""Compiled graphs run for 1 to so many people at once."""
_NUM_THREADS = 2


class Target(Protocol):
    """Writes graphs for one library."""

    @property
    def name(self) -> str:
        """As `--target` and `engine.json` call it."""

    @property
    def precisions(self) -> Mapping[str, str]:
        """Those it has, and for the others the reason why not."""

    def prepare(self) -> None:
        """Loads the library, before anything is computed.

        Raises:
            BackendUnavailableError: it is missing; the message says how to get it.
        """

    def write(self, model: onnx.ModelProto, spec: Graph, path: Path, precision: str) -> Path:
        """Writes one graph.

        Args:
            model: in the precision; what the target cannot say in a graph it does itself.
            spec: of the single precision graph.
            path: where, without a suffix.

        Returns:
            The file; other files of the graph lie beside it under the same name.

        Raises:
            ExportError: the library does not take the graph.
        """

    def open(self, path: Path, precision: str) -> InferenceSession | None:
        """Runs a file that was written; None where the target does not run on this machine."""

    def built(self) -> dict[str, Any]:
        """What the files are tied to, for `engine.json`."""


class OnnxTarget:
    """ONNX graphs for ONNX Runtime, and for whoever else reads them."""

    name = "onnx"
    precisions: Mapping[str, str] = {
        "fp32": "",
        "fp16": "",
        "bf16": "ONNX Runtime's CPU provider has no kernels for it: use --target openvino",
        "int8": "",
    }

    def prepare(self) -> None:
        """There is nothing to load."""

    def write(self, model: onnx.ModelProto, spec: Graph, path: Path, precision: str) -> Path:
        """See `Target.write`."""
        del spec, precision
        file = path.with_suffix(".onnx")
        onnx.save(model, str(file))
        return file

    def open(self, path: Path, precision: str) -> InferenceSession:
        """See `Target.open`."""
        del precision
        return OnnxRuntimeSession(path, num_threads=_NUM_THREADS)

    def built(self) -> dict[str, Any]:
        """See `Target.built`."""
        return {"versions": {"onnx": str(onnx.__version__)}}


def file_entry(path: Path, spec: Graph, precision: str) -> dict[str, Any]:
    """What a manifest says of a graph that was written."""
    entry: dict[str, Any] = {"file": path.name, "sha256": file_sha256(path)}
    weights = path.with_suffix(".bin")
    if weights.is_file():
        entry["weights"] = {"file": weights.name, "sha256": file_sha256(weights)}
    entry["precision"] = precision
    entry["inputs"] = [asdict(item) for item in spec.inputs]
    entry["outputs"] = [asdict(item) for item in spec.outputs]
    return entry


def check_precision(target: Target, precision: str) -> None:
    """Refuses a precision the target does not have.

    Raises:
        ExportError: it does not; says why.
    """
    reason = target.precisions.get(precision, "it is unknown")
    if reason:
        raise ExportError(f"no {precision} for target {target.name}: {reason}")


def profile_shapes(spec: TensorSpec) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Smallest, usual and largest shape of an input; one person is usual."""
    one, most = (
        tuple(size if isinstance(size, int) else people for size in spec.shape)
        for people in (1, MOST_PEOPLE)
    )
    return one, one, most


def is_free(spec: TensorSpec) -> bool:
    """Whether the number of people is open in an input."""
    return any(not isinstance(size, int) for size in spec.shape)
