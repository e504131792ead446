"""BlazePose's landmark network: 33 body landmarks in one region of the image.

It predicts six more points; the first two are the middle of the hips and the circle around the
body, from which the next frame's region follows.
"""

from dataclasses import dataclass

import numpy as np

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.geometry.crop import RotatedSquare, crop_square, crop_to_image
from realtime_vibe.packets import NUM_LANDMARKS, FloatArray, ImageArray, PoseLandmarks
from realtime_vibe.tracking.regions import region_from_alignment

INPUT_SIZE = 256
NUM_POINTS = 39
"""33 landmarks and 6 auxiliary points."""
_HIPS, _CIRCLE = 33, 34


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPose:
    """What the landmark network says about one region."""

    landmarks: PoseLandmarks
    next_region: RotatedSquare
    """Where the same person will be looked for in the next frame."""


class BlazePoseLandmarks:
    """Finds the landmarks of the person in a region.

    Args:
        session: the exported landmark network.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._input_name = session.inputs[0].name

    def estimate(self, image_bgr: ImageArray, region: RotatedSquare) -> RegionPose:
        """Runs the network once.

        Args:
            image_bgr: (H, W, 3).
            region: around the person.

        Returns:
            The pose; `landmarks.presence` says whether to believe it.
        """
        crop = crop_square(image_bgr, region, INPUT_SIZE)
        results = self._session.run({self._input_name: crop[None]})
        return decode(
            results["landmarks"].reshape(NUM_POINTS, 5),
            results["world_landmarks"].reshape(NUM_POINTS, 3),
            float(results["presence"].flat[0]),
            region,
        )

    def close(self) -> None:
        """Frees the network; may be called twice."""
        self._session.close()


def decode(
    raw: FloatArray, raw_world: FloatArray, presence: float, region: RotatedSquare
) -> RegionPose:
    """Maps the network's numbers from the region to the image and to camera axes.

    Args:
        raw: (39, 5) x, y, z in input pixels, then the logits of visibility and presence.
        raw_world: (39, 3) [m] in the region's axes.
        presence: chance that there is a person.
        region: where the network looked.
    """
    points_px = crop_to_image(raw[:, :3] / np.float32(INPUT_SIZE), region)
    world_m = np.array(raw_world[:NUM_LANDMARKS], np.float32)
    # The network sees the person upright; the camera may not.
    world_m[:, :2] = world_m[:, :2] @ region.axes.T
    landmarks = PoseLandmarks(
        image_px=points_px[:NUM_LANDMARKS],
        world_m=world_m,
        visibility=_sigmoid(raw[:NUM_LANDMARKS, 3]),
        presence=presence,
    )
    next_region = region_from_alignment(points_px[_HIPS, :2], points_px[_CIRCLE, :2])
    return RegionPose(landmarks=landmarks, next_region=next_region)


def _sigmoid(logits: FloatArray) -> FloatArray:
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0)))).astype(np.float32)
