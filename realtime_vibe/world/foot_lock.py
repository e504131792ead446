"""Foot lock: planted feet stay where they are; the body follows them, and slowly returns to where it is seen.

What a camera sees of a person's distance is noisy, what it sees of the legs is not. So while a foot
stands, the whole body moves with it (dead reckoning), and only a slow share of the
seen position is taken in. The leg takes up the difference by two-bone inverse kinematics. Whoever walks always
has a foot on the floor, and it is the lower one: the other is held above it.

Legend: 2 feet, left first; 2 points of each, heel first.
"""

import math
from dataclasses import replace

import numpy as np

from realtime_vibe.body.skeleton import Kinematics, SmplSkeleton
from realtime_vibe.packets import FloatArray, SmplParams
from realtime_vibe.world.foot_contact import FootContact
from realtime_vibe.world.leg_ik import Leg, out_of_reach, reach
from realtime_vibe.world.single_rotations import cross_product, length_of, rotation_about, vector_of
from realtime_vibe.world.soles import ANKLES, Soles, posed_soles

_HIPS, _KNEES = (1, 2), (4, 5)
_RETURN_S = 0.3
"""Time constant with which a carried body returns to where it is seen [s]."""
_RETURN_ACROSS_S = 0.12
"""The same across the line of sight, where the place is well known [s]."""
_RELEASE_S = 0.08
"""The same for a lifted foot and its leg's own pose [s]."""
_AGREE_S = 0.2
"""The same for a body between two planted feet that disagree [s]."""
_FLOOR_S, _SEEN_HEIGHT_S = 0.25, 0.3
"""The same for a planted foot above or below a known floor, or else the height at which it is seen [s]."""
_FASTEST_M_PER_S = 1.0
"""A body is carried no faster: a leg that is seen elsewhere for one frame does not throw it there."""
_SLIDE_M_PER_S = 0.02
"""A planted foot comes back from a wrong place no faster: nobody sees that."""
_SLACK_M = 0.03
"""Errors of a foot's place that are left alone."""
_FARTHEST_M, _NEAR_M, _DRAG_S = 0.22, 0.05, 0.1
"""Of two planted feet the one that is seen this far from its place has been taken away, and may stand when it is this
near to its leg's pose; a single one is dragged along, with this time constant [s]."""
_PIVOT_M = 0.04
"""Heel so much higher than the ball: the foot turns about the ball alone."""
_ROLL_S, _PIVOTING_S, _RELEASE_TURN_S = 0.04, 1.0, 0.06
"""Time constants of a planted foot's rotation from heel to toe and about the vertical, and of a lifted
foot's rotation [s]."""
_CLEARANCE_M, _DEEPEST_M, _LIFT_S = 0.04, 0.15, 0.025
"""A foot that swings passes so high above the one that stands, unless it is seen to pass deeper below than this:
somebody steps down; time constant of the height [s]."""
LEVEL_UP = np.array([0.0, -1.0, 0.0], np.float32)
"""(3,) away from the floor in a level camera's frame."""
_STEP_S = 0.25
"""A longer gap between frames starts over."""


class FootLock:
    """Foot lock of one person."""

    def __init__(self, body: SmplSkeleton, soles: Soles) -> None:
        self._body, self._soles = body, soles
        self._contact = FootContact()
        self._before: FloatArray = np.zeros((2, 2, 3), np.float32)
        self._turns: FloatArray = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))
        self._last_s = -np.inf
        self._feet: FloatArray = np.zeros((2, 3), np.float32)
        self._root: FloatArray = np.zeros(3, np.float32)
        # Of the last shape: the same array as long as it hardly changes.
        self._betas: FloatArray | None = None
        self._offsets: FloatArray = np.zeros((2, 2, 3), np.float32)
        self._place: FloatArray = np.array([0, 0, 1], np.float32)
        self._lift_m = [0.0, 0.0]
        self._up: FloatArray = LEVEL_UP
        self.stands = (False, False)
        """Whether the left and the right foot is locked."""

    def update(
        self,
        params: SmplParams,
        transl: FloatArray,
        now_s: float,
        T_world_camera: FloatArray | None,
        up: FloatArray = LEVEL_UP,
    ) -> tuple[SmplParams, FloatArray]:
        """The pose and translation with planted feet.

        Args:
            transl: (3,) as seen, camera frame [m].
            now_s: the frame's capture time [s].
            T_world_camera: (4, 4) with the floor at z = 0; None where the floor is not known.
            up: (3,) away from the floor, camera frame.
        """
        pose = self._body.kinematics(params.global_orient, params.body_pose, params.betas)
        ankles = list(ANKLES)
        if params.betas is not self._betas:
            self._betas = params.betas
            self._offsets = self._soles.offsets(pose.rest_joints, params.betas)
        offsets = self._offsets
        seen_turns, places = pose.rotations[ankles], pose.joints[ankles] + transl
        self._place = pose.joints[0] + transl
        dt_s = now_s - self._last_s
        self._last_s = now_s
        if not 0.0 < dt_s < _STEP_S:
            dt_s = 0.0
            self._feet, self._root = np.zeros((2, 3), np.float32), np.zeros(3, np.float32)
            self._lift_m = [0.0, 0.0]
        left, right = self._contact.update(posed_soles(offsets, seen_turns, places), dt_s, up)
        away = self._taken_away() if left and right else None
        self.stands = (left and away != 0, right and away != 1)
        self._up = up
        for foot in (0, 1):
            self._turns[foot] = self._turned(foot, seen_turns[foot], dt_s)
        soles = posed_soles(offsets, self._turns, places)
        if dt_s > 0:
            self._follow(soles, soles - self._before, dt_s, T_world_camera)
            self._lift(soles, dt_s)
        self._before = soles
        return self._posed(params, transl, pose)

    def reset(self) -> None:
        """Starts over with the next frame."""
        self._last_s = -np.inf
        self.stands = (False, False)

    def _turned(self, foot: int, seen: FloatArray, dt_s: float) -> FloatArray:
        """Rotation (3, 3) of a foot: a planted one rolls from heel to toe, but hardly pivots."""
        if dt_s == 0.0:
            return seen
        before = self._turns[foot]
        if self.stands[foot]:
            seen = self._flat(foot, seen)
        rest = vector_of(seen @ before.T)
        if self.stands[foot]:
            pivoting = np.float32(rest @ self._up) * self._up
            rolled = dt_s / (dt_s + _ROLL_S) * (rest - pivoting)
            step = rolled + dt_s / (dt_s + _PIVOTING_S) * pivoting
        else:
            step = dt_s / (dt_s + _RELEASE_TURN_S) * rest
        # Computed from what is seen and not from the last result, so that rounding cannot pile up.
        return rotation_about(step - rest) @ seen

    def _flat(self, foot: int, turn: FloatArray) -> FloatArray:
        """The rotation (3, 3) with the ball no higher than the heel: toes that stand are not in the air."""
        heel, ball = self._offsets[foot] @ turn.T
        along = ball - heel
        rise = float(along @ self._up) / length_of(along)
        if rise <= 0:
            return turn
        aside = cross_product(self._up, along)
        angle = np.float32(math.asin(min(rise, 1.0)) / max(length_of(aside), 1e-6))
        flat: FloatArray = rotation_about(angle * aside) @ turn
        return flat

    def _taken_away(self) -> int | None:
        """Which foot of two that stand has left for a place nearer or farther; it comes back once it is there."""
        far_m = [length_of(self._feet[foot] - self._root) for foot in (0, 1)]
        foot = int(far_m[1] > far_m[0])
        return foot if far_m[foot] > (_FARTHEST_M if self.stands[foot] else _NEAR_M) else None

    def _follow(
        self, soles: FloatArray, moved: FloatArray, dt_s: float, T_world_camera: FloatArray | None
    ) -> None:
        """Moves the offsets of feet and root: what to add to what is seen."""
        planted = [foot for foot in (0, 1) if self.stands[foot]]
        steps = np.zeros((2, 3), np.float32)
        for foot in planted:
            steps[foot] = -_at_pivot(moved[foot], soles[foot], self._up)
            self._feet[foot] += steps[foot]
            self._feet[foot] += self._creep(foot, dt_s)
            if T_world_camera is None:
                above = np.float32(self._feet[foot] @ self._up) * self._up
                self._feet[foot] -= dt_s / (dt_s + _SEEN_HEIGHT_S) * above
            else:
                self._feet[foot] += self._to_floor(foot, soles[foot], dt_s, T_world_camera)
        if planted:
            share = np.float32(1.0 / len(planted))
            carried = share * steps[planted].sum(axis=0)
            too_fast = length_of(carried) / (_FASTEST_M_PER_S * dt_s)
            self._root += carried / np.float32(max(too_fast, 1.0))
            mean = share * self._feet[planted].sum(axis=0)
            self._root += dt_s / (dt_s + _AGREE_S) * (mean - self._root)
        ray = self._place / np.float32(max(length_of(self._place), 1e-6))
        along = np.float32(self._root @ ray) * ray
        self._root -= dt_s / (dt_s + _RETURN_S) * along
        self._root -= dt_s / (dt_s + _RETURN_ACROSS_S) * (self._root - along)
        released = dt_s / (dt_s + _RELEASE_S)
        for foot in (0, 1):
            if not self.stands[foot]:
                self._feet[foot] += released * (self._root - self._feet[foot])

    def _lift(self, soles: FloatArray, dt_s: float) -> None:
        """Keeps a swinging foot above the one that stands: seen heights are not that exact."""
        heights = ((soles + self._feet[:, None]) @ self._up).min(axis=1)
        for foot in (0, 1):
            wanted_m = 0.0
            if self.stands[1 - foot] and not self.stands[foot]:
                missing_m = _CLEARANCE_M + float(heights[1 - foot] - heights[foot])
                wanted_m = max(min(missing_m, 2.0 * _DEEPEST_M - missing_m), 0.0)
            self._lift_m[foot] += dt_s / (dt_s + _LIFT_S) * (wanted_m - self._lift_m[foot])

    def _creep(self, foot: int, dt_s: float) -> FloatArray:
        """A planted foot's way along the floor back to where it is seen: slow, but from far away."""
        dragged = self._feet[foot] - self._root
        too_far_m = length_of(dragged) - _FARTHEST_M
        if too_far_m > 0:
            step_m = -dt_s / (dt_s + _DRAG_S) * too_far_m
            return np.asarray(step_m / length_of(dragged) * dragged, np.float32)
        aside = self._feet[foot] - np.float32(self._feet[foot] @ self._up) * self._up
        excess_m = length_of(aside) - _SLACK_M
        if excess_m <= 0:
            return np.zeros(3, np.float32)
        step_m = min(_SLIDE_M_PER_S * dt_s, excess_m)
        return np.asarray(-step_m / length_of(aside) * aside, np.float32)

    def _to_floor(
        self, foot: int, soles: FloatArray, dt_s: float, T_world_camera: FloatArray
    ) -> FloatArray:
        """Up or down to the floor, where it is known."""
        up = T_world_camera[2, :3]
        height_m = float(((soles + self._feet[foot]) @ up).min() + T_world_camera[2, 3])
        return np.asarray(-dt_s / (dt_s + _FLOOR_S) * height_m * up, np.float32)

    def _posed(
        self, params: SmplParams, transl: FloatArray, pose: Kinematics
    ) -> tuple[SmplParams, FloatArray]:
        legs = [
            Leg(
                hip=pose.joints[hip] + transl + self._root,
                knee=pose.joints[knee] + transl + self._root,
                ankle=pose.joints[ankle] + transl + self._root,
                thigh=pose.rotations[hip],
                shin=pose.rotations[knee],
            )
            for hip, knee, ankle in zip(_HIPS, _KNEES, ANKLES, strict=True)
        ]
        targets = [
            leg.ankle + self._feet[foot] - self._root + np.float32(self._lift_m[foot]) * self._up
            for foot, leg in enumerate(legs)
        ]
        shift = np.zeros(3, np.float32)
        for foot, leg in enumerate(legs):
            if self.stands[foot]:
                # The body comes along where a planted foot is farther away than the leg is long.
                shift = shift + out_of_reach(leg, targets[foot] - shift)
        self._root += shift
        body_pose = np.array(params.body_pose)
        for foot, leg in enumerate(legs):
            hip, knee, ankle = _HIPS[foot], _KNEES[foot], ANKLES[foot]
            thigh, shin = reach(leg, targets[foot] - shift)
            body_pose[hip - 1] = pose.rotations[0].T @ thigh
            body_pose[knee - 1] = thigh.T @ shin
            body_pose[ankle - 1] = shin.T @ self._turns[foot]
        return replace(params, body_pose=body_pose), (transl + self._root).astype(np.float32)


def _at_pivot(moved: FloatArray, soles: FloatArray, up: FloatArray) -> FloatArray:
    """(3,) how the part that touches the floor moved, of heel and ball (2, 3) [m]; `up` (3,) is away from the floor."""
    heel_above_m = float((soles[0] - soles[1]) @ up)
    ball_share = min(max(0.5 + 0.5 * heel_above_m / _PIVOT_M, 0.0), 1.0)
    pivot: FloatArray = (1.0 - ball_share) * moved[0] + ball_share * moved[1]
    return pivot
