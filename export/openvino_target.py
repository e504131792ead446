"""OpenVINO's own files: `.xml` with the operators, `.bin` with the weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.openvino_session import OpenVinoSession, load_openvino
from realtime_vibe.errors import ExportError

_NUM_THREADS = 2


class OpenVinoTarget:
    """Graphs in single precision, or with weights kept in half: what they compute in is a setting.

    For bf16 the arithmetic is chosen when the graph is opened. For fp16 a CPU computes in single, so that
    only the files are smaller.
    """

    name = "openvino"
    precisions: Mapping[str, str] = {"fp32": "", "fp16": "", "bf16": "", "int8": ""}

    def prepare(self) -> None:
        """See `Target.prepare`."""
        load_openvino()

    def write(self, model: onnx.ModelProto, spec: Graph, path: Path, precision: str) -> Path:
        """See `Target.write`."""
        ov = load_openvino()
        file = path.with_suffix(".xml")
        scratch = path.with_suffix(".onnx")
        onnx.save(model, str(scratch))
        try:
            graph = ov.Core().read_model(scratch)
            # Half has three bits more than bf16: rounding once to it changes nothing that counts.
            ov.save_model(graph, file, compress_to_fp16=precision in ("fp16", "bf16"))
        except RuntimeError as error:
            raise ExportError(
                f"OpenVINO does not take {spec.path.name}: {str(error).strip().splitlines()[-1]}"
            ) from error
        finally:
            scratch.unlink()
        return file

    def open(self, path: Path, precision: str) -> InferenceSession:
        """See `Target.open`."""
        arithmetic = "bf16" if precision == "bf16" else "f32"
        return OpenVinoSession(path, precision=arithmetic, num_threads=_NUM_THREADS)

    def built(self) -> dict[str, Any]:
        """See `Target.built`."""
        return {"versions": {"openvino": str(load_openvino().__version__)}}
