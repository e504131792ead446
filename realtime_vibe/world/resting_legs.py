"""Upper-body mode: legs that the camera does not see rest instead of flailing."""

from dataclasses import replace

import numpy as np

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle, rotmat_from_rot6d
from realtime_vibe.packets import FloatArray, PoseLandmarks, SmplParams

_LEGS = (25, 26, 27, 28)
"""BlazePose's landmarks of knees and ankles."""
_ANKLES = slice(2, 4)
_UNSEEN, _SEEN = 0.35, 0.6
"""Visibility below which a leg counts as out of view, and above which it is back."""
_ENTER_S, _LEAVE_S = 0.4, 0.25
"""So long must legs be out of view, or back, before it counts [s]."""
_BLEND_S = 0.8
"""Time of the change between the seen and the resting pose [s]."""
_SIT_RAD, _STAND_RAD = 0.9, 0.5
"""Mean bend of the hips above which somebody sits, and below which they stand."""
_POSTURE_S, _STANDING_S = 3.0, 0.5
"""Time of that mean, and how much standing it begins with: the first frames are the least sure [s]."""
_GAP_S = 1.0
_UPRIGHT_COSINE = 0.5
"""Of the pelvis' tilt: who leans farther lies, and the legs with them."""
_HIPS = (0, 1)
_ROWS = (0, 1, 3, 4, 6, 7, 9, 10)
"""Of `body_pose`: hips, knees, ankles and feet."""

_BEND_RAD = 1.45
"""Of hips and knees of who sits."""
_APART_RAD = (0.03, 0.12)
"""How far apart the legs of who stands and of who sits are."""


def _rest(seat: float) -> FloatArray:
    """(8, 3, 3) rotations of hips, knees, ankles and feet of who stands, 0, sits, 1, or is on the way."""
    turns = np.zeros((8, 3), np.float32)
    turns[0:2, 0] = -_BEND_RAD * seat
    turns[0, 2] = _APART_RAD[0] + (_APART_RAD[1] - _APART_RAD[0]) * seat
    turns[1, 2] = -turns[0, 2]
    turns[2:4, 0] = _BEND_RAD * seat
    return rotmat_from_axis_angle(turns)


class RestingLegs:
    """Whether one person's legs are in view, and the pose they have meanwhile."""

    def __init__(self) -> None:
        self._unseen_s = 0.0
        self._seen_s = 0.0
        self._bend_rad = self._looked_s = 0.0
        self._last_s = -np.inf
        self._is_resting = False
        self._sits = False
        self._seat = 0.0
        self.share = 0.0
        """0: the legs as seen; 1: at rest."""
        self.were_seen = False
        """Whether the legs were in view in any frame since the person is."""

    def update(
        self,
        landmarks: PoseLandmarks | None,
        params: SmplParams,
        frame: tuple[tuple[int, int], float],
        up: FloatArray,
    ) -> SmplParams:
        """The parameters with resting legs where nobody sees them; without landmarks unchanged.

        Args:
            frame: (width, height) [px] of the picture, and its capture time [s].
            up: (3,) away from the floor, camera frame.
        """
        image_size, now_s = frame
        if landmarks is None:
            self.were_seen = True  # nobody says otherwise
            return params
        is_start = not 0.0 < now_s - self._last_s < _GAP_S
        dt_s = 0.0 if is_start else now_s - self._last_s
        self._last_s = now_s
        self._judge(landmarks, image_size, dt_s)
        self._look_for_posture(params, dt_s)
        if is_start:
            # Legs within the picture rest after frames that agree, here as later.
            self.share, self._seat = float(self._is_resting), 0.0
        step = dt_s / _BLEND_S
        self.share = _moved(self.share, step if self._is_resting else -step)
        self._seat = _moved(self._seat, step if self._sits else -step)
        if self.share == 0.0:
            return params
        return self._rested(params, up)

    def _judge(self, landmarks: PoseLandmarks, image_size: tuple[int, int], dt_s: float) -> None:
        points = landmarks.image_px[list(_LEGS), :2]
        inside = np.asarray(((points > 0) & (points < np.array(image_size))).all(axis=1))
        visible = landmarks.visibility[list(_LEGS)] * inside
        # One leg in view is enough to keep both: the network knows legs in pairs.
        best = float(max(visible[0] * visible[2], visible[1] * visible[3])) ** 0.5
        self._unseen_s = self._unseen_s + dt_s if best < _UNSEEN else 0.0
        self._seen_s = self._seen_s + dt_s if best > _SEEN else 0.0
        self.were_seen = (self.were_seen and dt_s > 0.0) or best >= _UNSEEN
        if dt_s == 0.0:
            self._unseen_s = self._seen_s = 0.0
            self._is_resting = not np.any(inside[_ANKLES])
        elif self._is_resting:
            self._is_resting = self._seen_s < _LEAVE_S
        else:
            self._is_resting = self._unseen_s >= _ENTER_S

    def _look_for_posture(self, params: SmplParams, dt_s: float) -> None:
        """Sitting or standing, by the mean bend of the hips."""
        bends = [np.arccos(np.clip(params.body_pose[hip][1, 1], -1.0, 1.0)) for hip in _HIPS]
        bend_rad = float(np.mean(bends))
        if dt_s == 0.0:
            self._bend_rad, self._looked_s, self._sits = 0.0, _STANDING_S, False
        # At first a plain mean: no frame counts more than the others.
        self._looked_s = min(self._looked_s + dt_s, _POSTURE_S)
        self._bend_rad += dt_s / (dt_s + self._looked_s + 1e-9) * (bend_rad - self._bend_rad)
        self._sits = self._bend_rad > (_STAND_RAD if self._sits else _SIT_RAD)

    def _rested(self, params: SmplParams, up: FloatArray) -> SmplParams:
        rest = _rest(self._seat)
        rest[:2] = _level(params.global_orient, up) @ rest[:2]
        body_pose = np.array(params.body_pose)
        rows = list(_ROWS)
        if self.share == 1.0:
            body_pose[rows] = rest
        else:
            ease = self.share * self.share * (3.0 - 2.0 * self.share)
            mixed = body_pose[rows] + np.float32(ease) * (rest - body_pose[rows])
            body_pose[rows] = rotmat_from_rot6d(mixed[..., :2].reshape(-1, 6))
        return replace(params, body_pose=body_pose)


def _moved(share: float, step: float) -> float:
    """The share after a step, within 0 and 1."""
    return min(max(share + step, 0.0), 1.0)


def _level(global_orient: FloatArray, up: FloatArray) -> FloatArray:
    """(3, 3) from a pelvis' frame to that of an upright one with the same heading.

    Without the legs the tilt of the pelvis is a guess, and whole legs would swing with it.
    """
    if float(global_orient[:, 1] @ up) < _UPRIGHT_COSINE:
        return np.eye(3, dtype=np.float32)
    left = global_orient[:, 0] - float(global_orient[:, 0] @ up) * up
    left = left / np.linalg.norm(left)
    upright = np.stack([left, up, np.cross(left, up)], axis=1)
    turn: FloatArray = (global_orient.T @ upright).astype(np.float32)
    return turn
