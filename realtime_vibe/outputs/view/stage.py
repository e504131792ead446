"""What the 3D window and the picture from the side share: where people stand, the grid below, and their shadow on it.

The stage's axes are y up, x to the viewer's right, z towards the viewer [m]: those of a level camera turned half a
turn about x, so that people face the viewer as they face the camera. Its origin is on the floor below them.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.outputs.ground import GroundLevel, LevelView, SteadyPoint
from realtime_vibe.packets import FloatArray, FrameResult

SHADOW_CELL_M, SHADOW_CELLS = 0.05, 100
"""The patch of floor that can be in shadow, around the origin."""
SHADOW_STRENGTH = 0.6
_SOFT_M = 0.06
_SLANT = (0.28, -0.16)
"""How far a point's shadow moves right and towards the viewer per metre of height: the light is high up on the left."""
_CELL_M, _CELLS, _RADIUS_M = 0.5, 8, 3.4
"""Of the grid: cells from the middle to each side, and how far it is seen."""
_NUMBERS = np.arange((2 * _CELLS + 1) ** 2, dtype=np.int32).reshape(2 * _CELLS + 1, -1)
GRID_LINES = np.concatenate(
    [
        np.stack([_NUMBERS[:, :-1].ravel(), _NUMBERS[:, 1:].ravel()], axis=1),
        np.stack([_NUMBERS[:-1].ravel(), _NUMBERS[1:].ravel()], axis=1),
    ]
)
"""(L, 2) points of the grid that are joined."""
_DEFAULT_FLOOR_M = 0.9
_DEFAULT_DEPTH_M = 3.0
_TO_STAGE = np.array([1, -1, -1], np.float32)


class Stage:
    """Follows one sequence of results: upright people, a steady floor, a steady point between them."""

    def __init__(self) -> None:
        self._level, self._ground, self._aim = LevelView(), GroundLevel(), SteadyPoint()
        self._followed = np.array([0.0, _DEFAULT_DEPTH_M, 0.0, 0.0], np.float32)

    def follow(self, result: FrameResult) -> FrameResult:
        """The result in a level camera's frame, after the stage has moved with its people; in the order of time."""
        result = self._level.of(result)
        if result.people:
            self._ground.follow(result)
            pelvis = np.stack([person.mesh.joints[0] for person in result.people])
            low, high = pelvis[:, [0, 2]].min(axis=0), pelvis[:, [0, 2]].max(axis=0)
            spread_m = 0.5 * float(np.linalg.norm(high - low))
            # By hips, not by hands: the view must not rise with every raised arm.
            hips_m = self._ground.level_m - float(pelvis[:, 1].min())
            wanted = np.array([*(0.5 * (low + high)), spread_m, hips_m])
            self._followed = self._aim.update(wanted, result.frame.captured_at_s)
        return result

    @property
    def origin(self) -> FloatArray:
        """(3,) in the level camera's frame [m]."""
        floor_m = self._ground.level_m if self._ground.is_known else _DEFAULT_FLOOR_M
        return np.array([self._followed[0], floor_m, self._followed[1]], np.float32)

    @property
    def spread_m(self) -> float:
        """How far people are from the origin, along the floor."""
        return float(self._followed[2])

    @property
    def hips_m(self) -> float:
        """Height of the highest hips above the floor."""
        return float(self._followed[3])

    def placed(self, points: FloatArray) -> FloatArray:
        """Points (N, 3) of the level camera's frame on the stage."""
        return np.asarray((points - self.origin) * _TO_STAGE, np.float32)

    def grid(self) -> tuple[FloatArray, FloatArray]:
        """Points (M, 3) of a grid that is fixed in the world, level camera's frame, and the strength (L,) of `GRID_LINES`.

        The latter falls from 1 below the people to 0 where the grid ends.
        """
        ticks = np.arange(-_CELLS, _CELLS + 1)
        origin = self.origin
        x, z = np.meshgrid(*((np.round(origin[[0, 2]] / _CELL_M)[:, None] + ticks) * _CELL_M))
        points = np.stack([x, np.full_like(x, origin[1]), z], axis=-1).reshape(-1, 3)
        distance = np.linalg.norm(points[GRID_LINES].mean(axis=1) - origin, axis=1)
        return points.astype(np.float32), np.clip(1.0 - distance / _RADIUS_M, 0.0, 1.0)

    def shadow(self, result: FrameResult) -> NDArray[np.float32]:
        """What `shadow_of` gives for the people of a followed result."""
        bodies = [self.placed(person.mesh.vertices) for person in result.people]
        return shadow_of(np.concatenate([np.zeros((0, 3), np.float32), *bodies]))


def shadow_of(vertices: FloatArray) -> NDArray[np.float32]:
    """(100, 100) how dark the floor is below (N, 3) vertices: in [0, 1], rows along z, columns along x."""
    across = vertices[:, [0, 2]] + vertices[:, 1:2] * np.array(_SLANT, np.float32)
    cells = np.rint(across / SHADOW_CELL_M + 0.5 * (SHADOW_CELLS - 1)).astype(np.intp)
    cells = cells[((cells >= 0) & (cells < SHADOW_CELLS)).all(axis=1)]
    mask = np.zeros((SHADOW_CELLS, SHADOW_CELLS), np.float32)
    mask[cells[:, 1], cells[:, 0]] = 1.0
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), _SOFT_M / SHADOW_CELL_M), np.float32)
