"""The settings of a live run: one entry each, from which everything else about them is made.

An entry says where a setting is listed, which values it takes, its default and its help. The command
line, the settings file, the file that `realtime-vibe init` writes, the checks and the library read it
here; adding a setting is adding an entry. Nothing heavy is imported: `--help` answers at once.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from types import MappingProxyType

from realtime_vibe.app.needed_settings import check_needs
from realtime_vibe.app.setting import (
    BACKGROUND,
    COUNT,
    FLAG,
    PATH,
    PATHS,
    PICTURE_HEIGHT,
    PIXELS,
    PORT,
    ROTATION,
    SMOOTH,
    SOURCE,
    TEXT,
    Setting,
    address,
    number,
    one_of,
    option_name,
    setting,
    several,
)
from realtime_vibe.errors import ConfigError
from realtime_vibe.outputs.record.bvh_names import (
    BVH_BONES,
    BVH_NAMES,
    BVH_UNITS,
    USUAL_BONES,
    USUAL_NAMES,
    USUAL_UNIT,
)
from realtime_vibe.outputs.stream.address import LOOPBACK, VMC_PORT, VRCHAT_PORT, WEB_PORT
from realtime_vibe.temporal.modes import MODES
from realtime_vibe.tracking.choices import DEFAULT_TRACKER, TRACKER_MODELS, TRACKERS

logger = logging.getLogger(__name__)

DEFAULT_ENGINE = "blazepose-gru"
DEFAULT_SMOOTH = 0.9
_CHARACTER_SUFFIXES = frozenset({".bvh", ".glb"})
ASK = "ask"
"""The source that is a question: which camera?"""

GENERAL = "general"
"""The group in which the command line lists what is no setting, too."""

_input = partial(setting, "input")
_engine = partial(setting, "engine")
_motion = partial(setting, "motion")
_view = partial(setting, "view")
_file = partial(setting, "output files")
_network = partial(setting, "live outputs (off unless asked for)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig:
    """Everything a user can choose about a live run; what a field means is its entry's help.

    Raises:
        ConfigError: a value has the wrong type or is out of range; the message names the setting.
    """

    source: str = _input(
        SOURCE,
        "auto",
        "where frames come from: the first camera, else the demo clip (auto), the camera you choose from "
        "a list (ask), a camera by number, a video file, a folder or pattern of images, a stream, a video on "
        "standard input (-), or a drawn figure that needs no hardware (synthetic)",
        metavar="auto|ask|0|1|FILE|FOLDER|GLOB|URL|-|synthetic",
    )
    every_frame: bool | None = _input(
        FLAG,
        None,
        "process every frame in order instead of always the newest",
        otherwise="yes for files without windows and live outputs, else no",
    )
    max_frames: int | None = _input(
        COUNT, None, "stop after N processed frames", otherwise="never", example=1000
    )
    width: int | None = _input(PIXELS, None, "image width to ask a camera for", example=640)
    height: int | None = _input(
        PICTURE_HEIGHT, None, "image height to ask a camera for", example=480
    )
    fps: float | None = _input(
        number(0.1, 1000, "HZ"),
        None,
        "frame rate to ask a camera for, or at which a folder of images or a video without times (raw H.264) "
        "was taken",
        example=30,
    )
    rotate: int = _input(
        ROTATION,
        0,
        "turn the picture clockwise by so many degrees: for a camera that hangs upside down (180) or lies on its side",
    )
    fov_deg: float | None = _input(
        number(5, 170, "DEG"),
        None,
        "horizontal field of view of the camera, across the picture as it is after --rotate; sets how far away the "
        "body is placed",
        otherwise="that of a nominal webcam",
        example=70,
    )

    engine: str = _engine(
        TEXT,
        DEFAULT_ENGINE,
        "networks and body to use: a name that ships with the program, or a folder with an engine.json",
        metavar="NAME|DIR",
    )
    backend: str = _engine(
        TEXT,
        DEFAULT_TRACKER.backend,
        "what runs the networks; 'realtime-vibe doctor' lists what works here",
        metavar="auto|NAME",
    )
    tracker: str = _engine(
        one_of(TRACKERS),
        DEFAULT_TRACKER.tracker,
        "who follows people: this project's BlazePose graphs (blazepose), boxes alone, moved by what the "
        "picture does (boxes, for engines that look at crops), or the mediapipe package, which reports "
        "usage metrics to Google",
        otherwise="auto: blazepose, or boxes for engines of crops with another detector",
    )
    tracker_model: str = _engine(
        one_of(TRACKER_MODELS),
        DEFAULT_TRACKER.tracker_model,
        "size of BlazePose's landmark network: lite is faster, heavy steadier and several times slower; heavy "
        "does not ship, make it in a checkout with: python -m export.blazepose --model heavy",
    )
    detector: str = _engine(
        TEXT,
        DEFAULT_TRACKER.detector,
        "who finds people before they are followed: BlazePose's own detector, or a folder with a "
        "detector.json (yolov3: engines/yolov3)",
        metavar="blazepose|yolov3|FOLDER",
    )
    max_people: int = _engine(
        COUNT, DEFAULT_TRACKER.max_people, "how many people to follow at most"
    )
    detect_every: int = _engine(
        COUNT,
        DEFAULT_TRACKER.detect_every,
        "frames, at 30 a second, between two looks for newcomers; somebody who is lost is looked for sooner",
    )
    refine: bool = _engine(
        FLAG,
        DEFAULT_TRACKER.refine,
        "refine BlazePose's landmarks with heat maps, as MediaPipe does: pixel error a third smaller",
    )

    temporal: str = _motion(
        one_of(MODES),
        "stream",
        "stream: the network's memory is carried from frame to frame, constant cost; window: the last 16 "
        "frames are run again each time, as the paper evaluates; demo: the memory is emptied every 450 "
        "frames of a person, as the released demo does",
    )
    smooth: float = _motion(
        SMOOTH,
        DEFAULT_SMOOTH,
        "smoothing of landmarks and result: 1 is calmest and slowest",
        metavar="off|0..1",
    )
    foot_lock: bool | None = _motion(
        FLAG,
        None,
        "hold planted feet where they are, so that nobody skates through the room",
        otherwise="yes with --vmc, --vrchat, .bvh or .glb, which move a character, else no",
    )
    level: bool = _motion(
        FLAG,
        True,
        "estimate the camera's pitch and roll from people who stand and walk; a calibration is more exact and "
        "holds instead",
    )
    calibrate: bool | None = _motion(
        FLAG,
        None,
        "stand still for two seconds at the start (as key c does at any time): fixes the body's shape, the "
        "floor and the camera's pitch, and is kept for this camera; --no-calibrate ignores what was kept",
    )
    person_height: float | None = _motion(
        number(0.9, 2.4, "M", "metres from 0.9 to 2.4, such as 1.75"),
        None,
        "the person's height in metres, such as 1.75: gives a calibration its true scale",
        example=1.75,
    )
    distance: float | None = _motion(
        number(0.4, 20, "M"),
        None,
        "how far from the camera the person stands while calibrating, by tape: gives the focal length",
        example=2.5,
    )

    view: str = _view(
        one_of(("both", "open3d", "preview", "files", "none")),
        "both",
        "windows to open: the body in 3D (open3d), the picture with overlay and status (preview), both or none; "
        "files, for machines without a display: no windows, but a picture and a short video to look at",
    )
    mirror: bool = _view(
        FLAG,
        False,
        "show the views as a mirror does, and move avatars so (--no-mirror-avatar: not those); recordings are never "
        "mirrored",
    )
    background: str = _view(
        BACKGROUND,
        "default",
        "behind the body in the 3D window, in the mesh's half of videos and in snapshots: one colour comes "
        "without grid and shadow, so that OBS can key it out; transparent is for --snapshot, a PNG of the "
        "body alone: windows and videos cannot be transparent",
        metavar="default|green|black|'#rrggbb'|transparent",
    )

    record: tuple[Path, ...] = _file(
        PATHS,
        (),
        "a file of the take, may be given several times: motion as .npz (AMASS layout, with joints and "
        "cameras), .bvh, .glb (moving mesh), .csv or .trc (joints), the overlay as .mkv video",
        metavar="OUT",
    )
    record_dir: Path | None = _file(
        PATH,
        None,
        "name output files after the clip, in this folder: --record, --save-video, --snapshot and --stats then "
        "take endings, as in --record bvh,npz",
        metavar="DIR",
    )
    record_fps: float | None = _file(
        number(1, 240, "HZ"),
        None,
        "bring recorded motion to exactly this frame rate, such as 30 or 60",
        otherwise="as it came",
        example=30,
    )
    origin: str = _file(
        one_of(("floor", "camera")),
        "floor",
        "origin of recorded motion: the floor below where the person was first seen, or the camera",
    )
    bvh_names: str = _file(one_of(BVH_NAMES), USUAL_NAMES, "names of joints in .bvh files")
    bvh_unit: str = _file(one_of(BVH_UNITS), USUAL_UNIT, "unit of lengths in .bvh files")
    bvh_bones: str = _file(
        one_of(BVH_BONES),
        USUAL_BONES,
        "bones in .bvh files: of constant length, or live, as the shape was estimated at each moment: every "
        "joint then has position channels, which not every reader knows",
    )
    save_video: Path | None = _file(
        PATH, None, "video of the overlay beside the mesh", metavar="OUT.mkv"
    )
    snapshot: Path | None = _file(
        PATH, None, "picture of the last view; needs no display", metavar="OUT.png"
    )
    stats: Path | None = _file(
        PATH, None, "latency of every stage, frame rate and dropped frames", metavar="OUT.json"
    )
    overwrite: bool = _file(
        FLAG, False, "replace output files that exist", otherwise="refuse before anything starts"
    )

    vmc: tuple[str, ...] = _network(
        several(address(VMC_PORT)),
        (),
        "move an avatar in VSeeFace, Warudo, Unity or Blender by the VMC protocol; may be given several times",
        metavar="HOST:PORT",
        bare=f"{LOOPBACK}:{VMC_PORT}",
    )
    vmc_avatar: Path | None = _network(
        PATH,
        None,
        "the avatar that is moved: the lengths of its bones are kept",
        metavar="FILE.vrm",
    )
    vmc_root: str = _network(
        one_of(("hips", "root", "both")),
        "hips",
        "what carries the body through the room: the hips bone, the root, or both: the root along the floor, "
        "the hips up and down",
    )
    vrchat: tuple[str, ...] = _network(
        several(address(VRCHAT_PORT)),
        (),
        "send VRChat's OSC trackers; may be given several times",
        metavar="HOST[:PORT]",
        bare=f"{LOOPBACK}:{VRCHAT_PORT}",
    )
    mirror_avatar: bool | None = _network(
        FLAG,
        None,
        "avatars move as your image in a mirror does: raise your right hand, and the one on the same side of the "
        "screen rises; for VMC and VRChat",
        otherwise="as --mirror",
    )
    web: int | None = _network(
        PORT,
        None,
        "show the live body in a browser and stream it to programs by WebSocket",
        bare=WEB_PORT,
    )
    web_host: str = _network(
        TEXT, LOOPBACK, "where --web listens; 0.0.0.0 lets the whole network watch", metavar="HOST"
    )
    stream_rate: float | None = _network(
        number(0.1, 1000, "HZ"),
        None,
        "send at most so many results a second to the network",
        otherwise="every one",
        example=30,
    )

    log_level: str = setting(
        GENERAL, one_of(("debug", "info", "warning", "error")), "info", "how much to say on stderr"
    )

    def __post_init__(self) -> None:
        for name, entry in SETTINGS.items():
            value = entry.checked(option_name(name), getattr(self, name))
            object.__setattr__(self, name, value)
        if (self.width is None) != (self.height is None):
            given, missing = ("width", "height") if self.height is None else ("height", "width")
            raise ConfigError(f"{given} is set without {missing}: give both or neither")
        check_needs(self, lambda name: SETTINGS[name].default)

    @property
    def locks_feet(self) -> bool:
        """Whether planted feet are held: as set, else where the motion goes to a character."""
        if self.foot_lock is not None:
            return self.foot_lock
        files = any(path.suffix.lower() in _CHARACTER_SUFFIXES for path in self.record)
        return files or bool(self.vmc or self.vrchat)

    @property
    def has_windows(self) -> bool:
        """Whether windows are opened."""
        return self.view not in {"files", "none"}

    @property
    def mirrors_avatars(self) -> bool:
        """Whether avatars move as in a mirror."""
        return self.mirror if self.mirror_avatar is None else self.mirror_avatar

    @property
    def sends(self) -> bool:
        """Whether a live output is on: an avatar or a page moves with the person."""
        return bool(self.vmc or self.vrchat or self.web)

    @property
    def is_paced(self) -> bool:
        """Whether recorded media are played at their own speed, the demo for ever: somebody watches.

        Who watches a window may ask for every frame instead; an avatar must move at the person's speed.
        """
        return self.sends or (self.has_windows and not self.every_frame)


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {field.name: field.metadata[Setting] for field in fields(LiveConfig)}
)
"""Every setting by the name of its field, in the order of `--help`."""

OLD_NAMES: Mapping[str, str] = MappingProxyType({"ground": "foot_lock"})
"""Names of one release ago, which are still understood, and what they are called now."""


def renamed(values: Mapping[str, object]) -> dict[str, object]:
    """Settings by their names of today, from those and names of one release ago; says so once for each old one.

    Of both for one setting, today's holds.
    """
    for old in values.keys() & OLD_NAMES.keys():
        new, before = option_name(OLD_NAMES[old]), option_name(old)
        logger.warning("%s is now called %s; the old name goes with the next release", before, new)
    current = {OLD_NAMES[name]: value for name, value in values.items() if name in OLD_NAMES}
    return current | {name: value for name, value in values.items() if name not in OLD_NAMES}


def setting_names() -> tuple[str, ...]:
    """All settings as users spell them."""
    return tuple(option_name(name) for name in SETTINGS)
