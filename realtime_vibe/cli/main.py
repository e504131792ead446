"""The command line: words in, exit code out.

Exit codes: 0 done, 1 a bug (its trace is kept) or a doctor that found a fault, 2 an error the user
can fix (one line on stderr), 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP. Nothing heavy is imported until
it is known what to do, so that `--help` answers at once and `doctor` works where little is installed.
"""

import argparse
import difflib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from realtime_vibe.app.settings import ASK
from realtime_vibe.app.settings_file import build_config
from realtime_vibe.cli.options import (
    EXIT_USER_ERROR,
    PROGRAM,
    OneLineParser,
    add_setting,
    live_parser,
)
from realtime_vibe.errors import RealtimeVibeError, one_line, without_secrets
from realtime_vibe.system.signals import EndingSignals, Interrupted
from realtime_vibe.system.standard_streams import LenientStream, make_lenient, silence_libraries
from realtime_vibe.system.threads import is_any_worker_running

if TYPE_CHECKING:
    from realtime_vibe.app.convert import ConvertSettings

EXIT_OK = 0
EXIT_BUG = 1
EXIT_INTERRUPTED = 130
_LONGEST_LINE = 4000
_MOST_PIXELS = "90000000"
"""Of a picture: a file of a few kB can hold any number. OpenCV asks once, when it is imported."""


def program() -> NoReturn:
    """The process: `main` between standard streams that cannot fail and an end that cannot hang."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # from `__main__`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    make_lenient()
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", _MOST_PIXELS)
    if "debug" not in sys.argv:
        silence_libraries()
    try:
        code = main()
    except SystemExit as leaving:  # of argparse
        code = leaving.code if isinstance(leaving.code, int) else EXIT_USER_ERROR
    except BaseException:  # noqa: BLE001 - a bug; its trace is what is left to say
        traceback.print_exc()
        code = EXIT_BUG
    sys.stdout.flush()
    sys.stderr.flush()
    if is_any_worker_running():
        # Inside a driver or a graph that never returns: taking the interpreter down around it aborts.
        os._exit(code)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, the words after the program's name (None: of the process); gives the exit code.

    Errors that are no `RealtimeVibeError` pass through and keep their trace.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with EndingSignals() as signals, signals.raising():
            if words and words[0] in _COMMANDS:
                return _COMMANDS[words[0]](words[1:])
            return _run_live(words)
    except Interrupted as interrupted:
        return interrupted.exit_code
    except RealtimeVibeError as error:
        print(f"{PROGRAM}: error: {one_line(str(error), _LONGEST_LINE)}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _run_live(words: list[str]) -> int:
    parser = live_parser()
    end = words.index("--") if "--" in words else len(words)
    # argparse forgets the mark between the two rounds of intermixed parsing.
    given = vars(parser.parse_intermixed_args(words[:end]))
    settings_file = given.pop("config", None)
    clips = [*given.pop("clips", []), *words[end + 1 :]]
    if clips:
        _refuse_doubtful_clips(parser, clips, given)
        given["source"] = clips[0]
    live_config = build_config(given, settings_file)
    set_up_logging(live_config.log_level)
    if live_config.source == ASK:
        from realtime_vibe.cli.camera_choice import choose_camera

        # Before the seconds that networks and windows take.
        chosen = choose_camera(sys.stdin, sys.stderr)
        live_config = replace(live_config, source=str(chosen))
    from realtime_vibe.app.clips import clips_of, configs_of, run_clips
    from realtime_vibe.app.outputs import check_outputs
    from realtime_vibe.app.run import run

    configs = configs_of(live_config, clips_of([live_config.source, *clips[1:]]))
    inputs = [*(config.source for config in configs), *filter(None, [settings_file])]
    check = partial(check_outputs, inputs=inputs)
    if len(configs) == 1:
        check(configs[0])
        return run(configs[0])
    return run_clips(configs, run, check)


def _refuse_doubtful_clips(
    parser: argparse.ArgumentParser, clips: Sequence[str], given: Mapping[str, object]
) -> None:
    """Ends the program where clips stand beside `--source`, or for `docter`, which is no file."""
    if "source" in given:
        parser.error(f"got the clip {clips[0]} and --source {given['source']}: give one of them")
    if os.path.exists(clips[0]):  # noqa: PTH110 - never raises
        return
    close = difflib.get_close_matches(clips[0], _COMMANDS, n=1)
    if close:
        parser.error(f"there is no clip and no command '{clips[0]}': did you mean '{close[0]}'?")


def _command_parser(name: str, description: str) -> argparse.ArgumentParser:
    return OneLineParser(
        prog=f"{PROGRAM} {name}".strip(),
        description=description,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )


def _run_doctor(words: list[str]) -> int:
    parser = _command_parser(
        "doctor",
        "Says what is installed and what works, tries the live path for two seconds on a drawn "
        "figure, and exits with 0 when the live job can run, else with 1.",
    )
    for name in ("engine", "backend"):
        add_setting(parser, name)
    config = build_config(vars(parser.parse_args(words)))
    set_up_logging("warning")
    from realtime_vibe.cli.doctor import run_doctor

    return run_doctor(engine=config.engine, backend=config.backend)


def _run_cameras(words: list[str]) -> int:
    _command_parser("cameras", "Lists the cameras of this machine.").parse_args(words)
    set_up_logging("warning")
    from realtime_vibe.cli.doctor import print_cameras

    return print_cameras()


def _run_init(words: list[str]) -> int:
    from realtime_vibe.cli.settings_template import DEFAULT_NAME, write_settings_template

    parser = _command_parser(
        "init", "Writes a settings file in which every setting is explained and commented out."
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        nargs="?",
        default=Path(DEFAULT_NAME),
        help=f"what to call it; an existing file is never replaced (default: {DEFAULT_NAME})",
    )
    path = parser.parse_args(words).file
    write_settings_template(path)
    print(f"wrote {path}: change what you like, then run {PROGRAM} --config {path}")
    return EXIT_OK


def _run_recover(words: list[str]) -> int:
    parser = _command_parser(
        "recover", "Makes the files of a recording that was cut off from its .part file."
    )
    parser.add_argument("part", metavar="OUT.npz.part", type=Path)
    parser.add_argument(
        "--output",
        metavar="OUT",
        type=Path,
        default=None,
        help="one file to make instead; the ending says the format (default: all that were asked for)",
    )
    _add_convert_options(parser)
    given = parser.parse_args(words)
    set_up_logging("info")
    from realtime_vibe.app.convert import recover

    _print_paths(recover(given.part, given.output, settings=_convert_settings(given)))
    return EXIT_OK


def _run_convert(words: list[str]) -> int:
    parser = _command_parser(
        "convert",
        "Writes a motion file in another format: from .npz (recorded or of AMASS), .bvh (recorded) or .part "
        "to .npz, .bvh, .glb, .csv or .trc.",
    )
    parser.add_argument("input", metavar="IN", type=Path)
    parser.add_argument("output", metavar="OUT", type=Path)
    _add_convert_options(parser)
    given = parser.parse_args(words)
    set_up_logging("info")
    from realtime_vibe.app.convert import convert

    _print_paths(convert(given.input, given.output, _convert_settings(given)))
    return EXIT_OK


_WRITING = ("overwrite", "record_fps", "bvh_names", "bvh_unit", "bvh_bones", "origin")
"""Settings of a live run that conversions share."""


def _add_convert_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--body",
        metavar="BODY.npz",
        type=Path,
        default=None,
        help="the body of the motion (default: the recorded one, else the default engine's)",
    )
    for name in _WRITING:
        add_setting(parser, name)


def _convert_settings(given: argparse.Namespace) -> "ConvertSettings":
    from realtime_vibe.app.convert import ConvertSettings
    from realtime_vibe.app.takes import take_options

    said = {name: value for name, value in vars(given).items() if name in _WRITING}
    # A recording names its own files, which may be .bvh.
    config = build_config({**said, "record": str(given.output or "take.bvh")})
    options = take_options(config)
    if "origin" not in said:  # the motion stays where the file has it
        options = replace(options, origin=None)
    return ConvertSettings(
        options=options if said.keys() - {"overwrite"} else None,
        body=given.body,
        overwrite=config.overwrite,
    )


_COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    "doctor": _run_doctor,
    "cameras": _run_cameras,
    "init": _run_init,
    "recover": _run_recover,
    "convert": _run_convert,
}


def _print_paths(paths: Sequence[Path]) -> None:
    for path in paths:
        print(path)


class _PlainFormatter(logging.Formatter):
    """The bare message; from warnings up, with the level in front."""

    def format(self, record: logging.LogRecord) -> str:
        said = without_secrets(super().format(record))
        # Names and texts out of files are in it: a terminal would obey their control characters.
        text = "\n".join(one_line(line, _LONGEST_LINE) for line in said.splitlines())
        if record.levelno < logging.WARNING:
            return f"{PROGRAM}: {text}"
        return f"{PROGRAM}: {record.levelname.lower()}: {text}"


def set_up_logging(level: str) -> None:
    """Sends the package's messages of a level, as `--log-level`, to stderr; other libraries stay at warnings."""
    handler = logging.StreamHandler(LenientStream(sys.stderr))
    handler.setFormatter(_PlainFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("realtime_vibe").setLevel(level.upper())
