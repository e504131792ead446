"""Limbs that jump for a frame stay where they were heading; movement, lasting jumps and newcomers pass untouched."""

from dataclasses import replace

import numpy as np

from realtime_vibe.packets import PoseLandmarks, TrackedPerson
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.tracking.landmark_track import landmark_box
from realtime_vibe.tracking.outlier_gate import OutlierGate
from tests.tracking.standing_body import standing_body

LEG, HAND = [25, 27, 29, 31], [15, 17, 19, 21]
PX_PER_M = 300.0


def person(moved_m=(0.0, 0.0, 0.0), part=slice(0, 33), *, dt_s=1 / 60, track_id=0):
    """Somebody who stands, some landmarks elsewhere."""
    world = standing_body()
    world[part] += np.asarray(moved_m, np.float32)
    landmarks = PoseLandmarks(
        image_px=(world * PX_PER_M + 500).astype(np.float32),
        world_m=world,
        visibility=np.ones(33, np.float32),
        presence=1.0,
    )
    return TrackedPerson(
        track_id=track_id, bbox_xyxy=landmark_box(landmarks), score=1.0, dt_s=dt_s, landmarks=landmarks,
    )  # fmt: skip


class Scripted(ClosedByWith):
    """A tracker that gives what it is told, frame after frame."""

    def __init__(self):
        self.people, self.saw_cut = (), False

    def update(self, frame):
        return self.people

    def reset(self):
        self.people = ()

    def close(self):
        pass


class Gate(OutlierGate):
    """The gate, given people instead of frames."""

    def __init__(self):
        super().__init__(Scripted())

    def passed(self, people, *, saw_cut=False):
        self.tracker.people, self.tracker.saw_cut = people, saw_cut
        return self.update(None)


def test_a_limb_that_jumps_for_a_frame_goes_on_as_it_moved():
    gate, way = Gate(), 0.02
    for index in range(20):
        seen = person((index * way, 0, 0), LEG)
        assert gate.passed((seen,)) == (seen,)
    (held,) = gate.passed((person((20 * way + 0.4, 0.1, 0), LEG),))
    expected = person((20 * way, 0, 0), LEG).landmarks
    np.testing.assert_allclose(held.landmarks.world_m, expected.world_m, atol=1e-3)
    np.testing.assert_allclose(held.landmarks.image_px[:, :2], expected.image_px[:, :2], atol=0.3)
    np.testing.assert_array_equal(held.bbox_xyxy, landmark_box(held.landmarks))
    back = person((21 * way, 0, 0), LEG)
    assert gate.passed((back,)) == (back,)


def test_a_jump_that_lasts_is_believed_after_two_frames():
    for rate_hz, num_held in ((15, 0), (30, 1), (60, 2)):
        gate, dt_s = Gate(), 1 / rate_hz
        for _ in range(5):
            gate.passed((person(dt_s=dt_s),))
        there = person((0, 0, 1.5), HAND, dt_s=dt_s)
        passed = [gate.passed((there,))[0] is there for _ in range(6)]
        assert passed.count(False) == num_held
        assert all(passed[2:]), "and moves on from there"


def test_fast_movement_passes_to_the_bit():
    for rate_hz in (15, 30, 60):
        gate = Gate()
        for index in range(4 * rate_hz):
            time_s = index / rate_hz
            wave = person((0.4 * np.sin(2 * np.pi * 2 * time_s), 0, 0), HAND, dt_s=1 / rate_hz)
            assert gate.passed((wave,))[0] is wave, "0.8 m twice a second"


def test_whom_it_does_not_know_passes():
    gate, jumped = Gate(), person((0.5, 0, 0), LEG)
    gate.passed((person(),))
    for stranger in (replace(jumped, track_id=1), replace(jumped, landmarks=None)):
        assert gate.passed((stranger,)) == (stranger,)
    for dt_s in (0.0, 0.2):  # new to the tracker, or after a pause
        gate.passed((person(),))
        late = replace(jumped, dt_s=dt_s)
        assert gate.passed((late,)) == (late,)
    gate.passed((person(),))
    assert gate.passed((jumped,), saw_cut=True) == (jumped,)
    gate.passed((person(),))
    gate.reset()
    assert gate.passed((jumped,)) == (jumped,)
