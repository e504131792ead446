"""A person to render: the body with random shape, clothes, hair and face.

BlazePose never saw a naked mannequin; its errors on one are not those on people. What matters to it
is the outline (hair, loose cloth, a skirt), where cloth ends and skin begins, and a face that tells
front from back. All of it is made from the body's own vertices, in the rest pose.

Legend: V body vertices, E extra vertices (skirt, long hair), F triangles, J = 24 joints. Rest frame:
y up, facing +z, left arm along +x [m].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import BodyModelError
from realtime_vibe.geometry.smpl_skeleton import bone_offsets, joint_positions, world_rotations
from realtime_vibe.geometry.vertex_normals import VertexNormals
from realtime_vibe.training.render.clothing import EYES, RestBody, Surface, dress, grow_hair
from realtime_vibe.training.render.hanging import Part, long_hair, skirt

FloatArray = NDArray[np.float32]

_MOUTH = tuple(BLAZEPOSE_LANDMARK_NAMES.index(name) for name in ("mouth_left", "mouth_right"))
# BlazePose sees a face smaller and deeper in the head than it is painted; see `export.landmark_places`.
_EYES_TO_SKIN_M = np.array([[0.011, -0.010, 0.033], [-0.011, -0.010, 0.033]], np.float32)
_MOUTH_TO_SKIN_M = np.array([0.0, -0.014, 0.024], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One dressed person in the rest pose."""

    rest: FloatArray
    """(V + E, 3) clothed rest vertices [m]."""
    weights: FloatArray
    """(V + E, 24) skinning weights."""
    faces: NDArray[np.uint32]
    """(F, 3)."""
    surface: NDArray[np.uint8]
    """(V + E,) `Surface` of each vertex."""
    rest_joints: FloatArray
    """(24, 3)."""
    eyes: FloatArray
    """(2, 3) rest positions."""
    mouth: FloatArray
    """(3,) rest position."""

    def posed(self, rotmat: FloatArray, transl: FloatArray) -> FloatArray:
        """Vertices (V + E, 3) of one pose: rotations (24, 3, 3) relative to the parent, and SMPL's translation (3,)."""
        rotations, pelvis = world_rotations(rotmat), self.rest_joints[0]
        positions = joint_positions(rotmat, bone_offsets(self.rest_joints), pelvis)
        offsets = positions + transl - np.einsum("jab,jb->ja", rotations, self.rest_joints)
        motions = np.concatenate([rotations.reshape(24, 9), offsets], axis=1)
        blended = self.weights @ motions
        turned = np.einsum("vab,vb->va", blended[:, :9].reshape(-1, 3, 3), self.rest)
        vertices: FloatArray = (turned + blended[:, 9:]).astype(np.float32)
        return vertices


def make_figure(body: BodyModel, betas: FloatArray, rng: np.random.Generator) -> Figure:
    """Dresses the body of betas (10,).

    Raises:
        BodyModelError: the body has no landmarks.
    """
    shape = _shaped(body, betas, rng)
    dress(shape, rng)
    has_hair = rng.random() < 0.92
    if has_hair:
        grow_hair(shape, rng)
    parts = []
    if rng.random() < 0.2:
        parts.append(skirt(shape, rng))
    if has_hair and rng.random() < 0.35:
        parts.append(long_hair(shape, rng))
    return _joined(body, shape, parts)


def _shaped(body: BodyModel, betas: FloatArray, rng: np.random.Generator) -> RestBody:
    if body.blazepose_regressor is None:
        raise BodyModelError(
            "the body has no blazepose_regressor; expected the default body (export.body)"
        )
    vertices = (body.v_template + body.shapedirs @ betas).astype(np.float32)
    return RestBody(
        vertices=vertices,
        joints=(body.J_regressor @ vertices).astype(np.float32),
        landmarks=(body.blazepose_regressor @ vertices).astype(np.float32),
        owner=body.weights.argmax(axis=1),
        wrinkles=_smooth_noise(vertices, rng),
        surface=np.full(len(vertices), Surface.SKIN, np.uint8),
        offset_m=np.zeros(len(vertices), np.float32),
    )


def _smooth_noise(points: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(V,) in about -1 to 1: a few waves through space."""
    total = np.zeros(len(points))
    for _ in range(6):
        wave = rng.normal(0.0, 1.0, 3) * rng.uniform(8.0, 45.0)
        total += np.sin(points @ wave + rng.uniform(0, 2 * np.pi))
    return (total / 3.0).astype(np.float32)


def _joined(body: BodyModel, shape: RestBody, extras: list[Part]) -> Figure:
    corners = np.ascontiguousarray(body.faces.T, np.int32)
    normals = VertexNormals(corners, len(shape.vertices))(shape.vertices.T).T
    skin = Part(
        shape.vertices + shape.offset_m[:, None] * normals,
        body.weights,
        body.faces.astype(np.int64),
        shape.surface,
    )
    parts = [skin, *extras]
    starts = np.cumsum([0, *(len(part.rest) for part in parts[:-1])])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=True)]
    return Figure(
        rest=np.concatenate([part.rest for part in parts]),
        weights=np.concatenate([part.weights for part in parts]).astype(np.float32),
        faces=np.concatenate(faces).astype(np.uint32),
        surface=np.concatenate([part.surface for part in parts]),
        rest_joints=shape.joints,
        eyes=shape.landmarks[list(EYES)] + _EYES_TO_SKIN_M,
        mouth=shape.landmarks[list(_MOUTH)].mean(axis=0) + _MOUTH_TO_SKIN_M,
    )
