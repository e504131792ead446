"""Covers resampling: exact rates, poses on the arc, bodies that stay bodies, marked gaps."""

import numpy as np
import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.rotation import axis_angle_from_rotmat, rotmat_from_rot6d
from realtime_vibe.geometry.smpl_skeleton import offsets_of_posed
from realtime_vibe.outputs.record.recording_spool import Rows
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.outputs.record.row_resampling import is_uniform, left_out_s
from realtime_vibe.outputs.record.row_resampling import resampled as resampled_rows
from realtime_vibe.outputs.record.take_rows import measured_rate_hz
from tests.outputs.record import posed_takes


def resampled(rows: Rows, rate_hz: float) -> Rows:
    return posed_takes.loaded(resampled_rows(TakeRows.of(rows), rate_hz))


@pytest.mark.parametrize("rate_hz", [30.0, 60.0])
def test_the_rate_is_exact_and_the_motion_is_followed(rate_hz: float) -> None:
    rng = np.random.default_rng(2)
    times_s = 100.0 + np.sort(rng.uniform(0, 2, 50))
    rows = resampled(posed_takes.rows(posed_takes.results(times_s)), rate_hz)
    np.testing.assert_allclose(np.diff(rows["timestamp_s"]), 1 / rate_hz, atol=1e-9)
    assert measured_rate_hz(rows) == pytest.approx(rate_hz)
    assert is_uniform(rows, rate_hz)
    assert rows["timestamp_s"][-1] <= times_s[-1] + 1e-3
    # Close to where a body without sampling would have been.
    betas = np.random.default_rng(0).normal(size=10).astype(np.float32)
    for row in rows[rows["valid"]][::7]:
        _, mesh = posed_takes.posed(float(row["timestamp_s"]), 0, betas)
        assert np.abs(row["joints_camera"] - mesh.joints).max() < 0.12


def test_a_resampled_pose_has_the_same_bones() -> None:
    times_s = np.array([0.0, 0.11, 0.19, 0.33, 0.4])
    before = posed_takes.rows(posed_takes.results(times_s))
    after = resampled(before, 60.0)
    expected = offsets_of_posed(rotmat_from_rot6d(before["rot6d"]), before["joints_camera"])[0]
    found = offsets_of_posed(rotmat_from_rot6d(after["rot6d"]), after["joints_camera"])
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-5)


def test_rotations_halfway_are_half_the_turn() -> None:
    before = posed_takes.rows(posed_takes.results([0.0, 0.1]))
    after = resampled(before, 20.0)
    assert len(after) == 3
    first, middle, _ = rotmat_from_rot6d(after["rot6d"])
    whole = np.linalg.norm(
        axis_angle_from_rotmat(np.swapaxes(first, -1, -2) @ rotmat_from_rot6d(before["rot6d"][1])),
        axis=1,
    )
    half = np.linalg.norm(axis_angle_from_rotmat(np.swapaxes(first, -1, -2) @ middle), axis=1)
    np.testing.assert_allclose(half, whole / 2, atol=1e-4)


def test_rows_on_the_grid_stay_as_they_are() -> None:
    times_s = np.round(np.arange(30) / 30, 6)  # as a file rounds them
    before = posed_takes.rows(posed_takes.results(times_s))
    after = resampled(before, 30.0)
    assert len(after) == 30
    np.testing.assert_array_equal(after["rot6d"], before["rot6d"])
    np.testing.assert_array_equal(after["joints_camera"], before["joints_camera"])


def test_gaps_are_invalid_and_short_ones_are_bridged() -> None:
    times_s = [0.0, 0.1, 0.2, 1.2, 1.3]
    after = resampled(posed_takes.rows(posed_takes.results(times_s)), 10.0)
    assert after["valid"].tolist() == [True] * 3 + [False] * 9 + [True] * 2
    assert after["person_id"].tolist() == [0] * 3 + [-1] * 9 + [0] * 2
    assert (after["image_size"] == (64, 48)).all()


def test_hours_without_a_frame_have_no_rows() -> None:
    times_s = [*(np.arange(10) / 30), *(36000 + np.arange(10) / 30)]
    after = resampled(posed_takes.rows(posed_takes.results(times_s)), 30.0)
    assert after["valid"].tolist() == [True] * 20
    assert after["timestamp_s"][-1] == pytest.approx(times_s[-1])
    assert left_out_s(after, 30.0) == pytest.approx(36000, abs=1)


def test_a_file_out_of_all_proportion_is_refused() -> None:
    rows = posed_takes.rows(posed_takes.results([0.0, 5.0]))
    with pytest.raises(OutputError, match="lower --record-fps"):
        resampled(rows, 1e6)


def test_everybody_keeps_their_own_rows() -> None:
    frames = posed_takes.results(np.arange(10) / 10, [(5, 2)] * 4 + [(2,)] * 3 + [()] * 3)
    after = resampled(posed_takes.rows(frames), 20.0)
    assert np.isin(after["person_id"][after["valid"]], [5, 2]).all()
    assert (np.diff(after["frame_index"]) >= 0).all()
    counts = {person: int((after["person_id"] == person).sum()) for person in (5, 2)}
    assert counts == {5: 7, 2: 13}
    assert sorted(set(after["frame_index"].tolist())) == list(range(19))


def test_one_row_and_nobody_at_all() -> None:
    one = resampled(posed_takes.rows(posed_takes.results([3.0])), 30.0)
    assert one["valid"].tolist() == [True]
    nobody = resampled(posed_takes.rows(posed_takes.results([0.0, 0.5], [(), ()])), 10.0)
    assert not nobody["valid"].any()
    assert len(nobody) == 6
