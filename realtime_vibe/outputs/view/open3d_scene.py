"""What is in the 3D window, whose axes are the stage's: the bodies on a grid, near the origin, and their shadow."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.outputs.view.background import Background
from realtime_vibe.outputs.view.shading import color_of
from realtime_vibe.outputs.view.stage import (
    GRID_LINES,
    SHADOW_CELL_M,
    SHADOW_CELLS,
    SHADOW_STRENGTH,
    Stage,
)
from realtime_vibe.packets import FrameResult

_BACKGROUND_RGB = (0.27, 0.30, 0.34)
_GRID_RGB = np.array([0.56, 0.60, 0.65])
_BELOW_GRID_M = 0.004


class MeshScene:
    """What is in the window: one mesh of everybody, the grid, and the patch of floor that can be in shadow.

    Geometry is added once and changed in place; adding it for every frame would reset the view, and
    crashes Open3D in the long run.
    """

    def __init__(
        self,
        open3d: ModuleType,
        visualizer: Any,
        faces: NDArray[np.int32],
        background: Background,
    ) -> None:
        color = background.color
        self._background_rgb = np.array(
            _BACKGROUND_RGB if color is None else [part / 255.0 for part in color[::-1]]
        )
        self._has_grid = color is None
        self.visualizer = visualizer
        self._utility = open3d.utility
        self._faces = faces
        self._num_vertices = int(faces.max()) + 1
        self._drawn: tuple[int, bool] | None = None
        self._stage = Stage()
        self._mesh = open3d.geometry.TriangleMesh()
        self._grid = open3d.geometry.LineSet()
        self._grid.lines = open3d.utility.Vector2iVector(GRID_LINES)
        self._shadow = _make_floor(open3d)
        option = visualizer.get_render_option()
        option.background_color = self._background_rgb
        option.light_on = True
        option.mesh_show_back_face = False
        option.mesh_shade_option = open3d.visualization.MeshShadeOption.Color  # smooth, not flat
        self._set_bodies([], np.zeros((0, 3)), is_mirrored=False)
        self._set_grid(1.0)
        # The grid gives the view its extent: without it the camera would sit inside the body.
        visualizer.add_geometry(self._grid)
        visualizer.add_geometry(self._mesh, reset_bounding_box=False)
        if self._has_grid:
            self._cast_shadow(np.zeros((SHADOW_CELLS, SHADOW_CELLS), np.float32))
            visualizer.add_geometry(self._shadow, reset_bounding_box=False)
        else:
            visualizer.remove_geometry(self._grid, reset_bounding_box=False)

    def update(self, result: FrameResult, *, mirror: bool) -> None:
        """Moves the bodies to where `result` has them."""
        result = self._stage.follow(result)
        sign = -1.0 if mirror else 1.0
        # Legacy Open3D draws nothing transparent, so the lost fade to the background.
        shown = [(person, 1.0) for person in result.people]
        shown += [(held.last, held.opacity) for held in result.held]
        bodies = [
            self._stage.placed(person.mesh.vertices[: self._num_vertices]) for person, _ in shown
        ]
        own = np.array([color_of(person)[::-1] for person, _ in shown]).reshape(-1, 3) / 255.0
        opacities = np.array([opacity for _, opacity in shown])[:, None]
        colors = opacities * own + (1.0 - opacities) * self._background_rgb
        self._set_bodies(bodies, colors, is_mirrored=mirror)
        self.visualizer.update_geometry(self._mesh)
        if self._has_grid:
            shade = self._stage.shadow(result)
            self._cast_shadow(shade[:, ::-1] if mirror else shade)
            self.visualizer.update_geometry(self._shadow)
            self._set_grid(sign)
            self.visualizer.update_geometry(self._grid)
        self.visualizer.update_renderer()

    def _set_bodies(
        self, bodies: list[NDArray[np.float32]], colors: NDArray[np.floating], *, is_mirrored: bool
    ) -> None:
        """Fills the mesh with bodies (V, 3), each of one of the `colors` (N, 3) in [0, 1]."""
        if not bodies:  # Open3D complains of a mesh without triangles: one that is a point
            bodies, colors = [np.zeros((self._num_vertices, 3), np.float32)], np.zeros((1, 3))
        vertices = np.concatenate(bodies) * [-1.0 if is_mirrored else 1.0, 1.0, 1.0]
        self._mesh.vertices = self._utility.Vector3dVector(vertices)
        self._mesh.vertex_colors = self._utility.Vector3dVector(
            np.repeat(colors, self._num_vertices, axis=0)
        )
        if self._drawn != (len(bodies), is_mirrored):
            self._drawn = len(bodies), is_mirrored
            # A mirrored body is inside out unless its faces wind the other way.
            faces = self._faces[:, ::-1] if is_mirrored else self._faces
            offsets = np.arange(len(bodies))[:, None, None] * self._num_vertices
            self._mesh.triangles = self._utility.Vector3iVector((faces + offsets).reshape(-1, 3))
        self._mesh.compute_vertex_normals()

    def _set_grid(self, sign: float) -> None:
        """People stay over the origin, and the grid moves below them; `sign` -1 mirrors it."""
        points, strengths = self._stage.grid()
        placed = self._stage.placed(points) * [sign, 1.0, 1.0]
        colors = self._background_rgb + strengths[:, None] * (_GRID_RGB - self._background_rgb)
        self._grid.points = self._utility.Vector3dVector(placed)
        self._grid.colors = self._utility.Vector3dVector(colors)

    def _cast_shadow(self, shade: NDArray[np.float32]) -> None:
        colors = (1.0 - SHADOW_STRENGTH * shade[..., None]) * self._background_rgb
        self._shadow.vertex_colors = self._utility.Vector3dVector(colors.reshape(-1, 3))


def _make_floor(open3d: ModuleType) -> Any:
    """The patch that can be in shadow, without normals: legacy Open3D draws it unlit, its rim exactly as the background."""
    ticks = (np.arange(SHADOW_CELLS) - 0.5 * (SHADOW_CELLS - 1)) * SHADOW_CELL_M
    x, z = np.meshgrid(ticks, ticks)
    points = np.stack([x, np.full_like(x, -_BELOW_GRID_M), z], axis=-1)
    number = np.arange(SHADOW_CELLS**2).reshape(SHADOW_CELLS, SHADOW_CELLS)
    a, b = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    c, d = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])
    return open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(points.reshape(-1, 3)),
        open3d.utility.Vector3iVector(faces.astype(np.int32)),
    )
