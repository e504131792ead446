"""Joint names, joint sets, and reading named joints off a mesh."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy_joints import (
    AUTO,
    KNOWN_JOINTS,
    NAMED_SETS,
    SET_NAMES,
    BodyJoints,
    JointSet,
    choose_joint_set,
    full_joint_name,
    joint_rows,
)
from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import DatasetError


def test_short_and_full_names_mean_the_same():
    assert full_joint_name("l_hip") == "left_hip"
    assert full_joint_name("r_wrist") == "right_wrist"
    assert [full_joint_name(name) for name in SMPL_JOINT_NAMES] == list(SMPL_JOINT_NAMES)


def test_rows_in_both_bodies():
    names = ("l_shoulder", "right_shoulder", "l_wrist", "r_ankle")
    assert [SMPL_JOINT_NAMES[row] for row in joint_rows(names, SMPL_JOINT_NAMES)] == [
        "left_shoulder", "right_shoulder", "left_wrist", "right_ankle",
    ]  # fmt: skip
    assert joint_rows(names, BLAZEPOSE_LANDMARK_NAMES) == [11, 12, 15, 28]
    with pytest.raises(DatasetError, match="unknown joints tail"):
        joint_rows(("tail",), SMPL_JOINT_NAMES)


def test_common_takes_what_both_methods_have_in_the_order_of_the_truth(limb_names):
    full = tuple(full_joint_name(name) for name in limb_names)
    assert choose_joint_set("common", full).joints == full
    of_all = choose_joint_set("common", SMPL_JOINT_NAMES)
    assert set(of_all.joints) == set(full)
    assert of_all.has_landmarks
    np.testing.assert_allclose(of_all.root_weights, np.full(12, 1 / 12))


def test_too_few_common_joints_are_refused():
    with pytest.raises(DatasetError, match="has 2 of the joints"):
        choose_joint_set("common", ("left_hip", "right_hip", "pelvis", "neck"))


def test_every_set_is_found_in_a_truth_that_has_everything(subtests):
    for name in [name for name in SET_NAMES if name != AUTO]:
        with subtests.test(name=name):
            chosen = choose_joint_set(name, KNOWN_JOINTS)
            assert chosen.name == name
            assert set(chosen.gathered) <= set(KNOWN_JOINTS)
            assert len(set(chosen.gathered)) == len(chosen.gathered)
            assert chosen.root_weights.sum() == pytest.approx(1.0)
            weighted = [n for n, w in zip(chosen.gathered, chosen.root_weights, strict=True) if w]
            assert set(weighted) == set(chosen.root)


def test_published_sets_have_their_size(subtests):
    for name, count in [("lsp14", 14), ("h36m14", 14), ("mpi17", 17)]:
        with subtests.test(name=name, count=count):
            assert len(choose_joint_set(name, KNOWN_JOINTS).joints) == count


def test_a_root_outside_the_scored_joints_is_gathered_after_them():
    chosen = choose_joint_set("h36m14", KNOWN_JOINTS)
    assert chosen.gathered[-1] == "pelvis"
    assert "pelvis" not in chosen.joints


def test_a_truth_without_the_joints_of_a_set_is_refused(limb_names, subtests):
    for joint_set in NAMED_SETS:
        with subtests.test(joint_set=joint_set):
            full = tuple(full_joint_name(name) for name in limb_names)
            with pytest.raises(DatasetError, match=f"lacks .* of the joint set {joint_set.name}"):
                choose_joint_set(joint_set.name, full)
            with pytest.raises(DatasetError, match="no joint set 'coco'"):
                choose_joint_set("coco", full)


def _named(*names: str, are_marked: bool = False) -> JointSet:
    return JointSet(
        name="these", joints=names, root=names[:1], has_landmarks=False, are_marked=are_marked
    )


def test_joints_are_read_off_the_mesh(body_model):
    at_rest = np.zeros((24, 3, 3), np.float32) + np.eye(3, dtype=np.float32)
    betas, transl = np.zeros(10, np.float32), np.array([1, 2, 3], np.float32)
    mesh = SmplBody(body_model).forward(at_rest[0], at_rest[1:], betas, transl)
    names = ("left_wrist", "head_top", "spine")
    wrist, crown, spine = BodyJoints(_named(*names), body_model).of(mesh)
    np.testing.assert_array_equal(wrist, mesh.joints[SMPL_JOINT_NAMES.index("left_wrist")])
    assert crown[1] == mesh.vertices[:, 1].max()
    # Half way from pelvis to neck, within a hand's breadth.
    middle = mesh.joints[[0, SMPL_JOINT_NAMES.index("neck")]].mean(axis=0)
    assert np.linalg.norm(spine - middle) < 0.05
    with pytest.raises(DatasetError, match="unknown joints nose"):
        BodyJoints(_named("nose"), body_model)


def test_marked_joints_lie_where_people_mark_them(body_model: BodyModel) -> None:
    names = ("left_shoulder", "left_hip", "right_ankle")
    smpl = SmplBody(body_model)
    mesh = smpl.forward(
        np.eye(3, dtype=np.float32),
        np.tile(np.eye(3, dtype=np.float32), (23, 1, 1)),
        np.zeros(10, np.float32),
        np.zeros(3, np.float32),
    )
    centers = BodyJoints(_named(*names), body_model).of(mesh)
    marks = BodyJoints(_named(*names, are_marked=True), body_model).of(mesh)
    assert marks[0, 1] - centers[0, 1] == pytest.approx(0.052, abs=0.003)
    assert marks[1] == pytest.approx(centers[1])
    assert marks[2, 1] - centers[2, 1] == pytest.approx(0.041, abs=0.003)


def test_marked_joints_need_a_body_with_landmarks(body_model: BodyModel) -> None:
    bare = replace(body_model, blazepose_regressor=None)
    with pytest.raises(DatasetError, match="blazepose_regressor"):
        BodyJoints(_named("left_hip", are_marked=True), bare)
