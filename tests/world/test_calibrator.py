"""Covers calibrating: what it finds of a known scene, what it waits for, that it ends."""

import numpy as np
import pytest

from realtime_vibe.errors import ConfigError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.world.calibrator import HOLD_S, TIMEOUT_S, Calibrator, Known
from tests.world.conftest import FOCAL_PX, SIZE, STILL, facing


def _run(calibrator, results):
    for result in results:
        found = calibrator.update(result)
        if found is not None:
            return found
    return None


def _standing(stage, orient, transl, seconds=4.0, **changes):
    params = stage.params(orient, transl, **changes)
    person = stage.person(params, transl)
    return [stage.result([person], index / 30) for index in range(round(30 * seconds))]


@pytest.mark.parametrize("pitch_deg", [-12.0, 0.0, 15.0])
def test_it_finds_pitch_floor_and_place_of_a_known_scene(model, body, stage, pitch_deg):
    pitch = np.deg2rad(pitch_deg)
    turn = rotmat_from_axis_angle(np.array([pitch, 0, 0], np.float32))
    transl = turn @ np.array([0.2, 0.1, 7.0], np.float32)
    calibrator = Calibrator(model, Known())
    found = _run(calibrator, _standing(stage, facing(pitch), transl))
    assert calibrator.is_over()
    assert found.pitch_deg == pytest.approx(pitch_deg, abs=2.5)
    mesh = body.forward(facing(pitch), STILL, found.betas, transl)
    world = mesh.vertices @ found.T_world_camera[:3, :3].T + found.T_world_camera[:3, 3]
    assert world[:, 2].min() == pytest.approx(0.0, abs=0.02)
    assert np.ptp(world[:, 2]) == pytest.approx(found.height_m, abs=0.03)
    pelvis = found.T_world_camera[:3, :3] @ mesh.joints[0] + found.T_world_camera[:3, 3]
    np.testing.assert_allclose(pelvis[:2], 0, atol=0.02)


def test_a_known_height_scales_body_and_distance_alike(model, stage):
    results = _standing(stage, facing(), [0.0, 0.2, 4.0])
    plain = _run(Calibrator(model, Known()), results)
    tall = _run(Calibrator(model, Known(height_m=1.9)), results)
    assert tall.height_m == pytest.approx(1.9, abs=2e-3)
    assert tall.scale == pytest.approx(1.9 / plain.height_m, rel=2e-3)
    # Taller bodies have longer legs, not only larger ones: 3 % here.
    assert tall.camera_height_m == pytest.approx(plain.camera_height_m * tall.scale, rel=0.04)
    assert tall.focal_share is None


def test_a_known_distance_gives_the_focal_length(model, stage):
    results = _standing(stage, facing(), [0.0, 0.2, 4.0])
    found = _run(Calibrator(model, Known(distance_m=2.0)), results)
    # Half as far away with the same size in the picture: half the focal length.
    assert found.focal_share * SIZE[0] == pytest.approx(FOCAL_PX / 2, rel=0.01)
    assert found.fov_deg() == pytest.approx(np.rad2deg(2 * np.arctan(SIZE[0] / FOCAL_PX)), abs=0.5)


def test_a_stated_field_of_view_is_believed(model, stage):
    results = _standing(stage, facing(), [0.0, 0.2, 4.0])
    found = _run(Calibrator(model, Known(fov_deg=60.0, distance_m=9.0)), results)
    assert found.fov_deg() == pytest.approx(60.0)


def test_it_says_what_it_waits_for_and_gives_up_in_time(model, stage):
    near = stage.person(stage.params(facing(), [0, 0.2, 1.2]), [0, 0.2, 1.2])
    calibrator = Calibrator(model, Known())
    messages = set()
    at_s = 0.0
    while not calibrator.is_over():
        assert calibrator.update(stage.result([near], at_s)) is None
        messages.add(calibrator.message)
        at_s += 0.5
        assert at_s < TIMEOUT_S + 2
    assert "calibration: too close: feet not visible" in messages
    assert "gave up after 30 s: too close: feet not visible" in calibrator.message


def test_the_reason_is_the_most_frequent_trouble(model, stage):
    """Somebody who never stands still has good frames in between, the last one among them."""
    calibrator = Calibrator(model, Known())
    for index in range(310):
        place = [0.4 * (index // 6 % 2), 0.2, 4.0]
        params = stage.params(facing(), place)
        calibrator.update(stage.result([stage.person(params, place)], index / 10))
    assert calibrator.is_over()
    assert calibrator.message == "calibration gave up after 30 s: keep still"


def test_the_other_troubles(model, stage):
    def said(people):
        calibrator = Calibrator(model, Known())
        calibrator.update(stage.result(people, 0.0))
        return calibrator.message

    fits = [0, 0.2, 4.0]
    standing = stage.person(stage.params(facing(), fits), fits)
    other = stage.person(stage.params(facing(), fits), fits, track_id=1)
    sitting = STILL.copy()
    sitting[[0, 1]] = rotmat_from_axis_angle(np.array([-1.4, 0, 0], np.float32))
    seated = stage.person(stage.params(facing(), fits, body_pose=sitting), fits)
    assert "hold still" in said([standing])
    assert "step into the picture" in said([])
    assert "only one person" in said([standing, other])
    assert "stand upright" in said([seated])
    stage.visibility = np.full(33, 0.1, np.float32)
    assert "feet not visible" in said([stage.person(standing.params, fits)])


def test_who_keeps_walking_is_asked_to_keep_still(model, stage):
    calibrator = Calibrator(model, Known())
    messages = []
    for index in range(90):
        place = [0.02 * index - 0.9, 0.2, 4.0]
        person = stage.person(stage.params(facing(), place), place)
        assert calibrator.update(stage.result([person], index / 30)) is None
        messages.append(calibrator.message)
    assert any("keep still" in message for message in messages)
    assert not calibrator.is_over()


def test_a_short_look_away_does_not_start_over(model, stage):
    results = _standing(stage, facing(), [0, 0.2, 4.0], seconds=HOLD_S + 0.3)
    results[30] = stage.result([], 1.0)
    assert _run(Calibrator(model, Known()), results) is not None


def test_an_impossible_height_is_refused_before_anybody_stands(model):
    with pytest.raises(ConfigError, match="person-height"):
        Calibrator(model, Known(height_m=0.3))
