"""torch-tensorrt programs, compiled ahead of time for the GPU of this machine; for comparison.

Only `python -m benchmarks` runs them: they need torch, which the live path never imports. The file is what
`torch.export.load` reads once `torch_tensorrt` is imported.
"""

import importlib
from pathlib import Path
from typing import Any

import onnx
import torch

from export.onnx_module import OnnxModule
from export.targets import is_free, profile_shapes
from export.tensorrt_compiler import OnThisGpu
from realtime_vibe.backends.base import InferenceSession, TensorSpec
from realtime_vibe.backends.graph import Graph
from realtime_vibe.errors import BackendUnavailableError, ExportError
from realtime_vibe.system.machine import install_command

_INSTALL = install_command("torch-tensorrt")
_EXAMPLE_PEOPLE = 2
"""torch.export takes sizes of 0 and 1 for special cases."""


class TorchTensorRtTarget(OnThisGpu):
    """One `.ep` file a graph, in the types that the graph has."""

    name = "torch-tensorrt"

    def write(self, model: onnx.ModelProto, spec: Graph, path: Path, precision: str) -> Path:
        """See `Target.write`."""
        del precision
        library = _library()
        program = exported_program(model, spec, "cuda")
        inputs = [_input(library, item) for item in spec.inputs]
        try:
            # Types come from the graph alone; enabled_precisions is deprecated beside it.
            module = library.dynamo.compile(
                program, arg_inputs=inputs, use_explicit_typing=True, min_block_size=1
            )
            file = path.with_suffix(".ep")
            library.save(module, str(file), output_format="exported_program", arg_inputs=inputs)
        except RuntimeError as error:
            raise ExportError(
                f"torch-tensorrt does not compile {spec.path.name}: {str(error).splitlines()[0]}"
            ) from error
        return file

    def open(self, path: Path, precision: str) -> InferenceSession | None:
        """See `Target.open`; the live path has no session for it."""
        del path, precision
        return None

    def _versions(self) -> dict[str, str]:
        return {self.name: str(_library().__version__), "torch": str(torch.__version__)}


def exported_program(
    model: onnx.ModelProto, spec: Graph, device: str
) -> torch.export.ExportedProgram:
    """A graph as torch's own, with a free number of people where the graph has it.

    Raises:
        ExportError: the graph has an operator that is not known here.
    """
    people = torch.export.Dim("P", min=1, max=64)
    examples = tuple(_example(item).to(device) for item in spec.inputs)
    dynamic = tuple(
        {place: people for place, size in enumerate(item.shape) if not isinstance(size, int)}
        for item in spec.inputs
    )
    module = OnnxModule(model).eval().to(device)
    with torch.no_grad():
        return torch.export.export(
            module, examples, dynamic_shapes={"inputs": dynamic}, strict=False
        )


def _example(spec: TensorSpec) -> torch.Tensor:
    shape = [size if isinstance(size, int) else _EXAMPLE_PEOPLE for size in spec.shape]
    return torch.zeros(shape, dtype=getattr(torch, spec.dtype))


def _input(library: Any, spec: TensorSpec) -> Any:
    dtype = getattr(torch, spec.dtype)
    smallest, usual, largest = profile_shapes(spec)
    if not is_free(spec):
        return library.Input(shape=usual, dtype=dtype)
    return library.Input(min_shape=smallest, opt_shape=usual, max_shape=largest, dtype=dtype)


def _library() -> Any:
    try:
        return importlib.import_module("torch_tensorrt")
    except (ImportError, OSError) as error:
        raise BackendUnavailableError(
            f"torch_tensorrt cannot be imported ({error}): {_INSTALL}"
        ) from error
