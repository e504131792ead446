"""AMASS files (Mahmood et al. 2019): SMPL-H and SMPL-X `.npz`, and what else looks like them.

Legend: N frames. AMASS worlds have Z up [m].

| | SMPL-H | SMPL-X ("stage II") |
|---|---|---|
| pose | `poses` (N, 156) | `poses` (N, 165), or `root_orient` (N, 3) and `pose_body` (N, 63) |
| rate | `mocap_framerate` | `mocap_frame_rate` |
| position, shape | `trans` (N, 3), `betas` (16,), `gender` | the same |

Both begin with root and 21 body joints, which SMPL shares; fingers, jaw and eyes are left out. Poses
of 72 (SMPL) and 66 numbers (body only) are read too.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError, one_line
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.system.npz_file import NpzArchive, open_npz
from realtime_vibe.training.datasets.clip import (
    R_Z_UP_FROM_Y_UP,
    FloatArray,
    MotionClip,
    resampled_clip,
)

UpAxis = Literal["y", "z"]

_POSE_WIDTHS = (66, 72, 156, 165)
_BODY_WIDTH = 66
_RATE_KEYS = ("mocap_framerate", "mocap_frame_rate")
_POSE_KEYS = ("poses", "root_orient", "pose_body")
_MAX_PLAUSIBLE = 1e6
"""Of radians, metres and shape coefficients alike: only damage makes greater ones."""
_GENDERS = {"m": "male", "f": "female", "n": "neutral"}
_REST_PELVIS_M = {"smplh": (0.0, -0.22, 0.03), "smplx": (0.0, -0.35, 0.01)}
"""Where the mean rest bodies have their pelvis, to the centimetre (single bodies differ by 1-2)."""


def load_amass(path: Path, *, up_axis: UpAxis = "z") -> MotionClip:
    """Reads one motion and resamples it to `POOL_RATE_HZ`.

    SMPL's `trans` is not the pelvis: the body is posed about its rest pelvis first. That offset is
    added here, the mean one as the body models are not at hand; it differs by 13 cm between SMPL-H
    and SMPL-X. A file whose `betas` are absent or all zero was fitted to no body; its `trans` is taken
    for the pelvis itself. AMASS itself has "z" up; converted and synthetic sets may have "y".

    Raises:
        DatasetError: the file is damaged, lacks a key, or an array has the wrong shape.
    """
    with open_npz(path, DatasetError, "expected an AMASS npz") as archive:
        return _read(archive, path.stem, up_axis)


def is_side_file(path: Path) -> bool:
    """Whether an `.npz` of an AMASS tree holds a body's shape and no motion.

    `shape.npz` (SMPL-H) and `*_stagei.npz` (SMPL-X) lie beside the motions. They have `betas` but no
    frame rate; ones with another name must also lack every pose, else it is a motion that lost its
    rate. Damaged files are no side files: `load_amass` says what is wrong with them.
    """
    try:
        with open_npz(path, DatasetError, "expected an AMASS npz") as archive:
            keys = set(archive)
    except DatasetError:
        return False
    if "betas" not in keys or keys & set(_RATE_KEYS):
        return False
    is_named_so = path.stem == "shape" or path.stem.endswith("_stagei")
    return is_named_so or not keys & {*_POSE_KEYS, "trans"}


def _read(archive: NpzArchive, name: str, up_axis: UpAxis) -> MotionClip:
    has_poses = "poses" in archive or {"root_orient", "pose_body"} <= set(archive)
    missing = [] if has_poses else ["poses (or root_orient and pose_body)"]
    missing += [] if "trans" in archive else ["trans"]
    missing += [] if set(_RATE_KEYS) & set(archive) else [" or ".join(_RATE_KEYS)]
    if missing:
        raise DatasetError(f"no {', '.join(missing)}; expected an AMASS npz")
    poses, trans = _poses(archive), _floats(archive, "trans")
    if trans.shape != (len(poses), 3):
        raise DatasetError(
            f"poses {poses.shape} and trans {trans.shape}, expected (N, ..) and (N, 3)"
        )
    betas = _betas(archive)
    axis_angle = np.zeros((len(poses), 24, 3))
    axis_angle[:, :22] = poses[:, :_BODY_WIDTH].reshape(-1, 22, 3)
    rotmat = rotmat_from_axis_angle(axis_angle)
    pelvis = trans if betas is None or not betas.any() else trans + _rest_pelvis_m(archive, poses)
    if up_axis == "y":
        rotmat[:, 0] = R_Z_UP_FROM_Y_UP @ rotmat[:, 0]
        pelvis = pelvis @ R_Z_UP_FROM_Y_UP.T
    rate_hz, gender = _rate_hz(archive), _gender(archive)
    return resampled_clip(name, rotmat, pelvis, rate_hz, betas=betas, gender=gender)


def _poses(archive: NpzArchive) -> NDArray[np.float64]:
    """(N, >= 66) axis-angle [rad]."""
    if "poses" in archive:
        poses = _floats(archive, "poses")
        if poses.ndim != 2 or poses.shape[1] not in _POSE_WIDTHS:
            raise DatasetError(
                f"poses {poses.shape}, expected (N, W) with W one of {_POSE_WIDTHS}: SMPL body, SMPL, "
                "SMPL-H, SMPL-X"
            )
        return poses
    root, body = _floats(archive, "root_orient"), _floats(archive, "pose_body")
    if root.shape != (len(body), 3) or body.shape != (len(body), _BODY_WIDTH - 3):
        raise DatasetError(
            f"root_orient {root.shape} and pose_body {body.shape}, expected (N, 3) and (N, 63)"
        )
    return np.concatenate([root, body], axis=1)


def _floats(archive: NpzArchive, key: str) -> NDArray[np.float64]:
    array = archive[key]
    if array.dtype.kind not in "fiu" or array.ndim < 1:
        raise DatasetError(f"{key} is {array.dtype} {array.shape}, expected an array of numbers")
    if not np.all(np.abs(array) <= _MAX_PLAUSIBLE):  # false for NaN, too
        raise DatasetError(f"{key} holds values that are not finite or beyond {_MAX_PLAUSIBLE:g}")
    return array.astype(np.float64)


def _rate_hz(archive: NpzArchive) -> float:
    key = next(key for key in _RATE_KEYS if key in archive)
    value = archive[key]
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise DatasetError(f"{key} is {value.dtype} {value.shape}, expected one number")
    return float(value.reshape(()))


def _betas(archive: NpzArchive) -> FloatArray | None:
    if "betas" not in archive:
        return None
    betas = _floats(archive, "betas")
    if betas.ndim != 1:
        raise DatasetError(f"betas {betas.shape}, expected (B,)")
    return betas.astype(np.float32)


def _gender(archive: NpzArchive) -> str:
    if "gender" not in archive:
        return "neutral"
    value: Any = archive["gender"].reshape(-1)[:1].tolist()
    text = value[0] if value else ""
    text = text.decode("latin1") if isinstance(text, bytes) else str(text)
    # Some subsets hold the text "b'male'": Python 2 bytes that Python 3 printed.
    initial = text.strip().removeprefix("b'").lower()[:1]
    if initial not in _GENDERS:
        raise DatasetError(f"gender '{one_line(text, 40)}', expected male, female or neutral")
    return _GENDERS[initial]


def _rest_pelvis_m(archive: NpzArchive, poses: NDArray[np.float64]) -> NDArray[np.float64]:
    is_smplx = poses.shape[1] == 165 or "poses" not in archive
    if "surface_model_type" in archive:
        is_smplx = "smplx" in str(archive["surface_model_type"])
    return np.array(_REST_PELVIS_M["smplx" if is_smplx else "smplh"])
