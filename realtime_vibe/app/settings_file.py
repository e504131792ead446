"""Settings files, and how a file, the command line and the defaults make one `LiveConfig`."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from realtime_vibe.app.setting import option_name, unknown_setting
from realtime_vibe.app.settings import SETTINGS, LiveConfig, renamed, setting_names
from realtime_vibe.errors import ConfigError, one_line
from realtime_vibe.system.file_boundary import file_boundary, read_regular

_MAX_BYTES = 1 << 20
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_BACKSLASHES = "in double quotes a backslash begins a code: write paths in single quotes, or with /"


def read_settings_file(path: Path) -> dict[str, object]:
    """Reads a TOML file of settings, named as the options of the command line, with `-` or `_`.

    Gives checked values by field name of `LiveConfig`. Paths stay relative to the current folder.

    Raises:
        ConfigError: the file cannot be read or parsed, or one of its values is wrong.
    """
    settings: dict[str, object] = {}
    with file_boundary(path, ConfigError, "expected settings in TOML, as `init` writes them"):
        data = read_regular(path, _MAX_BYTES)
        # Editors on Windows write a mark in front, and PowerShell's > two bytes a letter.
        text = data.decode("utf-16" if data.startswith(_UTF16_MARKS) else "utf-8-sig")
        for key, value in renamed(_table(text)).items():
            name = _field_name(key)
            if name in settings:
                raise ConfigError(f"'{option_name(name)}' is given twice (with - and with _)")
            _refuse_control_characters(option_name(name), value)
            settings[name] = SETTINGS[name].checked(option_name(name), value)
    return settings


def build_config(
    command_line: Mapping[str, object], settings_file: Path | None = None
) -> LiveConfig:
    """Merges command line, then TOML file, then defaults, by field name of `LiveConfig`.

    Raises:
        ConfigError: a value or the file is wrong.
    """
    values = read_settings_file(settings_file) if settings_file is not None else {}
    values.update(renamed(command_line))
    return LiveConfig(**values)  # type: ignore[arg-type]  # every value is checked at run time


def _table(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}{_hint(text, error)}") from error


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
            raise ConfigError(f"{name} is '{one_line(text, 120)}': {_BACKSLASHES}")


def _field_name(key: str) -> str:
    name = key.replace("-", "_")
    if name in SETTINGS:
        return name
    raise ConfigError(unknown_setting(option_name(name), setting_names()))
