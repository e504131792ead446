"""The joint tables: tree order, mirror pairs, levels and the landmarks named after joints."""

import numpy as np

from realtime_vibe.body.joints import (
    BLAZEPOSE_LANDMARK_NAMES,
    BLAZEPOSE_MIRROR,
    DEPTH_LEVELS,
    LANDMARK_JOINTS,
    PARENTS,
    SMPL_JOINT_NAMES,
    SMPL_MIRROR,
)


def test_parents_come_before_children_and_edges_span_the_tree():
    assert len(PARENTS) == len(SMPL_JOINT_NAMES) == 24
    assert PARENTS[0] == -1
    assert all(0 <= parent < child for child, parent in enumerate(PARENTS) if child)


def test_levels_hold_every_joint_once_and_one_step_below_their_parents():
    depth = [0] * 24
    for joint in range(1, 24):
        depth[joint] = depth[PARENTS[joint]] + 1
    for below, level in enumerate(DEPTH_LEVELS, start=1):
        assert [depth[joint] for joint in level] == [below] * len(level)
    assert sorted(np.concatenate(DEPTH_LEVELS).tolist()) == list(range(1, 24))


def test_mirrors_swap_sides_and_undo_themselves():
    for mirror, names in (
        (SMPL_MIRROR, SMPL_JOINT_NAMES),
        (BLAZEPOSE_MIRROR, BLAZEPOSE_LANDMARK_NAMES),
    ):
        assert [mirror[other] for other in mirror] == list(range(len(names)))
        for index, name in enumerate(names):
            image = names[mirror[index]]
            assert ("left" in name) == ("right" in image)
    mirrored_parents = [PARENTS[SMPL_MIRROR[joint]] for joint in range(1, 24)]
    assert mirrored_parents == [SMPL_MIRROR[PARENTS[joint]] for joint in range(1, 24)]


def test_landmarks_and_the_joints_of_the_same_name():
    assert len(BLAZEPOSE_LANDMARK_NAMES) == 33
    assert len(LANDMARK_JOINTS) == 12
    for landmark, joint in LANDMARK_JOINTS.items():
        assert BLAZEPOSE_LANDMARK_NAMES[landmark] == SMPL_JOINT_NAMES[joint]
    assert {BLAZEPOSE_MIRROR[landmark] for landmark in LANDMARK_JOINTS} == set(LANDMARK_JOINTS)
    for landmark, joint in LANDMARK_JOINTS.items():
        assert LANDMARK_JOINTS[BLAZEPOSE_MIRROR[landmark]] == SMPL_MIRROR[joint]
