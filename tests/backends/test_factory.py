"""Backends are opened by name; what is missing is said with how to get it."""

import sys

import pytest

from realtime_vibe.backends.factory import installed_backends, open_session
from realtime_vibe.errors import BackendUnavailableError


def test_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(BackendUnavailableError, match=r"unknown backend 'coreml'.*onnxruntime"):
        open_session(tmp_path / "any.onnx", "coreml")


def test_missing_onnxruntime_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendUnavailableError, match=r"\[cpu\]"):
        open_session(tmp_path / "any.onnx", "onnxruntime")


def test_cuda_without_cuda_is_no_silent_cpu(tmp_path):
    if "onnxruntime-cuda" in installed_backends():
        pytest.skip("this machine has the CUDA provider")
    with pytest.raises(BackendUnavailableError, match=r"\[gpu\]"):
        open_session(tmp_path / "any.onnx", "onnxruntime-cuda")


def test_onnxruntime_is_listed():
    assert "onnxruntime" in installed_backends()
