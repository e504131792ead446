"""What calibration fixes: a person's shape, the scale of lengths, the camera's focal length, the floor.

World frame: z up along gravity, floor at z = 0, y away from the camera, origin below the person who
was calibrated [m].
"""

from dataclasses import dataclass, replace

import numpy as np

from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import ConfigError, ShapeError
from realtime_vibe.geometry.rotation import are_rotations
from realtime_vibe.packets import NUM_BETAS, FloatArray, SmplParams, are_sound

_MOST = 100.0
"""Of a scale, a height [m] and a focal length [image widths]."""
_MAX_SHAPE = 7.0
"""[standard deviations]. A shape farther out is no longer a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The lasting facts about one camera and the person before it.

    Raises:
        ShapeError: an array has the wrong shape, or a value cannot be one of a camera or a person.
    """

    T_world_camera: FloatArray
    """(4, 4) from the camera's frame to the world."""
    betas: FloatArray
    """(10,) the person's shape."""
    scale: float
    """Size of the calibrated body relative to what the network took the person for."""
    shift: FloatArray
    """(2,) x, y [m] to add to the body's place, so that the pelvis stays where it is in the picture."""
    focal_share: float | None
    """Focal length in image widths; None where it is not known better than without calibration."""
    height_m: float
    """Of the calibrated body, in its rest pose [m]."""

    def __post_init__(self) -> None:
        for name, shape in (
            ("T_world_camera", (4, 4)),
            ("betas", (NUM_BETAS,)),
            ("shift", (2,)),
        ):
            array = getattr(self, name)
            if array.shape != shape or not are_sound(array):
                raise ShapeError(f"Calibration.{name} is {array}, expected {shape} finite numbers")
        turns = are_rotations(self.T_world_camera[:3, :3]).all()
        if not turns or (self.T_world_camera[3] != (0, 0, 0, 1)).any():
            raise ShapeError(f"Calibration.T_world_camera is no rigid move: {self.T_world_camera}")
        for name in ("scale", "height_m", "focal_share"):
            value = getattr(self, name)
            if value is not None and not 1 / _MOST <= value <= _MOST:
                raise ShapeError(f"Calibration.{name} is {value}, expected {1 / _MOST} to {_MOST}")

    @property
    def pitch_deg(self) -> float:
        """How far the camera looks down [degrees]."""
        return float(np.degrees(np.arcsin(np.clip(-self.T_world_camera[2, 2], -1, 1))))

    @property
    def camera_height_m(self) -> float:
        """Height of the camera above the floor [m]."""
        return float(self.T_world_camera[2, 3])

    def fov_deg(self) -> float | None:
        """The camera's horizontal field of view [degrees], where the focal length is known."""
        if self.focal_share is None:
            return None
        return float(np.degrees(2.0 * np.arctan(0.5 / self.focal_share)))

    def applied(self, params: SmplParams) -> SmplParams:
        """The parameters with the calibrated shape, the same size in the picture as before."""
        place = params.weak_camera[1:] * self.scale + self.shift
        camera = np.array([params.weak_camera[0] / self.scale, *place], np.float32)
        return replace(params, betas=self.betas, weak_camera=camera)


class BodyHeight:
    """How tall a shape is, and which shape is as tall as wanted."""

    def __init__(self, model: BodyModel) -> None:
        self._heights = np.asarray(model.v_template[:, 1], np.float64)
        self._growth = np.asarray(model.shapedirs[:, 1], np.float64)

    def of(self, betas: FloatArray) -> float:
        """Height [m] of the rest pose of `betas` (10,), from sole to crown."""
        return float(np.ptp(self._heights + self._growth @ betas))

    def fitted(self, betas: FloatArray, height_m: float) -> FloatArray:
        """The shape (10,) nearest to `betas` (10,) that is `height_m` tall [m].

        Shape and not a scale factor: every file format can say betas, none of them can say that a
        body of these betas is 4 % larger.

        Raises:
            ConfigError: the body cannot be that tall.
        """
        fitted = np.asarray(betas, np.float64)
        for _ in range(4):  # linear but for a change of the topmost vertex
            shaped = self._heights + self._growth @ fitted
            slope = self._growth[np.argmax(shaped)] - self._growth[np.argmin(shaped)]
            missing_m = height_m - float(np.ptp(shaped))
            fitted = fitted + slope * missing_m / float(slope @ slope)
        if (
            np.abs(fitted).max() > _MAX_SHAPE
            or abs(self.of(fitted.astype(np.float32)) - height_m) > 0.005
        ):
            raise ConfigError(
                f"person-height is {height_m:g} m, but this engine's body can be from "
                f"{self._reach(-_MAX_SHAPE):.2f} to {self._reach(_MAX_SHAPE):.2f} m tall"
            )
        return fitted.astype(np.float32)

    def _reach(self, amount: float) -> float:
        slope = self._growth[np.argmax(self._heights)] - self._growth[np.argmin(self._heights)]
        direction = slope / np.abs(slope).max()
        return self.of((amount * direction).astype(np.float32))


def level_rotation(up: FloatArray) -> FloatArray:
    """(3, 3) from the camera's frame to axes whose z is up and whose y leads away from the camera.

    `up` (3,), camera frame, is not along the line of sight.
    """
    z = up / np.linalg.norm(up)
    y = np.array([0.0, 0.0, 1.0]) - z[2] * z
    y /= np.linalg.norm(y)
    return np.asarray(np.stack([np.cross(y, z), y, z]), np.float32)


def world_from_standing(up: FloatArray, pelvis: FloatArray, soles: FloatArray) -> FloatArray:
    """(4, 4) from the camera's frame to the world of an upright person.

    Args:
        up: (3,) direction away from the floor, camera frame; not along the line of sight.
        pelvis: (3,) of the person [m]; the origin lies below it.
        soles: (N, 3) points that stand on the floor [m].
    """
    rotation = level_rotation(up)
    origin = np.array([*(rotation @ pelvis)[:2], float(np.median(soles @ rotation[2]))])
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = rotation, -origin
    return transform.astype(np.float32)
