"""Covers smoothing by visibility: hidden arms are held, seen ones move, first guesses are not kept."""

import numpy as np

from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.temporal.confidence import joint_confidence
from realtime_vibe.temporal.smoothing import RotationSmoother

LEFT_ELBOW, RIGHT_ELBOW = 18, 19


def _visibility(left_arm):
    visibility = np.ones(33, np.float32)
    visibility[[13, 15, 17, 19, 21]] = left_arm
    return visibility


def test_trust_follows_the_landmarks_of_each_joint():
    confidence = joint_confidence(_visibility(0.0))
    assert confidence[[16, 18, 20, 22]].tolist() == [0, 0, 0, 0]
    others = np.delete(np.arange(24), [16, 18, 20, 22])
    np.testing.assert_array_equal(confidence[others], 1)
    steps = [joint_confidence(_visibility(value))[18] for value in np.linspace(0, 1, 11)]
    assert np.diff(steps).min() >= 0
    assert steps[-1] == 1


def test_the_trunk_is_always_believed():
    confidence = joint_confidence(np.zeros(33, np.float32))
    np.testing.assert_array_equal(confidence[[0, 3, 6, 9, 12, 15]], 1)


def _swing(smoother, confidences, start=0):
    out = []
    for index, confidence in enumerate(confidences, start):
        turn = np.array([1.2 * np.sin(index / 2.0), 0, 0], np.float32)
        out.append(
            smoother.update(np.tile(rotmat_from_axis_angle(turn), (24, 1, 1)), 1 / 30, confidence)
        )
    return np.stack(out)


def test_a_hidden_arm_does_not_flail_and_a_seen_one_does_not_lag():
    smoother = RotationSmoother(0.5)
    _swing(smoother, [np.ones(24, np.float32)] * 60)
    hidden = _swing(smoother, [joint_confidence(_visibility(0.0))] * 60, start=60)
    speed = np.abs(np.diff(hidden, axis=0)).max(axis=(2, 3)).mean(axis=0)
    assert speed[LEFT_ELBOW] < 0.1 * speed[RIGHT_ELBOW]
    back = _swing(smoother, [np.ones(24, np.float32)] * 60, start=120)
    np.testing.assert_allclose(back[-1, LEFT_ELBOW], back[-1, RIGHT_ELBOW], atol=0.05)


def test_an_arm_that_was_never_seen_moves_with_the_guess():
    smoother = RotationSmoother(0.5)
    out = _swing(smoother, [joint_confidence(_visibility(0.0))] * 60)
    np.testing.assert_allclose(out[:, LEFT_ELBOW], out[:, RIGHT_ELBOW], atol=1e-5)


def test_without_trust_nothing_changes():
    a, b = RotationSmoother(0.5), RotationSmoother(0.5)
    np.testing.assert_allclose(
        _swing(a, [None] * 30), _swing(b, [np.ones(24, np.float32)] * 30), atol=1e-5
    )
