"""How tightly the mesh lies on the person: its BlazePose landmarks in the image beside the tracked ones.

Needs no truth, so any video can be measured. Legend: F frames, L = 33 landmarks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, LANDMARK_JOINTS
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.camera import project
from realtime_vibe.packets import NUM_LANDMARKS, BodyMesh, FrameResult, PersonResult

VISIBLE = 0.5
"""Landmarks of a lower visibility are not compared: the tracker itself guesses them."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Distances in the image over all visible landmarks and frames, % of the person's height.

    The height is that of the mesh in the image: the longer side of the box around its projected
    vertices, median over the clip. NaN: nothing was visible.
    """

    median: float
    p90: float
    wrist_median: float
    wrist_p90: float
    ankle_median: float
    ankle_p90: float


class MeshLandmarks:
    """Reads BlazePose's landmarks off posed bodies of one model.

    Args:
        body: the model.

    Raises:
        DatasetError: the body does not say where its landmarks are.
    """

    def __init__(self, body: BodyModel) -> None:
        if body.blazepose_regressor is None:
            raise DatasetError(
                "the engine's body has no blazepose_regressor; expected the default body"
            )
        # Rows that repeat a joint's are the joint itself, which skinned vertices give only nearly.
        self._at_joint = [
            (landmark, joint)
            for landmark, joint in LANDMARK_JOINTS.items()
            if np.array_equal(body.blazepose_regressor[landmark], body.J_regressor[joint])
        ]
        self._used = np.flatnonzero(body.blazepose_regressor.any(axis=0))
        self._shares = body.blazepose_regressor[:, self._used]

    def of(self, mesh: BodyMesh) -> NDArray[np.float32]:
        """(33, 3) [m] in the mesh's frame."""
        landmarks = self._shares @ mesh.vertices[self._used]
        for landmark, joint in self._at_joint:
            landmarks[landmark] = mesh.joints[joint]
        return landmarks


class OverlayDistances:
    """Gathers distances frame by frame.

    Args:
        body: the engine's body.
    """

    def __init__(self, body: BodyModel) -> None:
        self._landmarks = MeshLandmarks(body)
        self._distances_px: list[FloatArray] = []
        self._heights_px: list[float] = []

    def put(self, result: FrameResult, person: PersonResult) -> None:
        """Takes one person of one frame."""
        tracked = person.person.landmarks
        if tracked is None:
            return
        height, width = result.frame.image_bgr.shape[:2]
        size, focal_px = (width, height), result.focal_px
        points = project(person.in_picture(self._landmarks.of(person.mesh)), size, focal_px)
        distances = np.linalg.norm(points - tracked.image_px[:, :2], axis=-1).astype(np.float64)
        distances[tracked.visibility <= VISIBLE] = np.nan
        self._distances_px.append(distances)
        vertices = person.in_picture(person.mesh.vertices)
        self._heights_px.append(extent_px(project(vertices, size, focal_px)))

    def finished(self) -> Overlay | None:
        """All frames together; None when there was none."""
        if not self._distances_px:
            return None
        return overlay_of(np.stack(self._distances_px), np.array(self._heights_px))


def extent_px(points: NDArray[np.floating]) -> float:
    """Longer side of the box around image points (N, 2)."""
    # Reducing rows of two numbers is ten times slower than two long rows.
    return float(np.ptp(np.ascontiguousarray(points.T), axis=1).max())


def overlay_of(distances_px: FloatArray, heights_px: FloatArray) -> Overlay:
    """Summary of distances.

    Args:
        distances_px: (F, 33); NaN where a landmark is not visible.
        heights_px: (F,) of the mesh.
    """
    percent = 100.0 * distances_px / np.nanmedian(heights_px)
    rows = range(NUM_LANDMARKS)
    numbers = {}
    for prefix, part in (("", ""), ("wrist_", "wrist"), ("ankle_", "ankle")):
        chosen = [row for row in rows if BLAZEPOSE_LANDMARK_NAMES[row].endswith(part)]
        values = percent[:, chosen]
        values = values[np.isfinite(values)]
        for name, level in (("median", 50), ("p90", 90)):
            numbers[prefix + name] = (
                float(np.percentile(values, level)) if values.size else float("nan")
            )
    return Overlay(**numbers)


def mean_overlay(overlays: Sequence[Overlay]) -> Overlay:
    """Mean over clips that have a figure, each counting alike."""
    means = {}
    for field in fields(Overlay):
        values = np.array([getattr(each, field.name) for each in overlays])
        known = values[np.isfinite(values)]
        means[field.name] = float(known.mean()) if known.size else float("nan")
    return Overlay(**means)
