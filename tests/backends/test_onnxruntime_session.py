"""Covers how workers of ONNX Runtime are kept from spinning between frames."""

import time
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.errors import EngineError

ENGINE = Path(__file__).resolve().parents[2] / "engines" / "blazepose"


@pytest.mark.fault
def test_a_graph_that_fails_while_it_runs_is_named() -> None:
    pytest.importorskip("onnxruntime")
    image = np.zeros((1, 9, 9, 3), np.uint8)
    with OnnxRuntimeSession(ENGINE / "landmarks.onnx") as session:
        with pytest.raises(EngineError, match=r"landmarks\.onnx cannot be run"):
            session.run({"image_bgr": image})


def test_workers_sleep_soon_after_a_run() -> None:
    pytest.importorskip("onnxruntime")
    image = np.zeros((1, 256, 256, 3), np.uint8)
    with OnnxRuntimeSession(ENGINE / "landmarks.onnx") as session:
        burnt_s = 0.0
        for _ in range(10):
            session.run({"image_bgr": image})
            before_s = time.process_time()
            time.sleep(0.03)
            burnt_s += time.process_time() - before_s
    assert burnt_s < 0.1  # of 0.3; workers that never rest burn all of it
