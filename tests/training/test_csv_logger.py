"""Lines of the learning curve: means, empty columns, and a file that goes on after an interruption."""

import csv

import torch

from realtime_vibe.training.csv_logger import CsvLogger


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def _run(curve, steps, seconds=1.0):
    for step in steps:
        curve.add({"a": torch.tensor(float(step))})
        if step % 4 == 0:
            curve.add({"b": torch.tensor(8.0)})
        curve.line(step, seconds, 0.5)


def test_means_over_the_line_and_empty_columns(tmp_path):
    path = tmp_path / "curve.csv"
    curve = CsvLogger(path, ("a", "b"), every=2)
    curve.begin(0)
    _run(curve, range(1, 7))
    assert _rows(path) == [
        ["step", "seconds", "rate", "a", "b"],
        ["2", "1.0", "0.5", "1.5", ""],
        ["4", "1.0", "0.5", "3.5", "8"],
        ["6", "1.0", "0.5", "5.5", ""],
    ]


def test_lines_after_the_checkpoint_are_written_anew(tmp_path):
    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    curve = CsvLogger(whole, ("a", "b"), every=2)
    curve.begin(0)
    _run(curve, range(1, 9))
    curve = CsvLogger(parts, ("a", "b"), every=2)
    curve.begin(0)
    _run(curve, range(1, 4))
    state = curve.state_dict()
    _run(curve, range(4, 7), seconds=77.0)
    with parts.open("a") as file:
        file.write("\n1")  # what a full disk leaves of a line
    curve = CsvLogger(parts, ("a", "b"), every=2)
    curve.load_state_dict(state, torch.device("cpu"))
    curve.begin(3)
    _run(curve, range(4, 9))
    assert _rows(parts) == _rows(whole)


def test_without_a_path_nothing_is_written(tmp_path):
    curve = CsvLogger(None, ("a", "b"), every=1)
    curve.begin(0)
    curve.add({"a": torch.tensor(2.0)})
    assert curve.line(1, 0.0, 0.1) == {"a": 2.0}
    assert not list(tmp_path.iterdir())
