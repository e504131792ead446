"""The options of a live run: names, help and what can be said before anything is imported."""

import argparse
from pathlib import Path
from textwrap import indent
from typing import NoReturn

from realtime_vibe import __version__
from realtime_vibe.app import settings
from realtime_vibe.cli.key_list import ListKeys, key_table
from realtime_vibe.outputs.stream.address import LOOPBACK, VMC_PORT, VRCHAT_PORT, WEB_PORT

PROGRAM = "realtime-vibe"
EXIT_USER_ERROR = 2

_USAGE = (
    f"{PROGRAM} [options]\n"
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
  realtime-vibe --source dance.mp4 --view none --record dance.npz --stats dance.json
  realtime-vibe --source 'shots/*.png' --fps 30 --view none --save-video shots.mkv
  realtime-vibe --vmc --web                            move an avatar, and show the body in a browser
  realtime-vibe --source street.mp4 --max-people 4     several people at once
  realtime-vibe --source rtsp://host/stream --temporal window --smooth off

keys in the windows:
{indent(key_table(), "  ")}

A settings file holds the same names: `max-frames = 100`, `source = 0`, `smooth = "off"`. The command
line beats the file. Exit codes: 0 done, 2 an error named in one line, 130 Ctrl-C, 143 SIGTERM."""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage text in front."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong in one line and ends the program."""
        self.exit(EXIT_USER_ERROR, f"{PROGRAM}: error: {message} (see {self.prog} --help)\n")

    def groups(self) -> tuple[tuple[str, tuple[argparse.Action, ...]], ...]:
        """The options as `--help` groups them: title and options of each group, in its order."""
        return tuple(
            (str(group.title), tuple(group._group_actions)) for group in self._action_groups
        )


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
    for add_group in (
        _add_input,
        _add_engine,
        _add_motion,
        _add_view,
        _add_outputs,
        _add_network,
        _add_general,
    ):
        add_group(parser)
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("input")
    group.add_argument(
        "--source",
        metavar="auto|ask|0|1|FILE|FOLDER|GLOB|URL|synthetic",
        help="where frames come from: the first camera, else the demo clip (auto, the default), the "
        "camera you choose from a list (ask), a camera by number, a video file, a folder or pattern of images, a stream, or a drawn figure "
        "that needs no hardware (synthetic)",
    )
    group.add_argument(
        "--every-frame",
        action=argparse.BooleanOptionalAction,
        help="process every frame in order instead of always the newest "
        "(default: yes for files without a view, else no)",
    )
    group.add_argument(
        "--max-frames", metavar="N", type=int, help="stop after N processed frames (default: never)"
    )
    group.add_argument("--width", metavar="PX", type=int, help="image width to ask a camera for")
    group.add_argument(
        "--height", metavar="PX", type=_picture_height, help="image height to ask a camera for"
    )
    group.add_argument(
        "--fps",
        metavar="HZ",
        type=float,
        help="frame rate to ask a camera for, or at which a folder of images was taken",
    )
    group.add_argument(
        "--fov-deg",
        metavar="DEG",
        type=float,
        help="horizontal field of view of the camera; sets how far away the body is placed "
        "(default: that of a nominal webcam)",
    )


def _add_engine(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("engine")
    group.add_argument(
        "--engine",
        metavar="NAME|DIR",
        help=f"networks and body to use: a name that ships with the program, or a folder with an "
        f"engine.json (default: {settings.DEFAULT_ENGINE})",
    )
    group.add_argument(
        "--backend",
        metavar="auto|NAME",
        help="what runs the networks; 'realtime-vibe doctor' lists what works here (default: auto)",
    )
    group.add_argument(
        "--tracker",
        choices=settings.TRACKERS,
        help="who follows people: this project's BlazePose graphs (blazepose), boxes alone, moved by "
        "what the picture does (boxes, for engines that look at crops), or the mediapipe package, "
        "which reports usage metrics to Google (default: auto: blazepose, or boxes for engines of "
        "crops with another detector)",
    )
    group.add_argument(
        "--tracker-model",
        choices=settings.TRACKER_MODELS,
        help="size of BlazePose's landmark network: lite is faster, heavy steadier and several times "
        "slower; heavy does not ship, make it in a checkout with: python -m export.blazepose --model "
        f"heavy (default: {settings.DEFAULT_TRACKER_MODEL})",
    )
    group.add_argument(
        "--detector",
        metavar="blazepose|yolov3|FOLDER",
        help="who finds people before they are followed: BlazePose's own detector, or a folder with a "
        f"detector.json (yolov3: engines/yolov3) (default: {settings.DEFAULT_DETECTOR})",
    )
    group.add_argument(
        "--max-people", metavar="N", type=int, help="how many people to follow at most (default: 1)"
    )
    group.add_argument(
        "--detect-every",
        metavar="N",
        type=int,
        help="frames between two looks for newcomers; somebody who is lost is looked for sooner "
        f"(default: {settings.DEFAULT_DETECT_EVERY})",
    )
    group.add_argument(
        "--refine",
        action=argparse.BooleanOptionalAction,
        help="refine BlazePose's landmarks with heat maps: pixel error a third smaller, about 1 ms "
        "slower (default: no; mediapipe always does)",
    )


def _add_motion(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("motion")
    group.add_argument(
        "--temporal",
        choices=settings.TEMPORAL_MODES,
        help="stream: the network's memory is carried from frame to frame, constant cost (default); "
        "window: the last 16 frames are run again each time, as the paper evaluates; demo: the memory is "
        "emptied every 450 frames of a person, as the released demo does",
    )
    group.add_argument(
        "--smooth",
        metavar="off|0..1",
        type=_smooth,
        help=f"One-Euro filter on the result: 1 is calmest and slowest "
        f"(default: {settings.DEFAULT_SMOOTH:g})",
    )
    group.add_argument(
        "--ground",
        action=argparse.BooleanOptionalAction,
        help="hold planted feet where they are, so that nobody skates through the room (default: no)",
    )
    group.add_argument(
        "--calibrate",
        action=argparse.BooleanOptionalAction,
        help="stand still for two seconds at the start (as key c does at any time): fixes the body's shape, "
        "the floor and the camera's pitch, and is kept for this camera; --no-calibrate ignores what was kept",
    )
    group.add_argument(
        "--person-height",
        metavar="M",
        type=float,
        help="the person's height in metres, such as 1.75: gives a calibration its true scale",
    )
    group.add_argument(
        "--distance",
        metavar="M",
        type=float,
        help="how far from the camera the person stands while calibrating, by tape: gives the focal length",
    )


def _add_view(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("view")
    group.add_argument(
        "--view",
        choices=settings.VIEWS,
        help="windows to open: the body in 3D (open3d), the picture with overlay and status "
        "(preview), both (default) or none",
    )
    group.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        help="show the views as a mirror does; recordings are never mirrored",
    )
    group.add_argument(
        "--background",
        metavar="default|green|black|'#rrggbb'|transparent",
        help="behind the body in the 3D window, in the mesh's half of videos and in snapshots: one colour "
        "comes without grid and shadow, so that OBS can key it out; transparent is for --snapshot, a PNG "
        "of the body alone: windows and videos cannot be transparent (default: default)",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output files")
    group.add_argument(
        "--record",
        metavar="OUT",
        action="append",
        help="a file of the take, may be given several times: motion as .npz (AMASS layout, with joints and "
        "cameras), .bvh, .glb (moving mesh), .csv or .trc (joints), the overlay as .mkv video",
    )
    group.add_argument(
        "--record-fps",
        metavar="HZ",
        type=float,
        help="bring recorded motion to exactly this frame rate, such as 30 or 60 (default: as it came)",
    )
    group.add_argument(
        "--bvh-names",
        choices=settings.BVH_NAMES,
        help="names of joints in .bvh files (default: smpl)",
    )
    group.add_argument(
        "--bvh-unit", choices=settings.BVH_UNITS, help="unit of lengths in .bvh files (default: m)"
    )
    group.add_argument(
        "--bvh-bones",
        choices=settings.BVH_BONES,
        help="bones in .bvh files: of constant length (default), or live, as the shape was estimated at each "
        "moment: every joint then has position channels, which not every reader knows",
    )
    for option, metavar, text in (
        ("--save-video", "OUT.mkv", "video of the overlay beside the mesh"),
        ("--snapshot", "OUT.png", "picture of the last view; needs no display"),
        ("--stats", "OUT.json", "latency of every stage, frame rate and dropped frames"),
    ):
        group.add_argument(option, metavar=metavar, help=text)
    group.add_argument(
        "--overwrite",
        action=argparse.BooleanOptionalAction,
        help="replace output files that exist (default: refuse before anything starts)",
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("live outputs (off unless asked for)")
    group.add_argument(
        "--vmc",
        metavar="HOST:PORT",
        nargs="?",
        const=f"{LOOPBACK}:{VMC_PORT}",
        help="move an avatar in VSeeFace, Warudo, Unity or Blender by the VMC protocol "
        f"(without an address: {LOOPBACK}:{VMC_PORT})",
    )
    group.add_argument(
        "--vmc-avatar",
        metavar="FILE.vrm",
        type=Path,
        help="the avatar that is moved: the lengths of its bones are kept",
    )
    group.add_argument(
        "--vmc-root",
        choices=settings.VMC_ROOTS,
        help="what carries the body through the room: the hips bone (default), the root, or both: the root "
        "along the floor, the hips up and down",
    )
    group.add_argument(
        "--vrchat",
        metavar="HOST[:PORT]",
        nargs="?",
        const=f"{LOOPBACK}:{VRCHAT_PORT}",
        help=f"send VRChat's OSC trackers (without an address: {LOOPBACK}:{VRCHAT_PORT})",
    )
    group.add_argument(
        "--web",
        metavar="PORT",
        nargs="?",
        type=int,
        const=WEB_PORT,
        help="show the live body in a browser and stream it to programs by WebSocket "
        f"(without a port: {WEB_PORT})",
    )
    group.add_argument(
        "--web-host",
        metavar="HOST",
        help=f"where --web listens; 0.0.0.0 lets the whole network watch (default: {LOOPBACK})",
    )
    group.add_argument(
        "--stream-rate",
        metavar="HZ",
        type=float,
        help="send at most so many results a second to the network (default: every one)",
    )


def _add_general(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("general")
    group.add_argument(
        "--config", metavar="FILE.toml", type=Path, help="settings from a file; same names as here"
    )
    group.add_argument(
        "--log-level", choices=settings.LOG_LEVELS, help="how much to say on stderr (default: info)"
    )
    group.add_argument("-h", "--help", action="help", help="show this text and exit")
    group.add_argument("--list-keys", action=ListKeys, help="show the keys of the windows and exit")
    group.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")


def _picture_height(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number of pixels; how tall the person is goes into --person-height"
        ) from None


def _smooth(text: str) -> float | str:
    if text == "off":
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is neither off nor a number from 0 to 1"
        ) from None
