"""What one setting is: the kind of value it takes, the words that explain it, and what holds without it.

Nothing heavy is imported here: `--help` reads it.
"""

import difflib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeGuard

from realtime_vibe.errors import ConfigError, one_line
from realtime_vibe.outputs.stream.address import parse_address
from realtime_vibe.outputs.view.background import parse_background


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of value."""

    expected: str
    """What it takes, as the end of an error message."""
    check: Callable[[Any], object]
    """From what a program or a TOML file gives to the value that is kept; ValueError refuses it."""
    parse: Callable[[str], object] = str
    """From a word of the command line to what `check` takes."""
    choices: tuple[str, ...] | None = None
    """All values there are, where they can be listed."""
    metavar: str | None = None
    """Stands for a value in `--help`, where the setting has no better word."""
    is_flag: bool = False
    """On the command line: `--name` or `--no-name`."""
    is_repeated: bool = False
    """On the command line: may be given several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a live run; its name is that of the field."""

    group: str
    """Where `--help` and the settings file list it."""
    kind: Kind
    default: Any
    """None: not set."""
    help: str
    """A phrase without a full stop."""
    metavar: str | None = None
    """Stands for the value in `--help`; None: as its kind has it."""
    otherwise: str = ""
    """What holds by default, where the default's own value does not say it."""
    bare: object = None
    """The value of the option without a value; None: it needs one."""
    example: object = None
    """For the settings file, where there is no default to show."""

    def checked(self, name: str, value: object) -> Any:
        """The value, from the command line, a settings file or a program, as it is kept.

        Raises:
            ConfigError: it has the wrong type or is out of range.
        """
        if value is None and self.default is None:
            return None
        try:
            return self.kind.check(value)
        except ValueError:
            raise ConfigError(f"{name} is {_shown(value)}, expected {self.kind.expected}") from None
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error

    @property
    def explanation(self) -> str:
        """The help, with the value of a bare option and what holds by default."""
        bare = "" if self.bare is None else f" (without a value: {self.bare})"
        default = self.otherwise or _as_text(self.default)
        return f"{self.help}{bare}" + (f" (default: {default})" if default else "")


def setting(group: str, kind: Kind, default: Any, text: str, **more: Any) -> Any:
    """A field of `LiveConfig` and all that is known of it; `more` are further fields of `Setting`."""
    more.setdefault("metavar", kind.metavar)
    entry = Setting(group=group, kind=kind, default=default, help=text, **more)
    return field(default=default, metadata={Setting: entry})


def option_name(name: str) -> str:
    """The spelling of a setting that users see: `max_frames` -> `max-frames`."""
    return name.replace("_", "-")


def unknown_setting(name: str, known: Iterable[str]) -> str:
    """What to say about a setting that is none of `known`, all spelled alike."""
    close = difflib.get_close_matches(name, names := list(known), n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return f"unknown setting '{one_line(name, 80)}'{hint}; expected one of {', '.join(names)}"


def _shown(value: object) -> str:
    try:
        return one_line(repr(value) if isinstance(value, (str, float)) else value, 120)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number of thousands of digits"


def _as_text(default: object) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, float):
        return f"{default:g}"
    return "" if default in (None, ()) else str(default)


def _text(value: object) -> str:
    """A text; `~/` is the home folder, as shells have it that never see settings files and `--source=~/..`."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return os.path.expanduser(value) if value.startswith(("~/", "~\\")) else value  # noqa: PTH111 - of texts


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number, of Python's or NumPy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a real number, of Python's, NumPy's or a fraction."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


def one_of(choices: Iterable[str]) -> Kind:
    """One of several words."""
    words = tuple(choices)

    def check(value: object) -> object:
        if value not in words:
            raise ValueError
        return value

    return Kind(expected=f"one of {', '.join(words)}", check=check, choices=words)


def several(kind: Kind) -> Kind:
    """One value of a kind or several of them, kept as a tuple."""

    def check(value: object) -> tuple[object, ...]:
        values = value if isinstance(value, (list, tuple)) else [value]
        return tuple(map(kind.check, values))

    return replace(kind, check=check, is_repeated=True)


def whole_number(low: int, high: float, metavar: str, expected: str) -> Kind:
    """A whole number, both ends included."""

    def check(value: object) -> int:
        if not _is_whole(value) or not low <= value <= high:
            raise ValueError
        return int(value)

    return Kind(expected=expected, check=check, parse=int, metavar=metavar)


def number(low: float, high: float, metavar: str = "", expected: str = "") -> Kind:
    """A finite number, both ends included."""

    def check(value: object) -> float:
        if not _is_number(value) or not low <= value <= high:  # not a number is in no range
            raise ValueError
        return float(value)

    expected = expected or f"a number from {low:g} to {high:g}"
    return Kind(expected=expected, check=check, parse=float, metavar=metavar)


TEXT = Kind(expected="text that is not empty", check=_text)
FLAG = Kind(expected="true or false", check=_flag, is_flag=True)
COUNT = whole_number(1, 2**31 - 1, "N", "a whole number of 1 or more, below 2^31")
PATH = Kind(expected="the path of a file", check=_path)
PATHS = several(PATH)
PORT = whole_number(1, 65535, "PORT", "a port from 1 to 65535, such as 8765")


def _source(value: object) -> str:
    if _is_whole(value) and value >= 0:
        return str(int(value))  # `source = 0` in a file means the first camera
    if isinstance(value, Path):
        return str(value)
    return _text(value)


def _smooth(value: object) -> object:
    return 0.0 if value == "off" else _SHARE.check(value)


def _smooth_word(word: str) -> float | str:
    return word if word == "off" else float(word)


def _background(value: object) -> str:
    parse_background(value if isinstance(value, str) else "")  # whose error lists what it takes
    return str(value).strip().lower()


def _rotation(value: object) -> int:
    if str(value) not in (ROTATION.choices or ()):
        raise ValueError
    return int(str(value))


def address(default_port: int) -> Kind:
    """`HOST` or `HOST:PORT`, completed by the default port."""
    return Kind(
        expected="HOST or HOST:PORT",
        check=lambda value: str(parse_address(_text(value), default_port=default_port)),
    )


_SHARE = number(0.0, 1.0)
SMOOTH = Kind(expected="off or a number from 0 to 1", check=_smooth, parse=_smooth_word)
ROTATION = Kind(expected="0, 90, 180 or 270", check=_rotation, choices=("0", "90", "180", "270"))
SOURCE = Kind(expected="auto, a camera number, ask, a path, a URL or synthetic", check=_source)
PIXELS = replace(COUNT, metavar="PX")
PICTURE_HEIGHT = replace(
    PIXELS,
    expected=f"{COUNT.expected} pixels; how tall the person is goes into --person-height",
)
BACKGROUND = Kind(
    expected="default, green, black, transparent or #rrggbb such as '#ff00ff' (quote it)",
    check=_background,
)
