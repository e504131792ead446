"""How hands and heads go from one place to another (Flash and Hogan 1985)."""

import numpy as np
from numpy.typing import NDArray


def minimum_jerk(frames: NDArray[np.integer], length: float) -> NDArray[np.float64]:
    """(N,) share of the way that is done, 0 to 1, at rest at both ends.

    Args:
        frames: (N,) since the start; those before it and after the end stay at the ends.
        length: of the movement [frames].
    """
    time = np.clip(frames / length, 0.0, 1.0)
    return time**3 * (10 - 15 * time + 6 * time**2)
