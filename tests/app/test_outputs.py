"""Keys and outputs of a live run, on the real pipeline and a display without windows."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.outputs import LiveOutputs
from realtime_vibe.app.run import build_pipeline, run
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.outputs.view.display import Display
from realtime_vibe.outputs.view.keys import Action
from realtime_vibe.sources.factory import open_source


class KeyedDisplay(Display):
    """Draws as `Display` without windows does; its keys come from a script."""

    def __init__(self, faces):
        super().__init__(faces, view="none")
        self.keys = []
        self.huds = []

    def show(self, result, hud):
        super().show(result, hud)
        self.huds.append(hud)

    def poll(self):
        keys, self.keys = self.keys, []
        return keys


@pytest.fixture(scope="module")
def built():
    made = build_pipeline(LiveConfig())
    yield made
    made.pipeline.close()


@pytest.fixture
def session(built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built.pipeline.reset()
    config = LiveConfig(source="synthetic", view="preview")
    source = open_source("synthetic", paced=True)
    live = LiveRun(source, built.pipeline, StatsCollector(), every_frame=False, max_frames=None)
    outputs = LiveOutputs(config)
    display = KeyedDisplay(built.faces)
    outputs.attach(live, built.faces, built.recorded_body)
    live.start()

    def rounds(until, limit=3000):
        for _ in range(limit):
            assert outputs.serve(display, live, ("engine", "backend"))
            if until():
                return
        pytest.fail("it never happened")

    yield live, outputs, display, rounds
    live.close()


def test_the_status_text_says_what_happens(session):
    live, _, display, rounds = session
    rounds(lambda: live.frames_processed > 5)
    hud = display.huds[-1]
    assert hud.inference_fps > 0
    assert hud.engine == "engine"
    assert hud.temporal == "stream"
    assert hud.num_people == 1


def test_record_twice_makes_a_file_and_ends_it(session, tmp_path):
    live, _, display, rounds = session
    rounds(lambda: live.frames_processed > 2)
    display.keys = [Action.RECORD]
    before = live.frames_processed
    rounds(lambda: live.frames_processed > before + 5)
    assert display.huds[-1].is_recording
    display.keys = [Action.RECORD]
    rounds(lambda: list(tmp_path.glob("recording-*.npz")) != [])
    assert not display.huds[-1].is_recording
    with np.load(next(tmp_path.glob("recording-*.npz"))) as motion:
        assert len(motion["poses"]) >= 3


def test_space_rests_and_goes_on(session):
    live, _, display, rounds = session
    rounds(lambda: live.frames_processed > 2)
    display.keys = [Action.PAUSE]
    rounds(lambda: live.paused)
    rounds(lambda: display.huds[-1].is_paused)
    display.keys = [Action.PAUSE]
    rounds(lambda: not live.paused)
    before = live.frames_processed
    rounds(lambda: live.frames_processed > before + 2)


def test_screenshot_and_shape_reset(session, tmp_path):
    live, _, display, rounds = session
    rounds(lambda: live.frames_processed > 2)
    display.keys = [Action.SCREENSHOT, Action.RESET_SHAPE]
    rounds(lambda: list(tmp_path.glob("screenshot-*.png")) != [])
    before = live.frames_processed
    rounds(lambda: live.frames_processed > before + 1)


def test_quit_ends_the_round(session):
    live, outputs, display, rounds = session
    rounds(lambda: live.frames_processed > 1)
    display.keys = [Action.QUIT]
    assert not outputs.serve(display, live, ("engine", "backend"))


def test_a_recording_that_is_still_running_is_finished_by_close(session, tmp_path):
    live, _, display, rounds = session
    rounds(lambda: live.frames_processed > 2)
    display.keys = [Action.RECORD]
    before = live.frames_processed
    rounds(lambda: live.frames_processed > before + 3)
    live.close()
    assert len(list(tmp_path.glob("recording-*.npz"))) == 1
    assert list(tmp_path.glob("*.part")) == []


def test_statistics_are_written_even_without_frames(tmp_path):
    from realtime_vibe.outputs.stats import RunFacts

    config = LiveConfig(view="none", stats=tmp_path / "s.json", snapshot=tmp_path / "s.png")
    facts = RunFacts(frames_grabbed=0, frames_dropped=0, engine="e", backend="b", precision="fp32")
    faces = np.zeros((0, 3), np.int32)
    live = SimpleNamespace(latest_result=None, stats=StatsCollector())
    LiveOutputs(config).finish(live, facts, faces)
    assert json.loads((tmp_path / "s.json").read_text())["fps"] is None
    assert not (tmp_path / "s.png").exists()


def test_number_keys_say_that_one_person_is_followed(session):
    live, _, display, rounds = session
    rounds(lambda: live.frames_processed > 2)
    display.keys = [Action.LOCK_1]
    rounds(lambda: "--max-people" in display.huds[-1].message)
    assert display.lock is None  # made by hand here: `open_display` gives it


def test_the_lock_reaches_avatars_and_ends_with_zero(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = LiveConfig(source="synthetic", view="preview", max_people=2)
    built = build_pipeline(config)
    # Time passes with the frames: on a slow machine the person would be lost between two of them.
    source = open_source("synthetic", paced=False)
    live = LiveRun(source, built.pipeline, StatsCollector(), every_frame=True, max_frames=None)
    outputs, display = LiveOutputs(config), KeyedDisplay(built.faces)
    outputs.attach(live, built.faces, built.recorded_body)
    live.start()
    try:
        for key, words in (
            (Action.LOCK_1, "following person 1"),
            (Action.LOCK_4, "there is no person 4: 1 in view"),
            (Action.RELEASE, "person released"),
        ):
            before = live.frames_processed
            while live.frames_processed < before + 5 or not live.latest_result.people:
                assert outputs.serve(display, live, ("engine", "backend"))
            display.keys = [key]
            for _ in range(2):
                assert outputs.serve(display, live, ("engine", "backend"))
            assert words in display.huds[-1].message
    finally:
        live.close()
        built.pipeline.close()


def test_a_transparent_snapshot_is_the_body_alone(tmp_path):
    path = tmp_path / "x.png"
    config = LiveConfig(
        source="synthetic", view="none", max_frames=8, snapshot=path, background="transparent"
    )
    assert run(config) == 0
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture.shape[2] == 4
    assert picture[0, 0, 3] == 0
    assert 0.02 < (picture[..., 3] == 255).mean() < 0.6
