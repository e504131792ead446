"""The windows of a live run behind one door."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.outputs.view.background import DEFAULT_BACKGROUND, Background
from realtime_vibe.outputs.view.composite import CompositeRenderer, beside
from realtime_vibe.outputs.view.hud import HudLevel, HudState, HudText, draw_hud, hud_text
from realtime_vibe.outputs.view.keys import Action
from realtime_vibe.outputs.view.open3d_viewer import Open3dViewer
from realtime_vibe.outputs.view.overlay import OverlayRenderer, draw_person_marks, resized_to_height
from realtime_vibe.outputs.view.preview_window import PreviewWindow
from realtime_vibe.outputs.view.scene import backdrop, write_centered
from realtime_vibe.packets import FrameResult, ImageArray
from realtime_vibe.system.closing import OpenedByWith
from realtime_vibe.system.timing import DrawingPace

View = Literal["both", "open3d", "preview", "none"]
"""Which windows a run opens."""

_MIN_PICTURE_HEIGHT_PX, _MAX_PICTURE_HEIGHT_PX = 360, 1080
"""Of a screenshot; larger previews are enlarged from the same height."""
_WAITING_SIZE = (640, 480)
_AROUND_BGR = (30, 26, 24)
"""Beside the frame, where the user gave the window another shape."""


class Display(OpenedByWith):
    """Shows the newest result of a body with (F, 3) faces; use it on the main thread only.

    View `none` opens nothing and still makes `last_picture`.
    """

    def __init__(
        self,
        faces: NDArray[np.integer],
        *,
        view: View = "both",
        mirror: bool = False,
        background: Background = DEFAULT_BACKGROUND,
    ) -> None:
        self._faces = faces
        self._background = background
        self._overlay = OverlayRenderer(faces, skeleton=True)
        self._viewer: Open3dViewer | None = None
        if view in {"both", "open3d"}:
            self._viewer = Open3dViewer(faces, background=background)
            self._viewer.mirror = mirror
        self._preview = PreviewWindow() if view in {"both", "preview"} else None
        self._result: FrameResult | None = None
        self._num_results = 0
        """Results shown so far: which one is shown, as an `id` comes again once its result is gone."""
        self._base = np.zeros((1, 1, 3), np.uint8)
        self._hud = HudState()
        self._drawn: tuple[object, HudText] = None, HudText()
        """What the base was drawn of, and the text over it."""
        self._pace = DrawingPace()
        self.mirror = mirror
        """Whether everything is shown as in a mirror; the m key toggles it."""
        self.lock: PersonLock | None = None
        """Whom the user chose to follow: marked in the preview."""
        self.hud_level = HudLevel.BRIEF
        """How much text is written; the h key goes on to the next level."""

    @property
    def is_open(self) -> bool:
        """Whether any window is on the screen."""
        return any(window.is_open for window in self._windows())

    def open(self) -> None:
        """Opens the windows of the chosen view.

        Raises:
            OutputError: no display, or a library is missing; no window stays open then.
        """
        try:
            for window in self._windows():
                window.open()
        except BaseException:
            self.close()
            raise

    def show(self, result: FrameResult | None, hud: HudState) -> None:
        """Shows a result, or only new numbers; None when there is no new one since the last call.

        The overlay is drawn for new results only, and only as often as half of the time allows.
        """
        if result is not None:
            self._result = result
            self._num_results += 1
            if self._viewer is not None:
                self._viewer.show(result)
        self._hud = hud
        self._draw_preview()

    def poll(self) -> list[Action]:
        """Handles the windows' events and returns what the user asked for, in order.

        MIRROR, HUD and RESET_VIEW were carried out already and are returned for information. QUIT
        comes from a key, or once no window is left on the screen.
        """
        had_window = self.is_open
        actions = [action for window in self._windows() for action in window.poll()]
        for action in actions:
            self._carry_out(action)
        self._draw_preview()
        if had_window and not self.is_open:
            actions.append(Action.QUIT)
        return actions

    def last_picture(self) -> ImageArray | None:
        """The last result's overlay beside its mesh, for a screenshot; None before the first result.

        The mesh is as the 3D window shows it, or from the usual side view where there is no window.
        """
        if self._result is None:
            return None
        if self._viewer is not None and self._viewer.is_open:
            height = max(self._result.frame.image_bgr.shape[0], _MIN_PICTURE_HEIGHT_PX)
            height = min(height, _MAX_PICTURE_HEIGHT_PX)
            overlay = self._overlay.draw(self._result, height=height, mirror=self.mirror)
            return beside(overlay, self._viewer.capture())
        composite = CompositeRenderer(
            self._faces,
            max_height=_MAX_PICTURE_HEIGHT_PX,
            skeleton=True,
            mirror=self.mirror,
            background=self._background,
        )
        return composite.draw(self._result)

    def close(self) -> None:
        """Closes the windows; harmless when they are closed."""
        for window in self._windows():
            window.close()

    def _windows(self) -> list[Open3dViewer | PreviewWindow]:
        return [window for window in (self._viewer, self._preview) if window is not None]

    def _carry_out(self, action: Action) -> None:
        if action is Action.MIRROR:
            self.mirror = not self.mirror
            if self._viewer is not None:
                self._viewer.mirror = self.mirror
                self._viewer.show(self._result)
        elif action is Action.HUD:
            self.hud_level = self.hud_level.following
        elif action is Action.RESET_VIEW and self._viewer is not None:
            self._viewer.reset_view()

    def _draw_preview(self) -> None:
        """Brings the preview up to date when something changed and it is time to draw."""
        preview = self._preview
        if preview is None or not preview.is_open or not self._pace.is_due():
            return
        size = preview.picture_size(*self._frame_size())
        locked_id = None if self.lock is None else self.lock.track_id
        source = (self._num_results, size, self.mirror, locked_id)
        text = hud_text(self._hud, self.hud_level)
        if (source, text) == self._drawn:
            return
        with self._pace.drawing():
            if source != self._drawn[0]:
                self._base = _centered(self._draw_base(size, locked_id), size)
            picture = self._base.copy()
            draw_hud(picture, text)
            preview.show(picture)
        self._drawn = source, text

    def _frame_size(self) -> tuple[int, int]:
        """Width and height [px] of the frames."""
        if self._result is None:
            return _WAITING_SIZE
        height, width = self._result.frame.image_bgr.shape[:2]
        return width, height

    def _draw_base(self, size: tuple[int, int], locked_id: int | None) -> ImageArray:
        """The overlay as large as fits into `size`; before the first result, a note instead of it."""
        if self._result is None:
            waiting = backdrop(*size)
            write_centered(waiting, "waiting for the first frame")
            return waiting
        width, height = self._frame_size()
        fitted = max(1, round(height * min(size[0] / width, size[1] / height)))
        picture = self._overlay.draw(
            self._result, height=min(fitted, _MAX_PICTURE_HEIGHT_PX), mirror=self.mirror
        )
        picture = resized_to_height(picture, fitted)
        draw_person_marks(picture, self._result, locked_id, mirror=self.mirror)
        return picture


def _centered(picture: ImageArray, size: tuple[int, int]) -> ImageArray:
    """`picture` in the middle of one of (width, height); what is a pixel too large is cut off."""
    shown = picture[: size[1], : size[0]]
    right, bottom = size[0] - shown.shape[1], size[1] - shown.shape[0]
    left, top = right // 2, bottom // 2
    canvas = cv2.copyMakeBorder(
        shown, top, bottom - top, left, right - left, cv2.BORDER_CONSTANT, value=_AROUND_BGR
    )
    return np.asarray(canvas, np.uint8)
