"""Which backend opens a graph: what the user named, else the fastest that may, measured once."""

import itertools
import json
import logging
from pathlib import Path

import pytest

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.backends.factory import open_session
from realtime_vibe.backends.fastest import (
    BUDGET_S,
    FEWEST_ROUNDS,
    MOST_ROUNDS,
    WARMUP_RUNS,
    ChoiceCache,
    cache_file,
    cached_choice,
    choice_key,
    fastest,
    median_times_ms,
    open_fastest,
)
from realtime_vibe.backends.graph import Graph, resolved
from realtime_vibe.errors import BackendUnavailableError, EngineError

CPU = ("onnxruntime", "openvino", "openvino-bf16")


class Clock:
    """Time that only passes when somebody works or sleeps."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


class Session:
    """Takes as long as its backend is said to."""

    inputs = (TensorSpec(name="x", shape=("P", 3), dtype="float32"),)
    outputs = ()

    def __init__(self, name, run_s, clock):
        self.backend = f"{name}:CPU"
        self.run_s, self.clock = run_s, clock
        self.runs, self.is_closed = 0, False

    def run(self, feeds):
        assert feeds["x"].shape == (1, 3)
        self.runs += 1
        if self.run_s is None:
            raise EngineError("no kernel for it")
        self.clock.sleep(self.run_s)
        return {}

    def close(self):
        self.is_closed = True


class World:
    """Backends with stated speeds; None: cannot run, absent: cannot load."""

    def __init__(self, tmp_path, installed=CPU, **run_ms):
        self.clock = Clock()
        self.run_s = {
            name.replace("_", "-"): value and value / 1e3 for name, value in run_ms.items()
        }
        self.installed = installed
        self.cache = ChoiceCache(tmp_path / "cache" / "backends.json")
        self.opened = []

    def open_with(self, backend, graph, num_threads):
        if backend not in self.run_s:
            raise EngineError(f"{backend} cannot load it")
        session = Session(backend, self.run_s[backend], self.clock)
        self.opened.append(session)
        return session

    def open(self, graph=None, *, num_threads=2):
        return open_fastest(
            graph or _graph(),
            self.installed,
            self.cache,
            num_threads=num_threads,
            open_with=self.open_with,
            measure=lambda sessions: median_times_ms(
                sessions, clock=self.clock, sleep=self.clock.sleep
            ),
        )

    def cached(self):
        return cached_choice(_graph(), self.installed, self.cache, num_threads=2)


def _graph(sha256="abc", **build):
    return Graph(path=Path("landmarks.onnx"), sha256=sha256, **build)


def test_the_fastest_is_taken_kept_and_named(tmp_path, caplog):
    world = World(tmp_path, onnxruntime=4.3, openvino=2.9, openvino_bf16=2.0)
    with caplog.at_level(logging.INFO):
        session = world.open()
    assert session.backend == "openvino:CPU"  # bf16 would be faster, but nobody allowed it
    assert caplog.messages == ["landmarks: openvino 2.9 ms, onnxruntime 4.3 ms"]
    assert [s.is_closed for s in world.opened] == [True, False]

    caplog.clear()
    again = World(tmp_path, onnxruntime=1.0, openvino=2.9)  # it is not measured again
    assert again.cached() == "openvino"
    with caplog.at_level(logging.INFO):
        assert again.open().backend == "openvino:CPU"
    assert len(again.opened) == 1
    assert again.opened[0].runs == 0
    assert caplog.messages == []


def test_bf16_is_taken_where_its_parity_is_stated(tmp_path):
    world = World(tmp_path, onnxruntime=4.3, openvino=2.9, openvino_bf16=2.0)
    graph = _graph(allowed_precisions=("fp32", "bf16"))
    assert world.open(graph).backend == "openvino-bf16:CPU"


def test_another_situation_is_measured_anew(tmp_path, subtests):
    for change in ["graph", "threads", "backends"]:
        with subtests.test(change=change):
            World(tmp_path, onnxruntime=4.3, openvino=2.9).open()
            installed = (
                ("onnxruntime", "openvino", "onnxruntime-cuda") if change == "backends" else CPU
            )
            world = World(tmp_path, installed, onnxruntime=1.0, openvino=2.9, onnxruntime_cuda=9.0)
            graph = _graph("def") if change == "graph" else _graph()
            opened = world.open(graph, num_threads=1 if change == "threads" else 2)
            assert opened.backend == "onnxruntime:CPU"


def test_other_versions_are_another_situation(monkeypatch):
    from realtime_vibe.backends import fastest as module

    before = choice_key(_graph(), CPU, 2)
    assert choice_key(_graph(), CPU, 2) == before
    monkeypatch.setattr(module, "package_version", lambda _: "99.0")
    assert choice_key(_graph(), CPU, 2) != before


def test_a_hair_faster_changes_nothing(tmp_path):
    world = World(tmp_path, onnxruntime=4.0, openvino=3.9)
    assert world.open().backend == "onnxruntime:CPU"
    assert fastest({"a": 4.0, "b": 3.7}) == "b"


def test_measuring_ends_in_time():
    clock = Clock()
    slow = {"a": Session("a", 1.0, clock), "b": Session("b", 0.001, clock)}
    times_ms = median_times_ms(slow, clock=clock, sleep=clock.sleep)
    assert slow["a"].runs == slow["b"].runs == WARMUP_RUNS + FEWEST_ROUNDS
    assert times_ms == pytest.approx({"a": 1000.0, "b": 1.0})
    start_s = clock()
    quick = {"a": Session("a", 1e-4, clock), "b": Session("b", 1e-4, clock)}
    median_times_ms(quick, clock=clock, sleep=clock.sleep)
    assert quick["a"].runs == WARMUP_RUNS + MOST_ROUNDS
    assert clock() - start_s < BUDGET_S


def test_one_slow_run_decides_nothing():
    clock = Clock()
    hiccup = Session("a", 0.001, clock)
    durations = itertools.chain([0.001] * 4, [5.0], itertools.repeat(0.001))
    hiccup.run = lambda _: clock.sleep(next(durations))
    steady = Session("b", 0.002, clock)
    times_ms = median_times_ms({"a": hiccup, "b": steady}, clock=clock, sleep=clock.sleep)
    assert fastest(times_ms) == "a"


def test_who_cannot_load_or_run_is_left_out_aloud(tmp_path, caplog):
    world = World(tmp_path, onnxruntime=4.0)
    assert world.open().backend == "onnxruntime:CPU"
    assert "openvino cannot load it" in caplog.text
    caplog.clear()
    world = World(tmp_path / "other", onnxruntime=4.0, openvino=None)
    assert world.open().backend == "onnxruntime:CPU"
    assert "openvino is left out: no kernel for it" in caplog.text


def test_when_nobody_can_the_reason_is_given(tmp_path):
    with pytest.raises(EngineError, match="onnxruntime cannot load it"):
        World(tmp_path).open()
    world = World(tmp_path, onnxruntime=None, openvino=None)
    with pytest.raises(BackendUnavailableError, match="runs on none of onnxruntime, openvino"):
        world.open()
    assert all(session.is_closed for session in world.opened)


def test_a_damaged_cache_is_measured_over(tmp_path, subtests):
    world = World(tmp_path, onnxruntime=4.3, openvino=2.9)
    world.cache.path.parent.mkdir()
    for damage in [
        "",
        "{",
        "[]",
        '{"format_version": 99}',
        '{"format_version": 2, "choices": {"k": 7}}',
        "\0\xff",
    ]:
        with subtests.test(damage=damage):
            world.cache.path.write_bytes(damage.encode("latin-1"))
            assert world.open().backend == "openvino:CPU"
            assert world.cached() == "openvino"


def test_a_cache_that_names_nonsense_is_measured_over(tmp_path):
    world = World(tmp_path, onnxruntime=4.3, openvino=2.9)
    world.open()
    content = json.loads(world.cache.path.read_text())
    content["choices"] = dict.fromkeys(content["choices"], "tensorrt")
    world.cache.path.write_text(json.dumps(content))
    assert world.cached() is None
    assert world.open().backend == "openvino:CPU"


def test_a_choice_that_no_longer_loads_is_measured_over(tmp_path):
    World(tmp_path, onnxruntime=4.3, openvino=2.9).open()
    world = World(tmp_path, onnxruntime=4.3)
    assert world.open().backend == "onnxruntime:CPU"


def test_a_folder_that_cannot_be_written_costs_debug_lines(tmp_path, caplog):
    world = World(tmp_path, onnxruntime=4.3, openvino=2.9)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with caplog.at_level(logging.DEBUG, logger="realtime_vibe"):
        for sha256 in ("abc", "def"):
            session = world.open(_graph(sha256))
            assert session.backend == "openvino:CPU"
    kept = [record for record in caplog.records if "are not kept" in record.message]
    assert {record.levelno for record in kept} == {logging.DEBUG}


def test_the_cache_keeps_other_choices_and_leaves_no_parts(tmp_path):
    world = World(tmp_path, onnxruntime=4.3, openvino=2.9)
    world.open(_graph("a"))
    world.open(_graph("b"))
    content = json.loads(world.cache.path.read_text())
    assert len(content["choices"]) == 2
    assert [path.name for path in world.cache.path.parent.iterdir()] == ["backends.json"]


def test_the_cache_lies_where_the_user_wants_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_file() == tmp_path / "realtime-vibe" / "backends.json"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_file().is_absolute()
    assert cache_file() != tmp_path / "realtime-vibe" / "backends.json"


def test_one_candidate_is_not_measured(tmp_path):
    world = World(tmp_path, ("onnxruntime",), onnxruntime=4.3)
    assert world.cached() == "onnxruntime"
    assert world.open().backend == "onnxruntime:CPU"
    assert world.opened[0].runs == 0
    assert not world.cache.path.exists()


def test_built_files_only_open_with_their_own_backend(tmp_path):
    built = _graph(target="tensorrt", precision="fp16")
    with pytest.raises(
        EngineError, match=r"built for tensorrt, got --backend openvino: expected --b"
    ):
        resolved(built, "openvino")
    assert resolved(built, "tensorrt") == "tensorrt"
    with pytest.raises(
        EngineError,
        match=r"built for onnx, got --backend tensorrt.*export\.build ENGINE --target ten",
    ):
        resolved(_graph(), "tensorrt")
    with pytest.raises(
        EngineError, match=r"torch-tensorrt, which only `python -m benchmarks` runs"
    ):
        World(tmp_path).open(_graph(target="torch-tensorrt"))


def test_the_precision_a_folder_was_built_in_is_kept(tmp_path):
    world = World(tmp_path, onnxruntime=4.3, openvino=2.9, openvino_bf16=2.0)
    built = _graph(target="openvino", precision="bf16")
    assert world.open(built).backend == "openvino-bf16:CPU"
    assert resolved(built, "openvino") == resolved(built, "openvino-bf16") == "openvino-bf16"
    built = _graph(target="openvino", precision="int8")
    with pytest.raises(EngineError, match=r"built in int8, got --backend openvino-bf16.*rebuild"):
        resolved(built, "openvino-bf16")


def test_unknown_backends_list_the_known():
    with pytest.raises(BackendUnavailableError, match=r"unknown backend 'tpu'.*openvino-bf16"):
        open_session(_graph(), "tpu")
