"""A settings file to start from: every setting with its default, explained and commented out.

All words come from the parser of the command line and all values from `LiveConfig`, so that the file
cannot say anything else than they do.
"""

import json
import textwrap
from argparse import Action, BooleanOptionalAction
from dataclasses import fields
from pathlib import Path

from realtime_vibe.app.settings import LiveConfig, allowed_values, option_name
from realtime_vibe.cli.options import PROGRAM, live_parser
from realtime_vibe.errors import OutputError

DEFAULT_NAME = "realtime-vibe.toml"

_WIDTH = 100
_EXAMPLES: dict[str, object] = {
    "max_frames": 1000,
    "record_fps": 30,
    "stream_rate": 30,
    "width": 640,
    "height": 480,
    "fps": 30,
    "person_height": 1.75,
    "distance": 2.5,
    "fov_deg": 70,
}
"""Numbers for settings that are not set by default; nothing else says what is usual."""

_HEAD = f"""\
# Settings of {PROGRAM}. Each one stands here with what happens without it; to change one, take away
# the # in front of its name.
#
# A live run does not pick this file up by itself. It reads it when it is told to:
#
#     {PROGRAM} --config %s
#
# Options on the command line beat this file."""


def write_settings_template(path: Path) -> None:
    """Writes a settings file in which everything is commented out.

    Args:
        path: a file that does not exist yet.

    Raises:
        OutputError: the file exists, or cannot be written.
    """
    content = settings_template(path.name).encode()
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise OutputError(
            f"{path} exists and is left as it is: give another name ({PROGRAM} init OTHER.toml)"
        ) from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def settings_template(name: str = DEFAULT_NAME) -> str:
    """The text of the file.

    Lines that begin with `#` and a letter are settings; explanations have a space after the `#`.

    Args:
        name: what the file will be called.
    """
    defaults = {field.name: field.default for field in fields(LiveConfig)}
    parts = [_HEAD % name]
    for title, actions in live_parser().groups():
        settings = [action for action in actions if action.dest in defaults]
        if settings:
            parts.append(f"# ---- {title} ----")
        parts += [_entry(action, defaults[action.dest]) for action in settings]
    return "\n\n".join(parts) + "\n"


def _entry(action: Action, default: object) -> str:
    help_text = (action.help or "") % {}
    value = _example(action) if default is None else default
    lines = _comment(help_text[:1].upper() + help_text[1:] + ".")
    lines += _comment(f"Allowed: {_allowed(action, value)}.")
    if default is None:
        lines += _comment("Not set by default: the value below is an example.")
    lines.append(f"#{option_name(action.dest)} = {_toml(value)}")
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    # A broken word could begin a line and look like a setting; a `#` and a space never does.
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _allowed(action: Action, value: object) -> str:
    if isinstance(action, BooleanOptionalAction):
        return "true or false"
    if action.choices is not None:
        return ", ".join(json.dumps(choice) for choice in action.choices)
    if isinstance(value, (int, float)):
        return allowed_values(action.dest)
    if isinstance(value, tuple):
        return f"{action.metavar}, or several: [{action.metavar}, {action.metavar}]"
    return str(action.metavar)


def _example(action: Action) -> object:
    if isinstance(action, BooleanOptionalAction):
        return True
    if action.const is not None:
        return action.const  # what the option means where no value is given
    if action.dest in _EXAMPLES:
        return _EXAMPLES[action.dest]
    return str(action.metavar)


def _toml(value: object) -> str:
    """Texts, truth values, numbers and lists look the same in JSON and TOML."""
    if isinstance(value, Path):
        return json.dumps(str(value))
    return json.dumps(value, ensure_ascii=False)
