"""Eight bits for the convolutions of a graph, by static quantization.

Weights get a scale for every output channel, activations one for every tensor, found on real inputs. Matrix
products stay as they are: the state of a recurrent network does not tolerate eight bits, and its products are few.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx

from export.calibration import Feeds
from export.precision_graphs import fold_constants

_MOST_FEEDS = 64
"""More inputs do not move the ranges; each costs a run of the network with every activation kept."""


def num_convolutions(model: onnx.ModelProto) -> int:
    """How many layers could be quantized."""
    return len(_convolutions(model))


def in_int8(model: onnx.ModelProto, feeds: Feeds, num_kept: int = 0) -> onnx.ModelProto:
    """A copy whose convolutions compute in eight bits; inputs and outputs keep their types.

    Args:
        model: in single precision.
        feeds: real inputs; some of them, spread evenly, set the ranges.
        num_kept: so many convolutions, from the first on, stay in single precision.
    """
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    with TemporaryDirectory() as scratch:
        source, result = Path(scratch) / "single.onnx", Path(scratch) / "int8.onnx"
        folded = fold_constants(model)
        onnx.save(folded, str(source))
        logger = logging.getLogger()
        level = logger.level
        logger.setLevel(logging.ERROR)  # it recommends a pre-processing that changes nothing here
        try:
            quantize_static(
                str(source),
                str(result),
                _reader(spread(feeds, _MOST_FEEDS)),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                nodes_to_quantize=[node.name for node in _convolutions(folded)[num_kept:]],
                # Bytes times signed bytes is the product that processors have an instruction for.
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        finally:
            logger.setLevel(level)
        return onnx.load(str(result))


def spread(feeds: Feeds, most: int) -> Feeds:
    """So many inputs at most, evenly chosen."""
    return feeds[:: max(1, -(-len(feeds) // most))]


def _convolutions(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "Conv"]


def _reader(feeds: Sequence[dict[str, Any]]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._feeds = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._feeds, None)

    return Reader()
