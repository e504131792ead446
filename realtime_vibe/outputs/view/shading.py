"""Light: how bright each vertex of a mesh looks.

V vertices. All in the frame of the camera that looks (OpenCV: x right, y down, z forward).
"""

from functools import cache

import numpy as np

from realtime_vibe.packets import FloatArray, ImageArray, PersonResult

_LIGHTS = np.array([[-0.60, -0.62, -0.50], [0.95, -0.05, -0.25]], np.float32)
"""Directions towards a key light (above, left) and a fill light (right), both on the viewer's side."""
_STRENGTHS = np.array([0.74, 0.20], np.float32)
_AMBIENT = 0.14

Color = tuple[int, int, int]
"""Blue, green, red in 0..255."""

_PERSON_COLORS: tuple[Color, ...] = (
    (214, 174, 132),  # steel blue
    (160, 196, 128),  # sage green
    (206, 150, 182),  # mauve
    (120, 190, 222),  # ochre
)


def color_of(person: PersonResult) -> Color:
    """The base colour of a person: people take them in turn by their track id."""
    return _PERSON_COLORS[person.person.track_id % len(_PERSON_COLORS)]


@cache
def color_ramp(color: Color) -> ImageArray:
    """(256, 3) uint8 BGR from a cool, deep shadow (0) over `color` (about 170) to a highlight (255).

    A ramp instead of plain multiplication keeps shadows from turning grey-black, so limbs stay apart
    from one another on a dark picture.
    """
    base = np.array(color, np.float32)
    stops = np.array([0, 170, 255], np.float32)
    colors = np.stack([base * 0.30 + (14, 6, 4), base, 0.45 * base + 0.55 * 255.0])
    shades = np.arange(256, dtype=np.float32)
    ramp = np.stack([np.interp(shades, stops, colors[:, c]) for c in range(3)], axis=1)
    return np.clip(np.rint(ramp), 0, 255).astype(np.uint8)


def lambert_shades(normals: FloatArray) -> FloatArray:
    """Brightness (V,) in [0, 255] of unit normals (3, V) under two fixed lights and ambient light."""
    directions = _LIGHTS / np.linalg.norm(_LIGHTS, axis=1, keepdims=True)
    lit = _STRENGTHS @ np.maximum(directions @ normals, 0.0) + _AMBIENT
    return np.asarray(np.minimum(lit, 1.0) * 255.0, np.float32)
