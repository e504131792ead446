"""Clips as a camera turned to the side would have seen them: the same person beside the picture's centre.

Turning a camera about its optical centre moves no point in front of another, so the pictures it would
have taken follow exactly from those at hand (Hartley and Zisserman, "Multiple View Geometry", sec. 8.4.2).

Legend: F truth frames, K joints.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_clips import EvaluationClip, Intrinsics
from realtime_vibe.errors import DatasetError
from realtime_vibe.packets import Frame

_WIDTH_PX, _HEIGHT_PX, _FOCAL_PX = 1280, 960, 820.0
"""A webcam of 76 degrees from side to side."""

FloatArray = NDArray[np.float64]


def turned_clip(clip: EvaluationClip, beside_deg: float) -> EvaluationClip:
    """A clip of known camera, as a wide webcam would have seen it.

    Args:
        clip: its truth holds no parameters, which would have to be turned as well.
        beside_deg: how far right of the middle of the picture, on average, the person is to stand.

    Raises:
        DatasetError: the camera is not known, the truth has parameters, or the person would leave the
            picture.
    """
    truth = clip.truth
    if truth.intrinsics is None or truth.pose is not None:
        raise DatasetError(
            f"clip {clip.name} cannot be turned: expected a truth with the camera K and without "
            "body parameters"
        )
    rotation = _turn(truth.joints, np.radians(beside_deg))
    middle = _WIDTH_PX / 2, _HEIGHT_PX / 2
    matrix = np.array([[_FOCAL_PX, 0, middle[0]], [0, _FOCAL_PX, middle[1]], [0, 0, 1]])
    camera = Intrinsics(K=matrix, dist=np.zeros(5))
    joints = truth.joints @ rotation.T
    pixels = camera.project(joints)
    inside = ((pixels >= 0) & (pixels <= [_WIDTH_PX, _HEIGHT_PX])) | np.isnan(pixels)
    if not inside.all():
        raise DatasetError(
            f"clip {clip.name} turned by {beside_deg:g} degrees: the person leaves the picture in "
            f"{int((~inside.all((1, 2))).sum())} of {len(pixels)} frames; try fewer degrees"
        )

    def frames() -> Generator[Frame]:
        with closing(clip.open_frames()) as originals:
            for frame in originals:
                yield replace(frame, image_bgr=_seen(frame.image_bgr, old, camera, rotation))

    old = truth.intrinsics
    return replace(
        clip,
        name=f"{clip.name}{beside_deg:+g}",
        truth=replace(truth, joints=joints, joints_px=None, intrinsics=camera),
        open_frames=frames,
    )


def _turn(joints: FloatArray, beside_rad: float) -> FloatArray:
    """(3, 3) about the camera's vertical axis, that brings the middle of (F, K, 3) to that side."""
    x, _, z = np.nanmean(joints, axis=(0, 1))
    angle = beside_rad - np.arctan2(x, z)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])


def _seen(
    image: NDArray[np.uint8], old: Intrinsics, new: Intrinsics, rotation: FloatArray
) -> NDArray[np.uint8]:
    flat = cv2.undistort(image, old.K, old.dist)
    homography = new.K @ rotation @ np.linalg.inv(old.K)
    seen = cv2.warpPerspective(flat, homography, (_WIDTH_PX, _HEIGHT_PX))
    return np.asarray(seen, np.uint8)
