"""The fading-memory filter of first degree, a critically damped g-h filter.

A first-order low-pass trails whatever moves; this filter predicts with its own velocity, so that steady motion
passes without delay and only what departs from it is averaged (Morrison 1969; Brookner 1998, "Tracking and Kalman
Filtering Made Easy", ch. 1.2.6).
"""

import numpy as np

from realtime_vibe.packets import FloatArray


def gains(dt_s: float, memory_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What of a prediction's error goes into the value, and what into the velocity [1/s].

    Args:
        dt_s: since the last measurement, above 0 [s].
        memory_s: above 0 [s], of any shape: measurements count by exp(-age / memory).
    """
    kept = np.exp(-np.float32(dt_s) / memory_s)
    return 1 - kept**2, (1 - kept) ** 2 / np.float32(dt_s)


def memory_by_speed(
    speed: FloatArray, moves: float, moving_s: float, at_rest_s: float
) -> FloatArray:
    """Memory [s] between that of what moves and that of what rests.

    Args:
        speed: without direction.
        moves: a speed from which something moves, of the same unit.
        moving_s: memory of what moves [s].
        at_rest_s: memory at no speed [s].
    """
    rest: FloatArray = np.maximum(1 - speed / moves, 0)
    return moving_s + rest * (at_rest_s - moving_s)
