"""Google's own pose tracker, MediaPipe Tasks in VIDEO mode: an opt-in, and the yardstick of tests.

Same networks as `BlazePoseTracker`, but filtered landmarks (One-Euro inside MediaPipe), no choice
of person, four times the time per frame, and usage metrics that go to Google.
"""

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from realtime_vibe.errors import BackendUnavailableError, TrackerError
from realtime_vibe.packets import Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.few_warnings import FewWarnings
from realtime_vibe.system.file_boundary import check_regular, file_boundary
from realtime_vibe.system.folders import cache_folder
from realtime_vibe.system.machine import install_command
from realtime_vibe.tracking.base import MAX_GAP_S, OVERFLOW
from realtime_vibe.tracking.blazepose_models import make_command
from realtime_vibe.tracking.choices import FULL
from realtime_vibe.tracking.landmark_track import landmark_box
from realtime_vibe.tracking.scene_cut import SceneCuts

logger = logging.getLogger(__name__)
_INSTALL = install_command("mediapipe")
_MIN_SCORE = 0.5
"""Of the detector to begin, of the landmark network to go on."""


def default_task_path(model: str = FULL) -> Path:
    """Where a model's `.task` bundle is kept: the user's cache folder."""
    suffix = "" if model == FULL else f"_{model}"
    return cache_folder() / f"pose_landmarker{suffix}.task"


def open_landmarker(task_path: Path, *, model: str = FULL) -> Any:
    """Starts MediaPipe's `PoseLandmarker` in VIDEO mode for one person.

    `model` is what the bundle `.task` should hold, for the advice when it does not open.

    Raises:
        BackendUnavailableError: MediaPipe is not installed.
        TrackerError: the bundle is missing or MediaPipe refuses it.
    """
    build = f"build it, in a checkout, with: {make_command(model)} --task {task_path}"
    try:
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise BackendUnavailableError(
            f"MediaPipe is not installed ({error}): {_INSTALL}"
        ) from error
    if not task_path.exists():
        raise TrackerError(f"MediaPipe's model bundle {task_path} is missing: {build}")
    logger.warning("MediaPipe reports usage metrics to Google; the default tracker does not")
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task_path)),
        running_mode=vision.RunningMode.VIDEO,
        min_pose_detection_confidence=_MIN_SCORE,
        min_pose_presence_confidence=_MIN_SCORE,
        min_tracking_confidence=_MIN_SCORE,
    )
    with file_boundary(task_path, TrackerError, build, fault="MediaPipe cannot load it"):
        check_regular(task_path)  # MediaPipe waits for a pipe
        return vision.PoseLandmarker.create_from_options(options)


class MediaPipeTracker(ClosedByWith):
    """Runs MediaPipe's `PoseLandmarker` with the bundle of a model, one of `TRACKER_MODELS`; one person at a time.

    Raises:
        BackendUnavailableError: MediaPipe is not installed.
        TrackerError: the bundle is missing or MediaPipe refuses it.
    """

    def __init__(self, task_path: Path | None = None, *, model: str = FULL) -> None:
        task_path = task_path or default_task_path(model)
        self._landmarker: Any = open_landmarker(task_path, model=model)
        self._cuts = SceneCuts()
        self.saw_cut = False
        self._last_stamp_ms = -1
        self._last_seen_s: float | None = None
        self._track_id = -1
        self._overflows = FewWarnings(__name__, OVERFLOW)

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        """Looks at the next frame; see `PersonTracker.update`."""
        import mediapipe as mp

        self.saw_cut = self._cuts.is_cut(frame.image_bgr)
        if self.saw_cut:
            self.reset()
        image_rgb = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
        # MediaPipe raises unless every stamp is later than the one before.
        self._last_stamp_ms = max(self._last_stamp_ms + 1, int(frame.captured_at_s * 1e3))
        result = self._landmarker.detect_for_video(
            mp.Image(image_format=mp.ImageFormat.SRGB, data=image_rgb), self._last_stamp_ms
        )
        if not result.pose_landmarks:
            return ()
        height, width = frame.image_bgr.shape[:2]
        landmarks = _landmarks(result, width, height)
        if not landmarks.is_sound:
            self._overflows.add(frame.index)
            return ()
        dt_s = self._identify(frame.captured_at_s)
        return (
            TrackedPerson(
                track_id=self._track_id,
                bbox_xyxy=landmark_box(landmarks),
                score=landmarks.presence,
                dt_s=dt_s,
                landmarks=landmarks,
            ),
        )

    def reset(self) -> None:
        """Gives the next person a new identity; MediaPipe itself cannot be made to forget."""
        self._last_seen_s = None

    def close(self) -> None:
        """Stops MediaPipe; may be called twice."""
        if self._landmarker is not None:
            self._landmarker.close()
            self._landmarker = None

    def _identify(self, now_s: float) -> float:
        """Starts a new identity after a long gap; gives the time since the last sight [s]."""
        gap_s = -1.0 if self._last_seen_s is None else now_s - self._last_seen_s
        self._last_seen_s = now_s
        if 0.0 <= gap_s <= MAX_GAP_S:
            return gap_s
        self._track_id += 1
        return 0.0


def _landmarks(result: Any, width: int, height: int) -> PoseLandmarks:
    points = result.pose_landmarks[0]
    # z comes in the scale of x.
    image = np.array([[p.x * width, p.y * height, p.z * width] for p in points], np.float32)
    world = np.array([[p.x, p.y, p.z] for p in result.pose_world_landmarks[0]], np.float32)
    return PoseLandmarks(
        image_px=image,
        world_m=world,
        visibility=np.array([p.visibility for p in points], np.float32),
        # The chance for the whole person stays inside MediaPipe.
        presence=float(np.mean([p.presence for p in points])),
    )
