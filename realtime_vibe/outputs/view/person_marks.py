"""Numbers over people's heads and a frame around the one whom avatars follow."""

import cv2
import numpy as np

from realtime_vibe.outputs.person_lock import left_to_right
from realtime_vibe.outputs.view.shading import PERSON_COLORS, Color
from realtime_vibe.packets import FloatArray, FrameResult, ImageArray

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LOCKED: Color = (60, 220, 255)
_DARK: Color = (40, 24, 16)
_CORNER_SHARE = 0.22
"""Length of a corner's arms, of the shorter side of the box."""


def draw_person_marks(
    image: ImageArray, result: FrameResult, locked_id: int | None, *, mirror: bool = False
) -> None:
    """Marks people in the finished overlay, in place; a person alone who is not locked gets no mark.

    Args:
        image: (H, W, 3) of any size, mirrored already where `mirror` says so.
        locked_id: track of the person followed, or None.
    """
    if len(result.people) < 2 and locked_id is None:
        return
    height, width = image.shape[:2]
    scale = height / result.frame.image_bgr.shape[0]
    for number, person in enumerate(left_to_right(result, mirror=mirror), start=1):
        box = person.person.bbox_xyxy * scale
        if not np.isfinite(box).all():
            continue
        if mirror:
            box = np.array([width - box[2], box[1], width - box[0], box[3]])
        box = np.clip(box, 0, [width - 1, height - 1] * 2)
        is_locked = person.person.track_id == locked_id
        if is_locked:
            _draw_corners(image, box)
        color = PERSON_COLORS[person.person.track_id % len(PERSON_COLORS)]
        _draw_number(image, box, number, _LOCKED if is_locked else color)


def _draw_corners(image: ImageArray, box: FloatArray) -> None:
    left, top, right, bottom = np.rint(box).astype(int).tolist()
    arm = round(_CORNER_SHARE * min(right - left, bottom - top))
    thickness = max(2, round(min(image.shape[:2]) / 200))
    for extra, color in ((2, _DARK), (0, _LOCKED)):
        for x, to_x in ((left, left + arm), (right, right - arm)):
            for y, to_y in ((top, top + arm), (bottom, bottom - arm)):
                cv2.line(image, (x, y), (to_x, y), color, thickness + extra, cv2.LINE_AA)
                cv2.line(image, (x, y), (x, to_y), color, thickness + extra, cv2.LINE_AA)


def _draw_number(image: ImageArray, box: FloatArray, number: int, color: Color) -> None:
    """A disc with the number above the box, inside the picture."""
    radius = max(9, round(min(image.shape[:2]) / 30))
    x = int(np.clip((box[0] + box[2]) / 2, radius, max(radius, image.shape[1] - radius - 1)))
    y = int(np.clip(box[1] - radius, radius, max(radius, image.shape[0] - radius - 1)))
    cv2.circle(image, (x, y), radius, color, -1, cv2.LINE_AA)
    cv2.circle(image, (x, y), radius, _DARK, max(1, radius // 8), cv2.LINE_AA)
    font_scale, thickness = radius / 17, max(1, round(radius / 8))
    (text_width, text_height), _ = cv2.getTextSize(str(number), _FONT, font_scale, thickness)
    at = (x - text_width // 2, y + text_height // 2)
    cv2.putText(image, str(number), at, _FONT, font_scale, _DARK, thickness, cv2.LINE_AA)
