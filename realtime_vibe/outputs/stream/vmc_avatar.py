"""Reads the rest pose of an avatar from a VRM file, 0.x or 1.0: the JSON part of a binary glTF."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.rotation import rotmat_from_quat_wxyz
from realtime_vibe.outputs.stream.humanoid import BONE_PARENTS, BONES, NUM_BONES, HumanoidPose
from realtime_vibe.packets import FloatArray
from realtime_vibe.system.file_boundary import file_boundary, open_regular

Matrix = NDArray[np.float64]

_HEADER = struct.Struct("<4sII")
_CHUNK = struct.Struct("<I4s")
_MAX_JSON_BYTES = 32 << 20
_UPRIGHT = np.tile(np.eye(3, dtype=np.float32), (NUM_BONES, 1, 1))
_NEEDED = ("Hips", "Spine", "Head", "LeftUpperLeg", "LeftLowerLeg", "LeftFoot", "RightUpperLeg",
           "RightLowerLeg", "RightFoot", "LeftUpperArm", "LeftLowerArm", "LeftHand",
           "RightUpperArm", "RightLowerArm", "RightHand")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarRest:
    """An avatar in its T-pose, Unity's axes [m]. Legend: N bones that the avatar has."""

    bones: tuple[int, ...]
    """(N,) index of each in `BONES`; parents come first."""
    parents: tuple[int, ...]
    """(N,) nearest bone above that the avatar has, as a position in `bones`; -1 for the hips."""
    sources: tuple[int, ...]
    """(N,) bone of `BONES` whose orientation each takes: the spine's top one is the upper chest's."""
    local_positions: FloatArray
    """(N, 3) relative to the node above, which need not be a bone."""
    above: FloatArray
    """(N, 3, 3) orientation of the node above in the T-pose."""
    rest: FloatArray
    """(N, 3, 3) orientation of the bone in the T-pose."""
    hips_above: FloatArray
    """(4, 4) from the node above the hips to the model."""
    hips_m: FloatArray
    """(3,) hips in the model; the floor is y = 0."""
    hips_above_feet_m: float
    """Height of the hips over the lowest foot or toe joint [m]."""


def body_rest(pose: HumanoidPose) -> AvatarRest:
    """The tracked body as an avatar of its own."""
    height_m = pose.rest_hips_above_feet_m
    return AvatarRest(
        bones=tuple(range(NUM_BONES)),
        parents=BONE_PARENTS,
        sources=tuple(range(NUM_BONES)),
        local_positions=pose.offsets,
        above=_UPRIGHT,
        rest=_UPRIGHT,
        hips_above=np.eye(4, dtype=np.float32),
        hips_m=np.array([0, height_m, 0], np.float32),
        hips_above_feet_m=height_m,
    )


def read_avatar(path: Path) -> AvatarRest:
    """Reads a VRM file.

    Raises:
        OutputError: it cannot be read, is no VRM, or lacks a bone that every VRM has.
    """
    advice, fault = "expected a .vrm file of version 0.x or 1.0", "is not a usable VRM avatar"
    with file_boundary(path, OutputError, advice, fault=fault):
        document = _read_json(path)
        nodes, flip = _humanoid(document)
        return _rest(document, nodes, flip)


_LARGEST = 1e6
"""No avatar has a larger number in its rest pose."""


def _read_json(path: Path) -> dict[str, Any]:
    with open_regular(path) as file:
        head = file.read(_HEADER.size + _CHUNK.size)
        if len(head) < _HEADER.size + _CHUNK.size or head[:4] != b"glTF":
            raise ValueError("it is no binary glTF file")
        size, kind = _CHUNK.unpack_from(head, _HEADER.size)
        if kind != b"JSON" or size > _MAX_JSON_BYTES:
            raise ValueError("its first part is not JSON")
        raw = file.read(size)
    if len(raw) < size:
        raise ValueError("it is cut off")
    document = json.loads(raw)
    if not isinstance(document, dict):
        raise ValueError("its JSON is no object")
    return document


def _humanoid(document: dict[str, Any]) -> tuple[dict[str, int], Matrix]:
    """Node of each bone, and the axes' signs from the file to Unity.

    Version 0.x looks along -z of the file, version 1.0 along +z.
    """
    extensions = document.get("extensions", {})
    if "VRMC_vrm" in extensions:
        entries = extensions["VRMC_vrm"]["humanoid"]["humanBones"].items()
        named = {name: entry["node"] for name, entry in entries}
        flip = np.array([-1.0, 1.0, 1.0])
    elif "VRM" in extensions:
        bones = extensions["VRM"]["humanoid"]["humanBones"]
        named = {bone["bone"]: bone["node"] for bone in bones}
        flip = np.array([1.0, 1.0, -1.0])
    else:
        raise ValueError("it has no VRM part, it may be a plain glTF model")
    nodes = {name[:1].upper() + name[1:]: int(node) for name, node in named.items()}
    missing = [name for name in _NEEDED if name not in nodes]
    if missing:
        raise ValueError(f"it lacks the bones {', '.join(missing)}")
    return nodes, flip


def _rest(document: dict[str, Any], nodes: dict[str, int], flip: Matrix) -> AvatarRest:
    tree = _Nodes(document["nodes"], flip)
    bones = tuple(index for index, name in enumerate(BONES) if name in nodes)
    numbers = [nodes[BONES[bone]] for bone in bones]
    if len(set(numbers)) != len(numbers) or min(numbers) < 0:
        raise ValueError("two of its bones are the same node")
    above = [tree.above(number) for number in numbers]
    world_m = np.array([tree.world(number)[:3, 3] for number in numbers])
    feet = [position for position, bone in enumerate(bones) if BONES[bone][-4:] in ("Foot", "Toes")]
    height_m = float(world_m[0, 1] - world_m[feet, 1].min())
    if not np.isfinite(world_m).all() or not 0.01 < height_m < 100:
        raise ValueError(f"its hips are {height_m:g} m above its feet")
    return AvatarRest(
        bones=bones,
        parents=tuple(_nearest(bone, bones) for bone in bones),
        sources=tuple(_source(bone, bones) for bone in bones),
        local_positions=np.array([tree.local(number)[:3, 3] for number in numbers], np.float32),
        above=np.array([_turn(matrix) for matrix in above], np.float32),
        rest=np.array([_turn(tree.world(number)) for number in numbers], np.float32),
        hips_above=np.array(above[0], np.float32),
        hips_m=world_m[0].astype(np.float32),
        hips_above_feet_m=height_m,
    )


class _Nodes:
    """The file's nodes in Unity's axes; those above no bone are never looked at."""

    def __init__(self, nodes: list[dict[str, Any]], flip: Matrix) -> None:
        self._nodes = nodes
        self._sign = np.diag([*flip, 1.0])
        self._parents = {int(child): index for index, node in enumerate(nodes)
                         for child in node.get("children", ())}  # fmt: skip
        self._worlds: dict[int, Matrix] = {}

    def local(self, index: int) -> Matrix:
        """(4, 4) from a node to the one above it."""
        return self._sign @ _sane(_local_matrix(self._nodes[index])) @ self._sign

    def above(self, index: int) -> Matrix:
        """(4, 4) from the node above to the model."""
        parent = self._parents.get(index)
        return np.eye(4) if parent is None else self.world(parent)

    def world(self, index: int) -> Matrix:
        """(4, 4) from a node to the model; each node is worked out once."""
        chain: list[int] = []
        at: int | None = index
        while at is not None and at not in self._worlds:
            if len(chain) > len(self._nodes):
                raise ValueError("its nodes form a ring")
            chain.append(at)
            at = self._parents.get(at)
        for node in reversed(chain):
            self._worlds[node] = _sane(self.above(node) @ self.local(node))
        return self._worlds[index]


def _sane(matrix: Matrix) -> Matrix:
    if not np.abs(matrix).max() < _LARGEST:
        raise ValueError("one of its nodes is no finite place")
    return matrix


def _local_matrix(node: dict[str, Any]) -> Matrix:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    quat_xyzw = np.clip(np.array(node.get("rotation", (0, 0, 0, 1)), np.float64), -1, 1)
    turn = rotmat_from_quat_wxyz(quat_xyzw[[3, 0, 1, 2]])
    matrix = np.eye(4)
    scale = np.array(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, :3] = turn * np.clip(scale, -_LARGEST, _LARGEST)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _turn(matrix: Matrix) -> Matrix:
    """The rotation in a matrix that may scale as well."""
    left, sizes, right = np.linalg.svd(matrix[:3, :3])
    turn: Matrix = left @ right
    if not sizes.min() > 0 or np.linalg.det(turn) < 0:
        raise ValueError("one of its nodes is flat or mirrored")
    return turn


def _nearest(bone: int, bones: tuple[int, ...]) -> int:
    above = BONE_PARENTS[bone]
    while above >= 0 and above not in bones:
        above = BONE_PARENTS[above]
    return bones.index(above) if above >= 0 else -1


def _source(bone: int, bones: tuple[int, ...]) -> int:
    """An avatar without chest bones bends at those it has: its top one carries neck and shoulders."""
    spine = [BONES.index(name) for name in ("Spine", "Chest", "UpperChest")]
    present = [index for index in spine if index in bones]
    return spine[-1] if bone == present[-1] else bone
