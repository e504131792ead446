"""ONNX Runtime with bound tensors: the same numbers, owned by the caller; and no silent CPU."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from realtime_vibe.backends import onnxruntime_library
from realtime_vibe.backends.factory import installed_backends, open_session
from realtime_vibe.backends.onnxruntime_cuda import OnnxRuntimeCudaSession, _run_error
from realtime_vibe.errors import BackendUnavailableError, EngineError

pytest.importorskip("onnxruntime")

STEP = Path(__file__).resolve().parents[2] / "engines" / "blazepose-gru" / "step.onnx"
PROVIDERS = [
    "CPU",
    pytest.param(
        "CUDA",
        marks=pytest.mark.skipif(
            "onnxruntime-cuda" not in installed_backends(),
            reason="needs onnxruntime-gpu and an NVIDIA GPU",
        ),
    ),
]


def _feeds(num_people, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "features": (0.3 * rng.standard_normal((num_people, 202))).astype(np.float32),
        "hidden": rng.uniform(-0.9, 0.9, (2, num_people, 512)).astype(np.float32),
    }


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_number_of_people_gives_the_same_as_a_plain_run(provider):
    with (
        open_session(STEP, "onnxruntime") as exact,
        OnnxRuntimeCudaSession(STEP, provider=provider) as session,
    ):
        assert session.inputs == exact.inputs
        assert session.outputs == exact.outputs
        kept = []
        for seed, num_people in enumerate((1, 3, 1, 2, 3, 1)):
            feeds = _feeds(num_people, seed)
            found, expected = session.run(feeds), exact.run(feeds)
            assert list(found) == list(expected)
            kept.append((found, expected))
        for found, expected in kept:  # also after later runs
            for name, value in expected.items():
                np.testing.assert_allclose(found[name], value, atol=1e-4)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_other_sizes_and_types_are_refused(provider):
    feeds = _feeds(2)
    with OnnxRuntimeCudaSession(STEP, provider=provider) as session:
        for hidden in (feeds["hidden"][:, :1], feeds["hidden"][:1], feeds["hidden"][0]):
            with pytest.raises(
                EngineError, match=r"hidden has the shape .* expected \(2, 'P', 512\)"
            ):
                session.run({**feeds, "hidden": hidden})
        with pytest.raises(TypeError, match="features is float64, expected float32"):
            session.run({**feeds, "features": feeds["features"].astype(np.float64)})
        session.run(feeds)


def test_full_memory_names_the_remedy():
    error = RuntimeError("BFCArena: Failed to allocate memory for requested buffer of size 7\nat")
    assert "size 7): close other programs" in str(_run_error(STEP, error))
    assert "nvidia-smi" in str(_run_error(STEP, RuntimeError("CUDNN failure 5000")))


def test_coreml_is_refused_where_it_is_not():
    if "onnxruntime-coreml" in installed_backends():
        pytest.skip("this machine has CoreML")
    with pytest.raises(BackendUnavailableError, match=r"no CoreMLExecutionProvider.*macOS"):
        open_session(STEP, "onnxruntime-coreml")


def _session(*assigned, providers=("CUDAExecutionProvider", "CPUExecutionProvider")):
    """What tells where the nodes are; pairs of provider and operator."""
    parts = [
        SimpleNamespace(ep_name=name, get_nodes=lambda kind=kind: [SimpleNamespace(op_type=kind)])
        for name, kind in assigned
    ]
    return SimpleNamespace(
        get_providers=lambda: list(providers), get_provider_graph_assignment_info=lambda: parts
    )


CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def test_a_session_that_fell_back_is_refused():
    with pytest.raises(BackendUnavailableError, match=r"fell back to CPUExecutionProvider"):
        onnxruntime_library._require_provider(_session(providers=(CPU,)), "CUDA", CUDA)
    left_alone = _session((CPU, "Conv"), (CPU, "MatMul"), (CUDA, "Add"))
    with pytest.raises(BackendUnavailableError, match=r"none of the graph's 2 convolutions"):
        onnxruntime_library._require_provider(left_alone, "CUDA", CUDA)


def test_a_part_on_the_cpu_is_said(caplog):
    onnxruntime_library._require_provider(_session((CUDA, "Conv"), (CPU, "Shape")), "CUDA", CUDA)
    assert caplog.messages == []
    partly = _session((CUDA, "Conv"), (CPU, "Gemm"), (CUDA, "Conv"))
    onnxruntime_library._require_provider(partly, "CUDA", CUDA)
    assert caplog.messages == [
        "CUDAExecutionProvider leaves 1 of 3 convolutions and products to the CPU"
    ]
