"""One motion, at one rate and in one frame of reference whatever file it came from.

Legend: N frames, J = 24 SMPL joints. World frame: Z up [m].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.axes import R_YUP_WORLD
from realtime_vibe.geometry.rotation import FloatingArray, quat_wxyz_from_rotmat

FloatArray = NDArray[np.float32]

POOL_RATE_HZ = 60.0
"""Rate of every clip in memory."""

R_Z_UP_FROM_Y_UP = R_YUP_WORLD.T.astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionClip:
    """One recorded motion at 60 frames a second."""

    name: str
    quats: FloatArray
    """(N, 24, 4) local rotations, wxyz, neighbouring frames in one hemisphere."""
    trans: FloatArray
    """(N, 3) pelvis [m], Z up."""
    betas: FloatArray | None = None
    """(B,) shape of the recorded body in its owner's shape space; None where the file has none."""
    gender: str = "neutral"
    """`female`, `male` or `neutral`: of the model that `betas` belong to."""
    recorded_hz: float = POOL_RATE_HZ
    """Rate of the file [frames/s]."""


def resampled_clip(
    name: str,
    rotmat: NDArray[np.float64],
    pelvis: NDArray[np.float64],
    rate_hz: float,
    *,
    betas: FloatArray | None = None,
    gender: str = "neutral",
) -> MotionClip:
    """Brings what a file holds to `POOL_RATE_HZ`, linearly between its frames.

    Args:
        rotmat: (N, 24, 3, 3) local rotations, the root's relative to the world.
        pelvis: (N, 3) [m], Z up.

    Raises:
        DatasetError: there is no frame, the rate makes no sense, or a value is no number.
    """
    if not len(pelvis):
        raise DatasetError("no frames, expected at least one")
    if not (np.isfinite(rate_hz) and 1.0 <= rate_hz <= 10_000.0):
        raise DatasetError(f"a frame rate of {rate_hz}, expected 1 to 10000 a second")
    if not (np.isfinite(rotmat).all() and np.isfinite(pelvis).all()):
        raise DatasetError("a pose or position is not a number, expected finite values")
    quats = continuous(quat_wxyz_from_rotmat(rotmat).astype(np.float32))
    step = rate_hz / POOL_RATE_HZ
    times = np.arange(0.0, (len(quats) - 1) / step + 1e-6) * step
    return MotionClip(
        name=name,
        quats=normalised(_lerp(quats, times)),
        trans=_lerp(pelvis, times),
        betas=betas,
        gender=gender,
        recorded_hz=rate_hz,
    )


def normalised(quats: FloatArray) -> FloatArray:
    """Quaternions (..., 4) brought to length 1."""
    unit: FloatArray = (quats / np.linalg.norm(quats, axis=-1, keepdims=True)).astype(np.float32)
    return unit


def one_hemisphere(quats: FloatingArray) -> FloatingArray:
    """Flips signs so that neighbours along the first axis have a positive dot product; keeps the precision."""
    dots = np.sum(quats[1:] * quats[:-1], axis=-1)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    out = quats.copy()
    out[1:] *= signs[..., None]
    return out


def continuous(quats: FloatingArray) -> FloatArray:
    """As `one_hemisphere`, in the precision of clips."""
    return one_hemisphere(quats).astype(np.float32)


def _lerp(values: NDArray[np.floating], times: NDArray[np.float64]) -> FloatArray:
    """Linear interpolation along the first axis at fractional indices."""
    low = np.clip(np.floor(times).astype(np.int64), 0, len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    share = (times - low).reshape(-1, *([1] * (values.ndim - 1)))
    return (values[low] * (1 - share) + values[high] * share).astype(np.float32)
