"""Covers what is said about the computer beside every measured number."""

import json
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from realtime_vibe.system import machine
from realtime_vibe.system.machine import (
    install_command,
    installed_versions,
    machine_facts,
    package_version,
    usable_cores,
)

ROOT = Path(__file__).resolve().parents[2]


def test_facts_are_filled_in() -> None:
    facts = machine_facts()
    assert facts["cpu"]
    assert facts["cores"] == usable_cores() >= 1
    assert platform.system() in str(facts["system"])


def test_versions_name_only_what_is_installed() -> None:
    versions = installed_versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == package_version("numpy")
    assert None not in versions.values()
    assert package_version("no-such-distribution") is None


def test_a_checkout_is_installed_in_place() -> None:
    words = shlex.split(install_command("viewer"))
    assert words == [sys.executable, "-m", "pip", "install", "-e", f"{ROOT}[viewer]"]


def test_a_wheel_is_installed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "my wheels" / "realtime_vibe-0.1.0-py3-none-any.whl"
    noted = json.dumps({"url": wheel.as_uri(), "archive_info": {}})
    monkeypatch.setattr(machine, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(
        machine.metadata, "distribution", lambda _: SimpleNamespace(read_text=lambda _: noted)
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
