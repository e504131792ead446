"""The camera's picture in a window of its own (OpenCV's highgui)."""

import ctypes
import logging
import os
import sys
from pathlib import Path

import cv2

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.view.keys import Action, action_of_character
from realtime_vibe.outputs.view.screen import main_screen, require_display, window_areas
from realtime_vibe.packets import ImageArray
from realtime_vibe.system.closing import OpenedByWith

logger = logging.getLogger(__name__)
_FONT_FOLDERS = (
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/dejavu",
    "/usr/share/fonts/TTF",
    "/usr/share/fonts",
)

_SAME_ASPECT = 0.01
_TITLE = "realtime-vibe"
APT_LINE = "sudo apt-get install -y libgl1 libglib2.0-0 libx11-6 libx11-xcb1 libxcb1 libfontconfig1"
"""System libraries that OpenCV's window needs and its wheel does not carry."""
_QT_SETTINGS = {
    "QT_QPA_PLATFORM": "xcb",
    "QT_AUTO_SCREEN_SCALE_FACTOR": "0",
    "QT_ENABLE_HIGHDPI_SCALING": "0",
}
_QT_SCALES = ("QT_SCALE_FACTOR", "QT_SCREEN_SCALE_FACTORS", "QT_DEVICE_PIXEL_RATIO")
"""What desktops set: windows would be as many times as large as asked for."""


class PreviewWindow(OpenedByWith):
    """A window for pictures; use it on the main thread only (macOS aborts otherwise)."""

    def __init__(self) -> None:
        self.is_open = False
        """Whether the window is on the screen: opened, and not closed by anybody."""
        self._size = (0, 0)
        self._aspect = 0.0
        self._was_shown = False

    def open(self) -> None:
        """Opens the window; a second call does nothing.

        Raises:
            OutputError: there is no display, a system library is missing, or this OpenCV was
                built without windows.
        """
        if self.is_open:
            return
        require_display(of_x=True)
        _prepare_qt()
        # Pictures come in the window's own size: nothing is left to keep a ratio of.
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL
        try:
            cv2.namedWindow(_TITLE, flags)
        except cv2.error as error:
            raise OutputError(
                f"OpenCV cannot open a window ({str(error).strip()}): install "
                "opencv-contrib-python instead of a headless build, or use --view none"
            ) from error
        self.is_open = True
        self._aspect, self._was_shown = 0.0, False

    def picture_size(self, frame_width: int, frame_height: int) -> tuple[int, int]:
        """Width and height [px] of the picture that `show` wants, the window's inside, for frames of a size [px].

        The user may resize the window; frames of another shape than before give it theirs again.
        """
        aspect = frame_width / frame_height
        if abs(aspect - self._aspect) > _SAME_ASPECT * aspect:
            self._aspect = aspect
            self._fit(frame_width, frame_height)
        else:
            _, _, width, height = cv2.getWindowImageRect(_TITLE)
            if min(width, height) > 0:  # not so while it is minimised
                self._size = width, height
        return self._size

    def show(self, image: ImageArray) -> None:
        """Puts a picture (H, W, 3) BGR into the window; nothing happens once it is closed."""
        if not self.is_open:
            return
        cv2.imshow(_TITLE, image)
        self._was_shown = True

    def poll(self) -> list[Action]:
        """Handles the window's events; returns the keys' actions. `is_open` tells of a closing."""
        if not self.is_open:
            return []
        action = action_of_character(cv2.waitKeyEx(1))
        actions = [] if action is None else [action]
        # Before the first picture, some systems report a window that is not visible yet.
        if self._was_shown and not self._is_visible():
            logger.info("preview window closed")
            self.close()
        return actions

    def close(self) -> None:
        """Closes the window; harmless when it is closed."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            cv2.destroyWindow(_TITLE)
            cv2.waitKeyEx(1)  # highgui takes the window away only while it handles events
        except cv2.error as error:
            logger.debug("window was gone already: %s", error)

    def _fit(self, width: int, height: int) -> None:
        """Makes the window as large as its area allows at the shape of a picture."""
        area, _ = window_areas(main_screen())
        fit = min(area.width / width, area.height / height)
        self._size = max(1, round(width * fit)), max(1, round(height * fit))
        cv2.resizeWindow(_TITLE, *self._size)
        if not self._was_shown:
            cv2.moveWindow(_TITLE, area.left, area.top)

    def _is_visible(self) -> bool:
        try:
            return cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1.0
        except cv2.error:
            return False  # GTK raises for a window that is gone


def _prepare_qt() -> None:
    """Tells the Qt in OpenCV's wheel for Linux what it would get wrong.

    It brings one platform plug-in and aborts the process when asked for another, or when that one
    lacks a library; it is pointed at fonts that it does not ship, and writes two lines to the
    terminal for each that it looks for. Scaling is ours: pictures come in pixels of the screen.

    Raises:
        OutputError: the plug-in lacks a library of the system.
    """
    if not sys.platform.startswith("linux"):
        return
    plugin = Path(cv2.__file__).parent / "qt/plugins/platforms/libqxcb.so"
    if plugin.is_file():
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            raise OutputError(
                f"the preview window lacks a system library ({error}). On Debian or Ubuntu: "
                f"{APT_LINE}; or use --view open3d or --view none"
            ) from error
    if (asked := os.environ.get("QT_QPA_PLATFORM", "xcb")) != "xcb":
        logger.info("QT_QPA_PLATFORM=%s is left aside: OpenCV's window needs xcb", asked)
    folder = os.environ.get("QT_QPA_FONTDIR")
    if folder is None or not Path(folder).is_dir():
        existing = next((name for name in _FONT_FOLDERS if Path(name).is_dir()), None)
        if existing is not None:
            os.environ["QT_QPA_FONTDIR"] = existing
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false;qt.qpa.*=false")
    os.environ.update(_QT_SETTINGS)
    for name in _QT_SCALES:
        os.environ.pop(name, None)
