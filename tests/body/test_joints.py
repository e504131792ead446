"""The joint tables: tree order, ancestors, mirror pairs and the landmarks named after joints."""

from realtime_vibe.body.joints import (
    ANCESTORS,
    BLAZEPOSE_LANDMARK_NAMES,
    BLAZEPOSE_MIRROR,
    LANDMARK_JOINTS,
    PARENTS,
    SMPL_JOINT_NAMES,
    SMPL_MIRROR,
)


def test_parents_come_before_children_and_edges_span_the_tree():
    assert len(PARENTS) == len(SMPL_JOINT_NAMES) == 24
    assert PARENTS[0] == -1
    assert all(0 <= parent < child for child, parent in enumerate(PARENTS) if child)


def test_ancestors_are_one_two_four_and_eight_steps_up_the_tree():
    def above(joint, steps):
        while steps and joint != 24:
            joint, steps = 24 if joint == 0 else PARENTS[joint], steps - 1
        return joint

    for places, steps in zip(ANCESTORS, (1, 2, 4, 8), strict=True):
        assert places.tolist() == [above(joint, steps) for joint in range(25)]
    assert all(above(joint, 16) == 24 for joint in range(24))


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
