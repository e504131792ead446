"""The camera's picture in a window of its own (OpenCV's highgui)."""

import logging
import os
import sys
from pathlib import Path

import cv2

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.view.keys import Action, action_of_character
from realtime_vibe.outputs.view.screen import require_x_display, screen_size, window_areas
from realtime_vibe.packets import ImageArray
from realtime_vibe.system.closing import OpenedByWith

logger = logging.getLogger(__name__)
_FONT_FOLDERS = (
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/dejavu",
    "/usr/share/fonts/TTF",
    "/usr/share/fonts",
)


class PreviewWindow(OpenedByWith):
    """A window for pictures; use it on the main thread only (macOS aborts otherwise).

    Args:
        title: of the window.
    """

    def __init__(self, title: str = "realtime-vibe") -> None:
        self._title = title
        self._is_open = False
        self._shown_size = (0, 0)

    @property
    def _was_shown(self) -> bool:
        return self._shown_size != (0, 0)

    @property
    def is_open(self) -> bool:
        """Whether the window is on the screen: opened, and not closed by anybody."""
        return self._is_open

    def open(self) -> None:
        """Opens the window; a second call does nothing.

        Raises:
            OutputError: there is no display, or this OpenCV was built without windows.
        """
        if self._is_open:
            return
        require_x_display()
        _quiet_qt()
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        try:
            cv2.namedWindow(self._title, flags)
        except cv2.error as error:
            raise OutputError(
                f"OpenCV cannot open a window ({str(error).strip()}): install "
                "opencv-contrib-python instead of a headless build, or use --view none"
            ) from error
        self._is_open = True
        self._shown_size = (0, 0)

    def show(self, image: ImageArray) -> None:
        """Puts a picture (H, W, 3) BGR into the window; nothing happens once it is closed."""
        if not self._is_open:
            return
        height, width = image.shape[:2]
        if (width, height) != self._shown_size:
            self._fit(width, height)
            self._shown_size = (width, height)
        cv2.imshow(self._title, image)

    def poll(self) -> list[Action]:
        """Handles the window's events; returns the keys' actions. `is_open` tells of a closing."""
        if not self._is_open:
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
        if not self._is_open:
            return
        self._is_open = False
        try:
            cv2.destroyWindow(self._title)
            cv2.waitKeyEx(1)  # highgui takes the window away only while it handles events
        except cv2.error as error:
            logger.debug("window was gone already: %s", error)

    def _fit(self, width: int, height: int) -> None:
        """Gives the window the size of a picture, reduced to its area; the user may resize it."""
        area, _ = window_areas(screen_size())
        fit = min(1.0, area.width / width, area.height / height)
        cv2.resizeWindow(self._title, max(1, round(width * fit)), max(1, round(height * fit)))
        if not self._was_shown:
            cv2.moveWindow(self._title, area.left, area.top)

    def _is_visible(self) -> bool:
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1.0
        except cv2.error:
            return False  # GTK raises for a window that is gone


def _quiet_qt() -> None:
    """Points Qt at fonts that exist: OpenCV's wheel points it at a folder that it does not ship.

    Without any, Qt writes two lines to the terminal for each font it looks for.
    """
    if not sys.platform.startswith("linux"):
        return
    folder = os.environ.get("QT_QPA_FONTDIR")
    if folder is None or not Path(folder).is_dir():
        existing = next((name for name in _FONT_FOLDERS if Path(name).is_dir()), None)
        if existing is not None:
            os.environ["QT_QPA_FONTDIR"] = existing
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false;qt.qpa.*=false")
    os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
