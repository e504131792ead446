"""Writes one person's motion as a binary glTF 2.0: the skinned body and its animation.

Y up, facing +z in the rest pose, metres: SMPL's own axes. The mesh has the person's last shape and up to four
joints per vertex; its bones follow the shape as it was estimated at each moment. Pose blend shapes, where a body has them, are left out, because glTF's skinning has none.
"""

import itertools
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.rotation import quat_wxyz_from_rotmat
from realtime_vibe.geometry.smpl_joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.geometry.smpl_skeleton import bone_offsets
from realtime_vibe.outputs.base import write_atomically
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


def check_glb_library() -> None:
    """Makes sure that GLB files can be written.

    Raises:
        OutputError: the library is not installed.
    """
    if find_spec("pygltflib") is None:
        raise OutputError("writing .glb takes the package pygltflib: pip install pygltflib")


def write_glb(path: Path, track: MotionTrack, skin: SkinnedBody) -> None:
    """Writes the body of a track, moving.

    Args:
        path: replaced as a whole.
        track: one person.
        skin: the body that `track.betas` is a shape of.

    Raises:
        OutputError: the library is missing, the disk is full or the folder is gone.
    """
    check_glb_library()
    chunks = _gltf(track, skin).save_to_bytes()

    def write(file: IO[bytes]) -> None:
        for chunk in chunks:
            file.write(chunk)

    write_atomically(path, write)


def influences(weights: FloatArray) -> tuple[NDArray[np.uint8], FloatArray]:
    """The joints that move each vertex most.

    Args:
        weights: (V, 24), rows sum to 1.

    Returns:
        (V, 4) joints and (V, 4) their weights, scaled to sum to 1.
    """
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :MAX_INFLUENCES]
    kept = np.take_along_axis(weights, joints, axis=1)
    kept = kept / kept.sum(axis=1, keepdims=True)
    return np.where(kept > 0, joints, 0).astype(np.uint8), kept.astype(np.float32)


@dataclass(slots=True)
class _Buffer:
    """The binary part, and what says where each array lies in it."""

    gltf: Any
    pieces: list[bytes] = field(default_factory=list)
    length: int = 0

    def add(
        self, array: NDArray[Any], kind: str, component: int, *, target: int | None = None
    ) -> int:
        """Appends an array and returns the number of its accessor."""
        import pygltflib

        content = np.ascontiguousarray(array).tobytes()
        content += bytes(-len(content) % 4)
        view = pygltflib.BufferView(
            buffer=0, byteOffset=self.length, byteLength=array.nbytes, target=target
        )
        flat = array.reshape(len(array), -1)
        accessor = pygltflib.Accessor(
            bufferView=len(self.gltf.bufferViews),
            componentType=component,
            count=len(array),
            type=kind,
            min=flat.min(axis=0).tolist(),
            max=flat.max(axis=0).tolist(),
        )
        self.gltf.bufferViews.append(view)
        self.gltf.accessors.append(accessor)
        self.pieces.append(content)
        self.length += len(content)
        return len(self.gltf.accessors) - 1


def _gltf(track: MotionTrack, skin: SkinnedBody) -> Any:
    import pygltflib

    gltf = pygltflib.GLTF2(
        asset=pygltflib.Asset(generator="realtime-vibe", copyright=skin.licence or None),
        materials=[
            pygltflib.Material(
                name="skin",
                pbrMetallicRoughness=pygltflib.PbrMetallicRoughness(
                    baseColorFactor=_SKIN_COLOR, metallicFactor=0.0, roughnessFactor=0.8
                ),
            )
        ],
    )
    buffer = _Buffer(gltf)
    offsets = bone_offsets(track.rest_joints)
    for joint, name in enumerate(SMPL_JOINT_NAMES):
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        node = pygltflib.Node(name=name, translation=offsets[joint].tolist(), children=children)
        gltf.nodes.append(node)
    gltf.nodes.append(pygltflib.Node(name="body", mesh=0, skin=0))
    gltf.scenes.append(pygltflib.Scene(nodes=[0, len(SMPL_JOINT_NAMES)]))
    gltf.scene = 0
    gltf.meshes.append(_mesh(buffer, track, skin))
    gltf.skins.append(_skin(buffer, track.rest_joints))
    gltf.animations.append(_animation(buffer, track))
    gltf.buffers.append(pygltflib.Buffer(byteLength=buffer.length))
    gltf.set_binary_blob(b"".join(buffer.pieces))
    return gltf


def _mesh(buffer: _Buffer, track: MotionTrack, skin: SkinnedBody) -> Any:
    import pygltflib

    vertices = (skin.v_template + skin.shapedirs @ track.betas).astype(np.float32)
    joints, weights = influences(skin.weights)
    faces = skin.faces.astype(np.uint32).reshape(-1)
    attributes = pygltflib.Attributes(
        POSITION=buffer.add(vertices, "VEC3", _FLOAT, target=_ARRAY_BUFFER),
        NORMAL=buffer.add(_normals(vertices, skin.faces), "VEC3", _FLOAT, target=_ARRAY_BUFFER),
        JOINTS_0=buffer.add(joints, "VEC4", _UNSIGNED_BYTE, target=_ARRAY_BUFFER),
        WEIGHTS_0=buffer.add(weights, "VEC4", _FLOAT, target=_ARRAY_BUFFER),
    )
    indices = buffer.add(faces, "SCALAR", _UNSIGNED_INT, target=_ELEMENT_ARRAY_BUFFER)
    primitive = pygltflib.Primitive(attributes=attributes, indices=indices, material=0)
    return pygltflib.Mesh(name="body", primitives=[primitive])


def _skin(buffer: _Buffer, rest_joints: FloatArray) -> Any:
    import pygltflib

    inverse = np.tile(np.eye(4, dtype=np.float32), (len(rest_joints), 1, 1))
    inverse[:, 3, :3] = -rest_joints  # glTF stores columns one after the other
    return pygltflib.Skin(
        name="skeleton",
        skeleton=0,
        joints=list(range(len(rest_joints))),
        inverseBindMatrices=buffer.add(inverse.reshape(-1, 16), "MAT4", _FLOAT),
    )


def _animation(buffer: _Buffer, track: MotionTrack) -> Any:
    import pygltflib

    animation = pygltflib.Animation(name="take")
    times = buffer.add(track.times_s.astype(np.float32)[:, None], "SCALAR", _FLOAT)

    def drive(joint: int, what: str, values: FloatArray, kind: str) -> None:
        output = buffer.add(values.astype(np.float32), kind, _FLOAT)
        sampler = pygltflib.AnimationSampler(input=times, output=output, interpolation="LINEAR")
        target = pygltflib.AnimationChannelTarget(node=joint, path=what)
        channel = pygltflib.AnimationChannel(sampler=len(animation.samplers), target=target)
        animation.samplers.append(sampler)
        animation.channels.append(channel)

    drive(0, "translation", track.joints[:, 0], "VEC3")
    bones_change = np.ptp(track.offsets, axis=0).max() > _SAME_BONE_M
    for joint in range(len(PARENTS)):
        if joint and bones_change:
            drive(joint, "translation", track.offsets[:, joint], "VEC3")
        drive(joint, "rotation", _continuous_xyzw(track.rotmats[:, joint]), "VEC4")
    return animation


def _continuous_xyzw(rotmats: FloatArray) -> FloatArray:
    """(N, 4) quaternions, x first, without changes of sign from frame to frame."""
    quats = quat_wxyz_from_rotmat(rotmats)[:, [1, 2, 3, 0]]
    agrees = np.sum(quats[1:] * quats[:-1], axis=1) >= 0
    signs = np.concatenate([[1.0], np.cumprod(np.where(agrees, 1.0, -1.0))])
    continuous: FloatArray = quats * signs[:, None].astype(np.float32)
    return continuous


def _normals(vertices: FloatArray, faces: NDArray[np.integer]) -> FloatArray:
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner, axis in itertools.product(range(3), range(3)):
        normals[:, axis] += np.bincount(
            faces[:, corner], across[:, axis], minlength=len(vertices)
        ).astype(np.float32)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0, 1, 0], np.float32)
    unit: FloatArray = np.where(lengths > 0, normals / np.maximum(lengths, 1e-20), up)
    return unit
