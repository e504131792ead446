"""A frame's number written into its picture, readable from a screen.

    magenta | 16 bits, lowest first | 6 check bits | green

Square cells along the lower edge on the right, where neither the HUD nor, as a rule, a person is. The
coloured ends say where the code is and how large, so it may be moved, scaled and compressed; black and
white between them are distinguished by their own extremes.
"""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_vibe.packets import ImageArray

NUM_BITS, NUM_CHECK_BITS = 16, 6
MAX_NUMBER = (1 << NUM_BITS) - 1
_NUM_CELLS = NUM_BITS + NUM_CHECK_BITS + 2
_SHARE_OF_WIDTH = 0.6
_MAGENTA, _GREEN = (255, 0, 255), (0, 255, 0)
_FEWEST_END_PX = 9
_LEAST_CONTRAST = 60
"""Grey levels between the darkest and the brightest cell; every number has both kinds."""


class CodePlace(NamedTuple):
    """A code's outline in a picture [px]; right and bottom are beyond it."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCode:
    """A code that was read."""

    number: int
    place: CodePlace


def stamp(image: NDArray[np.uint8], number: int) -> None:
    """Writes a number from 0 to `MAX_NUMBER` into a picture (H, W, 3) BGR.

    Raises:
        ValueError: the number does not fit.
    """
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"frame number is {number}, expected 0 to {MAX_NUMBER}")
    height, width = image.shape[:2]
    cell = max(1, int(_SHARE_OF_WIDTH * width / _NUM_CELLS))
    bits = np.repeat(_bits(number), cell).astype(np.uint8) * np.uint8(255)
    band = image[height - cell :, width - _NUM_CELLS * cell :]
    band[:, :cell] = _MAGENTA
    band[:, cell:-cell] = bits[:, None]
    band[:, -cell:] = _GREEN


def height_px(width: int) -> int:
    """How many rows the code takes of a picture of that width."""
    return max(1, int(_SHARE_OF_WIDTH * width / _NUM_CELLS))


def find(image: ImageArray) -> FoundCode | None:
    """Looks for a code anywhere in a picture (H, W, 3) BGR; None where there is none."""
    blue, green, red = (image[..., channel].astype(np.int16) for channel in range(3))
    starts = _blobs(np.minimum(blue, red) - green > 80)
    ends = _blobs(green - np.maximum(blue, red) > 80)
    for start, end in product(starts, ends):
        place = CodePlace(
            start.left, min(start.top, end.top), end.right, max(start.bottom, end.bottom)
        )
        cell = (place.right - place.left) / _NUM_CELLS
        is_square = 0.5 * cell < place.bottom - place.top < 2.0 * cell
        number = read(image, place) if is_square else None
        if number is not None:
            return FoundCode(number=number, place=place)
    return None


def read(image: ImageArray, place: CodePlace) -> int | None:
    """Reads the code at a known place; None where there is none or its check bits disagree."""
    num_rows = place.bottom - place.top
    band = image[place.top + num_rows // 4 : place.bottom - num_rows // 4, place.left : place.right]
    if band.shape[0] < 1 or band.shape[1] < 2 * _NUM_CELLS:
        return None
    profile = band.mean(axis=(0, 2))
    cell = profile.size / _NUM_CELLS
    # The middle half of every cell: scaling mixes neighbours at their border.
    levels = np.array(
        [
            profile[
                round((at + 0.25) * cell) : max(
                    round((at + 0.75) * cell), round((at + 0.25) * cell) + 1
                )
            ].mean()
            for at in range(1, _NUM_CELLS - 1)
        ]
    )
    if np.ptp(levels) < _LEAST_CONTRAST:
        return None
    bits = levels > 0.5 * (levels.min() + levels.max())
    number = int(sum(1 << place for place in range(NUM_BITS) if bits[place]))
    return number if np.array_equal(bits, _bits(number)) else None


def _bits(number: int) -> NDArray[np.bool_]:
    # The complement of a spread-out product: 0 has white cells and no number is all white.
    check = ~(number * 40_503 >> 7) & ((1 << NUM_CHECK_BITS) - 1)
    whole = number | check << NUM_BITS
    return np.array([bool(whole >> place & 1) for place in range(NUM_BITS + NUM_CHECK_BITS)])


def _blobs(mask: NDArray[np.bool_]) -> list[CodePlace]:
    """Outlines of what is large enough, largest first."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    found = sorted(stats[1:].tolist(), key=lambda row: -int(row[cv2.CC_STAT_AREA]))
    return [
        CodePlace(left, top, left + width, top + height)
        for left, top, width, height, area in found[:20]
        if area >= _FEWEST_END_PX
    ]
