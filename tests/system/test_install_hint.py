"""Commands that add an extra, for a checkout and for a wheel."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from realtime_vibe.system import install_hint
from realtime_vibe.system.install_hint import install_command

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkout_is_installed_in_place() -> None:
    words = shlex.split(install_command("viewer"))
    assert words == [sys.executable, "-m", "pip", "install", "-e", f"{ROOT}[viewer]"]


def test_a_wheel_is_installed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "my wheels" / "realtime_vibe-0.1.0-py3-none-any.whl"
    noted = json.dumps({"url": wheel.as_uri(), "archive_info": {}})
    monkeypatch.setattr(install_hint, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(
        install_hint, "distribution", lambda _: SimpleNamespace(read_text=lambda _: noted)
    )
    assert shlex.split(install_command("cpu"))[-1] == f"{wheel}[cpu]"
    noted = ""
    assert shlex.split(install_command("cpu"))[-1].endswith(".whl[cpu]")


def test_no_message_sends_to_an_index_the_project_is_not_on() -> None:
    found = [
        path
        for folder in ("realtime_vibe", "export", "benchmarks", "docs", "README.md", "scripts")
        for path in [ROOT / folder, *(ROOT / folder).rglob("*")]
        if path.suffix in {".py", ".md", ".sh"}
        and "install 'realtime-vibe" in path.read_text("utf-8")
    ]
    assert found == []


def test_an_old_python_is_refused_at_once() -> None:
    code = "import sys; sys.version_info = (3, 10, 0); import realtime_vibe"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "3.11" in done.stderr.splitlines()[-1]
