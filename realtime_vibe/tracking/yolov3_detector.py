"""YOLOv3 as a person detector, as VIBE's demo uses it: one pass over the letterboxed image.

Legend: A anchors, N detections. See Redmon & Farhadi 2018.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.geometry.crop import (
    RotatedSquare,
    crop_square,
    crop_to_image,
    letterbox_square,
)
from realtime_vibe.packets import FloatArray, ImageArray
from realtime_vibe.system.few_warnings import FewWarnings
from realtime_vibe.tracking.base import DETECTOR_OVERFLOW, DetectedPerson, counting_answers

MIN_SCORE = 0.7
"""Of VIBE's demo."""
MAX_PEOPLE = 32
_SAME_PERSON_IOU = 0.45
"""Darknet's own."""
_PADDING = 127
"""Darknet trained with mid-grey around its pictures; the edge of a black border looks like a thing."""
_REGION_MARGIN = 1.25
"""Side of a region against the longer side of the box: what BlazePose's landmark network was trained with."""


class YoloV3Detector:
    """Finds people in an image: the `MAX_PEOPLE` best of those with scores of `MIN_SCORE` or more.

    Args:
        session: made by `python -m export.yolov3`; its input says how large a picture it takes.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._input_name = session.inputs[0].name
        self._size = int(session.inputs[0].shape[1])
        self._overflows = FewWarnings(__name__, DETECTOR_OVERFLOW)

    def detect(self, image_bgr: ImageArray) -> tuple[DetectedPerson, ...]:
        """Finds people, best score first; see `PersonDetector.detect`."""
        height, width = image_bgr.shape[:2]
        square = letterbox_square(width, height)
        picture = letterboxed(image_bgr, square, self._size)
        results = self._session.run({self._input_name: picture[None]})
        boxes, scores = results["boxes"][0], results["scores"][0]
        kept = counting_answers(scores, boxes, MIN_SCORE, self._overflows)
        boxes, scores = boxes[kept], scores[kept]
        return tuple(
            _person(float(scores[index]), crop_to_image(boxes[index].reshape(2, 2), square))
            for index in best_apart(boxes, scores)[:MAX_PEOPLE]
        )

    def close(self) -> None:
        """Frees the network; may be called twice."""
        self._session.close()


def letterboxed(image_bgr: ImageArray, square: RotatedSquare, size: int) -> ImageArray:
    """(size, size, 3): a region resampled, mid-grey where it leaves the image."""
    crop = crop_square(image_bgr, square, size)
    # What the crop leaves of an all-grey image is missing in the same measure along the blended edge.
    grey = crop_square(np.full(image_bgr.shape[:2], _PADDING, np.uint8), square, size)
    return crop + (_PADDING - grey)[:, :, None]


def best_apart(boxes: FloatArray, scores: FloatArray) -> NDArray[np.intp]:
    """Non-maximum suppression of boxes (N, 4) xyxy by `scores` (N,): (M,) indices, best first."""
    with_sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    best = cv2.dnn.NMSBoxes(
        with_sizes.astype(np.float64).tolist(), scores.tolist(), 0.0, _SAME_PERSON_IOU
    )
    return np.asarray(best, dtype=np.intp)


def _person(score: float, corners_px: FloatArray) -> DetectedPerson:
    middle, size = corners_px.mean(axis=0), corners_px[1] - corners_px[0]
    return DetectedPerson(
        score=score,
        bbox_xyxy=corners_px.reshape(4),
        region=RotatedSquare(
            center_x_px=float(middle[0]),
            center_y_px=float(middle[1]),
            side_px=_REGION_MARGIN * float(size.max()),
            roll_rad=0.0,
        ),
    )
