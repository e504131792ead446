"""The shape of pictures as they should be seen, which OpenCV's FFmpeg captures do not tell.

OpenCV scales every picture of a film to the size of the first, ignores that pixels may not be square,
and reports neither. Sizes that change on the way (a turned phone, joined films) are therefore read
from the packets of key frames, by a second capture of the same medium that decodes nothing.
"""

import io
import re
from collections import deque
from dataclasses import dataclass
from typing import Self

import cv2

from realtime_vibe.packets import ImageArray
from realtime_vibe.sources.film_opening import open_contained
from realtime_vibe.sources.opencv import MAX_FILM_PIXELS

LIKELY_ASPECTS = (0.25, 4.0)  # what lies outside is a damaged header, not a picture
SQUARE_WITHIN = 0.005
QUARTER_TURN_DEG = 90
# What begins a description of the picture in H.264 (SPS), HEVC (SPS) and MPEG-1/2 (sequence header).
DESCRIPTION = re.compile(rb"\x00\x00\x01([\x07\x27\x47\x67\x42\xb3].*?)(?=\x00\x00\x01)", re.DOTALL)
DESCRIBED_BYTES = 4096
VP8_KEY = b"\x9d\x01\x2a"
VP9_KEY = b"\x49\x83\x42"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureShape:
    """Size of stored pictures and the shape of their pixels."""

    width: int
    """[px], as stored."""
    height: int
    """[px], as stored."""
    pixel_aspect: float = 1.0
    """Width of a pixel over its height, as stored."""

    @classmethod
    def of(cls, capture: cv2.VideoCapture) -> Self:
        """What an open capture says about its first picture."""
        numerator = capture.get(cv2.CAP_PROP_SAR_NUM)
        denominator = capture.get(cv2.CAP_PROP_SAR_DEN)
        aspect = numerator / denominator if numerator > 0 and denominator > 0 else 1.0
        low, high = LIKELY_ASPECTS
        width, height = (
            int(capture.get(name)) for name in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if is_turned(capture):
            width, height = height, width
        return cls(
            width=width, height=height, pixel_aspect=aspect if low <= aspect <= high else 1.0
        )

    def shown(self, *, turned: bool = False) -> tuple[int, int]:
        """(width, height) [px] with square pixels, enlarged along a pixel's longer side; `turned` by a quarter."""
        width, height = float(self.width), float(self.height)
        if abs(self.pixel_aspect - 1.0) > SQUARE_WITHIN:
            width *= max(self.pixel_aspect, 1.0)
            height /= min(self.pixel_aspect, 1.0)
        size = (max(1, round(width)), max(1, round(height)))
        return size[::-1] if turned else size


def is_turned(capture: cv2.VideoCapture) -> bool:
    """Whether OpenCV turns the pictures of `capture` by a quarter."""
    angle_deg = int(capture.get(cv2.CAP_PROP_ORIENTATION_META))
    return angle_deg % (2 * QUARTER_TURN_DEG) == QUARTER_TURN_DEG


def scaled_to(image: ImageArray, size: tuple[int, int]) -> ImageArray:
    """`image` with the given (width, height) [px]; itself where it has it, or no film can have it."""
    if image.shape[1::-1] == size or size[0] * size[1] > MAX_FILM_PIXELS:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]  # uint8 stays


class ShapeWatch:
    """Tells the shape of each picture of a film.

    Args:
        packets: a capture of the same medium, nothing grabbed yet; closed by `close`.
        ahead: packets to read ahead of the decoder. It finds changes where pictures were lost
            unnoticed; what comes live through a pipe is not there yet, and takes 0.
    """

    def __init__(self, packets: cv2.VideoCapture, first: PictureShape, *, ahead: int) -> None:
        self._ahead = ahead
        packets.set(cv2.CAP_PROP_FORMAT, -1)  # encoded packets instead of pictures
        self._packets: cv2.VideoCapture | None = packets
        self._shape = self._newest = first
        self._description = b""
        self._count = 0
        self._changes: deque[tuple[int, float, PictureShape]] = deque()
        self._last_ms = float("inf")

    def shape_of(self, index: int, position_ms: float) -> PictureShape:
        """The shape of a picture; pictures are asked for in order.

        Args:
            index: how many pictures could be or should have been decoded before it.
            position_ms: where the container places it. Where pictures were lost unnoticed, a change
                is found by it before its index has come.
        """
        while self._packets is not None and self._count <= index + self._ahead:
            self._read(self._packets)
        while self._changes:
            at_index, at_ms, shape = self._changes[0]
            if index < at_index and not self._last_ms < at_ms <= position_ms:
                break
            self._shape = shape
            self._changes.popleft()
        self._last_ms = position_ms
        return self._shape

    def close(self) -> None:
        """Releases the second capture; the last shape holds from now on."""
        if self._packets is not None:
            self._packets.release()
            self._packets = None

    def _read(self, packets: cv2.VideoCapture) -> None:
        if not packets.grab():
            self.close()
            return
        if packets.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) > 0:
            got, packet = packets.retrieve()
            shape = self._described(packet.tobytes()) if got else None
            if shape is not None and shape != self._newest:
                self._newest = shape
                self._changes.append((self._count, packets.get(cv2.CAP_PROP_POS_MSEC), shape))
        self._count += 1

    def _described(self, packet: bytes) -> PictureShape | None:
        """The shape that a key frame's packet tells; None where it says nothing new."""
        size = vpx_size(packet)
        if size is not None:
            aspect = self._newest.pixel_aspect
            return PictureShape(width=size[0], height=size[1], pixel_aspect=aspect)
        found = DESCRIPTION.search(packet[:DESCRIBED_BYTES])
        if found is None or found[1] == self._description:
            return None
        is_first, self._description = not self._description, found[1]
        if is_first and self._count == 0:
            return None  # what the container says is what players show
        # Never released by hand: OpenCV 5.1 then lets go of the Python object without holding the
        # interpreter's lock, and crashes.
        probe = open_contained(io.BytesIO(packet))
        return PictureShape.of(probe) if probe.isOpened() else None


def vpx_size(packet: bytes) -> tuple[int, int] | None:
    """(width, height) [px] of a VP8 or VP9 (profile 0) key frame; None for what is neither."""
    if packet[3:6] == VP8_KEY and len(packet) >= 10:
        width, height = (int.from_bytes(packet[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        return width, height
    if packet[1:4] == VP9_KEY and packet[:1] == b"\x82" and len(packet) >= 9:
        bits = int.from_bytes(packet[4:9], "big")  # 3 colour space, 1 range, 16 + 16 size, 4 more
        return (bits >> 20 & 0xFFFF) + 1, (bits >> 4 & 0xFFFF) + 1
    return None
