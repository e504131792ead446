"""Running clips through the pipeline, with parameters that are given instead of estimated."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy_clips import ClipTruth, TruthPose
from benchmarks.accuracy_joints import choose_joint_set
from benchmarks.accuracy_run import run_clip
from benchmarks.accuracy_scores import score_clip
from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, SMPL_JOINT_NAMES
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.packets import PoseLandmarks, SmplParams

NUM_FRAMES, FIRST = 24, 4
COMMON = choose_joint_set("common", SMPL_JOINT_NAMES)


@pytest.fixture
def pose():
    rng = np.random.default_rng(0)
    return TruthPose(
        global_orient=rng.normal(0, 0.5, (NUM_FRAMES - FIRST, 3)),
        body_pose=rng.normal(0, 0.2, (NUM_FRAMES - FIRST, 69)),
        betas=rng.normal(0, 1, 10),
    )


@pytest.fixture
def params(pose):
    """One for every frame; those before the truth are of its first frame."""

    def at(row):
        return SmplParams(
            global_orient=rotmat_from_axis_angle(pose.global_orient[row]).astype(np.float32),
            body_pose=rotmat_from_axis_angle(pose.body_pose[row].reshape(23, 3)).astype(np.float32),
            betas=pose.betas.astype(np.float32),
            weak_camera=np.array([0.9, 0, 0], np.float32),
        )

    return [at(max(index - FIRST, 0)) for index in range(NUM_FRAMES)]


@pytest.fixture
def truth(pose, params, body_model):
    body = SmplBody(body_model)
    joints = [
        body.joints(p.global_orient, p.body_pose, p.betas, np.array([1, 2, 5], np.float32))
        for p in params[FIRST:]
    ]
    return ClipTruth(
        joints=np.stack(joints).astype(np.float64),
        names=SMPL_JOINT_NAMES,
        first_frame=FIRST,
        fps=30.0,
        pose=pose,
    )


@pytest.fixture
def landmarks():
    world = np.arange(99, dtype=np.float32).reshape(33, 3)
    return PoseLandmarks(
        image_px=world, world_m=world, visibility=np.ones(33, np.float32), presence=1.0
    )


@pytest.fixture
def run_given(params, landmarks, given_pipeline, blank_clip, body_model):
    def run(truth):
        clip = blank_clip(truth, NUM_FRAMES)
        return run_clip(given_pipeline(params, landmarks), clip, COMMON, body_model)

    return run


def test_the_true_parameters_have_no_error(
    truth, params, landmarks, given_pipeline, blank_clip, body_model
):
    pipeline = given_pipeline(params, landmarks)
    run = run_clip(pipeline, blank_clip(truth, NUM_FRAMES), COMMON, body_model)
    result = score_clip("blank", run, COMMON, truth.fps)
    assert result.ours.scores.mpjpe_mm == pytest.approx(0, abs=0.01)
    assert result.ours.scores.pve_mm == pytest.approx(0, abs=0.01)
    assert result.num_frames == NUM_FRAMES - FIRST
    # Frames 9 and 19 show nobody.
    assert result.ours.scores.coverage == pytest.approx(18 / 20)
    assert np.isnan(run.ours[[9 - FIRST, 19 - FIRST]]).all()
    rows = [BLAZEPOSE_LANDMARK_NAMES.index(name) for name in COMMON.joints]
    np.testing.assert_array_equal(run.blazepose[0], landmarks.world_m[rows])


def test_another_shape_has_a_vertex_error_and_a_moved_body_has_none(
    truth, params, landmarks, given_pipeline, blank_clip, body_model
):
    moved = [replace(p, weak_camera=np.array([0.5, 0.1, 0], np.float32)) for p in params]
    taller = [replace(p, betas=p.betas + np.eye(10, dtype=np.float32)[0]) for p in params]
    clip = blank_clip(truth, NUM_FRAMES)
    for given, low, high in ((moved, 0.0, 1e-5), (taller, 0.002, 0.2)):
        run = run_clip(given_pipeline(given, landmarks), clip, COMMON, body_model)
        assert run.vertex_errors_m is not None
        assert low <= np.nanmean(run.vertex_errors_m) < high


def test_a_set_that_blazepose_does_not_have_gives_ours_alone(
    truth, params, landmarks, given_pipeline, blank_clip, body_model
):
    smpl24 = choose_joint_set("smpl24", SMPL_JOINT_NAMES)
    clip = blank_clip(replace(truth, pose=None), NUM_FRAMES)
    run = run_clip(given_pipeline(params, landmarks), clip, smpl24, body_model)
    assert run.ours.shape == (20, 24, 3)
    assert run.blazepose is None
    assert run.vertex_errors_m is None


def test_a_truth_may_end_one_frame_after_the_video(
    truth, params, landmarks, given_pipeline, blank_clip, body_model
):
    pipeline = given_pipeline(params, landmarks)
    run = run_clip(pipeline, blank_clip(truth, NUM_FRAMES - 1), COMMON, body_model)
    assert len(run.truth) == len(run.ours) == NUM_FRAMES - FIRST - 1
    for too_few in (NUM_FRAMES - 2, FIRST, 0):
        with pytest.raises(DatasetError, match=f"ends after {too_few} frames"):
            run_clip(pipeline, blank_clip(truth, too_few), COMMON, body_model)


def test_a_longer_video_is_not_run_to_its_end(
    truth, params, landmarks, given_pipeline, blank_clip, body_model
):
    clip = blank_clip(truth, NUM_FRAMES + 100)  # parameters are given for the first 24 alone
    run = run_clip(given_pipeline(params, landmarks), clip, COMMON, body_model)
    assert len(run.ours) == NUM_FRAMES - FIRST


def test_parameters_of_another_body_are_refused(
    truth, params, landmarks, given_pipeline, blank_clip, body_model
):
    pipeline = given_pipeline(params, landmarks)
    other = replace(truth, joints=truth.joints * 1.2)
    with pytest.raises(DatasetError, match="belong to another body"):
        run_clip(pipeline, blank_clip(other, NUM_FRAMES), COMMON, body_model)


@pytest.mark.parametrize(
    ("center_px", "coverage"), [((32, 32), 18 / 20), ((40, 32), 18 / 20), ((300, 32), 0.0)]
)
def test_a_truth_that_knows_its_place_takes_nobody_else(run_given, truth, center_px, coverage):
    corners = np.array(center_px) + np.linspace(-30, 30, 24)[:, None]
    placed = replace(truth, joints_px=np.tile(corners, (len(truth.joints), 1, 1)).astype(float))
    run = run_given(placed)
    assert np.isfinite(run.ours).all(axis=(1, 2)).mean() == pytest.approx(coverage)
