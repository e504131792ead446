"""Runs a clip through the pipeline and gathers what each method said in the truth's frames.

Legend: F truth frames that the clip has pictures of, K gathered joints.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import ClipTruth, EvaluationClip
from benchmarks.accuracy_joints import BodyJoints, JointSet, joint_rows
from benchmarks.accuracy_mesh import TrueBody
from benchmarks.accuracy_overlay import Overlay, OverlayDistances
from benchmarks.accuracy_posture import STRAIGHT_DEG, STRAIGHT_SMPL_DEG
from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import DatasetError
from realtime_vibe.packets import FrameResult, PersonResult
from realtime_vibe.pipeline import MotionCapturePipeline

FRAMES_A_VIDEO_MAY_LACK = 1
"""A truth may end one frame after the video, as frame counts of recorders do; more is a mistake."""

_NEAR_SHARE = 0.35
"""Middles of boxes may be this share of the person's size apart: two people side by side are not."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRun:
    """One run over one clip; NaN where nobody was found."""

    truth: FloatArray
    """(F, K, 3) [m]."""
    ours: FloatArray
    """(F, K, 3) [m], camera frame."""
    blazepose: FloatArray | None
    """(F, K, 3) [m], origin at the hips; None for a joint set that BlazePose does not have."""
    vertex_errors_m: FloatArray | None
    """(F,) of ours; None where the truth has no mesh."""
    overlay: Overlay | None = None
    """None where nobody was found, or the body has no landmarks."""
    straight_deg: float = STRAIGHT_DEG
    """Interior angle of knees that are straight in this truth."""


def run_clip(
    pipeline: MotionCapturePipeline, clip: EvaluationClip, joints: JointSet, body: BodyModel
) -> ClipRun:
    """Runs every frame of a clip, in order, through an empty pipeline.

    Both methods' joints come from the same person of the same tracked frames: the first, or, if the
    truth says where its person is in the image, the nearest one to there.

    Args:
        pipeline: reset first.
        clip: the frames and their truth.
        joints: which to gather.
        body: the engine's body.

    Raises:
        DatasetError: the frames end before the truth, or the truth's mesh is of another body.
    """
    truth = clip.truth
    rows = _TruthRows(truth, joints, body)
    last_frame = -1
    pipeline.reset()
    with closing(clip.open_frames()) as frames:
        for frame in frames:
            if frame.index >= truth.first_frame + truth.num_frames:
                break
            last_frame = frame.index
            result = pipeline.step(frame)
            row = frame.index - truth.first_frame
            if row < 0:
                continue
            index = person_at(truth, row, [each.person.bbox_xyxy for each in result.people])
            if index is not None:
                rows.put(row, result, result.people[index])
    num_seen = last_frame + 1 - truth.first_frame
    if num_seen <= 0 or num_seen < truth.num_frames - FRAMES_A_VIDEO_MAY_LACK:
        raise DatasetError(
            f"the video ends after {last_frame + 1} frames, but the truth reaches to frame "
            f"{truth.first_frame + truth.num_frames - 1}; check first_frame or cut the truth"
        )
    return rows.finished(min(num_seen, truth.num_frames))


def person_at(truth: ClipTruth, row: int, boxes_xyxy: Sequence[NDArray[np.float32]]) -> int | None:
    """Whom a truth frame is about.

    Args:
        truth: its `joints_px` say where its person is; without them it is the first.
        row: of the truth.
        boxes_xyxy: (4,) [px] of everybody in view.

    Returns:
        Index into `boxes_xyxy`; None when nobody is near enough.
    """
    if truth.joints_px is None or not boxes_xyxy:
        return 0 if boxes_xyxy else None
    low, high = truth.joints_px[row].min(axis=0), truth.joints_px[row].max(axis=0)
    centers = [box.reshape(2, 2).mean(axis=0) for box in boxes_xyxy]
    distances = [float(np.linalg.norm(center - 0.5 * (low + high))) for center in centers]
    nearest = int(np.argmin(distances))
    # Not `>`: an unknown place compares false.
    is_near = distances[nearest] <= _NEAR_SHARE * float((high - low).max())
    return nearest if is_near else None


class _TruthRows:
    """The arrays of a `ClipRun` while they fill."""

    def __init__(self, truth: ClipTruth, joints: JointSet, body: BodyModel) -> None:
        gathered = joints.gathered
        self._truth = truth.joints[:, joint_rows(gathered, truth.names)]
        self._ours = np.full_like(self._truth, np.nan)
        self._blazepose = np.full_like(self._truth, np.nan) if joints.has_landmarks else None
        self._vertex_errors_m = np.full(truth.num_frames, np.nan)
        self._body_joints = BodyJoints(joints, body)
        self._landmarks = (
            joint_rows(gathered, BLAZEPOSE_LANDMARK_NAMES) if joints.has_landmarks else []
        )
        self._true_body = None if truth.pose is None else TrueBody(truth.pose, body)
        # Regressed joints are made of the pose, and lie elsewhere than SMPL's.
        if self._true_body is not None and joints.regressor is None:
            self._true_body.check(truth)
        self._straight_deg = STRAIGHT_DEG if truth.are_marked else STRAIGHT_SMPL_DEG
        self._overlay = None if body.blazepose_regressor is None else OverlayDistances(body)

    def put(self, row: int, result: FrameResult, person: PersonResult) -> None:
        self._ours[row] = self._body_joints.of(person.mesh)
        landmarks = person.person.landmarks
        if self._blazepose is not None and landmarks is not None:
            self._blazepose[row] = landmarks.world_m[self._landmarks]
        if self._true_body is not None:
            self._vertex_errors_m[row] = self._true_body.vertex_error_m(row, person.mesh)
        if self._overlay is not None:
            self._overlay.put(result, person)

    def finished(self, num_rows: int) -> ClipRun:
        return ClipRun(
            truth=self._truth[:num_rows],
            ours=self._ours[:num_rows],
            blazepose=None if self._blazepose is None else self._blazepose[:num_rows],
            vertex_errors_m=None if self._true_body is None else self._vertex_errors_m[:num_rows],
            overlay=None if self._overlay is None else self._overlay.finished(),
            straight_deg=self._straight_deg,
        )
