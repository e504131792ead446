"""Rooms behind and things in front of a rendered person, and what a camera does to the picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

ImageArray = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


def random_color(rng: np.random.Generator, vivid: float = 1.0) -> FloatArray:
    """(3,) BGR, 0 to 1: most things are pale, few are vivid; `vivid` is a factor on the saturation."""
    saturation = min(1.0, vivid * rng.beta(1.1, 4.0))
    pure = np.eye(3)[rng.integers(3)] + rng.uniform(0, 1, 3)
    pure /= pure.max()
    color: FloatArray = rng.uniform(0.12, 1.0) * (1 - saturation * (1 - pure))
    return color.astype(np.float32)


def make_backdrop(
    width: int,
    height: int,
    horizon_px: float,
    photos: tuple[ImageArray, ...],
    rng: np.random.Generator,
) -> FloatArray:
    """A background (H, W, 3), 0 to 1, BGR, with a floor below the horizon; one of the photos now and then."""
    if photos and rng.random() < 0.5:
        return _from_photo(photos[int(rng.integers(len(photos)))], width, height, rng)
    image = np.empty((height, width, 3), np.float32)
    image[:] = _gradient(width, height, rng)
    corner = int(np.clip(horizon_px + rng.uniform(0.02, 0.35) * height, 0, height))
    image[corner:] = random_color(rng)
    image[corner:] += 0.03 * _blotches(width, height, 12, rng)[corner:]
    for _ in range(int(rng.integers(0, 22))):
        _add_box(image, rng)
    for _ in range(int(rng.integers(0, 6))):
        start = rng.uniform(0, [width, height]).astype(int)
        end = rng.uniform(0, [width, height]).astype(int)
        color = [float(value) for value in random_color(rng)]
        cv2.line(image, start.tolist(), end.tolist(), color, int(rng.integers(1, 8)), cv2.LINE_AA)
    grain = _blotches(width, height, int(rng.integers(4, 60)), rng)
    # Mostly light and dark, little colour.
    grain = 0.8 * grain.mean(axis=2, keepdims=True) + 0.2 * grain
    image += rng.exponential(0.04) * grain
    blur = float(rng.uniform(0.4, 4.0))
    return np.clip(cv2.GaussianBlur(image, (0, 0), blur), 0, 1).astype(np.float32)


def _from_photo(photo: ImageArray, width: int, height: int, rng: np.random.Generator) -> FloatArray:
    """A random part of a photo, perhaps mirrored."""
    scale = max(width / photo.shape[1], height / photo.shape[0]) * rng.uniform(1.0, 1.6)
    size = (
        max(width, round(photo.shape[1] * scale)),
        max(height, round(photo.shape[0] * scale)),
    )
    resized = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    x = int(rng.integers(0, size[0] - width + 1))
    y = int(rng.integers(0, size[1] - height + 1))
    part = resized[y : y + height, x : x + width]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    return (part / np.float32(255)).astype(np.float32)


def _gradient(width: int, height: int, rng: np.random.Generator) -> FloatArray:
    corners = random_color(rng) * np.exp(rng.normal(0, 0.25, (2, 2, 1)))
    corners = np.clip(corners, 0, 1)
    return cv2.resize(
        corners.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    ).astype(np.float32)


def _blotches(width: int, height: int, cells: int, rng: np.random.Generator) -> FloatArray:
    """Smooth noise (H, W, 3) of about unit size."""
    coarse = rng.normal(0, 1, (max(2, cells * height // width), max(2, cells), 3))
    return cv2.resize(
        coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    ).astype(np.float32)


def _add_box(image: FloatArray, rng: np.random.Generator) -> None:
    """Furniture, windows, pictures on the wall, in place."""
    height, width = image.shape[:2]
    size = (np.exp(rng.uniform(-3.2, -0.7, 2)) * [width, height]).astype(int) + 2
    x, y = (int(value) for value in rng.uniform(-0.1, 1, 2) * [width, height])
    part = image[max(0, y) : max(0, y + size[1]), max(0, x) : max(0, x + size[0])]
    if not part.size:
        return
    color = random_color(rng)
    slope = np.linspace(0.8, 1.2, part.shape[0], dtype=np.float32)[:, None, None]
    part[:] = np.clip(color * slope, 0, 1)
    if rng.random() < 0.3:
        period = int(rng.integers(3, 20))
        stripes = (np.arange(part.shape[1]) // period % 2).astype(np.float32)
        part[:] *= (0.75 + 0.25 * stripes)[None, :, None]
    if rng.random() < 0.4:
        part[:3] *= 0.4
        part[:, :3] *= 0.4


def add_obstacle(image: FloatArray, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Chooses a table edge or pillar before the person, drawn into `image` (H, W, 3); (H, W) true where it covers."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), bool)
    if rng.random() < 0.6:
        mask[int(rng.uniform(0.55, 0.95) * height) :] = True
    else:
        x = int(rng.uniform(-0.1, 1.0) * width)
        mask[int(rng.uniform(0, 0.8) * height) :, max(0, x) : max(0, x + width // 6)] = True
    noise = _blotches(width, height, 30, rng)
    image[mask] = np.clip(random_color(rng) + 0.03 * noise[mask], 0, 1)
    return mask


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraLook:
    """What one camera does to all its pictures."""

    gain: FloatArray
    """(3,) exposure and white balance."""
    gamma: float
    blur_px: float
    noise: float
    """Standard deviation of the sensor noise, of 1."""
    jpeg_quality: int
    """0 keeps the picture as it is."""

    def apply(self, image: FloatArray, rng: np.random.Generator) -> ImageArray:
        """(H, W, 3) of 0 to 1 as the 8-bit picture this camera delivers."""
        seen = np.clip(image * self.gain, 0, 1) ** np.float32(self.gamma)
        seen = cv2.GaussianBlur(seen, (0, 0), self.blur_px)
        # Noise from a quarter of the pixels' worth of random numbers: they cost more than the rays.
        noise = rng.standard_normal(((seen.size + 3) // 4,), np.float32)
        noise = np.resize(noise, seen.shape)
        noisy = np.clip((seen + self.noise * noise) * 255, 0, 255)
        picture: ImageArray = noisy.astype(np.uint8)
        if self.jpeg_quality == 0:
            return picture
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def make_camera_look(rng: np.random.Generator) -> CameraLook:
    """Draws a webcam: most are fair, some are bad."""
    exposure = np.exp(rng.normal(0.15, 0.22))
    return CameraLook(
        gain=(exposure * np.exp(rng.normal(0, 0.06, 3))).astype(np.float32),
        gamma=float(np.exp(rng.normal(-0.15, 0.15))),
        blur_px=float(rng.uniform(0.4, 1.6)),
        noise=float(rng.exponential(0.015)),
        jpeg_quality=int(rng.integers(35, 96)) if rng.random() < 0.7 else 0,
    )
