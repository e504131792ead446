"""BlazePose's landmark network: 33 body landmarks in one region of the image.

It predicts six more points; the first two are the middle of the hips and the circle around the
body, from which the next frame's region follows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.geometry.crop import RotatedSquare, crop_square, crop_to_image
from realtime_vibe.packets import (
    NUM_LANDMARKS,
    FloatArray,
    ImageArray,
    PoseLandmarks,
    are_sound,
)
from realtime_vibe.tracking.base import chances
from realtime_vibe.tracking.regions import region_from_alignment

INPUT_SIZE = 256
NUM_POINTS = 39
"""33 landmarks and 6 auxiliary points."""
_HIPS, _CIRCLE = 33, 34
HEATMAP_SIZE = 64
WINDOW_REACH = 3
"""Cells to each side of the predicted one over which a heat map is averaged."""
_STEPS = np.arange(-WINDOW_REACH, WINDOW_REACH + 1)
_MIN_HEAT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPose:
    """What the landmark network says about one region."""

    landmarks: PoseLandmarks
    next_region: RotatedSquare
    """Where the same person will be looked for in the next frame."""
    log_odds: float = 0.0
    """That this is a person, by this frame alone: the tracker says."""

    @property
    def is_sound(self) -> bool:
        """Whether every number can be one of a body and its place."""
        region = self.next_region
        place = (region.center_x_px, region.center_y_px, region.side_px)
        return self.landmarks.is_sound and are_sound(place)


class BlazePoseLandmarks:
    """Finds the landmarks of the person in a region.

    Args:
        session: the exported landmark network. When it has an output `heat`, points are refined.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._input_name = session.inputs[0].name
        self._has_heat = any(output.name == "heat" for output in session.outputs)

    def estimate(self, image_bgr: ImageArray, region: RotatedSquare) -> RegionPose:
        """Runs the network on a region of (H, W, 3); `landmarks.presence` says whether to believe the pose."""
        crop = crop_square(image_bgr, region, INPUT_SIZE)
        results = self._session.run({self._input_name: crop[None]})
        raw = results["landmarks"].reshape(NUM_POINTS, 5)
        return decode(
            refine(raw, results["heat"]) if self._has_heat else raw,
            results["world_landmarks"].reshape(NUM_POINTS, 3),
            float(results["presence"].flat[0]),
            region,
        )

    def close(self) -> None:
        """Frees the network; may be called twice."""
        self._session.close()


def window_places(middles: NDArray[np.intp]) -> NDArray[np.intp]:
    """(39, 49) places of the cells of windows about (39, 2) columns and rows, in all heat maps laid end to end."""
    window = (_STEPS[:, None] * HEATMAP_SIZE + _STEPS).reshape(-1)
    starts = np.arange(NUM_POINTS) * HEATMAP_SIZE**2 + middles[:, 1] * HEATMAP_SIZE + middles[:, 0]
    return starts[:, None] + window


def refine(raw: FloatArray, heat: FloatArray) -> FloatArray:
    """Moves each landmark to the centre of its heat, where there is any near it.

    It takes about a third off the pixel error on real clips. The auxiliary points stay, unlike in MediaPipe:
    refined they shake the next region, and a person whom the network can see in two ways flickers between them.

    Args:
        raw: (39, 5) x, y in input pixels first.
        heat: (39, 49) logits of the 7x7 heat map cells around each point; near the border the
            window lies moved inside.

    Returns:
        (39, 5) a copy with x and y of landmarks refined. Points outside the input stay as they are.
    """
    cell_px = np.float32(INPUT_SIZE / HEATMAP_SIZE)
    cells = np.floor(raw[:, :2] / cell_px)
    middles = cells.clip(WINDOW_REACH, HEATMAP_SIZE - 1 - WINDOW_REACH)
    share = chances(heat).reshape(NUM_POINTS, _STEPS.size, _STEPS.size)
    is_inside = ((cells >= 0) & (cells < HEATMAP_SIZE)).all(axis=1)
    is_hot = (share.max(axis=(1, 2)) >= _MIN_HEAT) & is_inside
    is_hot[NUM_LANDMARKS:] = False
    over_x, over_y = share.sum(axis=1), share.sum(axis=2)
    shift = np.stack([over_x @ _STEPS, over_y @ _STEPS], axis=1) / over_x.sum(axis=1)[:, None]
    refined = raw.copy()
    refined[is_hot, :2] = ((middles + shift) * cell_px)[is_hot]
    return refined


def decode(
    raw: FloatArray, raw_world: FloatArray, presence: float, region: RotatedSquare
) -> RegionPose:
    """Maps the network's numbers from the region to the image, and upright.

    Args:
        raw: (39, 5) x, y, z in input pixels, then the logits of visibility and presence.
        raw_world: (39, 3) [m] in the region's axes.
    """
    points_px = crop_to_image(raw[:, :3] / np.float32(INPUT_SIZE), region)
    world_m = np.array(raw_world[:NUM_LANDMARKS], np.float32)
    # The network sees the person upright; the camera may not.
    world_m[:, :2] = world_m[:, :2] @ region.axes.T
    landmarks = PoseLandmarks(
        image_px=points_px[:NUM_LANDMARKS],
        world_m=world_m,
        visibility=chances(raw[:NUM_LANDMARKS, 3]),
        presence=presence,
    )
    next_region = region_from_alignment(points_px[_HIPS, :2], points_px[_CIRCLE, :2])
    return RegionPose(landmarks=landmarks, next_region=next_region)
