"""Covers TensorRT-RTX engines, really compiled without a GPU and read back, and the targets that need a GPU."""

import importlib.util
import json
import shutil
from pathlib import Path

import onnx
import pytest

from export.build import main
from export.precision_graphs import in_half
from export.tensorrt_rtx_target import (
    DEFAULT_CAPABILITIES,
    TensorRtRtxTarget,
    check_engine_file,
    compiled_capabilities,
)
from export.tensorrt_target import TensorRtTarget
from realtime_vibe.backends.cuda_driver import CudaDevice
from realtime_vibe.backends.graph_folder import Engine, file_sha256
from realtime_vibe.backends.tensorrt_library import is_installed, load_tensorrt
from realtime_vibe.errors import BackendUnavailableError, EngineError, ExportError
from realtime_vibe.sources.video_file import demo_clip_path
from realtime_vibe.system.machine import install_command
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder

ENGINES = Path(__file__).resolve().parents[2] / "engines"
needs_rtx = pytest.mark.skipif(
    not is_installed("tensorrt-rtx"),
    reason="TensorRT-RTX is not installed",
)


def spec_of(name):
    folder, graph = name.split("/")
    kind = BlazePoseFolder if folder == "blazepose" else Engine
    return kind(ENGINES / folder).graph(graph)


def has_gpu():
    try:
        CudaDevice().close()
    except BackendUnavailableError:
        return False
    return True


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The step, compiled for all GPUs."""
    target, spec = TensorRtRtxTarget(), spec_of("blazepose-gru/step")
    target.prepare()
    path = tmp_path_factory.mktemp("compiled") / "step"
    return target.write(in_half(onnx.load(str(spec.path))), spec, path, "fp16")


@needs_rtx
def test_half_graphs_compile_for_all_gpus_and_read_back(compiled):
    spec = spec_of("blazepose-gru/step")
    assert compiled.name == "step.rtx"
    content = compiled.read_bytes()
    assert set(compiled_capabilities(content)) == set(DEFAULT_CAPABILITIES)
    check_engine_file(compiled, spec, load_tensorrt("tensorrt-rtx").version, DEFAULT_CAPABILITIES)
    for item in (*spec.inputs, *spec.outputs):
        assert item.name.encode() in content


@needs_rtx
@pytest.mark.slow
def test_the_papers_backbone_and_step_compile(official_engine, tmp_path):
    target = TensorRtRtxTarget(["8.9"])
    target.prepare()
    for name, spec in Engine(official_engine).graphs().items():
        path = target.write(in_half(onnx.load(str(spec.path))), spec, tmp_path / name, "fp16")
        # In half indeed: a compiler that fell back to single would keep all four bytes of a weight.
        assert path.stat().st_size < 0.55 * spec.path.stat().st_size


@needs_rtx
def test_an_engine_is_for_the_gpus_that_were_named(tmp_path):
    spec = spec_of("blazepose/detector")
    target = TensorRtRtxTarget(["12.0"])
    target.prepare()
    path = target.write(in_half(onnx.load(str(spec.path))), spec, tmp_path / "graph", "fp16")
    assert compiled_capabilities(path.read_bytes()) == ("12.0",)
    assert target.built()["compute_capability"] == ["12.0"]


@needs_rtx
def test_a_cut_or_foreign_engine_file_is_noticed(compiled, tmp_path):
    spec = spec_of("blazepose-gru/step")
    path = Path(shutil.copy(compiled, tmp_path))
    version, content = load_tensorrt("tensorrt-rtx").version, path.read_bytes()
    with pytest.raises(ExportError, match=r"expected 0\.0\.0\.1"):
        check_engine_file(path, spec, "0.0.0.1", DEFAULT_CAPABILITIES)
    with pytest.raises(ExportError, match="compute capability"):
        check_engine_file(path, spec, version, ["8.9"])
    with pytest.raises(ExportError, match="no input or output image_bgr"):
        check_engine_file(path, spec_of("blazepose/landmarks"), version, DEFAULT_CAPABILITIES)
    path.write_bytes(content[:-1])
    with pytest.raises(ExportError, match="expected a whole engine"):
        check_engine_file(path, spec, version, DEFAULT_CAPABILITIES)


@needs_rtx
def test_an_unknown_gpu_is_refused_with_the_known_ones():
    with pytest.raises(ExportError, match=r"for compute capability 9\.0: expected 7\.5, 8\.0"):
        TensorRtRtxTarget(["9.0"]).prepare()


@needs_rtx
def test_single_precision_products_do_not_compile_for_turing_and_say_so(tmp_path):
    spec = spec_of("blazepose-gru/step")
    target = TensorRtRtxTarget(["7.5"])
    target.prepare()
    with pytest.raises(ExportError, match="FP32 GEMM is not supported"):
        target.write(onnx.load(str(spec.path)), spec, tmp_path / "step", "fp32")
    assert list(tmp_path.iterdir()) == []


@needs_rtx
def test_the_whole_engine_with_its_tracker(tmp_path, capsys):
    out = tmp_path / "rtx"
    arguments = ["--target", "tensorrt-rtx", "--precision", "fp16", "--compute-capability", "8.9"]
    few = ["--frames", "6", "--calibrate", str(demo_clip_path())]
    assert main([str(ENGINES / "blazepose-gru"), *arguments, *few, "--out", str(out)]) == 0
    content = json.loads((out / "engine.json").read_text())
    assert content["graphs"]["step"]["file"] == "step.rtx"
    assert content["graphs"]["step"]["sha256"] == file_sha256(out / "step.rtx")
    assert content["built"]["versions"] == {"tensorrt-rtx": load_tensorrt("tensorrt-rtx").version}
    assert content["built"]["compute_capability"] == ["8.9"]
    on_target = content["measured"]["parity_build"]["parity_on_target"]
    assert on_target == ("run" if has_gpu() else "not run: no GPU")
    assert sorted(path.name for path in (out / "tracker").glob("*.rtx")) == [
        "detector.rtx",
        "landmarks.rtx",
        "landmarks_heat.rtx",
    ]
    with pytest.raises(EngineError, match="built for tensorrt-rtx"):
        Engine(out, "onnxruntime").session("step")
    if not has_gpu():
        with pytest.raises(BackendUnavailableError, match="driver"):
            Engine(out, "tensorrt-rtx").session("step")


def test_tensorrt_compiles_on_a_gpu(tmp_path):
    if not is_installed("tensorrt"):
        pytest.skip("TensorRT is not installed")
    if not has_gpu():
        pytest.skip("there is no NVIDIA GPU here")
    spec = spec_of("blazepose-gru/step")
    target = TensorRtTarget()
    target.prepare()
    path = target.write(in_half(onnx.load(str(spec.path))), spec, tmp_path / "step", "fp16")
    session = target.open(path, "fp16")
    assert session is not None
    with session:
        assert {item.name for item in session.outputs} == {item.name for item in spec.outputs}


def test_torch_tensorrt_compiles_on_a_gpu(tmp_path):
    pytest.importorskip("torch_tensorrt", reason="torch-tensorrt is not installed")
    if not has_gpu():
        pytest.skip("there is no NVIDIA GPU here")
    from export.torch_tensorrt_target import TorchTensorRtTarget

    spec = spec_of("blazepose-gru/step")
    target = TorchTensorRtTarget()
    target.prepare()
    assert target.write(onnx.load(str(spec.path)), spec, tmp_path / "step", "fp32").is_file()


@pytest.mark.parametrize(
    ("target", "module", "extra"),
    [("tensorrt", "tensorrt", "tensorrt"), ("torch-tensorrt", "torch_tensorrt", "torch-tensorrt")],
)
def test_a_missing_library_is_one_line_with_the_remedy(target, module, extra, tmp_path, capsys):
    if importlib.util.find_spec(module) is not None:
        pytest.skip(f"{module} is installed")
    arguments = ["--target", target, "--precision", "fp16", "--out", str(tmp_path / "out")]
    assert main([str(ENGINES / "blazepose-gru"), *arguments]) == 2
    said = capsys.readouterr().err
    assert install_command(extra) in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
