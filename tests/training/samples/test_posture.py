"""Postures come from joint angles; weights bring them to their shares."""

import numpy as np

from realtime_vibe.geometry.rotation import quat_product_wxyz
from realtime_vibe.training.samples.posture import Posture, posture_weights, postures
from tests.training.samples.still_people import about_x, person, sitting, standing, walking


def test_a_posture_is_read_from_angles_and_speed(subtests):
    for clip, expected in [
        (standing(), Posture.STANDING),
        (sitting(), Posture.SITTING),
        (walking(), Posture.OTHER),
        (person("strides", speed=1.0), Posture.OTHER),
        (person("crouches", hip_rad=0.7, knee_rad=1.4), Posture.OTHER),
    ]:
        with subtests.test(clip=clip.name, expected=expected):
            assert np.all(postures(clip.quats, clip.trans) == expected)


def test_whoever_lies_neither_stands_nor_sits():
    for clip in (standing(), sitting()):
        quats = clip.quats.copy()
        quats[:, 0] = quat_product_wxyz(about_x(-np.pi / 2), quats[:, 0])
        assert np.all(postures(quats, clip.trans) == Posture.OTHER)


def test_weights_bring_postures_to_their_shares_whatever_there_is_of_them():
    clips = [standing(), sitting(), *[walking() for _ in range(20)]]
    base = np.ones(len(clips), np.float32)
    shares = {Posture.STANDING: 0.5, Posture.SITTING: 0.2}
    weights = posture_weights(clips, base, shares)
    np.testing.assert_allclose(weights[:2], [0.5, 0.2], atol=1e-4)
    np.testing.assert_allclose(weights[2:], 0.3 / 20, atol=1e-4)


def test_a_posture_that_no_clip_has_is_left_out():
    weights = posture_weights(
        [standing(), walking()],
        np.ones(2, np.float32),
        {Posture.STANDING: 0.3, Posture.SITTING: 0.3},
    )
    np.testing.assert_allclose(weights, [0.3 / 0.7, 0.4 / 0.7], atol=1e-3)
