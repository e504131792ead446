"""How far knees and elbows are open, and hips flexed, measured from a motion's local rotations.

Angles are those of SMPL's joint centres on the default body; 180 degrees is a straight limb. Legend: N
frames.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.geometry.rotation import FloatingArray, rotmat_from_quat_wxyz
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M

Array = NDArray[np.float64]


class Hinge(NamedTuple):
    """A knee or an elbow, by indices of SMPL joints."""

    upper: int
    """Hip or shoulder."""
    middle: int
    """Knee or elbow."""
    lower: int
    """Ankle or wrist."""


def _hinge(*names: str) -> Hinge:
    return Hinge(*(SMPL_JOINT_NAMES.index(name) for name in names))


KNEES = tuple(_hinge(f"{s}_hip", f"{s}_knee", f"{s}_ankle") for s in ("left", "right"))
ELBOWS = tuple(_hinge(f"{s}_shoulder", f"{s}_elbow", f"{s}_wrist") for s in ("left", "right"))
"""Left, right."""
LIMBS = {
    f"{side} {name}": hinge
    for name, hinges in (("knee", KNEES), ("elbow", ELBOWS))
    for side, hinge in zip(("left", "right"), hinges, strict=True)
}
"""`left knee`, `right knee`, `left elbow`, `right elbow`."""


def interior_angle_deg(quats: FloatingArray, hinge: Hinge) -> Array:
    """(N,) angle between the two bones of a limb, 180 when it is straight, by local `quats` (N, 24, 4) wxyz."""
    upper, lower = unit_bone(hinge.middle), unit_bone(hinge.lower)
    turned = rotmat_from_quat_wxyz(quats[:, hinge.middle].astype(np.float64)) @ lower
    sine = np.linalg.norm(np.cross(upper, turned), axis=-1)
    angle: Array = 180.0 - np.degrees(np.arctan2(sine, turned @ upper))
    return angle


def hip_flexion_deg(quats: FloatingArray, hinge: Hinge) -> Array:
    """(N,) flexion of a knee's thigh in the pelvis' sagittal plane (0 standing, 90 on a chair), by (N, 24, 4) wxyz."""
    thigh = rotmat_from_quat_wxyz(quats[:, hinge.upper].astype(np.float64)) @ unit_bone(
        hinge.middle
    )
    return np.degrees(np.arctan2(thigh[:, 2], -thigh[:, 1]))


def unit_bone(joint: int) -> Array:
    """(3,) direction of the bone from a joint's parent to it, in the rest pose."""
    bone = REST_JOINTS_M[joint] - REST_JOINTS_M[PARENTS[joint]]
    direction: Array = bone / np.linalg.norm(bone)
    return direction
