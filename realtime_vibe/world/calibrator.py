"""From a few still seconds of somebody upright to a calibration.

One person who stands at one place tells the camera's pitch (by how the body leans in the camera's
frame), the floor, and with a known height the scale. It does not tell the focal length: a longer one
at a larger distance gives the same picture, and with a level camera even a walk does not. So the focal
length comes from a stated field of view, or from a stated distance, else the usual guess stays.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.body.skeleton import SmplSkeleton
from realtime_vibe.geometry.camera import SquareBox, transl_from_weak_camera
from realtime_vibe.packets import FloatArray, FrameResult, PersonResult
from realtime_vibe.world.calibration import BodyHeight, Calibration, world_from_standing
from realtime_vibe.world.soles import ANKLES, Soles, posed_soles
from realtime_vibe.world.standing import has_moved, trouble_with

HOLD_S = 2.2
"""How long to stand still."""
MIN_FRAMES = 15
TIMEOUT_S = 30.0
_NECK = 12
_SHOWN_S = 0.7
"""So long what is wrong stays to be read, also where it comes and goes from frame to frame."""
_MAX_GAP_S = 0.7
"""Between two usable frames; a longer look away starts over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the user knows; None for what is to be guessed."""

    height_m: float | None = None
    """Of the person."""
    distance_m: float | None = None
    """From the camera to the person, along the line of sight."""
    fov_deg: float | None = None
    """Horizontal field of view of the camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    person: PersonResult
    image_size: tuple[int, int]
    focal_px: float


class Calibrator:
    """Watches results until somebody stood still long enough; never longer than `TIMEOUT_S`.

    Raises:
        ConfigError: the body cannot have the stated height.
    """

    def __init__(self, model: BodyModel, known: Known) -> None:
        self._body = SmplSkeleton(model)
        self._soles = Soles(model)
        self._height = BodyHeight(model)
        self._known = known
        if known.height_m is not None:
            self._height.fitted(np.zeros(10, np.float32), known.height_m)
        self._samples: list[_Sample] = []
        self._first_s: float | None = None
        self._since_s = 0.0
        self._last_s = 0.0
        self._troubles: Counter[str] = Counter()
        self._trouble, self._trouble_s = "", 0.0
        self.message = "calibration: stand still, head and feet in the picture"
        """What to do, or how it ended."""
        self._is_over = False

    def is_over(self) -> bool:
        """Whether it succeeded or gave up."""
        return self._is_over

    def give_up(self) -> None:
        """Ends it without a result."""
        self._is_over = True

    def update(self, result: FrameResult) -> Calibration | None:
        """Takes one frame; a calibration once, on success."""
        if self._is_over:
            return None
        now_s = result.frame.captured_at_s
        self._first_s = now_s if self._first_s is None else self._first_s
        trouble = self._take(result, now_s)
        if trouble:
            self._troubles[trouble] += 1
            self._trouble, self._trouble_s = trouble, now_s
        held_s = now_s - self._since_s
        if not trouble and held_s >= HOLD_S and len(self._samples) >= MIN_FRAMES:
            self._is_over = True
            calibration = self._solved()
            self.message = (
                f"calibrated: body {calibration.height_m:.2f} m tall, camera "
                f"{calibration.camera_height_m:.2f} m high, looks {_pitch(calibration.pitch_deg)}"
            )
            return calibration
        if now_s - self._first_s > TIMEOUT_S:
            self._is_over = True
            # Frames without a trouble that are still too few: nothing but their rate is left.
            usual = self._troubles.most_common(1)
            why = usual[0][0] if usual else "the picture comes too slowly"
            self.message = f"calibration gave up after {TIMEOUT_S:.0f} s: {why}"
        elif self._trouble and now_s - self._trouble_s < _SHOWN_S:
            self.message = f"calibration: {self._trouble}"
        else:
            left_s = max(0.0, HOLD_S - held_s)
            self.message = f"calibration: hold still, {left_s:.1f} s"
        return None

    def _take(self, result: FrameResult, now_s: float) -> str:
        """Adds a frame, or says what is wrong with it."""
        trouble = trouble_with(result)
        if trouble:
            if now_s - self._last_s > _MAX_GAP_S:
                self._samples.clear()
            return trouble
        self._last_s = now_s
        (person,) = result.people
        if self._samples:
            first = self._samples[0].person
            is_same = first.person.track_id == person.person.track_id
            if not is_same or has_moved(person.mesh.joints, first.mesh.joints):
                self._samples.clear()
                trouble = "keep still"
        if not self._samples:
            self._since_s = now_s
        height, width = result.frame.image_bgr.shape[:2]
        self._samples.append(
            _Sample(person=person, image_size=(width, height), focal_px=result.focal_px)
        )
        return trouble

    def _solved(self) -> Calibration:
        samples = self._samples
        mean = np.mean([sample.person.params.betas for sample in samples], axis=0)
        betas = mean.astype(np.float32)
        if self._known.height_m is not None:
            betas = self._height.fitted(betas, self._known.height_m)
        scale = self._height.of(betas) / self._height.of(mean)
        draft = Calibration(
            T_world_camera=np.eye(4, dtype=np.float32),
            betas=betas,
            scale=scale,
            shift=self._shift(betas, mean.astype(np.float32), scale),
            focal_share=None,
            height_m=self._height.of(betas),
        )
        focal_share = self._focal_share(draft)
        ups, pelvises, soles = zip(
            *(self._stood(sample, draft, focal_share) for sample in samples), strict=True
        )
        world = world_from_standing(
            np.mean(ups, axis=0), np.median(pelvises, axis=0), np.concatenate(soles)
        )
        return replace(draft, T_world_camera=world, focal_share=focal_share)

    def _shift(self, betas: FloatArray, mean: FloatArray, scale: float) -> FloatArray:
        """(2,) [m]: bodies are placed by an origin in the chest, but grow and pose about the pelvis."""
        upright, still = (
            np.eye(3, dtype=np.float32),
            np.tile(np.eye(3, dtype=np.float32), (23, 1, 1)),
        )
        before, after = (
            self._body.kinematics(upright, still, shape).joints[0] for shape in (mean, betas)
        )
        return np.asarray(scale * before[:2] - after[:2], np.float32)

    def _focal_share(self, draft: Calibration) -> float | None:
        """From the field of view or the distance; the person's height says how large a pixel is."""
        if self._known.fov_deg is not None:
            return float(0.5 / np.tan(0.5 * np.deg2rad(self._known.fov_deg)))
        if self._known.distance_m is None:
            return None
        shares = []
        for sample in self._samples:
            camera = draft.applied(sample.person.params).weak_camera
            px_per_m = 0.5 * float(camera[0]) * float(sample.person.square_px[2])
            shares.append(px_per_m * self._known.distance_m / sample.image_size[0])
        return float(np.median(shares))

    def _stood(
        self, sample: _Sample, draft: Calibration, focal_share: float | None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Body axis (3,), pelvis (3,) and soles (4, 3) of one frame, camera frame [m]."""
        params = draft.applied(sample.person.params)
        focal_px = sample.focal_px if focal_share is None else focal_share * sample.image_size[0]
        square = SquareBox(*(float(value) for value in sample.person.square_px))
        transl = transl_from_weak_camera(params.weak_camera, square, sample.image_size, focal_px)
        pose = self._body.kinematics(params.global_orient, params.body_pose, params.betas)
        ankles = list(ANKLES)
        offsets = self._soles.offsets(pose.rest_joints, params.betas)
        soles = posed_soles(offsets, pose.rotations[ankles], pose.joints[ankles] + transl)
        flat = soles.reshape(-1, 3)
        # From the soles to the neck: 1.6 degrees off the vertical in still motion capture; the hips
        # hang back and the head leans forward.
        axis = pose.joints[_NECK] + transl - flat.mean(axis=0)
        return axis / np.linalg.norm(axis), pose.joints[0] + transl, flat


def _pitch(down_deg: float) -> str:
    return f"{abs(down_deg):.0f} deg {'down' if down_deg > 0 else 'up'}"
