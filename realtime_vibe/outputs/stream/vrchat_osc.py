"""VRChat's OSC trackers: eight points of the body and the head, as OSC over UDP.

Unity's axes, metres, and Euler angles [degrees] in Unity's order: turned about z first, then x, then y.
"""

from functools import cached_property

import numpy as np

from realtime_vibe.geometry.rotation import euler_from_rotmat
from realtime_vibe.outputs.stream.avatar_sink import AvatarSink
from realtime_vibe.outputs.stream.humanoid import BONES
from realtime_vibe.outputs.stream.newest_sender import AFTER_AVATARS_S
from realtime_vibe.outputs.stream.osc import OscMessage, bundles
from realtime_vibe.packets import FloatArray, FrameResult

TRACKERS = (
    ("1", "Hips"), ("2", "Chest"), ("3", "LeftFoot"), ("4", "RightFoot"), ("5", "LeftLowerLeg"),
    ("6", "RightLowerLeg"), ("7", "LeftLowerArm"), ("8", "RightLowerArm"), ("head", "Head"),
)  # fmt: skip
"""Tracker and the bone at whose upper end it sits: hips, chest, feet, knees, elbows."""

_BONES = [BONES.index(bone) for _, bone in TRACKERS]


def unity_euler_deg(rotmat: FloatArray) -> FloatArray:
    """Euler angles (..., 3) of Unity [degrees] for (..., 3, 3): R = R_y R_x R_z.

    Where x is +-90 degrees, z is set to 0.
    """
    y, x, z = np.moveaxis(np.degrees(euler_from_rotmat(rotmat, "YXZ")), -1, 0)
    return np.stack([x, y, z], axis=-1).astype(np.float32)


class VrchatSink(AvatarSink):
    """Sends the leading person's trackers to the computer that runs VRChat."""

    protocol = "vrchat"
    delay_s = AFTER_AVATARS_S

    @cached_property
    def _messages(self) -> list[OscMessage]:
        return [
            OscMessage(f"/tracking/trackers/{name}/{what}", (), "fff")
            for name, _ in TRACKERS
            for what in ("position", "rotation")
        ]

    def datagrams(self, result: FrameResult) -> list[bytes]:
        """Nothing while nobody is in view."""
        person = self._leading.pick(result)
        if person is None:
            return []
        pose = self._room.pose(person, result.frame.captured_at_s, result.T_world_camera)
        positions = pose.positions[_BONES].tolist()
        angles = unity_euler_deg(pose.rotations()[_BONES]).tolist()
        for index, (position, angle) in enumerate(zip(positions, angles, strict=True)):
            self._messages[2 * index].set(*position)
            self._messages[2 * index + 1].set(*angle)
        return bundles(self._messages)
