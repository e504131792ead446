"""How far away a person is, filtered by what a body can do: a Kalman filter of log-depth and its rate.

Depth is seen from the person's size alone. Whoever crouches or jumps looks smaller or larger to the network, and
seems to move by half a metre. But only a body whose feet step goes anywhere: while both feet stay at the same
place of each other the person stands, squats or jumps on the spot, the rate fades and size is averaged over
seconds. Stepping feet, feet that nobody sees, and a size that has been wrong for long let the rate go free.
"""

import math

import numpy as np

from realtime_vibe.packets import FloatArray

_ANKLES = (7, 8)
_STANDS_M_S, _STEPS_M_S = 0.7, 1.6
"""Speed of one foot relative to the other: below the first the body stays, above the second it walks."""
_SPEED_S, _ATTACK_S, _RELEASE_S = 0.06, 0.1, 1.0
"""Time constants of the feet's places, of a speed that rises and of one that falls [s]."""
_ACCELERATION = 2.0
"""Of a walking body [m/s^1.5], the spectral density's root."""
_DRIFT = 0.03
"""Of a standing body [m/s^0.5]."""
_NOISE, _NOISE_RATE_HZ = 0.12, 30.0
"""Standard deviation of log-depth in one frame at this rate: errors of a size last for many frames."""
_FOLDED_S, _FOLDED_POWER, _MOST_FOLDED = 30.0, 6, 8.0
"""Whoever squats or bows is seen too far away: noise grows with this power of the largest extent in this time [s]
over that of now."""
_JUMP = 0.1
"""Changes of log-depth beyond it within a frame count less: nobody moves so fast."""
_WRONG, _WRONG_S = 0.15, 0.4
"""Mean error of log-depth, over this time [s], from which the body is let go though its feet stay."""
_LOST, _YOUNG_S = 0.4, 0.7
"""The same from which the filter starts over; so does one that is younger than this [s] at a single such error: first
regions may be of a part of the person."""
_FADE_S = 0.2
_START_NOISE, _START_M_S = _NOISE, 1.2
"""Standard deviations of the first log-depth, and of the first speed [m/s]: many a person comes walking."""
_NEAREST_M = 0.1


class DepthFilter:
    """Depth of one person's pelvis."""

    def __init__(self) -> None:
        self._log = math.nan
        self._rate = 0.0
        # Variances of log-depth and rate, and their covariance.
        self._p_log = self._p_rate = self._p_both = 0.0
        self._between: FloatArray = np.zeros(3, np.float32)
        self._stepping_m_s = _STEPS_M_S
        self._mean_error = self._extent_m = self._age_s = 0.0

    def update(self, joints: FloatArray, dt_s: float, *, feet_are_seen: bool) -> float:
        """The filtered depth of the pelvis [m]; the first call, and `dt_s` <= 0, give the measured one.

        Args:
            joints: (24, 3) as measured, camera frame [m].
            dt_s: since the last call [s].
            feet_are_seen: whether the feet's places can be believed.
        """
        depth_m = max(float(joints[0, 2]), _NEAREST_M)
        between = joints[_ANKLES[0]] - joints[_ANKLES[1]]
        self._age_s += dt_s
        is_young_and_wrong = self._age_s < _YOUNG_S and abs(math.log(depth_m) - self._log) > _LOST
        is_lost = is_young_and_wrong or abs(self._mean_error) > _LOST
        if dt_s <= 0 or math.isnan(self._log) or is_lost:
            self._start(depth_m, between)
            return depth_m
        freedom = self._freedom(between, dt_s) if feet_are_seen else 1.0
        self._predict(freedom, dt_s)
        self._correct(math.log(depth_m), dt_s, _NOISE * self._folded(joints, dt_s))
        return math.exp(self._log)

    def _start(self, depth_m: float, between: FloatArray) -> None:
        self._log, self._rate = math.log(depth_m), 0.0
        self._p_log, self._p_both = _START_NOISE**2, 0.0
        self._p_rate = (_START_M_S / depth_m) ** 2
        self._between, self._stepping_m_s = between, _STEPS_M_S
        self._mean_error = self._extent_m = self._age_s = 0.0

    def _freedom(self, between: FloatArray, dt_s: float) -> float:
        """0: the body stays; 1: it walks."""
        step = dt_s / (dt_s + _SPEED_S) * (between - self._between)
        self._between = self._between + step
        speed = math.sqrt(float(step @ step)) / dt_s
        time_s = _ATTACK_S if speed > self._stepping_m_s else _RELEASE_S
        self._stepping_m_s += dt_s / (dt_s + time_s) * (speed - self._stepping_m_s)
        steps = (self._stepping_m_s - _STANDS_M_S) / (_STEPS_M_S - _STANDS_M_S)
        wrong = abs(self._mean_error) / _WRONG - 1.0
        return min(max(steps, wrong, 0.0), 1.0)

    def _predict(self, freedom: float, dt_s: float) -> None:
        depth_m = math.exp(self._log)
        kept = math.exp(-dt_s / _FADE_S * (1.0 - freedom))
        self._rate *= kept
        self._log += self._rate * dt_s
        density = (freedom * _ACCELERATION / depth_m) ** 2
        self._p_log += dt_s * (2.0 * self._p_both + dt_s * self._p_rate)
        self._p_log += density * dt_s**3 / 3.0 + (_DRIFT / depth_m) ** 2 * dt_s
        self._p_both = kept * (self._p_both + dt_s * self._p_rate) + density * dt_s**2 / 2.0
        self._p_rate = kept * kept * self._p_rate + density * dt_s

    def _folded(self, joints: FloatArray, dt_s: float) -> float:
        """From 1, by how much more a size errs because the body shows less of its own than before."""
        extent_m = max(float(np.ptp(joints[:, 0])), float(np.ptp(joints[:, 1])), _NEAREST_M)
        self._extent_m = max(extent_m, self._extent_m * math.exp(-dt_s / _FOLDED_S))
        return min((self._extent_m / extent_m) ** _FOLDED_POWER, _MOST_FOLDED)

    def _correct(self, measured: float, dt_s: float, noise: float) -> None:
        error = measured - self._log
        self._mean_error += dt_s / (dt_s + _WRONG_S) * (error - self._mean_error)
        variance = noise**2 / min(_NOISE_RATE_HZ * dt_s, 1.0)
        usual = 2.0 * math.hypot(math.sqrt(self._p_log), 0.5 * _JUMP)
        variance *= max(1.0, abs(error) / usual)
        gain = self._p_log / (self._p_log + variance)
        rate_gain = self._p_both / (self._p_log + variance)
        self._log += gain * error
        self._rate += rate_gain * error
        self._p_rate -= rate_gain * self._p_both
        self._p_both *= 1.0 - gain
        self._p_log *= 1.0 - gain
