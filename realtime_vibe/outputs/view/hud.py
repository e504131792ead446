"""The text on the preview: what a user wants to know, the keys, or the numbers behind it all.

Drawn last, after any mirroring and at the window's resolution, so that the text stays readable.
"""

import math
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from realtime_vibe.outputs.view.keys import key_texts
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
_MIN_SCALE = 0.45
"""Smaller letters cannot be read: these are 15 px from line to line."""


class HudLevel(Enum):
    """How much is written; the h key goes through them."""

    BRIEF = "rate, people, recording"
    KEYS = "what the keys do"
    DETAILS = "latencies, rates, engine"
    HIDDEN = "nothing"

    @property
    def following(self) -> "HudLevel":
        """The level after the next press of h."""
        levels = list(HudLevel)
        return levels[(levels.index(self) + 1) % len(levels)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HudState:
    """What the HUD can say; NaN or 0 for a rate or a latency that is not known yet shows as a dash."""

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
    num_people: int = 0
    """How many people are in view."""
    setup_state: str = ""
    """A few words about the camera's levelling and calibration; empty writes nothing."""
    is_recording: bool = False
    """Shows REC and the length."""
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
    color: Color = _TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class HudText:
    """What is written: two that are equal look the same."""

    lines: tuple[_Line, ...] = ()
    """In the upper left corner."""
    notes: tuple[_Line, ...] = ()
    """Along the bottom."""


def hud_text(state: HudState, level: HudLevel = HudLevel.BRIEF) -> HudText:
    """What to write of `state`: trouble, notes and recording at every level but HIDDEN."""
    if level is HudLevel.HIDDEN:
        return HudText()
    minutes, seconds = divmod(int(state.recorded_s), 60)
    lines = [
        _people(state.num_people),
        _Line(f"REC {minutes}:{seconds:02d}" if state.is_recording else "", _RED),
        _Line("PAUSED" if state.is_paused else "", _WARN),
        _Line(state.setup_state, _DIM),
        _Line(f"{_number(state.inference_fps, 0)} fps   h: help", _DIM),
    ]
    if level is HudLevel.KEYS:
        lines += [_Line(f"{keys}: {text}") for text, keys in key_texts().items()]
    if level is HudLevel.DETAILS:
        lines += _details(state)
    notes = (_Line(state.source_status, _WARN), _Line(state.message))
    return HudText(
        lines=tuple(line for line in lines if line.text),
        notes=tuple(note for note in notes if note.text),
    )


def draw_hud(image: ImageArray, text: HudText) -> None:
    """Writes `text` into `image` (H, W, 3) in place.

    Letters grow with the image and are never too small to be read. What does not fit is left out,
    least important last: on a tiny image only the first lines remain, and lines that are too wide
    end in dots.
    """
    # The upper panel may take most of the height, the lower one the rest: they never overlap.
    _draw_panel(image, text.lines, 0.8, at_bottom=False)
    _draw_panel(image, text.notes, 0.2, at_bottom=True)


def _people(count: int) -> _Line:
    if count == 0:
        return _Line("nobody in view", _WARN)
    return _Line("person found" if count == 1 else f"{count} people found", _GOOD)


def _details(state: HudState) -> list[_Line]:
    p50, p95 = _number(state.latency_p50_ms), _number(state.latency_p95_ms)
    parts = (state.engine, state.backend, state.temporal)
    return [
        _Line(f"latency {p50} ms, p95 {p95}"),
        _Line(
            f"camera {_number(state.capture_fps)} fps, motion {_number(state.inference_fps)} fps, "
            f"dropped {state.dropped}"
        ),
        _Line("  ".join(part for part in parts if part), _DIM),
    ]


def _number(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) and value > 0 else "-"


def _draw_panel(
    image: ImageArray, lines: tuple[_Line, ...], share: float, *, at_bottom: bool
) -> None:
    """Left-aligned lines on a dark panel in the upper or lower left corner, by a share of the height at most."""
    scale = max(_MIN_SCALE, 0.5 * min(image.shape[:2]) / 480.0)
    thickness = max(1, round(1.4 * scale))
    line_px, pad = round(_LINE_PX * scale), max(2, round(12 * scale))
    room_x, room_y = image.shape[1] - 2 * pad, round(share * image.shape[0]) - pad
    lines = lines[: max(0, room_y // line_px)]
    texts = [_fitted(line.text, scale, thickness, room_x) for line in lines]
    if not any(texts):
        return
    width = max(_text_width(text, scale, thickness) for text in texts) + 2 * pad
    height = line_px * len(lines) + pad
    top = image.shape[0] - height if at_bottom else 0
    panel = image[top : top + height, :width]
    panel[:] = np.asarray(cv2.convertScaleAbs(panel, alpha=1.0 - _PANEL_DARKNESS), np.uint8)
    for row, (line, text) in enumerate(zip(lines, texts, strict=True)):
        baseline = top + pad // 2 + round((row + 0.74) * line_px)
        cv2.putText(image, text, (pad, baseline), _FONT, scale, line.color, thickness, cv2.LINE_AA)


def _text_width(text: str, scale: float, thickness: int) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, thickness)[0][0])


def _fitted(text: str, scale: float, thickness: int, room_px: int) -> str:
    """`text` in ASCII (all that OpenCV 4 can write), cut to `room_px` with two dots at the end."""
    text = text.encode("ascii", "replace").decode("ascii")
    if _text_width(text, scale, thickness) <= room_px:
        return text
    while text and _text_width(text + "..", scale, thickness) > room_px:
        text = text[:-1]
    return text + ".." if text else ""
