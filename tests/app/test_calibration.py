"""Covers calibration in a live run: made, kept for the camera, taken up, refused; it never stops a run."""

import logging

import numpy as np
import pytest

from realtime_vibe.app.calibration import LiveCalibration
from realtime_vibe.app.run import build_pipeline, run
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import ConfigError
from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.video_file import demo_clip_path
from tests.world.conftest import SIZE, Stage, facing
from tests.world.conftest import body as body_fixture
from tests.world.conftest import model as model_fixture

body, model = body_fixture, model_fixture
PLACE = [0, 0.2, 4.0]
CAMERA = SourceInfo(
    name="camera 41", width=SIZE[0], height=SIZE[1], fps=30, frame_count=None, is_live=True
)
FILE = SourceInfo(
    name="a.mp4", width=SIZE[0], height=SIZE[1], fps=30, frame_count=150, is_live=False
)


class Run:
    """The part of a live run that a calibration uses, on one thread."""

    def __init__(self, info):
        self.info = info
        self.pipeline = MotionCapturePipeline(tracker=None, features=None, temporal=None, body=None)
        self.writers = []

    def add_writer(self, writer):
        self.writers.append(writer)

    def post(self, command):
        command()


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _stand(calibration, body, seconds=3.0):
    stage = Stage(body)
    person = stage.person(stage.params(facing(), PLACE), PLACE)
    for index in range(round(30 * seconds)):
        calibration.write(stage.result([person], index / 30))


def _attached(model, info=CAMERA, **settings):
    run_, calibration = Run(info), LiveCalibration(LiveConfig(**settings), model, "engine")
    calibration.attach(run_)
    return run_, calibration


def test_a_calibration_is_kept_and_taken_up_by_the_next_run(model, body, own_folder):
    first, calibration = _attached(model, calibrate=True, person_height=1.8)
    assert first.writers == [calibration]
    assert "stand still" in calibration.message
    _stand(calibration, body)
    assert "calibrated: body 1.80 m tall" in calibration.message
    assert len(list(own_folder.rglob("*.json"))) == 1
    second, quiet = _attached(model)
    np.testing.assert_array_equal(second.pipeline.T_world_camera, first.pipeline.T_world_camera)
    assert not np.allclose(first.pipeline.T_world_camera, T_WORLD_CAMERA)
    assert quiet.message == ""


def test_a_kept_one_that_does_not_fit_is_left_out(model, body, subtests):
    for settings in [
        {"calibrate": False},
        {"person_height": 1.7},
        {"fov_deg": 70.0},
        {"distance": 2.0},
    ]:
        with subtests.test(settings=settings):
            _, calibration = _attached(model, calibrate=True, person_height=1.8)
            _stand(calibration, body)
            run_, _ = _attached(model, **settings)
            np.testing.assert_array_equal(run_.pipeline.T_world_camera, T_WORLD_CAMERA)


def test_another_camera_or_size_has_none(model, body):
    _, calibration = _attached(model, calibrate=True)
    _stand(calibration, body)
    other = SourceInfo(
        name="camera 41", width=1280, height=720, fps=30, frame_count=None, is_live=True
    )
    run_, _ = _attached(model, info=other)
    np.testing.assert_array_equal(run_.pipeline.T_world_camera, T_WORLD_CAMERA)


def test_the_key_begins_anew_from_what_is_seen(model, body):
    run_, calibration = _attached(model)
    assert run_.writers == []
    calibration.start()
    _stand(calibration, body)
    before = run_.pipeline.T_world_camera
    calibration.start()
    np.testing.assert_array_equal(run_.pipeline.T_world_camera, T_WORLD_CAMERA)
    assert run_.writers == [calibration]
    _stand(calibration, body)
    np.testing.assert_allclose(run_.pipeline.T_world_camera, before, atol=1e-5)


def test_nothing_is_kept_of_a_file(model, body, own_folder):
    run_, calibration = _attached(model, info=FILE, calibrate=True)
    _stand(calibration, body)
    assert not np.allclose(run_.pipeline.T_world_camera, T_WORLD_CAMERA)
    assert list(own_folder.rglob("*.json")) == []


def test_a_damaged_file_is_said_and_left_out(model, body, own_folder, caplog):
    _, calibration = _attached(model, calibrate=True)
    _stand(calibration, body)
    next(own_folder.rglob("*.json")).write_text("{")
    with caplog.at_level(logging.WARNING):
        run_, _ = _attached(model)
    assert "delete it" in caplog.text
    np.testing.assert_array_equal(run_.pipeline.T_world_camera, T_WORLD_CAMERA)


def test_a_folder_that_cannot_be_written_costs_the_file_only(model, body, own_folder, caplog):
    (own_folder / "realtime-vibe").write_text("in the way")
    (own_folder / "Library").write_text("in the way")
    run_, calibration = _attached(model, calibrate=False)
    calibration.start()
    with caplog.at_level(logging.WARNING):
        _stand(calibration, body)
    assert "holds for this run" in caplog.text
    assert not np.allclose(run_.pipeline.T_world_camera, T_WORLD_CAMERA)


def test_a_run_that_ends_first_says_so(model, body, caplog):
    _, calibration = _attached(model, calibrate=True)
    _stand(calibration, body, seconds=1.0)
    with caplog.at_level(logging.WARNING):
        calibration.close()
        calibration.close()
    assert caplog.text.count("the run ended before the calibration: hold still") == 1


def test_absurd_numbers_are_refused(subtests):
    for settings in [{"person_height": 0.2}, {"person_height": 17.5}, {"distance": 0.0}]:
        with subtests.test(settings=settings):
            with pytest.raises(ConfigError):
                LiveConfig(**settings)


def test_the_log_has_its_start_and_its_end_alone(model, body, caplog):
    caplog.set_level(logging.INFO)
    _, calibration = _attached(model, FILE, calibrate=True)
    stage = Stage(body)
    for index in range(320):
        place = [0.4 * (index // 6 % 2), 0.2, 4.0]
        calibration.write(
            stage.result([stage.person(stage.params(facing(), place), place)], index / 10)
        )
    assert [record.getMessage() for record in caplog.records] == [
        "calibration: stand still, head and feet in the picture",
        "calibration gave up after 30 s: keep still",
    ]


def test_a_height_needs_one_person(model):
    with pytest.raises(ConfigError, match="max-people"):
        LiveCalibration(LiveConfig(person_height=1.7, max_people=2), model, "engine")


def test_a_real_run_with_everything_on_goes_through(tmp_path):
    out = tmp_path / "o.npz"
    config = LiveConfig(
        source=str(demo_clip_path()), view="none", max_frames=30, record=(out,), foot_lock=True,
        calibrate=True, person_height=1.7,
    )  # fmt: skip
    assert run(config) == 0
    with out.open("rb") as file, np.load(file) as motion:
        assert np.isfinite(motion["joints_camera"]).all()
        assert len(motion["poses"]) == 30


def test_smooth_off_and_no_ground_give_the_networks_own_words():
    built = build_pipeline(LiveConfig(smooth=0.0))
    built.pipeline.close()
    assert built.pipeline._corrections is None
