"""The settings of a live run: defaults, a TOML file, the command line, checked in one place."""

import difflib
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from realtime_vibe.errors import ConfigError
from realtime_vibe.outputs.stream.address import LOOPBACK, VMC_PORT, VRCHAT_PORT, parse_address
from realtime_vibe.outputs.view.background import TRANSPARENT, parse_background

TRACKERS = ("auto", "blazepose", "mediapipe", "boxes")
TRACKER_MODELS = ("lite", "full", "heavy")
TEMPORAL_MODES = ("stream", "window", "demo")
VIEWS = ("both", "open3d", "preview", "none")
BVH_NAMES = ("smpl", "mixamo", "vrm")
BVH_UNITS = ("m", "cm")
BVH_BONES = ("constant", "live")
VMC_ROOTS = ("hips", "root", "both")
LOG_LEVELS = ("debug", "info", "warning", "error")
ASK = "ask"
"""The source that is a question: which camera?"""

SHORTEST_PERSON_M, TALLEST_PERSON_M = 0.9, 2.4
"""Heights that are believed."""

DEFAULT_ENGINE = "blazepose-gru"
DEFAULT_DETECTOR = "blazepose"
DEFAULT_DETECT_EVERY = 15
DEFAULT_TRACKER_MODEL = "full"
DEFAULT_SMOOTH = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig:
    """Everything a user can choose about a live run.

    Raises:
        ConfigError: a value has the wrong type or is out of range; the message names the setting.
    """

    source: str = "auto"
    """`auto`, `ask`, a camera number, a file, a folder, a glob, a URL or `synthetic`."""
    engine: str = DEFAULT_ENGINE
    """Name of an engine folder that ships with the package, or the path of one."""
    backend: str = "auto"
    """Inference backend; `auto` takes the fastest that is installed."""
    tracker: str = "auto"
    """One of `TRACKERS`; `auto`: BlazePose, or boxes for engines of crops with another detector."""
    tracker_model: str = DEFAULT_TRACKER_MODEL
    """One of `TRACKER_MODELS`: BlazePose's landmark network, from the fastest to the most exact."""
    detector: str = DEFAULT_DETECTOR
    """`blazepose`, `yolov3`, or a folder with a `detector.json`."""
    max_people: int = 1
    """How many people are followed at most."""
    detect_every: int = DEFAULT_DETECT_EVERY
    """Frames between two looks for newcomers; somebody who is lost is looked for sooner."""
    refine: bool = False
    """Refine landmarks with heat maps: pixel error a third smaller, about 1 ms slower."""
    temporal: str = "stream"
    """One of `TEMPORAL_MODES`: carried state, the last 16 features run again, or a reset every 450 frames."""
    smooth: float = DEFAULT_SMOOTH
    """Strength of the One-Euro filter in [0, 1]; 0 is off."""
    view: str = "both"
    """One of `VIEWS`."""
    every_frame: bool | None = None
    """Process every frame in order; None: yes for files without a view, else the newest frame."""
    max_frames: int | None = None
    """Stop after this many processed frames."""
    record: tuple[Path, ...] = ()
    """Files of one take: motion (`.npz`, `.bvh`, `.glb`, `.csv`, `.trc`), overlay video (`.mkv`)."""
    record_fps: float | None = None
    """Frame rate to bring recorded motion to [1/s]; None keeps the frames as they came."""
    bvh_names: str = "smpl"
    """One of `BVH_NAMES`: what joints are called in BVH files."""
    bvh_unit: str = "m"
    """One of `BVH_UNITS`: unit of lengths in BVH files."""
    bvh_bones: str = "constant"
    """One of `BVH_BONES`: whether bones in BVH files follow the shape as it was estimated then."""
    save_video: Path | None = None
    """Video of the overlay beside the mesh to write (`.mkv`)."""
    snapshot: Path | None = None
    """Picture of the last view to write (`.png`)."""
    stats: Path | None = None
    """Latency statistics to write (`.json`)."""
    vmc: str | None = None
    """`HOST:PORT` of a program that shows an avatar by the VMC protocol."""
    vmc_avatar: Path | None = None
    """The avatar's file (`.vrm`), for the lengths of its bones."""
    vmc_root: str = "hips"
    """One of `VMC_ROOTS`: who carries the body through the room."""
    vrchat: str | None = None
    """`HOST` or `HOST:PORT` of the computer that runs VRChat."""
    web: int | None = None
    """Port of the WebSocket stream and the page that shows it."""
    web_host: str = LOOPBACK
    """Where that port listens; anything else than this computer lets others watch."""
    stream_rate: float | None = None
    """Results per second that go to the network at most [1/s]; None for every one."""
    overwrite: bool = False
    """Replace output files that exist."""
    mirror: bool = False
    """Show the views as a mirror does; results are not mirrored."""
    background: str = "default"
    """Behind the mesh: `default`, `green`, `black`, `#rrggbb`, or `transparent` for a snapshot."""
    width: int | None = None
    """Image width to ask a camera for [px]."""
    height: int | None = None
    """Image height to ask a camera for [px]."""
    fps: float | None = None
    """Frame rate to ask a camera for, or to read an image folder at [1/s]."""
    ground: bool = False
    """Hold planted feet where they are."""
    calibrate: bool | None = None
    """Calibrate at the start; None: take up what was kept for this camera; False: do not."""
    person_height: float | None = None
    """Height of the person [m], for the scale of a calibration."""
    distance: float | None = None
    """From the camera to the person [m], for the focal length of a calibration."""
    fov_deg: float | None = None
    """Horizontal field of view of the camera [degrees]; None: a nominal webcam's."""
    log_level: str = "info"
    """One of `LOG_LEVELS`."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, _RULES[field.name](option_name(field.name), value))
        if (self.width is None) != (self.height is None):
            given, missing = ("width", "height") if self.height is None else ("height", "width")
            raise ConfigError(f"{given} is set without {missing}: give both or neither")
        if self.background == TRANSPARENT and self.snapshot is None:
            raise ConfigError(f"background is {TRANSPARENT} without snapshot: windows cannot be so")
        _check_network(self)


def _check_network(config: LiveConfig) -> None:
    """Refuses settings that would change nothing.

    Raises:
        ConfigError: a setting of an output is given, the output itself is not.
    """
    anything = config.vmc or config.vrchat or config.web
    for is_set, given, there, missing in (
        (config.vmc_avatar is not None, "vmc-avatar", config.vmc, "vmc"),
        (config.vmc_root != VMC_ROOTS[0], "vmc-root", config.vmc, "vmc"),
        (config.web_host != LOOPBACK, "web-host", config.web, "web"),
        (config.stream_rate is not None, "stream-rate", anything, "vmc, vrchat or web"),
    ):
        if is_set and not there:
            raise ConfigError(f"{given} is set without {missing}")


def option_name(field_name: str) -> str:
    """The spelling of a setting that users see: `max_frames` -> `max-frames`."""
    return field_name.replace("_", "-")


def setting_names() -> tuple[str, ...]:
    """All settings as users spell them, in the order of `LiveConfig`."""
    return tuple(option_name(field.name) for field in fields(LiveConfig))


def allowed_values(field_name: str) -> str:
    """What a setting takes, in the words of the error that refuses everything else."""
    try:
        _RULES[field_name](option_name(field_name), object())
    except ConfigError as error:
        return str(error).rpartition(", expected ")[2]
    raise AssertionError(f"{field_name} takes anything")  # no rule does


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
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot read the settings file {path}: {reason}") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    settings: dict[str, object] = {}
    for key, value in table.items():
        name = _field_name(key, path)
        if name in settings:
            raise ConfigError(f"{path}: '{option_name(name)}' is given twice (with - and with _)")
        try:
            settings[name] = _RULES[name](option_name(name), value)
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
    values.update(command_line)
    return LiveConfig(**values)  # type: ignore[arg-type]  # every value is checked at run time


def _field_name(key: str, path: Path) -> str:
    name = key.replace("-", "_")
    if name in _RULES:
        return name
    close = difflib.get_close_matches(option_name(name), setting_names(), n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    raise ConfigError(
        f"{path}: unknown setting '{key}'{hint}; expected one of {', '.join(setting_names())}"
    )


_Rule = Callable[[str, object], object]


def _wrong(name: str, value: object, expected: str) -> ConfigError:
    return ConfigError(f"{name} is {value!r}, expected {expected}")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(name, value, "text that is not empty")
    return value


def _source(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)  # `source = 0` in a file means the first camera
    if not isinstance(value, str) or not value.strip():
        raise _wrong(name, value, "auto, a camera number, ask, a path, a URL or synthetic")
    return value


def _one_of(choices: tuple[str, ...]) -> _Rule:
    def check(name: str, value: object) -> object:
        if value not in choices:
            raise _wrong(name, value, f"one of {', '.join(choices)}")
        return value

    return check


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _smooth(name: str, value: object) -> float:
    if value == "off":
        return 0.0
    expected = "off or a number from 0 to 1"
    number = _as_number(value)
    if number is None or not 0.0 <= number <= 1.0:
        raise _wrong(name, value, expected)
    return number


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _wrong(name, value, "a whole number of 1 or more")
    return value


def _address(default_port: int) -> _Rule:
    def check(name: str, value: object) -> object:
        try:
            return str(parse_address(_text(name, value), default_port=default_port))
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error

    return check


def _port(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise _wrong(name, value, "a port from 1 to 65535, such as 8765")
    return value


def _number_between(low: float, high: float) -> _Rule:
    def check(name: str, value: object) -> object:
        number = _as_number(value)
        if number is None or not low <= number <= high:
            raise _wrong(name, value, f"a number from {low:g} to {high:g}")
        return number

    return check


def _background(name: str, value: object) -> str:
    try:
        parse_background(value if isinstance(value, str) else "")
    except ConfigError as error:
        expected = "default, green, black, transparent or #rrggbb such as '#ff00ff' (quote it)"
        raise _wrong(name, value, expected) from error
    return str(value).strip().lower()


def _height_of_a_person(name: str, value: object) -> float:
    number = _as_number(value)
    if number is None or not SHORTEST_PERSON_M <= number <= TALLEST_PERSON_M:
        raise _wrong(
            name,
            value,
            f"metres from {SHORTEST_PERSON_M:g} to {TALLEST_PERSON_M:g}, such as 1.75",
        )
    return number


def _output_path(name: str, value: object) -> Path:
    if isinstance(value, str) and value.strip():
        return Path(value)
    if isinstance(value, Path):
        return value
    raise _wrong(name, value, "the path of a file")


def _output_paths(name: str, value: object) -> tuple[Path, ...]:
    several = value if isinstance(value, (list, tuple)) else [value]
    return tuple(_output_path(name, single) for single in several)


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _optional(rule: _Rule) -> _Rule:
    def check(name: str, value: object) -> object:
        return None if value is None else rule(name, value)

    return check


_RULES: dict[str, _Rule] = {
    "source": _source,
    "engine": _text,
    "backend": _text,
    "tracker": _one_of(TRACKERS),
    "tracker_model": _one_of(TRACKER_MODELS),
    "detector": _text,
    "max_people": _count,
    "detect_every": _count,
    "refine": _flag,
    "temporal": _one_of(TEMPORAL_MODES),
    "smooth": _smooth,
    "view": _one_of(VIEWS),
    "every_frame": _optional(_flag),
    "max_frames": _optional(_count),
    "record": _output_paths,
    "record_fps": _optional(_number_between(1, 240)),
    "bvh_names": _one_of(BVH_NAMES),
    "bvh_unit": _one_of(BVH_UNITS),
    "bvh_bones": _one_of(BVH_BONES),
    "save_video": _optional(_output_path),
    "snapshot": _optional(_output_path),
    "stats": _optional(_output_path),
    "vmc": _optional(_address(VMC_PORT)),
    "vmc_avatar": _optional(_output_path),
    "vmc_root": _one_of(VMC_ROOTS),
    "vrchat": _optional(_address(VRCHAT_PORT)),
    "web": _optional(_port),
    "web_host": _text,
    "stream_rate": _optional(_number_between(0.1, 1000)),
    "overwrite": _flag,
    "mirror": _flag,
    "background": _background,
    "width": _optional(_count),
    "height": _optional(_count),
    "fps": _optional(_number_between(0.1, 1000)),
    "ground": _flag,
    "calibrate": _optional(_flag),
    "person_height": _optional(_height_of_a_person),
    "distance": _optional(_number_between(0.4, 20)),
    "fov_deg": _optional(_number_between(5, 170)),
    "log_level": _one_of(LOG_LEVELS),
}
