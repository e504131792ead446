"""Writes one person's motion as BVH.

Y up, facing +z in the rest pose, root position = pelvis. Bones have the constant lengths of the person's last
shape, and every joint but the root has three rotation channels, unless the live shape is asked for. Euler angles are unwrapped over time, and their
order keeps the middle angle, where they break down at 90 degrees, on the axis that a joint turns least about: ZYX
(middle y, the twist) for the legs, whose knees bend about x; ZXY (middle x, the twist) for arms, which bend
about y and rise about z, and for the root, which turns around y without end.
"""

from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import euler_from_rotmat
from realtime_vibe.geometry.smpl_joints import PARENTS
from realtime_vibe.geometry.smpl_skeleton import bone_offsets
from realtime_vibe.outputs.record.bvh_names import BVH_NAMES, BVH_UNITS
from realtime_vibe.outputs.record.motion_track import MotionTrack, TrackBlock
from realtime_vibe.outputs.record.recording_spool import TakeOptions
from realtime_vibe.packets import FloatArray

_LEGS = frozenset({1, 2, 4, 5, 7, 8, 10, 11})


def euler_order(joint: int) -> str:
    """The order of a joint's rotation channels, outermost first."""
    return "ZYX" if joint in _LEGS else "ZXY"


def write_bvh(file: IO[bytes], track: MotionTrack, options: TakeOptions, *, rate_hz: float) -> None:
    """Fills a file with a track whose frames come at a constant rate [1/s].

    Every joint has position channels where bones follow the live shape.
    """
    joint_names = BVH_NAMES[options.bvh_names]
    is_live = options.bvh_bones == "live"
    offsets = bone_offsets(track.rest_joints) * np.float32(BVH_UNITS[options.bvh_unit])
    head = "\n".join(_hierarchy(joint_names, offsets, moving=is_live))
    file.write(f"HIERARCHY\n{head}\nMOTION\nFrames: {len(track.times_s)}\n".encode())
    file.write(f"Frame Time: {1.0 / rate_hz:.9f}\n".encode())
    joints = range(len(joint_names))
    before: NDArray[np.float64] | None = None
    for block in track.blocks():
        triples = [
            euler_from_rotmat(block.rotmats[:, joint], euler_order(joint)) for joint in joints
        ]
        angles = continuous(np.stack(triples, axis=1), before)
        before = angles[-1]
        table = _table(block, np.degrees(angles), options)
        line = " ".join(["%.6f"] * table.shape[1]) + "\n"
        file.writelines((line % tuple(row)).encode() for row in table.tolist())


def _table(
    block: TrackBlock, angles_deg: NDArray[np.float64], options: TakeOptions
) -> NDArray[np.floating]:
    """(n, channels) of a block's frames, whose joints have angles (n, K, 3)."""
    scale = np.float32(BVH_UNITS[options.bvh_unit])
    channels: list[NDArray[np.floating]] = []
    for joint in _depth_first(angles_deg.shape[1]):
        if joint == 0:
            channels.append(block.joints[:, 0] * scale)
        elif options.bvh_bones == "live":
            channels.append(block.offsets[:, joint] * scale)
        channels.append(angles_deg[:, joint])
    return np.concatenate(channels, axis=1)


def _children(joint: int, num_joints: int) -> list[int]:
    return [child for child in range(num_joints) if PARENTS[child] == joint]


def _depth_first(num_joints: int, joint: int = 0) -> list[int]:
    found = [joint]
    for child in _children(joint, num_joints):
        found += _depth_first(num_joints, child)
    return found


def _hierarchy(
    names: tuple[str, ...], offsets: FloatArray, joint: int = 0, depth: int = 0, *, moving: bool
) -> Iterator[str]:
    tab = "\t" * depth
    rotations = " ".join(f"{axis}rotation" for axis in euler_order(joint))
    positions = "Xposition Yposition Zposition "
    num_channels = f"6 {positions}" if moving or not depth else "3 "
    # Readers take a position channel in place of the offset, not on top of it.
    yield f"{tab}{'JOINT' if depth else 'ROOT'} {names[joint]}"
    yield f"{tab}{{"
    yield f"{tab}\tOFFSET {_numbers(offsets[joint] if depth else np.zeros(3))}"
    yield f"{tab}\tCHANNELS {num_channels}{rotations}"
    children = _children(joint, len(names))
    for child in children:
        yield from _hierarchy(names, offsets, child, depth + 1, moving=moving)
    if not children:
        # The knuckle where the file has no joint for it, else the bone once more.
        beyond = [child for child, parent in enumerate(PARENTS) if parent == joint] or [joint]
        yield f"{tab}\tEnd Site"
        yield f"{tab}\t{{"
        yield f"{tab}\t\tOFFSET {_numbers(offsets[beyond[0]])}"
        yield f"{tab}\t}}"
    yield f"{tab}}}"


def _numbers(values: NDArray[np.floating]) -> str:
    return " ".join(f"{value:.6f}" for value in values)


def continuous(
    angles: NDArray[np.float64], before: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Takes, frame after frame, the equal triple (N, K, 3) of angles [rad] that is nearest to the frame before.

    `before` (K, 3) was taken for the frame before the first; without one the first stays.
    """
    angles = np.concatenate([angles[:1] if before is None else before[None], angles])
    other = np.stack(
        [angles[..., 0] + np.pi, np.pi - angles[..., 1], angles[..., 2] + np.pi], axis=-1
    )
    # From one frame to the next it is as far between the first triples as between the second ones, so whether
    # to change sides does not depend on the side.
    changes = _far(other[1:] - angles[:-1]) < _far(angles[1:] - angles[:-1])
    is_other = np.cumsum(np.insert(changes, 0, False, axis=0), axis=0) % 2 == 1
    unwrapped: NDArray[np.float64] = np.unwrap(np.where(is_other[..., None], other, angles), axis=0)
    return unwrapped[1:]


def _far(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sizes (...) of steps (..., 3) between angles, full turns left out."""
    turn = 2.0 * np.pi
    far: NDArray[np.float64] = np.abs(steps - turn * np.round(steps / turn)).sum(axis=-1)
    return far
