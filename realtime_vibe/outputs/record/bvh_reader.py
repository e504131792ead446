"""Reads BVH files as `bvh_writer` makes them: SMPL's tree, by one of three sets of names.

The format has neither the body's shape nor what the camera saw; both stay zero. Legend: N frames.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import MotionFileError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.geometry.smpl_skeleton import PARENTS
from realtime_vibe.outputs.record.bvh_names import BVH_NAMES, BVH_UNITS
from realtime_vibe.packets import NUM_SMPL_JOINTS, FloatArray

_SHORTEST_GIANT = 10.0
"""A skeleton whose bones add up to more is in centimetres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BvhMotion:
    """What a BVH file says, in metres."""

    rate_hz: float
    rotmats: FloatArray
    """(N, 24, 3, 3) relative to the parent."""
    offsets: FloatArray
    """(24, 3) from each joint's parent to the joint; the root's is zero."""
    pelvis: FloatArray
    """(N, 3) where the root is."""


@dataclass(slots=True)
class _Node:
    name: str
    parent: int
    """Number of the parent's node; -1 for the root."""
    offset: list[float] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)


def read_bvh(path: Path) -> BvhMotion:
    """Reads a file with SMPL's joints.

    Raises:
        MotionFileError: the file is missing, damaged, or has other joints.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise MotionFileError(f"cannot read {path}: {reason}") from error
    head, found, motion = text.partition("MOTION")
    try:
        if not found:
            raise ValueError("there is no MOTION part")
        nodes = _nodes(iter(head.split()))
        rate_hz, table = _table(motion, sum(len(node.channels) for node in nodes))
        return _motion(nodes, rate_hz, table)
    except (ValueError, IndexError, StopIteration) as error:
        raise MotionFileError(
            f"{path} is not a BVH file of this program: {str(error) or 'it ends early'}"
        ) from error


def _nodes(words: Iterator[str]) -> list[_Node]:
    nodes: list[_Node] = []
    open_nodes: list[int] = []
    for word in words:
        if word in {"ROOT", "JOINT", "End"}:
            parent = open_nodes[-1] if open_nodes else -1
            name = next(words)
            nodes.append(
                _Node(name=f"{nodes[parent].name} end" if word == "End" else name, parent=parent)
            )
        elif word == "{":
            open_nodes.append(len(nodes) - 1)
        elif word == "}":
            open_nodes.pop()
        elif word == "OFFSET":
            nodes[-1].offset = [float(next(words)) for _ in range(3)]
        elif word == "CHANNELS":
            nodes[-1].channels = [next(words) for _ in range(int(next(words)))]
        elif word != "HIERARCHY":
            raise ValueError(f"unknown word {word[:30]!r} in its hierarchy")
    return nodes


def _table(motion: str, num_channels: int) -> tuple[float, NDArray[np.float64]]:
    lines = motion.strip().splitlines()
    count = int(lines[0].removeprefix("Frames:"))
    step_s = float(lines[1].removeprefix("Frame Time:"))
    table = np.array([line.split() for line in lines[2:] if line.strip()], np.float64)
    if table.shape != (count, num_channels) or count == 0 or not step_s > 0:
        raise ValueError(f"its motion has shape {table.shape}, expected ({count}, {num_channels})")
    if not np.isfinite(table).all():
        raise ValueError("its motion has values that are not finite")
    return 1.0 / step_s, table


def _motion(nodes: list[_Node], rate_hz: float, table: NDArray[np.float64]) -> BvhMotion:
    numbers = {node.name: number for number, node in enumerate(nodes)}
    names = next((names for names in BVH_NAMES.values() if set(names) <= set(numbers)), None)
    if names is None:
        raise ValueError(f"it lacks SMPL's joints by the names of {', '.join(BVH_NAMES)}")
    found = [numbers[name] for name in names]
    # Where the names end at the wrist, the ends of those bones are the knuckles.
    found += [
        numbers[f"{names[PARENTS[joint]]} end"] for joint in range(len(names), NUM_SMPL_JOINTS)
    ]
    for joint, number in enumerate(found[1:], start=1):
        if nodes[number].parent != found[PARENTS[joint]]:
            raise ValueError(f"{nodes[number].name} hangs on another joint than SMPL's")
    offsets = np.array([nodes[number].offset for number in found])
    offsets[0] = 0.0
    scale = BVH_UNITS["cm"] if np.abs(offsets).sum() > _SHORTEST_GIANT else BVH_UNITS["m"]
    starts = np.cumsum([0, *(len(node.channels) for node in nodes)])
    if any("position" in channel for number in found[1:] for channel in nodes[number].channels):
        raise ValueError("its bones change in length (--bvh-bones live), which is not read back")
    rotmats = np.tile(np.eye(3), (len(table), NUM_SMPL_JOINTS, 1, 1))
    for joint, number in enumerate(found):
        columns = table[:, starts[number] : starts[number + 1]]
        rotmats[:, joint] = _rotations(nodes[number].channels, columns)
    root = nodes[found[0]].channels
    pelvis = np.stack(
        [table[:, starts[found[0]] + root.index(f"{axis}position")] for axis in "XYZ"], 1
    )
    return BvhMotion(
        rate_hz=rate_hz,
        rotmats=rotmats.astype(np.float32),
        offsets=(offsets / scale).astype(np.float32),
        pelvis=(pelvis / scale).astype(np.float32),
    )


def _rotations(channels: list[str], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3, 3) the product of the rotation channels, in their order."""
    rotmats = np.tile(np.eye(3), (len(columns), 1, 1))
    for number, channel in enumerate(channels):
        if channel.endswith("rotation"):
            axis = np.eye(3)["XYZ".index(channel[0])]
            angle = np.deg2rad(columns[:, number])
            rotmats = rotmats @ rotmat_from_axis_angle(angle[:, None] * axis)
    return rotmats
