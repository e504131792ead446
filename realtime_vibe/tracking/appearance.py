"""What somebody looks like: the mean colour of a few parts of the body.

Legend: R = 5 parts (chest, belly, left thigh, right thigh, head).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import NUM_LANDMARKS, FloatArray, ImageArray, PoseLandmarks

_SHOULDERS, _HIPS, _KNEES = (11, 12), (23, 24), (25, 26)
_NOSE, _EARS = 0, (7, 8)
_LIGHTNESS_WEIGHT = 0.6
"""A cloud or an automatic exposure changes the lightness of everything, but hardly its colour."""
_PARTS = 5
_SEEN = 0.3
"""Visibility below which a part's colour says nothing."""


def _grid() -> tuple[FloatArray, NDArray[np.intp]]:
    """(S, 33) weights of the landmarks whose sum is where a colour is looked up, and (S,) parts."""
    rows: list[NDArray[np.float64]] = []
    parts: list[int] = []

    def add(part: int, weights: dict[int, float]) -> None:
        row = np.zeros(NUM_LANDMARKS)
        row[list(weights)] = list(weights.values())
        rows.append(row)
        parts.append(part)

    for down in np.linspace(0.1, 0.9, 8):
        for across in np.linspace(0.2, 0.8, 4):
            corners = np.outer([1 - down, down], [1 - across, across]).ravel()
            add(int(down > 0.5), dict(zip((*_SHOULDERS, *_HIPS), corners, strict=True)))
    for side in (0, 1):
        for along in np.linspace(0.3, 0.9, 8):
            add(2 + side, {_HIPS[side]: 1 - along, _KNEES[side]: along})
    for beside in np.linspace(0.2, 0.8, 3):
        for ahead in (0.0, 0.4):
            behind = 1 - ahead
            add(4, {_EARS[0]: (1 - beside) * behind, _EARS[1]: beside * behind, _NOSE: ahead})
    return np.array(rows, np.float32), np.array(parts, np.intp)


_WHERE, _PART = _grid()
_MEAN_OF = np.stack([(part == _PART) / np.sum(part == _PART) for part in range(_PARTS)])
_SHOWN_BY = np.stack([_WHERE[part == _PART].mean(axis=0) for part in range(_PARTS)])
_WEIGHTS = np.array([1.0, 1.0, 0.5, 0.5, 0.5], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """Colours of a body, and how far each can be believed."""

    lab: FloatArray
    """(R, 3) L*a*b*, L* by `_LIGHTNESS_WEIGHT`."""
    weight: FloatArray
    """(R,) in [0, 1]; 0 for a part that is not in view."""


def look_at(image_bgr: ImageArray, landmarks: PoseLandmarks) -> Appearance:
    """Samples the colours of a person by the landmarks in an image (H, W, 3)."""
    height, width = image_bgr.shape[:2]
    points = np.floor(_WHERE @ landmarks.image_px[:, :2]).astype(np.intp)
    x, y = points[:, 0], points[:, 1]
    is_inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    colors = image_bgr[y.clip(0, height - 1), x.clip(0, width - 1)]
    lab = cv2.cvtColor(colors[None], cv2.COLOR_BGR2LAB)[0].astype(np.float32)
    lab -= (0.0, 128.0, 128.0)
    lab[:, 0] *= _LIGHTNESS_WEIGHT * 100.0 / 255.0
    share = _MEAN_OF @ is_inside
    seen = _SHOWN_BY @ landmarks.visibility
    means = (_MEAN_OF * is_inside) @ lab / np.maximum(share, 1e-6)[:, None]
    weight = np.where((share > 0.7) & (seen > _SEEN), _WEIGHTS, 0.0)
    return Appearance(lab=means.astype(np.float32), weight=weight.astype(np.float32))


def difference(first: Appearance, second: Appearance) -> float | None:
    """Root mean square colour difference of the parts that both show; None where there are too few."""
    weight = np.minimum(first.weight, second.weight)
    total = float(weight.sum())
    if total < 1.0:
        return None
    squares = np.square(first.lab - second.lab).sum(axis=1)
    return float(np.sqrt(weight @ squares / total))


def blended(known: Appearance, seen: Appearance, share: float) -> Appearance:
    """A running mean: `share` in [0, 1] of what is seen now, part by part."""
    step = np.where(known.weight > 0, share, 1.0) * (seen.weight > 0)
    return Appearance(
        lab=(known.lab + step[:, None] * (seen.lab - known.lab)).astype(np.float32),
        weight=np.maximum(known.weight, seen.weight),
    )
