"""Virtual Motion Capture protocol: 22 humanoid bones a frame, as OSC bundles over UDP.

Receivers (VSeeFace, Warudo, EVMC4U in Unity, VMC4B in Blender) check types strictly and may set both
position and rotation of a bone, so all bones go out every frame, with positions that an avatar can
wear.

Quaternions are made in plain Python: between two network runs two dozen matrices find cold caches, and some thirty
NumPy calls of a vectorised version take 0.3 ms there, a loop over floats 0.04 ms.
"""

import math

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.avatar_sink import AvatarSink
from realtime_vibe.outputs.stream.humanoid import BONES, NUM_BONES, HumanoidPose
from realtime_vibe.outputs.stream.osc import OscMessage, bundles
from realtime_vibe.outputs.stream.vmc_avatar import AvatarRest, body_rest
from realtime_vibe.packets import FrameResult

Quat = tuple[float, float, float, float]
"""x, y, z, w."""

_LOADED, _CALIBRATED, _NORMAL_MODE = 1, 3, 0
_IDENTITY_XYZW = (0.0, 0.0, 0.0, 1.0)
_ROOT_SHARES = {"hips": (0, 0, 0), "root": (1, 1, 1), "both": (1, 0, 1)}
"""What of the way through the room, along x, y and z, is the root's."""


def steady_quats_xyzw(rotmats: NDArray[np.floating], last: list[Quat] | None) -> list[Quat]:
    """Unit quaternions of (N, 3, 3), each with the sign that is nearer to the frame before, for receivers that blend.

    Without one w >= 0.
    """
    quats = [_quat(*row) for row in rotmats.reshape(-1, 9).tolist()]
    if last is None:
        return [quat if quat[3] >= 0 else _negative(quat) for quat in quats]
    return [
        quat
        if quat[0] * old[0] + quat[1] * old[1] + quat[2] * old[2] + quat[3] * old[3] >= 0
        else _negative(quat)
        for quat, old in zip(quats, last, strict=True)
    ]


def _negative(quat: Quat) -> Quat:
    return (-quat[0], -quat[1], -quat[2], -quat[3])


def _quat(  # noqa: PLR0913, PLR0917 - the nine numbers of a matrix, row by row
    a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float, i: float
) -> Quat:
    """Through the largest component, which divides by nothing small (Shepperd 1978)."""
    trace = a + e + i
    if trace >= a and trace >= e and trace >= i:
        quat = (h - f, c - g, d - b, 1.0 + trace)
    elif a >= e and a >= i:
        quat = (1.0 + a - e - i, b + d, c + g, h - f)
    elif e >= i:
        quat = (b + d, 1.0 - a + e - i, f + h, c - g)
    else:
        quat = (c + g, f + h, 1.0 - a - e + i, d - b)
    x, y, z, w = quat
    scale = 1.0 / math.sqrt(x * x + y * y + z * z + w * w)
    return (x * scale, y * scale, z * scale, w * scale)


class VmcSink(AvatarSink):
    """Sends the leading person to a VMC receiver; other arguments as of `AvatarSink`.

    Args:
        avatar: rest pose of the avatar; None sends the body's own bone lengths.
        root_mode: what carries the body through the room: the `hips`, the `root`, or `both`: the root on the
            floor and the hips up and down.

    Raises:
        OutputError: the host is not known.
    """

    protocol = "vmc"

    def __init__(
        self,
        address: Address,
        *,
        avatar: AvatarRest | None = None,
        root_mode: str = "hips",
        mirror: bool = False,
        max_rate_hz: float | None = None,
        lock: PersonLock | None = None,
    ) -> None:
        self._avatar = avatar
        self._root_shares = np.array(_ROOT_SHARES[root_mode], np.float32)
        bones = range(NUM_BONES) if avatar is None else avatar.bones
        self._root = OscMessage("/VMC/Ext/Root/Pos", ("root",), "f" * 7)
        self._bones = [OscMessage("/VMC/Ext/Bone/Pos", (BONES[bone],), "f" * 7) for bone in bones]
        self._state = OscMessage("/VMC/Ext/OK", (), "iiii")
        self._time = OscMessage("/VMC/Ext/T", (), "f")
        self._quats: list[Quat] | None = None
        self._first_s = math.nan
        super().__init__(address, mirror=mirror, max_rate_hz=max_rate_hz, lock=lock)

    def datagrams(self, result: FrameResult) -> list[bytes]:
        """The last pose is held while nobody is in view; before anybody was, no bone is sent."""
        now_s = result.frame.captured_at_s
        if math.isnan(self._first_s):
            self._first_s = now_s
        person = self._leading.pick(result)
        if person is not None:
            self._set_bones(self._room.pose(person, now_s, result.T_world_camera))
        self._state.set(_LOADED, _CALIBRATED, _NORMAL_MODE, int(person is not None))
        self._time.set(now_s - self._first_s)
        pose = [] if self._quats is None else [self._root, *self._bones]
        return bundles([*pose, self._state, self._time])

    def _set_bones(self, pose: HumanoidPose) -> None:
        avatar = self._avatar or body_rest(pose)
        local = pose.local_rotations
        if len(avatar.bones) < NUM_BONES:
            turned = pose.rotations()[list(avatar.sources)]
            local = turned.copy()
            local[1:] = np.swapaxes(turned[list(avatar.parents[1:])], 1, 2) @ turned[1:]
        turns = np.swapaxes(avatar.above, 1, 2) @ local @ avatar.rest
        self._quats = steady_quats_xyzw(turns, self._quats)
        scale = avatar.hips_above_feet_m / max(pose.rest_hips_above_feet_m, 0.1)
        travel = (pose.positions[0] * scale).astype(np.float32)
        travel[1] -= avatar.hips_above_feet_m
        root = travel * self._root_shares
        hips, above = avatar.hips_m + travel - root, avatar.hips_above
        positions = avatar.local_positions.copy()
        positions[0] = np.linalg.solve(above[:3, :3], hips - above[:3, 3])
        self._root.set(*root.tolist(), *_IDENTITY_XYZW)
        for message, position, quat in zip(
            self._bones, positions.tolist(), self._quats, strict=True
        ):
            message.set(*position, *quat)
