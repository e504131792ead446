"""Covers CSV and TRC: read back by independent readers, gaps are empty cells or NaN."""

import csv
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.geometry.smpl_joints import SMPL_JOINT_NAMES
from realtime_vibe.outputs.record.recording_spool import TakeOptions
from realtime_vibe.outputs.record.take_files import write_take
from tests.outputs.record import posed_takes


def _read_trc(path: Path) -> tuple[dict[str, str], list[str], np.ndarray]:
    """Facts, marker names and the table (missing markers as NaN), as OpenSim's documentation lays it out."""
    lines = path.read_text().split("\n")
    assert lines[0].split("\t")[:3] == ["PathFileType", "4", "(X/Y/Z)"]
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    names = lines[3].split("\t")[2::3]
    assert lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"]
    assert lines[5] == ""
    # OpenSim's table reader: no cell behind the last tab, and as many in every row.
    rows = [line.removesuffix("\t").split("\t") for line in lines[6:] if line]
    assert {len(row) for row in rows} == {2 + 3 * len(names)}
    return facts, names, np.array([[float(cell) for cell in row] for row in rows])


def test_trc_has_the_joints_in_millimetres(tmp_path: Path) -> None:
    frames = posed_takes.results(np.arange(10) / 30)
    path = tmp_path / "o.trc"
    write_take(path, posed_takes.take(frames))
    facts, names, table = _read_trc(path)
    assert facts["Units"] == "mm"
    assert float(facts["DataRate"]) == pytest.approx(30)
    assert int(facts["NumFrames"]) == len(table) == 10
    assert int(facts["NumMarkers"]) == 24
    assert tuple(names) == SMPL_JOINT_NAMES
    assert table[:, 0].tolist() == list(range(1, 11))
    np.testing.assert_allclose(table[:, 1], np.arange(10) / 30, atol=1e-5)
    joints = table[:, 2:].reshape(10, 24, 3) / 1000
    np.testing.assert_allclose(joints, posed_takes.joints_yup(frames), atol=1e-5)


def test_csv_has_a_row_a_frame(tmp_path: Path) -> None:
    times_s = 5.0 + np.array([0, 0.03, 0.08, 0.2])  # a camera's, uneven
    frames = posed_takes.results(times_s)
    path = tmp_path / "o.csv"
    write_take(path, posed_takes.take(frames))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time_s"]) for row in rows] == pytest.approx([0, 0.03, 0.08, 0.2])
    joints = [
        [[float(row[f"{name}_{axis}"]) for axis in "xyz"] for name in SMPL_JOINT_NAMES]
        for row in rows
    ]
    np.testing.assert_allclose(joints, posed_takes.joints_yup(frames), atol=1e-5)


def test_who_is_away_leaves_cells_empty_or_nan(tmp_path: Path) -> None:
    frames = posed_takes.results(np.arange(5) / 30, [(), (0,), (), (), (0,)])
    take = posed_takes.take(frames)
    write_take(tmp_path / "o.trc", take)
    _, _, table = _read_trc(tmp_path / "o.trc")
    assert np.isnan(table[:, 2:]).all(axis=1).tolist() == [True, False, True, True, False]
    write_take(tmp_path / "o.csv", take)
    lines = (tmp_path / "o.csv").read_text().splitlines()
    assert [",," in line for line in lines] == [False, True, False, True, True, False]


def test_trc_of_an_uneven_camera_has_an_even_rate(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    times_s = np.arange(60) / 30 + rng.uniform(-0.008, 0.008, 60)
    frames = posed_takes.results(times_s)
    write_take(tmp_path / "o.trc", posed_takes.take(frames, TakeOptions()))
    facts, _, table = _read_trc(tmp_path / "o.trc")
    rate = float(facts["DataRate"])
    assert rate == round(rate)
    np.testing.assert_allclose(np.diff(table[:, 1]), 1 / rate, atol=1e-5)
    assert table[-1, 1] == pytest.approx(times_s[-1] - times_s[0], abs=1.1 / rate)
