"""Covers the note on other work: others count, we do not, and a system that says nothing is no work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import other_work
from benchmarks.other_work import busy_at_start, busy_processors, warn_if_busy
from benchmarks.results import environment

pytestmark = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="Linux alone says it")


@pytest.fixture(autouse=True)
def _asked_anew():
    busy_at_start.cache_clear()
    yield
    busy_at_start.cache_clear()


def _busy_for(seconds):
    spin = (
        f"import time\nend = time.perf_counter() + {seconds}\nwhile time.perf_counter() < end: pass"
    )
    return subprocess.Popen([sys.executable, "-c", spin])


def test_other_programs_count(monkeypatch):
    monkeypatch.setattr(other_work, "_SAMPLE_S", 1.5)
    with _busy_for(20) as other:
        try:
            # Even one of many who share a processor gets more than this.
            assert busy_processors() > other_work.BUSY_PROCESSORS
        finally:
            other.kill()


def test_our_own_work_does_not_count(monkeypatch):
    ticks = iter([10.0, 11.0])
    own = iter([3.0, 4.0])
    monkeypatch.setattr(other_work, "_worked_s", lambda: next(ticks))
    monkeypatch.setattr(other_work.time, "process_time", lambda: next(own))
    assert busy_processors() == 0.0


def test_a_system_that_does_not_say_is_not_warned_about(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(other_work, "_PROC_STAT", tmp_path / "none")
    assert busy_processors() is None
    warn_if_busy()
    assert capsys.readouterr().out == ""


def test_the_note_names_how_much(monkeypatch, capsys):
    monkeypatch.setattr(other_work, "busy_processors", lambda: 1.34)
    warn_if_busy()
    assert "keep 1.3 of" in capsys.readouterr().out


def test_waiting_is_no_work_and_guests_count_once(monkeypatch, tmp_path):
    (tmp_path / "stat").write_text(
        "cpu  100 20 30 4000 500 6 7 8 90 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    )
    monkeypatch.setattr(other_work, "_PROC_STAT", tmp_path / "stat")
    assert other_work._worked_s() == 171 / os.sysconf("SC_CLK_TCK")


def test_it_is_measured_once_before_anything_else(monkeypatch):
    loads = iter([0.1, 1.9])
    monkeypatch.setattr(other_work, "busy_processors", lambda: next(loads))
    warn_if_busy()
    assert busy_at_start() == environment().load == 0.1
