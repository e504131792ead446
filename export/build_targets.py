"""From a target's name to what builds it; libraries are imported when they are needed."""

from export.openvino_target import OpenVinoTarget
from export.targets import OnnxTarget, Target
from export.tensorrt_rtx_target import TensorRtRtxTarget
from export.tensorrt_target import TensorRtTarget
from realtime_vibe.errors import ExportError

TARGETS = ("onnx", "openvino", "tensorrt", "tensorrt-rtx")


def make_target(name: str, capabilities: tuple[str, ...]) -> Target:
    """The target of that name.

    Args:
        name: one of `TARGETS`.
        capabilities: compute capabilities, for TensorRT-RTX.

    Raises:
        ExportError: there is no such target.
    """
    match name:
        case "onnx":
            return OnnxTarget()
        case "openvino":
            return OpenVinoTarget()
        case "tensorrt":
            return TensorRtTarget()
        case "tensorrt-rtx":
            return TensorRtRtxTarget(capabilities)
        case _:
            raise ExportError(f"target is {name!r}, expected one of {', '.join(TARGETS)}")
