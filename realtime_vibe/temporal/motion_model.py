"""The exported network: features and carried state in, parameters and new state out.

Legend: P people, F features, L layers, H hidden size.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.backends.base import AnyArray, InferenceSession
from realtime_vibe.geometry.rotation import ROUGHLY, are_rotations
from realtime_vibe.packets import FloatArray

STEP_INPUTS = ("features", "hidden")
STEP_OUTPUTS = ("rotmat", "betas", "weak_camera", "next_hidden")
LARGEST = 50.0
"""Larger shapes [standard deviations] and states are a network's overflow, not a body.

A GRU's state is a mean of numbers between -1 and 1; a large one would stay in it for as long as a gate is closed."""
SCALES = (0.05, 20.0)
"""Of a crop's camera; a crop that is 40 m or 0.1 m wide holds no body, and would put it kilometres away or at the lens."""
FARTHEST = 10.0
"""From the crop's middle to the body's [halves of the crop]."""


class StepOutput(NamedTuple):
    """Parameters of P people and the state to carry on with."""

    rotmat: FloatArray
    """(P, 24, 3, 3), root first, rest frame to camera."""
    betas: FloatArray
    """(P, 10)."""
    weak_camera: FloatArray
    """(P, 3)."""
    hidden: FloatArray
    """(L, P, H)."""

    @property
    def is_sound(self) -> NDArray[np.bool_]:
        """(P,) of whom every number is finite, and turns, shape and place can be a body's: a graph in half may overflow."""
        scale = self.weak_camera[:, 0]
        with np.errstate(all="ignore"):  # of an overflow
            offsets = scale[:, None] * np.abs(self.weak_camera[:, 1:])
        # Of NaN, no comparison holds.
        is_sound: NDArray[np.bool_] = (
            are_rotations(self.rotmat, ROUGHLY).all(axis=1)
            & (np.abs(self.betas) <= LARGEST).all(axis=1)
            & (np.abs(self.hidden) <= LARGEST).all(axis=(0, 2))
            & ((scale > SCALES[0]) & (scale < SCALES[1]))
            & (offsets <= FARTHEST).all(axis=1)
        )
        return is_sound


class MotionModel:
    """One frame of GRU and regressor on any backend; holds no state of its own.

    Args:
        session: the engine's `step` graph, with inputs `STEP_INPUTS` and outputs `STEP_OUTPUTS`, or its
            `fused` graph, which has `crop` in the place of `features`.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        features, hidden = session.inputs
        self._features_name = features.name
        self._layers, self._hidden_size = int(hidden.shape[0]), int(hidden.shape[2])

    @property
    def backend(self) -> str:
        """What runs the graph."""
        return self._session.backend

    def initial_hidden(self, num_people: int) -> FloatArray:
        """Zeros (L, P, H)."""
        return np.zeros((self._layers, num_people, self._hidden_size), np.float32)

    def step(self, features: AnyArray, hidden: FloatArray) -> StepOutput:
        """Runs one frame: features (P, F), or crops (P, 224, 224, 3) uint8, and a hidden state (L, P, H)."""
        out = self._session.run({self._features_name: features, "hidden": hidden})
        return StepOutput(out["rotmat"], out["betas"], out["weak_camera"], out["next_hidden"])

    def close(self) -> None:
        """Frees the graph."""
        self._session.close()
