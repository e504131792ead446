"""Covers the doctor: each finding it can make, what counts as broken, and a whole run with exit code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.backends.fastest import ChoiceCache, cache_file, choice_key
from realtime_vibe.backends.graph_folder import engine_folder, engine_names, file_sha256
from realtime_vibe.cli import doctor
from realtime_vibe.cli.doctor import ABSENT, BROKEN, OK, Finding
from realtime_vibe.system.machine import install_command

ROOT = Path(__file__).resolve().parents[2]

needs_engine = pytest.mark.skipif(
    "blazepose-gru" not in engine_names(), reason="the default engine is not built here"
)


def _pretend_installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(doctor, "package_version", lambda name: "1.0" if name in names else None)


def test_two_packages_of_one_module_are_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brought_by = {
        "cv2": ["opencv-python", "opencv-contrib-python"],
        "onnxruntime": ["onnxruntime-gpu", "onnxruntime"],
    }
    monkeypatch.setattr(doctor.metadata, "packages_distributions", lambda: brought_by)
    opencv, runtime = doctor.check_clashes()
    assert opencv.level == runtime.level == BROKEN
    assert (
        "pip uninstall -y opencv-contrib-python opencv-python && pip install opencv-contrib-python"
        in opencv.text
    )
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime" in runtime.text
    brought_by["onnxruntime"] = brought_by["cv2"] = ["one", "one"]
    assert list(doctor.check_clashes()) == []


def test_missing_extras_say_what_they_would_add(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_installed(monkeypatch, "numpy", "opencv-contrib-python", "tqdm", "onnxruntime")
    lines = [str(finding) for finding in doctor.check_packages()]
    assert "[ok] numpy 1.0" in lines
    assert "[ok] onnxruntime 1.0: the networks on the CPU" in lines
    assert f"[--] no viewer: {install_command('viewer')} adds the 3D window" in lines
    assert not any(line.startswith(BROKEN) for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need no system libraries")
def test_a_missing_library_is_broken_only_where_the_live_job_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    libraries = (("libnone-1.so", "libnone1", "OpenCV"), ("libnone-2.so", "libnone2", "Open3D"))
    monkeypatch.setattr(doctor, "_LIBRARIES", libraries)
    first, second, advice = doctor.check_libraries()
    assert first == Finding(BROKEN, "no libnone-1.so, which OpenCV needs")
    assert second == Finding(ABSENT, "no libnone-2.so, which Open3D needs")
    assert "apt-get install -y libnone1 libnone2" in advice.text


def test_no_display_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    (finding,) = doctor.check_display()
    if sys.platform == "linux":
        assert finding.level == ABSENT
        assert "--view none" in finding.text
    else:
        assert finding.level == OK


def test_a_check_that_breaks_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run_doctor(engine="no-such-engine", backend="auto") == 1
    printed = capsys.readouterr().out
    assert "[!!] engine: no engine 'no-such-engine'" in printed
    assert "[!!] self-test: no engine 'no-such-engine'" in printed
    assert "[ok] realtime-vibe" in printed


def test_without_any_backend_it_still_reports(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(doctor, "check_display", lambda: ())
    assert doctor.run_doctor(engine="blazepose-gru", backend="auto") == 1
    printed = capsys.readouterr().out
    assert "[!!] no backend onnxruntime: onnxruntime is not installed: " in printed
    assert "[--] no backend openvino: " in printed
    assert "[openvino]" in printed
    assert "Traceback" not in printed


@needs_engine
def test_what_auto_takes_is_said_once_it_is_known(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        "realtime_vibe.backends.factory.installed_backends", lambda: ("onnxruntime", "openvino")
    )
    (finding,) = doctor.check_auto("blazepose-gru")
    assert "step: not measured yet, detector: not measured yet" in finding.text
    for number, graph in enumerate(doctor.graphs_of("blazepose-gru")):
        key = choice_key(graph, ("onnxruntime", "openvino"), 1 if number == 0 else 2)
        ChoiceCache(cache_file()).put(key, "openvino")
    (finding,) = doctor.check_auto("blazepose-gru")
    assert finding.level == OK
    assert finding.text == (
        "--backend auto takes step: openvino, detector: openvino, landmarks_heat: openvino"
    )


@needs_engine
def test_tracker_models_are_listed_and_a_missing_one_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = {finding.text: finding.level for finding in doctor.check_tracker_models()}
    for model in ("lite", "full"):
        (level,) = (levels[text] for text in levels if f"tracker model {model}: 2 files" in text)
        assert level == OK
    shelf = tmp_path / "engines"
    shutil.copytree(engine_folder("blazepose"), shelf / "blazepose")
    monkeypatch.setattr("realtime_vibe.backends.graph_folder._SHELVES", (shelf,))
    lite, full, heavy = doctor.check_tracker_models()
    assert [finding.level for finding in (lite, full, heavy)] == [ABSENT, OK, ABSENT]
    assert "python -m export.blazepose --model heavy" in heavy.text
    (shelf / "blazepose" / "landmarks.onnx").write_bytes(b"damaged")
    _, full, _ = doctor.check_tracker_models()
    assert full.level == BROKEN


def test_what_must_not_be_passed_on_is_said(tmp_path) -> None:
    assert [finding.level for finding in doctor.check_engine("blazepose-gru")] == [OK]
    folder = tmp_path / "licensed"
    shutil.copytree(engine_folder("blazepose-gru"), folder)
    content = json.loads((folder / "engine.json").read_text())
    with (folder / "body.npz").open("rb") as file, np.load(file) as archive:
        arrays = dict(archive)
    metadata = {"redistributable": False, "licence": "SMPL, see smpl.is.tue.mpg.de"}
    np.savez(folder / "body.npz", **{**arrays, "metadata": np.array(json.dumps(metadata))})
    content["body"]["sha256"] = file_sha256(folder / "body.npz")
    content["licence"] = "VIBE: non-commercial research only"
    (folder / "engine.json").write_text(json.dumps(content))
    _, engine, body = doctor.check_engine(str(folder))
    assert engine.text.endswith("not to be passed on: VIBE: non-commercial research only")
    assert body.text.endswith("not to be passed on: SMPL, see smpl.is.tue.mpg.de")


@needs_engine
def test_a_healthy_machine_runs_the_self_test_and_exits_0() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "realtime_vibe", "doctor"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[ok] backend onnxruntime: ran BlazePose's detector as onnxruntime" in done.stdout
    assert "backend onnxruntime-coreml: " in done.stdout
    assert "backend tensorrt-rtx: " in done.stdout
    assert "[ok] engine blazepose-gru" in done.stdout
    assert "[ok] self-test: 60 frames, a body in" in done.stdout
    assert done.stdout.endswith("the live job can run\n")


def test_cameras_are_listed_or_their_absence_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.print_cameras() == 0
    printed = capsys.readouterr()
    assert printed.out or printed.err == "found no camera\n"
