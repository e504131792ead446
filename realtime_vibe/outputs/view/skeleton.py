"""BlazePose's 33 landmarks drawn as a stick figure: left warm, right cool, doubtful ones faded."""

import cv2
import numpy as np

from realtime_vibe.outputs.view.shading import Color
from realtime_vibe.packets import ImageArray, PoseLandmarks

LEFT_COLOR: Color = (60, 150, 255)
"""Orange: the person's own left."""
RIGHT_COLOR: Color = (255, 190, 60)
"""Light blue: the person's own right."""
MIDDLE_COLOR: Color = (235, 235, 235)
MIN_VISIBILITY = 0.15
"""Landmarks below this are guesses and not drawn."""

# Landmark numbers of BlazePose: even = right and odd = left from the shoulders (11, 12) on.
_LEFT_BONES = ((11, 13), (13, 15), (15, 17), (15, 19), (15, 21), (17, 19), (11, 23), (23, 25),
               (25, 27), (27, 29), (27, 31), (29, 31), (0, 2), (2, 7))  # fmt: skip
_RIGHT_BONES = ((12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (18, 20), (12, 24), (24, 26),
                (26, 28), (28, 30), (28, 32), (30, 32), (0, 5), (5, 8))  # fmt: skip
_MIDDLE_BONES = ((11, 12), (23, 24), (9, 10))
_BONES = (
    *((bone, MIDDLE_COLOR) for bone in _MIDDLE_BONES),
    *((bone, RIGHT_COLOR) for bone in _RIGHT_BONES),
    *((bone, LEFT_COLOR) for bone in _LEFT_BONES),
)
_SHIFT = 3
_FARTHEST_PX = 20_000.0


def draw_skeleton(image: ImageArray, landmarks: PoseLandmarks, scale: float) -> None:
    """Draws bones and joints of the original frame's landmarks, times `scale`, into `image` (H, W, 3) BGR in place."""
    points = np.clip(landmarks.image_px[:, :2] * scale - 0.5, -_FARTHEST_PX, _FARTHEST_PX)
    if not np.isfinite(points).all():
        return
    fixed = np.rint(points * (1 << _SHIFT)).astype(int).tolist()
    thickness = max(1, round(min(image.shape[:2]) / 240))
    # Doubtful bones first, so that certain ones lie on top. Fading mixes with what lies below.
    strengths = [float(landmarks.visibility[list(bone)].min()) for bone, _ in _BONES]
    for index in sorted(range(len(_BONES)), key=strengths.__getitem__):
        (start, end), color = _BONES[index]
        if strengths[index] >= MIN_VISIBILITY:
            faded = _faded(color, strengths[index])
            cv2.line(image, fixed[start], fixed[end], faded, thickness, cv2.LINE_AA, _SHIFT)
    for joint in range(11, 33):
        visibility = float(landmarks.visibility[joint])
        if visibility >= MIN_VISIBILITY:
            color = _faded(LEFT_COLOR if joint % 2 else RIGHT_COLOR, visibility)
            radius = round((thickness + 0.8) * (1 << _SHIFT))
            cv2.circle(image, fixed[joint], radius, color, -1, cv2.LINE_AA, _SHIFT)


def _faded(color: Color, visibility: float) -> Color:
    """`color` at full visibility, going to dark grey towards none."""
    keep = min(1.0, max(0.0, visibility)) ** 1.5
    blue, green, red = (round(keep * part + (1.0 - keep) * 70) for part in color)
    return blue, green, red
