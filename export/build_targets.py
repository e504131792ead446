"""From a target's name to what builds it; torch is imported for the one that needs it."""

from export.openvino_target import OpenVinoTarget
from export.targets import OnnxTarget, Target
from export.tensorrt_rtx_target import TensorRtRtxTarget
from export.tensorrt_target import TensorRtTarget
from realtime_vibe.errors import ExportError

TARGETS = ("onnx", "openvino", "tensorrt", "tensorrt-rtx", "torch-tensorrt")


def make_target(name: str, capabilities: tuple[str, ...]) -> Target:
    """The target of that name.

    Args:
        name: one of `TARGETS`.

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
        case "torch-tensorrt":
            from export.torch_tensorrt_target import TorchTensorRtTarget

            return TorchTensorRtTarget()
        case _:
            raise ExportError(f"target is {name!r}, expected one of {', '.join(TARGETS)}")
