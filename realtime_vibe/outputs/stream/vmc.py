"""Virtual Motion Capture protocol: 22 humanoid bones a frame, as OSC bundles over UDP.

Receivers (VSeeFace, Warudo, EVMC4U in Unity, VMC4B in Blender) check types strictly and may set both
position and rotation of a bone, so all bones go out every frame, with positions that an avatar can
wear. Legend: B bones that are sent.

Quaternions are made in plain Python: between two network runs two dozen matrices find cold caches, and some thirty
NumPy calls of a vectorised version take 0.3 ms there, a loop over floats 0.04 ms.
"""

import math
from dataclasses import dataclass

import numpy as np

from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.avatar_sink import AvatarSink
from realtime_vibe.outputs.stream.humanoid import BONE_PARENTS, BONES, NUM_BONES, HumanoidPose
from realtime_vibe.outputs.stream.osc import OscMessage, bundles
from realtime_vibe.outputs.stream.vmc_avatar import AvatarRest
from realtime_vibe.packets import FloatArray, FrameResult

Quat = tuple[float, float, float, float]
"""x, y, z, w."""

_LOADED, _CALIBRATED, _NORMAL_MODE = 1, 3, 0
_IDENTITY_XYZW = (0.0, 0.0, 0.0, 1.0)


def steady_quats_xyzw(rotmats: FloatArray, last: list[Quat] | None) -> list[Quat]:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VmcPose:
    """What a receiver gets: Unity's axes, quaternions x y z w."""

    positions: FloatArray
    """(B, 3) relative to the node above [m]."""
    quats_xyzw: list[Quat]
    """Of B bones, relative to the node above."""
    root: FloatArray
    """(3,) position of the root [m]."""


class VmcRetarget:
    """Bones for an avatar's skeleton, or for the tracked body's own.

    Args:
        avatar: rest pose of the avatar; None sends the body's own bone lengths.
        root_mode: what carries the body through the room: the `hips`, the `root`, or `both`: the root on the
            floor and the hips up and down.
    """

    def __init__(self, avatar: AvatarRest | None = None, root_mode: str = "hips") -> None:
        self._avatar = avatar
        self._root_mode = root_mode
        self._last: list[Quat] | None = None
        self._sources = list(avatar.sources if avatar else range(NUM_BONES))
        self._parents = np.asarray(avatar.parents if avatar else BONE_PARENTS)
        self._is_complete = len(self._sources) == NUM_BONES
        if avatar is not None:
            self._above = np.ascontiguousarray(np.swapaxes(avatar.above, 1, 2))
        self.names = tuple(BONES[bone] for bone in (avatar.bones if avatar else range(NUM_BONES)))
        """Names of the bones that are sent."""

    def retarget(self, pose: HumanoidPose) -> VmcPose:
        """One frame; quaternions keep their sign from frame to frame, for receivers that blend."""
        local = pose.local_rotations
        if not self._is_complete:
            oriented = pose.rotations()[self._sources]
            local = oriented.copy()
            local[1:] = np.swapaxes(oriented[self._parents[1:]], 1, 2) @ oriented[1:]
        if self._avatar is not None:
            local = np.matmul(self._above @ local, self._avatar.rest)
        self._last = steady_quats_xyzw(local, self._last)
        positions, root = self._positions(pose)
        return VmcPose(positions=positions, quats_xyzw=self._last, root=root)

    def _positions(self, pose: HumanoidPose) -> tuple[FloatArray, FloatArray]:
        if self._avatar is None:
            positions = pose.offsets.copy()
            standing = np.array([0, pose.rest_hips_above_feet_m, 0], np.float32)
            travel = pose.positions[0] - standing
        else:
            positions = self._avatar.local_positions.copy()
            standing = self._avatar.hips_m
            scale = self._avatar.hips_above_feet_m / max(pose.rest_hips_above_feet_m, 0.1)
            travel = (pose.positions[0] * scale).astype(np.float32)
            travel[1] -= self._avatar.hips_above_feet_m
        shares = {"hips": (0, 0, 0), "root": (1, 1, 1), "both": (1, 0, 1)}[self._root_mode]
        root = travel * np.array(shares, np.float32)
        hips = standing + travel - root
        positions[0] = hips if self._avatar is None else self._below_hips_node(hips)
        return positions, root

    def _below_hips_node(self, hips_m: FloatArray) -> FloatArray:
        assert self._avatar is not None
        matrix = self._avatar.hips_above
        return np.linalg.solve(matrix[:3, :3], hips_m - matrix[:3, 3])


class VmcMessages:
    """The messages of a frame, laid out once for the bones of these names."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._root = OscMessage("/VMC/Ext/Root/Pos", ("root",), "f" * 7)
        self._bones = [OscMessage("/VMC/Ext/Bone/Pos", (name,), "f" * 7) for name in names]
        self._state = OscMessage("/VMC/Ext/OK", (), "iiii")
        self._time = OscMessage("/VMC/Ext/T", (), "f")

    def encode(self, pose: VmcPose | None, *, tracking: bool, time_s: float) -> list[bytes]:
        """The datagrams of one frame with the newest pose, which is held while the person is not in view.

        None is the pose before anybody was seen: no bone is sent.
        """
        self._state.set(_LOADED, _CALIBRATED, _NORMAL_MODE, int(tracking))
        self._time.set(time_s)
        if pose is None:
            return bundles([self._state, self._time])
        self._root.set(*pose.root.tolist(), *_IDENTITY_XYZW)
        numbers = zip(self._bones, pose.positions.tolist(), pose.quats_xyzw, strict=True)
        for message, position, quat in numbers:
            message.set(*position, *quat)
        return bundles([self._root, *self._bones, self._state, self._time])


class VmcSink(AvatarSink):
    """Sends the leading person to a VMC receiver; arguments as of `VmcRetarget` and `AvatarSink`.

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
        self._retarget = VmcRetarget(avatar, root_mode)
        self._messages = VmcMessages(self._retarget.names)
        self._pose: VmcPose | None = None
        self._first_s = math.nan
        super().__init__(address, mirror=mirror, max_rate_hz=max_rate_hz, lock=lock)

    def datagrams(self, result: FrameResult) -> list[bytes]:
        """The last pose is held while nobody is in view."""
        now_s = result.frame.captured_at_s
        if math.isnan(self._first_s):
            self._first_s = now_s
        person = self._leading.pick(result)
        if person is not None:
            pose = self._room.pose(person, now_s, result.T_world_camera)
            self._pose = self._retarget.retarget(pose)
        return self._messages.encode(
            self._pose, tracking=person is not None, time_s=now_s - self._first_s
        )
