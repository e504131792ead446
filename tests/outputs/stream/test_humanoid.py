"""Covers SMPL as humanoid bones: the table, Unity's axes, the floor, and who is followed."""

import numpy as np
import pytest

from realtime_vibe.body.joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.stream.humanoid import (
    BONE_PARENTS,
    BONES,
    HumanoidRoom,
    LeadingPerson,
    hips_above_feet_m,
)
from tests.outputs.stream.posed_body import FACING, posed_person, random_person, result_of

REST = np.tile(np.eye(3, dtype=np.float32), (23, 1, 1))


def test_the_bones_are_the_first_22_joints() -> None:
    assert PARENTS[:22] == BONE_PARENTS
    for bone, joint in zip(BONES, SMPL_JOINT_NAMES, strict=False):
        assert bone.startswith("Left") == joint.startswith("left")
        assert bone.startswith("Right") == joint.startswith("right")
    pairs = {"Hips": "pelvis", "LeftUpperLeg": "left_hip", "RightLowerLeg": "right_knee",
             "UpperChest": "spine3", "LeftShoulder": "left_collar", "RightHand": "right_wrist",
             "LeftToes": "left_foot", "LeftUpperArm": "left_shoulder", "Head": "head"}  # fmt: skip
    for bone, joint in pairs.items():
        assert BONES.index(bone) == SMPL_JOINT_NAMES.index(joint)


def test_somebody_who_faces_the_camera_faces_plus_z_in_unity() -> None:
    person = posed_person(FACING, REST, np.array([0.4, 0.1, 3.0]))
    pose = HumanoidRoom().pose(person, 0.0)
    np.testing.assert_allclose(pose.rotations(), np.tile(np.eye(3), (22, 1, 1)), atol=1e-5)
    place = {bone: pose.positions[index] for index, bone in enumerate(BONES)}
    assert place["LeftHand"][0] < -0.4 < 0.4 < place["RightHand"][0]
    assert place["Head"][1] > place["Hips"][1] > place["LeftFoot"][1] >= 0
    assert place["LeftToes"][2] > place["LeftFoot"][2] + 0.05
    np.testing.assert_allclose(place["Hips"][[0, 2]], 0, atol=1e-5)


def test_steps_towards_the_camera_and_to_the_left() -> None:
    room = HumanoidRoom()
    first = room.pose(posed_person(FACING, REST, np.array([0, 0, 3.0])), 0.0)
    # The person's left is the camera's right.
    second = room.pose(posed_person(FACING, REST, np.array([0.5, 0, 2.0])), 0.04)
    np.testing.assert_allclose(second.positions[0] - first.positions[0], [-0.5, 0, 1.0], atol=1e-5)


def test_bone_lengths_come_back_as_those_of_the_rest_pose(subtests: pytest.Subtests) -> None:
    for index in range(5):
        with subtests.test(index=index):
            rest = HumanoidRoom().pose(posed_person(FACING, REST, np.array([0, 0, 3.0])), 0.0)
            posed = HumanoidRoom().pose(random_person(index), 0.0)
            np.testing.assert_allclose(posed.offsets, rest.offsets, atol=1e-5)
            assert posed.rest_hips_above_feet_m == pytest.approx(rest.positions[0, 1], abs=1e-5)
            assert hips_above_feet_m(rest.offsets) == pytest.approx(rest.positions[0, 1], abs=1e-5)


def test_bones_grow_with_the_shape() -> None:
    room, place = HumanoidRoom(), np.array([0, 0, 3.0])
    small = room.pose(posed_person(FACING, REST, place), 0.0)
    for size in (2e-4, 0.05, 1.0):
        betas = np.linspace(-1, 1, 10).astype(np.float32) + np.float32(size)
        person = posed_person(FACING, REST, place, betas=betas)
        grown = room.pose(person, 0.0)
        exact = HumanoidRoom().pose(person, 0.0)
        np.testing.assert_allclose(grown.offsets, exact.offsets, atol=5e-5)  # [m]
    assert np.abs(grown.offsets - small.offsets).max() > 0.002


def test_the_image_in_a_mirror_stands_and_moves_as_the_person_on_the_other_side() -> None:
    room, mirror = HumanoidRoom(), HumanoidRoom(mirror=True)
    other = [BONES.index(_other_side(bone)) for bone in BONES]
    for index in range(5):
        person = random_person(index)
        plain, image = room.pose(person, index / 50), mirror.pose(person, index / 50)
        np.testing.assert_allclose(image.positions, (plain.positions * [-1, 1, 1])[other])
        # Posing the image's own bones leads to the same places: its rotations are reflected, too.
        turned, placed = image.rotations(), image.positions
        assert np.linalg.det(turned).min() > 0.99
        for bone, parent in enumerate(BONE_PARENTS):
            if parent >= 0:
                step = turned[parent] @ image.offsets[bone]
                np.testing.assert_allclose(placed[parent] + step, placed[bone], atol=1e-5)
        np.testing.assert_array_equal(image.mirrored().local_rotations, plain.local_rotations)


def _other_side(bone: str) -> str:
    words = {"Left": "Right", "Right": "Left"}
    return next((bone.replace(side, words[side]) for side in words if bone.startswith(side)), bone)


def test_the_same_person_is_followed_as_long_as_they_are_seen() -> None:
    near, far = random_person(0, track_id=1), random_person(1, track_id=4)
    leading = LeadingPerson()
    assert leading.pick(result_of(0)) is None
    assert leading.pick(result_of(1, far, near)) is near
    assert leading.pick(result_of(2, far)) is far
    assert leading.pick(result_of(3, near, far)) is far


def test_a_calibrated_camera_says_where_the_floor_is_and_what_is_upright() -> None:
    pitch = rotmat_from_axis_angle(np.array([0.3, 0, 0], np.float32))  # looks down
    level = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
    world = np.eye(4, dtype=np.float32)
    world[:3, :3], world[:3, 3] = level @ pitch.T, [0, 0, 1.5]
    # The same person, seen by the level camera and by one that looks down from the same place.
    upright = posed_person(FACING, REST, np.array([0.4, 0.1, 3.0]))
    seen_level = HumanoidRoom().pose(upright, 0.0)
    turned = pitch @ upright.mesh.joints[0]
    rest_pelvis = upright.mesh.joints[0] - upright.mesh.transl
    seen = posed_person(pitch @ FACING, REST, turned - rest_pelvis)
    room = HumanoidRoom()
    pose = room.pose(seen, 0.0, world)
    np.testing.assert_allclose(pose.rotations(), seen_level.rotations(), atol=1e-5)
    shift = pose.positions - seen_level.positions
    np.testing.assert_allclose(shift - shift[0], 0, atol=1e-5)
    np.testing.assert_allclose(shift[0, [0, 2]], 0, atol=1e-5)
    # Not where the feet are lowest, but 1.5 m below the camera.
    assert pose.positions[0, 1] == pytest.approx(1.5 - upright.mesh.joints[0, 1], abs=1e-5)
