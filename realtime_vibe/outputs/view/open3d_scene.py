"""What is in the 3D window: the bodies on a grid.

Open3D's world here: y up, x to the viewer's right, z towards the viewer; the OpenCV camera frame
turned half a turn about x. The figure stands on the grid (y = 0) near the origin and faces the
viewer as it faces the webcam.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.outputs.ground import GroundLevel, LevelView, SteadyPoint
from realtime_vibe.outputs.view.background import Background
from realtime_vibe.outputs.view.floor_shadow import FloorShadow
from realtime_vibe.outputs.view.shading import PERSON_COLORS
from realtime_vibe.packets import FloatArray, FrameResult, PersonResult

_BACKGROUND_RGB = (0.27, 0.30, 0.34)
_GRID_RGB = np.array([0.56, 0.60, 0.65])
_CELL_M = 0.5
_GRID_CELLS = 8
"""Cells from the middle to each side."""


class MeshScene:
    """What is in the window: one mesh with room for everybody, and the grid.

    Geometry is added once and changed in place; adding it for every frame would reset the view, and
    crashes Open3D in the long run. Only when more people come than ever before is the mesh rebuilt.
    """

    def __init__(
        self,
        open3d: ModuleType,
        visualizer: Any,
        faces: NDArray[np.int32],
        background: Background,
    ) -> None:
        color = background.color
        self._background_rgb = (
            np.array(_BACKGROUND_RGB) if color is None else np.array(color[::-1]) / 255.0
        )
        self._has_grid = color is None
        self.visualizer = visualizer
        self._open3d = open3d
        self._faces = faces
        self._num_vertices = int(faces.max()) + 1
        self._room = 1
        self._is_mirrored = False
        self._colored: tuple[tuple[int, ...], tuple[float, ...]] = (), ()
        self._level = LevelView()
        self._ground = GroundLevel()
        self._aim = SteadyPoint()
        self._center = np.zeros(2, np.float32)
        self._grid = _make_grid(open3d)
        self._grid_points = np.asarray(self._grid.points).copy()
        self._mesh = self._make_mesh(mirror=False)
        self._shadow = FloorShadow(open3d, self._background_rgb)
        option = visualizer.get_render_option()
        option.background_color = self._background_rgb
        option.light_on = True
        option.mesh_show_back_face = False
        option.mesh_shade_option = open3d.visualization.MeshShadeOption.Color  # smooth, not flat
        # The grid gives the view its extent: without it the camera would sit inside the body.
        visualizer.add_geometry(self._grid)
        visualizer.add_geometry(self._mesh, reset_bounding_box=False)
        if self._has_grid:
            visualizer.add_geometry(self._shadow.mesh, reset_bounding_box=False)
        else:
            visualizer.remove_geometry(self._grid, reset_bounding_box=False)

    def update(self, result: FrameResult, *, mirror: bool) -> None:
        """Moves the bodies to where `result` has them."""
        result = self._level.of(result)
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
        if self._has_grid:
            self._shadow.cast(vertices[: len(result.people)].reshape(-1, 3))
            self.visualizer.update_geometry(self._shadow.mesh)
        if people:
            self._mesh.compute_vertex_normals()
        self.visualizer.update_geometry(self._mesh)
        self.visualizer.update_renderer()

    def _follow(self, result: FrameResult) -> None:
        """Keeps the people over the origin: the grid moves below them instead."""
        now_s = result.frame.captured_at_s
        self._ground.follow(result)
        pelvis = np.stack([person.mesh.joints[0, [0, 2]] for person in result.people])
        self._center = self._aim.update(0.5 * (pelvis.min(axis=0) + pelvis.max(axis=0)), now_s)
        if not self._has_grid:
            return
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
            colors[place] = opacity * own + (1.0 - opacity) * self._background_rgb
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
