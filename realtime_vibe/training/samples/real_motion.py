"""Real motion for the discriminator, never paired with what the generator saw."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from realtime_vibe.training.samples.motion import MotionPool
from realtime_vibe.training.samples.streams import MotionDraw, StreamSettings, rotmat_from_quat


class RealMotion:
    """Draws windows of recorded motion at given time steps; the settings' pose jitter is not used.

    The steps are those of the generated windows: were the rates of the two sides different, the
    discriminator could tell them apart by tempo alone, which the generator has no say in. Mirror and
    tempo vary as in the generator's targets, but the poses stay as recorded: random turns, of hands
    above all, cannot be seen by any tracker, and the generator would be taught to make them up.
    """

    def __init__(self, pool: MotionPool, settings: StreamSettings, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._draw = MotionDraw(pool, settings, self._rng)

    @torch.no_grad()
    def sample(self, dt_s: Tensor) -> Tensor:
        """Rotations (T, P, 24, 3, 3), root in the motion's own world.

        Args:
            dt_s: (T, P) time since the frame before [s]; the first row only shifts the start. A step
                of 0, as of a person just found, is taken for the median of its window.
        """
        quats, _ = self._draw.motion(torch.where(dt_s > 0, dt_s, dt_s.median(0).values))
        return rotmat_from_quat(quats)

    def state_dict(self) -> dict[str, Any]:
        """State of the generator."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        self._rng.bit_generator.state = state["rng"]
