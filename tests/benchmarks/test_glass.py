"""Grab to pixels: what a watcher notes, how it is joined with the run, and the command on a real screen."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.frame_code import stamp
from benchmarks.glass import FrameLedger, matched
from benchmarks.results import read
from benchmarks.screen_reader import CodeWatcher, Sightings
from benchmarks.virtual_screen import virtual_screen
from realtime_vibe.errors import OutputError

ROOT = Path(__file__).resolve().parent.parent.parent


class _Screen:
    """Shows numbers by a clock that every look moves; the window may move."""

    def __init__(self, shows):
        self.now_s = 0.0
        self._shows = shows
        self.searches = 0

    def clock(self):
        return self.now_s

    def whole(self):
        self.searches += 1
        return self._image()

    def part(self, place):
        self.now_s += 0.01
        return self._image()[place.top : place.bottom, place.left : place.right]

    def _image(self):
        screen = np.zeros((400, 700, 3), np.uint8)
        shown = self._shows(self.now_s)
        if shown is not None:
            number, left = shown
            picture = np.full((240, 400, 3), 90, np.uint8)
            stamp(picture, number)
            screen[50:290, left : left + 400] = picture
        return screen


def test_a_watcher_notes_the_first_sight_of_every_number():
    screen = _Screen(lambda now_s: (int(now_s / 0.05), 20))
    watcher = CodeWatcher(screen, clock=screen.clock)
    while screen.now_s < 0.495:
        watcher.look()
    assert set(range(10)) <= set(watcher.first_seen_s) <= set(range(11))
    for number, at_s in watcher.first_seen_s.items():
        assert 0 <= at_s - number * 0.05 <= 0.011
    assert screen.searches == 1
    assert watcher.looks_ms == pytest.approx([10.0] * len(watcher.looks_ms))


def test_a_window_that_comes_late_or_moves_is_found_again():
    def shows(now_s):
        return (int(now_s * 100), 20 if now_s < 1 else 250)

    screen = _Screen(shows)
    watcher = CodeWatcher(screen, clock=screen.clock)
    while screen.now_s < 2.5:
        watcher.look()
    assert screen.searches == 2
    assert max(watcher.first_seen_s) > 240
    assert not any(101 < number < 149 for number in watcher.first_seen_s)

    blank = _Screen(lambda _: None)
    watcher = CodeWatcher(blank, clock=blank.clock)
    for _ in range(5):
        watcher.look()
    assert (blank.searches, watcher.first_seen_s) == (5, {})


def test_latencies_are_of_frames_that_had_a_person_and_were_seen():
    ledger = FrameLedger()
    for index in range(10):
        ledger.grabbed_s[index] = index * 1.0
        ledger.ready_s[index] = index + 0.010
    del ledger.grabbed_s[6], ledger.ready_s[6]  # nobody in it
    seen = Sightings(
        first_seen_s={index: index + 0.030 for index in (1, 3, 5, 6, 8)}, looks_ms=(1.0,)
    )
    times = matched(ledger, seen, warmup_s=2.0)
    assert times.num_processed == 7
    assert times.num_shown == 3
    assert times.to_mesh_ms == pytest.approx([10.0] * 3)
    assert times.to_pixels_ms == pytest.approx([30.0] * 3)
    assert matched(FrameLedger(), seen).num_shown == 0


def test_no_xvfb_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OutputError, match="apt-get install xvfb"), virtual_screen():
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="Xvfb is a screen for Linux")
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
@pytest.mark.skipif(find_spec("mss") is None, reason="mss is not installed")
def test_the_real_window_is_read_back(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    environment.pop("WAYLAND_DISPLAY", None)
    path = tmp_path / "glass.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "glass", "--view", "preview", "--seconds", "3",
         "--rate", "10", "--backend", "onnxruntime", "--json", str(path)],
        check=False, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Xvfb, drawn by the CPU" in done.stdout
    records = {record.metric: record for record in read([path])}
    pixels, mesh = records["grab to pixels"], records["grab to mesh"]
    assert pixels.summary.n == mesh.summary.n >= 1
    # Pixels cannot come before the mesh that is drawn into them.
    assert min(records["mesh to pixels"].samples) > 0
    assert all(0 < value < 60_000 for value in pixels.samples)
