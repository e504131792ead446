"""Timing graphs: which backends a folder asks for, feeds that fit, and the commands on the default engine."""

import json
import shutil

import numpy as np
import pytest

from benchmarks import rest
from benchmarks.__main__ import main as run
from benchmarks.graphs import engine_graphs, random_feeds
from benchmarks.results import read
from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.backends.factory import installed_backends
from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.errors import EngineError


def test_graphs_of_the_engines_that_ship():
    landmarks, detector = engine_graphs(engine_folder("blazepose"))
    (step,) = engine_graphs(engine_folder("blazepose-gru"))
    assert [graph.title for graph in (landmarks, detector, step)] == [
        "blazepose landmarks_heat",
        "blazepose detector",
        "blazepose-gru step",
    ]
    assert [graph.has_people for graph in (landmarks, detector, step)] == [False, False, True]
    assert step.backends(installed_backends()) == installed_backends()
    assert step.backends(()) == ()


def test_a_built_folder_runs_on_its_own_backend_alone(tmp_path):
    folder = tmp_path / "built"
    shutil.copytree(engine_folder("blazepose-gru"), folder)
    path = folder / "engine.json"
    content = json.loads(path.read_text())
    installed = ("onnxruntime", "openvino", "openvino-bf16", "tensorrt")
    for target, precision, expected in (
        ("openvino", "int8", ("openvino",)),
        ("openvino", "bf16", ("openvino-bf16",)),
        ("tensorrt", "fp16", ("tensorrt",)),
        ("tensorrt-rtx", "fp16", ()),
    ):
        path.write_text(json.dumps({**content, "target": target, "precision": precision}))
        (graph,) = engine_graphs(folder)
        assert graph.backends(installed) == expected
        assert (graph.target, graph.precision) == (target, precision)
        assert graph.title == "blazepose-gru step"


def test_a_folder_without_graphs_is_refused(tmp_path):
    with pytest.raises(EngineError, match=r"engine\.json"):
        engine_graphs(tmp_path)


def test_feeds_have_the_graphs_shapes_and_types():
    specs = (
        TensorSpec(name="crop", shape=("P", 4, 4, 3), dtype="uint8"),
        TensorSpec(name="hidden", shape=(2, "P", 8), dtype="float16"),
    )
    feeds = random_feeds(specs, 3)
    assert {name: (array.shape, array.dtype) for name, array in feeds.items()} == {
        "crop": ((3, 4, 4, 3), np.uint8),
        "hidden": ((2, 3, 8), np.float16),
    }
    again = random_feeds(specs, 3)
    assert all(np.array_equal(feeds[name], again[name]) for name in feeds)


def test_backends_are_timed_in_turn_and_kept(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    arguments = ["backends", "--only", "gru", "--seconds", "0.2", "--people", "2"]
    absent = ["--vibe-engine", str(tmp_path / "absent"), "--json", str(path)]
    assert run([*arguments, *absent]) == 0
    out = capsys.readouterr().out
    assert "no ResNet-50 engine at" in out
    records = [record for record in read([path]) if record.case != "all graphs"]
    assert [record.backend for record in records] == list(installed_backends())
    assert len({record.summary.n for record in records}) == 1
    assert all(record.people == 2 for record in records)


def test_torch_takes_part_where_the_networks_are_large(monkeypatch):
    pytest.importorskip("torch")
    from benchmarks.torch_sessions import step_session

    with step_session("eager") as session:
        out = session.run(random_feeds(session.inputs, 2))
        assert [array.shape for array in out.values()] == [
            tuple(2 if size == "P" else size for size in spec.shape) for spec in session.outputs
        ]
        assert session.backend == "torch-eager"
    with pytest.raises(RuntimeError, match="closed"):
        session.run(random_feeds(session.inputs, 1))


def test_people_and_soak_run_on_the_default_engine(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rest, "_CLIP_FRAMES", 10)
    path = tmp_path / "a.jsonl"
    common = ["--engine", "blazepose-gru", "--backend", "onnxruntime", "--json", str(path)]
    assert run(["people", "--most", "2", "--seconds", "0.2", *common]) == 0
    assert run(["soak", "--mode", "step", "--frames", "120", "--limit-mb", "500", *common]) == 0
    assert run(["soak", "--frames", "60", "--limit-mb", "500", *common]) == 0
    records = {record.key[1:]: record for record in read([path])}
    assert records["blazepose-gru, 2 people", "frame"].people == 2
    assert records["blazepose-gru, step, 120 frames", "step"].summary.n == 96
    live = records["blazepose-gru, live, 60 frames", "memory"]
    assert live.summary.min > 10
    assert records["blazepose-gru, live, 60 frames", "dropped"].samples == (0.0,)
    assert "last tenth against first" in capsys.readouterr().out


def test_the_command_lists_what_there_is(capsys):
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    for name in ("latency", "tracker_models", "backends", "peers", "streaming", "people", "glass", "soak", "accuracy",
                 "stillness", "report", "compare"):  # fmt: skip
        assert f"\n  {name} " in listed
        with pytest.raises(SystemExit) as ended:
            run([name, "--help"])
        assert ended.value.code == 0
        assert "usage: python -m benchmarks" in capsys.readouterr().out
    assert run([]) == 2
    capsys.readouterr()
    assert run(["nonsense"]) == 2
    assert "no benchmark 'nonsense'" in capsys.readouterr().err


def test_every_refusal_is_one_line_and_status_2(capsys, tmp_path, subtests):
    for arguments in [
        ["latency", "--engine", "absent"],
        ["latency", "--frames", "10"],
        ["latency", "--source", "absent.mp4"],
        ["people", "--engine", "absent"],
        ["people", "--backend", "nonsense"],
        ["streaming", "--engine", "absent"],
        ["soak", "--engine", "absent", "--frames", "50"],
        ["backends", "--engine", "absent"],
    ]:
        with subtests.test(arguments=arguments):
            assert run([*arguments, "--json", str(tmp_path / "x.jsonl")]) == 2
            error = capsys.readouterr().err
            assert error.startswith(f"benchmarks {arguments[0]}: error: ")
            assert error.count("\n") == 1
