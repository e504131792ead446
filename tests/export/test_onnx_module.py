"""Covers ONNX graphs as torch modules: they compute the same, and torch.export keeps the number of people free."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.onnx_module import OnnxModule
from export.precision_graphs import in_half
from export.torch_tensorrt_target import exported_program
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import ExportError
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder

ENGINES = Path(__file__).resolve().parents[2] / "engines"
GRAPHS = (
    "blazepose-gru/step",
    "blazepose/detector",
    "blazepose/landmarks",
    "blazepose/landmarks_heat",
)


def spec_of(name):
    folder, graph = name.split("/")
    kind = BlazePoseFolder if folder == "blazepose" else Engine
    return kind(ENGINES / folder).graph(graph)


def feeds_of(spec, people, seed=0):
    rng = np.random.default_rng(seed)
    feeds = {}
    for item in spec.inputs:
        shape = [size if isinstance(size, int) else people for size in item.shape]
        if item.dtype == "uint8":
            feeds[item.name] = rng.integers(0, 256, shape).astype(np.uint8)
        else:
            feeds[item.name] = rng.normal(0, 0.3, shape).astype(np.float32)
    return feeds


def assert_same(spec, run, people, tolerance=5e-4):
    feeds = feeds_of(spec, people)
    with OnnxRuntimeSession(spec.path, num_threads=1) as session:
        expected = session.run(feeds)
    with torch.no_grad():
        found = run(*(torch.from_numpy(value) for value in feeds.values()))
    for item, value in zip(spec.outputs, found, strict=True):
        wanted = expected[item.name]
        assert value.shape == wanted.shape
        scale = max(float(np.abs(wanted).max()), 1e-3)
        assert np.abs(value.numpy() - wanted).max() <= tolerance * scale, item.name


def test_torch_computes_what_onnx_runtime_computes(subtests):
    for name in GRAPHS:
        with subtests.test(name=name):
            spec = spec_of(name)
            assert_same(spec, OnnxModule(onnx.load(str(spec.path))), people=2)


def test_the_half_graph_runs_in_half():
    spec = spec_of("blazepose-gru/step")
    module = OnnxModule(in_half(onnx.load(str(spec.path))))
    halves = sum(buffer.numel() for buffer in module.buffers() if buffer.dtype == torch.float16)
    assert halves > 1_000_000
    assert_same(spec, module, people=1, tolerance=2e-2)


@pytest.mark.timeout(600)
def test_an_exported_program_takes_any_number_of_people(quick_recipe):
    spec = Engine(quick_recipe / "out" / "engine" / "blazepose-gru").graph("step")
    program = exported_program(onnx.load(str(spec.path)), spec, "cpu")
    for people in (1, 3):
        assert_same(spec, program.module(), people)


def test_an_exported_program_of_pictures():
    spec = spec_of("blazepose/landmarks_heat")
    program = exported_program(onnx.load(str(spec.path)), spec, "cpu")
    assert_same(spec, program.module(), people=1)


def test_an_unknown_operator_is_refused():
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Erf", ["x"], ["y"])],
        "erf",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
    )
    with pytest.raises(ExportError, match="Erf"):
        OnnxModule(onnx.helper.make_model(graph))
