"""Reads Darknet's `.weights` files into our YOLOv3.

A file is a header and then nothing but float32 numbers, layer by layer: no names, no shapes. So its
size is all that tells which network it belongs to.

    header  int32 major, minor, revision; then the images seen: int64 from version 0.2 on, int32 before
    layer   with batch norm: beta, gamma, mean, variance, weights; a head: bias, weights (O, I, K, K)
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from export.yolov3_layers import ARCHITECTURES, Architecture, Convolution
from export.yolov3_network import YoloV3
from realtime_vibe.errors import CheckpointError
from realtime_vibe.packets import FloatArray
from realtime_vibe.system.file_boundary import file_boundary, open_regular

BATCH_NORM_EPSILON = 1e-5
"""Added to the variance. Darknet does so on GPUs, where the published weights were trained and measured; on
CPUs it adds 1e-6 to the standard deviation, and OpenCV's reader adds 1e-6 to the variance."""

_FLOAT_BYTES = 4
_VERSION_BYTES = 12
_HINT = "expected yolov3.weights or yolov3-tiny.weights with COCO's 80 classes"


def load_yolov3(path: Path, *, epsilon: float = BATCH_NORM_EPSILON) -> YoloV3:
    """Reads a weights file (the variant follows from its size) in eval mode, batch norm folded into the convolutions.

    Args:
        epsilon: see `BATCH_NORM_EPSILON`.

    Raises:
        CheckpointError: the file is missing, damaged or of another network.
    """
    with file_boundary(path, CheckpointError, _HINT):
        architecture, floats = _read(path)
    network = YoloV3(architecture)
    place = 0
    for layer, target in network.with_weights():
        start, place = place, place + layer.num_floats(target.in_channels)
        numbers = floats[start:place]
        weight, bias = _folded(layer, numbers, epsilon)
        if not (np.isfinite(numbers).all() and np.isfinite(bias).all()):
            raise CheckpointError(
                f"{path} is damaged: floats {start} to {place} hold values that are not finite or "
                "a negative variance; get the file again"
            )
        shaped = torch.from_numpy(weight).view_as(target.weight)
        target.load_state_dict({"weight": shaped, "bias": torch.from_numpy(bias)})
    return network.eval()


def _folded(
    layer: Convolution, numbers: FloatArray, epsilon: float
) -> tuple[FloatArray, FloatArray]:
    """Weights (O, I K K) and bias (O,) of one layer; not finite where a variance is negative."""
    count = layer.filters
    if layer.is_head:
        return numbers[count:].reshape(count, -1), numbers[:count]
    beta, gamma, mean, variance = numbers[: 4 * count].reshape(4, count)
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + np.float32(epsilon))
        weight: NDArray[np.float32] = numbers[4 * count :].reshape(count, -1) * scale[:, None]
        return weight, beta - mean * scale


def _read(path: Path) -> tuple[Architecture, FloatArray]:
    with open_regular(path) as file:
        num_bytes = path.stat().st_size - _header_bytes(file)
        architecture = _of_size(num_bytes)
        return architecture, np.fromfile(file, dtype="<f4", count=architecture.num_floats)


def _header_bytes(file: BinaryIO) -> int:
    """Reads over the header."""
    version = file.read(_VERSION_BYTES)
    if len(version) == _VERSION_BYTES:
        major, minor, _ = (int(number) for number in np.frombuffer(version, dtype="<i4"))
        seen_bytes = 8 if major * 10 + minor >= 2 else 4
        if len(file.read(seen_bytes)) == seen_bytes:
            return _VERSION_BYTES + seen_bytes
    raise ValueError("it ends within its header")


def _of_size(num_bytes: int) -> Architecture:
    for architecture in ARCHITECTURES:
        if num_bytes == architecture.num_floats * _FLOAT_BYTES:
            return architecture
    rest = f" and {num_bytes % _FLOAT_BYTES} bytes" if num_bytes % _FLOAT_BYTES else ""
    sizes = ", ".join(f"{item.name} has {item.num_floats:,}" for item in ARCHITECTURES)
    raise ValueError(
        f"it holds {num_bytes // _FLOAT_BYTES:,} floats{rest} after its header; {sizes}"
    )
