"""Covers the line on the terminal of a run without windows, on the real app and a drawn figure."""

import io
import logging
import os
import re
import sys
import time
from pathlib import Path

import pytest

from realtime_vibe.app.run import run as run_app
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.app.status_line import StatusLine
from realtime_vibe.cli.main import set_up_logging
from realtime_vibe.sources.factory import open_source

LINE = re.compile(
    r"^rec o\.npz (\d) s \| \d+ of 60 frames(?:, \d s left)? \| source [\d.]+, motion [\d.]+ fps \| (?:nobody in view|1 person) \| "
    r"(?:measuring latency|latency [\d.]+ ms \(p95 [\d.]+\)) \| \d+ dropped$"
)
SUMMARY = re.compile(
    r"^realtime-vibe: 60 frames processed, [\d.]+ fps, latency [\d.]+ ms .* dropped$"
)


class Terminal(io.StringIO):
    """A terminal as wide as the widest text, or as `columns` of a real one says."""

    def isatty(self) -> bool:
        return True


def _screen(written: str) -> list[str]:
    """What a terminal shows in the end: a carriage return goes back, later characters replace."""
    lines = []
    for line in written.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


@pytest.fixture
def live_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs the app without windows on the drawn figure at a camera's pace; returns what stderr got."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("realtime_vibe.app.status_line._DEFAULT_COLUMNS", 200)
    root, package = logging.getLogger(), logging.getLogger("realtime_vibe")
    handlers, levels = root.handlers[:], (root.level, package.level)

    def as_camera(spec, *, paced, size, fps):
        return open_source(spec, paced=True, size=size, fps=fps)

    monkeypatch.setattr("realtime_vibe.app.run.open_source", as_camera)

    def run(stream: io.StringIO, **settings: object) -> str:
        monkeypatch.setattr(sys, "stderr", stream)
        set_up_logging("info")
        config = LiveConfig(source="synthetic", view="none", max_frames=60, **settings)
        assert run_app(config) == 0
        return stream.getvalue()

    yield run
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    package.setLevel(levels[1])


def test_a_terminal_shows_one_line_that_changes(live_app) -> None:
    started_s = time.monotonic()
    written = live_app(Terminal(), record=(Path("o.npz"),))
    took_s = time.monotonic() - started_s  # 60 frames at 30 Hz: two seconds and the start
    updates = [part.rstrip() for part in re.split(r"[\r\n]", written) if LINE.match(part)]
    assert 3 <= len(updates) <= took_s / 0.5 + 1
    lengths_s = [int(match[1]) for update in updates if (match := LINE.match(update))]
    assert lengths_s == sorted(lengths_s)
    assert lengths_s[-1] >= 1
    shown = _screen(written)
    assert not [line for line in shown if "source" in line]  # the line goes when the run is over
    assert len([line for line in shown if SUMMARY.match(line)]) == 1
    assert all(line.startswith("realtime-vibe: ") for line in shown if line)


def test_elsewhere_only_the_summary_is_said(live_app) -> None:
    written = live_app(io.StringIO())
    assert "\r" not in written
    assert "source" not in written
    assert len([line for line in written.splitlines() if SUMMARY.match(line)]) == 1


def test_a_log_gets_a_line_now_and_then(caplog) -> None:
    caplog.set_level(logging.INFO)
    now_s = [0.0]
    with StatusLine(io.StringIO(), log_interval_s=30.0, clock=lambda: now_s[0]) as line:
        for step in range(1000):
            now_s[0] = step * 0.1
            line.update(lambda: f"{now_s[0]:.0f} s")
    assert [record.getMessage() for record in caplog.records] == ["30 s", "60 s", "90 s"]


def test_a_film_on_its_way_draws_no_bar_into_a_log(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert run_app(LiveConfig(source="synthetic", view="none", max_frames=3)) == 0
    assert stream.getvalue() == ""


def test_messages_do_not_run_into_the_line() -> None:
    terminal = Terminal()
    handler = logging.StreamHandler(terminal)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with StatusLine(terminal, interval_s=0.0) as line:
            line.update(lambda: "a long text about the run")
            logging.getLogger("realtime_vibe.x").warning("it stalls")
            line.update(lambda: "goes on")
            assert _screen(terminal.getvalue()) == ["it stalls", "goes on"]
        assert handler.filters == []
    finally:
        root.removeHandler(handler)


def test_it_is_rewritten_only_when_due() -> None:
    now_s = [0.0]
    terminal = Terminal()
    line = StatusLine(terminal, interval_s=0.5, clock=lambda: now_s[0])
    made = []

    def text() -> str:
        made.append(now_s[0])
        return "x"

    for step in range(20):
        now_s[0] = step * 0.1
        line.update(text)
    assert len(made) == 4
    assert made[0] == 0.0


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo terminals on this system")
def test_it_never_wraps_in_a_narrow_terminal() -> None:
    import fcntl
    import struct
    import termios

    master, slave = os.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
        with os.fdopen(slave, "w") as stream, StatusLine(stream, interval_s=0.0) as line:
            for text, shown in (
                ("0123456789" * 10, ("0123456789" * 3)[:29]),
                ("rec o.npz 1 s | 1 person | 12.5 ms (p95 13.0)", "rec o.npz 1 s | 1 person"),
            ):
                line.update(lambda text=text: text)
                written = ""
                # A terminal hands over what has come so far.
                while len(written.strip()) < len(shown):
                    written += os.read(master, 1000).decode()
                assert written.strip() == shown
    finally:
        os.close(master)
