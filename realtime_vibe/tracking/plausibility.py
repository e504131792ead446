"""Whether landmarks are a person's: how sure one frame is, and the sum over frames.

A landmark network answers in any region that it is shown, often with a high presence: a table becomes a folded
body. But a body has lengths that it cannot change. Where there is nobody the trunk, the thighs and the shoulders
come out a third shorter, and differently in every frame. The weights are those of a logistic regression on 2900
real poses (also close, far, dark and cut off by the picture) and 215 answers to regions without people. A back or a
head that enters the picture is taken for a whole body seen from its end, crumpled up in the middle of its region.
"""

import math

import numpy as np

from realtime_vibe.packets import NUM_LANDMARKS, FloatArray, PoseLandmarks

SURE = 0.9
"""Log-odds from which somebody is shown, and below which the detector is asked again."""
DOUBTFUL = 0.0
"""Log-odds below which somebody who is shown is let go."""
NOBODY = -2.5
"""Log-odds below which a newcomer is given up: the first regions are rough, and so are their landmarks."""
_MOST = 4.0
"""So a known person survives some odd frames, and a phantom does not live on its past."""
_SHARE_OF_FRAME = 0.5
"""Frames that follow each other err alike: each counts half."""
_MOST_OF_FRAME = 2.0
_PRIOR, _PRIOR_OF_KNOWN = -1.0, 1.0
_MOST_OF_DETECTOR, _MOST_OF_LOOK, _MOST_OF_CLOSE_LOOK = 2.5, 1.0, 2.5
_TRUNK, _EDGE = (11, 12, 23, 24), 0.03
"""Shoulders and hips, and how near to an edge their middle may be, in widths of the picture."""
_LEAST_INSIDE = 5
"""Landmarks inside the picture below which nobody can be seen; a head alone has eleven."""
_BIAS = 1.0
_PRESENCE_WEIGHT = 0.3
_LEGS = slice(25, 29)
_LEG_HIDDEN, _LEG_SHOWN = 0.2, 0.6
"""Visibility of the best seen leg landmark: the length of legs out of view is a guess."""
_SEGMENTS: tuple[tuple[tuple[int, ...], tuple[int, ...], float, float], ...] = (
    # from, to (middles of landmarks), a grown body's length [m], weight of the log of how much is missing
    ((11, 12), (23, 24), 0.47, 3.5),
    ((11,), (12,), 0.33, 0.9),
    ((7,), (8,), 0.15, 1.0),
    ((11,), (13,), 0.25, 1.0),
    ((12,), (14,), 0.25, 1.0),
    ((23,), (25,), 0.40, 2.3),
    ((24,), (26,), 0.40, 2.3),
    ((25,), (27,), 0.36, 1.1),
    ((26,), (28,), 0.36, 1.1),
)
_IS_LEG = np.arange(len(_SEGMENTS)) >= 5
_LENGTHS_M = np.array([segment[2] for segment in _SEGMENTS], np.float32)
_WEIGHTS = np.array([segment[3] for segment in _SEGMENTS], np.float32)
_MOST_SMALLER = 0.2
"""Log of a grown body's size over that of a small one: world landmarks of children are a fifth shorter at most."""
_SHORTEST_M = 0.01
_LEAST_SPREAD, _SPREAD_WEIGHT = 0.14, 8.0
"""Root mean square distance of landmarks from their middle, in sides of the region: 0.16 or more of people who
stand, 0.12 of one who lies with the feet to the camera, 0.08 to 0.12 where a head is taken for a body."""


def _difference_matrix() -> FloatArray:
    matrix = np.zeros((len(_SEGMENTS), NUM_LANDMARKS), np.float32)
    for row, (start, end, _, _) in enumerate(_SEGMENTS):
        matrix[row, list(start)] -= 1.0 / len(start)
        matrix[row, list(end)] += 1.0 / len(end)
    return matrix


_ENDS = _difference_matrix()


def frame_log_odds(landmarks: PoseLandmarks, image_size: tuple[int, int], side_px: float) -> float:
    """Log-odds, in [-2, 2], that one frame's finite landmarks are a person's.

    Args:
        image_size: (width, height) [px].
        side_px: of the region that the landmarks ask for.
    """
    points = landmarks.image_px[:, :2]
    x, y = points[:, 0], points[:, 1]
    inside = (x > 0) & (y > 0) & (x < image_size[0]) & (y < image_size[1])
    if np.count_nonzero(inside) < _LEAST_INSIDE:
        return -_MOST_OF_FRAME
    ways = _ENDS @ landmarks.world_m
    lengths = np.sqrt(np.square(ways).sum(axis=1)).clip(_SHORTEST_M)
    missing = np.log(_LENGTHS_M / lengths)
    # A child is short in all parts alike.
    lower_quartile = sorted(missing.tolist())[len(_SEGMENTS) // 4]
    missing = (missing - min(max(lower_quartile, 0.0), _MOST_SMALLER)).clip(0.0)
    shown = (float(landmarks.visibility[_LEGS].max()) - _LEG_HIDDEN) / (_LEG_SHOWN - _LEG_HIDDEN)
    weights = np.where(_IS_LEG, min(max(shown, 0.0), 1.0), 1.0) * _WEIGHTS
    log_odds = _BIAS + _PRESENCE_WEIGHT * _logit(landmarks.presence) - float(weights @ missing)
    variance = float(x @ x + y @ y) / NUM_LANDMARKS - float(x.mean()) ** 2 - float(y.mean()) ** 2
    spread = math.sqrt(max(variance, 0.0)) / side_px
    log_odds -= _SPREAD_WEIGHT * max(math.log(_LEAST_SPREAD / max(spread, _SHORTEST_M)), 0.0)
    return min(max(log_odds, -_MOST_OF_FRAME), _MOST_OF_FRAME)


def is_gone(landmarks: PoseLandmarks, width_px: int) -> bool:
    """Whether shoulders and hips are at the left or right edge of the picture: what is still seen there is guessed."""
    middle = float(landmarks.image_px[list(_TRUNK), 0].mean()) / width_px
    return not _EDGE < middle < 1.0 - _EDGE


def first_log_odds(score: float, *, is_known: bool = False) -> float:
    """Log-odds that a detection is a person before any landmarks; `is_known`: somebody was just seen there."""
    prior = _PRIOR_OF_KNOWN if is_known else _PRIOR
    return prior + min(_logit(score), _MOST_OF_DETECTOR)


def after_frame(log_odds: float, of_frame: float) -> float:
    """Log-odds of a track after one more frame, whose own come from `frame_log_odds`."""
    return min(log_odds + _SHARE_OF_FRAME * of_frame, _MOST)


def after_second_look(log_odds: float, score: float, *, is_close: bool = False) -> float:
    """Log-odds of a track after the detector was asked again.

    Args:
        score: 0 where no detection lies on the track.
        is_close: the detector was shown just this part of the picture, in which it hardly misses anybody.
    """
    most = _MOST_OF_CLOSE_LOOK if is_close else _MOST_OF_LOOK
    look = min(max(_logit(score), -most), most)
    return min(log_odds + _SHARE_OF_FRAME * look, _MOST)


def _logit(chance: float) -> float:
    chance = min(max(chance, 1e-3), 1.0 - 1e-3)
    return math.log(chance / (1.0 - chance))
