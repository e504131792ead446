"""Is there a screen to open a window on, and where do the windows fit on it?

Asked before the window libraries are: Qt aborts the whole process when it cannot connect, and
Open3D's `create_window` says True and draws into nothing.
"""

import ctypes
import os
import sys
from dataclasses import dataclass

from realtime_vibe.errors import OutputError

_REMEDY = (
    "use --view none (with --save-video or --snapshot to see the result), or log in to a desktop"
)
_USUAL_SCREEN_PX = (1440, 900)
"""Assumed where the system does not say (macOS, Wayland without X)."""
_LEFT_PX, _TOP_PX, _GAP_PX = 40, 60, 20
_PREVIEW_SHARE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowArea:
    """Where a window opens and how large it is at most [px]."""

    left: int
    top: int
    width: int
    height: int


def window_areas(screen_px: tuple[int, int]) -> tuple[WindowArea, WindowArea]:
    """The preview's area and, right of it, the 3D window's: both inside a (width, height) screen."""
    width, height = screen_px
    highest = max(1, min(720, height - 2 * _TOP_PX))
    preview = min(640, round(_PREVIEW_SHARE * (width - 2 * _LEFT_PX)))
    left = _LEFT_PX + preview + _GAP_PX
    right = max(1, min(960, width - left - _LEFT_PX))
    return (
        WindowArea(left=_LEFT_PX, top=_TOP_PX, width=preview, height=highest),
        WindowArea(left=left, top=_TOP_PX, width=right, height=highest),
    )


def screen_size() -> tuple[int, int]:
    """Width and height of the screen [px], or a usual laptop's where the system does not say."""
    if sys.platform == "win32":
        measure = ctypes.windll.user32.GetSystemMetrics
        return int(measure(0)), int(measure(1))  # SM_CXSCREEN, SM_CYSCREEN
    x11 = _x11() if os.environ.get("DISPLAY") else None
    connection = x11.XOpenDisplay(None) if x11 is not None else None
    if x11 is None or not connection:
        return _USUAL_SCREEN_PX
    try:
        return int(x11.XDisplayWidth(connection, 0)), int(x11.XDisplayHeight(connection, 0))
    finally:
        x11.XCloseDisplay(connection)


def require_display() -> None:
    """Makes sure a window can be opened.

    macOS and Windows always have a screen for a program that a user started.

    Raises:
        OutputError: Linux without a reachable display.
    """
    if not sys.platform.startswith("linux"):
        return
    name = os.environ.get("DISPLAY", "")
    if name:
        if not _x_server_answers():
            raise OutputError(f"no display: DISPLAY={name} does not answer; {_REMEDY}")
    elif not os.environ.get("WAYLAND_DISPLAY"):
        raise OutputError(
            f"no display to open a window on (DISPLAY and WAYLAND_DISPLAY are not set); {_REMEDY}"
        )


def require_x_display() -> None:
    """Makes sure an X11 window can be opened: OpenCV's wheel brings no Wayland plug-in.

    Raises:
        OutputError: Linux without a reachable X server (Wayland desktops bring one, XWayland).
    """
    require_display()
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        raise OutputError(
            "no X display for the preview window (DISPLAY is not set; Wayland alone is not enough "
            "for OpenCV): install XWayland, or use --view open3d or --view none"
        )


def _x_server_answers() -> bool:
    """Opens and closes a connection, authorisation included; True where libX11 is missing."""
    x11 = _x11()
    if x11 is None:
        return True
    connection = x11.XOpenDisplay(None)
    if not connection:
        return False
    x11.XCloseDisplay(connection)
    return True


def _x11() -> ctypes.CDLL | None:
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return None
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    x11.XDisplayWidth.argtypes = x11.XDisplayHeight.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return x11
