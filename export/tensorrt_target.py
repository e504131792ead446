"""TensorRT engines for the GPU of this machine, compiled there: they open on no other."""

from pathlib import Path

import onnx

from export.tensorrt_compiler import OnThisGpu, compiled, opened_engine
from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.tensorrt_library import load_tensorrt


class TensorRtTarget(OnThisGpu):
    """One `.engine` file a graph."""

    name = "tensorrt"

    def write(self, model: onnx.ModelProto, spec: Graph, path: Path, precision: str) -> Path:
        """See `Target.write`."""
        del precision
        file = path.with_suffix(".engine")
        file.write_bytes(compiled(load_tensorrt(self.name), model, spec, lambda _: None))
        return file

    def open(self, path: Path, precision: str) -> InferenceSession | None:
        """See `Target.open`."""
        return opened_engine(load_tensorrt(self.name), path, precision)

    def _versions(self) -> dict[str, str]:
        return {self.name: load_tensorrt(self.name).version}
