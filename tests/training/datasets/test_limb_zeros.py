"""Bent zeros of knees and elbows: found where motion shows them, taken out without moving the feet."""

import numpy as np
import pytest

from realtime_vibe.geometry.rotation import rotmat_from_quat_wxyz
from realtime_vibe.geometry.smpl_skeleton import (
    REST_JOINTS_M,
    bone_offsets,
    joint_positions,
    world_rotations,
)
from realtime_vibe.training.datasets.__main__ import bent_limb_warnings, straightest_limbs
from realtime_vibe.training.datasets.clip import MotionClip
from realtime_vibe.training.datasets.limb_angles import LIMBS, interior_angle_deg
from realtime_vibe.training.datasets.limb_zeros import STRAIGHT_DEG, limb_zeros, with_zeros
from realtime_vibe.training.datasets.motion_folder import load_motion_folder

_LEFT_LEG = (1, 7)
_FEET = [7, 8, 10, 11]


def _bending(*, least_rad, swing_rad=1.0, seconds=30.0):
    """Somebody who bends knees and elbows again and again, by `least_rad` at least."""
    frames = round(60 * seconds)
    flexion = least_rad + swing_rad * (0.5 - 0.5 * np.cos(np.arange(frames) / 15))
    quats = np.zeros((frames, 24, 4), np.float32)
    quats[..., 0] = 1.0
    quats[:, 0] = [np.sqrt(0.5), np.sqrt(0.5), 0, 0]
    offsets = bone_offsets(REST_JOINTS_M)
    for _, middle, lower in LIMBS.values():
        axis = np.cross(offsets[middle], offsets[lower])
        size = np.linalg.norm(axis)
        at_rest = np.arctan2(size, offsets[middle] @ offsets[lower])
        half = 0.5 * (flexion - at_rest)
        quats[:, middle, 0] = np.cos(half)
        quats[:, middle, 1:] = np.sin(half)[:, None] * axis / size
    return MotionClip(name="bends", quats=quats, trans=np.zeros((frames, 3), np.float32))


def _posed(clip):
    turns = rotmat_from_quat_wxyz(clip.quats.astype(np.float64))
    return world_rotations(turns), joint_positions(
        turns, bone_offsets(REST_JOINTS_M), clip.trans.astype(np.float64)
    )


def _direction(joints, ends):
    line = joints[:, ends[1]] - joints[:, ends[0]]
    return line / np.linalg.norm(line, axis=-1, keepdims=True)


def test_bent_limbs_become_straight_and_hips_feet_and_floor_stay():
    clip = _bending(least_rad=0.3)
    repaired = with_zeros(clip, limb_zeros("a", [clip]))
    for limb, hinge in LIMBS.items():
        before = np.percentile(interior_angle_deg(clip.quats, hinge), 99)
        after = np.percentile(interior_angle_deg(repaired.quats, hinge), 99)
        assert before < 168, limb
        assert after == pytest.approx(STRAIGHT_DEG, abs=0.1), limb
    (turns, joints), (new_turns, new_joints) = _posed(clip), _posed(repaired)
    np.testing.assert_allclose(new_turns[:, _FEET], turns[:, _FEET], atol=1e-5)
    np.testing.assert_allclose(
        new_joints[:, _FEET, 2].min(1), joints[:, _FEET, 2].min(1), atol=1e-5
    )
    cosine = np.sum(_direction(joints, _LEFT_LEG) * _direction(new_joints, _LEFT_LEG), axis=-1)
    assert cosine.min() > np.cos(np.deg2rad(0.5))
    assert np.sum(repaired.quats[1:] * repaired.quats[:-1], axis=-1).min() > 0.99


def test_limbs_without_evidence_are_left_alone_and_the_reason_is_given(subtests):
    for clip, why in [
        (_bending(least_rad=0.3, seconds=2.0), "2.0 s of motion"),
        (_bending(least_rad=0.3, swing_rad=0.3), "moves through"),
        (_bending(least_rad=0.9), "more than 30 are missing"),
        (_bending(least_rad=0.04), "straight"),
    ]:
        with subtests.test(clip=clip, why=why):
            zeros = limb_zeros("a", [clip])
            assert all(zero.extension_deg == 0.0 and why in str(zero) for zero in zeros)
            assert with_zeros(clip, zeros) is clip


def test_clips_of_one_skeleton_are_judged_together():
    """A clip that never straightens a knee is no evidence where another one does."""
    walks, crouches = _bending(least_rad=0.04), _bending(least_rad=0.4)
    assert not any(zero.extension_deg for zero in limb_zeros("a", [walks, crouches]))


def test_a_source_in_which_nobody_straightens_a_limb_is_named():
    clips = [_bending(least_rad=0.04), _bending(least_rad=0.4)]
    warnings = bent_limb_warnings(straightest_limbs(clips, ["walks", "crouches"]))
    assert [line.split(":")[0] for line in warnings] == ["crouches", "crouches"]
    assert "a knee" in warnings[0]
    assert "an elbow" in warnings[1]


def test_a_real_walker_straightens_knees_after_the_repair_alone(shared_data):
    repaired = load_motion_folder(shared_data / "bvh")
    raw = load_motion_folder(shared_data / "bvh", bvh_repair=False)
    assert raw.limb_zeros == ()
    for found, low, high in ((raw, 150, 165), (repaired, 174, 179)):
        (angles_deg,) = straightest_limbs(found.clips, found.sources).values()
        for side in ("left", "right"):
            assert low < angles_deg[f"{side} knee"] < high
    for before, after in zip(raw.clips, repaired.clips, strict=True):
        (turns, joints), (new_turns, new_joints) = _posed(before), _posed(after)
        np.testing.assert_allclose(new_turns[:, _FEET], turns[:, _FEET], atol=1e-5)
        np.testing.assert_allclose(
            new_joints[:, _FEET, 2].min(1), joints[:, _FEET, 2].min(1), atol=1e-5
        )
        moved = np.linalg.norm(new_joints[:, _FEET[:2]] - joints[:, _FEET[:2]], axis=-1)
        assert moved.max() < 0.04
