"""The mesh in a window to look at from all sides (Open3D's legacy visualiser).

Open3D's world here: y up, x to the viewer's right, z towards the viewer; the OpenCV camera frame
turned half a turn about x. The figure stands on the grid (y = 0) near the origin and faces the
viewer as it faces the webcam.
"""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.ground import GroundLevel, SteadyPoint
from realtime_vibe.outputs.keys import KEY_BINDINGS, Action
from realtime_vibe.outputs.pacing import DrawingPace
from realtime_vibe.outputs.screen import require_display
from realtime_vibe.outputs.shading import PERSON_COLORS
from realtime_vibe.packets import FloatArray, FrameResult, ImageArray, PersonResult
from realtime_vibe.timing import Clock

_LOG = logging.getLogger(__name__)

APT_LINE = "sudo apt-get install -y libgl1 libegl1 libx11-6 libusb-1.0-0 libgomp1"
"""System libraries that Open3D's wheel links to and does not carry."""
_BACKGROUND_RGB = (0.27, 0.30, 0.34)
_GRID_RGB = np.array([0.56, 0.60, 0.65])
_CELL_M = 0.5
_GRID_CELLS = 8
"""Cells from the middle to each side."""
_LOOK_AT = (0.0, 0.9, 0.0)
_FRONT = (0.45, 0.22, 1.0)
"""From the point looked at towards the viewer: a little to the side and above."""
_ZOOM = 0.17
_FIELD_OF_VIEW_DEG = 35.0
_FIELD_OF_VIEW_STEP_DEG = 5.0
"""What Open3D calls one step."""
_READ_BACK_EVERY = 10
"""Without a window, drawing leaks 0.1-0.3 MB a frame unless the picture is read now and then."""
_LEFT_PX, _TOP_PX = 700, 60
"""Place on the screen: right of the preview window."""
_GLFW_PRESS = 1
_FILE_WRITING_KEYS = (ord("P"), ord("D"))
"""Open3D's own keys that drop files into the working folder."""


class Open3dViewer:
    """A window with the bodies on a grid: drag to orbit, wheel to zoom, v to look from the front.

    Every method belongs on the main thread.

    Args:
        faces: (F, 3) of the body that the meshes come from.
        width: of the window [px].
        height: of the window [px].
        title: of the window.
        offscreen: draws without a window (for pictures and tests).
        clock: monotonic seconds; drawing takes at most half of the time.
    """

    def __init__(
        self,
        faces: NDArray[np.integer],
        *,
        width: int = 960,
        height: int = 720,
        title: str = "realtime-vibe 3D",
        offscreen: bool = False,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._faces = np.ascontiguousarray(faces, np.int32)
        self._size = (width, height)
        self._title = title
        self._offscreen = offscreen
        self._pace = DrawingPace(clock)
        self._scene: _Scene | None = None
        self._actions: list[Action] = []
        self._waiting: FrameResult | None = None
        self._num_drawn = 0
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
        if not self._offscreen:
            require_display()
        open3d = _import_open3d()
        # Normals of one body need one core; the others are for inference. 0.19 lacks the setting.
        if hasattr(open3d.utility, "set_max_threads"):
            open3d.utility.set_max_threads(1)
        visualizer = open3d.visualization.VisualizerWithKeyCallback()
        width, height = self._size
        quiet = open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error)
        with quiet, _runtime_folder():
            is_created = visualizer.create_window(
                self._title, width, height, _LEFT_PX, _TOP_PX, visible=not self._offscreen
            )
        if not is_created or visualizer.get_render_option() is None:
            visualizer.destroy_window()
            raise OutputError(
                "Open3D cannot open a window (OpenGL 3.3 is needed): update the graphics driver, "
                "or use --view preview"
            )
        self._register_keys(visualizer)
        self._scene = _Scene(open3d, visualizer, self._faces)
        self.reset_view()

    def show(self, result: FrameResult | None) -> None:
        """Takes the newest result; it is drawn at the next `poll` that has time for it.

        Args:
            result: bodies to show; None changes nothing. Nobody in view hides the bodies.
        """
        if result is not None and self._scene is not None:
            self._waiting = result

    def poll(self) -> bool:
        """Draws what waits and handles the window's events; False once the window is closed."""
        scene = self._scene
        if scene is None:
            return False
        if self._waiting is None or not self._pace.is_due():
            is_alive = scene.visualizer.poll_events()
        else:
            with self._pace.drawing():
                self._update_scene(scene)
                is_alive = scene.visualizer.poll_events()
            if self._offscreen and self._num_drawn % _READ_BACK_EVERY == 0:
                scene.visualizer.capture_screen_float_buffer(True)
        if not is_alive:
            _LOG.info("3D window closed")
            self.close()
        return bool(is_alive)

    def take_actions(self) -> list[Action]:
        """The actions of the keys pressed since the last call."""
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

    def _update_scene(self, scene: "_Scene") -> None:
        """Moves the bodies to where the waiting result has them; `poll_events` draws them."""
        if self._waiting is not None:
            scene.update(self._waiting, mirror=self.mirror)
            self._waiting = None
            self._num_drawn += 1

    def _register_keys(self, visualizer: Any) -> None:
        for binding in KEY_BINDINGS:
            visualizer.register_key_action_callback(
                binding.glfw_code, self._key_callback(binding.action)
            )
        for code in _FILE_WRITING_KEYS:
            visualizer.register_key_action_callback(code, lambda *_: False)

    def _key_callback(self, action: Action) -> Any:
        def on_key(_visualizer: object, key_event: int, modifiers: int) -> bool:
            # Not on release, not on repeat: holding r must not start a recording twice.
            if key_event == _GLFW_PRESS and modifiers in {0, 1}:
                self._actions.append(action)
            return False

        return on_key

    def __enter__(self) -> "Open3dViewer":
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Scene:
    """What is in the window: one mesh with room for everybody, and the grid.

    Geometry is added once and changed in place; adding it for every frame would reset the view, and
    crashes Open3D in the long run. Only when more people come than ever before is the mesh rebuilt.
    """

    def __init__(self, open3d: ModuleType, visualizer: Any, faces: NDArray[np.int32]) -> None:
        self.visualizer = visualizer
        self._open3d = open3d
        self._faces = faces
        self._num_vertices = int(faces.max()) + 1
        self._room = 1
        self._is_mirrored = False
        self._colored: tuple[tuple[int, ...], tuple[float, ...]] = (), ()
        self._ground = GroundLevel()
        self._aim = SteadyPoint()
        self._center = np.zeros(2, np.float32)
        self._grid = _make_grid(open3d)
        self._grid_points = np.asarray(self._grid.points).copy()
        self._mesh = self._make_mesh(mirror=False)
        option = visualizer.get_render_option()
        option.background_color = _BACKGROUND_RGB
        option.light_on = True
        option.mesh_show_back_face = False
        option.mesh_shade_option = open3d.visualization.MeshShadeOption.Color  # smooth, not flat
        visualizer.add_geometry(self._grid)
        visualizer.add_geometry(self._mesh, reset_bounding_box=False)

    def update(self, result: FrameResult, *, mirror: bool) -> None:
        """Moves the bodies to where `result` has them."""
        people = (*result.people, *(held.last for held in result.held))
        opacities = (*(1.0 for _ in result.people), *(held.opacity for held in result.held))
        if len(people) > self._room or mirror != self._is_mirrored:
            self._rebuild(max(len(people), self._room), mirror=mirror)
        if result.people:
            self._follow(result)
        vertices = np.zeros((self._room, self._num_vertices, 3), np.float32)
        for place, person in enumerate(people):
            vertices[place] = self._placed(person)
        self._mesh.vertices = self._open3d.utility.Vector3dVector(
            vertices.reshape(-1, 3).astype(np.float64)
        )
        self._color(people, opacities)
        if people:
            self._mesh.compute_vertex_normals()
        self.visualizer.update_geometry(self._mesh)
        self.visualizer.update_renderer()

    def _follow(self, result: FrameResult) -> None:
        """Keeps the people over the origin: the grid moves below them instead."""
        now_s = result.frame.captured_at_s
        lowest_m = max(float(person.mesh.vertices[:, 1].max()) for person in result.people)
        self._ground.update(lowest_m, now_s)
        pelvis = np.stack([person.mesh.joints[0, [0, 2]] for person in result.people])
        self._center = self._aim.update(0.5 * (pelvis.min(axis=0) + pelvis.max(axis=0)), now_s)
        x_m, z_m = float(self._center[0]), -float(self._center[1])
        shifted = self._grid_points.copy()
        shifted[:, 0] -= (-x_m if self._is_mirrored else x_m) % _CELL_M
        shifted[:, 2] -= z_m % _CELL_M
        self._grid.points = self._open3d.utility.Vector3dVector(shifted)
        self.visualizer.update_geometry(self._grid)

    def _placed(self, person: PersonResult) -> FloatArray:
        """Vertices (V, 3) in Open3D's world."""
        placed = person.mesh.vertices[: self._num_vertices] - np.array(
            [self._center[0], self._ground.level_m, self._center[1]], np.float32
        )
        turn = np.array([-1.0 if self._is_mirrored else 1.0, -1.0, -1.0], np.float32)
        return np.asarray(placed * turn, np.float32)

    def _color(self, people: tuple[PersonResult, ...], opacities: tuple[float, ...]) -> None:
        """Colours by track id; legacy Open3D draws nothing transparent, so the lost fade to the background."""
        track_ids = tuple(person.person.track_id for person in people)
        if (track_ids, opacities) == self._colored or not people:
            return
        self._colored = track_ids, opacities
        colors = np.zeros((self._room, self._num_vertices, 3))
        for place, (track_id, opacity) in enumerate(zip(track_ids, opacities, strict=True)):
            blue, green, red = PERSON_COLORS[track_id % len(PERSON_COLORS)]
            own = np.array([red, green, blue]) / 255.0
            colors[place] = opacity * own + (1.0 - opacity) * np.array(_BACKGROUND_RGB)
        self._mesh.vertex_colors = self._open3d.utility.Vector3dVector(colors.reshape(-1, 3))

    def _rebuild(self, room: int, *, mirror: bool) -> None:
        self.visualizer.remove_geometry(self._mesh, reset_bounding_box=False)
        self._room, self._is_mirrored, self._colored = room, mirror, ((), ())
        self._mesh = self._make_mesh(mirror=mirror)
        self.visualizer.add_geometry(self._mesh, reset_bounding_box=False)

    def _make_mesh(self, *, mirror: bool) -> Any:
        utility = self._open3d.utility
        # A mirrored body is inside out unless its faces wind the other way.
        faces = self._faces[:, ::-1] if mirror else self._faces
        offsets = np.arange(self._room)[:, None, None] * self._num_vertices
        mesh = self._open3d.geometry.TriangleMesh()
        mesh.vertices = utility.Vector3dVector(np.zeros((self._room * self._num_vertices, 3)))
        mesh.triangles = utility.Vector3iVector((faces[None] + offsets).reshape(-1, 3))
        mesh.paint_uniform_color([part / 255.0 for part in PERSON_COLORS[0][::-1]])
        mesh.compute_vertex_normals()
        return mesh


def _make_grid(open3d: ModuleType) -> Any:
    """Cells of half a metre on y = 0, fading out away from the middle."""
    ticks = np.arange(-_GRID_CELLS, _GRID_CELLS + 1) * _CELL_M
    x, z = (axis.ravel() for axis in np.meshgrid(ticks, ticks, indexing="ij"))
    numbers = np.arange(len(x)).reshape(len(ticks), len(ticks))
    along_z = np.stack([numbers[:, :-1].ravel(), numbers[:, 1:].ravel()], axis=1)
    along_x = np.stack([numbers[:-1].ravel(), numbers[1:].ravel()], axis=1)
    lines = np.concatenate([along_z, along_x])
    points = np.stack([x, np.zeros_like(x), z], axis=1)
    distance = np.linalg.norm(points[lines].mean(axis=1), axis=1)
    strength = np.clip(1.0 - distance / (_GRID_CELLS * _CELL_M), 0.0, 1.0)[:, None]
    background = np.array(_BACKGROUND_RGB)
    kept = strength[:, 0] > 0.0
    grid = open3d.geometry.LineSet()
    grid.points = open3d.utility.Vector3dVector(points)
    grid.lines = open3d.utility.Vector2iVector(lines[kept].astype(np.int32))
    grid.colors = open3d.utility.Vector3dVector(
        (background + strength * (_GRID_RGB - background))[kept]
    )
    return grid


@contextmanager
def _runtime_folder() -> Iterator[None]:
    """Lends XDG_RUNTIME_DIR where a bare machine sets none: libwayland prints an error without."""
    if os.environ.get("XDG_RUNTIME_DIR") or not sys.platform.startswith("linux"):
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["XDG_RUNTIME_DIR"]


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
            'pip install "realtime-vibe[viewer]", or use --view preview'
        ) from error
    except (ImportError, OSError) as error:
        raise OutputError(
            f"Open3D is installed but cannot start ({error}). On Debian or Ubuntu: {APT_LINE}; "
            "or use --view preview"
        ) from error
    return open3d
