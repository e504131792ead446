"""What is behind the bodies: the usual floor, one colour to key out, or nothing."""

import re
from dataclasses import dataclass

from realtime_vibe.errors import ConfigError

Bgr = tuple[int, int, int]
"""Blue, green, red."""

TRANSPARENT = "transparent"
NAMED_COLORS: dict[str, Bgr] = {"green": (0, 255, 0), "black": (0, 0, 0)}
"""Colours (blue, green, red) that have a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is behind the bodies."""

    color: Bgr | None = None
    """One colour (blue, green, red) without floor, shadow or text; None for the usual floor."""
    is_transparent: bool = False
    """Snapshots show the bodies alone; windows and videos, which cannot, the usual floor."""


DEFAULT_BACKGROUND = Background()


def parse_background(text: str) -> Background:
    """Reads `default`, `green`, `black`, `#rrggbb` or `transparent`.

    Raises:
        ConfigError: anything else.
    """
    word = text.strip().lower()
    if word == "default":
        return DEFAULT_BACKGROUND
    if word == TRANSPARENT:
        return Background(is_transparent=True)
    if word in NAMED_COLORS:
        return Background(color=NAMED_COLORS[word])
    if re.fullmatch(r"#[0-9a-f]{6}", word):
        red, green, blue = bytes.fromhex(word[1:])
        return Background(color=(blue, green, red))
    raise ConfigError(
        f"'{text}' is no background: expected default, green, black, transparent or #rrggbb "
        "such as '#ff00ff' (quote it in a shell)"
    )
