"""The mesh in a window to look at from all sides (Open3D's legacy visualiser)."""

import logging
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.view.background import DEFAULT_BACKGROUND, Background
from realtime_vibe.outputs.view.keys import KEYS, Action, glfw_code
from realtime_vibe.outputs.view.open3d_scene import MeshScene
from realtime_vibe.outputs.view.screen import (
    main_screen,
    require_display,
    window_areas,
    x11_preferred,
)
from realtime_vibe.packets import FrameResult, ImageArray
from realtime_vibe.system.closing import OpenedByWith
from realtime_vibe.system.machine import install_command
from realtime_vibe.system.timing import DrawingPace

logger = logging.getLogger(__name__)

APT_LINE = "sudo apt-get install -y libgl1 libegl1 libx11-6 libusb-1.0-0 libgomp1"
"""System libraries that Open3D's wheel links to and does not carry."""
_LOOK_AT = (0.0, 0.9, 0.0)
_FRONT = (0.45, 0.22, 1.0)
"""From the point looked at towards the viewer: a little to the side and above."""
_ZOOM = 0.17
_TITLE = "realtime-vibe 3D"
_FIELD_OF_VIEW_DEG = 35.0
_FIELD_OF_VIEW_STEP_DEG = 5.0
"""What Open3D calls one step."""
_GLFW_PRESS = 1
_FILE_WRITING_KEYS = (ord("P"), ord("D"))
"""Open3D's own keys that drop files into the working folder."""


class Open3dViewer(OpenedByWith):
    """A window with the bodies on a grid: drag to orbit, wheel to zoom, v to look from the front.

    Every method belongs on the main thread.

    Args:
        faces: (F, 3) of the body that the meshes come from.
        background: one colour hides the grid; a window is never transparent.
    """

    def __init__(
        self, faces: NDArray[np.integer], background: Background = DEFAULT_BACKGROUND
    ) -> None:
        self._background = background
        self._faces = np.ascontiguousarray(faces, np.int32)
        self._pace = DrawingPace()
        self._scene: MeshScene | None = None
        self._actions: list[Action] = []
        self._waiting: FrameResult | None = None
        self.mirror = False
        """Shows the bodies as a mirror would; takes effect with the next `show`."""

    @property
    def is_open(self) -> bool:
        """Whether the window is on the screen: opened, and not closed by anybody."""
        return self._scene is not None

    def open(self) -> None:
        """Opens the window; a second call does nothing.

        Raises:
            OutputError: no display, Open3D missing, or one of its system libraries missing.
        """
        if self._scene is not None:
            return
        require_display()
        open3d = _import_open3d()
        # Normals of one body need one core; the others are for inference. 0.19 lacks the setting.
        if hasattr(open3d.utility, "set_max_threads"):
            open3d.utility.set_max_threads(1)
        visualizer = open3d.visualization.VisualizerWithKeyCallback()
        _, area = window_areas(main_screen())
        quiet = open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error)
        with quiet, x11_preferred():
            is_created = visualizer.create_window(
                _TITLE, area.width, area.height, area.left, area.top
            )
        if not is_created or visualizer.get_render_option() is None:
            visualizer.destroy_window()
            raise OutputError(
                "Open3D cannot open a window (OpenGL 3.3 is needed): update the graphics driver, "
                "or use --view preview"
            )
        self._register_keys(visualizer)
        self._scene = MeshScene(open3d, visualizer, self._faces, self._background)
        self.reset_view()

    def show(self, result: FrameResult | None) -> None:
        """Takes the newest result; it is drawn at the next `poll` that has time for it.

        None changes nothing. Nobody in view hides the bodies.
        """
        if result is not None and self._scene is not None:
            self._waiting = result

    def poll(self) -> list[Action]:
        """Draws what waits, handles the window's events and returns the keys' actions; `is_open` tells of a closing."""
        scene = self._scene
        if scene is None:
            return []
        if self._waiting is None or not self._pace.is_due():
            is_alive = scene.visualizer.poll_events()
        else:
            with self._pace.drawing():
                self._update_scene(scene)
                is_alive = scene.visualizer.poll_events()
        if not is_alive:
            logger.info("3D window closed")
            self.close()
        actions, self._actions = self._actions, []
        return actions

    def reset_view(self) -> None:
        """Looks from the front again; nothing happens while the window is closed."""
        if self._scene is None:
            return
        control = self._scene.visualizer.get_view_control()
        missing_deg = _FIELD_OF_VIEW_DEG - control.get_field_of_view()
        control.change_field_of_view(missing_deg / _FIELD_OF_VIEW_STEP_DEG)
        control.set_lookat(_LOOK_AT)
        control.set_front(_FRONT)
        control.set_up((0.0, 1.0, 0.0))
        control.set_zoom(_ZOOM)

    def capture(self) -> ImageArray:
        """The picture (H, W, 3) uint8 BGR in the window, the last `show` included.

        Raises:
            OutputError: the window is closed.
        """
        if self._scene is None:
            raise OutputError("the 3D window is closed, there is nothing to capture")
        if self._waiting is not None:
            self._update_scene(self._scene)
            self._scene.visualizer.poll_events()
        # do_render must be True: without it a window gives a black picture.
        rgb = np.asarray(self._scene.visualizer.capture_screen_float_buffer(True))
        return np.ascontiguousarray(np.rint(rgb[..., ::-1] * 255.0).astype(np.uint8))

    def close(self) -> None:
        """Closes the window; harmless when it is closed."""
        if self._scene is None:
            return
        visualizer = self._scene.visualizer
        self._scene = None
        self._waiting = None
        visualizer.destroy_window()

    def _update_scene(self, scene: MeshScene) -> None:
        """Moves the bodies to where the waiting result has them; `poll_events` draws them."""
        if self._waiting is not None:
            scene.update(self._waiting, mirror=self.mirror)
            self._waiting = None

    def _register_keys(self, visualizer: Any) -> None:
        for key, action in KEYS.items():
            visualizer.register_key_action_callback(glfw_code(key), self._key_callback(action))
        for code in _FILE_WRITING_KEYS:
            visualizer.register_key_action_callback(code, lambda *_: False)

    def _key_callback(self, action: Action) -> Any:
        def on_key(_visualizer: object, key_event: int, modifiers: int) -> bool:
            # Not on release, not on repeat: holding r must not start a recording twice.
            if key_event == _GLFW_PRESS and modifiers in {0, 1}:
                self._actions.append(action)
            return False

        return on_key


def _import_open3d() -> ModuleType:
    """Open3D, or one clear line on what is missing.

    Raises:
        OutputError: not installed, or one of its system libraries is not.
    """
    try:
        import open3d
    except ModuleNotFoundError as error:
        raise OutputError(
            f"the 3D window needs Open3D ({error.name} is not installed): "
            f"{install_command('viewer')}, or use --view preview"
        ) from error
    except (ImportError, OSError) as error:
        raise OutputError(
            f"Open3D is installed but cannot start ({error}). On Debian or Ubuntu: {APT_LINE}; "
            "or use --view preview"
        ) from error
    return open3d
