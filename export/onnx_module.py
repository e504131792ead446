"""Runs an ONNX graph as a torch module: what torch's own compilers need of an engine that is only ONNX.

Knows the operators that our graphs have. `torch.export` traces it with a free number of people: shapes are
carried as Python numbers, never as tensors.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional

from export.precision_graphs import constants_of, fold_constants
from realtime_vibe.errors import ExportError

Attributes = Mapping[str, Any]
_MOST_NUMBERS = 8
"""No tensor has more dimensions."""
_TORCH_TYPES = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.INT32: torch.int32,
}


class OnnxModule(nn.Module):
    """A graph whose inputs are the arguments and whose outputs are the results, in order.

    Raises:
        ExportError: it has an operator this module does not know.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        graph = fold_constants(model).graph
        unknown = sorted({node.op_type for node in graph.node} - _OPERATORS.keys())
        if unknown:
            raise ExportError(f"the graph has {', '.join(unknown)}, which torch is not taught here")
        self._inputs = [value.name for value in graph.input]
        self._outputs = [value.name for value in graph.output]
        self._nodes = [
            (
                node.op_type,
                list(node.input),
                list(node.output),
                {item.name: helper.get_attribute_value(item) for item in node.attribute},
            )
            for node in graph.node
        ]
        self._numbers: dict[str, list[Any]] = {}
        """Shapes, axes, places and scales: what torch takes as Python numbers."""
        self._buffer_names: dict[str, str] = {}
        for place, (name, value) in enumerate(constants_of(graph).items()):
            if value.size <= _MOST_NUMBERS:
                self._numbers[name] = value.reshape(-1).tolist()
            # Names of tensors hold dots and slashes, those of buffers must not.
            self._buffer_names[name] = f"constant{place}"
            self.register_buffer(f"constant{place}", torch.from_numpy(value.copy()))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs."""
        values: dict[str, Any] = dict(zip(self._inputs, inputs, strict=True))
        values |= {name: getattr(self, buffer) for name, buffer in self._buffer_names.items()}
        values[""] = None
        for kind, names, results, attributes in self._nodes:
            arguments = [
                self._numbers[name] if place in _NUMBERS.get(kind, ()) and name in self._numbers
                else values[name]
                for place, name in enumerate(names)
            ]  # fmt: skip
            found = _OPERATORS[kind](arguments, attributes)
            if not isinstance(found, tuple):
                found = (found,)
            values.update(zip(results, found, strict=True))
        return tuple(values[name] for name in self._outputs)


def _conv(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    x, weight, *bias = inputs
    return functional.conv2d(
        functional.pad(x, _pads(attributes)),
        weight,
        bias[0] if bias else None,
        stride=attributes.get("strides", [1, 1]),
        dilation=attributes.get("dilations", [1, 1]),
        groups=attributes.get("group", 1),
    )


def _max_pool(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    padded = functional.pad(inputs[0], _pads(attributes), value=-torch.inf)
    strides = attributes.get("strides", [1, 1])
    return functional.max_pool2d(padded, attributes["kernel_shape"], strides)


def _pads(attributes: Attributes) -> list[int]:
    """ONNX: top, left, bottom, right. torch: left, right, top, bottom."""
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    return [left, right, top, bottom]


def _gemm(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    a, b, *c = inputs
    if not attributes.get("transB", 0):
        b = b.t()
    return functional.linear(a, b, c[0] if c else None)


def _resize(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    x, scales = inputs[0], inputs[2] if len(inputs) > 2 else None
    if attributes.get("mode") != b"linear" or scales is None:
        raise ExportError(f"Resize in mode {attributes.get('mode')!r}: expected linear, by scales")
    return functional.interpolate(x, scale_factor=scales[2:], mode="bilinear")


def _depth_to_space(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    (x,) = inputs
    block = attributes["blocksize"]
    batch, channels, height, width = x.shape
    if attributes.get("mode", b"DCR") == b"CRD":
        return functional.pixel_shuffle(x, block)
    split = x.reshape(batch, block, block, channels // block**2, height, width)
    spread: Tensor = split.permute(0, 3, 4, 1, 5, 2)
    return spread.reshape(batch, channels // block**2, height * block, width * block)


def _gather(inputs: Sequence[Any], attributes: Attributes) -> Any:
    data, places = inputs
    axis = attributes.get("axis", 0)
    if isinstance(data, list):
        return [data[int(place)] for place in places.reshape(-1)]
    axis %= data.dim()
    # Places may count from the end.
    chosen: Tensor = data.index_select(axis, places.reshape(-1) % data.shape[axis])
    return chosen.reshape(*data.shape[:axis], *places.shape, *data.shape[axis + 1 :])


def _slice(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    del attributes
    x, starts, ends, *rest = inputs
    axes = rest[0] if rest else range(len(starts))
    steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    cut = [slice(None)] * x.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cut[axis] = slice(start, None if end > x.shape[axis] else end, step)
    part: Tensor = x[tuple(cut)]
    return part


def _concat(inputs: Sequence[Any], attributes: Attributes) -> Any:
    if isinstance(inputs[0], list):
        return [
            number
            for part in inputs
            for number in (part if isinstance(part, list) else part.tolist())
        ]
    return torch.cat(list(inputs), dim=attributes["axis"])


def _reshape(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    del attributes
    x, shape = inputs
    sizes = [x.shape[place] if size == 0 else size for place, size in enumerate(shape)]
    shaped: Tensor = x.reshape(sizes)
    return shaped


def _clip(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    del attributes
    x, low, high = (*inputs, None, None)[:3]
    return torch.clamp(x, low, high)


def _shape(inputs: Sequence[Any], attributes: Attributes) -> list[int]:
    return list(inputs[0].shape)[attributes.get("start", 0) : attributes.get("end")]


def _unsqueeze(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    del attributes
    x, axes = inputs
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    out: Tensor = x
    return out


def _reduced(reduce: Callable[..., Tensor]) -> Callable[[Sequence[Any], Attributes], Tensor]:
    def run(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
        return reduce(inputs[0], dim=tuple(inputs[1]), keepdim=bool(attributes.get("keepdims", 1)))

    return run


def _plain(function: Callable[..., Tensor]) -> Callable[[Sequence[Any], Attributes], Tensor]:
    def run(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
        del attributes
        return function(*inputs)

    return run


_NUMBERS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Reshape", "Expand", "Split", "Squeeze", "Unsqueeze"), (1,)),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceSum", "ReduceMean"), (1,)),
    "Slice": (1, 2, 3, 4),
    "Resize": (2,),
}
"""Inputs that torch takes as Python numbers."""
_OPERATORS: Mapping[str, Callable[[Sequence[Any], Attributes], Any]] = {
    **{
        name: _plain(function)
        for name, function in (
            ("Abs", torch.abs),
            ("Add", torch.add),
            ("Sub", torch.sub),
            ("Mul", torch.mul),
            ("Div", torch.div),
            ("Greater", torch.gt),
            ("MatMul", torch.matmul),
            ("Reciprocal", torch.reciprocal),
            ("Relu", torch.relu),
            ("Sigmoid", torch.sigmoid),
            ("Tanh", torch.tanh),
            ("Floor", torch.floor),
            ("Expand", lambda x, shape: x.expand(shape)),
            ("Squeeze", lambda x, axes: x.squeeze(tuple(axes))),
        )
    },
    "ReduceL2": _reduced(torch.linalg.vector_norm),
    "ReduceSum": _reduced(torch.sum),
    "ReduceMean": _reduced(torch.mean),
    "Cast": lambda inputs, attributes: inputs[0].to(_TORCH_TYPES[attributes["to"]]),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "Gather": _gather,
    "Gemm": _gemm,
    "MaxPool": _max_pool,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Slice": _slice,
    "Split": lambda inputs, attributes: torch.split(
        inputs[0], inputs[1], dim=attributes.get("axis", 0)
    ),
    "Transpose": lambda inputs, attributes: inputs[0].permute(attributes["perm"]),
    "Unsqueeze": _unsqueeze,
}
