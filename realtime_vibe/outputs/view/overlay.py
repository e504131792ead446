"""The camera's picture with the mesh, the stick figure, number and lock drawn over each person."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.camera import PinholeView
from realtime_vibe.outputs.person_lock import left_to_right
from realtime_vibe.outputs.view.raster import MeshRasterizer, blend_mesh
from realtime_vibe.outputs.view.shading import Color, color_of
from realtime_vibe.packets import FloatArray, FrameResult, ImageArray, PersonResult, PoseLandmarks

_OPACITY = 0.65
"""Of the mesh: 0 invisible, 1 hides the person."""

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

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LOCKED: Color = (60, 220, 255)
_DARK: Color = (40, 24, 16)
_CORNER_SHARE = 0.22
"""Length of a corner's arms, of the shorter side of the box."""


class OverlayRenderer:
    """Draws results over their frames: (F, 3) faces, and on demand the tracker's landmarks as a stick figure."""

    def __init__(self, faces: NDArray[np.integer], *, skeleton: bool = False) -> None:
        self._rasterizer = MeshRasterizer(faces)
        self._skeleton = skeleton

    def draw(
        self, result: FrameResult, *, height: int | None = None, mirror: bool = False
    ) -> ImageArray:
        """A new picture (h, w, 3) BGR; with nobody in view, the bare frame.

        Args:
            height: height of the picture [px], the aspect ratio is kept; None keeps the frame's
                size. Drawing happens at this size, so a small picture of a 4K frame is cheap.
            mirror: flips the finished picture left to right, as a mirror would show it.
        """
        frame = result.frame.image_bgr
        scale = 1.0 if height is None else height / frame.shape[0]
        image = resized_to_height(frame, height)
        view = PinholeView(
            width=image.shape[1], height=image.shape[0], focal_px=result.focal_px * scale
        )
        for held in result.held:
            self._draw_mesh(image, held.last, view, held.opacity)
        outline_px = max(1, round(min(image.shape[:2]) / 500))
        for person in sorted(result.people, key=_depth_m, reverse=True):
            self._draw_mesh(image, person, view, 1.0, outline_px)
            if self._skeleton and person.person.landmarks is not None:
                draw_skeleton(image, person.person.landmarks, scale)
        return np.ascontiguousarray(image[:, ::-1]) if mirror else image

    def _draw_mesh(
        self,
        image: ImageArray,
        person: PersonResult,
        view: PinholeView,
        share: float,
        outline_px: int = 0,
    ) -> None:
        """The body's surface with a share of the usual opacity."""
        region = self._rasterizer.render(person.in_picture(person.mesh.vertices), view)
        opacity = _OPACITY * share
        blend_mesh(image, region, color_of(person), opacity=opacity, outline_px=outline_px)


def resized_to_height(image: ImageArray, height: int | None) -> ImageArray:
    """A new picture of the given height [px] and the same aspect ratio; None copies."""
    if height is None or height == image.shape[0]:
        return image.copy()
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    method = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _depth_m(person: PersonResult) -> float:
    return float(person.mesh.joints[0, 2])


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


def draw_person_marks(
    image: ImageArray, result: FrameResult, locked_id: int | None, *, mirror: bool = False
) -> None:
    """Marks people in the finished overlay (H, W, 3), in place, mirrored already where `mirror` says so.

    A person alone who is not locked gets no mark.
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
        _draw_number(image, box, number, _LOCKED if is_locked else color_of(person))


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
