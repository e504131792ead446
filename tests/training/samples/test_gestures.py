"""Procedural arms: rotations, never a jump, elbows as people's, hands where they are said to be."""

import numpy as np

from realtime_vibe.geometry.rotation import rotmat_from_quat_wxyz
from realtime_vibe.geometry.smpl_skeleton import (
    REST_JOINTS_M,
    bone_offsets,
    joint_positions,
    world_rotations,
)
from realtime_vibe.training.datasets.limb_angles import ELBOWS, interior_angle_deg
from realtime_vibe.training.samples import gestures
from realtime_vibe.training.samples.arm_ik import (
    ELBOW_RANGE_DEG,
    SHOULDER_AT,
    ArmPose,
    left_arm_quats,
)
from realtime_vibe.training.samples.gestures import ARM_JOINTS, gesturing_arms
from realtime_vibe.training.samples.pose_variation import NECK_JOINTS, looking_head
from tests.training.samples.still_people import sitting, standing

CHEST, HEAD, WRISTS, HANDS = 9, 15, (20, 21), (22, 23)


def _joints(quats):
    turns = rotmat_from_quat_wxyz(quats.astype(np.float64))
    return joint_positions(turns, bone_offsets(REST_JOINTS_M), np.zeros((len(quats), 3)))


def _with_arms(clip, seed, looking=True):
    quats = clip.quats.copy()
    if looking:
        quats[:, NECK_JOINTS] = looking_head(len(quats), np.random.default_rng(seed))
    quats[:, ARM_JOINTS] = gesturing_arms(quats, np.random.default_rng(seed))
    return quats


def test_arms_are_rotations_that_never_jump_and_elbows_stay_human(subtests):
    for seed in range(6):
        for clip in [standing(), sitting()]:
            with subtests.test(clip=clip.name, seed=seed):
                quats = _with_arms(clip, seed)
                arms = quats[:, ARM_JOINTS]
                np.testing.assert_allclose(np.linalg.norm(arms, axis=-1), 1.0, atol=1e-5)
                # 0.985: 20 degrees in a sixtieth of a second.
                assert np.sum(arms[1:] * arms[:-1], axis=-1).min() > 0.985
                for elbow in ELBOWS:
                    angle = interior_angle_deg(quats, elbow)
                    assert angle.min() > ELBOW_RANGE_DEG[0] - 4
                    assert angle.max() < 179.0
                    # Elbows bend one way: the forearm comes to the front of the upper arm.
                    turns = rotmat_from_quat_wxyz(quats[:, elbow.middle].astype(np.float64))
                    assert (turns[:, 2, 0] * (1 if elbow is ELBOWS[0] else -1)).min() > -0.06


def test_the_same_generator_gives_the_same_arms():
    np.testing.assert_array_equal(_with_arms(standing(), 3), _with_arms(standing(), 3))
    assert not np.array_equal(_with_arms(standing(), 3), _with_arms(standing(), 4))


def test_hands_are_at_the_head_wherever_it_looks(monkeypatch, subtests):
    for name in ["chin", "cheek", "ear", "mouth", "glasses", "hair", "behind_head"]:
        with subtests.test(name=name):
            monkeypatch.setattr(gestures, "_STANDING_PAIRS", {(name, name): 1.0})
            quats = _with_arms(standing(), 1)
            joints = _joints(quats)
            # The head's centre is 6 cm above its joint.
            up = world_rotations(rotmat_from_quat_wxyz(quats.astype(np.float64)))[:, HEAD, :, 1]
            for hand in HANDS:
                distance = np.linalg.norm(joints[:, hand] - joints[:, HEAD] - 0.06 * up, axis=-1)
                assert np.percentile(distance, 90) < 0.25
                assert distance.min() > 0.06


def test_hanging_hands_are_below_the_shoulders_though_the_chest_leans(monkeypatch):
    monkeypatch.setattr(gestures, "_STANDING_PAIRS", {("hang", "hang"): 1.0})
    clip = standing()
    leaning = clip.quats.copy()
    leaning[:, 6] = [np.cos(0.3), np.sin(0.3), 0, 0]
    joints = _joints(
        _with_arms(type(clip)(name="", quats=leaning, trans=clip.trans), 0, looking=False)
    )
    for side in (0, 1):
        arm = joints[:, 20 + side] - joints[:, 16 + side]
        down = -arm[:, 2] / np.linalg.norm(arm, axis=-1)
        assert down.min() > np.cos(np.deg2rad(30))


def test_inverse_kinematics_puts_the_wrist_where_it_is_wanted():
    rng = np.random.default_rng(0)
    way = rng.standard_normal((200, 3)) * [1, 1, 0.6] + [0.3, -0.2, 0.7]
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    wanted = SHOULDER_AT + way * rng.uniform(0.25, 0.44, (200, 1))
    pose = ArmPose(
        wrist=wanted,
        elbow_side=np.tile([0.5, -1.0, -0.4], (200, 1)),
        hand=np.tile(np.eye(3), (200, 1, 1)),
    )
    quats = np.zeros((200, 24, 4))
    quats[..., 0] = 1.0
    quats[:, (13, 16, 18, 20)] = left_arm_quats(pose)
    joints = _joints(quats)
    error = np.linalg.norm(joints[:, WRISTS[0]] - joints[:, CHEST] - wanted, axis=-1)
    assert error.max() < 0.005
