"""Is there a screen to open a window on?

Asked before the window libraries are: Qt aborts the whole process when it cannot connect, and
Open3D's `create_window` says True and draws into nothing.
"""

import ctypes
import os
import sys

from realtime_vibe.errors import OutputError

_REMEDY = (
    "use --view none (with --save-video or --snapshot to see the result), or log in to a desktop"
)


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
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return True
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    connection = x11.XOpenDisplay(None)
    if not connection:
        return False
    x11.XCloseDisplay(connection)
    return True
