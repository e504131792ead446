"""Covers the command line: words to settings, exit codes, one-line errors, and a quick --help.

What a live run does with the settings is covered by the tests of the app.
"""

import logging
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime_vibe import __version__
from realtime_vibe.app.settings import LiveConfig, setting_names
from realtime_vibe.cli import camera_choice, main
from realtime_vibe.errors import SourceError
from realtime_vibe.outputs.view.keys import key_texts

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("cv2", "numpy", "onnxruntime", "open3d", "torch", "tqdm", "mediapipe")


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root, package = logging.getLogger(), logging.getLogger("realtime_vibe")
    handlers, levels = root.handlers[:], (root.level, package.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    package.setLevel(levels[1])


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[LiveConfig]:
    """The settings that reach the app, which is replaced by one that returns at once."""
    seen: list[LiveConfig] = []

    def run(config: LiveConfig) -> int:
        seen.append(config)
        return 0

    _replace_app(monkeypatch, run)
    return seen


def _replace_app(monkeypatch: pytest.MonkeyPatch, run: object) -> None:
    app = types.ModuleType("realtime_vibe.app.run")
    app.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "realtime_vibe.app.run", app)


def test_no_words_are_the_defaults(runs: list[LiveConfig]) -> None:
    assert main.main([]) == 0
    assert runs == [LiveConfig()]


def test_every_option_reaches_the_app(runs: list[LiveConfig]) -> None:
    given = (
        "--source 1 --engine e --backend onnxruntime --tracker mediapipe --tracker-model lite --detector out/d "
        "--max-people 2 --detect-every 5 --no-refine "
        "--temporal window --smooth off --view none --every-frame --max-frames 9 --record o.npz --save-video o.mkv "
        "--snapshot o.png --stats o.json --overwrite --mirror --width 640 --height 480 --fps 30 "
        "--fov-deg 70 --log-level debug"
    )
    assert main.main(shlex.split(given)) == 0
    expected = LiveConfig(
        source="1",
        engine="e",
        backend="onnxruntime",
        tracker="mediapipe",
        tracker_model="lite",
        detector="out/d",
        max_people=2,
        detect_every=5,
        refine=False,
        temporal="window",
        smooth=0.0,
        view="none",
        every_frame=True,
        max_frames=9,
        record=(Path("o.npz"),),
        save_video=Path("o.mkv"),
        snapshot=Path("o.png"),
        stats=Path("o.json"),
        overwrite=True,
        mirror=True,
        width=640,
        height=480,
        fps=30.0,
        fov_deg=70.0,
        log_level="debug",
    )
    assert runs == [expected]


def test_command_line_beats_the_file(runs: list[LiveConfig], tmp_path: Path) -> None:
    settings = tmp_path / "s.toml"
    settings.write_text("mirror = true\nevery-frame = true\nsmooth = 0.9\nview = 'none'\n")
    assert main.main(["--config", str(settings), "--no-mirror", "--smooth", "0.2"]) == 0
    assert runs == [LiveConfig(mirror=False, every_frame=True, smooth=0.2, view="none")]


def test_every_setting_is_an_option_and_explained() -> None:
    text = main.live_parser().format_help()
    for name in setting_names():
        assert f"--{name}" in text
    for word in (
        "doctor",
        "cameras",
        "init",
        "recover",
        "examples:",
        "keys in the windows:",
        "--config",
    ):
        assert word in text


def test_mistakes_are_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], subtests: pytest.Subtests
) -> None:
    for words, message in [
        (["--sourc", "x"], "unrecognized arguments: --sourc"),
        (["--view", "all"], "--view"),
        (["--max-frames", "many"], "--max-frames"),
        (["--max-frames", "0"], "max-frames is 0"),
        (["--max-people", "0"], "max-people is 0"),
        (["--detect-every", "often"], "--detect-every"),
        (["--tracker", "yolov3"], "--tracker"),
        (["--tracker-model", "huge"], "--tracker-model"),
        (["--smooth", "2"], "smooth is 2.0, expected off or a number from 0 to 1"),
        (["--smooth", "\x1b[2J\n\udcff"], "--smooth"),
        (["--web", "9" * 9000], "--web"),
        (["--smooth", "no"], "got 'no', expected off or a number from 0 to 1"),
        (["--record", ""], "record is ['']"),
        (["--height", "1.75"], "--person-height"),
        (["--person-height", "9"], "person-height is 9.0, expected metres from 0.9 to 2.4"),
        (["--config", "gone.toml"], "gone.toml"),
        (["--source"], "--source"),
        (["docter"], "did you mean 'doctor'?"),
        (["dance.mp4", "--source", "0"], "give one of them"),
        (["a.mp4", "b.mp4", "--record", "a.npz"], "--record-dir DIR"),
        (["a.mp4", "--record-dir", "out", "--record", "a.npz"], "expected an ending"),
        (["*.nothing"], "no file matches"),
        (["doctor", "--no-such"], "--no-such"),
        (["recover"], "OUT.npz.part"),
        (["recover", "gone.npz.part"], "gone.npz.part: cannot be read"),
    ]:
        with subtests.test(message=message, words=words):
            try:
                code: object = main.main(words)
            except SystemExit as stop:
                code = stop.code
            assert code == 2
            printed = capsys.readouterr()
            assert printed.out == ""
            assert printed.err.startswith("realtime-vibe: error: ")
            assert printed.err.removesuffix("\n").isprintable()
            assert len(printed.err) < 2500
            assert message in printed.err


def test_clips_stand_anywhere_among_the_options(runs: list[LiveConfig]) -> None:
    for words in (["a.mp4", "--view", "none"], ["--view", "none", "a.mp4"]):
        assert main.main(words) == 0
    assert main.main(["a.mp4", "--view", "none", "b.mp4"]) == 0
    assert main.main(["--view", "none", "--", "-c.mp4", "--web"]) == 0
    sources = [config.source for config in runs]
    assert sources == ["a.mp4", "a.mp4", "a.mp4", "b.mp4", "-c.mp4", "--web"]
    assert {config.view for config in runs} == {"none"}


def test_our_errors_are_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(config: LiveConfig) -> int:
        raise SourceError("x.mp4 is empty:\n  expected a video")

    _replace_app(monkeypatch, run)
    assert main.main(["--source", "x.mp4"]) == 2
    expected = "realtime-vibe: error: x.mp4 is empty: expected a video\n"
    assert capsys.readouterr().err == expected


def test_ctrl_c_exits_130_and_bugs_keep_their_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(config: LiveConfig) -> int:
        raise KeyboardInterrupt

    def broken(config: LiveConfig) -> int:
        raise ZeroDivisionError("a bug")

    _replace_app(monkeypatch, interrupted)
    assert main.main([]) == 130
    _replace_app(monkeypatch, broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main.main([])


def test_a_camera_is_asked_for_before_the_app_starts(
    runs: list[LiveConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(camera_choice, "choose_camera", lambda *_: 2)
    settings = tmp_path / "s.toml"
    settings.write_text('source = "ask"')
    assert main.main(["--source", "ask", "--mirror"]) == 0
    assert main.main(["--config", str(settings)]) == 0
    assert runs == [LiveConfig(source="2", mirror=True), LiveConfig(source="2")]


def test_init_writes_what_config_reads(
    runs: list[LiveConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.main(["init"]) == 0
    assert "--config realtime-vibe.toml" in capsys.readouterr().out
    assert main.main(["--config", "realtime-vibe.toml"]) == 0
    assert main.main(["init"]) == 2
    assert "realtime-vibe.toml: exists" in capsys.readouterr().err
    assert main.main([]) == 0, "the file is there, and not read unless it is asked for"
    assert runs == [LiveConfig(), LiveConfig()]


def test_list_keys_shows_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main(["--list-keys"])
    assert stop.value.code == 0
    shown = [re.split(r" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert shown == [[keys, text] for text, keys in key_texts().items()]


def test_the_apps_exit_code_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_app(monkeypatch, lambda _config: 143)
    assert main.main([]) == 143


def test_messages_go_to_stderr_plainly(
    runs: list[LiveConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    main.main([])
    log = logging.getLogger("realtime_vibe.anything")
    log.info("camera 0")
    log.warning("it stalls")
    log.debug("hidden")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "realtime-vibe: camera 0\nrealtime-vibe: warning: it stalls\n"


@pytest.mark.parametrize("start", [["-m", "realtime_vibe"], ["run_live.py"]])
def test_help_and_version_need_nothing_installed(start: list[str]) -> None:
    block = "import runpy, sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in HEAVY)
    if start[0] == "-m":
        block += "runpy.run_module('realtime_vibe', run_name='__main__')"
    else:
        block += "runpy.run_path('run_live.py', run_name='__main__')"
    for option, message in (
        ("--help", "--source"),
        ("--version", __version__),
        ("--list-keys", "quit"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", block, option],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert message in done.stdout
        assert done.stderr == ""
