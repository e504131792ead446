"""Writes files in the exact format of SMPL's official ones, with a body that looks like one.

The surface is the default body, simplified to SMPL's 6890 vertices and 13776 triangles; the vertices
that name nose, eyes, ears, toes and heels in SMPL lie there. Pose blend shapes are small random numbers.
Nothing of SMPL is in these files but its format.
"""

import functools
import pickle
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import load_body
from tests import python2_pickle

BODY_FILE = Path(__file__).resolve().parents[1] / "engines" / "blazepose-gru" / "body.npz"
NUM_VERTICES, NUM_FACES, NUM_EXTRA = 6890, 13776, 9
MODEL_ARRAYS = (
    "v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f",
)  # fmt: skip

# SMPL's vertex -> the landmark it lies near, and how far from it [m] in the rest frame.
_NAMED_VERTICES = {
    332: ("nose", (0.0, 0.0, 0.03)),
    6260: ("right_eye", (0.0, 0.0, 0.03)),
    2800: ("left_eye", (0.0, 0.0, 0.03)),
    4071: ("right_ear", (-0.02, 0.0, 0.0)),
    583: ("left_ear", (0.02, 0.0, 0.0)),
    3216: ("left_foot_index", (-0.02, 0.0, 0.02)),
    3226: ("left_foot_index", (0.05, -0.01, -0.02)),
    3387: ("left_heel", (0.0, 0.0, -0.01)),
    6617: ("right_foot_index", (0.02, 0.0, 0.02)),
    6624: ("right_foot_index", (-0.05, -0.01, -0.02)),
    6787: ("right_heel", (0.0, 0.0, -0.01)),
}


@functools.cache
def official_arrays(seed=0, shape_components=10):
    """The arrays of an official file, float64, `J_regressor` dense."""
    source = load_body(BODY_FILE)
    template, faces = _simplified(source.v_template, source.faces)
    landmarks = source.blazepose_regressor @ source.v_template
    order = _order(template, dict(zip(BLAZEPOSE_LANDMARK_NAMES, landmarks, strict=True)))
    template, faces = template[order], np.argsort(order)[faces]
    nearest = _nearest(template, source.v_template)
    rng = np.random.default_rng(seed)
    shapedirs = np.zeros((NUM_VERTICES, 3, shape_components))
    shapedirs[..., :10] = source.shapedirs[nearest]
    shapedirs[..., 10:] = rng.normal(size=(*template.shape, shape_components - 10)) * 1e-4
    weights = source.weights[nearest].astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    regressor = np.zeros((24, NUM_VERTICES))
    back = _nearest(source.v_template, template)
    for row, sources in zip(regressor, source.J_regressor, strict=True):
        np.add.at(row, back, sources)
    regressor /= regressor.sum(axis=1, keepdims=True)
    parents = np.array([2**32 - 1, *PARENTS[1:]], np.uint32)
    return {
        "v_template": template,
        "shapedirs": shapedirs,
        "posedirs": rng.normal(size=(NUM_VERTICES, 3, 207)) * 2e-4,
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.stack([parents, np.arange(24, dtype=np.uint32)]),
        "f": faces.astype(np.uint32),
        "J": regressor @ template,
    }


@functools.cache
def extra_regressor():
    """(9, 6890): hips, neck, top of the head, pelvis, thorax, spine, jaw and head near their places."""
    arrays = official_arrays()
    template = arrays["v_template"]
    joints = dict(zip(SMPL_JOINT_NAMES, arrays["J"], strict=True))
    crown = template[np.argmax(template[:, 1])]
    places = [
        joints["right_hip"] + (-0.03, 0.02, 0.0),
        joints["left_hip"] + (0.03, 0.02, 0.0),
        joints["neck"] + (0.0, -0.02, 0.0),
        crown,
        joints["pelvis"] + (0.0, 0.03, 0.0),
        joints["spine3"] + (0.0, 0.12, 0.0),
        joints["spine2"],
        template[332] + (0.0, -0.05, -0.02),
        0.5 * (joints["head"] + crown),
    ]
    rows = np.zeros((NUM_EXTRA, NUM_VERTICES))
    for row, place in zip(rows, places, strict=True):
        distances = np.linalg.norm(template - place, axis=1)
        ring = np.argsort(distances, kind="stable")[:60]
        row[ring] = _weights_for(template[ring], place)
    return rows


def write_smpl_pickle(path, seed=0, shape_components=10):
    """`SMPL_NEUTRAL.pkl` as Python 2 wrote it: chumpy objects and a sparse regressor."""
    arrays = official_arrays(seed, shape_components)
    shapedirs = arrays["shapedirs"]
    content = {
        **arrays,
        "v_template": chumpy(arrays["v_template"]),
        "shapedirs": chumpy_select(
            chumpy(np.concatenate([shapedirs, shapedirs[..., :1]], axis=2)),
            np.arange(shapedirs.size + len(shapedirs) * 3)
            .reshape(NUM_VERTICES, 3, -1)[..., :-1]
            .ravel(),
            shapedirs.shape,
        ),
        "J_regressor": sparse_columns(arrays["J_regressor"]),
        "J_regressor_prior": sparse_columns(arrays["J_regressor"]),
        "weights_prior": arrays["weights"],
        "vert_sym_idxs": np.arange(NUM_VERTICES),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "pose_training_info": {"gender": "neutral"},
    }
    path.write_bytes(python2_pickle.dumps(content))
    return path


def partial_pickle(path, **changes):
    """A pickle of the right names whose large arrays are absent, for refusals."""
    path.write_bytes(python2_pickle.dumps(changes))
    return path


def write_plain_pickle(path, seed=0):
    """The same body, cleaned of chumpy by Python 3: what `smplx` reads."""
    arrays = official_arrays(seed)
    path.write_bytes(pickle.dumps({**arrays, "bs_style": "lbs", "bs_type": "lrotmin"}, 2))
    return path


def write_smpl_npz(path, seed=0, shape_components=300, **changes):
    """`SMPL_NEUTRAL.npz`: plain arrays; `changes` replaces some, None leaves one out."""
    merged = {**official_arrays(seed, shape_components), "bs_type": np.array("lrotmin"), **changes}
    np.savez(path, **{name: value for name, value in merged.items() if value is not None})
    return path


def write_extra_regressor(path):
    """`J_regressor_extra.npy`."""
    np.save(path, extra_regressor())
    return path


def chumpy(array):
    """A `chumpy.ch.Ch` with the state such objects are pickled with."""
    return python2_pickle.instance("chumpy.ch", "Ch", {**_chumpy_state(), "x": array})


def chumpy_select(source, indices, shape):
    """A `chumpy.reordering.Select`: some values of `source`, in a shape of their own."""
    state = {**_chumpy_state(), "a": source, "idxs": indices, "preferred_shape": shape}
    return python2_pickle.instance("chumpy.reordering", "Select", state)


def sparse_columns(dense, module="scipy.sparse.csc", **changes):
    """A `csc_matrix`; `changes` replaces parts of its state."""
    columns, rows = np.nonzero(dense.T)
    counts = np.bincount(columns, minlength=dense.shape[1])
    state = {
        "_shape": dense.shape,
        "maxprint": 50,
        "indices": rows.astype(np.int32),
        "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        "data": dense.T[columns, rows],
        "format": "csc",
    }
    return python2_pickle.instance(module, "csc_matrix", {**state, **changes})


def _chumpy_state():
    return {
        "_dirty_vars": python2_pickle.call("__builtin__", "set", ["x"]),
        "_itr": None,
        "_make_dense": False,
        "_make_sparse": False,
        "_depends_on_deps": {},
    }


def _simplified(vertices, faces):
    """At most 6890 vertices and 13776 triangles, filled up to just as many."""
    import open3d

    mesh = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(vertices.astype(np.float64)),
        open3d.utility.Vector3iVector(faces),
    )
    target = NUM_FACES
    while True:
        simple = mesh.simplify_quadric_decimation(target).remove_unreferenced_vertices()
        too_many = len(simple.vertices) - NUM_VERTICES
        if too_many <= 0:
            break
        target -= 2 * too_many
    template, triangles = np.asarray(simple.vertices), np.asarray(simple.triangles)
    # Half a micrometre hides what the last bits of another processor would do to the order.
    template = np.round(template * 2.0**21) / 2.0**21
    spare = np.repeat(template[:1], NUM_VERTICES - len(template), axis=0)
    flat = np.zeros((NUM_FACES - len(triangles), 3), triangles.dtype)
    return np.concatenate([template, spare]), np.concatenate([triangles, flat])


def _order(template, landmarks):
    """Which vertex goes to each place, so that SMPL's named vertices lie where their names say."""
    order = np.arange(NUM_VERTICES)
    taken = []
    for vertex, (name, offset) in _NAMED_VERTICES.items():
        distances = np.linalg.norm(template - (landmarks[name] + np.array(offset)), axis=1)
        distances[taken] = np.inf
        chosen = int(np.argmin(distances))
        taken.append(chosen)
        place = int(np.flatnonzero(order == chosen)[0])
        order[[vertex, place]] = order[[place, vertex]]
    return order


def _nearest(points, candidates):
    """(N,) index of the nearest of `candidates` for each of `points`."""
    return cKDTree(candidates).query(points)[1]


def _weights_for(points, place):
    """(N,) that sum to 1 and bring the mean of `points` to `place` with the smallest numbers."""
    conditions = np.concatenate([points.T, np.ones((1, len(points)))])
    return np.linalg.pinv(conditions) @ np.array([*place, 1.0])
