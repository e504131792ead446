"""A person to render: the body with random shape, clothes, hair and face.

BlazePose never saw a naked mannequin; its errors on one are not those on people. What matters to it
is the outline (hair, loose cloth, a skirt), where cloth ends and skin begins, and a face that tells
front from back. All of it is made from the body's own vertices, in the rest pose.

Legend: V body vertices, E extra vertices (skirt, long hair), F triangles, J = 24 joints. Rest frame:
y up, facing +z, left arm along +x [m].
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import DEPTH_LEVELS, PARENTS
from realtime_vibe.body.model_file import BodyModel

FloatArray = NDArray[np.float32]

_HEAD, _NECK, _PELVIS, _LEFT_HIP, _RIGHT_HIP = 15, 12, 0, 1, 2
_SHOULDER, _ELBOW, _WRIST, _KNEE, _ANKLE = 16, 18, 20, 4, 7
_EYES, _EARS, _MOUTH = (2, 5), (7, 8), (9, 10)
_TO_SKIN_M = np.array([0.0, -0.012, 0.03], np.float32)
"""From where BlazePose sees eyes and mouth to the skin they are painted on."""


class Surface(IntEnum):
    """What a vertex is covered with."""

    SKIN = 0
    TOP = 1
    BOTTOM = 2
    SHOES = 3
    HAIR = 4


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
        """Vertices (V + E, 3) of one pose.

        Args:
            rotmat: (24, 3, 3) relative to the parent; the first is the root's.
            transl: (3,) as in SMPL: added after posing about the rest pelvis.
        """
        rotations, positions = np.empty((24, 3, 3), np.float32), np.empty((24, 3), np.float32)
        rotations[0], positions[0] = rotmat[0], self.rest_joints[0]
        for level in DEPTH_LEVELS:
            for joint in level:
                parent = PARENTS[joint]
                bone = self.rest_joints[joint] - self.rest_joints[parent]
                positions[joint] = positions[parent] + rotations[parent] @ bone
                rotations[joint] = rotations[parent] @ rotmat[joint]
        offsets = positions + transl - np.einsum("jab,jb->ja", rotations, self.rest_joints)
        motions = np.concatenate([rotations.reshape(24, 9), offsets], axis=1)
        blended = self.weights @ motions
        turned = np.einsum("vab,vb->va", blended[:, :9].reshape(-1, 3, 3), self.rest)
        return (turned + blended[:, 9:]).astype(np.float32)


def make_figure(body: BodyModel, betas: FloatArray, rng: np.random.Generator) -> Figure:
    """Dresses the body.

    Args:
        body: must have a BlazePose landmark regressor, which tells where the face is.
        betas: (10,) shape.
        rng: source of all choices.
    """
    if body.blazepose_regressor is None:
        raise ValueError("the body has no blazepose_regressor; expected one made by export.body")
    shaped = (body.v_template + body.shapedirs @ betas).astype(np.float32)
    joints = (body.J_regressor @ shaped).astype(np.float32)
    marks = (body.blazepose_regressor @ shaped).astype(np.float32)
    owner = body.weights.argmax(axis=1)
    surface = np.full(len(shaped), Surface.SKIN, np.uint8)
    offset = np.zeros(len(shaped), np.float32)
    wrinkles = _smooth_noise(shaped, rng)
    _dress(surface, offset, shaped, joints, owner, wrinkles, rng)
    has_hair = rng.random() < 0.92
    if has_hair:
        _grow_hair(surface, offset, shaped, marks, owner, wrinkles, rng)
    rest = shaped + offset[:, None] * vertex_normals(shaped, body.faces)
    parts = [(rest, body.weights, body.faces.astype(np.int64), surface)]
    if rng.random() < 0.2:
        parts.append(_skirt(joints, rng))
    if has_hair and rng.random() < 0.35:
        parts.append(_long_hair(marks, joints, rng))
    return _joined(parts, joints, marks)


def vertex_normals(vertices: FloatArray, faces: NDArray[np.integer]) -> FloatArray:
    """(V, 3) area-weighted unit normals."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], across)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-12)).astype(np.float32)


def _smooth_noise(points: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(V,) in about -1 to 1: a few waves through space."""
    total = np.zeros(len(points))
    for _ in range(6):
        wave = rng.normal(0.0, 1.0, 3) * rng.uniform(8.0, 45.0)
        total += np.sin(points @ wave + rng.uniform(0, 2 * np.pi))
    return (total / 3.0).astype(np.float32)


def _dress(
    surface: NDArray[np.uint8],
    offset: FloatArray,
    shaped: FloatArray,
    joints: FloatArray,
    owner: NDArray[np.intp],
    wrinkles: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Marks and widens what clothes cover, in place."""
    x, y = np.abs(shaped[:, 0]), shaped[:, 1]
    shoulder_x, elbow_x, wrist_x = (abs(joints[j, 0]) for j in (_SHOULDER, _ELBOW, _WRIST))
    hip_y, knee_y, ankle_y = (joints[j, 1] for j in (_LEFT_HIP, _KNEE, _ANKLE))
    is_head = (owner == _HEAD) | ((owner == _NECK) & (y > joints[_NECK, 1] + 0.03))
    sleeve = rng.choice([0.0, 0.5, 1.0, 1.9], p=[0.12, 0.43, 0.1, 0.35])
    reach = np.interp(sleeve, [0, 1, 2], [shoulder_x + 0.01, elbow_x, wrist_x])
    hem_y = rng.uniform(hip_y - 0.08, hip_y + 0.08)
    if rng.random() < 0.93:
        is_top = (x < reach) & (y > hem_y) & ~is_head & (owner != 22) & (owner != 23)
        surface[is_top] = Surface.TOP
        offset[is_top] = _cloth(0.035, is_top, wrinkles, rng)
    cuff_y = rng.choice(
        [0.5 * (hip_y + knee_y), knee_y, ankle_y + 0.02], p=[0.25, 0.1, 0.65]
    ) + rng.uniform(-0.04, 0.08)
    is_bottom = (y <= joints[_PELVIS, 1] + 0.08) & (y > cuff_y) & (surface == Surface.SKIN)
    is_bottom &= x < shoulder_x + 0.1
    surface[is_bottom] = Surface.BOTTOM
    offset[is_bottom] = _cloth(0.03, is_bottom, wrinkles, rng)
    if rng.random() < 0.85:
        is_shoe = y < ankle_y - 0.01
        surface[is_shoe] = Surface.SHOES
        offset[is_shoe] = rng.uniform(0.002, 0.012)


def _cloth(
    loosest_m: float, covered: NDArray[np.bool_], wrinkles: FloatArray, rng: np.random.Generator
) -> FloatArray:
    loose = loosest_m * rng.random() ** 1.5
    return (0.003 + loose * np.clip(1 + 0.5 * wrinkles[covered], 0, 2)).astype(np.float32)


def _grow_hair(
    surface: NDArray[np.uint8],
    offset: FloatArray,
    shaped: FloatArray,
    marks: FloatArray,
    owner: NDArray[np.intp],
    wrinkles: FloatArray,
    rng: np.random.Generator,
) -> None:
    """A cap of hair: above the forehead in front, down to the neck behind, in place."""
    ears, eyes = marks[list(_EARS)].mean(axis=0), marks[list(_EYES)].mean(axis=0)
    top_y = shaped[owner == _HEAD, 1].max()
    height, depth = shaped[:, 1], shaped[:, 2]
    hairline = eyes[1] + rng.uniform(0.35, 0.7) * (top_y - eyes[1])
    nape = ears[1] - rng.uniform(-0.01, 0.08)
    share = np.clip((depth - ears[2]) / max(eyes[2] - ears[2], 1e-3), 0, 1)
    is_hair = (owner == _HEAD) & (height > nape + share * (hairline - nape))
    # Ears stay out; between ear and hair the shell starts thin.
    rise = np.clip((height - nape) / 0.06, 0.15, 1.0)
    thick = rng.uniform(0.004, 0.045)
    surface[is_hair] = Surface.HAIR
    offset[is_hair] = (thick * rise * np.clip(1 + 0.4 * wrinkles, 0.3, 2))[is_hair]


def _skirt(
    joints: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, NDArray[np.int64], NDArray[np.uint8]]:
    """A cone from the waist; its sides follow the thighs the more the lower they hang."""
    rings, around = 10, 32
    hip, knee = joints[[_LEFT_HIP, _RIGHT_HIP]].mean(axis=0), joints[_KNEE]
    length = rng.uniform(0.35, 1.15) * (hip[1] - knee[1]) + 0.12
    flare = rng.uniform(0.03, 0.22)
    down = np.linspace(0.0, 1.0, rings)[:, None]
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
    radius = 0.165 + flare * down + 0.012 * down * np.sin(rng.integers(5, 12) * angle)
    points = np.stack(
        [
            hip[0] + radius * np.cos(angle),
            np.broadcast_to(hip[1] + 0.12 - length * down, radius.shape),
            hip[2] + 0.01 + 0.85 * radius * np.sin(angle),
        ],
        axis=-1,
    )
    follow = 0.75 * np.clip((down - 0.2) / 0.8, 0, 1) * np.ones_like(angle)
    left = 0.5 + 0.5 * np.tanh(3 * np.cos(angle)) * np.ones_like(down)
    weights = np.zeros((rings, around, 24), np.float32)
    weights[..., _PELVIS] = 1 - follow
    weights[..., _LEFT_HIP] = follow * left
    weights[..., _RIGHT_HIP] = follow * (1 - left)
    faces = _grid_faces(rings, around)
    count = rings * around
    return (
        points.reshape(count, 3).astype(np.float32),
        weights.reshape(count, 24),
        faces,
        np.full(count, Surface.BOTTOM, np.uint8),
    )


def _long_hair(
    marks: FloatArray, joints: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, NDArray[np.int64], NDArray[np.uint8]]:
    """An ellipsoid behind head and neck, or, narrow, a pony tail."""
    rings, around = 12, 20
    ears = marks[list(_EARS)].mean(axis=0)
    half = np.array([rng.uniform(0.03, 0.105), rng.uniform(0.10, 0.22), rng.uniform(0.03, 0.06)])
    center = ears + np.array([0.0, 0.07 - half[1], -0.06])
    polar = np.linspace(0.0, np.pi, rings)[:, None]
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
    unit = np.stack(
        [
            np.sin(polar) * np.cos(angle),
            np.cos(polar) * np.ones_like(angle),
            np.sin(polar) * np.sin(angle),
        ],
        axis=-1,
    )
    points = (center + half * unit).reshape(-1, 3).astype(np.float32)
    weights = np.zeros((len(points), 24), np.float32)
    chest = np.clip((joints[_NECK, 1] - points[:, 1]) / 0.15, 0, 0.6)
    weights[:, _HEAD], weights[:, 9] = 1 - chest, chest
    return points, weights, _grid_faces(rings, around), np.full(len(points), Surface.HAIR, np.uint8)


def _grid_faces(rings: int, around: int) -> NDArray[np.int64]:
    """Triangles of a tube of `rings` rings of `around` points."""
    ring, step = np.meshgrid(np.arange(rings - 1), np.arange(around), indexing="ij")
    here, beside = ring * around + step, ring * around + (step + 1) % around
    below, across = here + around, beside + around
    upper = np.stack([here, beside, below], axis=-1)
    lower = np.stack([beside, across, below], axis=-1)
    return np.concatenate([upper.reshape(-1, 3), lower.reshape(-1, 3)])


def _joined(
    parts: list[tuple[FloatArray, FloatArray, NDArray[np.int64], NDArray[np.uint8]]],
    joints: FloatArray,
    marks: FloatArray,
) -> Figure:
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])
    faces = [part[2] + start for part, start in zip(parts, starts, strict=False)]
    return Figure(
        rest=np.concatenate([part[0] for part in parts]),
        weights=np.concatenate([part[1] for part in parts]).astype(np.float32),
        faces=np.concatenate(faces).astype(np.uint32),
        surface=np.concatenate([part[3] for part in parts]),
        rest_joints=joints,
        eyes=marks[list(_EYES)] + _TO_SKIN_M,
        mouth=marks[list(_MOUTH)].mean(axis=0) + _TO_SKIN_M,
    )
