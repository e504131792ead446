"""SMPL's joints as the humanoid bones of Unity and VRM, in Unity's axes.

Unity is left-handed: x right, y up, z forward [m]; a humanoid in its rest pose stands as a T, faces +z
and has its left arm along -x. SMPL's rest pose mirrored in x is exactly that, so rotations of both are
relative to the same T. Legend: B = 22 bones.
"""

from dataclasses import dataclass, replace

import numpy as np

from realtime_vibe.geometry.axes import MIRROR_X, R_UNITY_WORLD, T_WORLD_CAMERA
from realtime_vibe.geometry.smpl_joints import HUMANOID_BONES, PARENTS
from realtime_vibe.geometry.smpl_skeleton import offsets_of_posed, rest_joints, world_rotations
from realtime_vibe.outputs.ground import GroundLevel, feet_are_in_view
from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.packets import FloatArray, FrameResult, PersonResult

BONES = HUMANOID_BONES
"""Names of the 22 bones; bone i is joint i of SMPL."""
NUM_BONES = len(BONES)
BONE_PARENTS = PARENTS[:NUM_BONES]
"""Parent of each bone; -1 for the hips."""

_FEET = [BONES.index(name) for name in ("LeftFoot", "RightFoot", "LeftToes", "RightToes")]
_MIRRORED = np.outer(MIRROR_X, MIRROR_X)
"""(3, 3) signs of a rotation matrix seen in a mirror across x."""
_OTHER_SIDE = [
    BONES.index(bone.replace("Left", "Right") if "Left" in bone else bone.replace("Right", "Left"))
    for bone in BONES
]
"""The left bone for each right one and the other way round; those of the middle themselves."""
_SAME_BETAS = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanoidPose:
    """One person's bones."""

    local_rotations: FloatArray
    """(B, 3, 3) relative to the parent bone, of the hips relative to the room, Unity's axes."""
    positions: FloatArray
    """(B, 3) in the room: the floor under the feet is y = 0 [m]."""
    offsets: FloatArray
    """(B, 3) rest position relative to the parent bone, Unity's axes [m]; zero for the hips."""
    rest_hips_above_feet_m: float
    """Height of the hips over the lower of foot and toe joint in the rest pose [m]."""

    def rotations(self) -> FloatArray:
        """(B, 3, 3) from each bone's rest axes to the room's."""
        return world_rotations(self.local_rotations)

    def mirrored(self) -> "HumanoidPose":
        """The image in a mirror across the room's x: what the left side did the right side does."""
        return replace(
            self,
            local_rotations=self.local_rotations[_OTHER_SIDE] * _MIRRORED,
            positions=self.positions[_OTHER_SIDE] * MIRROR_X,
            offsets=self.offsets[_OTHER_SIDE] * MIRROR_X,
        )


def hips_above_feet_m(offsets: FloatArray) -> float:
    """How far the hips stand above the lowest foot or toe joint of a rest pose of (B, 3) bones, y up [m]."""
    return float(-rest_joints(offsets)[_FEET, 1].min())


class HumanoidRoom:
    """Turns results into bones that stand on a floor; mirrored, as a mirror beside the person shows them.

    The first person seen stands at the origin: x and z count from there, and y from the floor. That is the
    calibrated one, else where the feet were lowest. A person who faces the camera faces +z, and walks along
    +z towards it.
    """

    def __init__(self, *, mirror: bool = False) -> None:
        self._mirror = mirror
        self._floor = GroundLevel()
        self._origin: FloatArray | None = None
        self._world: FloatArray = T_WORLD_CAMERA
        self._bones_of: FloatArray | None = None
        self._offsets: FloatArray = np.zeros((NUM_BONES, 3), np.float32)
        self._hips_above_feet_m = 0.0

    def pose(
        self, person: PersonResult, now_s: float, T_world_camera: FloatArray | None = None
    ) -> HumanoidPose:
        """The bones of one person at a media time [s], by the (4, 4) from camera to Z-up world; None: a level camera."""
        world = T_WORLD_CAMERA if T_world_camera is None else T_world_camera
        unity = R_UNITY_WORLD @ world[:3]
        turns, offset = unity[:, :3], unity[:, 3]
        self._turn_with(world, person.mesh.joints[0])
        is_floor = self._floor.counts(now_s, feet_are_seen=feet_are_in_view(person))
        local = np.empty((NUM_BONES, 3, 3), np.float32)
        np.multiply(person.params.body_pose[: NUM_BONES - 1], _MIRRORED, out=local[1:])
        np.multiply(turns @ person.params.global_orient, MIRROR_X, out=local[0])
        self._measure(person)
        pose = HumanoidPose(
            local_rotations=local,
            # A camera whose height nobody measured is at 0, and so is no floor.
            positions=self._placed(
                person.mesh.joints[:NUM_BONES] @ turns.T + offset,
                now_s,
                None if world[2, 3] != 0 else is_floor,
            ),
            offsets=self._offsets,
            rest_hips_above_feet_m=self._hips_above_feet_m,
        )
        return pose.mirrored() if self._mirror else pose

    def _turn_with(self, world: FloatArray, pelvis: FloatArray) -> None:
        """Keeps the person where they are while the world's axes turn, as the vertical is being found."""
        if world is not self._world and self._origin is not None:
            change = R_UNITY_WORLD @ (world[:3] - self._world[:3]) @ np.append(pelvis, 1.0)
            self._origin = self._origin + (change * [1, 0, 1]).astype(np.float32)
            self._floor.move(-float(change[1]))
        self._world = world

    def _measure(self, person: PersonResult) -> None:
        """Lengths of the bones, anew when the shape has changed by hundredths of a millimetre."""
        betas = person.params.betas
        if self._bones_of is not None and np.abs(betas - self._bones_of).max() < _SAME_BETAS:
            return
        local = np.concatenate([person.params.global_orient[None], person.params.body_pose])
        # The joints know their own bone lengths: turned back, they are those of the rest pose.
        offsets = offsets_of_posed(local[:NUM_BONES], person.mesh.joints[:NUM_BONES]) * MIRROR_X
        self._offsets, self._hips_above_feet_m = offsets, hips_above_feet_m(offsets)
        self._bones_of = betas.copy()

    def _placed(self, positions: FloatArray, now_s: float, is_floor: bool | None) -> FloatArray:
        """Positions in the room; `is_floor`: whether the lowest foot tells where the floor is, None where it is known."""
        if self._origin is None:
            self._origin = positions[0] * np.array([1, 0, 1], np.float32)
        placed: FloatArray = positions - self._origin
        if is_floor:
            self._floor.update(-float(placed[_FEET, 1].min()), now_s)
        if is_floor is not None:
            placed[:, 1] += self._floor.level_m
        return placed


class LeadingPerson:
    """Picks the one person that an avatar follows: the same as long as they are in view, or whom the user chose.

    While the latter is out of view, nobody is picked.
    """

    def __init__(self, lock: PersonLock | None = None) -> None:
        self._lock = lock
        self._track_id: int | None = None

    def pick(self, result: FrameResult) -> PersonResult | None:
        """Whom the user chose, else who was followed so far, else whoever is largest in the picture.

        None for nobody.
        """
        chosen = None if self._lock is None else self._lock.track_id
        if chosen is not None:
            self._track_id = chosen
        for person in result.people:
            if person.person.track_id == self._track_id:
                return person
        if chosen is not None or not result.people:
            return None
        largest = max(result.people, key=lambda person: float(person.square_px[2]))
        self._track_id = largest.person.track_id
        return largest
