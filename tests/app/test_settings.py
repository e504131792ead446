"""Covers the settings: their defaults, the TOML file, precedence, and what is said about mistakes."""

from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.app.setting import option_name
from realtime_vibe.app.settings import LiveConfig, setting_names
from realtime_vibe.app.settings_file import build_config, read_settings_file
from realtime_vibe.cli.options import live_parser
from realtime_vibe.errors import ConfigError


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_defaults_are_the_live_run() -> None:
    config = LiveConfig()
    assert config.source == "auto"
    assert config.engine == "blazepose-gru"
    assert (config.tracker, config.detector, config.max_people) == ("auto", "blazepose", 1)
    assert config.view == "both"
    assert config.every_frame is None
    assert config.record == ()
    assert 0 <= config.smooth <= 1


def test_file_takes_both_spellings_and_every_type(settings: Path) -> None:
    settings.write_text(
        'source = 0\nmax-frames = 7\nevery_frame = true\nsmooth = "off"\nrecord = "a/o.npz"\n'
        "fps = 30\nfov-deg = 70.5\nmirror = true\nview = 'none'\nwidth = 640\nheight = 480\n"
    )
    config = build_config({}, settings)
    assert config.source == "0"
    assert config.max_frames == 7
    assert config.every_frame is True
    assert config.smooth == 0.0
    assert config.record == (Path("a/o.npz"),)
    assert config.fps == 30.0
    assert config.fov_deg == 70.5
    assert config.mirror
    assert (config.width, config.height) == (640, 480)


def test_every_setting_can_stand_in_a_file(settings: Path) -> None:
    lines = {
        "source": "'x.mp4'",
        "engine": "'e'",
        "backend": "'onnxruntime'",
        "tracker": "'mediapipe'",
        "tracker-model": "'heavy'",
        "detector": "'yolov3'",
        "max-people": "3",
        "detect-every": "5",
        "refine": "false",
        "temporal": "'window'",
        "smooth": "0.5",
        "view": "'preview'",
        "every-frame": "false",
        "max-frames": "1",
        "record": "['r.npz', 'r.bvh']",
        "record-dir": "'out'",
        "record-fps": "30",
        "bvh-names": "'vrm'",
        "bvh-unit": "'cm'",
        "bvh-bones": "'live'",
        "origin": "'camera'",
        "save-video": "'v.mkv'",
        "snapshot": "'s.png'",
        "stats": "'s.json'",
        "vmc": "['10.0.0.2', 'other']",
        "vmc-avatar": "'a.vrm'",
        "vmc-root": "'both'",
        "vrchat": "':9001'",
        "web": "8000",
        "web-host": "'0.0.0.0'",
        "stream-rate": "30",
        "overwrite": "true",
        "mirror": "true",
        "mirror-avatar": "false",
        "background": "'#00ff00'",
        "width": "1",
        "height": "1",
        "fps": "1",
        "foot-lock": "true",
        "level": "false",
        "calibrate": "false",
        "person-height": "1.75",
        "distance": "3",
        "rotate": "90",
        "fov-deg": "60",
        "log-level": "'debug'",
    }
    assert set(lines) == set(setting_names())
    settings.write_text("\n".join(f"{name} = {value}" for name, value in lines.items()))
    config = build_config({}, settings)
    default = LiveConfig()
    for field in fields(LiveConfig):
        assert getattr(config, field.name) != getattr(default, field.name), field.name


def test_feet_are_locked_where_a_character_moves(subtests: pytest.Subtests) -> None:
    for settings, locks in [
        ({}, False),
        ({"record": "o.npz"}, False),
        ({"record": ("o.npz", "o.BVH")}, True),
        ({"record": "o.glb"}, True),
        ({"vmc": "127.0.0.1"}, True),
        ({"vrchat": "127.0.0.1", "foot_lock": False}, False),
        ({"foot_lock": True}, True),
    ]:
        with subtests.test(settings=settings, locks=locks):
            assert build_config(settings).locks_feet is locks


def test_an_old_name_is_understood_and_said_once(
    settings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.write_text("ground = true\n")
    assert build_config({}, settings).foot_lock is True
    assert build_config({"ground": False}).foot_lock is False
    assert caplog.text.count("ground is now called foot-lock") == 2
    for word, expected in (("--ground", True), ("--no-ground", False)):
        assert build_config(vars(live_parser().parse_args([word]))).foot_lock is expected
    assert "--ground" not in live_parser().format_help()


def test_command_line_beats_file_beats_default(settings: Path) -> None:
    settings.write_text("smooth = 0.9\nview = 'preview'\nmirror = true\n")
    config = build_config({"smooth": 0.1, "mirror": False}, settings)
    assert config.smooth == 0.1
    assert config.mirror is False
    assert config.view == "preview"
    assert config.temporal == LiveConfig().temporal


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_text_as_programs_on_windows_write_it(settings: Path, encoding: str) -> None:
    settings.write_bytes("smooth = 0.5\r\nrecord = 'C:\\Users\\me\\o.npz'\r\n".encode(encoding))
    assert build_config({}, settings).smooth == 0.5


def test_mistakes_name_file_setting_and_remedy(settings: Path, subtests: pytest.Subtests) -> None:
    for line, message in [
        ("sorce = 'x'", "unknown setting 'sorce' (did you mean 'source'?)"),
        ("max_frame = 3", "did you mean 'max-frames'?"),
        ("zzz = 3", "unknown setting 'zzz'; expected one of source, "),
        ("max-frames = 0", "max-frames is 0, expected a whole number of 1 or more"),
        ("max-frames = 2.5", "max-frames is 2.5, expected a whole number"),
        ("max-people = 0", "max-people is 0, expected a whole number of 1 or more"),
        ("detect-every = 1.5", "detect-every is 1.5, expected a whole number"),
        ("tracker-model = 'huge'", "expected one of lite, full, heavy"),
        ("tracker = 'yolov3'", "expected one of auto, blazepose, mediapipe, boxes"),
        ("detector = ''", "detector is '', expected text that is not empty"),
        ("max-frames = true", "max-frames is True, expected a whole number"),
        ("smooth = 1.5", "smooth is 1.5, expected off or a number from 0 to 1"),
        ("smooth = nan", "smooth is nan, expected off or a number from 0 to 1"),
        ("smooth = true", "smooth is True, expected off"),
        ("mirror = 'yes'", "mirror is 'yes', expected true or false"),
        ("view = 'all'", "view is 'all', expected one of both, open3d, preview, files, none"),
        ("view = ['both']", "expected one of both"),
        ("source = -1", "source is -1, expected auto, a camera number"),
        ("source = ''", "source is '', expected auto"),
        ("record = 3", "record is 3, expected the path of a file"),
        ("fov-deg = 200", "fov-deg is 200, expected a number from 5 to 170"),
        ("[view]\nname = 1", "expected one of both"),
        ("max-frames = 1\nmax_frames = 2", "'max-frames' is given twice"),
        ("max-frames = ", "is not valid TOML"),
        ('record = "C:\\Users\\me\\o.npz"', "write paths in single quotes"),
        ('record = ["C:\\new\\o.npz"]', "write paths in single quotes"),
    ]:
        with subtests.test(message=message, line=line):
            settings.write_text(line)
            with pytest.raises(ConfigError) as caught:
                read_settings_file(settings)
            assert str(settings) in str(caught.value)
            assert message in str(caught.value)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read .*No such file"):
        read_settings_file(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings_file(tmp_path)
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_settings_file(binary)


def test_camera_size_comes_as_a_pair() -> None:
    with pytest.raises(ConfigError, match="width is set without height"):
        LiveConfig(width=640)
    with pytest.raises(ConfigError, match="height is set without width"):
        LiveConfig(height=480)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_smooth_is_in_range_or_refused(value: float) -> None:
    if 0 <= value <= 1:
        assert LiveConfig(smooth=value).smooth == value
    else:
        with pytest.raises(ConfigError, match="smooth"):
            LiveConfig(smooth=value)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    config = LiveConfig(source="~/a.mp4", record="~/o.npz", engine="~/e", backend="~")
    assert Path(config.source) == tmp_path / "a.mp4"
    assert config.record == (tmp_path / "o.npz",)
    assert Path(config.engine) == tmp_path / "e"
    assert config.backend == "~"


def test_numbers_may_be_of_numpy_and_fractions() -> None:
    config = LiveConfig(fps=Fraction(30000, 1001), max_people=np.int64(2), source=np.int64(0))
    assert config.fps == pytest.approx(29.97, abs=1e-3)
    assert (type(config.fps), type(config.max_people), config.source) == (float, int, "0")
    for value in (np.float32(25), np.int64(25)):
        assert LiveConfig(fps=value).fps == 25.0
    for value in (np.bool_(True), "25", 10**400, 25j, 0.0, float("nan")):
        with pytest.raises(ConfigError, match="fps is"):
            LiveConfig(fps=value)


def test_names_are_spelled_as_options() -> None:
    assert option_name("save_video") == "save-video"
    assert "fov-deg" in setting_names()


def test_addresses_are_completed_and_checked() -> None:
    config = LiveConfig(vmc="studio", vrchat=":9001", web=8765)
    assert (config.vmc, config.vrchat) == (("studio:39539",), ("127.0.0.1:9001",))
    assert LiveConfig(vmc=["a", "b:1"]).vmc == ("a:39539", "b:1")
    assert config.web_host == "127.0.0.1"
    for name, value in (("vmc", "studio:70000"), ("vrchat", "a b"), ("web", 0), ("web", 65536)):
        with pytest.raises(ConfigError, match=f"^{name}.*expected"):
            LiveConfig(**{name: value})


def test_a_setting_of_an_output_that_is_off_is_refused(subtests: pytest.Subtests) -> None:
    for options in [
        {"vmc_avatar": "a.vrm"},
        {"vmc_root": "both"},
        {"web_host": "::"},
        {"stream_rate": 30.0},
        {"mirror_avatar": True, "web": 8765},
    ]:
        with subtests.test(options=options):
            with pytest.raises(
                ConfigError, match=f"{option_name(next(iter(options)))} is set without"
            ):
                LiveConfig(**options)
    for options in [
        {"bvh_unit": "cm", "record": "npz, BVH", "record_dir": "out"},
        {"record_fps": 30.0, "person_height": 1.7},
        {"bvh_names": "mixamo", "view": "none", "record": ["o.npz", "o.BVH"]},
    ]:
        LiveConfig(**options)


def test_a_preference_without_effect_is_said(caplog: pytest.LogCaptureFixture) -> None:
    for options in [
        {"bvh_names": "mixamo", "record": ["bvh.npz", "o.csv"]},
        {"record_fps": 30.0, "view": "none"},
        {"origin": "camera", "view": "none"},
        {"distance": 2.0, "view": "none", "calibrate": False},
    ]:
        caplog.clear()
        LiveConfig(**options)
        assert f"{option_name(next(iter(options)))} is set without" in caplog.text


def test_films_are_played_at_their_speed_whenever_somebody_watches():
    for settings, is_paced in (
        ({}, True),
        ({"every_frame": True}, False),
        ({"view": "none"}, False),
        ({"view": "files"}, False),
        ({"view": "none", "vmc": "127.0.0.1"}, True),
        ({"view": "none", "vrchat": "127.0.0.1", "every_frame": True}, True),
        ({"view": "files", "web": 8765}, True),
    ):
        assert LiveConfig(**settings).is_paced is is_paced, settings


def test_avatars_are_mirrored_with_the_views_unless_told_otherwise():
    for settings, is_mirrored in (
        ({}, False),
        ({"mirror": True}, True),
        ({"mirror": True, "mirror_avatar": False}, False),
        ({"mirror_avatar": True}, True),
    ):
        assert LiveConfig(vmc="a", **settings).mirrors_avatars is is_mirrored, settings
