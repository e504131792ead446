"""Is there a screen to open a window on, and where do the windows fit on it?

Asked before the window libraries are: Qt aborts the whole process when it cannot connect, and
Open3D's `create_window` says True and draws into nothing.

Both windows use X11 where it answers, on Wayland desktops through XWayland: OpenCV's wheel knows
nothing else, and Wayland does not let a program place its windows beside each other.
"""

import ctypes
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from realtime_vibe.errors import OutputError

_REMEDY = "use --view files (a picture and a short video to look at) or --view none, or log in to a desktop"
_LEFT_PX, _TOP_PX, _GAP_PX = 40, 60, 20
_PREVIEW_SHARE = 0.4
_LARGE_SCREEN_PX = 1080
"""Height above which windows grow with the screen: pixels are small on a 4K screen."""
_WAYLAND_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowArea:
    """A rectangle of the desktop [px]: a monitor, or where a window opens and how large it is at most."""

    left: int
    top: int
    width: int
    height: int


_USUAL_SCREEN = WindowArea(left=0, top=0, width=1440, height=900)
"""Assumed where the system does not say (macOS, Wayland without X)."""


def window_areas(screen: WindowArea) -> tuple[WindowArea, WindowArea]:
    """The preview's area and, right of it, the 3D window's: both inside the screen."""
    growth = max(1.0, screen.height / _LARGE_SCREEN_PX)
    highest = max(1, min(round(720 * growth), screen.height - 2 * _TOP_PX))
    preview = min(round(640 * growth), round(_PREVIEW_SHARE * (screen.width - 2 * _LEFT_PX)))
    left = _LEFT_PX + preview + _GAP_PX
    right = max(1, min(round(960 * growth), screen.width - left - _LEFT_PX))
    top = screen.top + _TOP_PX
    return (
        WindowArea(left=screen.left + _LEFT_PX, top=top, width=preview, height=highest),
        WindowArea(left=screen.left + left, top=top, width=right, height=highest),
    )


def main_screen() -> WindowArea:
    """The primary monitor, or a usual laptop's where the system does not say."""
    if sys.platform == "win32":
        measure = ctypes.windll.user32.GetSystemMetrics
        # SM_CXSCREEN, SM_CYSCREEN
        return WindowArea(left=0, top=0, width=int(measure(0)), height=int(measure(1)))
    with _x_connection() as (x11, connection):
        if x11 is None or not connection:
            return _USUAL_SCREEN
        width, height = x11.XDisplayWidth(connection, 0), x11.XDisplayHeight(connection, 0)
        whole = WindowArea(left=0, top=0, width=int(width), height=int(height))
        return _primary_monitor(x11, connection) or whole


def require_display(*, of_x: bool = False) -> None:
    """Makes sure that some window can be opened; `of_x` one of X11, as OpenCV's wheel brings no Wayland plug-in.

    macOS and Windows always have a screen for a program that a user started.

    Raises:
        OutputError: Linux without a display that answers, or without X (Wayland desktops bring one, XWayland).
    """
    if not sys.platform.startswith("linux") or _x_server_answers():
        return
    if _wayland_answers():
        if not of_x:
            return
        raise OutputError(
            "no X display for the preview window (DISPLAY is not set or does not answer; Wayland "
            "alone is not enough for OpenCV): install XWayland, or use --view open3d or --view none"
        )
    named = [name for name in ("DISPLAY", "WAYLAND_DISPLAY") if os.environ.get(name)]
    if not named:
        reason = "no display to open a window on (DISPLAY and WAYLAND_DISPLAY are not set)"
    else:
        tried = " and ".join(f"{name}={os.environ[name]}" for name in named)
        reason = f"no display: {tried} {'do' if len(named) > 1 else 'does'} not answer"
    raise OutputError(f"{reason}; {_REMEDY}")


@contextmanager
def x11_preferred() -> Iterator[None]:
    """Makes window libraries that know both take X11 inside the `with` block, where it answers.

    GLFW takes Wayland when WAYLAND_DISPLAY is set, and does not come back when nobody answers
    there. It also sets XDG_RUNTIME_DIR where a bare machine sets none: libwayland prints an error
    without.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    kept = {name: os.environ.get(name) for name in ("WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")}
    with tempfile.TemporaryDirectory() as folder:
        if _x_server_answers():
            os.environ.pop("WAYLAND_DISPLAY", None)
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        try:
            yield
        finally:
            for name, value in kept.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def _x_server_answers() -> bool:
    """Opens and closes a connection, authorisation included; True where libX11 is missing."""
    with _x_connection() as (x11, connection):
        return bool(connection) or (x11 is None and bool(os.environ.get("DISPLAY")))


def _wayland_answers() -> bool:
    """Whether somebody listens at the socket that WAYLAND_DISPLAY names."""
    name = os.environ.get("WAYLAND_DISPLAY")
    if not name:
        return False
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere")) / name  # a name may be absolute
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_WAYLAND_TIMEOUT_S)
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


@contextmanager
def _x_connection() -> Iterator[tuple[ctypes.CDLL | None, int | None]]:
    """libX11, None where it is missing, and a connection, None where nobody answers."""
    display = os.environ.get("DISPLAY")
    x11 = _x11() if display else None
    connection: int | None = x11.XOpenDisplay(None) if x11 is not None else None
    if display and connection:
        _stay_connected(display)
    try:
        yield x11, connection
    finally:
        if x11 is not None and connection:
            x11.XCloseDisplay(connection)


@cache
def _stay_connected(display: str) -> None:
    """Keeps a connection to a display that answers until the process ends.

    A virtual screen (`xvfb-run`) starts over when its last client leaves, and who opens a window just then has one
    that is nowhere, without an error.
    """
    if (x11 := _x11()) is not None:
        x11.XOpenDisplay(display.encode())


def _x11() -> ctypes.CDLL | None:
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return None
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = x11.XDefaultRootWindow.argtypes = [ctypes.c_void_p]
    x11.XDefaultRootWindow.restype = ctypes.c_ulong
    x11.XDisplayWidth.argtypes = x11.XDisplayHeight.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return x11


class _Monitor(ctypes.Structure):
    """XRRMonitorInfo of X11/extensions/Xrandr.h."""

    _fields_ = (
        ("name", ctypes.c_ulong),
        *((name, ctypes.c_int) for name in ("primary", "automatic", "noutput")),
        *((name, ctypes.c_int) for name in ("x", "y", "width", "height", "mwidth", "mheight")),
        ("outputs", ctypes.c_void_p),
    )


def _primary_monitor(x11: ctypes.CDLL, connection: int) -> WindowArea | None:
    """The primary one of several monitors that share a desktop; None where X does not say."""
    try:
        xrandr = ctypes.CDLL("libXrandr.so.2")
        get_monitors = xrandr.XRRGetMonitors
    except (OSError, AttributeError):
        return None
    get_monitors.restype = ctypes.POINTER(_Monitor)
    get_monitors.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_void_p]
    xrandr.XRRFreeMonitors.argtypes = [ctypes.c_void_p]
    count = ctypes.c_int()
    root = x11.XDefaultRootWindow(connection)
    monitors = get_monitors(connection, root, 1, ctypes.byref(count))
    if not monitors or count.value < 1:
        return None
    try:
        # The primary one, else the first.
        chosen = max(monitors[: count.value], key=lambda monitor: bool(monitor.primary))
        area = WindowArea(left=chosen.x, top=chosen.y, width=chosen.width, height=chosen.height)
    finally:
        xrandr.XRRFreeMonitors(monitors)
    return area if area.width > 0 and area.height > 0 else None
