"""BlazePose's person detector: a single-shot network on the whole, letterboxed image.

Legend: A = 2254 anchors, N detections, K = 4 keypoints (0 middle of the hips, 1 the circle around
the whole body, 2 middle of the shoulders, 3 the circle around the upper body).
"""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.geometry.crop import crop_square, crop_to_image, letterbox_square
from realtime_vibe.packets import FloatArray, ImageArray
from realtime_vibe.system.few_warnings import FewWarnings
from realtime_vibe.tracking.base import DETECTOR_OVERFLOW, DetectedPerson, chances, counting_answers
from realtime_vibe.tracking.boxes import iou_matrix
from realtime_vibe.tracking.regions import region_from_alignment

INPUT_SIZE = 224
NUM_KEYPOINTS = 4
_ANCHORS_PER_CELL = ((8, 2), (16, 2), (32, 6))
"""(stride [px], anchors per cell) of the three feature maps; all anchors have size one."""
MIN_SCORE = 0.5
_SAME_PERSON_IOU = 0.3


class BlazePoseDetector:
    """Finds people in an image, with scores of `MIN_SCORE` or more."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._input_name = session.inputs[0].name
        self._centers = anchor_centers()
        self._overflows = FewWarnings(__name__, DETECTOR_OVERFLOW)

    def detect(self, image_bgr: ImageArray) -> tuple[DetectedPerson, ...]:
        """Finds people, best score first; see `PersonDetector.detect`."""
        height, width = image_bgr.shape[:2]
        square = letterbox_square(width, height)
        crop = crop_square(image_bgr, square, INPUT_SIZE)
        results = self._session.run({self._input_name: crop[None]})
        scores, raw = chances(results["scores"][0, :, 0]), results["boxes"][0]
        kept = counting_answers(scores, raw, MIN_SCORE, self._overflows)
        boxes, keypoints = decode(raw[kept], self._centers[kept])
        return tuple(
            detected_person(score, crop_to_image(points, square))
            for score, points in merge_overlapping(scores[kept], boxes, keypoints)
        )

    def close(self) -> None:
        """Frees the network; may be called twice."""
        self._session.close()


def detected_person(score: float, keypoints_px: FloatArray) -> DetectedPerson:
    """A person from keypoints (4, 2) [px]; the box is the square about the body's circle, not the detector's."""
    hips, circle = keypoints_px[0], keypoints_px[1]
    radius = np.hypot(*(circle - hips))
    return DetectedPerson(
        score=score,
        bbox_xyxy=np.concatenate([hips - radius, hips + radius]).astype(np.float32),
        region=region_from_alignment(hips, circle),
    )


def anchor_centers() -> FloatArray:
    """(A, 2) centres of the anchors in crop coordinates, in the order of the network's output."""
    maps: list[NDArray[np.float32]] = []
    for stride, per_cell in _ANCHORS_PER_CELL:
        cells = INPUT_SIZE // stride
        line = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(line, line)
        maps.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), per_cell, axis=0))
    return np.concatenate(maps)


def decode(raw_boxes: FloatArray, centers: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turns the network's numbers into boxes.

    Args:
        raw_boxes: (N, 12) x, y, w, h and 4 keypoints, in input pixels relative to the anchor.
        centers: (N, 2) of the anchors.

    Returns:
        boxes (N, 4) as x1, y1, x2, y2 and keypoints (N, 4, 2) in crop coordinates.
    """
    raw = raw_boxes / np.float32(INPUT_SIZE)
    middle = raw[:, :2] + centers
    half = raw[:, 2:4] / np.float32(2)
    keypoints = raw[:, 4:].reshape(-1, NUM_KEYPOINTS, 2) + centers[:, None]
    return np.concatenate([middle - half, middle + half], axis=1), keypoints


def merge_overlapping(
    scores: FloatArray, boxes: FloatArray, keypoints: FloatArray
) -> list[tuple[float, FloatArray]]:
    """Weighted non-maximum suppression: scores and averaged keypoints (K, 2), best score first."""
    merged: list[tuple[float, FloatArray]] = []
    left = np.argsort(-scores, kind="stable")
    while left.size:
        best = left[0]
        same = iou_matrix(boxes[[best]], boxes[left])[0] > _SAME_PERSON_IOU
        same[0] = True  # also where the box is empty and overlaps nothing, itself included
        group = left[same]
        weights = scores[group] / scores[group].sum()
        points = np.tensordot(weights, keypoints[group], axes=1).astype(np.float32)
        merged.append((float(scores[best]), points))
        left = left[~same]
    return merged
