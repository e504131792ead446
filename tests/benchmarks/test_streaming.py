"""Stream lengths: the promises' checks on made figures, streams that really grow, and a fake engine's run."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from benchmarks.results import Collected
from benchmarks.streaming import LENGTHS, Stream, checks, measure, rerun_whole
from realtime_vibe.temporal.motion_model import StepOutput
from realtime_vibe.temporal.stage import TemporalStage


class _Model:
    """Counts its steps; its state is how many came before."""

    def __init__(self):
        self.steps = 0
        self.backend = "fake"

    def initial_hidden(self, num_people):
        return np.zeros((1, num_people, 1), np.float32)

    def step(self, features, hidden):
        self.steps += 1
        people = len(features)
        rotmat = np.tile(np.eye(3, dtype=np.float32), (people, 24, 1, 1))
        return StepOutput(
            rotmat,
            np.zeros((people, 10), np.float32),
            np.ones((people, 3), np.float32),
            hidden + 1,
        )

    def close(self):
        """Nothing is held."""


@dataclass
class _Engine:
    name: str = "fake"
    precision: str = "fp32"


@dataclass
class _Stages:
    """What `measure` asks of an engine."""

    model: _Model = field(default_factory=_Model)
    engine: _Engine = field(default_factory=_Engine)
    backend: str = "fake"

    def temporal(self, mode="stream"):
        return TemporalStage(self.model, mode=mode)

    def random_features(self, num_people):
        return np.zeros((num_people, 4), np.float32)


def test_equal_costs_pass_and_growing_ones_fail():
    flat = dict.fromkeys(LENGTHS, 2.0)
    window = {16: 32.0, 64: 33.0}
    assert all(check.passed for check in checks(flat, window))
    grown = {**flat, 10_000: 2.2}
    constant, cheaper = checks(grown, window)
    assert not constant.passed
    assert str(constant).startswith("FAIL: ")
    assert "10.0%" in constant.text
    assert cheaper.passed


@pytest.mark.parametrize(("window_ms", "passed"), [(20.1, True), (19.9, False)])
def test_ten_times_cheaper_is_the_border(window_ms, passed):
    _, cheaper = checks(dict.fromkeys(LENGTHS, 2.0), {16: 99.0, 64: window_ms})
    assert cheaper.passed is passed


def test_what_was_not_measured_is_not_passed():
    assert not checks({}, {})[0].passed
    (constant,) = checks({16: 1.0}, {})
    assert not constant.passed


def test_a_stream_runs_one_step_a_frame_and_a_window_sixteen():
    rows = np.zeros((3, 4), np.float32)
    for mode, steps in (("stream", 40), ("window", sum(min(n, 16) for n in range(1, 41)))):
        model = _Model()
        stream = Stream(TemporalStage(model, mode=mode), rows)
        assert stream.grow(40, until_s=float("inf"))
        assert (stream.length, model.steps) == (40, steps)
    assert not Stream(TemporalStage(_Model(), mode="stream"), rows).grow(40, until_s=0.0)
    model = _Model()
    rerun_whole(model, rows, 40)
    assert model.steps == 40


def test_every_mode_is_measured_at_its_lengths(monkeypatch):
    lengths = (16, 32, 128)
    monkeypatch.setattr("benchmarks.streaming.LENGTHS", lengths)
    collected = Collected("streaming")
    medians = measure(_Stages(), 5.0, collected)
    assert tuple(medians["stream"]) == lengths
    assert set(medians["window"]) == {16, 32}
    assert 16 in medians["whole"]
    assert len(collected.records) == 3 * len(lengths)
    for record in collected.records:
        assert (record.summary is None) == bool(record.note)
        assert record.length in lengths
