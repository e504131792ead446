"""OpenVINO computes what ONNX Runtime computes, in the precision that was asked for, and tells nobody."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.backends.factory import installed_backends, open_session
from realtime_vibe.backends.graph import Graph
from realtime_vibe.errors import BackendUnavailableError, EngineError

pytest.importorskip("openvino")

ENGINES = Path(__file__).resolve().parents[2] / "engines"
STEP = ENGINES / "blazepose-gru" / "step.onnx"
LANDMARKS = ENGINES / "blazepose" / "landmarks.onnx"
DEMO = ENGINES.parent / "realtime_vibe" / "assets" / "demo.mp4"


def _step_feeds(num_people):
    rng = np.random.default_rng(num_people)
    return {
        "features": (0.3 * rng.standard_normal((num_people, 202))).astype(np.float32),
        "hidden": rng.uniform(-0.9, 0.9, (2, num_people, 512)).astype(np.float32),
    }


def _picture(size):
    """(1, size, size, 3) with a person in it: on noise the networks' outputs mean nothing."""
    video = cv2.VideoCapture(str(DEMO))
    _, image = video.read()
    video.release()
    height, width = image.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square = image[top : top + side, left : left + side]
    return {"image_bgr": cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)[None]}


def _largest_errors(path, feeds, backend):
    with open_session(path, "onnxruntime") as exact, open_session(path, backend) as session:
        assert session.inputs == exact.inputs
        assert session.outputs == exact.outputs
        expected, found = exact.run(feeds), session.run(feeds)
    assert list(found) == list(expected)
    return {name: float(np.abs(found[name] - expected[name]).max()) for name in expected}


def test_the_step_is_that_of_onnxruntime_for_any_number_of_people():
    with open_session(STEP, "onnxruntime") as exact, open_session(STEP, "openvino") as session:
        assert session.inputs == exact.inputs
        assert session.outputs == exact.outputs
        for num_people in (1, 3, 9, 1):
            feeds = _step_feeds(num_people)
            expected, found = exact.run(feeds), session.run(feeds)
            assert list(found) == list(expected)
            # Noise is no landmarks: the regressor feeds its residuals back, and rounding grows on the way.
            assert max(np.abs(found[name] - expected[name]).max() for name in expected) < 2e-3


@pytest.mark.parametrize(("name", "size"), [("landmarks", 256), ("detector", 224)])
def test_image_networks_are_those_of_onnxruntime(name, size):
    path = ENGINES / "blazepose" / f"{name}.onnx"
    with open_session(path, "onnxruntime") as session:
        largest = {
            key: float(np.abs(out).max()) for key, out in session.run(_picture(size)).items()
        }
    errors = _largest_errors(path, _picture(size), "openvino")
    for key, error in errors.items():
        assert error < 1e-4 * max(largest[key], 1.0), key  # relative: places are pixels up to 256


@pytest.mark.skipif("openvino-bf16" not in installed_backends(), reason="no bf16 in this CPU")
def test_bf16_is_near_and_is_not_f32():
    step = _largest_errors(STEP, _step_feeds(2), "openvino-bf16")
    assert 1e-4 < step["next_hidden"] < 0.1  # of 1
    assert step["rotmat"] < 0.5
    landmarks = _largest_errors(LANDMARKS, _picture(256), "openvino-bf16")
    assert 0.01 < landmarks["landmarks"] < 64  # px of 256, visibility's logits among them
    # Bodies shrink by centimetres: which is why nobody gets bf16 without asking for it.
    assert 0.01 < landmarks["world_landmarks"] < 0.4  # m
    with open_session(STEP, "openvino-bf16") as session:
        assert session.backend == "openvino:CPU:bf16"


def test_results_belong_to_the_caller():
    feeds = _step_feeds(2)
    with open_session(STEP, "openvino") as session:
        first = session.run(feeds)
        kept = {name: value.copy() for name, value in first.items()}
        session.run({name: value * 0.5 for name, value in feeds.items()})
        for name, value in first.items():
            np.testing.assert_array_equal(value, kept[name])
            value[...] = 0.0
        again = session.run(feeds)
    np.testing.assert_allclose(again["rotmat"], kept["rotmat"], atol=1e-5)


def test_files_of_openvinos_own_format_are_read(tmp_path):
    from realtime_vibe.backends.openvino_session import load_openvino

    ov = load_openvino()
    ov.save_model(ov.Core().read_model(STEP), tmp_path / "step.xml", compress_to_fp16=False)
    with open_session(STEP, "openvino") as of_onnx, open_session(tmp_path / "step.xml") as session:
        assert session.backend == "openvino:CPU:f32"
        assert session.inputs == of_onnx.inputs
        feeds = _step_feeds(1)
        np.testing.assert_allclose(
            session.run(feeds)["rotmat"], of_onnx.run(feeds)["rotmat"], atol=1e-5
        )


def test_files_of_a_later_release_are_refused(tmp_path):
    later = Graph(
        path=tmp_path / "step.xml", target="openvino", versions={"openvino": "2099.1.0-1-x"}
    )
    with pytest.raises(
        EngineError, match=r"built with openvino 2099.*here is .*export\.build ENGINE"
    ):
        open_session(later, "openvino")
    earlier = Graph(path=STEP, target="openvino", versions={"openvino": "2024.0.0-1-x"})
    open_session(earlier, "openvino").close()


def test_a_precision_the_cpu_lacks_is_refused(monkeypatch):
    from realtime_vibe.backends import openvino_session

    monkeypatch.setitem(openvino_session.PRECISIONS, "bf16", "no such thing")
    with pytest.raises(
        BackendUnavailableError, match=r"does not compute in bf16.*--backend openvino"
    ):
        open_session(STEP, "openvino-bf16")


def test_missing_openvino_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BackendUnavailableError, match=r"\[openvino\]"):
        open_session(STEP, "openvino")
    assert "openvino" not in installed_backends()


@pytest.mark.fault
@pytest.mark.parametrize(
    ("is_forked", "said"), [(True, "spawn.*--backend"), (False, "cannot use this CPU .no plug-in")]
)
def test_openvino_that_cannot_run_here_is_left_out(monkeypatch, is_forked, said):
    from realtime_vibe.backends import openvino_session

    class Broken:
        def get_property(self, *_):
            raise RuntimeError("Exception from core.cpp:268:\nno plug-in")

    monkeypatch.setattr(openvino_session, "_core", lambda _: (Broken(), os.getpid() + is_forked))
    with pytest.raises(BackendUnavailableError, match=said):
        open_session(STEP, "openvino")
    assert "openvino" not in installed_backends()
    open_session(Graph(path=STEP), "auto").close()


def test_what_is_no_graph_is_refused(tmp_path, subtests):
    (tmp_path / "half.onnx").write_bytes(STEP.read_bytes()[:5000])
    (tmp_path / "half.xml").write_text("<net")
    for name in ("half.onnx", "half.xml", "absent.onnx"):
        with (
            subtests.test(name=name),
            pytest.raises(EngineError, match=rf"{name} cannot be loaded by OpenVINO: \w+"),
        ):
            open_session(tmp_path / name, "openvino")


def test_inputs_of_another_size_or_type_are_refused():
    feeds = _step_feeds(1)
    with open_session(STEP, "openvino") as session:
        with pytest.raises(EngineError, match=r"cannot be given the shapes"):
            session.run({**feeds, "features": feeds["features"][:, :-1]})
        with pytest.raises(TypeError, match="float64"):
            session.run({**feeds, "features": feeds["features"].astype(np.float64)})


_SPY = """
import socket, sys
from pathlib import Path

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        print("NETWORK", event, arguments)

sys.addaudithook(refuse)
from realtime_vibe.backends.factory import open_session
session = open_session(Path(sys.argv[1]), "openvino")
print(session.backend, [name for name in sys.modules if name.startswith("openvino_telemetry.")])
"""


def test_nothing_is_sent_and_nothing_is_written(tmp_path):
    """A plain `import openvino` writes `~/intel` and asks for google-analytics.com."""
    home = tmp_path / "home"
    home.mkdir()
    places = dict.fromkeys(("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"), str(home))
    environment = {**os.environ, **places, "CI": "false"}
    for name in ("TF_BUILD", "JENKINS_URL"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", _SPY, str(STEP)],
        cwd=ENGINES.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "openvino:CPU:f32 []\n"
    assert done.stderr == ""
    assert list(home.iterdir()) == []


def test_ctrl_c_finds_a_stack_after_sessions_were_closed_in_any_order():
    program = f"""
import signal
from pathlib import Path
from realtime_vibe.backends.openvino_session import OpenVinoSession
first, second = (OpenVinoSession(Path({str(STEP)!r})) for _ in range(2))
first.close()
second.close()
signal.signal(signal.SIGINT, lambda *_: print("noted"))
signal.raise_signal(signal.SIGINT)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ENGINES.parent,
    )
    assert (done.returncode, done.stdout) == (0, "noted\n"), done.stderr
