"""The hot path on small stand-ins: order, empty frames, placement, identity, memory."""

import threading

import numpy as np
import pytest

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.features.landmark_features import FEATURE_SIZE, LandmarkFeatures
from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.camera import project
from realtime_vibe.packets import BodyMesh, Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.temporal.stage import TemporalStage
from realtime_vibe.world.leveler import Leveler


class ScriptedTracker:
    """Gives people with the ids of the script, one entry a frame."""

    saw_cut = False

    def __init__(self, script):
        self.script = iter(script)
        self.last_s = {}
        self.closed = False

    def update(self, frame):
        people = []
        for track_id in next(self.script):
            rng = np.random.default_rng(track_id)
            image = rng.uniform(100, 300, (33, 3)).astype(np.float32)
            marks = PoseLandmarks(
                image_px=image,
                world_m=rng.standard_normal((33, 3)).astype(np.float32),
                visibility=np.ones(33, np.float32),
                presence=1.0,
            )
            dt_s = frame.captured_at_s - self.last_s.get(track_id, frame.captured_at_s)
            self.last_s[track_id] = frame.captured_at_s
            box = np.array([100, 100, 300, 300], np.float32)
            people.append(
                TrackedPerson(
                    track_id=track_id, bbox_xyxy=box, score=1.0, dt_s=dt_s, landmarks=marks
                )
            )
        return tuple(people)

    def reset(self):
        self.last_s.clear()

    def close(self):
        self.closed = True


class CountingSession:
    """A motion model whose state counts the frames it has seen."""

    inputs = (
        TensorSpec(name="features", shape=("P", FEATURE_SIZE), dtype="float32"),
        TensorSpec(name="hidden", shape=(1, "P", 1), dtype="float32"),
    )
    outputs = ()
    backend = "counting"

    def run(self, feeds):
        people = len(feeds["features"])
        hidden = feeds["hidden"] + 1
        rotmat = np.broadcast_to(np.eye(3, dtype=np.float32), (people, 24, 3, 3))
        betas = np.repeat(hidden[0], 10, axis=1).astype(np.float32)
        camera = np.tile(np.array([1.0, 0.0, 0.0], np.float32), (people, 1))
        return {"rotmat": rotmat, "betas": betas, "weak_camera": camera, "next_hidden": hidden}

    def close(self):
        pass


class PointBody:
    """A body of one vertex at its origin."""

    def joints(self, global_orient, body_pose, betas, transl):
        return np.tile(transl, (24, 1)).astype(np.float32)

    def forward(self, global_orient, body_pose, betas, transl):
        joints = self.joints(global_orient, body_pose, betas, transl)
        return BodyMesh.of(vertices=transl[None], joints=joints, transl=transl)


def _pipeline(script, mode="stream", smooth=0.0, session=None, leveler=None):
    return MotionCapturePipeline(
        tracker=ScriptedTracker(script),
        features=LandmarkFeatures(1.1),
        temporal=TemporalStage(MotionModel(session or CountingSession()), mode=mode, smooth=smooth),
        body=PointBody(),
        leveler=leveler,
    )


def _frame(index, at_s=None, size=(640, 480)):
    at_s = index / 30 if at_s is None else at_s
    image = np.zeros((size[1], size[0], 3), np.uint8)
    return Frame(image_bgr=image, index=index, captured_at_s=at_s, grabbed_at_s=at_s)


class BreathingSession(CountingSession):
    """A model that takes the person for larger and smaller in turn."""

    def run(self, feeds):
        out = super().run(feeds)
        out["weak_camera"][:, 0] += 0.1 * (-1.0) ** feeds["hidden"][0, :, 0]
        return out


def test_the_mesh_is_drawn_at_the_distance_of_its_own_frame():
    steady = _pipeline([(0,)] * 6, smooth=0.9, session=BreathingSession())
    raw = _pipeline([(0,)] * 6, session=BreathingSession())
    offsets = []
    for index in range(6):
        person = steady.step(_frame(index)).people[0]
        pelvis = person.mesh.joints[0]
        np.testing.assert_allclose(np.cross(pelvis, person.nearer_m), 0.0, atol=1e-5)
        offsets.append(person.in_picture(pelvis)[2] - pelvis[2])
        assert not raw.step(_frame(index)).people[0].nearer_m.any()
    assert min(offsets) < -0.01
    assert max(offsets) > 0.01


def test_nobody_in_view_is_no_error():
    result = _pipeline([()]).step(_frame(0))
    assert result.people == ()
    assert set(result.stage_ms) == {"track", "features", "temporal", "body", "step"}


def test_stages_add_up_to_the_step():
    result = _pipeline([(0,)]).step(_frame(0))
    parts = sum(result.stage_ms[name] for name in ("track", "features", "temporal", "body"))
    assert parts <= result.stage_ms["step"]


def test_the_body_stands_where_the_crop_was():
    """A weak camera of scale 1 without offset puts the origin in the crop's middle."""
    result = _pipeline([(0,)]).step(_frame(0))
    pixel = project(result.people[0].mesh.vertices, (640, 480), result.focal_px)
    np.testing.assert_allclose(pixel[0], [200, 200], atol=0.1)


def test_reset_shape_takes_the_next_estimate():
    pipeline = _pipeline([(0,)] * 3)
    pipeline.step(_frame(0))
    pipeline.step(_frame(1))
    pipeline.reset_shape()
    assert pipeline.step(_frame(2)).people[0].params.betas[0] == 3.0


def test_a_turned_picture_starts_everything_over(caplog):
    leveler = Leveler()
    pipeline = _pipeline([(0,)] * 4, leveler=leveler)
    for index in range(3):
        pipeline.step(_frame(index))
    leveler.T_world_camera = np.eye(4, dtype=np.float32)  # as for a camera that looks down
    turned = pipeline.step(_frame(3, size=(480, 640)))
    assert turned.people[0].params.betas[0] == 1.0  # the memory of three frames is gone
    np.testing.assert_array_equal(turned.T_world_camera, T_WORLD_CAMERA)
    assert "480x640" in caplog.text


def test_after_a_cut_nobody_is_held_and_the_camera_is_another_one():
    leveler = Leveler()
    pipeline = _pipeline([(0,), (), (), (1,)], leveler=leveler)
    pipeline.step(_frame(0))
    assert pipeline.step(_frame(1)).held
    leveler.T_world_camera = np.eye(4, dtype=np.float32)  # as for a camera that looks down
    pipeline._tracker.saw_cut = True
    after = pipeline.step(_frame(2))
    assert not after.held
    np.testing.assert_array_equal(after.T_world_camera, T_WORLD_CAMERA)


class OverflowingSession(CountingSession):
    """Gives a number that no body has for the first person of the third frame."""

    def __init__(self, name, value=np.nan, index=0):
        self.name, self.value, self.index, self.frame = name, value, index, -1

    def run(self, feeds):
        self.frame += 1
        out = {name: np.array(value) for name, value in super().run(feeds).items()}
        if self.frame == 2:
            own = out[self.name].swapaxes(0, self.name == "next_hidden")[0]
            own.flat[self.index] = self.value
        return out


@pytest.mark.fault
def test_who_cannot_be_computed_starts_over_and_others_go_on(caplog, subtests):
    for wrong in [
        *((name, np.nan) for name in ("rotmat", "betas", "weak_camera", "next_hidden")),
        ("next_hidden", 1e30),
        ("rotmat", 1e30),
        ("rotmat", 5.0),  # finite, but no rotation
        ("betas", 1e30),  # would stay in the mean for minutes
        ("weak_camera", 0.0),  # a scale that puts the person kilometres away
        ("weak_camera", -1.0),
        ("weak_camera", 1e3),  # at the lens
        ("weak_camera", np.inf),
        ("weak_camera", np.nan, 1),
        ("weak_camera", 30.0, 2),  # far outside the crop
        ("weak_camera", 1e30, 1),  # a place that smoothing would return from for long
    ]:
        with subtests.test(wrong=wrong):
            caplog.clear()
            pipeline = _pipeline([(0, 1)] * 4, smooth=0.5, session=OverflowingSession(*wrong))
            results = [pipeline.step(_frame(index)) for index in range(4)]
            assert [len(result.people) for result in results] == [2, 2, 1, 2]
            assert results[2].people[0].person.track_id == 1
            for person in results[3].people:
                assert np.abs(person.mesh.joints).max() < 100
                assert person.params.betas.max() < 10
            assert "frame 2" in caplog.text
            assert pipeline.num_started_over == 1


def test_close_reaches_the_tracker():
    tracker_pipeline = _pipeline([()])
    tracker_pipeline.close()
    assert tracker_pipeline._tracker.closed


@pytest.mark.fault
def test_close_leaves_a_network_alone_that_never_returns(monkeypatch, caplog):
    monkeypatch.setattr("realtime_vibe.pipeline._LAST_STEP_S", 0.01)
    inside, released = threading.Event(), threading.Event()

    class Hanging(CountingSession):
        def run(self, feeds):
            inside.set()
            released.wait()
            return super().run(feeds)

    pipeline = _pipeline([(0,)], session=Hanging())
    thread = threading.Thread(target=pipeline.step, args=(_frame(0),))
    thread.start()
    inside.wait()
    pipeline.close()
    assert not pipeline._tracker.closed
    assert "does not return" in caplog.text
    released.set()
    thread.join()
