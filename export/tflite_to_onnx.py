"""Turns a TensorFlow Lite image network into an ONNX graph in channels-first layout.

A direct translation of the dozen operators BlazePose uses. Against a general converter it leaves no
transposes between layers, folds paddings into convolutions, takes the camera's bytes as they are
(uint8, rows of BGR pixels; scale and channel order live in the first convolution) and keeps the
weights in float16, as they were stored: the runtime widens them once, at load.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.tflite_reader import TfliteGraph, TfliteOperator
from realtime_vibe.errors import ExportError

OPSET = 17
INPUT_NAME = "image_bgr"
_RELU6 = 3
_ACTIVATIONS = {0, _RELU6}
_SAME = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """How bytes become what the network was trained on: `(byte - mean) / scale`."""

    mean: float
    scale: float


def convert(
    graph: TfliteGraph, *, outputs: Mapping[str, str], normalisation: Normalisation, name: str
) -> onnx.ModelProto:
    """Builds the ONNX graph.

    Args:
        outputs: new name of each output to keep, by its name in the file; the rest is cut off.

    Returns:
        A checked model: `image_bgr` (1, H, W, 3) uint8 in, float32 out.

    Raises:
        ExportError: an operator or one of its options is not supported, or an output is missing.
    """
    missing = set(outputs) - set(graph.outputs)
    if missing:
        raise ExportError(f"{name}: the file has no outputs {sorted(missing)}")
    translator = _Translator(graph, normalisation)
    translator.translate({graph.outputs[old]: new for old, new in outputs.items()})
    input_shape = list(graph.shapes[graph.input_index])
    onnx_graph = helper.make_graph(
        translator.nodes,
        name,
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, input_shape)],
        [
            helper.make_tensor_value_info(
                new, TensorProto.FLOAT, _channels_first(graph.shapes[graph.outputs[old]])
            )
            for old, new in outputs.items()
        ],
        initializer=translator.initializers,
    )
    model = helper.make_model(
        onnx_graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="realtime-vibe"
    )
    model.ir_version = 8  # the oldest that opset 17 needs; new ones shut out older runtimes
    onnx.checker.check_model(model, full_check=True)
    return model


class _Translator:
    """Walks the operators once and collects ONNX nodes."""

    def __init__(self, graph: TfliteGraph, normalisation: Normalisation) -> None:
        self._graph = graph
        self._normalisation = normalisation
        self._names: dict[int, str] = {}
        self._paddings: dict[int, tuple[int, list[int]]] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def translate(self, outputs: Mapping[int, str]) -> None:
        """Emits every operator that the outputs depend on."""
        needed = self._needed(set(outputs))
        self._emit_input()
        for operator in self._graph.operators:
            if operator.output not in needed:
                continue
            self._names[operator.output] = outputs.get(operator.output, f"t{operator.output}")
            self._emitter(operator)(operator)

    def _needed(self, wanted: set[int]) -> set[int]:
        for operator in reversed(self._graph.operators):
            if operator.output in wanted:
                wanted.update(operator.inputs)
        return wanted

    def _emitter(self, operator: TfliteOperator) -> Callable[[TfliteOperator], None]:
        emitters: dict[str, Callable[[TfliteOperator], None]] = {
            "CONV_2D": self._emit_conv,
            "DEPTHWISE_CONV_2D": self._emit_conv,
            "PAD": self._emit_pad,
            "ADD": self._emit_add,
            "RESIZE_BILINEAR": self._emit_resize,
            "MAX_POOL_2D": self._emit_max_pool,
            "DEPTH_TO_SPACE": self._emit_depth_to_space,
            "RESHAPE": self._emit_reshape,
            "CONCATENATION": self._emit_concat,
            "LOGISTIC": self._emit_logistic,
        }
        if operator.kind not in emitters:
            raise ExportError(f"operator {operator.kind} is not supported")
        return emitters[operator.kind]

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        """Adds an initialiser; a float16 one is followed by the cast that widens it."""
        stored = f"{name}_f16" if values.dtype == np.float16 else name
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), stored))
        if stored != name:
            self._node("Cast", [stored], name, to=TensorProto.FLOAT)
        return name

    def _emit_input(self) -> None:
        self._node("Transpose", [INPUT_NAME], "image_chw", perm=[0, 3, 1, 2])
        last = "image_float"
        self._node("Cast", ["image_chw"], last, to=TensorProto.FLOAT)
        if self._normalisation.mean != 0.0:
            # Stays outside the convolution: its zero padding stands for the mean.
            mean = self._constant("image_mean", np.float32(self._normalisation.mean).reshape(1))
            self._node("Sub", [last, mean], "image_centred")
            last = "image_centred"
        self._names[self._graph.input_index] = last

    def _activated(
        self, operator: TfliteOperator, kind: str, inputs: list[str], **attributes: Any
    ) -> None:
        activation = operator.options.FusedActivationFunction()
        if activation not in _ACTIVATIONS:
            raise ExportError(f"{operator.kind}: activation {activation} is not supported")
        output = self._names[operator.output]
        if activation != _RELU6:
            self._node(kind, inputs, output, **attributes)
            return
        if "relu6_low" not in {tensor.name for tensor in self.initializers}:
            self._constant("relu6_low", np.array(0.0, np.float32))
            self._constant("relu6_high", np.array(6.0, np.float32))
        self._node(kind, inputs, f"{output}_linear", **attributes)
        self._node("Clip", [f"{output}_linear", "relu6_low", "relu6_high"], output)

    def _emit_conv(self, operator: TfliteOperator) -> None:
        source, weights_index, bias_index = operator.inputs
        options, is_depthwise = operator.options, operator.kind == "DEPTHWISE_CONV_2D"
        weights = self._graph.constants[weights_index]
        strides = [options.StrideH(), options.StrideW()]
        pads = [0, 0, 0, 0]
        if source in self._paddings:
            source, pads = self._paddings[source]
        elif options.Padding() == _SAME:
            pads = _same_pads(self._graph.shapes[source][1:3], weights.shape[1:3], strides)
        if source == self._graph.input_index:
            # The network reads RGB; the camera gives BGR.
            weights = weights[..., ::-1].astype(np.float32) / self._normalisation.scale
        # Depthwise weights are (1, kH, kW, C), the others (out, kH, kW, in).
        weights = weights.transpose((3, 0, 1, 2) if is_depthwise else (0, 3, 1, 2))
        output = self._names[operator.output]
        self._activated(
            operator,
            "Conv",
            [
                self._names[source],
                self._constant(f"{output}_weights", weights.astype(weights.dtype)),
                self._constant(f"{output}_bias", self._graph.constants[bias_index]),
            ],
            kernel_shape=list(weights.shape[2:]),
            strides=strides,
            pads=pads,
            group=weights.shape[0] if is_depthwise else 1,
        )

    def _emit_pad(self, operator: TfliteOperator) -> None:
        source, amounts_index = operator.inputs
        amounts = self._graph.constants[amounts_index]
        readers = [other for other in self._graph.operators if operator.output in other.inputs]
        if np.any(amounts[[0, 3]] != 0) or any(
            "CONV_2D" not in reader.kind or reader.options.Padding() == _SAME for reader in readers
        ):
            batch, height, width, channels = amounts.tolist()
            pads = np.array([batch, channels, height, width], np.int64).T.reshape(-1)
            output = self._names[operator.output]
            self._node("Pad", [self._names[source], self._constant(f"{output}_pads", pads)], output)
            return
        (top, bottom), (left, right) = amounts[1:3].tolist()
        self._paddings[operator.output] = (source, [top, left, bottom, right])

    def _emit_add(self, operator: TfliteOperator) -> None:
        self._activated(operator, "Add", [self._names[index] for index in operator.inputs])

    def _emit_resize(self, operator: TfliteOperator) -> None:
        if operator.options.AlignCorners() or not operator.options.HalfPixelCenters():
            raise ExportError("RESIZE_BILINEAR: only half-pixel centres are supported")
        source, output = operator.inputs[0], self._names[operator.output]
        before = self._graph.shapes[source]
        after = self._graph.shapes[operator.output]
        scales = np.array([1, 1, after[1] / before[1], after[2] / before[2]], np.float32)
        self._node(
            "Resize",
            [self._names[source], "", self._constant(f"{output}_scales", scales)],
            output,
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )

    def _emit_max_pool(self, operator: TfliteOperator) -> None:
        options = operator.options
        if options.Padding() == _SAME or options.FusedActivationFunction() != 0:
            raise ExportError("MAX_POOL_2D: only unpadded pooling is supported")
        self._node(
            "MaxPool",
            [self._names[operator.inputs[0]]],
            self._names[operator.output],
            kernel_shape=[options.FilterHeight(), options.FilterWidth()],
            strides=[options.StrideH(), options.StrideW()],
        )

    def _emit_depth_to_space(self, operator: TfliteOperator) -> None:
        self._node(
            "DepthToSpace",
            [self._names[operator.inputs[0]]],
            self._names[operator.output],
            blocksize=operator.options.BlockSize(),
            mode="DCR",
        )

    def _emit_reshape(self, operator: TfliteOperator) -> None:
        source, output = operator.inputs[0], self._names[operator.output]
        last = self._names[source]
        shape = self._graph.shapes[source]
        if len(shape) == 4 and shape[1:3] != (1, 1):
            # Flattening runs over channels-last memory; one pixel is the same either way.
            self._node("Transpose", [last], f"{output}_hwc", perm=[0, 2, 3, 1])
            last = f"{output}_hwc"
        target = np.array(self._graph.shapes[operator.output], np.int64)
        self._node("Reshape", [last, self._constant(f"{output}_shape", target)], output)

    def _emit_concat(self, operator: TfliteOperator) -> None:
        if len(self._graph.shapes[operator.output]) == 4:
            raise ExportError("CONCATENATION: only flat tensors are supported")
        self._node(
            "Concat",
            [self._names[index] for index in operator.inputs],
            self._names[operator.output],
            axis=operator.options.Axis(),
        )

    def _emit_logistic(self, operator: TfliteOperator) -> None:
        self._node("Sigmoid", [self._names[operator.inputs[0]]], self._names[operator.output])


def _channels_first(shape: tuple[int, ...]) -> list[int]:
    if len(shape) != 4:
        return list(shape)
    batch, height, width, channels = shape
    return [batch, channels, height, width]


def _same_pads(size: tuple[int, ...], kernel: tuple[int, ...], strides: list[int]) -> list[int]:
    """TensorFlow's `SAME`: the odd pixel goes to the end; [top, left, bottom, right]."""
    totals = [
        max((-(-length // stride) - 1) * stride + width - length, 0)
        for length, width, stride in zip(size, kernel, strides, strict=True)
    ]
    return [total // 2 for total in totals] + [total - total // 2 for total in totals]
