"""Compares a converted graph with the original file, on frames of real clips and on noise."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx

from export.tflite_to_onnx import INPUT_NAME, Normalisation
from realtime_vibe.errors import ExportError
from realtime_vibe.packets import ImageArray

TOLERANCES = {
    "landmarks": 0.05,  # input pixels of 256, and logits
    "presence": 1e-4,
    "heatmaps": 0.05,  # logits
    "world_landmarks": 1e-3,  # metres
    "boxes": 0.05,  # input pixels of 224
    "scores": 0.05,  # logits of up to several hundred
}
_FRAMES_PER_CLIP = 3
_NUM_RANDOM = 3


def sample_images(clips: Path) -> tuple[ImageArray, ...]:
    """Frames of the `.mp4` files below a folder, and random images.

    Args:
        clips: may be absent or hold no clip; then only the random images come back.
    """
    images: list[ImageArray] = []
    for path in sorted(clips.rglob("*.mp4")):
        capture = cv2.VideoCapture(str(path))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        for index in np.linspace(0, max(count - 2, 0), _FRAMES_PER_CLIP).astype(int).tolist():
            capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            is_read, image = capture.read()
            if is_read:
                images.append(np.asarray(image, np.uint8))
        capture.release()
    rng = np.random.default_rng(0)
    images += [rng.integers(0, 256, (256, 256, 3), np.uint8) for _ in range(_NUM_RANDOM)]
    return tuple(images)


def check_graph(
    model: onnx.ModelProto,
    original: Path,
    outputs: Mapping[str, str],
    normalisation: Normalisation,
    images: Sequence[ImageArray],
) -> dict[str, float]:
    """Runs both on the same images.

    Args:
        outputs: name in the graph by name in the file.
        normalisation: what the original wants done to the bytes.
        images: of any size; the middle square is used.

    Returns:
        The largest absolute difference of each output.

    Raises:
        ExportError: a difference is above its tolerance.
    """
    import onnxruntime as ort
    from ai_edge_litert.interpreter import Interpreter

    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    interpreter = Interpreter(str(original))
    interpreter.allocate_tensors()
    size = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    worst = dict.fromkeys(outputs.values(), 0.0)
    for image in images:
        crop = _middle_square(image, size)[None]
        got = session.run(list(outputs.values()), {INPUT_NAME: crop})
        rgb = (crop[..., ::-1].astype(np.float32) - normalisation.mean) / normalisation.scale
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], rgb.astype(np.float32))
        interpreter.invoke()
        wanted = {
            detail["name"]: interpreter.get_tensor(detail["index"])
            for detail in interpreter.get_output_details()
        }
        for (old, new), values in zip(outputs.items(), got, strict=True):
            # Pictures come out of the original with the channels last.
            expected = wanted[old].transpose(0, 3, 1, 2) if values.ndim == 4 else wanted[old]
            worst[new] = max(worst[new], float(np.abs(values - expected).max()))
    for name, error in worst.items():
        if not error <= TOLERANCES[name]:
            raise ExportError(
                f"{original.name}: output '{name}' is off by {error:.2g}, at most "
                f"{TOLERANCES[name]:.2g} is allowed"
            )
    return {name: float(f"{error:.2g}") for name, error in worst.items()}


def _middle_square(image: ImageArray, size: int) -> ImageArray:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
