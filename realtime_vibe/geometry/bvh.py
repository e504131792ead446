"""BVH motion files: a tree of joints with offsets and channels, then one row of numbers a frame.

Legend: N frames, K joints of the file (end sites not counted), C channels. Lengths are in the file's own
unit, the world is what the file's author made it (most often y up).
"""

import contextlib
import itertools
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import LARGEST, are_sound

Array = NDArray[np.float64]

MAX_BVH_BYTES = 1 << 30
"""Two hours of all of SMPL's joints, positions too, at 30 frames a second."""

_FREE_JOINTS = 10_000
_SHORTEST_S, _LONGEST_S = 1e-5, 1e3
"""Of a frame."""

_RATE = re.compile(r"\s*Frames\s*:\s*(\S+)\s+Frame\s*Time\s*:\s*(\S+)\s")
_RATE_LINES = 4
"""What `_RATE` may be spread over."""
_AXES = "XYZ"
_CHANNELS = frozenset(f"{axis}{kind}" for axis in _AXES for kind in ("position", "rotation"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BvhJoint:
    """One joint of the tree."""

    name: str
    parent: int
    """Index of the parent, which comes before; -1 for the root."""
    offset: tuple[float, float, float]
    """From the parent, when nothing is turned."""
    channels: tuple[str, ...]
    """Such as `Zrotation`; rotations multiply in this order, left to right."""
    end_offset: tuple[float, float, float] | None = None
    """From this joint to the end of its bone; None for a joint with children."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BvhFile:
    """A parsed file."""

    joints: tuple[BvhJoint, ...]
    frames: Array
    """(N, C), joint by joint in the order of their channels; angles in degrees."""
    frame_time_s: float

    def index(self, name: str) -> int:
        """Position of a joint by its name."""
        return [joint.name for joint in self.joints].index(name)

    def only(self, wanted: Iterable[int]) -> "BvhFile":
        """The same file with the joints of some numbers and those that carry them, in their order."""
        kept: set[int] = set()
        for each in wanted:
            number = each
            while number >= 0 and number not in kept:
                kept.add(number)
                number = self.joints[number].parent
        if len(kept) == len(self.joints):
            return self
        place = {number: new for new, number in enumerate(sorted(kept))} | {-1: -1}
        joints: list[BvhJoint] = []
        columns: list[int] = []
        start = 0
        for number, joint in enumerate(self.joints):
            if number in kept:
                joints.append(replace(joint, parent=place[joint.parent]))
                columns += range(start, start + len(joint.channels))
            start += len(joint.channels)
        return replace(
            self, joints=tuple(joints), frames=self.frames[:, np.array(columns, np.intp)]
        )

    def local_rotations(self) -> Array:
        """(N, K, 3, 3) from each joint's own axes to its parent's; identity where nothing is turned."""
        local = np.tile(np.eye(3), (len(self.frames), len(self.joints), 1, 1))
        for index, (joint, values) in enumerate(zip(self.joints, self._values(), strict=True)):
            for channel, value in zip(joint.channels, values.T, strict=True):
                if channel.endswith("rotation"):
                    axis = np.eye(3)[_AXES.index(channel[0])]
                    angle = np.deg2rad(value)[:, None]
                    local[:, index] = local[:, index] @ rotmat_from_axis_angle(angle * axis)
        return local

    def world_rotations(self) -> Array:
        """(N, K, 3, 3) from each joint's own axes to the world; identity where nothing is turned."""
        world = self.local_rotations()
        for index, joint in enumerate(self.joints):
            if joint.parent >= 0:
                world[:, index] = world[:, joint.parent] @ world[:, index]
        return world

    def local_positions(self) -> Array:
        """(N, K, 3) of each joint in its parent's axes; position channels replace the offset."""
        local = np.tile([joint.offset for joint in self.joints], (len(self.frames), 1, 1))
        for index, (joint, values) in enumerate(zip(self.joints, self._values(), strict=True)):
            for channel, value in zip(joint.channels, values.T, strict=True):
                if channel.endswith("position"):  # absolute, as editors write them
                    local[:, index, _AXES.index(channel[0])] = value
        return local

    def world_positions(self) -> Array:
        """(N, K, 3) of the joints."""
        rotations, world = self.world_rotations(), self.local_positions()
        for index, joint in enumerate(self.joints):
            if joint.parent >= 0:
                turned = np.einsum("nij,nj->ni", rotations[:, joint.parent], world[:, index])
                world[:, index] = world[:, joint.parent] + turned
        return world

    def _values(self) -> Iterator[Array]:
        """The columns of each joint, (N, channels of the joint)."""
        start = 0
        for joint in self.joints:
            yield self.frames[:, start : start + len(joint.channels)]
            start += len(joint.channels)


def parse_bvh(source: str | Iterable[str]) -> BvhFile:
    """Reads a BVH file.

    Args:
        source: its text, or its lines, which are never in memory together.

    Raises:
        ValueError: it is no BVH, or cut off; says in which line or how many numbers.
    """
    parser = _Hierarchy(source.splitlines(keepends=True) if isinstance(source, str) else source)
    joints = parser.joints()
    num_channels = sum(len(joint.channels) for joint in joints)
    frames, frame_time_s = _motion(parser.lines, num_channels)
    if len(frames) * len(joints) > parser.num_read + _FREE_JOINTS:
        # They would be unpacked to rotations: a small file to gigabytes.
        raise ValueError(f"{len(joints)} joints of which most never move, in {len(frames)} frames")
    return BvhFile(joints=joints, frames=frames, frame_time_s=frame_time_s)


class _Hierarchy:
    """Reads the tree; afterwards `lines` go on with what follows it."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.num_read = 0
        """Characters so far."""
        self.lines = self._counted(lines)
        self._joints: list[BvhJoint] = []
        self._open: list[int] = []
        """Joints whose braces are open; -1 for an end site."""
        self._position = 0

    def joints(self) -> tuple[BvhJoint, ...]:
        words = self._next()
        if words != ["HIERARCHY"]:
            raise ValueError(
                f"begins with '{' '.join(words)[:40]}', expected HIERARCHY: no BVH file"
            )
        while True:
            words = self._next()
            if words == ["MOTION"]:
                break
            self._take(words)
        if self._open or not self._joints:
            raise ValueError(f"{len(self._open)} open joints at MOTION, expected a closed tree")
        return tuple(self._joints)

    def _next(self) -> list[str]:
        for line in self.lines:
            if words := line.split():
                return words
        raise ValueError("ends before MOTION: the file is cut off, or no BVH file")

    def _counted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._position += 1
            self.num_read += len(line)
            yield line

    def _take(self, words: list[str]) -> None:
        match words:
            case ["ROOT" | "JOINT" as kind, _, *_]:
                self._begin(kind, [word for word in words[1:] if word != "{"])
            case ["End", *_]:
                self._open.append(-1)
            case ["{"]:
                pass
            case ["}"] if self._open:
                self._open.pop()
            case ["OFFSET", x, y, z] if self._open:
                self._set_offset((self._number(x), self._number(y), self._number(z)))
            case ["CHANNELS", count, *names] if self._open and self._open[-1] >= 0:
                self._set_channels(count, tuple(names))
            case _:
                raise self._error(f"'{' '.join(words)[:40]}' does not belong in a HIERARCHY")

    def _begin(self, kind: str, names: list[str]) -> None:
        if (kind == "ROOT") != (not self._joints) or (self._joints and not self._open):
            raise self._error(f"{kind} here, expected one ROOT with all joints inside")
        parent = self._open[-1] if self._open else -1
        if self._joints and parent < 0:
            raise self._error(f"{kind} inside an End Site")
        self._joints.append(
            BvhJoint(name=" ".join(names), parent=parent, offset=(0.0, 0.0, 0.0), channels=())
        )
        self._open.append(len(self._joints) - 1)

    def _set_offset(self, offset: tuple[float, float, float]) -> None:
        index = self._open[-1]
        if index >= 0:
            self._joints[index] = replace(self._joints[index], offset=offset)
        elif len(self._open) > 1:
            parent = self._open[-2]
            self._joints[parent] = replace(self._joints[parent], end_offset=offset)

    def _set_channels(self, count: str, names: tuple[str, ...]) -> None:
        unknown = set(names) - _CHANNELS
        if unknown or count != str(len(names)):
            raise self._error(
                f"CHANNELS {count} {' '.join(names)}, expected as many names such as Zrotation"
            )
        index = self._open[-1]
        self._joints[index] = replace(self._joints[index], channels=names)

    def _number(self, word: str) -> float:
        with contextlib.suppress(ValueError):
            if are_sound(number := float(word)):
                return number
        raise self._error(f"'{word}' is no number of a bone")

    def _error(self, message: str) -> ValueError:
        return ValueError(f"line {self._position}: {message}")


def _motion(lines: Iterator[str], num_channels: int) -> tuple[Array, float]:
    """The rows and the frame time [s] after the line MOTION."""
    head, found = "", None
    filled = (line for line in lines if line.strip())
    for line, _ in zip(filled, range(_RATE_LINES), strict=False):
        head += f"{line.rstrip()} "
        if found := _RATE.match(head):
            break
    if found is None:
        said = " ".join(head.split()[:4])[:40]
        raise ValueError(f"'{said}' after MOTION, expected 'Frames: N' and 'Frame Time: s'")
    values = array("d")
    try:
        num_frames, frame_time_s = int(found[1]), float(found[2])
        for line in itertools.chain([head[found.end() :]], lines):
            values.extend(map(float, line.split()))
    except ValueError as error:
        raise ValueError(f"a word among the numbers of MOTION ({error})") from None
    if num_frames < 1 or len(values) != num_frames * num_channels:
        raise ValueError(
            f"{len(values)} numbers, expected {num_frames} frames of {num_channels}: the count is wrong, or the file cut off"
        )
    frames = np.asarray(values).reshape(num_frames, num_channels)
    if not (_SHORTEST_S <= frame_time_s <= _LONGEST_S and all(map(are_sound, frames))):
        raise ValueError(
            f"a frame time of {frame_time_s}, or a value that is not finite or beyond {LARGEST:g}"
        )
    return frames, frame_time_s
