"""The bodies alone, on a grid, seen from one side and a little above: drawn without a display.

The world is a level camera's frame [m] (x right, y down, z away from the webcam), so the figure faces
the viewer as it faces the webcam.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.camera import PinholeView
from realtime_vibe.outputs.view.background import DEFAULT_BACKGROUND, Background
from realtime_vibe.outputs.view.raster import MeshRasterizer, blend_mesh
from realtime_vibe.outputs.view.shading import color_of
from realtime_vibe.outputs.view.stage import (
    GRID_LINES,
    SHADOW_CELL_M,
    SHADOW_CELLS,
    SHADOW_STRENGTH,
    Stage,
)
from realtime_vibe.packets import FloatArray, FrameResult, ImageArray, PersonResult

YAW_RAD = float(np.deg2rad(30.0))
"""The viewer stands this far round to the person's left."""
PITCH_RAD = float(np.deg2rad(11.0))
"""And looks down by this much."""
_HALF_FOV_TAN = float(np.tan(np.deg2rad(17.0)))
_ABOVE_HIPS_M = 1.3
"""Room for a head and raised arms above the highest hips."""
_VISIBLE_HEIGHT_M = 2.35
_EYE_LEVEL_M = 0.95
"""Height above the floor of the point looked at: the middle of a standing body."""

_SKY_TOP, _SKY_LOW = (56, 46, 42), (112, 98, 90)
_FLOOR_FAR, _FLOOR_NEAR = (104, 92, 86), (78, 68, 62)
_GRID_BGR = np.array((172, 160, 150), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Camera:
    """A camera in the world: `x_cam = rotation @ (x_world - eye)`."""

    rotation: FloatArray
    eye: FloatArray
    view: PinholeView

    @property
    def matrix(self) -> FloatArray:
        """(3, 3) to the places of OpenCV's pixels, whose centres are whole numbers."""
        width, height, focal_px = self.view.width, self.view.height, self.view.focal_px
        return np.array(
            [[focal_px, 0, 0.5 * (width - 1)], [0, focal_px, 0.5 * (height - 1)], [0, 0, 1]],
            np.float32,
        )

    def to_camera(self, points: FloatArray) -> FloatArray:
        """Camera-frame points (N, 3) of world points (N, 3)."""
        return np.asarray((points - self.eye) @ self.rotation.T, np.float32)

    def project(self, points: FloatArray) -> FloatArray:
        """Pixels (N, 2) of world points (N, 3)."""
        return self.view.project(self.to_camera(points).T).T


class SceneRenderer:
    """Draws one sequence of bodies with (F, 3) faces: it remembers where the floor is and where it looked last."""

    def __init__(
        self, faces: NDArray[np.integer], background: Background = DEFAULT_BACKGROUND
    ) -> None:
        self._background = background
        self._rasterizer = MeshRasterizer(faces)
        self._stage = Stage()

    def draw(
        self, result: FrameResult, *, width: int, height: int, mirror: bool = False
    ) -> ImageArray:
        """A picture (height, width, 3) BGR; with nobody in view, the empty grid with a note, which is never mirrored.

        Results must come in the order of time.
        """
        result = self._stage.follow(result)
        camera = self._camera(width, height)
        color = self._background.color
        if color is None:
            image = backdrop(width, height)
            self._draw_grid(image, camera)
            self._draw_shadow(image, result, camera)
        else:
            image = np.full((height, width, 3), color, np.uint8)
        self._draw_bodies(image, result, camera)
        if mirror:
            image = np.ascontiguousarray(image[:, ::-1])
        if color is None and not (result.people or result.held):
            write_centered(image, "nobody in view")
        return image

    def draw_cutout(
        self, result: FrameResult, *, width: int, height: int, mirror: bool = False
    ) -> ImageArray:
        """A picture (height, width, 4) BGRA of the bodies alone, to lay over others; results come in order."""
        result = self._stage.follow(result)
        camera = self._camera(width, height)
        black, white = (np.full((height, width, 3), shade, np.uint8) for shade in (0, 255))
        for image in (black, white):
            self._draw_bodies(image, result, camera)
        # What white adds to black shows through: exact at soft edges and for the fading, too.
        through = (white.astype(np.float32) - black).mean(axis=2, keepdims=True) / 255.0
        opacity = np.clip(1.0 - through, 0.0, 1.0)
        color = np.minimum(black / np.maximum(opacity, 1.0 / 255.0), 255.0)
        image = np.rint(np.concatenate([color, 255.0 * opacity], axis=2)).astype(np.uint8)
        return np.ascontiguousarray(image[:, ::-1] if mirror else image)

    def _camera(self, width: int, height: int) -> _Camera:
        focal_px = 0.5 * height / _HALF_FOV_TAN
        spread_m = self._stage.spread_m
        visible_m = max(_VISIBLE_HEIGHT_M, self._stage.hips_m + _ABOVE_HIPS_M)
        distance_m = 0.5 * visible_m / _HALF_FOV_TAN
        # The people's spread and an arm's length each side must fit the width, too.
        distance_m = max(distance_m, (spread_m + 0.85) * focal_px / (0.5 * width) + spread_m)
        back = np.array(
            [
                np.sin(YAW_RAD) * np.cos(PITCH_RAD),
                -np.sin(PITCH_RAD),
                -np.cos(YAW_RAD) * np.cos(PITCH_RAD),
            ]
        )
        right = np.cross([0.0, 1.0, 0.0], -back)
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(-back, right), -back]).astype(np.float32)
        eye_level_m = _EYE_LEVEL_M * visible_m / _VISIBLE_HEIGHT_M
        target = self._stage.origin - [0, eye_level_m, 0]
        return _Camera(
            rotation=rotation,
            eye=(target + distance_m * back).astype(np.float32),
            view=PinholeView(width=width, height=height, focal_px=focal_px),
        )

    def _draw_grid(self, image: ImageArray, camera: _Camera) -> None:
        points, strengths = self._stage.grid()
        fixed = np.rint((camera.project(points) - 0.5) * 8).astype(int)
        # The colours of the floor below are taken as one: the gradient is faint.
        share = np.square(strengths)[:, None]
        colors = np.array(_FLOOR_FAR) + share * (_GRID_BGR - np.array(_FLOOR_FAR))
        thickness = max(1, round(image.shape[0] / 600))
        for line in np.flatnonzero(strengths):
            start, end = fixed[GRID_LINES[line]].tolist()
            cv2.line(image, start, end, colors[line].tolist(), thickness, cv2.LINE_AA, 3)

    def _draw_shadow(self, image: ImageArray, result: FrameResult, camera: _Camera) -> None:
        """Lays the shadow's patch of the floor into the picture."""
        reach_m = 0.5 * (SHADOW_CELLS - 1) * SHADOW_CELL_M
        first = self._stage.origin + np.array([-reach_m, 0, reach_m])
        # A cell (column, row) lies at first + column along x - row along z.
        to_camera = camera.rotation @ np.stack(
            [[SHADOW_CELL_M, 0, 0], [0, 0, -SHADOW_CELL_M], first - camera.eye], axis=1
        )
        shade = cv2.warpPerspective(
            self._stage.shadow(result), camera.matrix @ to_camera, image.shape[1::-1]
        )
        weight = np.float32(SHADOW_STRENGTH) * np.asarray(shade, np.float32)
        image[:] = cv2.blendLinear(np.zeros_like(image), image, weight, 1.0 - weight)

    def _draw_bodies(self, image: ImageArray, result: FrameResult, camera: _Camera) -> None:
        """Whoever was lost, fading, and in front the people in view, far to near."""
        people = sorted(result.people, key=lambda p: _distance_m(p, camera), reverse=True)
        for person, opacity in (
            *((held.last, held.opacity) for held in result.held),
            *((person, 1.0) for person in people),
        ):
            region = self._rasterizer.render(camera.to_camera(person.mesh.vertices), camera.view)
            blend_mesh(image, region, color_of(person), opacity=opacity)


def _distance_m(person: PersonResult, camera: _Camera) -> float:
    return float(camera.to_camera(person.mesh.joints[:1])[0, 2])


def backdrop(width: int, height: int) -> ImageArray:
    """A picture (height, width, 3) of sky and floor, meeting softly at the horizon."""
    horizon = height * (0.5 - 0.5 * np.tan(PITCH_RAD) / _HALF_FOV_TAN)
    rows = np.arange(height, dtype=np.float32)[:, None]
    sky = _gradient(rows / max(horizon, 1.0), _SKY_TOP, _SKY_LOW)
    floor = _gradient((rows - horizon) / (height - horizon), _FLOOR_FAR, _FLOOR_NEAR)
    share = np.clip((rows - horizon) / (0.05 * height) + 0.5, 0.0, 1.0)
    column = np.rint(sky * (1.0 - share) + floor * share).astype(np.uint8)
    return np.repeat(column[:, None], width, axis=1)


def _gradient(
    share: FloatArray, start: tuple[int, int, int], end: tuple[int, int, int]
) -> FloatArray:
    share = np.clip(share, 0.0, 1.0)
    return np.asarray((1.0 - share) * np.array(start) + share * np.array(end), np.float32)


def write_centered(image: ImageArray, text: str) -> None:
    """Writes `text` into the middle of `image` (H, W, 3) in place."""
    height, width = image.shape[:2]
    scale = max(0.28, 0.75 * min(height, width) / 480.0)
    thickness = max(1, round(1.4 * scale))
    font = cv2.FONT_HERSHEY_SIMPLEX
    (text_width, text_height), _ = cv2.getTextSize(text, font, scale, thickness)
    at = ((width - text_width) // 2, (height + text_height) // 2)
    cv2.putText(image, text, at, font, scale, (225, 225, 225), thickness, cv2.LINE_AA)
