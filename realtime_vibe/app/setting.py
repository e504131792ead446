"""What one setting is: the value it takes, the words that explain it, and what holds without it.

Nothing heavy is imported here: `--help` reads it.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from realtime_vibe.errors import ConfigError, one_line


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
