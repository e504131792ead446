"""What the keys do: one table for both windows."""

from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """What a user asks for with a key or by closing a window."""

    QUIT = "quit"
    PAUSE = "pause"
    RECORD = "record"
    MIRROR = "mirror"
    HUD = "hud"
    RESET_VIEW = "reset view"
    SCREENSHOT = "screenshot"
    RESET_SHAPE = "reset body shape"
    CALIBRATE = "calibrate"
    LOCK_1 = "lock onto person 1"
    LOCK_2 = "lock onto person 2"
    LOCK_3 = "lock onto person 3"
    LOCK_4 = "lock onto person 4"
    LOCK_5 = "lock onto person 5"
    LOCK_6 = "lock onto person 6"
    LOCK_7 = "lock onto person 7"
    LOCK_8 = "lock onto person 8"
    LOCK_9 = "lock onto person 9"
    RELEASE = "release the person"


PERSON_NUMBERS = {Action[f"LOCK_{number}"]: number for number in range(1, 10)}
"""Which person from the left an action asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBinding:
    """A key and what it does."""

    label: str
    """As written in the help."""
    character: int
    """ASCII code that OpenCV reports; letters in lower case."""
    glfw_code: int
    """Key code that Open3D (GLFW) reports."""
    action: Action


_KEY_TEXTS = {
    Action.PAUSE: "pause, and go on",
    Action.RECORD: "start or end a recording",
    Action.MIRROR: "show a mirror's picture, or not",
    Action.HUD: "help, then details, then no text",
    Action.SCREENSHOT: "save a screenshot",
    Action.RESET_VIEW: "reset the 3D view",
    Action.RESET_SHAPE: "forget the body's shape",
    Action.CALIBRATE: "calibrate: stand still",
    Action.RELEASE: "release that person",
    **dict.fromkeys(PERSON_NUMBERS, "avatars follow the n-th person from the left"),
}
"""What a key does, where the action's own name is too short to be understood."""


def _letter(letter: str, action: Action) -> KeyBinding:
    return KeyBinding(
        label=letter, character=ord(letter), glfw_code=ord(letter.upper()), action=action
    )


KEY_BINDINGS: tuple[KeyBinding, ...] = (
    _letter("q", Action.QUIT),
    KeyBinding(label="Esc", character=27, glfw_code=256, action=Action.QUIT),
    KeyBinding(label="space", character=32, glfw_code=32, action=Action.PAUSE),
    _letter("r", Action.RECORD),
    _letter("m", Action.MIRROR),
    _letter("h", Action.HUD),
    _letter("v", Action.RESET_VIEW),
    _letter("s", Action.SCREENSHOT),
    _letter("b", Action.RESET_SHAPE),
    _letter("c", Action.CALIBRATE),
    *(
        KeyBinding(label="1-9", character=code, glfw_code=code, action=action)
        for code, action in zip(b"123456789", PERSON_NUMBERS, strict=True)
    ),
    _letter("0", Action.RELEASE),
)
"""Every key, in the order of the help."""


def key_texts() -> dict[str, str]:
    """What the keys do, one entry each thing: `{"quit": "q, Esc"}`, in the order of the help."""
    labels: dict[str, dict[str, None]] = {}  # the inner dict: labels once each, in order
    for binding in KEY_BINDINGS:
        text = _KEY_TEXTS.get(binding.action, binding.action.value)
        labels.setdefault(text, {})[binding.label] = None
    return {text: ", ".join(keys) for text, keys in labels.items()}


_ACTION_OF_CHARACTER = {binding.character: binding.action for binding in KEY_BINDINGS}


def action_of_character(code: int) -> Action | None:
    """The action for a code of `cv2.waitKeyEx`; None for no key (-1) and for other keys.

    Upper-case letters count as lower-case ones. Arrow and function keys carry bits above the low
    byte (left is 0xFF51, and 0x51 alone would be Q), so codes with any of bits 8-15 are ignored;
    the bits above are the state of Num Lock and Caps Lock on some systems.
    """
    if code < 0 or code & 0xFF00:
        return None
    character = code & 0xFF
    if ord("A") <= character <= ord("Z"):
        character += 32
    return _ACTION_OF_CHARACTER.get(character)
