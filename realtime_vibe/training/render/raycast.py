"""Draws a figure into a picture by casting one ray per pixel (Open3D, Embree).

Legend: N pixels on the figure. Camera frame: x right, y down, z forward [m].
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import ConfigError
from realtime_vibe.geometry.camera import PinholeView
from realtime_vibe.system.machine import install_command
from realtime_vibe.training.render.backdrop import random_color
from realtime_vibe.training.render.clothing import Surface
from realtime_vibe.training.render.figure import Figure

FloatArray = NDArray[np.float32]

_REACH_M = 0.035
"""No point on the figure is farther from its nearest vertex: half of the longest edges, and a little."""
_NEAREST_M = 0.1
_NUM_SURFACES = len(Surface)
_SKIN_TONES_BGR = np.array(
    [[0.67, 0.78, 0.95], [0.50, 0.66, 0.86], [0.33, 0.48, 0.69], [0.20, 0.30, 0.47], [0.12, 0.18, 0.29]]
)  # fmt: skip
_HAIR_TONES_BGR = np.array(
    [[0.05, 0.05, 0.06], [0.08, 0.14, 0.24], [0.20, 0.40, 0.62], [0.45, 0.62, 0.78], [0.6, 0.6, 0.6]]
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Paint:
    """Colours and patterns of one person; BGR, 0 to 1."""

    base: FloatArray
    """(5, 3) colour of each `Surface`."""
    second: FloatArray
    """(5, 3) the other colour of its pattern."""
    wave: FloatArray
    """(5, 3) wave vector of the pattern through the rest body [1/m]."""
    sharp: FloatArray
    """(5,) 0 for plain, small for soft blotches, large for stripes."""
    iris: FloatArray
    """(3,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One lamp and the light of the room."""

    direction: FloatArray
    """(3,) unit vector towards the lamp, camera frame."""
    ambient: float
    lamp: float
    color: FloatArray
    """(3,) BGR."""
    shadow: bool
    """Whether the body shades itself: costs a second round of rays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The figure's pixels."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    color: FloatArray
    """(N, 3) BGR, 0 to 1."""


def make_paint(rng: np.random.Generator) -> Paint:
    """Random skin, hair and clothes."""
    base = np.stack([random_color(rng, vivid=2.0) for _ in Surface]).astype(np.float64)
    base[Surface.SKIN] = _between(_SKIN_TONES_BGR, rng)
    base[Surface.HAIR] = _between(_HAIR_TONES_BGR, rng)
    second = np.clip(base + rng.normal(0, 0.3, base.shape), 0, 1)
    second[Surface.SKIN] = base[Surface.SKIN] * [0.85, 0.88, 0.95]
    second[Surface.HAIR] = base[Surface.HAIR] * 0.6
    axis = np.eye(3)[rng.choice(3, _NUM_SURFACES, p=[0.25, 0.5, 0.25])]
    wave = axis * rng.uniform(20, 180, (_NUM_SURFACES, 1)) + rng.normal(0, 3, axis.shape)
    sharp = rng.choice([0.0, 1.0, 8.0], _NUM_SURFACES, p=[0.45, 0.3, 0.25])
    sharp[Surface.SKIN] = 0.5
    return Paint(
        base=base.astype(np.float32),
        second=second.astype(np.float32),
        wave=wave.astype(np.float32),
        sharp=sharp.astype(np.float32),
        iris=(rng.uniform(0.02, 0.4, 3)).astype(np.float32),
    )


def make_light(rng: np.random.Generator) -> Light:
    """A lamp somewhere above or beside, mostly on the camera's side."""
    direction = np.array([rng.normal(0, 0.8), -abs(rng.normal(0.7, 0.6)), -rng.normal(0.6, 0.6)])
    ambient = rng.uniform(0.25, 0.75)
    return Light(
        direction=(direction / np.linalg.norm(direction)).astype(np.float32),
        ambient=float(ambient),
        lamp=float(rng.uniform(0.3, 1.1) * (1.1 - ambient) + 0.1),
        color=np.exp(rng.normal(0, 0.06, 3)).astype(np.float32),
        shadow=bool(rng.random() < 0.35),
    )


def require_open3d() -> ModuleType:
    """Open3D, which casts the rays.

    Raises:
        ConfigError: it is not installed, or one of its system libraries is not.
    """
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"rendering needs Open3D ({error}): {install_command('viewer')}"
        ) from error
    return open3d


def draw(
    figure: Figure,
    vertices: FloatArray,
    paint: Paint,
    light: Light,
    camera: PinholeView,
) -> Drawn | None:
    """Colours every pixel that shows the figure, of posed vertices (V + E, 3), camera frame [m]; None out of view.

    Raises:
        ConfigError: Open3D is not installed.
    """
    rays, rows, columns = _rays(vertices, camera)
    if not len(rows):
        return None
    open3d: Any = require_open3d()
    tensor = open3d.core.Tensor
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(tensor(vertices), tensor(figure.faces))
    seen = scene.cast_rays(tensor(rays), nthreads=1)
    depth = seen["t_hit"].numpy()
    hit = np.flatnonzero(np.isfinite(depth))
    if not len(hit):
        return None
    direction = rays[hit, 3:]
    normal = seen["primitive_normals"].numpy()[hit]
    normal[(normal * direction).sum(axis=1) > 0] *= -1
    corners = figure.faces[seen["primitive_ids"].numpy()[hit]].astype(np.intp)
    uv = seen["primitive_uvs"].numpy()[hit]
    share = np.stack([1 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1)
    rest = np.einsum("nk,nkc->nc", share, figure.rest[corners])
    surface = figure.surface[corners[np.arange(len(corners)), share.argmax(axis=1)]]
    towards = (normal @ light.direction).clip(0)
    if light.shadow:
        start = rays[hit, :3] + direction * depth[hit, None] + 0.004 * normal
        to_lamp = np.concatenate([start, np.broadcast_to(light.direction, start.shape)], axis=1)
        hidden = scene.test_occlusions(tensor(to_lamp.astype(np.float32)), nthreads=1).numpy()
        towards[hidden] = 0.0
    shade = light.ambient * (0.75 - 0.25 * normal[:, 1]) + light.lamp * towards
    color = _albedo(figure, paint, surface, rest) * shade[:, None] * light.color
    return Drawn(rows=rows[hit], columns=columns[hit], color=color.astype(np.float32))


def _rays(
    vertices: FloatArray, camera: PinholeView
) -> tuple[FloatArray, NDArray[np.intp], NDArray[np.intp]]:
    """Rays (N, 6) through the pixels near a vertex, and those pixels: two thirds of the box are empty."""
    focal, width, height = camera.focal_px, camera.width, camera.height
    ahead = vertices[vertices[:, 2] > _NEAREST_M]
    if not len(ahead):
        none = np.empty(0, np.intp)
        return np.empty((0, 6), np.float32), none, none
    pixels = ahead[:, :2] / ahead[:, 2:] * focal + [0.5 * width, 0.5 * height]
    # A hand stretched towards the camera is larger in the picture than the rest.
    near_m = float(np.quantile(ahead[::7, 2], 0.03))
    reach = int(np.ceil(_REACH_M * focal / near_m)) + 1
    cells = np.floor(pixels).astype(np.intp)
    is_near = ((cells >= -reach) & (cells < [width + reach, height + reach])).all(axis=1)
    cells = cells[is_near] + reach
    near = np.zeros((height + 2 * reach, width + 2 * reach), np.uint8)
    near[cells[:, 1], cells[:, 0]] = 1
    grown = cv2.dilate(near, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    rows, columns = np.nonzero(grown[reach : reach + height, reach : reach + width])
    rays = np.zeros((len(rows), 6), np.float32)
    rays[:, 3] = (columns + 0.5 - 0.5 * width) / focal
    rays[:, 4] = (rows + 0.5 - 0.5 * height) / focal
    rays[:, 5] = 1.0
    return rays, rows, columns


def _albedo(
    figure: Figure, paint: Paint, surface: NDArray[np.uint8], rest: FloatArray
) -> FloatArray:
    """(N, 3) colour of each point of the rest body."""
    phase = (rest * paint.wave[surface]).sum(axis=1)
    pattern = 0.5 + 0.5 * np.tanh(paint.sharp[surface] * np.sin(phase))
    plain = paint.sharp[surface] == 0
    pattern[plain] = 0
    color: FloatArray = paint.base[surface]
    color = color + pattern[:, None] * (paint.second - paint.base)[surface]
    is_face = (surface == Surface.SKIN) & (rest[:, 1] > figure.mouth[1] - 0.05)
    rows = np.flatnonzero(is_face)
    if len(rows):
        color[rows] = _with_face(color[rows], rest[rows], figure, paint)
    return color


def _with_face(color: FloatArray, rest: FloatArray, figure: Figure, paint: Paint) -> FloatArray:
    """Eyes, brows and lips on the skin of the head."""
    out = color.copy()
    in_front = rest[:, 2] > figure.eyes[:, 2].min() - 0.03
    for eye in figure.eyes:
        x, y = rest[:, 0] - eye[0], rest[:, 1] - eye[1]
        out[in_front & ((x / 0.016) ** 2 + (y / 0.007) ** 2 < 1)] = 0.85
        out[in_front & (x**2 + y**2 < 0.0065**2)] = paint.iris
        brow = in_front & ((x / 0.02) ** 2 + ((y - 0.019) / 0.005) ** 2 < 1)
        out[brow] = paint.base[Surface.HAIR] * 0.7
    x, y = rest[:, 0] - figure.mouth[0], rest[:, 1] - figure.mouth[1]
    lips = in_front & ((x / 0.026) ** 2 + (y / 0.009) ** 2 < 1)
    out[lips] = color[lips] * np.array([0.65, 0.6, 0.95], np.float32)
    return out


def _between(tones: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour on the line through the tones."""
    place = rng.uniform(0, len(tones) - 1)
    low = int(place)
    mixed: NDArray[np.float64] = tones[low] + (place - low) * (
        tones[min(low + 1, len(tones) - 1)] - tones[low]
    )
    # Lighter or darker as it likes, but hardly greener.
    change = np.exp(rng.normal(0, 0.08) + rng.normal(0, 0.03, 3))
    return np.clip(mixed * change, 0, 1)
