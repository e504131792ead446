"""Small VRM files: a skeleton without a mesh, in either version, with or without odd rest rotations."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from realtime_vibe.outputs.stream.humanoid import BONE_PARENTS, BONES

# Rest positions in the room [m], Unity's axes.
_REST = {
    "Hips": (0, 0.9, 0), "LeftUpperLeg": (-0.08, 0.85, 0), "LeftLowerLeg": (-0.08, 0.47, 0.01),
    "LeftFoot": (-0.08, 0.09, -0.01), "LeftToes": (-0.08, 0.02, 0.1), "Spine": (0, 1.0, 0),
    "Chest": (0, 1.1, 0.01), "UpperChest": (0, 1.2, 0), "Neck": (0, 1.35, -0.01), "Head": (0, 1.43, 0),
    "LeftShoulder": (-0.03, 1.32, 0), "LeftUpperArm": (-0.11, 1.31, 0), "LeftLowerArm": (-0.35, 1.31, 0),
    "LeftHand": (-0.57, 1.31, 0),
}  # fmt: skip


def rest_positions() -> np.ndarray:
    """(22, 3) of all bones."""
    rest = []
    for bone in BONES:
        mirrored = _REST.get(bone.replace("Right", "Left"))
        rest.append(np.multiply(mirrored, (-1 if bone.startswith("Right") else 1, 1, 1)))
    return np.array(rest)


def vrm_document(
    version: int, *, without: tuple[str, ...] = (), rotated: int | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The JSON of a VRM, and the rest orientation of each node by bone name in Unity's axes.

    An armature node is above the hips and a twist node between upper and lower left arm.

    Args:
        version: 0 or 1.
        without: bones the avatar does not have; their children hang on the next one above.
        rotated: seed of random rest rotations; None for none.
    """
    rng = np.random.default_rng(rotated)
    flip = np.diag([-1.0, 1, 1]) if version else np.diag([1.0, 1, -1])
    rest = dict(zip(BONES, rest_positions(), strict=True))
    parents: dict[str, str] = {"armature": ""}
    for bone, usual in zip(BONES, BONE_PARENTS, strict=True):
        parent = usual
        while parent >= 0 and BONES[parent] in without:
            parent = BONE_PARENTS[parent]
        if bone not in without:
            parents[bone] = BONES[parent] if parent >= 0 else "armature"
    parents["twist"], parents["LeftLowerArm"] = "LeftUpperArm", "twist"
    rest |= {"armature": np.array([0.02, 0.1, 0.3]), "twist": rest["LeftUpperArm"] - [0.1, 0, 0]}
    turns = {
        name: Rotation.random(rng=rng).as_matrix() if rotated is not None else np.eye(3)
        for name in parents
    }
    names = list(parents)
    nodes: list[dict[str, Any]] = []
    for name in names:
        above = parents[name]
        turn, place = (turns[above], rest[above]) if above else (np.eye(3), np.zeros(3))
        local_turn = flip @ turn.T @ turns[name] @ flip
        local_place = flip @ turn.T @ (rest[name] - place)
        node: dict[str, Any] = {"name": name, "translation": local_place.tolist()}
        if rotated is not None:
            node["rotation"] = Rotation.from_matrix(local_turn).as_quat().tolist()
        children = [names.index(child) for child in names if parents[child] == name]
        if children:
            node["children"] = children
        nodes.append(node)
    bones = {bone[0].lower() + bone[1:]: names.index(bone) for bone in names if bone in BONES}
    if version:
        human = {name: {"node": node} for name, node in bones.items()}
        extensions: Any = {"VRMC_vrm": {"specVersion": "1.0", "humanoid": {"humanBones": human}}}
    else:
        listed = [{"bone": name, "node": node} for name, node in bones.items()]
        extensions = {"VRM": {"humanoid": {"humanBones": listed}}}
    return {"asset": {"version": "2.0"}, "nodes": nodes, "extensions": extensions}, turns


def write_vrm(path: Path, document: Any) -> Path:
    raw = json.dumps(document).encode()
    raw += b" " * (-len(raw) % 4)
    binary = struct.pack("<I4s", 4, b"BIN\0") + b"\0" * 4
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(raw) + len(binary))
    path.write_bytes(head + struct.pack("<I4s", len(raw), b"JSON") + raw + binary)
    return path
