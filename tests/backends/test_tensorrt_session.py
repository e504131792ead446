"""TensorRT engines: who may be opened, what is refused and why, and that a run is one graph launch."""

import hashlib
import sys
import threading

import numpy as np
import pytest

from realtime_vibe.backends.cuda_driver import CudaDevice, has_driver
from realtime_vibe.backends.factory import open_session
from realtime_vibe.backends.graph import Graph
from realtime_vibe.backends.tensorrt_library import TensorRt, load_tensorrt
from realtime_vibe.backends.tensorrt_session import TensorRtSession
from realtime_vibe.errors import BackendUnavailableError, EngineError
from tests.backends.fake_gpu import FakeDriver, FakeTensorRt

no_driver = pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")


@pytest.fixture
def driver():
    return FakeDriver()


@pytest.fixture
def make(tmp_path, driver):
    """Opens an engine file with what is said of it changed."""
    opened = []

    def _make(sha256=None, library=None, **build):
        path = tmp_path / "step.engine"
        path.write_bytes(b"engine")
        stated = {
            "target": "tensorrt",
            "precision": "fp16",
            "versions": {"tensorrt": "11.0.0.114"},
            "compute_capabilities": ("8.9",),
        }
        sha256 = sha256 or hashlib.sha256(b"engine").hexdigest()
        graph = Graph(path=path, sha256=sha256, **{**stated, **build})
        library = TensorRt(backend="tensorrt", module=library or FakeTensorRt(driver))
        session = TensorRtSession(graph, library, CudaDevice(driver))
        opened.append(session)
        return session

    yield _make
    for session in opened:
        session.close()
    assert driver.blocks == {}
    assert driver.executables == {}
    assert driver.graphs == {}
    assert not driver.is_retained


def _x(num_people, seed=0):
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((num_people, 3)).astype(np.float32)}


def test_it_computes_for_every_number_of_people(make):
    session = make()
    assert [spec.shape for spec in (*session.inputs, *session.outputs)] == [("P", 3), ("P", 3)]
    assert session.backend == "tensorrt:Fake GPU"
    for number, num_people in enumerate((1, 4, 2, 1, 4)):
        feeds = _x(num_people, number)
        np.testing.assert_array_equal(session.run(feeds)["y"], 2 * feeds["x"])


def test_a_run_is_one_launch_and_takes_no_memory(make, driver):
    session = make()
    session.run(_x(1))
    num_blocks, before = len(driver.blocks), driver.num_launches
    driver.calls.clear()
    for seed in range(5):
        session.run(_x(1, seed))
    assert driver.num_launches == before + 5
    assert len(driver.blocks) == num_blocks
    assert set(driver.calls) == {"cuCtxSetCurrent", "cuGraphLaunch", "cuStreamSynchronize"}


def test_results_belong_to_the_caller(make):
    session = make()
    first = session.run(_x(2))["y"]
    kept = first.copy()
    session.run(_x(2, 1))
    np.testing.assert_array_equal(first, kept)


def test_it_runs_in_another_thread_than_it_was_opened_in(make, driver):
    session = make()
    results = []
    driver.calls.clear()
    thread = threading.Thread(target=lambda: results.append(session.run(_x(1))))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(results[0]["y"], 2 * _x(1)["x"])
    assert driver.calls[0] == "cuCtxSetCurrent"


def test_what_cannot_be_captured_runs_without_a_graph(make, driver, caplog):
    session = make()
    driver.fail["cuStreamEndCapture"] = 900
    for seed in range(2):
        np.testing.assert_array_equal(session.run(_x(1, seed))["y"], 2 * _x(1, seed)["x"])
    assert driver.num_launches == 0
    assert "runs without a CUDA graph: CUDA error 900 in cuStreamEndCapture" in caplog.text


def test_more_people_than_it_was_built_for(make):
    with pytest.raises(
        EngineError, match=r"shape \(5, 3\), expected .* up to \(4, 3\): lower --max"
    ):
        make().run(_x(5))


def test_another_size_or_type(make):
    session = make()
    with pytest.raises(EngineError, match=r"x has the shape \(1, 4\)"):
        session.run({"x": np.zeros((1, 4), np.float32)})
    with pytest.raises(TypeError, match="float64"):
        session.run({"x": np.zeros((1, 3))})


def test_what_does_not_fit_is_refused_with_the_rebuild_command(make, subtests):
    for change, message in [
        ({"sha256": "0" * 64}, r"has sha256 .*, its manifest says 000000000000"),
        (
            {"versions": {"tensorrt": "11.4.0.106"}},
            r"built with tensorrt 11\.4\.0\.106, here is 11\.0",
        ),
        ({"versions": {}}, r"does not say which tensorrt built it, expected 11\.0\.0\.114"),
        ({"compute_capabilities": ("8.6", "SM120")}, r"capability 8\.6, SM120, Fake GPU has 8\.9"),
    ]:
        with subtests.test(message=message, change=change):
            with pytest.raises(EngineError, match=message) as caught:
                make(**change)
            assert (
                "python -m export.build ENGINE --target tensorrt --precision fp16 --out OUT"
                in str(caught.value)
            )


@pytest.mark.parametrize("capability", ["8.9", "89", "SM89"])
def test_capabilities_may_be_written_as_people_do(make, capability):
    make(compute_capabilities=("7.5", capability)).run(_x(1))


def test_a_rejected_engine_gives_tensorrts_reason(make, driver):
    with pytest.raises(
        EngineError, match=r"by tensorrt 11.* \(magic tag does not match\); rebuild it"
    ):
        make(library=FakeTensorRt(driver, rejects=True))


def test_full_memory_names_the_remedy(make, driver):
    with pytest.raises(BackendUnavailableError, match=r"no GPU memory for .*close other programs"):
        make(library=FakeTensorRt(driver, is_full=True))
    driver.fail["cuMemAlloc_v2"] = 2
    with pytest.raises(BackendUnavailableError, match=r"Fake GPU is out of memory .*close other"):
        make()


def test_a_lost_gpu_is_an_error_in_one_line(make, driver):
    session = make()
    session.run(_x(1))
    driver.fail["cuGraphLaunch"] = 719
    with pytest.raises(
        BackendUnavailableError, match=r"error 719 in cuGraphLaunch \(something brok"
    ):
        session.run(_x(1))


def test_no_gpu_names_the_remedy():
    with pytest.raises(BackendUnavailableError, match=r"finds no GPU: install NVIDIA's driver"):
        CudaDevice(FakeDriver(num_devices=0))
    driver = FakeDriver()
    driver.fail["cuInit"] = 100
    with pytest.raises(BackendUnavailableError, match=r"error 100 in cuInit .*install NVIDIA"):
        CudaDevice(driver)


@no_driver
def test_no_driver_names_the_remedy():
    with pytest.raises(
        BackendUnavailableError, match=r"no NVIDIA driver .* is not found\): install"
    ):
        CudaDevice()


@pytest.mark.parametrize(
    ("backend", "modules"),
    [("tensorrt", ("tensorrt",)), ("tensorrt-rtx", ("tensorrt_rtx", "tensorrt_rtx_bindings"))],
)
def test_a_missing_library_names_the_extra(tmp_path, monkeypatch, backend, modules):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendUnavailableError, match=rf"not installed.*\[{backend}\]"):
        open_session(tmp_path / "step.engine", backend)


def test_files_in_no_manifest_stay_closed(tmp_path, driver):
    (tmp_path / "step.engine").write_bytes(b"engine")
    library = TensorRt(backend="tensorrt", module=FakeTensorRt(driver))
    with pytest.raises(EngineError, match=r"can run anything, and no manifest states its sha256"):
        TensorRtSession(Graph(path=tmp_path / "step.engine"), library, CudaDevice(driver))
    assert not driver.is_retained


@no_driver
def test_tensorrt_rtx_is_found_where_it_is_installed(tmp_path):
    try:
        library = load_tensorrt("tensorrt-rtx")
    except BackendUnavailableError as error:
        pytest.skip(str(error))
    assert library.version.count(".") == 3
    assert hasattr(library.module.IExecutionContext, "execute_async_v3")
    with pytest.raises(BackendUnavailableError, match="no NVIDIA driver"):
        open_session(tmp_path / "any.engine", "tensorrt-rtx")
