"""The 49 keypoints: the paper's table, equality with smplx and torch, and who has them."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.body.keypoints49 import (
    EXTRA_NAMES,
    KEYPOINT_NAMES,
    POOL_ORDER,
    VERTEX_IDS,
    Keypoints49,
    supported,
)
from realtime_vibe.body.model_file import body_from_arrays, load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import BodyModelError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from tests import official_smpl

# Index of each point among smplx's 45 joints (24 of SMPL, 11 of face and feet, 10 finger tips) and the 9
# rows of J_regressor_extra.
TABLE = [
    24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34,
    8, 5, 45, 46, 4, 7, 21, 19, 17, 16, 18, 20, 47, 48, 49, 50, 51, 52, 53, 24, 26, 25, 28, 27,
]  # fmt: skip
FINGERS = 10
BODY_FILE = Path(__file__).resolve().parents[2] / "engines" / "blazepose-gru" / "body.npz"


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("open3d", reason="open3d, which simplifies the test body, is not installed")
    arrays = official_smpl.official_arrays()
    extra = official_smpl.extra_regressor()
    return body_from_arrays({**arrays, "J_regressor_extra": extra})


def random_pose(seed):
    rng = np.random.default_rng(seed)
    rotmats = rotmat_from_axis_angle((rng.normal(size=(24, 3)) * 0.5).astype(np.float32))
    return rotmats, rng.normal(size=10).astype(np.float32), rng.normal(size=3).astype(np.float32)


def test_names_and_table_are_the_papers():
    assert len(KEYPOINT_NAMES) == len(set(KEYPOINT_NAMES)) == len(POOL_ORDER) == 49
    with_fingers = [index if index < 35 else index + FINGERS for index in POOL_ORDER]
    assert with_fingers == TABLE
    assert len(set(POOL_ORDER)) == 34
    assert KEYPOINT_NAMES[8] == "OP MidHip"
    assert KEYPOINT_NAMES[25] == "Right Ankle"
    assert KEYPOINT_NAMES[37:39] == ("Neck (LSP)", "Top of Head (LSP)")
    assert set(EXTRA_NAMES) < set(KEYPOINT_NAMES)


def test_points_equal_smplx_s_45_joints_and_the_extra_rows(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smplx = pytest.importorskip("smplx", reason="smplx, the oracle, is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    struct = smplx.utils.Struct(**official_smpl.official_arrays())
    created = ("global_orient", "body_pose", "betas", "transl")
    oracle = smplx.SMPL(".", data_struct=struct, **{f"create_{part}": False for part in created})
    body, keypoints = SmplBody(model), Keypoints49(model)
    for seed in range(3):
        rotmats, betas, transl = random_pose(seed)
        turns = torch.from_numpy(rotmats)[None]
        answer = oracle(
            global_orient=turns[:, :1],
            body_pose=turns[:, 1:],
            betas=torch.from_numpy(betas)[None],
            pose2rot=False,
        )
        vertices = answer.vertices[0].numpy()
        pool = [answer.joints[0].numpy(), official_smpl.extra_regressor() @ vertices]
        mesh = body.forward(rotmats[0], rotmats[1:], betas, transl)
        np.testing.assert_allclose(mesh.vertices - transl, vertices, atol=1e-5)
        np.testing.assert_allclose(
            keypoints.locate(mesh), np.concatenate(pool)[TABLE], atol=1e-5, rtol=0
        )


def test_translation_does_not_move_the_points_whatever_the_rows_sum_to(model):
    uneven = dataclasses.replace(model, J_regressor_extra=model.J_regressor_extra * 1.3)
    rotmats, betas, transl = random_pose(1)
    for chosen in (model, uneven):
        body, keypoints = SmplBody(chosen), Keypoints49(chosen)
        still = body.forward(rotmats[0], rotmats[1:], betas, np.zeros(3, np.float32))
        moved = body.forward(rotmats[0], rotmats[1:], betas, transl + 3.0)
        np.testing.assert_allclose(keypoints.locate(moved), keypoints.locate(still), atol=2e-5)


def test_points_lie_where_their_names_say(model):
    straight = np.broadcast_to(np.eye(3, dtype=np.float32), (24, 3, 3))
    zero = np.zeros(3, np.float32)
    mesh = SmplBody(model).forward(straight[0], straight[1:], np.zeros(10, np.float32), zero)
    points = dict(zip(KEYPOINT_NAMES, Keypoints49(model).locate(mesh), strict=True))
    for name, point in points.items():
        short = name.removeprefix("OP ")
        if short.startswith(("L", "R")):
            assert point[0] * (1 if short[0] == "L" else -1) > 0.01, name
    for name in ("Nose", "Left Eye", "OP Neck", "Top of Head (LSP)"):
        assert points[name][1] > points["Pelvis (MPII)"][1]
    assert points["OP LBigToe"][2] > points["OP LHeel"][2] + 0.1
    np.testing.assert_array_equal(points["OP Nose"], points["Nose"])
    assert not np.array_equal(points["OP RHip"], points["Right Hip"])
    np.testing.assert_array_equal(points["OP RHip"], mesh.joints[2])
    np.testing.assert_array_equal(points["OP RHeel"], mesh.vertices[VERTEX_IDS[-1]])


def test_bodies_without_smpl_s_topology_have_none(model):
    assert supported(model)
    own = load_body(BODY_FILE)
    without = dataclasses.replace(model, J_regressor_extra=None)
    for other in (own, without):
        assert not supported(other)
        with pytest.raises(BodyModelError, match=r"J_regressor_extra.*export\.body --smpl"):
            Keypoints49(other)


def test_a_regressor_of_another_mesh_is_refused(model):
    with pytest.raises(BodyModelError, match=r"J_regressor_extra has shape \(9, 7\)"):
        dataclasses.replace(model, J_regressor_extra=np.zeros((9, 7), np.float32))
