"""Engine folders: what is there is checked, what is wrong is named."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.graph_folder import Engine, engine_names, file_sha256
from realtime_vibe.errors import EngineError


def _graph(path, out_name="y"):
    """A graph that doubles (P, 3) float32."""
    node = helper.make_node("Add", ["x", "x"], [out_name])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "double",
        [value("x", TensorProto.FLOAT, ["P", 3])],
        [value(out_name, TensorProto.FLOAT, ["P", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path)


@pytest.fixture
def engine(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    _graph(folder / "step.onnx")
    (folder / "body.npz").write_bytes(b"any")
    tensor = {"shape": ["P", 3], "dtype": "float32"}
    manifest = {
        "format_version": 1,
        "name": "tiny",
        "family": "blazepose-gru",
        "precision": "fp32",
        "graphs": {
            "step": {
                "file": "step.onnx",
                "sha256": file_sha256(folder / "step.onnx"),
                "inputs": [{"name": "x", **tensor}],
                "outputs": [{"name": "y", **tensor}],
            }
        },
        "body": {"file": "body.npz", "sha256": file_sha256(folder / "body.npz")},
        "features": {"layout": "any", "version": 1, "size": 3, "crop_scale": 1.1},
        "licence": "Apache-2.0",
    }
    (folder / "engine.json").write_text(json.dumps(manifest))
    return folder


def _edit(folder, change):
    content = json.loads((folder / "engine.json").read_text())
    change(content)
    (folder / "engine.json").write_text(json.dumps(content))


def test_a_good_engine_runs(engine):
    opened = Engine(engine, "onnxruntime")
    assert opened.content["licence"] == "Apache-2.0"
    with opened.session("step") as session:
        out = session.run({"x": np.ones((2, 3), np.float32)})
    assert opened.used == {"step": "onnxruntime:CPU"}
    np.testing.assert_array_equal(out["y"], np.full((2, 3), 2.0))


def test_a_changed_file_is_refused(engine):
    with (engine / "step.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(EngineError, match=r"step\.onnx has sha256 .* says .*rebuild"):
        Engine(engine)


def test_a_missing_file_is_named(engine):
    (engine / "body.npz").unlink()
    with pytest.raises(EngineError, match=r"lacks body\.npz"):
        Engine(engine)


def test_a_wrong_manifest_is_refused(engine, subtests):
    intact = (engine / "engine.json").read_text()
    for change, message in [
        (lambda c: c.update(format_version=99), "format version 99, expected 1"),
        (lambda c: c.pop("graphs"), "graphs"),
        (lambda c: c.pop("features"), "features"),
        (lambda c: c["graphs"]["step"].update(file="../step.onnx"), "expected a file beside it"),
        (lambda c: c.update(graphs=7), "cannot be read"),
    ]:
        with subtests.test(message):
            (engine / "engine.json").write_text(intact)
            _edit(engine, change)
            with pytest.raises(EngineError, match=message):
                Engine(engine)


def test_garbage_json_is_refused(engine):
    (engine / "engine.json").write_text("{")
    with pytest.raises(EngineError, match=r"engine\.json: cannot be read"):
        Engine(engine)


@pytest.mark.parametrize(
    ("key", "value"), [("shape", ["P", 4]), ("dtype", "float16"), ("name", "z")]
)
def test_other_shapes_than_stated_are_refused(engine, key, value):
    _edit(engine, lambda c: c["graphs"]["step"]["inputs"][0].update({key: value}))
    with pytest.raises(EngineError, match=r"step\.onnx: inputs are"):
        Engine(engine).session("step")


def test_a_truncated_graph_with_the_right_hash_is_refused(engine):
    data = (engine / "step.onnx").read_bytes()
    (engine / "step.onnx").write_bytes(data[: len(data) // 2])
    _edit(engine, lambda c: c["graphs"]["step"].update(sha256=file_sha256(engine / "step.onnx")))
    with pytest.raises(EngineError, match="cannot be loaded by ONNX Runtime"):
        Engine(engine).session("step")


def test_what_it_was_built_for_is_read(engine):
    plain = Graph(path=engine)
    step = Engine(engine).graph("step")
    for field in ("target", "precision", "allowed_precisions", "versions", "compute_capabilities"):
        assert getattr(step, field) == getattr(plain, field)
    _edit(
        engine,
        lambda c: (
            c.update(
                target="tensorrt-rtx",
                precision="fp16",
                allowed_precisions=["fp32", "bf16"],
                built={"versions": {"tensorrt-rtx": "1.7.1"}, "compute_capability": ["8.6", "8.9"]},
            ),
        ),
    )
    opened = Engine(engine)
    step = opened.graph("step")
    assert opened.target == step.target == "tensorrt-rtx"
    assert opened.precision == step.precision == "fp16"
    assert step.allowed_precisions == ("fp32", "bf16")
    assert step.versions == {"tensorrt-rtx": "1.7.1"}
    assert step.compute_capabilities == ("8.6", "8.9")
    _edit(engine, lambda c: c["built"].update(compute_capability="8.9"))
    _edit(engine, lambda c: c["graphs"]["step"].update(precision="fp32"))
    changed = Engine(engine)
    assert changed.graph("step").compute_capabilities == ("8.9",)
    assert (changed.precision, changed.graph("step").precision) == ("fp16", "fp32")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "coreml"}, r"target 'coreml' \(expected one of onnx, openvino, tensorrt"),
        ({"allowed_precisions": [16]}, r"\[16\] \(expected text or a list of texts\)"),
        ({"built": {"versions": 7}}, "cannot be read"),
    ],
)
def test_a_wrong_build_is_refused(engine, change, message):
    _edit(engine, lambda c: c.update(change))
    with pytest.raises(EngineError, match=message):
        Engine(engine)


def test_a_folder_built_for_tensorrt_says_so_to_others(engine):
    _edit(engine, lambda c: c.update(target="tensorrt", precision="fp16"))
    with pytest.raises(EngineError, match=r"built for tensorrt, got --backend onnxruntime"):
        Engine(engine, "onnxruntime").session("step")


def test_weights_beside_a_graph_are_checked(engine):
    (engine / "step.bin").write_bytes(b"weights")
    stated = {"file": "step.bin", "sha256": file_sha256(engine / "step.bin")}
    _edit(engine, lambda c: c["graphs"]["step"].update(weights=stated))
    Engine(engine)
    (engine / "step.bin").write_bytes(b"others")
    with pytest.raises(EngineError, match=r"step\.bin has sha256"):
        Engine(engine)


def test_unknown_engines_list_the_known(tmp_path):
    assert "blazepose-gru" in engine_names()
    with pytest.raises(EngineError, match=r"no engine 'nonsense'.*blazepose-gru"):
        Engine("nonsense")
    with pytest.raises(EngineError, match=r"engine\.json: cannot be read .*No such file"):
        Engine(tmp_path)


def test_an_engine_may_be_anywhere(engine, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(engine, moved)
    assert Engine(str(moved)).name == "tiny"
