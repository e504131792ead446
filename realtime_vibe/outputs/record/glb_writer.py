"""Writes one person's motion as a binary glTF 2.0: the skinned body and its animation.

Y up, facing +z in the rest pose, metres: SMPL's own axes. The mesh has the person's last shape and up to four
joints per vertex; its bones follow the shape as it was estimated at each moment. Pose blend shapes, where a body has
them, are left out, because glTF's skinning has none. How much the animation takes is known before it is made, so it
goes to its place in the file a block at a time.
"""

import itertools
import json
import struct
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.rotation import quat_wxyz_from_rotmat
from realtime_vibe.geometry.smpl_joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.geometry.smpl_skeleton import bone_offsets
from realtime_vibe.geometry.vertex_normals import VertexNormals
from realtime_vibe.outputs.record.motion_track import MotionTrack
from realtime_vibe.outputs.record.take_rows import SkinnedBody
from realtime_vibe.packets import FloatArray

MAX_INFLUENCES = 4
"""Joints per vertex: what every reader of glTF supports."""

_SAME_BONE_M = 1e-4
"""Bones that change by less have a constant length in the file."""
_SKIN_COLOR = [0.80, 0.64, 0.54, 1.0]
# Numbers of the glTF 2.0 specification.
_FLOAT, _UNSIGNED_BYTE, _UNSIGNED_INT = 5126, 5121, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_HEADER, _CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")
_MAX_BYTES = 2**32 - 1


def write_glb(file: IO[bytes], track: MotionTrack, skin: SkinnedBody, *, name: str) -> None:
    """Fills a file with the moving body of a track, whose `betas` are a shape of `skin`.

    `name` is that of skeleton, body and animation, which programs list beside those of other takes.

    Raises:
        OutputError: the file would be too large for the format.
    """
    # What cannot be UTF-8 is no JSON either.
    scene = _Scene(track, skin, name.encode("utf-8", "replace").decode())
    text = json.dumps(scene.document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    start = _HEADER.size + _CHUNK.size + len(text) + _CHUNK.size
    if start + scene.length > _MAX_BYTES:
        raise OutputError(
            f"{name}: .glb files end at 4 GB, this take would have {(start + scene.length) / 1e9:.1f}"
        )
    file.write(_HEADER.pack(b"glTF", 2, start + scene.length))
    file.write(_CHUNK.pack(len(text), b"JSON") + text)
    file.write(_CHUNK.pack(scene.length, b"BIN\0"))
    for offset, content in itertools.chain(scene.still, scene.moving()):
        file.seek(start + offset)
        file.write(content)
    file.truncate(start + scene.length)


def influences(weights: FloatArray) -> tuple[NDArray[np.uint8], FloatArray]:
    """The joints (V, 4) that move each vertex most by `weights` (V, 24), and their own weights, scaled to sum to 1."""
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :MAX_INFLUENCES]
    kept = np.take_along_axis(weights, joints, axis=1)
    kept = kept / kept.sum(axis=1, keepdims=True)
    return np.where(kept > 0, joints, 0).astype(np.uint8), kept.astype(np.float32)


class _Scene:
    """The glTF document of a track, and where each part of its binary chunk lies."""

    def __init__(self, track: MotionTrack, skin: SkinnedBody, name: str) -> None:
        self._track = track
        self.length = 0
        """Bytes of the binary chunk."""
        self.still: list[tuple[int, bytes]] = []
        """Offset and content of everything but the animation."""
        self._places: dict[tuple[int, str], int] = {}
        """Joint and path -> offset of its first key."""
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []
        body = {"name": f"{name} body"}
        asset = {"version": "2.0", "generator": "realtime-vibe"}
        self.document = {
            "asset": asset | ({"copyright": skin.licence} if skin.licence else {}),
            "scene": 0,
            "scenes": [{"nodes": [0, len(SMPL_JOINT_NAMES)]}],
            "nodes": [*_joint_nodes(track), body | {"mesh": 0, "skin": 0}],
            "materials": [
                {
                    "name": "skin",
                    "pbrMetallicRoughness": {
                        "baseColorFactor": _SKIN_COLOR,
                        "metallicFactor": 0.0,
                        "roughnessFactor": 0.8,
                    },
                }
            ],
            "meshes": [body | {"primitives": [self._primitive(skin)]}],
            "skins": [{"name": name} | self._skin()],
            "animations": [{"name": name} | self._animation()],
            "bufferViews": self._views,
            "accessors": self._accessors,
        }
        self.document["buffers"] = [{"byteLength": self.length}]

    def moving(self) -> Iterator[tuple[int, bytes]]:
        """Offset and content of the animation, piece by piece."""
        before: dict[int, FloatArray] = {}
        done = 0
        for block in self._track.blocks():
            for (joint, path), offset in self._places.items():
                if path == "rotation":
                    values = _continuous_xyzw(block.rotmats[:, joint], before.get(joint))
                    before[joint] = values[-1]
                else:
                    values = block.offsets[:, joint] if joint else block.joints[:, 0]
                content = np.ascontiguousarray(values, np.float32)
                yield offset + done * content.strides[0], content.tobytes()
            done += len(block.times_s)

    def _add(self, array: NDArray[Any], kind: str, component: int, **view: int) -> int:
        """Keeps an array that is written as it is, and returns the number of its accessor."""
        self.still.append((self.length, np.ascontiguousarray(array).tobytes()))
        flat = array.reshape(len(array), -1)
        accessor = self._reserve(len(array), array.nbytes, kind, component, **view)
        self._accessors[accessor] |= {
            "min": flat.min(axis=0).tolist(),
            "max": flat.max(axis=0).tolist(),
        }
        return accessor

    def _reserve(self, count: int, num_bytes: int, kind: str, component: int, **view: int) -> int:
        """Leaves room for an array, and returns the number of its accessor."""
        place = {"buffer": 0, "byteOffset": self.length, "byteLength": num_bytes}
        array = {"bufferView": len(self._views), "componentType": component}
        self._views.append(place | view)
        self._accessors.append(array | {"count": count, "type": kind})
        self.length += num_bytes + -num_bytes % 4
        return len(self._accessors) - 1

    def _primitive(self, skin: SkinnedBody) -> dict[str, Any]:
        vertices = (skin.v_template + skin.shapedirs @ self._track.betas).astype(np.float32)
        joints, weights = influences(skin.weights)
        faces = skin.faces.astype(np.uint32).reshape(-1)
        faces_first = np.ascontiguousarray(skin.faces.T, np.int32)
        normals = VertexNormals(faces_first, len(vertices))(vertices.T).T
        normals[~normals.any(axis=1)] = (0, 1, 0)  # glTF has no vertex without a normal
        attributes = {
            "POSITION": self._add(vertices, "VEC3", _FLOAT, target=_ARRAY_BUFFER),
            "NORMAL": self._add(normals, "VEC3", _FLOAT, target=_ARRAY_BUFFER),
            "JOINTS_0": self._add(joints, "VEC4", _UNSIGNED_BYTE, target=_ARRAY_BUFFER),
            "WEIGHTS_0": self._add(weights, "VEC4", _FLOAT, target=_ARRAY_BUFFER),
        }
        indices = self._add(faces, "SCALAR", _UNSIGNED_INT, target=_ELEMENT_ARRAY_BUFFER)
        return {"attributes": attributes, "indices": indices, "material": 0}

    def _skin(self) -> dict[str, Any]:
        rest_joints = self._track.rest_joints
        inverse = np.tile(np.eye(4, dtype=np.float32), (len(rest_joints), 1, 1))
        inverse[:, 3, :3] = -rest_joints  # glTF stores columns one after the other
        return {
            "skeleton": 0,
            "joints": list(range(len(rest_joints))),
            "inverseBindMatrices": self._add(inverse.reshape(-1, 16), "MAT4", _FLOAT),
        }

    def _animation(self) -> dict[str, Any]:
        seconds = strictly_rising(self._track.times_s)
        times = self._add(seconds[:, None], "SCALAR", _FLOAT)
        moving_joints = range(len(PARENTS) if _bones_change(self._track) else 1)
        driven = [(joint, "translation", 3) for joint in moving_joints]
        driven += [(joint, "rotation", 4) for joint in range(len(PARENTS))]
        samplers, channels = [], []
        for number, (joint, path, width) in enumerate(driven):
            self._places[joint, path] = self.length
            output = self._reserve(len(seconds), 4 * width * len(seconds), f"VEC{width}", _FLOAT)
            samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
            channels.append({"sampler": number, "target": {"node": joint, "path": path}})
        return {"samplers": samplers, "channels": channels}


def _joint_nodes(track: MotionTrack) -> Iterator[dict[str, Any]]:
    for joint, offset in enumerate(bone_offsets(track.rest_joints).tolist()):
        node: dict[str, Any] = {"name": SMPL_JOINT_NAMES[joint], "translation": offset}
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        yield node | ({"children": children} if children else {})


def strictly_rising(times_s: NDArray[np.float64]) -> FloatArray:
    """(N,) float32, as glTF wants its keys, of times (N,) in order, from 0 on [s].

    After days of 60 frames a second float32 cannot tell all of them apart.
    """
    steps = np.arange(len(times_s), dtype=np.int32)
    bits = times_s.astype(np.float32).view(np.int32)  # in the order of the numbers
    return (np.maximum.accumulate(bits - steps) + steps).view(np.float32)


def _bones_change(track: MotionTrack) -> bool:
    low, high = np.inf, -np.inf
    for block in track.blocks():
        low = np.minimum(low, block.offsets.min(axis=0))
        high = np.maximum(high, block.offsets.max(axis=0))
    return bool(np.max(high - low) > _SAME_BONE_M)


def _continuous_xyzw(rotmats: FloatArray, before: FloatArray | None) -> FloatArray:
    """(n, 4) quaternions, x first, of (n, 3, 3), of one sign from frame to frame, that of `before` (4,) included."""
    quats = quat_wxyz_from_rotmat(rotmats)[:, [1, 2, 3, 0]]
    chain = np.concatenate([quats[:1] if before is None else before[None], quats])
    agrees = np.sum(chain[1:] * chain[:-1], axis=1) >= 0
    return quats * np.cumprod(np.where(agrees, 1.0, -1.0))[:, None].astype(np.float32)
