"""VRChat's OSC trackers: eight points of the body and the head, as OSC over UDP.

Unity's axes, metres, and Euler angles [degrees] in Unity's order: turned about z first, then x, then y.
"""

import numpy as np

from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.datagrams import DatagramSender
from realtime_vibe.outputs.stream.humanoid import BONES, HumanoidPose, HumanoidRoom, LeadingPerson
from realtime_vibe.outputs.stream.newest_sender import AFTER_AVATARS_S, NewestSender, NewestSink
from realtime_vibe.outputs.stream.osc import OscMessage, bundles
from realtime_vibe.packets import FloatArray, FrameResult

TRACKERS = (
    ("1", "Hips"),
    ("2", "Chest"),
    ("3", "LeftFoot"),
    ("4", "RightFoot"),
    ("5", "LeftLowerLeg"),
    ("6", "RightLowerLeg"),
    ("7", "LeftLowerArm"),
    ("8", "RightLowerArm"),
    ("head", "Head"),
)
"""Tracker and the bone at whose upper end it sits: hips, chest, feet, knees, elbows."""

_BONES = [BONES.index(bone) for _, bone in TRACKERS]


def unity_euler_deg(rotmat: FloatArray) -> FloatArray:
    """Euler angles (..., 3) of Unity [degrees] for (..., 3, 3): R = R_y R_x R_z.

    Where x is +-90 degrees, z is set to 0.
    """
    sine = np.clip(-rotmat[..., 1, 2], -1.0, 1.0)
    x = np.arcsin(sine)
    locked = np.abs(sine) > 0.999999
    y = np.where(
        locked,
        np.arctan2(-rotmat[..., 2, 0], rotmat[..., 0, 0]),
        np.arctan2(rotmat[..., 0, 2], rotmat[..., 2, 2]),
    )
    z = np.where(locked, 0.0, np.arctan2(rotmat[..., 1, 0], rotmat[..., 1, 1]))
    angles: FloatArray = np.degrees(np.stack([x, y, z], axis=-1)).astype(np.float32)
    return angles


class VrchatSink(NewestSink):
    """Sends the leading person's trackers; nothing while nobody is in view.

    Args:
        address: the computer that runs VRChat.
        mirror: moves the avatar as the person's image in a mirror.
        max_rate_hz: how often to send at most; None for every result.
        lock: whom the user chose; None for the largest person.

    Raises:
        OutputError: the host is not known.
    """

    def __init__(
        self,
        address: Address,
        *,
        mirror: bool = False,
        max_rate_hz: float | None = None,
        lock: PersonLock | None = None,
    ) -> None:
        self._datagrams = DatagramSender(address)
        self._room, self._leading = HumanoidRoom(mirror=mirror), LeadingPerson(lock)
        self._messages = [
            OscMessage(f"/tracking/trackers/{name}/{what}", (), "fff")
            for name, _ in TRACKERS
            for what in ("position", "rotation")
        ]
        self.thread = NewestSender(
            f"vrchat {address}",
            self._send,
            self._datagrams.close,
            max_rate_hz=max_rate_hz,
            delay_s=AFTER_AVATARS_S,
        )

    def _send(self, result: FrameResult) -> None:
        person = self._leading.pick(result)
        if person is not None:
            pose = self._room.pose(person, result.frame.captured_at_s, result.T_world_camera)
            self._datagrams.send(self._encode(pose))

    def _encode(self, pose: HumanoidPose) -> list[bytes]:
        positions = pose.positions[_BONES].tolist()
        angles = unity_euler_deg(pose.rotations()[_BONES]).tolist()
        for index, (position, angle) in enumerate(zip(positions, angles, strict=True)):
            self._messages[2 * index].set(*position)
            self._messages[2 * index + 1].set(*angle)
        return bundles(self._messages)
