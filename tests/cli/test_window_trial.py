"""Covers the doctor's trial of windows: what a process that did not open them is taken to say."""

import sys

import pytest

from realtime_vibe.cli import window_trial
from realtime_vibe.cli.window_trial import try_windows
from realtime_vibe.errors import OutputError


@pytest.mark.parametrize(
    ("code", "stderr", "expected"),
    [
        (1, "Traceback\nrealtime_vibe.errors.OutputError: no display: x\n", "no display: x"),
        (1, "Traceback\nValueError: x\n", "the process ended with code 1: ValueError: x"),
        (-6, "Could not find the plugin\nmore\n", "ended with code -6: Could not find the plugin"),
        (-11, "", "ended with code -11: it said nothing"),
    ],
)
def test_what_the_process_said_is_the_reason(monkeypatch, code, stderr, expected):
    script = f"import os, sys; sys.stderr.write({stderr!r}); sys.stderr.flush(); "
    end = f"os.kill(os.getpid(), {-code})" if code < 0 else f"sys.exit({code})"
    run = window_trial.subprocess.run
    monkeypatch.setattr(
        window_trial.subprocess,
        "run",
        lambda command, **options: run([command[0], "-S", "-c", script + end], **options),
    )
    if sys.platform == "win32" and code < 0:
        pytest.skip("no signals there")
    with pytest.raises(OutputError, match=expected):
        try_windows("preview")
