"""Between the camera's axes and those of the line of sight to a person.

A network that is shown a crop cannot know where in the picture it was cut out: what it says of depth and
of turning is about the line of sight to the middle of the crop, as if the camera looked straight at it.
Somebody 20 degrees beside the centre who faces the camera's plane is seen from 20 degrees to the side.

Legend: `...` any batch axes, K points. Camera axes: x right, y down, z forward.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", bound=np.floating[Any])


def camera_from_sight(points: NDArray[Real], center: NDArray[np.floating]) -> NDArray[Real]:
    """Turns points from the axes of a line of sight into the camera's, by the shortest way.

    Args:
        points: (..., K, 3) x and y across the line of sight, z along it.
        center: (..., 2) where the line meets the image plane [focal lengths].
    """
    return _turned(points, np.asarray(center))


def sight_from_camera(points: NDArray[Real], center: NDArray[np.floating]) -> NDArray[Real]:
    """Undoes `camera_from_sight`: the line of sight itself becomes the z axis."""
    return _turned(points, -np.asarray(center))


def _turned(points: NDArray[Real], center: NDArray[np.floating]) -> NDArray[Real]:
    """Turns (0, 0, 1) to (x, y, 1) / |(x, y, 1)| without roll (Rodrigues)."""
    x, y = center[..., 0, None], center[..., 1, None]
    cosine = 1.0 / np.sqrt(1.0 + x * x + y * y)
    across = (x * points[..., 0] + y * points[..., 1]) * cosine
    depth = points[..., 2]
    # The part across the axis grows by what depth adds and shrinks by what the turn takes off.
    step = (depth - across / (1.0 + cosine)) * cosine
    turned = [
        points[..., 0] + x * step,
        points[..., 1] + y * step,
        depth * cosine - across,
    ]
    return np.stack(turned, axis=-1).astype(points.dtype, copy=False)
