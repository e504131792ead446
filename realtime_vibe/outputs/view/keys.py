"""What the keys do: one table for both windows."""

from enum import Enum


class Action(Enum):
    """What a user asks for with a key, which is the value, or by closing a window."""

    QUIT = "q"
    PAUSE = " "
    RECORD = "r"
    MIRROR = "m"
    HUD = "h"
    RESET_VIEW = "v"
    SCREENSHOT = "s"
    RESET_SHAPE = "b"
    CALIBRATE = "c"
    LOCK_1 = "1"
    LOCK_2 = "2"
    LOCK_3 = "3"
    LOCK_4 = "4"
    LOCK_5 = "5"
    LOCK_6 = "6"
    LOCK_7 = "7"
    LOCK_8 = "8"
    LOCK_9 = "9"
    RELEASE = "0"


PERSON_NUMBERS = {Action[f"LOCK_{number}"]: number for number in range(1, 10)}
"""Which person from the left an action asks for."""

_ESCAPE, _GLFW_ESCAPE = "\x1b", 256

KEYS = {"q": Action.QUIT, _ESCAPE: Action.QUIT} | {action.value: action for action in Action}
"""Every key by its character, letters in lower case, in the order of the help."""

_LABELS = {_ESCAPE: "Esc", " ": "space"} | dict.fromkeys("123456789", "1-9")

_TEXTS = {
    Action.QUIT: "quit",
    Action.PAUSE: "pause, and go on",
    Action.RECORD: "start or end a recording",
    Action.MIRROR: "show a mirror's picture, or not",
    Action.HUD: "help, then details, then no text",
    Action.RESET_VIEW: "reset the 3D view",
    Action.SCREENSHOT: "save a screenshot",
    Action.RESET_SHAPE: "forget the body's shape",
    Action.CALIBRATE: "calibrate: stand still",
    **dict.fromkeys(PERSON_NUMBERS, "avatars follow the n-th person from the left"),
    Action.RELEASE: "release that person",
}


def key_texts() -> dict[str, str]:
    """What the keys do, one entry each thing: `{"quit": "q, Esc"}`, in the order of the help."""
    labels: dict[str, dict[str, None]] = {}  # the inner dict: labels once each, in order
    for key, action in KEYS.items():
        labels.setdefault(_TEXTS[action], {})[_LABELS.get(key, key)] = None
    return {text: ", ".join(keys) for text, keys in labels.items()}


def glfw_code(key: str) -> int:
    """The number by which Open3D (GLFW) reports a key of `KEYS`."""
    return _GLFW_ESCAPE if key == _ESCAPE else ord(key.upper())


def action_of_character(code: int) -> Action | None:
    """The action for a code of `cv2.waitKeyEx`; None for no key (-1) and for other keys.

    Upper-case letters count as lower-case ones. Arrow and function keys carry bits above the low
    byte (left is 0xFF51, and 0x51 alone would be Q), so codes with any of bits 8-15 are ignored;
    the bits above are the state of Num Lock and Caps Lock on some systems.
    """
    if code < 0 or code & 0xFF00:
        return None
    return KEYS.get(chr(code & 0xFF).lower())
