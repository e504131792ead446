"""The bodies alone, on a grid, seen from one side and a little above: drawn without a display.

The world is the OpenCV camera frame [m] (x right, y down, z away from the webcam), so the figure faces
the viewer as it faces the webcam.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.geometry.camera import PinholeView
from realtime_vibe.outputs.ground import GroundLevel, LevelView, SteadyPoint
from realtime_vibe.outputs.view.background import DEFAULT_BACKGROUND, Background
from realtime_vibe.outputs.view.raster import MeshRasterizer, MeshStyle, blend_mesh
from realtime_vibe.outputs.view.shading import PERSON_COLORS, Color
from realtime_vibe.packets import FloatArray, FrameResult, ImageArray, PersonResult

YAW_RAD = float(np.deg2rad(30.0))
"""The viewer stands this far round to the person's left."""
PITCH_RAD = float(np.deg2rad(11.0))
"""And looks down by this much."""
_HALF_FOV_TAN = float(np.tan(np.deg2rad(17.0)))
_ABOVE_HIPS_M = 1.3
"""Room for a head and raised arms above the highest hips."""
_VISIBLE_HEIGHT_M = 2.35
_CELL_M = 0.5
_GRID_RADIUS_M = 3.4
_EYE_LEVEL_M = 0.95
"""Height above the floor of the point looked at: the middle of a standing body."""
_DEFAULT_FLOOR_M = 0.9
_DEFAULT_DEPTH_M = 3.0

_SKY_TOP, _SKY_LOW = (56, 46, 42), (112, 98, 90)
_FLOOR_FAR, _FLOOR_NEAR = (104, 92, 86), (78, 68, 62)
_GRID_BGR = np.array((172, 160, 150), np.float32)
_SHADOW_STRENGTH = np.float32(0.62)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Camera:
    """A camera in the world: `x_cam = rotation @ (x_world - eye)`."""

    rotation: FloatArray
    eye: FloatArray
    view: PinholeView

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
        self._level = LevelView()
        self._ground = GroundLevel()
        self._aim = SteadyPoint()
        # x, z of the point looked at, how far the people spread around it and how high they reach [m].
        self._look_at = np.array([0.0, _DEFAULT_DEPTH_M, 0.0, 0.0], np.float32)

    def draw(
        self, result: FrameResult, *, width: int, height: int, mirror: bool = False
    ) -> ImageArray:
        """A picture (height, width, 3) BGR; with nobody in view, the empty grid with a note, which is never mirrored.

        Results must come in the order of time.
        """
        result = self._level.of(result)
        camera = self._camera_on(result, width, height)
        color = self._background.color
        if color is None:
            image = self._draw_room(result, camera)
        else:
            image = self._draw_bodies(result, camera, color)
        if mirror:
            image = np.ascontiguousarray(image[:, ::-1])
        if color is None and not (result.people or result.held):
            write_centered(image, "nobody in view")
        return image

    def draw_cutout(
        self, result: FrameResult, *, width: int, height: int, mirror: bool = False
    ) -> ImageArray:
        """A picture (height, width, 4) BGRA of the bodies alone, to lay over others; results come in order."""
        result = self._level.of(result)
        camera = self._camera_on(result, width, height)
        on_black = self._draw_bodies(result, camera, (0, 0, 0)).astype(np.float32)
        on_white = self._draw_bodies(result, camera, (255, 255, 255)).astype(np.float32)
        # What white adds to black shows through: exact at soft edges and for the fading, too.
        opacity = np.clip(1.0 - (on_white - on_black).mean(axis=2, keepdims=True) / 255.0, 0.0, 1.0)
        color = on_black / np.maximum(opacity, 1.0 / 255.0)
        image = np.concatenate([np.minimum(color, 255.0), 255.0 * opacity], axis=2)
        image = np.rint(image).astype(np.uint8)
        return np.ascontiguousarray(image[:, ::-1] if mirror else image)

    def _draw_room(self, result: FrameResult, camera: _Camera) -> ImageArray:
        image = backdrop(camera.view.width, camera.view.height)
        self._draw_grid(image, camera)
        for held in result.held:
            self._draw_body(image, held.last, camera, opacity=held.opacity)
        for person in result.people:
            self._draw_shadow(image, person, camera)
        self._draw_people(image, result, camera)
        return image

    def _draw_bodies(self, result: FrameResult, camera: _Camera, color: Color) -> ImageArray:
        """Nothing but bodies on one colour."""
        image = np.full((camera.view.height, camera.view.width, 3), color, np.uint8)
        for held in result.held:
            self._draw_body(image, held.last, camera, opacity=held.opacity)
        self._draw_people(image, result, camera)
        return image

    def _draw_people(self, image: ImageArray, result: FrameResult, camera: _Camera) -> None:
        for person in sorted(result.people, key=lambda p: _distance_m(p, camera), reverse=True):
            self._draw_body(image, person, camera)

    def _camera_on(self, result: FrameResult, width: int, height: int) -> _Camera:
        """The camera after it has moved with the people, if there are any."""
        if result.people:
            self._follow(result)
        return self._camera(width, height)

    def _follow(self, result: FrameResult) -> None:
        now_s = result.frame.captured_at_s
        self._ground.follow(result)
        pelvis = np.stack([person.mesh.joints[0] for person in result.people])
        low, high = pelvis[:, [0, 2]].min(axis=0), pelvis[:, [0, 2]].max(axis=0)
        spread_m = 0.5 * float(np.linalg.norm(high - low))
        # By hips, not by hands: the view must not rise with every raised arm.
        height_m = self._ground.level_m - float(pelvis[:, 1].min()) + _ABOVE_HIPS_M
        wanted = np.array([*(0.5 * (low + high)), spread_m, height_m])
        self._look_at = self._aim.update(wanted, now_s)

    @property
    def _floor_m(self) -> float:
        return self._ground.level_m if self._ground.is_known else _DEFAULT_FLOOR_M

    def _camera(self, width: int, height: int) -> _Camera:
        focal_px = 0.5 * height / _HALF_FOV_TAN
        x, z, spread_m, height_m = (float(value) for value in self._look_at)
        visible_m = max(_VISIBLE_HEIGHT_M, height_m)
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
        target = np.array([x, self._floor_m - eye_level_m, z])
        return _Camera(
            rotation=rotation,
            eye=(target + distance_m * back).astype(np.float32),
            view=PinholeView(width=width, height=height, focal_px=focal_px),
        )

    def _draw_grid(self, image: ImageArray, camera: _Camera) -> None:
        """Lines every half metre, fixed in the world, fading out away from the middle."""
        middle = self._look_at[:2]
        first = np.ceil((middle - _GRID_RADIUS_M) / _CELL_M).astype(int)
        last = np.floor((middle + _GRID_RADIUS_M) / _CELL_M).astype(int)
        x, z = np.meshgrid(
            np.arange(first[0], last[0] + 1) * _CELL_M, np.arange(first[1], last[1] + 1) * _CELL_M
        )
        nodes = np.stack([x, np.full_like(x, self._floor_m), z], axis=-1)
        pixels = camera.project(nodes.reshape(-1, 3).astype(np.float32)).reshape(*x.shape, 2)
        radius = np.hypot(x - middle[0], z - middle[1])
        thickness = max(1, round(image.shape[0] / 600))
        for first_node, second_node in (
            ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
            ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
        ):
            _draw_segments(
                image,
                pixels[first_node].reshape(-1, 2),
                pixels[second_node].reshape(-1, 2),
                0.5 * (radius[first_node] + radius[second_node]).ravel() / _GRID_RADIUS_M,
                thickness,
            )

    def _draw_shadow(self, image: ImageArray, person: PersonResult, camera: _Camera) -> None:
        """A soft shadow on the floor, from a light high up on the left; at a quarter of the size."""
        points = person.mesh.vertices.copy()
        rise = self._floor_m - points[:, 1]
        points[:, 0] += 0.28 * rise
        points[:, 2] += 0.16 * rise
        points[:, 1] = self._floor_m
        small = (max(1, image.shape[1] // 4), max(1, image.shape[0] // 4))
        pixels = camera.project(points) * (small[1] / image.shape[0])
        columns, rows = np.floor(np.nan_to_num(pixels, nan=-1.0)).astype(np.int32).T
        inside = (columns >= 0) & (columns < small[0]) & (rows >= 0) & (rows < small[1])
        mask = np.zeros((small[1], small[0]), np.float32)
        mask[rows[inside], columns[inside]] = 1.0
        mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, small[1] / 70))
        shade = _SHADOW_STRENGTH * cv2.resize(soft, (image.shape[1], image.shape[0]))
        image[:] = np.asarray(
            cv2.blendLinear(np.zeros_like(image), image, shade, 1.0 - shade), np.uint8
        )

    def _draw_body(
        self, image: ImageArray, person: PersonResult, camera: _Camera, *, opacity: float = 1.0
    ) -> None:
        style = MeshStyle(
            color=PERSON_COLORS[person.person.track_id % len(PERSON_COLORS)],
            opacity=opacity,
            outline_px=0,
        )
        region = self._rasterizer.render(camera.to_camera(person.mesh.vertices), camera.view)
        blend_mesh(image, region, style)


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


def _draw_segments(
    image: ImageArray,
    starts: FloatArray,
    ends: FloatArray,
    fade: NDArray[np.floating],
    thickness: int,
) -> None:
    """Lines from `starts` to `ends` (N, 2) [px], invisible where `fade` (N,) reaches 1."""
    keep = np.flatnonzero(fade < 1.0)
    starts_px = np.rint((starts[keep] - 0.5) * 8).astype(int).tolist()
    ends_px = np.rint((ends[keep] - 0.5) * 8).astype(int).tolist()
    strengths = np.square(1.0 - fade[keep])
    # The colours of the floor below are taken as one: the gradient is faint.
    colors = np.array(_FLOOR_FAR) + strengths[:, None] * (_GRID_BGR - np.array(_FLOOR_FAR))
    for start, end, color in zip(starts_px, ends_px, colors.tolist(), strict=True):
        cv2.line(image, start, end, color, thickness, cv2.LINE_AA, 3)


def write_centered(image: ImageArray, text: str) -> None:
    """Writes `text` into the middle of `image` (H, W, 3) in place."""
    height, width = image.shape[:2]
    scale = max(0.28, 0.75 * min(height, width) / 480.0)
    thickness = max(1, round(1.4 * scale))
    font = cv2.FONT_HERSHEY_SIMPLEX
    (text_width, text_height), _ = cv2.getTextSize(text, font, scale, thickness)
    at = ((width - text_width) // 2, (height + text_height) // 2)
    cv2.putText(image, text, at, font, scale, (225, 225, 225), thickness, cv2.LINE_AA)
