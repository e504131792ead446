"""The soft shadow of the bodies on the floor of the 3D window."""

from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import FloatArray

_CELL_M, _CELLS = 0.05, 100
"""The patch of floor that can be in shadow, around the origin."""
_BELOW_GRID_M = 0.004
_STRENGTH = 0.55
_SOFT_M = 0.06
_SLANT = (0.28, -0.16)
"""How far a point's shadow moves right and towards the viewer per metre of height: as in videos."""


class FloorShadow:
    """A patch of the floor (y = 0) of colour (3,) in [0, 1] whose vertices are dark where bodies are above."""

    def __init__(self, open3d: ModuleType, floor_rgb: NDArray[np.floating]) -> None:
        self._open3d, self._floor_rgb = open3d, floor_rgb
        ticks = (np.arange(_CELLS) - 0.5 * (_CELLS - 1)) * _CELL_M
        x, z = np.meshgrid(ticks, ticks)
        points = np.stack([x, np.full_like(x, -_BELOW_GRID_M), z], axis=-1)
        number = np.arange(_CELLS * _CELLS).reshape(_CELLS, _CELLS)
        a, b = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
        c, d = number[1:, :-1].ravel(), number[1:, 1:].ravel()
        faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])
        self.mesh: Any = open3d.geometry.TriangleMesh()
        """Without normals, which legacy Open3D draws unlit: the rim has exactly the floor's colour."""
        self.mesh.vertices = open3d.utility.Vector3dVector(points.reshape(-1, 3))
        self.mesh.triangles = open3d.utility.Vector3iVector(faces.astype(np.int32))
        self.cast(np.zeros((0, 3), np.float32))

    def cast(self, vertices: FloatArray) -> None:
        """Darkens the floor below the bodies' vertices (N, 3) in the window's world, y up [m]."""
        shade = shadow_of(vertices)[..., None]
        colors = (1.0 - _STRENGTH * shade) * self._floor_rgb
        self.mesh.vertex_colors = self._open3d.utility.Vector3dVector(colors.reshape(-1, 3))


def shadow_of(vertices: FloatArray) -> NDArray[np.float32]:
    """(100, 100) how dark the floor is below (N, 3) vertices, y up [m]: in [0, 1], rows along z, columns along x."""
    across = vertices[:, [0, 2]] + vertices[:, 1:2] * np.array(_SLANT, np.float32)
    cells = np.rint(across / _CELL_M + 0.5 * (_CELLS - 1)).astype(np.intp)
    cells = cells[((cells >= 0) & (cells < _CELLS)).all(axis=1)]
    mask = np.zeros((_CELLS, _CELLS), np.float32)
    mask[cells[:, 1], cells[:, 0]] = 1.0
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), _SOFT_M / _CELL_M), np.float32)
