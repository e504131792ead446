"""Covers planted feet: they do not slide under noise, steps get through, real walks hardly change."""

import numpy as np
import pytest

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.world.corrections import BodyCorrections
from realtime_vibe.world.foot_contact import FootContact
from realtime_vibe.world.foot_lock import FootLock
from realtime_vibe.world.soles import ANKLES, Soles, posed_soles
from tests.world.conftest import STILL, facing

RATE_HZ = 30.0
UP = np.array([0, -1, 0], np.float32)


def _soles_of(body, soles, params, transl):
    pose = body.kinematics(params.global_orient, params.body_pose, params.betas)
    ankles = list(ANKLES)
    offsets = soles.offsets(pose.rest_joints, params.betas)
    return posed_soles(offsets, pose.rotations[ankles], pose.joints[ankles] + transl)


def _sliding_mm_per_s(points):
    """(F, ...) horizontal speeds of (F + 1, ..., 3) points in the frame of a level camera."""
    return np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * RATE_HZ * 1e3


def _run(lock, frames, T_world_camera=None):
    out = []
    for index, (params, transl) in enumerate(frames):
        out.append(lock.update(params, transl, index / RATE_HZ, T_world_camera))
    return out


def test_the_soles_lie_under_the_feet(model, body):
    soles = Soles(model)
    mesh = body.forward(np.eye(3, dtype=np.float32), STILL, np.zeros(10), np.zeros(3, np.float32))
    pose = body.kinematics(np.eye(3, dtype=np.float32), STILL, np.zeros(10, np.float32))
    ankles = list(ANKLES)
    points = posed_soles(
        soles.offsets(pose.rest_joints, np.zeros(10, np.float32)),
        pose.rotations[ankles],
        pose.joints[ankles],
    )
    lowest = mesh.vertices[:, 1].min()
    np.testing.assert_allclose(points[..., 1], lowest, atol=0.01)
    assert (points[0, :, 0] > 0).all()  # left of the person is +x in the rest pose
    assert (points[1, :, 0] < 0).all()
    assert (points[:, 1, 2] - points[:, 0, 2] > 0.1).all()  # the ball is in front of the heel


def test_a_noisy_distance_does_not_move_planted_feet(model, body, stage):
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(90):
        depth_m = 3.0 + rng.normal(0, 0.03)
        transl = np.array([0.2, 0.1, 3.0], np.float32) * (depth_m / 3.0)
        frames.append((stage.params(facing(), transl), transl))
    soles, lock = Soles(model), FootLock(body, Soles(model))
    seen = np.stack([_soles_of(body, soles, *frame) for frame in frames])
    held = np.stack([_soles_of(body, soles, *frame) for frame in _run(lock, frames)])
    assert lock.stands == (True, True)
    assert _sliding_mm_per_s(seen[10:]).mean() > 500
    assert _sliding_mm_per_s(held[10:]).mean() < 30
    # The body does not leave the place where it is seen, either.
    np.testing.assert_allclose(held.mean(axis=0), seen.mean(axis=0), atol=0.08)


def test_planted_feet_come_down_to_a_known_floor(model, body, stage):
    transl = np.array([0, 0.1, 3.0], np.float32)
    frames = [(stage.params(facing(), transl), transl)] * 60
    soles = Soles(model)
    floor_y = float(_soles_of(body, soles, *frames[0])[..., 1].max()) + 0.05
    T = np.eye(4, dtype=np.float32)
    T[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    T[2, 3] = floor_y
    out = _run(FootLock(body, soles), frames, T)
    end = _soles_of(body, soles, *out[-1])
    np.testing.assert_allclose(end[..., 1], floor_y, atol=0.012)


def test_a_lifted_foot_goes_where_it_is_seen(model, body, stage):
    """The left leg swings forward; the right foot stays, the left arrives."""
    frames = []
    transl = np.array([0, 0.1, 3.0], np.float32)
    for index in range(60):
        swing = 0.8 * np.clip((index - 20) / 15, 0, 1)
        pose = STILL.copy()
        pose[0] = rotmat_from_axis_angle(np.array([-swing, 0, 0], np.float32))
        frames.append((stage.params(facing(), transl, body_pose=pose), transl))
    soles, lock = Soles(model), FootLock(body, Soles(model))
    seen = np.stack([_soles_of(body, soles, *frame) for frame in frames])
    held = np.stack([_soles_of(body, soles, *frame) for frame in _run(lock, frames)])
    assert np.linalg.norm(seen[-1, 0] - seen[0, 0], axis=-1).min() > 0.5
    np.testing.assert_allclose(held[-1, 0], seen[-1, 0], atol=0.08)
    assert _sliding_mm_per_s(held[5:, 1]).max() < 30


FEET = np.array([[[-0.1, 1, 3], [-0.1, 1, 2.9]], [[0.1, 1, 3], [0.1, 1, 2.9]]], np.float32)


def test_nobody_stands_who_flies():
    contact = FootContact()
    base = FEET
    for index in range(20):
        stands = contact.update(base - [0, 3.0 * index / RATE_HZ, 0], 1 / RATE_HZ, UP)
    assert stands == (False, False)
    for _ in range(20):
        stands = contact.update(base, 1 / RATE_HZ, UP)
    assert stands == (True, True)


def test_nobody_stands_at_the_top_of_a_jump():
    contact, stands = FootContact(), []
    for index in range(30):
        time_s = max(index - 10, 0) / RATE_HZ
        rise_m = max(2.4 * time_s - 0.5 * 9.81 * time_s**2, 0.0)
        stands.append(contact.update(FEET - [0, rise_m, 0], 1 / RATE_HZ, UP))
    assert stands[10] == (True, True)
    assert not np.any(stands[12:24])


def test_who_walks_has_one_foot_on_the_floor():
    """Both feet are seen to move, as where the tracker is unsure: the slower and the lower one stands."""
    contact, rng = FootContact(), np.random.default_rng(2)
    for index in range(30):
        feet = FEET + rng.normal(0, 0.02, (2, 1, 3))
        feet[0] += [2.0 * index / RATE_HZ, 0, 0]
        stands = contact.update(feet.astype(np.float32), 1 / RATE_HZ, UP)
    assert stands == (False, True)
    contact = FootContact()
    for index in range(30):
        feet = FEET - [[[0, 0.4, 0]], [[0, 0, 0]]] + [[[0, 0, 0]], [[0.6 * index / RATE_HZ, 0, 0]]]
        stands = contact.update(feet.astype(np.float32), 1 / RATE_HZ, UP)
    assert stands == (False, True)  # the left knee is held up, the right foot wobbles


def test_a_foot_that_swings_passes_above_the_one_that_stands(model, body, stage):
    """The left foot is seen 3 cm below the right one while it swings aside and back."""
    transl = np.array([0, 0.1, 3.0], np.float32)
    soles, frames = Soles(model), []
    hips = rotmat_from_axis_angle(np.array([0, 0, -0.2], np.float32))
    for index in range(60):
        pose = STILL.copy()
        swing = 0.35 * np.sin(index / 4.0)
        pose[0] = rotmat_from_axis_angle(np.array([0, 0, swing], np.float32))
        frames.append((stage.params(facing() @ hips, transl, body_pose=pose), transl))
    lock = FootLock(body, soles)
    held = np.stack([_soles_of(body, soles, *frame) for frame in _run(lock, frames)])
    seen = np.stack([_soles_of(body, soles, *frame) for frame in frames])
    below = [points[10:, ..., 1].max(axis=-1) @ [1, -1] for points in (seen, held)]
    assert lock.stands == (False, True)
    assert below[0].max() > 0.02
    assert below[1].max() < 0.0


def test_a_foot_that_goes_nearer_is_let_go(model, body, stage):
    """It hardly moves in the picture, so that it seems to stand."""
    transl, frames = np.array([0, 0.1, 3.0], np.float32), []
    for index in range(50):
        pose = STILL.copy()
        turn = np.array([-0.6 * min(index / 30, 1.0), 0, 0], np.float32)
        pose[0], pose[1] = rotmat_from_axis_angle(turn), rotmat_from_axis_angle(-turn)
        frames.append((stage.params(facing(), transl, body_pose=pose), transl))
    soles = Soles(model)
    end = _run(FootLock(body, soles), frames)[-1]
    off_m = _soles_of(body, soles, *end)[0] - _soles_of(body, soles, *frames[-1])[0]
    assert np.abs(off_m[:, 2]).max() < 0.1


def test_one_wrong_frame_does_not_throw_the_body(model, body, stage):
    transl = np.array([0, 0.1, 3.0], np.float32)
    bent = STILL.copy()
    bent[:2] = rotmat_from_axis_angle(np.array([-0.3, 0, 0], np.float32))
    frames = [(stage.params(facing(), transl), transl)] * 30
    frames[20] = (stage.params(facing(), transl, body_pose=bent), transl)
    places = np.stack([place for _, place in _run(FootLock(body, Soles(model)), frames)])
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() < 0.08


def test_a_gap_starts_over(body, model, stage):
    lock = FootLock(body, Soles(model))
    near, far = np.array([0, 0.1, 3.0], np.float32), np.array([1.0, 0.1, 5.0], np.float32)
    for index in range(10):
        lock.update(stage.params(facing(), near), near, index / RATE_HZ, None)
    params, transl = lock.update(stage.params(facing(), far), far, 3.0, None)
    np.testing.assert_allclose(transl, far, atol=1e-6)
    np.testing.assert_allclose(params.body_pose, STILL, atol=1e-3)


def test_recorded_walks_stop_sliding_and_keep_their_pose(model, body, stage, shared_data):
    """Motion capture seen with a noisy distance, as by the tracker."""
    soles, rng = Soles(model), np.random.default_rng(5)
    paths = sorted((shared_data / "motion").rglob("*walk*.npz"))[:4]
    assert paths
    for path in paths:
        with path.open("rb") as file, np.load(file) as clip:
            step = max(1, round(float(clip["mocap_framerate"]) / RATE_HZ))
            poses, trans = clip["poses"][::step][:90], clip["trans"][::step][:90]
        turns = rotmat_from_axis_angle(poses[:, :66].reshape(len(poses), 22, 3).astype(np.float32))
        camera = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
        places = (trans - trans.mean(axis=0)) @ camera.T + [0, 0, 6.0]
        noise = 1.0 + np.cumsum(rng.normal(0, 0.004, len(places))) * np.exp(-np.arange(len(places)))
        noise += rng.normal(0, 0.006, len(places))
        frames = []
        for turn, place, share in zip(turns, places, noise, strict=True):
            pose = np.concatenate([turn[1:], np.tile(np.eye(3), (2, 1, 1))]).astype(np.float32)
            transl = (place * share).astype(np.float32)
            frames.append((stage.params(camera @ turn[0], transl, body_pose=pose), transl))
        lock, stands, held, moved_mm = FootLock(body, soles), [], [], []
        for index, (params, transl) in enumerate(frames):
            new, place = lock.update(params, transl, index / RATE_HZ, None)
            stands.append(lock.stands)
            held.append(_soles_of(body, soles, new, place))
            zero = np.zeros(3, np.float32)
            before = body.joints(params.global_orient, params.body_pose, params.betas, zero)
            after = body.joints(new.global_orient, new.body_pose, new.betas, zero)
            moved_mm.append(1e3 * np.linalg.norm(after - before, axis=-1).mean())
        held = np.stack(held)
        slid = _sliding_mm_per_s(held).min(axis=-1)
        assert slid[np.array(stands)[1:]].mean() < 40, path.name
        lower = np.argmax(held[1:, ..., 1].max(axis=-1), axis=-1)
        assert slid[np.arange(len(slid)), lower].mean() < 100, path.name
        # The captured feet slide by 0.2 m/s themselves: holding them cannot but change these poses.
        assert np.mean(moved_mm) < 20, path.name


@pytest.mark.parametrize("foot_lock", [True, False])
def test_people_are_corrected_one_by_one_and_forgotten(model, stage, foot_lock):
    corrections = BodyCorrections(model, foot_lock=foot_lock, rest_legs=False)
    transl = np.array([0, 0.1, 4.0], np.float32)
    params = stage.params(facing(), transl)
    for track_id in (0, 1):
        person = stage.person(params, transl, track_id=track_id).person
        out, place = corrections.correct(person, params, transl, (640, 480), 0.0)
        np.testing.assert_allclose(place, transl)
        np.testing.assert_allclose(out.body_pose, params.body_pose, atol=1e-3)
    corrections.stand_on(None)
    corrections.reset()
