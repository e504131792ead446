"""What can be chosen about BVH files: names of joints, unit and bones."""

from realtime_vibe.geometry.smpl_joints import HUMANOID_BONES, SMPL_JOINT_NAMES

_MIXAMO = (
    "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine1 LeftFoot RightFoot Spine2 LeftToeBase RightToeBase "
    "Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand"
)

BVH_NAMES: dict[str, tuple[str, ...]] = {
    "smpl": SMPL_JOINT_NAMES,
    "mixamo": tuple(f"mixamorig:{name}" for name in _MIXAMO.split()),
    "vrm": tuple(name[0].lower() + name[1:] for name in HUMANOID_BONES),
}
"""Names in SMPL's order. Mixamo's and VRM's skeletons end at the wrist, which both call the hand: SMPL's last
two joints, the knuckles, are the ends of those bones there."""

BVH_BONES = ("constant", "live")
"""Whether bones keep the length of the last shape or follow the shape as it was estimated."""

BVH_UNITS = {"m": 1.0, "cm": 100.0}
"""How many units of length a metre has."""

USUAL_NAMES, USUAL_UNIT, USUAL_BONES = "smpl", "m", "constant"
"""What is written unless something else is asked for."""
