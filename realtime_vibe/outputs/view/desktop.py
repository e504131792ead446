"""Where windows of this program lie, and how large the desktop is, asked from the system itself.

Open3D tells neither; X11 and Windows are asked by their own libraries. Elsewhere (macOS, Wayland
without X) the answer is None and windows open in their usual places.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from realtime_vibe.outputs.view.window_places import WindowPlace

_DEPTH = 3
"""A window manager lays a window into a frame, at times into two."""
_WINDOWS_VIRTUAL_SCREEN = (76, 77, 78, 79)
"""SM_XVIRTUALSCREEN and the three after it: left, top, width, height over all monitors."""


def desktop_area() -> WindowPlace | None:
    """The rectangle around all monitors [px]; None where nobody can tell."""
    if os.name == "nt":
        measure: Any = getattr(ctypes, "windll").user32.GetSystemMetrics  # noqa: B009  # see below
        left, top, width, height = (int(measure(number)) for number in _WINDOWS_VIRTUAL_SCREEN)
        return WindowPlace(left=left, top=top, width=width, height=height)
    with _x_connection() as x:
        if x is None:
            return None
        screen = x.library.XDefaultScreen(x.display)
        return WindowPlace(
            left=0,
            top=0,
            width=int(x.library.XDisplayWidth(x.display, screen)),
            height=int(x.library.XDisplayHeight(x.display, screen)),
        )


def place_of_window(title: str) -> WindowPlace | None:
    """Where the window with exactly this title is on the desktop [px]; None when it is not found."""
    if os.name == "nt":
        return _place_on_windows(title)
    with _x_connection() as x:
        if x is None:
            return None
        # Held still: a window that closes while it is asked about would end this process.
        x.library.XGrabServer(x.display)
        try:
            return _place_on_x(x, title.encode())
        finally:
            x.library.XUngrabServer(x.display)


def _place_on_windows(title: str) -> WindowPlace | None:
    user32: Any = getattr(ctypes, "windll").user32  # noqa: B009  # type checkers know it on Windows only
    user32.FindWindowW.restype = ctypes.c_void_p
    user32.FindWindowW.argtypes = [ctypes.c_wchar_p, ctypes.c_wchar_p]
    user32.GetWindowRect.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    window = user32.FindWindowW(None, title)
    edges = (ctypes.c_long * 4)()
    if not window or not user32.GetWindowRect(window, edges):
        return None
    left, top, right, bottom = edges
    return WindowPlace(left=left, top=top, width=right - left, height=bottom - top)


class _XConnection:
    """libX11 and a connection of its own."""

    def __init__(self, library: Any, display: Any) -> None:
        self.library = library
        self.display = display
        self.root = library.XDefaultRootWindow(display)

    def children(self, window: int) -> list[int]:
        """Windows inside a window."""
        root, parent = ctypes.c_ulong(), ctypes.c_ulong()
        found, count = ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
        answered = self.library.XQueryTree(
            self.display,
            window,
            ctypes.byref(root),
            ctypes.byref(parent),
            ctypes.byref(found),
            ctypes.byref(count),
        )
        if not answered or not count.value:
            return []
        windows = [int(found[index]) for index in range(count.value)]
        self.library.XFree(found)
        return windows

    def title(self, window: int) -> bytes:
        """What a window is called."""
        name = ctypes.c_char_p()
        if not self.library.XFetchName(self.display, window, ctypes.byref(name)):
            return b""
        title = name.value or b""
        self.library.XFree(name)
        return title

    def place(self, window: int) -> WindowPlace:
        """Where a window is on the desktop."""
        root, child = ctypes.c_ulong(), ctypes.c_ulong()
        x, y = ctypes.c_int(), ctypes.c_int()
        width, height, border, depth = (ctypes.c_uint() for _ in range(4))
        sizes = (ctypes.byref(value) for value in (x, y, width, height, border, depth))
        self.library.XGetGeometry(self.display, window, ctypes.byref(root), *sizes)
        self.library.XTranslateCoordinates(
            self.display,
            window,
            self.root,
            0,
            0,
            ctypes.byref(x),
            ctypes.byref(y),
            ctypes.byref(child),
        )
        return WindowPlace(left=x.value, top=y.value, width=width.value, height=height.value)


@contextmanager
def _x_connection() -> Iterator[_XConnection | None]:
    """A connection to the X server; None where there is none."""
    library = _x11() if sys.platform.startswith("linux") and os.environ.get("DISPLAY") else None
    display = library.XOpenDisplay(None) if library is not None else None
    if library is None or not display:
        yield None
        return
    try:
        yield _XConnection(library, display)
    finally:
        library.XCloseDisplay(display)


def _x11() -> Any:
    try:
        library = ctypes.CDLL("libX11.so.6")
    except OSError:
        return None
    pointer, window, anything = ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p
    library.XOpenDisplay.restype = pointer
    library.XDefaultRootWindow.restype = window
    for name, arguments in (
        ("XOpenDisplay", [ctypes.c_char_p]),
        ("XCloseDisplay", [pointer]),
        ("XDefaultRootWindow", [pointer]),
        ("XDefaultScreen", [pointer]),
        ("XDisplayWidth", [pointer, ctypes.c_int]),
        ("XDisplayHeight", [pointer, ctypes.c_int]),
        ("XGrabServer", [pointer]),
        ("XUngrabServer", [pointer]),
        ("XFree", [anything]),
        ("XQueryTree", [pointer, window, *[anything] * 4]),
        ("XFetchName", [pointer, window, anything]),
        ("XGetGeometry", [pointer, window, *[anything] * 7]),
        ("XTranslateCoordinates", [pointer, window, window, *[ctypes.c_int] * 2, *[anything] * 3]),
    ):
        getattr(library, name).argtypes = arguments
    return library


def _place_on_x(x: _XConnection, title: bytes) -> WindowPlace | None:
    level = x.children(x.root)
    for _ in range(_DEPTH):
        for window in level:
            if x.title(window) == title:
                return x.place(window)
        level = [child for window in level for child in x.children(window)]
    return None
