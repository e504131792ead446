"""BVH on SMPL: limbs point where the file's point, the pelvis goes where it went there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M
from realtime_vibe.training.datasets.bvh_retarget import (
    load_bvh,
    read_bvh,
    smallest_rotation,
)
from realtime_vibe.training.datasets.clip import R_Z_UP_FROM_Y_UP

LIMBS = [
    ("neck", "head", "neck", "head"),
    *(
        (side + joint, side + end, side[0] + bvh_joint, side[0] + bvh_end)
        for side in ("left", "right")
        for joint, end, bvh_joint, bvh_end in (
            ("_hip", "_knee", "Thigh", "Shin"),
            ("_knee", "_ankle", "Shin", "Foot"),
            ("_collar", "_shoulder", "Collar", "Shldr"),
            ("_shoulder", "_elbow", "Shldr", "ForeArm"),
            ("_elbow", "_wrist", "ForeArm", "Hand"),
            ("_wrist", "_hand", "Hand", "Mid1"),
        )
    ),
]


TWO_BONES = """HIERARCHY
ROOT Hips {
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT upper arm
  {
    OFFSET 0 10 0
    CHANNELS 3 Xrotation Zrotation Yrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.025
1 2 3 90 0 0 0 0 0
0 0 0 10 20 30 40 50 60
"""


def _rotmat(quats):
    w, x, y, z = np.moveaxis(quats.astype(np.float64), -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, -1).reshape(*w.shape, 3, 3)


def _world_rotations(quats):
    world = _rotmat(quats)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            world[:, joint] = world[:, parent] @ world[:, joint]
    return world


def _smpl_joints(quats, rest_joints):
    """Plain forward kinematics, pelvis at the origin."""
    world = _world_rotations(quats)
    joints = np.zeros((len(quats), 24, 3))
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            bone = rest_joints[joint] - rest_joints[parent]
            joints[:, joint] = joints[:, parent] + world[:, parent] @ bone
    return joints


def _angles_deg(first, second):
    cross = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.degrees(np.arctan2(cross, np.sum(first * second, axis=-1)))


def _limb_errors_deg(clip, file, rows, rest_joints=REST_JOINTS_M):
    smpl = _smpl_joints(clip.quats, rest_joints)
    theirs = file.world_positions()[rows] @ R_Z_UP_FROM_Y_UP.T
    errors = {}
    for joint, end, bvh_joint, bvh_end in LIMBS:
        ours = smpl[:, SMPL_JOINT_NAMES.index(end)] - smpl[:, SMPL_JOINT_NAMES.index(joint)]
        bone = theirs[:, file.index(bvh_end)] - theirs[:, file.index(bvh_joint)]
        errors[joint] = _angles_deg(ours, bone).max()
    return errors


def test_every_limb_points_where_the_files_does(tmp_path, write_bvh, subtests):
    for seed in range(4):
        with subtests.test(seed=seed):
            path = write_bvh(tmp_path / "a.bvh", frames=30, rate=60, seed=seed)
            clip, file = load_bvh(path), read_bvh(path)
            assert len(clip.trans) == 30 - 7
            errors = _limb_errors_deg(clip, file, slice(7, None))
            assert max(errors.values()) < 0.01, errors


def test_the_pelvis_is_in_metres_with_z_up(tmp_path, write_bvh):
    clip = load_bvh(write_bvh(tmp_path / "a.bvh", rate=120))
    np.testing.assert_allclose(clip.trans[0], [0.17, 0.23, 0.97], atol=1e-5)
    assert clip.recorded_hz == 120.0


def test_only_a_t_pose_is_dropped(tmp_path, write_bvh):
    clip = load_bvh(write_bvh(tmp_path / "a.bvh", frames=30, rate=60, t_pose=False))
    assert len(clip.trans) == 30
    path = write_bvh(tmp_path / "short.bvh", frames=7, rate=60)
    with pytest.raises(DatasetError, match=r"short\.bvh: 7 frames, expected motion after"):
        load_bvh(path)


def test_an_unknown_skeleton_is_refused_with_what_it_lacks(tmp_path, write_bvh):
    path = write_bvh(tmp_path / "other.bvh", rename={"lShldr": "LeftArm", "hip": "Hips"})
    message = r"other\.bvh: unknown skeleton \(Hips, .*expected CMU .*missing 2: hip, lShldr"
    with pytest.raises(DatasetError, match=message):
        load_bvh(path)


def test_the_rest_joints_are_those_of_the_default_body():
    body = load_body(engine_folder("blazepose-gru") / "body.npz")
    np.testing.assert_allclose(body.J_regressor @ body.v_template, REST_JOINTS_M, atol=1e-3)


@pytest.mark.parametrize("name", ["13_11", "13_39"])
def test_limbs_of_real_files_point_where_the_files_do(shared_data, name):
    path = shared_data / "bvh" / f"{name}.bvh"
    errors = _limb_errors_deg(load_bvh(path), read_bvh(path), slice(7, None, 2))
    assert max(errors.values()) < 0.01, errors


_VECTORS = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda vector: np.linalg.norm(vector) > 1e-3)


@given(_VECTORS, _VECTORS)
def test_the_smallest_rotation_turns_one_into_the_other(first, second):
    first, second = np.array(first), np.array(second)
    rotmat = smallest_rotation(first, second)
    np.testing.assert_allclose(rotmat @ rotmat.T, np.eye(3), atol=1e-9)
    assert _angles_deg(rotmat @ first, second) < 1e-4
    angle = np.degrees(np.arccos(np.clip(0.5 * (np.trace(rotmat) - 1), -1, 1)))
    assert angle == pytest.approx(_angles_deg(first, second), abs=1e-3)


def test_opposite_directions_take_half_a_turn():
    for axis in np.eye(3):
        rotmat = smallest_rotation(axis, -axis)
        np.testing.assert_allclose(rotmat @ axis, -axis, atol=1e-12)
        assert np.linalg.det(rotmat) == pytest.approx(1)


def _write(path, text):
    path.write_text(text)
    return path


def test_a_small_tree_by_hand(tmp_path):
    file = read_bvh(_write(tmp_path / "a.bvh", TWO_BONES))
    assert [joint.name for joint in file.joints] == ["Hips", "upper arm"]
    assert file.joints[1].parent == 0
    assert file.joints[1].end_offset == (5.0, 0.0, 0.0)
    assert file.frame_time_s == 0.025
    # A quarter turn about z brings the arm, 10 up, to the left.
    np.testing.assert_allclose(file.world_positions()[0], [[1, 2, 3], [-9, 2, 3]], atol=1e-12)


def test_rotations_multiply_in_the_order_of_the_channels(tmp_path):
    file = read_bvh(_write(tmp_path / "a.bvh", TWO_BONES))
    root = Rotation.from_euler("ZYX", [10, 20, 30], degrees=True).as_matrix()
    arm = Rotation.from_euler("XZY", [40, 50, 60], degrees=True).as_matrix()
    rotations = file.world_rotations()
    np.testing.assert_allclose(rotations[1, 0], root, atol=1e-12)
    np.testing.assert_allclose(rotations[1, 1], root @ arm, atol=1e-12)


def test_line_ends_and_empty_lines_do_not_matter(tmp_path):
    plain = read_bvh(_write(tmp_path / "a.bvh", TWO_BONES))
    odd = TWO_BONES.replace("{\n", "\n\n{\n").replace("\n", "\r\n").replace("  ", "\t")
    path = tmp_path / "b.bvh"
    path.write_bytes(odd.encode())
    other = read_bvh(path)
    assert other.joints == plain.joints
    np.testing.assert_array_equal(other.frames, plain.frames)


def test_damage_is_named(tmp_path, subtests):
    for old, new, message in [
        ("HIERARCHY", "hello", "begins with 'hello', expected HIERARCHY"),
        ("OFFSET 0 10 0", "OFFSET 0 ten 0", "line 7: 'ten' is no number"),
        ("OFFSET 0 10 0", "OFFSET 0 10", "line 7: 'OFFSET 0 10' does not belong"),
        ("3 Xrotation", "4 Xrotation", "line 8: CHANNELS 4"),
        ("Xrotation Zrotation", "Xrotation Wrotation", "line 8: CHANNELS 3 Xrotation Wrotation"),
        ("JOINT", "ROOT", "line 5: ROOT here, expected one ROOT"),
        ("}\nMOTION", "MOTION", "1 open joints at MOTION"),
        ("Frames: 2", "Frames: 3", "18 numbers, expected 3 frames of 9"),
        ("Frames: 2", "Frames: 0", "18 numbers, expected 0 frames of 9"),
        ("Frames: 2", "Count: 2", "after MOTION, expected 'Frames: N'"),
        ("0.025", "0", "a frame time of 0.0"),
        ("40 50 60", "40 fifty 60", "a word among the numbers"),
        ("40 50 60", "40 nan 60", "not finite"),
    ]:
        with subtests.test(message=message, new=new, old=old):
            path = _write(tmp_path / "bad.bvh", TWO_BONES.replace(old, new, 1))
            with pytest.raises(DatasetError, match=rf"bad\.bvh: .*{message}"):
                read_bvh(path)


def test_every_cut_is_said(tmp_path):
    text = TWO_BONES.rstrip()
    for end in range(len(text) - 3):
        path = _write(tmp_path / "cut.bvh", text[:end])
        with pytest.raises(DatasetError, match=r"cut\.bvh"):
            read_bvh(path)
    with pytest.raises(DatasetError, match=r"none\.bvh: cannot be read"):
        read_bvh(tmp_path / "none.bvh")
