"""Reads a TensorFlow Lite file: its operators in order, and its constants as dense arrays.

Only what BlazePose's two files use is understood; anything else raises, so that a graph is never
converted by guess. Weights come out as they are stored (float16), with sparse ones made dense.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from realtime_vibe.errors import ExportError

_OPERATOR_NAMES: dict[int, str] = {
    code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)
}
_DTYPES: dict[int, type[np.generic]] = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
_INDEX_VECTORS: dict[int, Any] = {
    1: tflite.Int32Vector,
    2: tflite.Uint16Vector,
    3: tflite.Uint8Vector,
}
_OPTION_TABLES: dict[str, Any] = {
    "CONV_2D": tflite.Conv2DOptions,
    "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions,
    "ADD": tflite.AddOptions,
    "RESIZE_BILINEAR": tflite.ResizeBilinearOptions,
    "MAX_POOL_2D": tflite.Pool2DOptions,
    "DEPTH_TO_SPACE": tflite.DepthToSpaceOptions,
    "CONCATENATION": tflite.ConcatenationOptions,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteOperator:
    """One node of the graph."""

    kind: str
    """The schema's name, such as `CONV_2D`."""
    inputs: tuple[int, ...]
    """Tensor numbers; an absent optional input is -1."""
    output: int
    options: Any
    """The schema's table of options, or None where the kind has none that matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteGraph:
    """The one subgraph of a file."""

    operators: tuple[TfliteOperator, ...]
    """In the order they run, without the ones that only unpack constants."""
    shapes: dict[int, tuple[int, ...]]
    constants: dict[int, NDArray[Any]]
    """Dense constants; float16 where the file stores float16."""
    input_index: int
    outputs: dict[str, int]
    """Tensor number of each graph output by name."""


def read_tflite(path: Path) -> TfliteGraph:
    """Reads a file.

    Raises:
        ExportError: the file has more than one subgraph or input, or a constant is stored in a way
            that is not understood.
    """
    model: Any = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    if model.SubgraphsLength() != 1 or model.Subgraphs(0).InputsLength() != 1:
        raise ExportError(f"{path.name}: expected one subgraph with one input")
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    shapes = {index: _shape(tensor) for index, tensor in enumerate(tensors)}
    constants = {
        index: _constant(model, tensor)
        for index, tensor in enumerate(tensors)
        if model.Buffers(tensor.Buffer()).DataLength() > 0
    }
    operators: list[TfliteOperator] = []
    for index in range(graph.OperatorsLength()):
        operator = _operator(model, graph.Operators(index))
        if operator.kind in {"DEQUANTIZE", "DENSIFY"} and operator.inputs[0] in constants:
            constants[operator.output] = constants[operator.inputs[0]]
        else:
            operators.append(operator)
    return TfliteGraph(
        operators=tuple(operators),
        shapes=shapes,
        constants=constants,
        input_index=int(graph.Inputs(0)),
        outputs={
            tensors[index].Name().decode(): int(index) for index in graph.OutputsAsNumpy().tolist()
        },
    )


def densify(
    values: NDArray[Any], segments: Sequence[int], indices: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Spreads compressed sparse rows over a dense array.

    Args:
        values: (N,) the stored entries.
        segments: (R + 1,) where each row starts in `values`; R is the product of `shape[:-1]`.
        indices: (N,) the column of each entry.
        shape: of the result; the last dimension is the compressed one.
    """
    rows = np.repeat(np.arange(len(segments) - 1), np.diff(np.asarray(segments)))
    dense = np.zeros((len(segments) - 1, shape[-1]), values.dtype)
    dense[rows, indices] = values
    return dense.reshape(shape)


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.Shape(axis) for axis in range(tensor.ShapeLength()))


def _constant(model: Any, tensor: Any) -> NDArray[Any]:
    name, shape = tensor.Name().decode(), _shape(tensor)
    dtype = _DTYPES.get(tensor.Type())
    if dtype is None:
        raise ExportError(
            f"constant {name}: tensor type {tensor.Type()} is not float32/16 or int32"
        )
    values = np.frombuffer(model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes(), dtype)
    sparsity = tensor.Sparsity()
    if sparsity is None:
        return values.reshape(shape)
    last = len(shape) - 1
    levels = [sparsity.DimMetadata(axis) for axis in range(sparsity.DimMetadataLength())]
    rows_are_compressed = [level.Format() for level in levels] == [0] * last + [1]
    if not rows_are_compressed or sparsity.TraversalOrderAsNumpy().tolist() != [*range(last + 1)]:
        raise ExportError(f"constant {name}: only plain compressed rows can be made dense")
    segments = _index_vector(levels[last].ArraySegments(), levels[last].ArraySegmentsType())
    indices = _index_vector(levels[last].ArrayIndices(), levels[last].ArrayIndicesType())
    return densify(values, segments.tolist(), indices, shape)


def _index_vector(table: Any, kind: int) -> NDArray[Any]:
    vector = _INDEX_VECTORS[kind]()
    vector.Init(table.Bytes, table.Pos)
    return np.asarray(vector.ValuesAsNumpy())


def _operator(model: Any, operator: Any) -> TfliteOperator:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Old files keep the code in a byte of its own, new ones in the wider field.
    kind = _OPERATOR_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    table, options = operator.BuiltinOptions(), None
    if kind in _OPTION_TABLES and table is not None:
        options = _OPTION_TABLES[kind]()
        options.Init(table.Bytes, table.Pos)
    return TfliteOperator(
        kind=kind,
        inputs=tuple(operator.InputsAsNumpy().tolist()),
        output=int(operator.Outputs(0)),
        options=options,
    )
