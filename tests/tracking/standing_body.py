"""World landmarks of somebody who stands, for landmark networks that tests script."""

import numpy as np

_LEFT = {
    7: (0.08, -0.62),
    11: (0.17, -0.47),
    13: (0.2, -0.22),
    15: (0.2, 0.0),
    23: (0.1, 0.0),
    25: (0.1, 0.4),
    27: (0.1, 0.77),
}


def standing_body() -> np.ndarray:
    """(33, 3) [m], camera axes, origin at the middle of the hips."""
    points = np.zeros((33, 3), np.float32)
    points[0] = 0.0, -0.62, -0.12
    for index, (x, y) in _LEFT.items():
        points[index, :2], points[index + 1, :2] = (x, y), (-x, y)
    return points


def as_output(world_m: np.ndarray) -> np.ndarray:
    """(1, 117) as the network gives it, with its six further points."""
    return np.concatenate([world_m, np.zeros((6, 3))]).reshape(1, 117).astype(np.float32)


def spread_out(points: np.ndarray) -> None:
    """Moves landmarks (39, 5) in input pixels [px] up and down, in turn, as far as a body reaches."""
    points[:33:2, 1] -= 51.2
    points[1:33:2, 1] += 51.2
