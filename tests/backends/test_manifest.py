"""Engine folders: what is there is checked, what is wrong is named."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from realtime_vibe.backends.build import Build
from realtime_vibe.backends.engine_folder import engine_folder, engine_names
from realtime_vibe.backends.manifest import file_sha256, load_manifest, open_graph
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
        "frame_rate_hz": [10, 60],
        "licence": "Apache-2.0",
    }
    (folder / "engine.json").write_text(json.dumps(manifest))
    return folder


def _edit(folder, change):
    content = json.loads((folder / "engine.json").read_text())
    change(content)
    (folder / "engine.json").write_text(json.dumps(content))


def test_a_good_engine_runs(engine):
    manifest = load_manifest(engine)
    assert manifest.extra["licence"] == "Apache-2.0"
    with open_graph(manifest, "step", "onnxruntime") as session:
        out = session.run({"x": np.ones((2, 3), np.float32)})
        assert session.backend == "onnxruntime:CPU"
    np.testing.assert_array_equal(out["y"], np.full((2, 3), 2.0))


def test_a_changed_file_is_refused(engine):
    with (engine / "step.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(EngineError, match=r"step\.onnx has sha256 .* says .*rebuild"):
        load_manifest(engine)


def test_a_missing_file_is_named(engine):
    (engine / "body.npz").unlink()
    with pytest.raises(EngineError, match=r"lacks body\.npz"):
        load_manifest(engine)


def test_a_wrong_manifest_is_refused(engine, subtests):
    intact = (engine / "engine.json").read_text()
    for change, message in [
        (lambda c: c.update(format_version=99), "format version 99, expected 1"),
        (lambda c: c.pop("graphs"), "graphs"),
        (lambda c: c.pop("frame_rate_hz"), "frame_rate_hz"),
        (lambda c: c["graphs"]["step"].update(file="../step.onnx"), "expected a file beside it"),
        (lambda c: c.update(graphs=7), "garbles"),
    ]:
        with subtests.test(message):
            (engine / "engine.json").write_text(intact)
            _edit(engine, change)
            with pytest.raises(EngineError, match=message):
                load_manifest(engine)


def test_garbage_json_is_refused(engine):
    (engine / "engine.json").write_text("{")
    with pytest.raises(EngineError, match=r"engine\.json cannot be read"):
        load_manifest(engine)


@pytest.mark.parametrize(
    ("key", "value"), [("shape", ["P", 4]), ("dtype", "float16"), ("name", "z")]
)
def test_other_shapes_than_stated_are_refused(engine, key, value):
    _edit(engine, lambda c: c["graphs"]["step"]["inputs"][0].update({key: value}))
    with pytest.raises(EngineError, match=r"step\.onnx: inputs are"):
        open_graph(load_manifest(engine), "step", "auto")


def test_a_truncated_graph_with_the_right_hash_is_refused(engine):
    data = (engine / "step.onnx").read_bytes()
    (engine / "step.onnx").write_bytes(data[: len(data) // 2])
    _edit(engine, lambda c: c["graphs"]["step"].update(sha256=file_sha256(engine / "step.onnx")))
    with pytest.raises(EngineError, match="cannot be loaded by ONNX Runtime"):
        open_graph(load_manifest(engine), "step", "auto")


def test_what_it_was_built_for_is_read(engine):
    manifest = load_manifest(engine)
    assert manifest.build == Build()
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
    build = load_manifest(engine).build
    assert (build.target, build.precision) == ("tensorrt-rtx", "fp16")
    assert build.allowed_precisions == ("fp32", "bf16")
    assert build.versions == {"tensorrt-rtx": "1.7.1"}
    assert build.compute_capabilities == ("8.6", "8.9")
    _edit(engine, lambda c: c["built"].update(compute_capability="8.9"))
    assert load_manifest(engine).build.compute_capabilities == ("8.9",)
    _edit(engine, lambda c: c["graphs"]["step"].update(precision="fp32"))
    changed = load_manifest(engine)
    assert (changed.precision, changed.graphs["step"].build.precision) == ("fp16", "fp32")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "coreml"}, r"target 'coreml' \(expected one of onnx, openvino, tensorrt"),
        ({"allowed_precisions": [16]}, r"\[16\] \(expected text or a list of texts\)"),
        ({"built": {"versions": 7}}, "garbles"),
    ],
)
def test_a_wrong_build_is_refused(engine, change, message):
    _edit(engine, lambda c: c.update(change))
    with pytest.raises(EngineError, match=message):
        load_manifest(engine)


def test_a_folder_built_for_tensorrt_says_so_to_others(engine):
    _edit(engine, lambda c: c.update(target="tensorrt", precision="fp16"))
    manifest = load_manifest(engine)
    with pytest.raises(EngineError, match=r"built for tensorrt, got --backend onnxruntime"):
        open_graph(manifest, "step", "onnxruntime")


def test_weights_beside_a_graph_are_checked(engine):
    (engine / "step.bin").write_bytes(b"weights")
    stated = {"file": "step.bin", "sha256": file_sha256(engine / "step.bin")}
    _edit(engine, lambda c: c["graphs"]["step"].update(weights=stated))
    load_manifest(engine)
    (engine / "step.bin").write_bytes(b"others")
    with pytest.raises(EngineError, match=r"step\.bin has sha256"):
        load_manifest(engine)


def test_unknown_engines_list_the_known(tmp_path):
    assert "blazepose-gru" in engine_names()
    with pytest.raises(EngineError, match=r"no engine 'nonsense'.*blazepose-gru"):
        engine_folder("nonsense")
    with pytest.raises(EngineError, match=r"no engine\.json"):
        load_manifest(tmp_path)


def test_an_engine_may_be_anywhere(engine, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(engine, moved)
    assert load_manifest(engine_folder(str(moved))).name == "tiny"
