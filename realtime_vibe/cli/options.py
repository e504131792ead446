"""The options of a live run, made of its settings, the keys of its windows, and what can be said before any import."""

import argparse
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Any, NoReturn

from realtime_vibe import __version__
from realtime_vibe.app.setting import Kind, option_name
from realtime_vibe.app.settings import GENERAL, OLD_NAMES, SETTINGS
from realtime_vibe.errors import one_line, without_secrets
from realtime_vibe.outputs.view.keys import key_texts


def key_table() -> str:
    """One line for each thing a key of the windows does."""
    texts = key_texts()
    width = max(map(len, texts.values()))
    return "\n".join(f"{keys:<{width}}  {text}" for text, keys in texts.items())


PROGRAM = "realtime-vibe"
EXIT_USER_ERROR = 2

_USAGE = (
    f"{PROGRAM} [CLIP ...] [options]\n"
    f"       {PROGRAM} doctor | cameras | init [FILE] | recover FILE | convert IN OUT"
)

_DESCRIPTION = """\
Turns a camera or a video into a moving SMPL body, live.

Without options: the first camera (or, where there is none, the demo clip), a window with the body and
a window with the picture."""

_EPILOG = f"""\
other commands:
  realtime-vibe doctor         what is installed, what works, a 2-second self-test; exit 0 or 1
  realtime-vibe cameras        the cameras of this machine, with the number to give to --source
  realtime-vibe init [FILE]    write a settings file to start from, every setting explained
  realtime-vibe recover FILE   make the files of a recording that was cut off from its .part file
  realtime-vibe convert IN OUT turn motion into another format: .npz, .bvh, .glb, .csv, .trc

examples:
  realtime-vibe                                        first camera, body and picture
  realtime-vibe --source 1 --mirror                    second camera, as in a mirror
  realtime-vibe dance.mp4 --view none --record dance.npz --stats dance.json
  realtime-vibe clips/*.mp4 --view none --record-dir out --record bvh,npz    out/NAME.bvh and .npz of each
  realtime-vibe --source 'shots/*.png' --fps 30 --view none --save-video shots.mkv
  realtime-vibe --vmc --web                            move an avatar, and show the body in a browser
  realtime-vibe --source street.mp4 --max-people 4     several people at once
  realtime-vibe --source rtsp://host/stream --temporal window --smooth off

keys in the windows:
{indent(key_table(), "  ")}

A settings file holds the same names: `max-frames = 100`, `source = 0`, `smooth = "off"`. The command
line beats the file. Exit codes: 0 done, 2 an error named in one line, 130 Ctrl-C, 143 SIGTERM,
129 SIGHUP."""

_LONGEST_MESSAGE = 1500
"""It repeats what was given, which may be anything."""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage text in front."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong in one line and ends the program."""
        said = one_line(without_secrets(message), _LONGEST_MESSAGE)
        self.exit(EXIT_USER_ERROR, f"{PROGRAM}: error: {said} (see {self.prog} --help)\n")


def live_parser() -> OneLineParser:
    """The parser of the live run; options that were not given are absent from its result."""
    parser = OneLineParser(
        prog=PROGRAM,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument(
        "clips",
        metavar="CLIP",
        nargs="*",
        help="what --source takes, one or several: played one after the other; a pattern of videos (*.mp4) "
        "is all of them",
    )
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, entry in SETTINGS.items():
        if entry.group not in groups:
            groups[entry.group] = parser.add_argument_group(entry.group)
        add_setting(groups[entry.group], name)
    for old, name in OLD_NAMES.items():
        add_setting(parser, name, old)
    general = groups[GENERAL]
    general.add_argument(
        "--config", metavar="FILE.toml", type=Path, help="settings from a file; same names as here"
    )
    general.add_argument("-h", "--help", action="help", help="show this text and exit")
    general.add_argument(
        "--list-keys",
        action="version",
        version=key_table(),
        help="show the keys of the windows and exit",
    )
    general.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def add_setting(target: argparse._ActionsContainer, name: str, old: str = "") -> None:
    """Adds the option of a setting, named as the field of `LiveConfig`, to a parser or one of its groups.

    Args:
        old: name of one release ago; this is added then, and not shown.
    """
    entry = SETTINGS[name]
    kind = entry.kind
    more: dict[str, Any] = {}
    if kind.is_flag:
        more["action"] = argparse.BooleanOptionalAction
    elif kind.choices is not None:
        more["choices"] = kind.choices
    else:
        more |= {"metavar": entry.metavar, "type": partial(_parsed, kind)}
        if kind.is_repeated:
            more["action"] = "append"
        if entry.bare is not None:
            more |= {"nargs": "?", "const": entry.bare}
    shown = argparse.SUPPRESS if old else entry.explanation
    target.add_argument(f"--{option_name(old or name)}", help=shown, **more)


def _parsed(kind: Kind, word: str) -> object:
    try:
        return kind.parse(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got '{word}', expected {kind.expected}") from None
