"""Covers the windows as a user meets them: opening, keys, closing; on a virtual screen (Xvfb)."""

import ctypes
import os
import pickle
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.view.display import Display
from realtime_vibe.outputs.view.hud import HudState
from realtime_vibe.outputs.view.keys import Action
from realtime_vibe.outputs.view.preview_window import PreviewWindow

RUN = """
import pickle, sys, time
from pathlib import Path
from realtime_vibe.outputs.view.display import Display
from realtime_vibe.outputs.view.hud import HudState
from realtime_vibe.outputs.view.keys import Action

faces, result = pickle.loads(Path(sys.argv[1]).read_bytes())
display = Display(faces, view=sys.argv[2])
if sys.argv[3:] == ["idle"]:
    result = None
display.open()
end_s = time.monotonic() + 40
step = 0
print("ready", flush=True)
while time.monotonic() < end_s:
    display.show(result, HudState(inference_fps=step))
    actions = display.poll()
    for action in actions:
        print(action.name, flush=True)
    if Action.SCREENSHOT in actions:
        print("picture", *display.last_picture().shape, flush=True)
    if Action.QUIT in actions:
        break
    step += 1
    time.sleep(0.01)
print("open" if display.is_open else "closed", flush=True)
display.close()
"""


def test_view_none_opens_nothing_and_still_makes_pictures(figure, result_of):
    with Display(figure.faces, view="none") as display:
        assert display.last_picture() is None
        display.show(None, HudState())
        display.show(result_of(figure, (0, 0, 3)), HudState())
        assert display.poll() == []
        assert not display.is_open
        picture = display.last_picture()
    assert picture is not None
    assert picture.shape == (480, 1120, 3)


def test_mirror_applies_to_the_picture(figure, result_of):
    result = result_of(figure, (0, 0, 3))
    plain, mirrored = (Display(figure.faces, view="none", mirror=m) for m in (False, True))
    for display in (plain, mirrored):
        display.show(result, HudState())
    np.testing.assert_array_equal(
        mirrored.last_picture()[:, 2:630], plain.last_picture()[:, :640][:, ::-1][:, 2:630]
    )


@pytest.mark.parametrize("view", ["both", "open3d", "preview"])
def test_no_display_is_refused_and_leaves_nothing_open(figure, monkeypatch, view):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    display = Display(figure.faces, view=view)
    with pytest.raises(OutputError, match=r"no .*display.*--view none"):
        display.open()
    assert not display.is_open


def test_a_preview_that_was_never_opened_is_harmless(figure):
    window = PreviewWindow()
    window.show(np.zeros((48, 64, 3), np.uint8))
    assert window.poll() == []
    window.close()


DESKTOP = {
    "WAYLAND_DISPLAY": "wayland-nobody-listens",
    "XDG_SESSION_TYPE": "wayland",
    "QT_QPA_PLATFORM": "wayland",
    "QT_SCALE_FACTOR": "2",
}
"""What desktops set, and what each window library trips over."""


class WindowedRun:
    """A process that shows a result until QUIT, and hands at its windows."""

    def __init__(self, display, *arguments):
        self.environment = {**os.environ, "DISPLAY": display, **DESKTOP}
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        assert self.next_line() == "ready", self.process.communicate()[1]

    def next_line(self):
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def xdotool(self, *arguments):
        done = subprocess.run(
            ["xdotool", *arguments],
            capture_output=True, text=True, env=self.environment, check=True, timeout=20,
        )  # fmt: skip
        return done.stdout.split()

    def window(self, title):
        """The window's number, once it is on the screen."""
        return self.xdotool("search", "--sync", "--onlyvisible", "--name", title)[-1]

    def place(self, title):
        """Left, top, right and bottom edge of a window [px]."""
        lines = self.xdotool("getwindowgeometry", "--shell", self.window(title))
        found = {name: int(value) for name, _, value in (line.partition("=") for line in lines)}
        left, top = found["X"], found["Y"]
        return left, top, left + found["WIDTH"], top + found["HEIGHT"]

    def press(self, title, key):
        """Presses a key in a window and returns the action that was printed."""
        self.xdotool("windowfocus", "--sync", self.window(title), "key", key)
        return self.next_line()

    def click_close(self, title):
        """What a window manager does when the user clicks the cross."""
        send_delete_message(self.environment["DISPLAY"], int(self.window(title)))

    def finish(self):
        """Everything printed since, and the errors; the process ends by itself."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        # Not communicate(): it would miss what readline has buffered.
        out, error = self.process.stdout.read(), self.process.stderr.read()
        assert self.process.wait(30) == 0, error
        return out.split(), error

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def send_delete_message(display, window):
    """Sends WM_DELETE_WINDOW."""

    class ClientMessage(ctypes.Structure):
        _fields_ = (
            ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
            ("display", ctypes.c_void_p), ("window", ctypes.c_ulong),
            ("message_type", ctypes.c_ulong), ("format", ctypes.c_int),
            ("data", ctypes.c_long * 5), ("pad", ctypes.c_long * 24),
        )  # fmt: skip

    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XSendEvent.argtypes = [
        ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p,
    ]  # fmt: skip
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    connection = x11.XOpenDisplay(display.encode())
    message = ClientMessage(type=33, window=window, format=32)
    message.message_type = x11.XInternAtom(connection, b"WM_PROTOCOLS", 0)
    message.data[0] = x11.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
    x11.XSendEvent(connection, window, 0, 0, ctypes.byref(message))
    x11.XCloseDisplay(connection)


@pytest.fixture
def start(screen, figure, result_of, tmp_path):
    """Starts a process with windows; ends it after the test whatever happened."""
    path = tmp_path / "result.pkl"
    path.write_bytes(pickle.dumps((figure.faces, result_of(figure, (0, 0, 3)))))
    runs = []

    def start_run(*arguments):
        runs.append(WindowedRun(screen, str(path), *arguments))
        return runs[-1]

    yield start_run
    for run in runs:
        run.stop()


KEYS = [
    ("space", Action.PAUSE),
    ("r", Action.RECORD),
    ("m", Action.MIRROR),
    ("h", Action.HUD),
    ("v", Action.RESET_VIEW),
    ("b", Action.RESET_SHAPE),
]


def press_all(run, title):
    for key, action in KEYS:
        assert run.press(title, key) == action.name
    assert run.press(title, "s") == Action.SCREENSHOT.name
    kind, height, width, depth = run.next_line().split()
    assert (kind, depth) == ("picture", "3")
    assert int(width) > int(height) >= 480


def test_preview_keys_reach_actions_and_nothing_is_printed_by_qt(start):
    run = start("preview")
    press_all(run, "realtime-vibe")
    run.xdotool("key", "Left", "F5", "x")
    assert run.press("realtime-vibe", "Escape") == Action.QUIT.name
    assert run.finish() == (["open"], "")


@pytest.mark.parametrize("idle", [[], ["idle"]], ids=["running", "before the first frame"])
def test_closing_the_only_window_quits(start, idle):
    run = start("preview", *idle)
    time.sleep(0.3)
    run.click_close("realtime-vibe")
    assert run.next_line() == Action.QUIT.name
    assert run.finish()[0] == ["closed"]


@pytest.mark.skipif(find_spec("open3d") is None, reason="open3d is not installed")
def test_both_windows_share_their_keys_and_close_one_by_one(start):
    run = start("both")
    press_all(run, "realtime-vibe 3D")
    assert run.press("^realtime-vibe$", "r") == Action.RECORD.name
    preview, viewer = run.place("^realtime-vibe$"), run.place("realtime-vibe 3D")
    assert preview[2] - preview[0] == 640
    assert (preview[3] - preview[1]) * 4 == 640 * 3
    assert preview[2] < viewer[0]
    assert (viewer[2], viewer[3]) <= (1700, 900)
    run.click_close("realtime-vibe 3D")
    time.sleep(0.5)
    assert run.press("^realtime-vibe$", "m") == Action.MIRROR.name
    run.click_close("^realtime-vibe$")
    assert run.next_line() == Action.QUIT.name
    assert run.finish()[0] == ["closed"]
