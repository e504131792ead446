"""Landmarks beside where they truly are: of tracked clips, and of the training's simulated streams.

Legend: F frames, K = 12 joints of `JOINTS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import ClipTruth, TruthPose
from benchmarks.accuracy_joints import joint_rows
from benchmarks.accuracy_mesh import TrueBody
from benchmarks.accuracy_overlay import MeshLandmarks
from benchmarks.accuracy_scores import accel_stride
from benchmarks.landmark_errors import JOINTS
from benchmarks.tracked_clips import TrackedClip
from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import BodyModel, load_body
from realtime_vibe.features.landmark_features import CROP_CENTER
from realtime_vibe.geometry.camera import sight_from_camera

FloatArray = NDArray[np.float64]

LANDMARKS = joint_rows(JOINTS, BLAZEPOSE_LANDMARK_NAMES)
SIMULATED_RATE_HZ, SIMULATED_FRAMES = 30.0, 90
_SIMULATED_SPAN = (0.3, 0.95)
_POOL_FRAMES = 600
_HEIGHT_PER_CHAIN = 1.30
"""Height over thigh + shank + trunk of the default body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkTrack:
    """One clip or stream at about 30 frames a second; NaN where nobody was found."""

    truth_m: FloatArray
    """(F, K, 3) axes of the line of sight to the hips' middle."""
    seen_m: FloatArray
    """(F, K, 3) the tracker's world landmarks, in the same axes."""
    error_percent: FloatArray
    """(F, K, 2) of the image landmarks, in % of the person's standing height in the image."""
    visibility: FloatArray
    """(F, K)."""
    period_s: float
    """Between frames."""


def real_track(clip: TrackedClip, body: BodyModel) -> LandmarkTrack:
    """What the tracker said about a clip; without the true camera the image's errors are NaN.

    Args:
        body: of a truth that has its parameters: gives the places that the tracker marks.
    """
    truth, rows = clip.truth, clip.rows
    num_rows = rows.stop - rows.start
    joints = truth.joints[:num_rows, joint_rows(JOINTS, truth.names)]
    if truth.pose is not None:
        joints = _marked(truth, truth.pose, body)[:num_rows]
    image_px = clip.frames.image_px[rows][:, LANDMARKS].astype(np.float64)
    errors = np.full_like(image_px, np.nan)
    if truth.intrinsics is not None:
        height_px = standing_height_m(joints) * truth.intrinsics.K[1, 1] / _depth_m(joints)
        errors = 100 * (image_px - truth.intrinsics.project(joints)) / height_px[:, None, None]
    step = slice(None, None, accel_stride(truth.fps))
    return LandmarkTrack(
        truth_m=sight_from_camera(joints, _sight(joints))[step],
        seen_m=clip.frames.world_m[rows][step, LANDMARKS].astype(np.float64),
        error_percent=errors[step],
        visibility=clip.frames.visibility[rows][step, LANDMARKS].astype(np.float64),
        period_s=accel_stride(truth.fps) / truth.fps,
    )


def _marked(truth: ClipTruth, pose: TruthPose, body: BodyModel) -> FloatArray:
    """(F, K, 3) the true body's landmarks where its joints are."""
    true_body, landmarks = TrueBody(pose, body), MeshLandmarks(body)
    true_body.check(truth)
    names = [name for name in truth.names if name in SMPL_JOINT_NAMES]
    given = truth.joints[:, [truth.names.index(name) for name in names]]
    rows = []
    for row in range(truth.num_frames):
        mesh = true_body.posed(row)
        own = mesh.joints[[SMPL_JOINT_NAMES.index(name) for name in names]]
        rows.append(landmarks.of(mesh)[LANDMARKS] + (given[row] - own).mean(axis=0))
    return np.stack(rows)


def standing_height_m(joints: FloatArray) -> float:
    """Height of the person of (F, K, 3) by the median lengths of trunk, thighs and shanks."""

    def middle(kind: str) -> FloatArray:
        sides = [JOINTS.index(f"{side}_{kind}") for side in ("left", "right")]
        return np.asarray(joints[:, sides], np.float64)

    shoulders, hips, knees, ankles = map(middle, ("shoulder", "hip", "knee", "ankle"))
    trunk = np.linalg.norm(shoulders.mean(1) - hips.mean(1), axis=-1)
    legs = np.linalg.norm(hips - knees, axis=-1) + np.linalg.norm(knees - ankles, axis=-1)
    return float(_HEIGHT_PER_CHAIN * np.nanmedian(trunk + legs.mean(1)))


def _sight(joints: FloatArray) -> FloatArray:
    """(F, 2) where the line of sight to the hips' middle meets the image plane [focal lengths]."""
    hips = [JOINTS.index("left_hip"), JOINTS.index("right_hip")]
    middle = joints[:, hips].mean(axis=1)
    center: FloatArray = middle[:, :2] / middle[:, 2:]
    return center


def _depth_m(joints: FloatArray) -> FloatArray:
    hips = [JOINTS.index("left_hip"), JOINTS.index("right_hip")]
    depth: FloatArray = joints[:, hips, 2].mean(axis=1)
    return depth


def simulated_tracks(
    motion: Path, body_path: Path, *, num_streams: int, seed: int
) -> Sequence[LandmarkTrack]:
    """Streams as the training makes them, seen whole, 90 frames at 30 a second.

    Raises:
        RealtimeVibeError: the motion or the body cannot be read.
    """
    import torch

    from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
    from realtime_vibe.training.samples.motion import MotionPool, load_clips
    from realtime_vibe.training.samples.sequences import SequenceSampler, SequenceSettings
    from realtime_vibe.training.samples.tracker_noise import NoiseLevels

    torch.manual_seed(seed)
    clips = load_clips(motion)
    pool = MotionPool(clips, num_streams // 2, _POOL_FRAMES, np.random.default_rng(seed))
    settings = SequenceSettings(
        num_frames=SIMULATED_FRAMES,
        num_streams=num_streams,
        rate_hz=(SIMULATED_RATE_HZ, SIMULATED_RATE_HZ),
        tempo=(1.0, 1.0),
        span=_SIMULATED_SPAN,
    )
    body = LandmarkSkeleton(skeleton_arrays(load_body(body_path)))
    batch = SequenceSampler(pool, body, settings, NoiseLevels(), seed).sample()
    features = batch.features.numpy().astype(np.float64)
    world = features[..., 66:165].reshape(*features.shape[:2], 33, 3)[:, :, LANDMARKS]
    # Training may leave world landmarks out: zeros say that there are none.
    world[~np.any(world, axis=(2, 3))] = np.nan
    seen = features[..., :66].reshape(*features.shape[:2], 33, 2)[:, :, LANDMARKS]
    true = batch.crop_points[..., -33:, :].numpy().astype(np.float64)[:, :, LANDMARKS]
    # The crop's half side over the person's scale: metres for a unit of the crop.
    crop_m = 1.0 / batch.weak_camera[..., 0].numpy().astype(np.float64)
    joints = batch.landmarks.numpy().astype(np.float64)[:, :, LANDMARKS]
    # The features had the world landmarks turned into the camera's axes.
    sight = features[..., CROP_CENTER]
    truth_m, seen_m = sight_from_camera(joints, sight), sight_from_camera(world, sight)
    return [
        LandmarkTrack(
            truth_m=truth_m[:, stream],
            seen_m=seen_m[:, stream],
            error_percent=100
            * (seen - true)[:, stream]
            * crop_m[:, stream, None, None]
            / standing_height_m(joints[:, stream]),
            visibility=features[:, stream, 165:198][:, LANDMARKS],
            period_s=1.0 / SIMULATED_RATE_HZ,
        )
        for stream in range(num_streams)
    ]
