"""Settings files, and how a file, the command line and the defaults make one `LiveConfig`."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from realtime_vibe.app.setting import option_name
from realtime_vibe.app.settings import SETTINGS, LiveConfig, renamed, setting_names
from realtime_vibe.errors import ConfigError

_BACKSLASHES = "in double quotes a backslash begins a code: write paths in single quotes, or with /"


def read_settings_file(path: Path) -> dict[str, object]:
    """Reads a TOML file of settings.

    Args:
        path: the file; its keys are the names of the command line's options, with `-` or `_`.

    Returns:
        Checked values by field name of `LiveConfig`. Paths stay relative to the current folder.

    Raises:
        ConfigError: the file cannot be read or parsed, or one of its values is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows write a mark in front
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot read the settings file {path}: {reason}") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}{_hint(text, error)}") from error
    settings: dict[str, object] = {}
    for key, value in renamed(table).items():
        name = _field_name(key, path)
        if name in settings:
            raise ConfigError(f"{path}: '{option_name(name)}' is given twice (with - and with _)")
        try:
            _refuse_control_characters(option_name(name), value)
            settings[name] = SETTINGS[name].checked(option_name(name), value)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    return settings


def build_config(
    command_line: Mapping[str, object], settings_file: Path | None = None
) -> LiveConfig:
    """Merges the three places a setting can come from: command line, then file, then default.

    Args:
        command_line: the values the user gave, by field name of `LiveConfig`.
        settings_file: a TOML file, or None.

    Raises:
        ConfigError: a value or the file is wrong.
    """
    values = read_settings_file(settings_file) if settings_file is not None else {}
    values.update(renamed(command_line))
    return LiveConfig(**values)  # type: ignore[arg-type]  # every value is checked at run time


def _hint(text: str, error: tomllib.TOMLDecodeError) -> str:
    """What to do about a Windows path in double quotes, if that is what was not understood."""
    said = re.search(r"at line (\d+)", str(error))
    line = text.split("\n")[int(said[1]) - 1] if said else ""
    return f"; {_BACKSLASHES}" if '"' in line and "\\" in line else ""


def _refuse_control_characters(name: str, value: object) -> None:
    """A Windows path in double quotes may be valid TOML, with a line feed for its `n`."""
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if isinstance(text, str) and not text.isprintable():
            raise ConfigError(f"{name} is {text!r}: {_BACKSLASHES}")


def _field_name(key: str, path: Path) -> str:
    name = key.replace("-", "_")
    if name in SETTINGS:
        return name
    close = difflib.get_close_matches(option_name(name), setting_names(), n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    raise ConfigError(
        f"{path}: unknown setting '{key}'{hint}; expected one of {', '.join(setting_names())}"
    )
