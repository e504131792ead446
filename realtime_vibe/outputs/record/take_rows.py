"""What a take holds per frame and person, and how a result becomes such rows.

Frames of reference: the written world is AMASS's Z up. Unless somebody knows better it is the camera's
frame turned, with the camera at the origin: x right, y away from the camera, z up, so heights are relative
to the camera.

A frame with nobody in view has one row with `valid` False and `person_id` -1.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import rot6d_from_rotmat
from realtime_vibe.outputs.record.recording_spool import Rows, sound_rows
from realtime_vibe.packets import BodyMesh, FloatArray, FrameResult, PersonResult
from realtime_vibe.system.frame_rates import measured_rate

logger = logging.getLogger(__name__)

WORLD_CAMERA = T_WORLD_CAMERA[:3]
"""(3, 4) from the camera's frame to the world: `x_world = W[:, :3] @ x_camera + W[:, 3]`."""

NOBODY = -1
"""`person_id` of a row without a person."""

FALLBACK_RATE_HZ = 30.0
"""Taken as the frame rate when there are fewer than two frames to measure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinnedBody:
    """The mesh of a body and how it hangs on its joints; V vertices, F triangles."""

    v_template: FloatArray
    """(V, 3) [m], rest pose, y up, facing +z."""
    shapedirs: FloatArray
    """(V, 3, 10) [m per standard deviation]."""
    weights: FloatArray
    """(V, 24), rows sum to 1."""
    J_regressor: FloatArray
    """(24, V), rows sum to 1."""
    faces: NDArray[np.integer]
    """(F, 3)."""
    licence: str = ""
    """Under which terms the mesh may be passed on; empty where that is not known."""

    def rest_joints(self, betas: FloatArray) -> FloatArray:
        """(24, 3) joints [m] of a shape in the rest pose."""
        vertices = self.v_template + self.shapedirs @ betas
        return (self.J_regressor.astype(np.float64) @ vertices).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBody:
    """What a recording needs to know about the body whose motion it holds."""

    gender: str = "neutral"
    """Neutral, male or female."""
    keypoint_names: tuple[str, ...] = ()
    """Empty for bodies that do not have the 49 keypoints."""
    locate_keypoints: Callable[[BodyMesh], FloatArray] | None = None
    """Gives them of a posed body: (K, 3) [m], camera axes, before translation."""
    skin: SkinnedBody | None = None
    """None: formats with a mesh cannot be written."""
    file: Path | None = None
    """Where the body comes from; kept in the spool, so that a rescue finds it."""
    joint_confidence: Callable[[FloatArray], FloatArray] | None = None
    """Gives the (24,) confidence of joints by the (33,) visibility of landmarks; None: it is not known."""


ANY_BODY = RecordedBody()
"""Neutral, without keypoints and mesh."""


def rows_of(result: FrameResult, kind: np.dtype[np.void], body: RecordedBody = ANY_BODY) -> Rows:
    """One row per person, or one invalid row when nobody is in view; `kind` has `kp_3d` where the body has keypoints.

    Somebody whose numbers no body can have is nobody: one such row would damage every format.
    """
    rows = np.zeros(max(1, len(result.people)), kind)
    rows["frame_index"] = result.frame.index
    rows["timestamp_s"] = result.frame.captured_at_s
    rows["focal_px"] = result.focal_px
    rows["image_size"] = result.frame.image_bgr.shape[1::-1]
    world = result.T_world_camera
    rows["world_camera"] = WORLD_CAMERA if world is None else world[:3]
    rows["person_id"] = NOBODY
    empty = rows[0].copy()
    for number, person in enumerate(result.people):
        _fill_person(rows[number], person, body)
        if not sound_rows(rows[number : number + 1])[0]:
            logger.warning("frame %d: a person's numbers are no body's", result.frame.index)
            rows[number] = empty
    return rows


def frame_starts(rows: Rows) -> NDArray[np.intp]:
    """(F,) the first row of each frame."""
    index = np.asarray(rows["frame_index"])
    return np.flatnonzero(np.diff(index, prepend=index[:1] - 1) != 0)


def people_of(rows: Rows) -> list[NDArray[np.intp]]:
    """The numbers of each person's rows, who was seen longest first.

    Where no two people are ever seen at once, all rows are one person's: somebody who was lost and found
    again has a new identity, but is the same body to whoever uses the file.
    """
    numbers = np.flatnonzero(rows["valid"])
    if len(numbers) == 0:
        return []
    ids = np.asarray(rows["person_id"])[numbers]
    frame_of_row = np.asarray(rows["frame_index"])[numbers]
    if len(np.unique(frame_of_row)) == len(numbers):
        ids = np.zeros_like(ids)
    groups = grouped(numbers, ids)
    return sorted(groups, key=len, reverse=True)


def grouped(numbers: NDArray[np.intp], ids: NDArray[np.integer]) -> list[NDArray[np.intp]]:
    """The numbers of each id, ids and numbers rising; (N,) and (N,), in one pass however many there are."""
    order = np.argsort(ids, kind="stable")
    starts = np.flatnonzero(np.diff(ids[order])) + 1
    return np.split(numbers[order], starts) if len(numbers) else []


def measured_rate_hz(rows: Rows) -> float:
    """Frame rate [1/s] of a take; `FALLBACK_RATE_HZ` where there is none."""
    rate_hz = measured_rate(np.asarray(rows["timestamp_s"])[frame_starts(rows)])
    return FALLBACK_RATE_HZ if rate_hz is None else rate_hz


def _fill_person(row: Any, person: PersonResult, body: RecordedBody) -> None:
    params, mesh, landmarks = person.params, person.mesh, person.person.landmarks
    row["person_id"] = person.person.track_id
    row["valid"] = True
    row["rot6d"][0] = rot6d_from_rotmat(params.global_orient)
    row["rot6d"][1:] = rot6d_from_rotmat(params.body_pose)
    row["joints_camera"] = mesh.joints
    row["transl_camera"] = mesh.transl
    row["weak_camera"] = params.weak_camera
    row["square_px"] = person.square_px
    row["betas"] = params.betas
    if body.locate_keypoints is not None:
        row["kp_3d"] = body.locate_keypoints(mesh)
    if landmarks is not None:
        row["landmarks_px"] = landmarks.image_px[:, :2]
        row["landmark_visibility"] = landmarks.visibility
        if body.joint_confidence is not None:
            row["joint_confidence"] = body.joint_confidence(landmarks.visibility)
