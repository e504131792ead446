"""A settings file to start from: every setting with its default, explained and commented out.

Everything comes from `app.settings`, so that the file cannot say anything else than the command line.
"""

import json
import textwrap
from itertools import groupby
from pathlib import Path

from realtime_vibe.app.setting import Setting, option_name
from realtime_vibe.app.settings import SETTINGS
from realtime_vibe.cli.options import PROGRAM
from realtime_vibe.errors import OutputError, one_line
from realtime_vibe.system.file_boundary import file_boundary

DEFAULT_NAME = "realtime-vibe.toml"

_WIDTH = 100
_HEAD = f"""\
# Settings of {PROGRAM}. Each one stands here with what happens without it; to change one, take away
# the # in front of its name.
#
# A live run does not pick this file up by itself. Name it to have it read:
#
#     {PROGRAM} --config %s
#
# Options on the command line beat this file."""


def write_settings_template(path: Path) -> None:
    """Writes a settings file, which must not exist yet, in which everything is commented out.

    Raises:
        OutputError: the file exists, or cannot be written.
    """
    content = settings_template(one_line(path.name)).encode()
    advice = f"give another name ({PROGRAM} init OTHER.toml)"
    with file_boundary(path, OutputError, advice, fault="cannot be written"):
        if path.exists():
            raise OutputError(f"exists and is left as it is: {advice}")
        with path.open("xb") as file:
            file.write(content)


def settings_template(name: str = DEFAULT_NAME) -> str:
    """The text of a settings file that will be called `name`.

    Lines that begin with `#` and a letter are settings; explanations have a space after the `#`.
    """
    parts = [_HEAD % name]
    for group, entries in groupby(SETTINGS.items(), key=lambda item: item[1].group):
        parts.append(f"# ---- {group} ----")
        parts += [_entry(name, entry) for name, entry in entries]
    return "\n\n".join(parts) + "\n"


def _entry(name: str, entry: Setting) -> str:
    is_unset = entry.default is None or (entry.default == () and entry.bare is not None)
    value = _example(entry) if is_unset else entry.default
    lines = _comment(entry.explanation[:1].upper() + entry.explanation[1:] + ".")
    lines += _comment(f"Allowed: {_allowed(entry, value)}.")
    if is_unset:
        lines += _comment("Not set by default: the value below is an example.")
    lines.append(f"#{option_name(name)} = {json.dumps(value, ensure_ascii=False)}")  # as in TOML
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


def _allowed(entry: Setting, value: object) -> str:
    if entry.kind.choices is not None:
        return ", ".join(json.dumps(choice) for choice in entry.kind.choices)
    if isinstance(value, (bool, int, float)):
        return entry.kind.expected
    if entry.kind.is_repeated:
        return f"{entry.metavar}, or several: [{entry.metavar}, {entry.metavar}]"
    return str(entry.metavar)


def _example(entry: Setting) -> object:
    if entry.kind.is_flag:
        return True
    return entry.bare or entry.example or entry.metavar
