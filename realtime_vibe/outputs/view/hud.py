"""The numbers and notes written on a picture: fps, latency, state, recording, messages.

Drawn last, after any mirroring, so that the text stays readable.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from realtime_vibe.outputs.view.shading import Color
from realtime_vibe.packets import ImageArray

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT: Color = (240, 240, 240)
_DIM: Color = (178, 178, 178)
_GOOD: Color = (140, 220, 120)
_WARN: Color = (80, 190, 255)
_RED: Color = (70, 70, 245)
_PANEL_DARKNESS = 0.62
_LINE_PX = 33
"""Distance of lines at scale 1."""
_MIN_SCALE = 0.28
"""Smaller letters of OpenCV's font cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HudState:
    """What the HUD says; NaN or 0 for a rate or a latency that is not known yet shows as a dash."""

    capture_fps: float = 0.0
    """Frames a second from the source."""
    inference_fps: float = 0.0
    """Results a second from the pipeline."""
    latency_p50_ms: float = math.nan
    """Median time from grab to mesh [ms]."""
    latency_p95_ms: float = math.nan
    """95th percentile of the same [ms]."""
    dropped: int = 0
    """Frames that were replaced by newer ones before inference took them."""
    engine: str = ""
    """Engine's name."""
    backend: str = ""
    """Inference backend's name."""
    temporal: str = ""
    """`stream` or `window`."""
    track_state: str = ""
    """For example `tracking` or `searching`."""
    is_tracking: bool = False
    """Whether somebody is in view: colours `track_state`."""
    is_recording: bool = False
    """Shows a red dot."""
    recorded_s: float = 0.0
    """Length of the running recording [s]."""
    is_paused: bool = False
    """Shows PAUSED."""
    source_status: str = ""
    """Trouble of the source, for example `camera lost, reopening`; empty when all is well."""
    message: str = ""
    """A short note along the bottom."""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    color: Color


def draw_hud(image: ImageArray, state: HudState) -> None:
    """Writes `state` into `image` (H, W, 3) in place.

    Letters scale with the image. What does not fit is left out, least important last: on a tiny
    image only the first lines remain, and lines that are too wide end in dots.
    """
    height, width = image.shape[:2]
    scale = max(_MIN_SCALE, 0.5 * min(height, width) / 480.0)
    badges = _badges(state)
    _draw_panel(image, _status_lines(state), scale, at_bottom=False)
    if badges:
        _draw_badges(image, badges, scale)
    notes = [_Line(state.source_status, _WARN), _Line(state.message, _TEXT)]
    _draw_panel(image, [note for note in notes if note.text], scale, at_bottom=True)


def _status_lines(state: HudState) -> list[_Line]:
    p50, p95 = _number(state.latency_p50_ms), _number(state.latency_p95_ms)
    parts = (state.engine, state.backend, state.temporal)
    lines = [
        _Line(f"{_number(state.inference_fps)} fps", _TEXT),
        _Line(state.track_state, _GOOD if state.is_tracking else _WARN),
        _Line(f"latency {p50} ms, p95 {p95}", _TEXT),
        _Line(f"camera {_number(state.capture_fps)} fps, dropped {state.dropped}", _TEXT),
        _Line("  ".join(part for part in parts if part), _DIM),
    ]
    return [line for line in lines if line.text]


def _badges(state: HudState) -> list[_Line]:
    badges = []
    if state.is_recording:
        minutes, seconds = divmod(int(state.recorded_s), 60)
        badges.append(_Line(f"REC {minutes}:{seconds:02d}", _RED))
    if state.is_paused:
        badges.append(_Line("PAUSED", _WARN))
    return badges


def _number(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) and value > 0 else "-"


def _draw_panel(image: ImageArray, lines: list[_Line], scale: float, *, at_bottom: bool) -> None:
    """Left-aligned lines on a dark panel in the upper or lower left corner."""
    # The upper panel may take most of the height, the lower one the rest: they never overlap.
    share = 0.36 if at_bottom else 0.64
    line_px, pad = round(_LINE_PX * scale), max(2, round(12 * scale))
    room_x, room_y = image.shape[1] - 2 * pad, round(share * image.shape[0]) - pad
    lines = lines[: max(0, room_y // line_px)]
    lines = [_Line(_fitted(line.text, scale, room_x), line.color) for line in lines]
    if not any(line.text for line in lines):
        return
    width = max(_text_width(line.text, scale) for line in lines) + 2 * pad
    height = line_px * len(lines) + pad
    top = image.shape[0] - height if at_bottom else 0
    _darken(image, 0, top, width, height)
    for row, line in enumerate(lines):
        baseline = top + pad // 2 + round((row + 0.74) * line_px)
        _write(image, line, (pad, baseline), scale)


def _draw_badges(image: ImageArray, badges: list[_Line], scale: float) -> None:
    """Right-aligned badges in the upper right corner; below the panel where they would overlap."""
    line_px, pad = round(34 * scale), max(2, round(12 * scale))
    width = max(_text_width(badge.text, scale) for badge in badges) + 2 * pad + line_px
    panel_is_in_the_way = width > 0.4 * image.shape[1]
    top = min(round(5.6 * _LINE_PX * scale), image.shape[0] // 2) if panel_is_in_the_way else 0
    left = max(0, image.shape[1] - width)
    _darken(image, left, top, width, line_px * len(badges) + pad)
    for row, badge in enumerate(badges):
        middle = top + pad // 2 + round((row + 0.5) * line_px)
        dot = (left + pad + line_px // 3, middle)
        cv2.circle(image, dot, max(2, round(8 * scale)), badge.color, -1, cv2.LINE_AA)
        text_at = (left + pad + line_px, middle + round(8 * scale))
        _write(image, _Line(badge.text, _TEXT), text_at, scale)


def _darken(image: ImageArray, left: int, top: int, width: int, height: int) -> None:
    window = image[max(top, 0) : top + height, left : left + width]
    if window.size:
        window[:] = np.asarray(cv2.convertScaleAbs(window, alpha=1.0 - _PANEL_DARKNESS), np.uint8)


def _write(image: ImageArray, line: _Line, at: tuple[int, int], scale: float) -> None:
    thickness = max(1, round(1.4 * scale))
    cv2.putText(image, line.text, at, _FONT, scale, line.color, thickness, cv2.LINE_AA)


def _text_width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, max(1, round(1.4 * scale)))[0][0])


def _fitted(text: str, scale: float, room_px: int) -> str:
    """`text` in ASCII (all that OpenCV 4 can write), cut to `room_px` with two dots at the end."""
    text = text.encode("ascii", "replace").decode("ascii")
    if _text_width(text, scale) <= room_px:
        return text
    while text and _text_width(text + "..", scale) > room_px:
        text = text[:-1]
    return text + ".." if text else ""
