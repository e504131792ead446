"""Half precision written into an ONNX graph: products in half, what rounding hurts in single.

Strongly typed compilers (TensorRT 11, TensorRT-RTX) multiply in the type that the graph says, so the graph
has to say it. Weights of convolutions and matrix products become half, and so do the activations that
run from one convolution to the next. Single remain the inputs and outputs, the state's arithmetic, the
normalisation of pictures and features, rotations, camera and shape, and the last convolution before an output:
half has steps of an eighth of a pixel where landmarks lie.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

Constants = dict[str, NDArray[np.generic]]

_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_CONVOLUTIONS = ("Conv", "ConvTranspose")
_SMALL_PRODUCT = 4096
"""Matrix products with fewer weights stay single: they compute places, not features."""
_FOLLOWERS = ("Relu", "Clip", "MaxPool", "DepthToSpace", "Resize")
"""Operators that keep the type of the convolution before them."""
_RESHAPERS = (
    *("Reshape", "Transpose", "Concat", "Sigmoid", "Squeeze", "Unsqueeze", "Gather", "Slice"),
    "Identity",
)
_HALF_SUFFIX = "_half"


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which everything that depends on weights alone is computed: casts, slices, joins."""
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    constants = constants_of(graph)
    outputs = {value.name for value in graph.output}
    nodes = []
    for node in graph.node:
        is_constant = all(name in constants or not name for name in node.input)
        if not is_constant or outputs.intersection(node.output):
            nodes.append(node)
            continue
        feeds = {name: constants[name] for name in node.input if name}
        results = ReferenceEvaluator(node, opsets=_opsets(model)).run(None, feeds)
        constants.update(
            {name: np.asarray(value) for name, value in zip(node.output, results, strict=True)}
        )
    replace_graph(graph, nodes, constants)
    return folded


def single_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which bytes become numbers before anything else: TensorRT moves no bytes about.

    The graph computes the same: `Cast(Transpose(x))` becomes `Transpose(Cast(x))`.
    """
    moved = onnx.ModelProto()
    moved.CopyFrom(model)
    nodes = list(moved.graph.node)
    pictures = {
        value.name
        for value in moved.graph.input
        if value.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    }
    for index, node in enumerate(nodes):
        if node.op_type != "Transpose" or node.input[0] not in pictures:
            continue
        casts = [user for user in nodes if node.output[0] in user.input]
        if len(casts) == 1 and casts[0].op_type == "Cast":
            cast = casts[0]
            between = node.output[0]
            node.output[0], cast.output[0] = cast.output[0], between
            cast.input[0], node.input[0] = node.input[0], between
            nodes.remove(cast)
            nodes.insert(index, cast)
    replace_graph(moved.graph, nodes, constants_of(moved.graph))
    return moved


def in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose big products are in half; inputs and outputs keep names, shapes and types."""
    folded = fold_constants(model)
    writer = _HalfWriter(folded.graph)
    for node in folded.graph.node:
        writer.add(node)
    writer.finish()
    replace_graph(folded.graph, writer.nodes, writer.constants)
    onnx.checker.check_model(folded, full_check=True)
    return folded


def sums_for_small_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which products with one column of weights are sums of elementwise products.

    Turing has no matrix product in single precision, and these few compute places, not for half.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    constants = constants_of(changed.graph)
    nodes: list[onnx.NodeProto] = []
    for node in changed.graph.node:
        weights = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if weights is None or weights.ndim != 2 or weights.shape[1] != 1:
            nodes.append(node)
            continue
        result = node.output[0]
        constants[f"{result}_row"] = weights.reshape(1, -1)
        constants[f"{result}_axis"] = np.array([-1], np.int64)
        products, axis = f"{result}_products", f"{result}_axis"
        nodes.append(onnx.helper.make_node("Mul", [node.input[0], f"{result}_row"], [products]))
        nodes.append(onnx.helper.make_node("ReduceSum", [products, axis], [result], keepdims=1))
    replace_graph(changed.graph, nodes, constants)
    return changed


def constants_of(graph: onnx.GraphProto) -> Constants:
    """The graph's weights by name."""
    return {value.name: numpy_helper.to_array(value) for value in graph.initializer}


def replace_graph(
    graph: onnx.GraphProto,
    nodes: Iterable[onnx.NodeProto],
    constants: Mapping[str, NDArray[np.generic]],
) -> None:
    """Sets a graph's nodes and those of the constants that are used; shapes in between are forgotten."""
    kept = list(nodes)
    used = {name for node in kept for name in node.input}
    used |= {value.name for value in graph.output}
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in constants.items()
        if name in used
    )


class _HalfWriter:
    """Copies a graph's nodes in order, with casts where the type changes.

    Args:
        graph: with folded constants.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.constants = constants_of(graph)
        self._heads = _heads(graph)
        self._produced: set[str] = set()
        """Tensors that a node gave in half, by their first names."""
        self._cast: set[str] = set()
        """Names that a cast has already written."""
        self._picture: set[str] = set()
        """Half tensors that came out of a convolution."""

    def add(self, node: onnx.NodeProto) -> None:
        """Copies one node in the type that it is to compute in."""
        if self._is_half_product(node):
            self._add_half(node, range(len(node.input)))
            if node.op_type in _CONVOLUTIONS:
                self._picture.add(node.output[0])
        elif node.op_type in _FOLLOWERS and node.input[0] in self._produced:
            typed = range(3) if node.op_type == "Clip" else range(1)
            self._add_half(node, typed)
            self._picture.update(self._picture.intersection(node.input) and {node.output[0]})
        elif node.op_type == "Add" and self._picture.issuperset(node.input):
            self._add_half(node, range(2))
            self._picture.add(node.output[0])
        else:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            copied.input[:] = [self._single(name) for name in node.input]
            self.nodes.append(copied)

    def finish(self) -> None:
        """Gives outputs that are in half their own type back."""
        for value in self._graph.output:
            self._single(value.name)

    def _is_half_product(self, node: onnx.NodeProto) -> bool:
        if node.op_type not in _PRODUCTS or node.output[0] in self._heads:
            return False
        weights = self.constants.get(node.input[1])
        if weights is None:
            # Two activations: the motions of a skeleton whose points are only fed back, where half costs a
            # millimetre. Turing has no such product in single.
            return node.op_type == "MatMul"
        if weights.dtype != np.float32:
            return False
        return node.op_type in _CONVOLUTIONS or weights.size >= _SMALL_PRODUCT

    def _add_half(self, node: onnx.NodeProto, typed: Sequence[int]) -> None:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        for index in range(len(node.input)):
            name = node.input[index]
            if name:
                copied.input[index] = self._half(name) if index in typed else self._single(name)
        copied.output[0] = node.output[0] + _HALF_SUFFIX
        self._produced.add(node.output[0])
        self.nodes.append(copied)

    def _half(self, name: str) -> str:
        renamed = name + _HALF_SUFFIX
        if name in self.constants:
            self.constants[renamed] = self.constants[name].astype(np.float16)
        elif name not in self._produced and renamed not in self._cast:
            self._add_cast(name, renamed, onnx.TensorProto.FLOAT16)
        return renamed

    def _single(self, name: str) -> str:
        if name in self._produced and name not in self._cast:
            self._add_cast(name + _HALF_SUFFIX, name, onnx.TensorProto.FLOAT)
        return name

    def _add_cast(self, source: str, result: str, to: int) -> None:
        self._cast.add(result)
        self.nodes.append(
            onnx.helper.make_node("Cast", [source], [result], name=f"cast_{result}", to=to)
        )


def _heads(graph: onnx.GraphProto) -> set[str]:
    """Outputs of the convolutions from which only changes of shape lead to an output of the graph."""
    reached = {value.name for value in graph.output}
    heads = set()
    for node in reversed(graph.node):
        if not reached.intersection(node.output):
            continue
        if node.op_type in _RESHAPERS:
            reached.update(node.input)
        elif node.op_type in _CONVOLUTIONS:
            heads.add(node.output[0])
    return heads


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    return {entry.domain: entry.version for entry in model.opset_import}
