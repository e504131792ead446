"""Names and order of the SMPL joints and of BlazePose's landmarks."""

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry import smpl_joints

SMPL_JOINT_NAMES = smpl_joints.SMPL_JOINT_NAMES
PARENTS = smpl_joints.PARENTS

BLAZEPOSE_LANDMARK_NAMES = (
    "nose",
    "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky",
    "left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel",
    "left_foot_index", "right_foot_index",
)  # fmt: skip
"""The 33 landmarks of BlazePose (Bazarevsky et al. 2020); left is the person's own left."""


def mirrored_name(name: str) -> str:
    """`left_x` for `right_x`, `mouth_right` for `mouth_left`, and so on; others stay."""
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def _mirror_order(names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(names.index(mirrored_name(name)) for name in names)


SMPL_MIRROR = _mirror_order(SMPL_JOINT_NAMES)
"""Index of each joint's mirror image: `joints[list(SMPL_MIRROR)]` swaps left and right."""

BLAZEPOSE_MIRROR = _mirror_order(BLAZEPOSE_LANDMARK_NAMES)
"""Index of each landmark's mirror image."""

LANDMARK_JOINTS = {
    landmark: SMPL_JOINT_NAMES.index(name)
    for landmark, name in enumerate(BLAZEPOSE_LANDMARK_NAMES)
    if name in SMPL_JOINT_NAMES
}
"""Landmark index -> index of the SMPL joint of the same name, for the 12 landmarks that have one.

BlazePose sees wrists, hips and knees at the joint; shoulders, elbows and ankles 3 to 6 cm off it.
"""


def _ancestors() -> tuple[NDArray[np.intp], ...]:
    none = len(PARENTS)
    above = np.array([*(none if parent < 0 else parent for parent in PARENTS), none])
    found = []
    while above.min() < none:
        found.append(above)
        above = above[above]
    return tuple(found)


ANCESTORS = _ancestors()
"""(25,) the joint above each, then the second, fourth and eighth; 24 is above the root.

Composing each joint's motion with that of the joint so far above doubles, round by round, how many joints
it holds: four rounds pose all 24.
"""
