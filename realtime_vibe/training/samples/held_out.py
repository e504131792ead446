"""Motion as it was recorded, with a new body, before a camera that stands still and sees all of it.

Legend: S frames, K points. Camera frame: x right, y down, z forward [m].
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.axes import R_WORLD_CAMERA
from realtime_vibe.geometry.camera import nominal_focal_px
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton
from realtime_vibe.training.samples.motion import POOL_RATE_HZ, MotionClip
from realtime_vibe.training.samples.sequences import SequenceTruth, posed_points
from realtime_vibe.training.samples.streams import rotmat_from_quat

FloatArray = NDArray[np.float32]

Kind = Literal["walking", "standing"]
CLIP_RATE_HZ = 30.0

_WORDS: dict[Kind, tuple[str, ...]] = {"walking": ("walk",), "standing": ("idle", "stand")}
_HALF_PX = np.array([320.0, 240.0], np.float32)
_PITCH_STD_RAD, _FOCAL_STD = 0.07, 0.1
_BETAS_LIMIT = 2.0
_HEADINGS = 6
_MARGIN = 0.86
"""Share of the picture that joints and landmarks keep to: hair and hands reach farther."""
_NEAREST_M, _DISTANCES_M = 1.0, np.geomspace(1.8, 25.0, 80)


def chosen_clips(
    clips: Sequence[MotionClip], count: int, kind: Kind | None, seed: int
) -> list[MotionClip]:
    """Clips in random order, from the start again when there are too few.

    Args:
        kind: only those whose name says so.

    Raises:
        DatasetError: no clip is of this kind.
    """
    fitting = [
        clip
        for clip in clips
        if kind is None or any(word in clip.name.lower() for word in _WORDS[kind])
    ]
    if not fitting:
        raise DatasetError(f"none of {len(clips)} motion clips has a name that says {kind}")
    order = np.random.default_rng(seed).permutation(len(fitting))
    return [fitting[order[number % len(order)]] for number in range(count)]


def draw_clip(
    clip: MotionClip, body: LandmarkSkeleton, num_frames: int, rng: np.random.Generator
) -> SequenceTruth:
    """A part of a clip at `CLIP_RATE_HZ` as a single stream, body and camera drawn at random.

    Args:
        num_frames: S at most; fewer where the clip is shorter.
    """
    step = round(POOL_RATE_HZ / CLIP_RATE_HZ)
    available = (len(clip.trans) - 1) // step + 1
    start = int(rng.integers(0, max(1, available - num_frames + 1))) * step
    rows = np.arange(start, len(clip.trans), step)[:num_frames]
    betas = rng.standard_normal((1, 10)).clip(-_BETAS_LIMIT, _BETAS_LIMIT).astype(np.float32)
    nominal = nominal_focal_px(*(int(value) for value in 2 * _HALF_PX))
    focal = np.float32(nominal * np.exp(rng.normal(0.0, _FOCAL_STD)))
    rotmat = rotmat_from_quat(torch.from_numpy(clip.quats[rows])).numpy()
    pitch = rng.normal(0.0, _PITCH_STD_RAD)
    views = []
    for heading in rng.uniform(-np.pi, np.pi, _HEADINGS):
        camera = _camera_rotation(float(heading), float(pitch))
        turned = rotmat.copy()
        turned[:, 0] = camera @ rotmat[:, 0]
        truth = SequenceTruth(
            rotmat=torch.from_numpy(turned)[:, None],
            betas=torch.from_numpy(betas),
            transl=torch.from_numpy(clip.trans[rows] @ camera.T)[:, None],
            dt_s=torch.full((len(rows), 1), 1.0 / CLIP_RATE_HZ),
            principal=torch.from_numpy(_HALF_PX)[None],
            true_focal=torch.tensor([float(focal)]),
            nominal_focal=torch.tensor([nominal]),
        )
        points = torch.cat(posed_points(truth, body), 2)[:, 0].numpy()
        place = _place(points, float(focal))
        views.append((float((points + place)[..., 2].max()), place, truth))
    # Who walks far across the picture or away is small in it: take the best of some views.
    _, place, truth = min(views, key=lambda view: view[0])
    place[2] *= rng.uniform(1.0, 1.3)
    return truth._replace(transl=truth.transl + torch.from_numpy(place.astype(np.float32)))


def _camera_rotation(heading_rad: float, pitch_rad: float) -> FloatArray:
    """(3, 3) from the Z-up world to the camera."""
    turn = rotmat_from_axis_angle(np.array([0.0, 0.0, heading_rad]))
    tilt = rotmat_from_axis_angle(np.array([pitch_rad, 0.0, 0.0]))
    camera: FloatArray = (tilt @ R_WORLD_CAMERA.T @ turn).astype(np.float32)
    return camera


def _place(points: FloatArray, focal_px: float) -> NDArray[np.float64]:
    """(3,) shift of points (S, K, 3) to where the camera just sees all of them, always."""
    flat = points.reshape(-1, 3).astype(np.float64)
    middle = 0.5 * (flat.min(axis=0) + flat.max(axis=0))
    limit = _MARGIN * _HALF_PX / focal_px
    for distance_m in _DISTANCES_M:
        placed = flat - middle + [0.0, 0.0, distance_m]
        is_ahead = placed[:, 2].min() > _NEAREST_M
        if is_ahead and (np.abs(placed[:, :2]) < limit * placed[:, 2:]).all():
            break
    shift: NDArray[np.float64] = np.array([0.0, 0.0, distance_m]) - middle
    return shift
