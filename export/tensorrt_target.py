"""TensorRT engines for the GPU of this machine, compiled there: they open on no other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from export.tensorrt_compiler import HALF_ONLY_REASONS, compiled, gpu_of_this_machine, opened_engine
from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.tensorrt_library import load_tensorrt


class TensorRtTarget:
    """One `.engine` file a graph."""

    name = "tensorrt"
    precisions: Mapping[str, str] = {
        "fp32": "",
        "fp16": "",
        **HALF_ONLY_REASONS,
    }

    def __init__(self) -> None:
        self._gpu: dict[str, Any] = {}

    def prepare(self) -> None:
        """See `Target.prepare`; TensorRT compiles on the GPU it compiles for."""
        load_tensorrt()
        self._gpu = gpu_of_this_machine()

    def write(self, model: onnx.ModelProto, spec: Graph, path: Path, precision: str) -> Path:
        """See `Target.write`."""
        del precision
        file = path.with_suffix(".engine")
        file.write_bytes(compiled(load_tensorrt(), model, spec, lambda _: None))
        return file

    def open(self, path: Path, precision: str) -> InferenceSession | None:
        """See `Target.open`."""
        return opened_engine(load_tensorrt(), path, precision)

    def built(self) -> dict[str, Any]:
        """See `Target.built`."""
        return {"versions": {self.name: load_tensorrt().version}, **self._gpu}
