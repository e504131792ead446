"""Whether somebody stands still and upright in full view, and what is missing if not."""

import numpy as np

from realtime_vibe.geometry.camera import project
from realtime_vibe.packets import FloatArray, FrameResult, PersonResult

_FEET, _HEAD = (27, 28, 29, 30, 31, 32), (0, 7, 8)
"""BlazePose's landmarks of ankles, heels and toes, and of nose and ears."""
_SEEN = 0.4
_EDGE = 0.01
"""Of the picture's side: landmarks at its very edge are guessed."""
_MOVED_M = 0.05
_ANKLES, _KNEES, _HIPS, _NECK = (7, 8), (4, 5), (1, 2), 12
_STRAIGHT_DEG = 50.0
"""An easy stance is seen with hips and knees bent by 20 to 40 degrees, a chair gives 80."""


def trouble_with(result: FrameResult) -> str:
    """Why one frame, judged by itself, does not show a single person upright in full view; empty where it does."""
    if not result.people:
        return "step into the picture"
    if len(result.people) > 1:
        return "only one person may be in the picture"
    person = result.people[0]
    height, width = result.frame.image_bgr.shape[:2]
    hidden = _hidden(person, (width, height), result.focal_px)
    return hidden or ("" if is_upright(person.mesh.joints) else "stand upright")


def has_moved(joints: FloatArray, before: FloatArray) -> bool:
    """Whether somebody moved between two looks, by (24, 3) joints of both, camera frame [m].

    The picture alone is asked: how far away the body seems to be wanders also when nobody moves.
    """
    depth_m = before[0, 2]
    shift = joints[:, :2] / joints[:, 2:] - before[:, :2] / before[:, 2:]
    return bool(np.median(np.linalg.norm(shift, axis=1)) * depth_m > _MOVED_M)


def _hidden(person: PersonResult, size: tuple[int, int], focal_px: float) -> str:
    marks = person.person.landmarks
    if marks is None:
        points = project(
            person.mesh.vertices[:: max(1, len(person.mesh.vertices) // 500)], size, focal_px
        )
        lowest, highest = points[:, 1].max(), points[:, 1].min()
        seen_feet, seen_head = True, True
    else:
        lowest = marks.image_px[list(_FEET), 1].max()
        highest = marks.image_px[list(_HEAD), 1].min()
        seen_feet = float(np.median(marks.visibility[list(_FEET)])) > _SEEN
        seen_head = float(marks.visibility[list(_HEAD)].max()) > _SEEN
    if not seen_feet or not lowest < (1 - _EDGE) * size[1]:
        return "too close: feet not visible"
    if not seen_head or not highest > _EDGE * size[1]:
        return "too close: head not visible"
    return ""


def is_upright(joints: FloatArray, most_deg: float = _STRAIGHT_DEG) -> bool:
    """Whether hips and knees of (24, 3) joints are bent by no more: no chair, no bow, no squat."""
    spine = joints[_NECK] - joints[list(_HIPS)].mean(axis=0)
    for hip, knee, ankle in zip(_HIPS, _KNEES, _ANKLES, strict=True):
        thigh, shin = joints[hip] - joints[knee], joints[knee] - joints[ankle]
        if max(_angle_deg(spine, thigh), _angle_deg(thigh, shin)) > most_deg:
            return False
    return True


def _angle_deg(first: FloatArray, second: FloatArray) -> float:
    cosine = first @ second / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-9)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
