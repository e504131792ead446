"""The published model live: from the files to meshes on a clip, several people at once, all modes."""

import json

import cv2
import numpy as np
import pytest

from realtime_vibe.app.run import build_pipeline
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.cli.main import main
from realtime_vibe.errors import ConfigError
from realtime_vibe.geometry.camera import square_of_bbox
from realtime_vibe.packets import Frame, TrackedPerson
from realtime_vibe.sources.video_file import demo_clip_path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class GivenBoxes:
    """A tracker that says the same every frame."""

    saw_cut = False

    def __init__(self, **boxes):
        self.boxes = {int(name[1:]): np.array(box, np.float32) for name, box in boxes.items()}

    def update(self, frame):
        return tuple(
            TrackedPerson(track_id=track_id, bbox_xyxy=box, score=1.0, dt_s=1 / 30)
            for track_id, box in self.boxes.items()
        )

    def reset(self):
        pass

    def close(self):
        pass


@pytest.fixture(scope="module")
def frames():
    capture = cv2.VideoCapture(str(demo_clip_path()))
    images = [capture.read()[1] for _ in range(3)]
    capture.release()
    return [
        Frame(image_bgr=image, index=index, captured_at_s=index / 30, grabbed_at_s=0.0)
        for index, image in enumerate(images)
    ]


@pytest.fixture
def run(official_engine, frames):
    """Results of every frame, for each of the trackers anew."""

    def over_frames(*trackers, **settings):
        config = LiveConfig(engine=str(official_engine), view="none", smooth=0.0, **settings)
        pipeline = build_pipeline(config).pipeline
        pipeline._tracker.close()
        runs = []
        try:
            for tracker in trackers:
                pipeline._tracker = tracker
                pipeline.reset()
                runs.append([pipeline.step(frame) for frame in frames])
            return runs
        finally:
            pipeline.close()

    return over_frames


@pytest.mark.parametrize("temporal", ["stream", "window"])
def test_people_together_are_as_each_alone(run, temporal):
    height, width = 720, 1280
    boxes = {"p3": (50, 40, 300, 500), "p7": (width // 2, 100, width // 2 + 200, height)}
    one_each = [GivenBoxes(**{name: box}) for name, box in boxes.items()]
    together, *each_alone = run(GivenBoxes(**boxes), *one_each, temporal=temporal)
    for index, (name, alone) in enumerate(zip(boxes, each_alone, strict=True)):
        for both, one in zip(together, alone, strict=True):
            got, expected = both.people[index], one.people[0]
            assert got.person.track_id == expected.person.track_id == int(name[1:])
            np.testing.assert_allclose(got.params.body_pose, expected.params.body_pose, atol=1e-4)
            np.testing.assert_allclose(got.mesh.vertices, expected.mesh.vertices, atol=2e-3)


def test_the_camera_lives_in_the_square_with_the_margin(run):
    box = (200, 100, 400, 600)
    ((*_, last),) = run(GivenBoxes(p0=box))
    (person,) = last.people
    np.testing.assert_allclose(person.square_px, square_of_bbox(np.array(box), 1.1), rtol=1e-6)
    assert person.square_px[2] == pytest.approx(550)


def test_nobody_in_view_runs_no_network(run, monkeypatch):
    def refuse(*_):
        raise AssertionError("a network ran")

    monkeypatch.setattr("realtime_vibe.features.resnet_features.ImageCrops.extract", refuse)
    monkeypatch.setattr("realtime_vibe.temporal.motion_model.MotionModel.step", refuse)
    (results,) = run(GivenBoxes())
    assert all(result.people == () for result in results)


def test_a_fused_engine_refuses_to_run_windows(official_fused_engine):
    config = {"engine": str(official_fused_engine), "view": "none"}
    with pytest.raises(ConfigError, match="--temporal stream"):
        build_pipeline(LiveConfig(**config, temporal="window"))
    build_pipeline(LiveConfig(**config)).pipeline.close()


def test_the_program_records_the_49_joints(official_engine, tmp_path):
    record, stats = tmp_path / "v.npz", tmp_path / "v.json"
    options = ["--engine", official_engine, "--source", demo_clip_path(), "--view", "none"]
    options += ["--max-frames", 12, "--record", record, "--stats", stats]
    assert main([str(option) for option in options]) == 0
    with np.load(record) as take:
        assert take["kp_3d"].shape == (12, 49, 3)
        assert take["kp_2d"].shape == (12, 49, 2)
        assert np.isfinite(take["poses"]).all()
    report = json.loads(stats.read_text())
    assert report["engine"] == official_engine.name
    assert report["precision"] == "fp32"
