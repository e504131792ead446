"""Sparse linear regressors from vertices to joints and to BlazePose's landmarks.

Legend: N people, V vertices, J = 24 joints, K = 33 landmarks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from export.anny_source import AnnyBodies, Array, IntArray
from export.landmark_places import bones_of, is_offset, offset_m
from realtime_vibe.body.joints import (
    BLAZEPOSE_LANDMARK_NAMES,
    LANDMARK_JOINTS,
    PARENTS,
    SMPL_JOINT_NAMES,
    mirrored_name,
)

_CANDIDATES = 400
_REACH_M = 0.2
_SUM_WEIGHT = 30.0
_LANDMARK_VERTICES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorMesh:
    """A template and, for each vertex, the vertex at its mirror image."""

    template: Array
    """(V, 3) [m]."""
    mirror: IntArray
    """(V,)."""
    weights: Array
    """(V, 24) skinning weights: a joint is found from the skin of the two bones that meet in it."""


def mirror_vertices(template: Array) -> IntArray:
    """(V,): pairs each vertex with the nearest to its image under x -> -x."""
    from scipy.spatial import cKDTree

    _, mirror = cKDTree(template).query(template * (-1.0, 1.0, 1.0))
    if not np.array_equal(mirror[mirror], np.arange(len(template))):
        raise ValueError("the template is not mirror-symmetric: cannot pair its vertices")
    return np.asarray(mirror, np.int64)


def joint_regressor(mesh: MirrorMesh, people: Array, joints: Array, num_vertices: int) -> Array:
    """Non-negative rows (24, V), each summing to 1, that find the joints of every shape.

    Left joints are fitted and mirrored; joints of the middle are fitted on mirrored pairs. Only skin
    of the two bones that meet in a joint, within 20 cm, is used: a joint then keeps its place in
    the flesh. Anny's knee does not: its share of the leg varies from 0.49 to 0.60 with the height
    of the person, that of the skin around it from 0.51 to 0.56.

    Args:
        people: (N, V, 3) T-posed people to fit [m].
        joints: (N, 24, 3) their joints [m].
        num_vertices: for a joint at the side; as many pairs for one in the middle.
    """
    rows = np.zeros((len(SMPL_JOINT_NAMES), len(mesh.template)))
    for index, name in enumerate(SMPL_JOINT_NAMES):
        if name.startswith("right_"):
            continue
        bones = (index, PARENTS[index]) if index else (0, SMPL_JOINT_NAMES.index("spine1"))
        rows[index] = _fit_row(mesh, people, joints[:, index], num_vertices, bones)
    for index, name in enumerate(SMPL_JOINT_NAMES):
        if name.startswith("right_"):
            rows[index] = rows[SMPL_JOINT_NAMES.index(mirrored_name(name))][mesh.mirror]
    return rows


def _fit_row(
    mesh: MirrorMesh, people: Array, target: Array, num_vertices: int, bones: tuple[int, ...]
) -> Array:
    """One row (V,): the point `target` (N, 3) from skin near it that belongs to `bones`."""
    is_middle = bool(np.abs(target[:, 0]).max() < 1e-6)
    distance = np.linalg.norm(mesh.template - target.mean(axis=0), axis=1)
    usable = (mesh.weights[:, list(bones)].sum(axis=1) > 0.6) & (distance < _REACH_M)
    if is_middle:
        usable &= mesh.template[:, 0] >= 0.0
    order = np.argsort(np.where(usable, distance, np.inf), kind="stable")
    order = order[: int(usable.sum())]
    # Every n-th by distance: the nearest alone may all lie on one side where the mesh is dense.
    chosen = order[:: 1 + len(order) // _CANDIDATES]
    shares = _shares(mesh, people, target, chosen, is_middle=is_middle)
    best = np.sort(np.argsort(-shares, kind="stable")[:num_vertices])
    chosen = chosen[best]
    shares = _shares(mesh, people, target, chosen, is_middle=is_middle)
    row = np.zeros(len(mesh.template))
    if is_middle:
        np.add.at(row, chosen, 0.5 * shares)
        np.add.at(row, mesh.mirror[chosen], 0.5 * shares)
    else:
        row[chosen] = shares
    return row


def _shares(
    mesh: MirrorMesh, people: Array, target: Array, chosen: IntArray, *, is_middle: bool
) -> Array:
    """Non-negative shares of the `chosen` vertices, summing to 1: NNLS leaves about ten of them."""
    columns = people[:, chosen]
    if is_middle:
        columns = 0.5 * (columns + people[:, mesh.mirror[chosen]])
    size = len(chosen)
    matrix = np.concatenate([columns[..., axis] for axis in range(3)])
    matrix = np.concatenate([matrix, np.full((1, size), _SUM_WEIGHT)])
    right = np.concatenate([target.T.ravel(), [_SUM_WEIGHT]])
    shares, _ = nnls(matrix, right, maxiter=100 * size)
    normal: Array = shares / shares.sum()
    return normal


def landmark_regressor(
    mesh: MirrorMesh, bodies: AnnyBodies, joint_rows: Array, people: Array, bone_points: Array
) -> Array:
    """BlazePose's landmarks as rows (33, V) of non-negative weights that sum to 1.

    Each starts from a point of the body: shoulders, elbows, wrists, hips, knees and ankles from the
    joints; nose, eyes, ears, mouth, heels and toe tips from single vertices of the skin; the knuckles
    from means of at most four vertices. From there `landmark_places` says where BlazePose sees it, and
    skin around that place is fitted to it.

    Args:
        bodies: names the bones and the rims of eyelids and lips.
        joint_rows: (24, V), see `joint_regressor`.
        people: (N, V, 3) T-posed people [m].
        bone_points: (N, B, 3) heads of Anny's bones in the T-pose [m].
    """
    rows = np.zeros((len(BLAZEPOSE_LANDMARK_NAMES), len(mesh.template)))
    for landmark, joint in LANDMARK_JOINTS.items():
        rows[landmark] = joint_rows[joint]
    for name, vertex in _surface_vertices(mesh, bodies, bone_points.mean(axis=0)).items():
        rows[BLAZEPOSE_LANDMARK_NAMES.index(name), vertex] = 1.0
    hand = (SMPL_JOINT_NAMES.index("left_wrist"), SMPL_JOINT_NAMES.index("left_hand"))
    for name, bone in (
        ("left_index", "finger2-1.L"),
        ("left_pinky", "finger5-1.L"),
        ("left_thumb", "finger1-3.L"),
    ):
        knuckle = bone_points[:, bodies.bone(bone)]
        rows[BLAZEPOSE_LANDMARK_NAMES.index(name)] = _fit_row(mesh, people, knuckle, 4, hand)
    for landmark in range(len(rows)):
        if is_offset(landmark):
            target = np.einsum("v,nvc->nc", rows[landmark], people) + offset_m(landmark)
            rows[landmark] = _fit_row(mesh, people, target, _LANDMARK_VERTICES, bones_of(landmark))
    for landmark, name in enumerate(BLAZEPOSE_LANDMARK_NAMES):
        if "right" in name:
            rows[landmark] = rows[BLAZEPOSE_LANDMARK_NAMES.index(mirrored_name(name))][mesh.mirror]
    return rows


def _surface_vertices(mesh: MirrorMesh, bodies: AnnyBodies, heads: Array) -> dict[str, int]:
    points = mesh.template
    left = points[:, 0] > 1e-4
    eye = heads[bodies.bone("eye.L")]
    eyelids, lips = bodies.eyelid_rims[0], bodies.lip_rim
    in_head = points[:, 1] > heads[bodies.bone("head"), 1]
    in_foot = left & (points[:, 1] < heads[bodies.bone("foot.L"), 1])
    sole = points[in_foot, 1].min()
    # The ear landmark sits at the ear's opening: 2 cm below and 7.6 cm behind the eyeball's middle.
    ear = np.array([0.078, eye[1] - 0.021, eye[2] - 0.076])
    pupil = points[eyelids].mean(axis=0) + np.array([0.0, 0.0, 0.01])
    return {
        "nose": _largest(points[:, 2], in_head & (np.abs(points[:, 0]) < 1e-4)),
        "left_eye_inner": int(eyelids[np.argmin(points[eyelids, 0])]),
        "left_eye_outer": int(eyelids[np.argmax(points[eyelids, 0])]),
        "left_eye": _nearest(points, pupil),
        "left_ear": _nearest(points, ear),
        "mouth_left": int(lips[np.argmax(points[lips, 0])]),
        "left_heel": _largest(-points[:, 2], in_foot & (points[:, 1] < sole + 0.03)),
        "left_foot_index": _largest(points[:, 2], in_foot),
    }


def _largest(scores: Array, mask: NDArray[np.bool_]) -> int:
    return int(np.argmax(np.where(mask, scores, -np.inf)))


def _nearest(points: Array, wanted: Array) -> int:
    return int(np.argmin(np.linalg.norm(points - wanted, axis=1)))
