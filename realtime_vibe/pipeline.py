"""The hot path: one frame in, posed bodies out. Read this file first.

    track -> features -> temporal -> world (fit to the landmarks, and what was asked for) -> body

No threads and no input or output here: `app/run.py` builds the stages and feeds them.
"""

import contextlib
import logging
import threading
from functools import partial

import numpy as np

from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.features.base import Features
from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.camera import nominal_focal_px, transl_from_weak_camera
from realtime_vibe.packets import (
    FloatArray,
    Frame,
    FrameResult,
    PersonResult,
    PoseLandmarks,
    SmplParams,
    TrackedPerson,
    are_sound,
)
from realtime_vibe.system.few_warnings import FewWarnings
from realtime_vibe.system.timing import StageTimer
from realtime_vibe.temporal.stage import TemporalStage
from realtime_vibe.tracking.base import PersonTracker
from realtime_vibe.world.calibration import Calibration
from realtime_vibe.world.corrections import BodyCorrections
from realtime_vibe.world.landmark_fit import LandmarkFit
from realtime_vibe.world.leveler import Leveler
from realtime_vibe.world.lost_people import LostPeople

logger = logging.getLogger(__name__)

_LAST_STEP_S = 1.0
"""How long closing waits for a step that is still under way."""


class MotionCapturePipeline:
    """Runs the stages in order on one frame at a time.

    Args:
        fov_deg: the camera's horizontal field of view [deg]; None assumes a usual webcam.
        fit: moves the body onto the tracker's landmarks; None leaves it where the network puts it.
        corrections: what is changed about a person before the body is posed; None changes nothing.
        leveler: estimates the camera's tilt; None takes a camera without calibration as level.
    """

    def __init__(  # noqa: PLR0913 - one argument a stage
        self,
        *,
        tracker: PersonTracker,
        features: Features,
        temporal: TemporalStage,
        body: SmplBody,
        fov_deg: float | None = None,
        fit: LandmarkFit | None = None,
        corrections: BodyCorrections | None = None,
        leveler: Leveler | None = None,
    ) -> None:
        self._tracker = tracker
        self._features = features
        self._temporal = temporal
        self._body = body
        self._fov_deg = fov_deg
        self._fit = fit
        self._corrections = corrections
        self._leveler = leveler
        self._lost = LostPeople()
        self._calibration: Calibration | None = None
        self._shape_is_fixed = False
        self._picture_size: tuple[int, int] | None = None
        self._size_changes = FewWarnings(
            __name__, "the picture is now %dx%d px, was %dx%d: people are found anew"
        )
        self._started_over = FewWarnings(
            __name__,
            "frame %d: a network gave numbers that no body has; %d of %d people start over",
        )
        self._at_work = threading.Lock()

    @property
    def T_world_camera(self) -> FloatArray:  # noqa: N802 - field name of the literature
        """(4, 4) from the camera's frame to the Z-up world: calibrated, else as people stand, else level."""
        if self._calibration is not None:
            return self._calibration.T_world_camera
        return T_WORLD_CAMERA if self._leveler is None else self._leveler.T_world_camera

    @property
    def level(self) -> str:
        """How the world's vertical is known, as `FrameResult.level`."""
        if self._calibration is not None:
            return "calibrated"
        return "" if self._leveler is None else self._leveler.state

    @property
    def num_started_over(self) -> int:
        """Frames in which somebody was left out because a network's numbers were no body's."""
        return self._started_over.count

    def use_calibration(self, calibration: Calibration | None, *, fix_shape: bool = True) -> None:
        """Takes a calibration for all frames from the next one on; None goes back to what is assumed without one.

        `fix_shape` gives everybody the calibrated shape, as where one person is followed.
        """
        self._calibration = calibration
        self._shape_is_fixed = calibration is not None and fix_shape
        if self._corrections is not None:
            self._corrections.stand_on(None if calibration is None else calibration.T_world_camera)

    def step(self, frame: Frame) -> FrameResult:
        """Everything that is known about one frame; `people` is empty when nobody is in view."""
        with self._at_work:
            return self._step(frame)

    def _step(self, frame: Frame) -> FrameResult:
        height, width = frame.image_bgr.shape[:2]
        self._start_over_at_new_size((width, height))
        focal_px = self._focal_px(width, height)
        timer = StageTimer()
        with timer.stage("step"):
            with timer.stage("track"):
                people = self._tracker.update(frame)
            if self._tracker.saw_cut:
                self._begin_scene()
            with timer.stage("features"):
                steady = self._temporal.steadied(people, frame.captured_at_s)
                features = self._features.extract(frame, steady, focal_px)
            with timer.stage("temporal"):
                params = self._temporal.step(people, features, frame.captured_at_s)
            with timer.stage("body"):
                if self._corrections is not None:
                    self._corrections.up = self.T_world_camera[2, :3]
                posed = [
                    None
                    if smpl is None
                    else self._posed(person, marks.landmarks, smpl, frame, focal_px)
                    for person, marks, smpl in zip(people, steady, params, strict=True)
                ]
        results = tuple(result for result in posed if result is not None)
        if len(results) < len(people):
            self._started_over.add(frame.index, len(people) - len(results), len(people))
        if self._leveler is not None:
            self._leveler.update(results, frame.captured_at_s, (width, height))
        return FrameResult(
            frame=frame,
            people=results,
            stage_ms=timer.stage_ms,
            focal_px=focal_px,
            T_world_camera=self.T_world_camera,
            level=self.level,
            held=self._lost.update(results, frame.captured_at_s, width, focal_px),
        )

    def reset(self) -> None:
        """Forgets everybody and how the camera was tilted, as where another camera takes over."""
        self._tracker.reset()
        self._temporal.reset()
        self._begin_scene()

    def _begin_scene(self) -> None:
        """After a cut nobody goes on where they were, and the camera is another one."""
        self._lost.reset()
        if self._corrections is not None:
            self._corrections.reset()
        if self._leveler is not None:
            self._leveler = Leveler()

    def reset_shape(self) -> None:
        """Starts everybody's body shape over, a calibrated one included."""
        self._shape_is_fixed = False
        self._temporal.reset_shape()

    def close(self) -> None:
        """Frees the networks; leaves them alone where a step never came back from one of them."""
        if not self._at_work.acquire(timeout=_LAST_STEP_S):
            logger.error("a network does not return from a frame: it is left as it is")
            return
        with contextlib.closing(self._tracker), contextlib.closing(self._features):
            self._temporal.close()
        self._at_work.release()

    def _start_over_at_new_size(self, size: tuple[int, int]) -> None:
        """Where a phone was turned nothing in pixels holds any more, nor does a calibration."""
        before, self._picture_size = self._picture_size, size
        if before is None or before == size:
            return
        self.reset()
        self._size_changes.add(*size, *before)
        if self._calibration is not None and not same_aspect(size, before):
            self.use_calibration(None)
            logger.warning("the calibration was for another shape of picture: calibrate again")

    def _focal_px(self, width: int, height: int) -> float:
        if self._calibration is not None and self._calibration.focal_share is not None:
            return self._calibration.focal_share * width
        return nominal_focal_px(width, height, self._fov_deg)

    def _posed(
        self,
        person: TrackedPerson,
        landmarks: PoseLandmarks | None,
        params: SmplParams,
        frame: Frame,
        focal_px: float,
    ) -> PersonResult | None:
        """One person's result; `landmarks` are the smoothed ones."""
        height, width = frame.image_bgr.shape[:2]
        square = self._features.square(person)
        if self._calibration is not None and self._shape_is_fixed:
            params = self._calibration.applied(params)
        transl = transl_from_weak_camera(params.weak_camera, square, (width, height), focal_px)
        transl = self._temporal.place(person.track_id, transl, frame.captured_at_s)
        if self._fit is not None and landmarks is not None:
            size = (width, height)
            steady = partial(self._temporal.tilts, person.track_id)
            params, transl = self._fit.fitted(landmarks, params, transl, size, focal_px, steady)
        # Along the line of sight, so that the pelvis stays where it is in the picture.
        joints = self._body.joints(params.global_orient, params.body_pose, params.betas, transl)
        steady_m = self._temporal.depth(person.track_id, joints)
        farther = (steady_m / max(float(joints[0, 2]), 1e-6) - 1.0) * joints[0]
        transl = (transl + farther).astype(np.float32)
        if self._corrections is not None:
            now_s = frame.captured_at_s
            params, transl = self._corrections.correct(
                person, params, transl, (width, height), now_s
            )
        mesh = self._body.forward(params.global_orient, params.body_pose, params.betas, transl)
        if not are_sound(mesh.joints):  # every number above goes into them
            self._temporal.start_over(person.track_id)
            if self._corrections is not None:
                self._corrections.start_over(person.track_id)
            return None
        return PersonResult(
            person=person,
            params=params,
            mesh=mesh,
            square_px=np.array(square, np.float32),
            nearer_m=-farther.astype(np.float32),
        )


def same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two pictures (width, height) [px] differ in scale alone, to within a pixel."""
    return abs(size[0] * other[1] - size[1] * other[0]) <= max(*size, *other)
