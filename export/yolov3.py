"""Makes a person detector of Darknet's YOLOv3 weights.

    python -m export.yolov3 --weights yolov3.weights --out engines/yolov3

Writes `yolov3.onnx` and `detector.json`. The variant, full or tiny, follows from the file. The graph is
compared with torch on pictures first; nothing is replaced unless they agree.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch

from export.darknet_weights import load_yolov3
from export.graphs import graph_entry, write_graph
from export.yolov3_network import DEFAULT_SIZE, PersonDetection, YoloV3
from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.graph_folder import FORMAT_VERSION, file_sha256
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import ExportError, RealtimeVibeError
from realtime_vibe.geometry.crop import letterbox_square
from realtime_vibe.models.precision import PRECISIONS, Precision
from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.tracking.yolov3_detector import letterboxed

GRAPH_NAME = "yolov3.onnx"
MANIFEST_NAME = "detector.json"
PARITY_LIMIT: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1e-2}
_INPUT = "image_bgr"
_OUTPUTS = ("boxes", "scores")
_DEMO_FRAMES = (0, 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorReport:
    """What was written and how well it agrees with torch."""

    folder: Path
    family: str
    max_error: float
    """See `parity`."""
    size_bytes: int


def export_yolov3(
    weights: Path, out: Path, *, size: int = DEFAULT_SIZE, precision: Precision = "fp32"
) -> DetectorReport:
    """Builds the detector's folder.

    Args:
        out: the folder; made when absent.
        size: side of the square picture it takes [px], a multiple of 32.

    Raises:
        CheckpointError: the weights cannot be read.
        ExportError: the size does not fit, or the graph does not agree with torch.
    """
    network = load_yolov3(weights)
    graph = PersonDetection(network, size, precision).eval()
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as scratch:
        path = Path(scratch) / GRAPH_NAME
        picture = torch.zeros(1, size, size, 3, dtype=torch.uint8)
        write_graph(graph, {_INPUT: picture}, _OUTPUTS, path, any_number=False)
        del graph
        with OnnxRuntimeSession(path, num_threads=2) as session:
            error = parity(network, session, sample_pictures(size))
            entry = graph_entry(path, session)
        # Written so that an error that is no number is refused too.
        if not error <= PARITY_LIMIT[precision]:
            raise ExportError(
                f"the graph differs from torch by {error:.2e}, expected at most "
                f"{PARITY_LIMIT[precision]:.0e} in {precision}: nothing was replaced"
            )
        family = network.architecture.name
        manifest = {
            "format_version": FORMAT_VERSION,
            "family": family,
            "precision": precision,
            "input_size": size,
            "licence": "that of the weights file, which stays its user's; trained on COCO if official",
            "source": {"file": weights.name, "sha256": file_sha256(weights)},
            "graphs": {"detector": entry},
            "measured": {"parity_max_error": error},
        }
        part = Path(scratch) / MANIFEST_NAME
        part.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        num_bytes = path.stat().st_size
        path.replace(out / GRAPH_NAME)
        part.replace(out / MANIFEST_NAME)
    return DetectorReport(folder=out, family=family, max_error=error, size_bytes=num_bytes)


def parity(network: YoloV3, session: InferenceSession, pictures: Sequence[ImageArray]) -> float:
    """How far a graph is from the network in single precision.

    Args:
        network: the whole network, eval mode.
        pictures: (S, S, 3) each.

    Returns:
        The largest difference of any score or coordinate [of the picture's side]; of a coordinate beyond
        the picture, the share of its distance. Not a number if the graph gives such.
    """
    reference = PersonDetection(network, pictures[0].shape[0]).eval()
    worst = [0.0]
    for picture in pictures:
        found = session.run({_INPUT: picture[None]})
        with torch.no_grad():
            expected = reference(torch.from_numpy(picture[None]))
        for name, values in zip(_OUTPUTS, expected, strict=True):
            difference = np.abs(found[name] - values.numpy())
            worst.append(float(np.max(difference / np.maximum(1.0, np.abs(values.numpy())))))
    return float(np.max(worst))


def sample_pictures(size: int) -> tuple[ImageArray, ...]:
    """Frames of the bundled clip, where trained weights see a person, and noise; (size, size, 3) each."""
    pictures: list[ImageArray] = []
    capture = cv2.VideoCapture(str(demo_clip_path()))
    try:
        for index in _DEMO_FRAMES:
            capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            is_read, image = capture.read()
            if not is_read:
                raise ExportError(f"frame {index} of {demo_clip_path()} cannot be read: reinstall")
            square = letterbox_square(image.shape[1], image.shape[0])
            pictures.append(letterboxed(image.astype(np.uint8), square, size))
    finally:
        capture.release()
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return (*pictures, noise)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m export.yolov3", description="Make a person detector of YOLOv3 weights."
    )
    parser.add_argument(
        "--weights", type=Path, required=True, help="yolov3.weights or yolov3-tiny.weights"
    )
    parser.add_argument("--out", type=Path, default=Path("engines/yolov3"))
    parser.add_argument(
        "--size", type=int, default=DEFAULT_SIZE, help="side of the picture [px]: 320, 416, 608"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    options = parser.parse_args(arguments)
    try:
        report = export_yolov3(
            options.weights, options.out, size=options.size, precision=options.precision
        )
    except (RealtimeVibeError, OSError) as error:
        print(f"export.yolov3: error: {error}", file=sys.stderr)
        return 2
    print(
        f"{report.folder}: {report.family} in {options.precision}, {options.size} px, "
        f"{report.size_bytes / 2**20:.1f} MiB, differs from torch by at most {report.max_error:.1e}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
