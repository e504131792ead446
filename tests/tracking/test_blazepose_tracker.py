"""The tracker's decisions, on scripted networks; then the real networks on real clips."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.packets import Frame
from realtime_vibe.tracking.blazepose_detector import BlazePoseDetector, anchor_centers
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker
from realtime_vibe.tracking.factory import make_blazepose_tracker
from tests.tracking.standing_body import as_output, spread_out, standing_body

ENGINE = Path(__file__).resolve().parents[2] / "engines" / "blazepose"
SIZE = 400
"""Side of the scripted frames [px]."""


class ScriptedSession(ABC):
    """A graph whose answers the test sets."""

    inputs = (TensorSpec(name="image_bgr", shape=(1, 1, 1, 3), dtype="uint8"),)
    outputs: tuple[TensorSpec, ...] = ()
    backend = "scripted"

    def __init__(self) -> None:
        self.calls = 0
        self.is_closed = False

    @abstractmethod
    def answer(self) -> dict[str, Any]: ...

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.calls += 1
        assert feeds["image_bgr"].dtype == np.uint8
        return self.answer()

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> "ScriptedSession":
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


class ScriptedDetector(ScriptedSession):
    """Sees people as (x, y, radius) [px]."""

    def __init__(self) -> None:
        super().__init__()
        self.people: list[tuple[float, float, float]] = []
        self.logit = 5.0

    def answer(self) -> dict[str, Any]:
        boxes = np.zeros((1, 2254, 12), np.float32)
        scores = np.full((1, 2254, 1), -50.0, np.float32)
        centers = anchor_centers()
        for row, (x, y, radius) in enumerate(self.people):
            hips = np.array([x, y]) / SIZE
            top = np.array([x, y - radius]) / SIZE
            points = np.concatenate([hips, top, hips, top]) - np.tile(centers[row], 4)
            boxes[0, row] = np.concatenate([hips - centers[row], [0.01, 0.01], points]) * 224
            scores[0, row] = self.logit
        return {"boxes": boxes, "scores": scores}


class ScriptedLandmarks(ScriptedSession):
    """Keeps the region where it is; gives the presence the test sets, then the last for ever."""

    def __init__(self, *presence: float) -> None:
        super().__init__()
        self.presence = list(presence)
        self.world_m = standing_body()

    def answer(self) -> dict[str, Any]:
        points = np.full((39, 5), 128.0, np.float32)
        spread_out(points)
        points[34, 1] = 128 - 256 / 2.5
        presence = self.presence.pop(0) if len(self.presence) > 1 else self.presence[0]
        return {
            "landmarks": points.reshape(1, 195),
            "world_landmarks": as_output(self.world_m),
            "presence": np.array([[presence]], np.float32),
        }


def _frame(time_s: float, image: np.ndarray | None = None) -> Frame:
    if image is None:
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
    return Frame(image_bgr=image, index=0, captured_at_s=time_s, grabbed_at_s=time_s)


def _tracker(
    people: list[tuple[float, float, float]], *presence: float
) -> tuple[BlazePoseTracker, ScriptedDetector, ScriptedLandmarks]:
    detector, landmarks = ScriptedDetector(), ScriptedLandmarks(*presence)
    detector.people = people
    return BlazePoseTracker(BlazePoseDetector(detector), landmarks), detector, landmarks


def test_the_detector_runs_once_and_dt_is_the_real_one() -> None:
    tracker, detector, _ = _tracker([(100, 200, 60)], 1.0)
    people = [tracker.update(_frame(time_s))[0] for time_s in (1.0, 1.02, 1.1)]
    assert detector.calls == 1
    assert [person.track_id for person in people] == [0, 0, 0]
    assert [person.dt_s for person in people] == pytest.approx([0.0, 0.02, 0.08])
    np.testing.assert_allclose(people[0].bbox_xyxy, [100, 170, 100, 230], atol=0.01)


def test_the_largest_person_wins_at_first() -> None:
    tracker, _, _ = _tracker([(80, 200, 40), (300, 200, 70)], 1.0)
    (person,) = tracker.update(_frame(0.0))
    assert person.bbox_xyxy[0] == pytest.approx(300, abs=0.01)


def test_nobody_gives_an_empty_answer_and_one_detection_a_frame() -> None:
    tracker, detector, landmarks = _tracker([], 1.0)
    assert [tracker.update(_frame(time_s)) for time_s in (0.0, 0.1, 0.2)] == [(), (), ()]
    assert (detector.calls, landmarks.calls) == (3, 0)


@pytest.mark.fault
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_no_person(bad: float, caplog) -> None:
    tracker, detector, _ = _tracker([(100, 200, 60)], 0.9, bad, bad, 0.9)
    seen = [tracker.update(_frame(0.0))]
    detector.people = []  # followed on, with nobody's help
    seen += [tracker.update(_frame(time_s)) for time_s in (0.1, 0.2, 0.3)]
    assert [[person.track_id for person in people] for people in seen] == [[0], [], [], [0]]
    assert seen[-1][0].dt_s == pytest.approx(0.3)
    assert "not finite" in caplog.text


def test_a_detection_without_presence_is_not_a_person() -> None:
    tracker, _, _ = _tracker([(100, 200, 60)], 0.45)
    assert tracker.update(_frame(0.0)) == ()


def test_a_followed_person_survives_a_dip_below_the_threshold() -> None:
    tracker, detector, _ = _tracker([(100, 200, 60)], 0.9, 0.45, 0.9)
    assert len([tracker.update(_frame(t))[0] for t in (0.0, 0.1, 0.2)]) == 3
    assert detector.calls == 1


def test_a_lost_person_is_searched_at_once_and_keeps_the_identity() -> None:
    tracker, detector, _ = _tracker([(100, 200, 60)], 0.9, 0.1, 0.8, 0.9)
    tracker.update(_frame(0.0))
    (person,) = tracker.update(_frame(0.1))
    assert (person.track_id, person.dt_s) == (0, pytest.approx(0.1))
    assert detector.calls == 2


def test_after_a_loss_the_nearest_wins_over_the_largest() -> None:
    tracker, detector, _ = _tracker([(100, 200, 60)], 0.9, 0.1, 0.9)
    tracker.update(_frame(0.0))
    detector.people = [(330, 200, 70), (110, 205, 60)]
    (person,) = tracker.update(_frame(0.1))
    assert person.track_id == 0
    assert person.bbox_xyxy[0] == pytest.approx(110, abs=0.01)


def test_a_bystander_must_wait_and_then_gets_another_identity() -> None:
    tracker, detector, _ = _tracker([(60, 200, 60)], 0.9, 0.1, 0.9)
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[:, :200], image[:, 200:] = (200, 40, 40), (30, 30, 220)
    tracker.update(_frame(0.0, image))
    detector.people = [(340, 200, 60)]
    assert tracker.update(_frame(0.1, image)) == ()
    assert tracker.update(_frame(0.4, image)) == ()
    (person,) = tracker.update(_frame(0.6, image))
    assert (person.track_id, person.dt_s) == (1, 0.0)


@pytest.mark.parametrize(("gap_s", "track_id"), [(3.0, 0), (30.0, 1)])
def test_a_person_back_after_seconds_keeps_the_identity_but_not_the_time(
    gap_s: float, track_id: int
) -> None:
    tracker, detector, _ = _tracker([(100, 200, 60)], 0.9, 0.1, 0.9)
    tracker.update(_frame(0.0))
    detector.people = []
    assert tracker.update(_frame(0.2)) == ()
    detector.people = [(300, 200, 50)]
    (person,) = tracker.update(_frame(gap_s))
    assert (person.track_id, person.dt_s) == (track_id, 0.0)


def test_a_clear_person_shows_at_once_and_a_doubtful_one_after_frames_that_agree() -> None:
    tracker, detector, _ = _tracker([(100, 200, 60)], 0.9)
    detector.logit = 0.2
    counts = [len(tracker.update(_frame(index / 30))) for index in range(6)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 1)


def test_a_folded_body_is_nobody_and_leaves_the_place_to_a_newcomer() -> None:
    tracker, detector, landmarks = _tracker([(100, 200, 60)], 0.97)
    landmarks.world_m = standing_body() * np.float32([0.3, 0.4, 1.0])
    assert not any(tracker.update(_frame(index / 30)) for index in range(20))
    landmarks.world_m = standing_body()
    detector.people = [(300, 200, 60)]
    (person,) = tracker.update(_frame(20 / 30))
    assert person.track_id == 0


def test_who_becomes_a_folded_body_is_let_go() -> None:
    tracker, detector, landmarks = _tracker([(100, 200, 60)], 0.97)
    assert tracker.update(_frame(0.0))
    detector.people = []
    landmarks.world_m = standing_body() * np.float32([0.3, 0.4, 1.0])
    assert not [tracker.update(_frame(index / 30)) for index in range(1, 10)][-1]


def test_a_frame_that_shows_no_body_is_looked_at_once_more(monkeypatch) -> None:
    tracker, _, landmarks = _tracker([(100, 200, 60)], 0.97)
    answer = landmarks.answer
    for_runs = {2: np.array([0.3, 0.4, 1.0], np.float32)}

    def flipping() -> dict[str, Any]:
        landmarks.world_m = standing_body() * for_runs.get(landmarks.calls, np.float32(1.0))
        return answer()

    monkeypatch.setattr(landmarks, "answer", flipping)
    people = [tracker.update(_frame(index / 30))[0] for index in range(3)]
    assert landmarks.calls == 4
    for person in people:
        assert person.landmarks is not None
        np.testing.assert_allclose(person.landmarks.world_m, standing_body(), atol=1e-5)


def test_time_that_goes_back_starts_a_new_track() -> None:
    tracker, detector, _ = _tracker([(100, 200, 60)], 0.9)
    tracker.update(_frame(9.0))
    (person,) = tracker.update(_frame(0.0))
    assert (person.track_id, person.dt_s, detector.calls) == (1, 0.0, 2)


def test_reset_never_reuses_an_identity() -> None:
    tracker, _, _ = _tracker([(100, 200, 60)], 0.9)
    tracker.update(_frame(0.0))
    tracker.reset()
    assert tracker.update(_frame(0.1))[0].track_id == 1


def test_a_detection_of_no_size_is_passed_over() -> None:
    tracker, _, landmarks = _tracker([(100, 200, 0.0)], 0.9)
    assert tracker.update(_frame(0.0)) == ()
    assert landmarks.calls == 0


def test_closing_twice_frees_both_networks() -> None:
    tracker, detector, landmarks = _tracker([], 0.9)
    with tracker:
        pass
    tracker.close()
    assert detector.is_closed
    assert landmarks.is_closed


@pytest.fixture(scope="module")
def real_tracker() -> Iterator[BlazePoseTracker]:
    pytest.importorskip("onnxruntime")
    with make_blazepose_tracker(ENGINE) as tracker:
        yield tracker


def test_flat_grey_frames_of_any_size_hold_nobody(
    real_tracker: BlazePoseTracker, subtests: pytest.Subtests
) -> None:
    for shape in [(1, 1), (480, 640), (1280, 720), (2160, 3840)]:
        with subtests.test(shape=shape):
            real_tracker.reset()
            image = np.full((*shape, 3), 127, np.uint8)
            before = image.copy()
            assert real_tracker.update(_frame(0.0, image)) == ()
            np.testing.assert_array_equal(image, before)


def _read(path: Path, count: int) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    images = [capture.read()[1] for _ in range(count)]
    capture.release()
    return [np.asarray(image, np.uint8) for image in images if image is not None]


def test_a_bystander_does_not_steal_the_track(
    real_tracker: BlazePoseTracker, shared_data: Path
) -> None:
    folder = shared_data / "real3d" / "pose2sim_cam2"
    truth = np.load(folder / "truth.npz")
    first, fps = int(truth["first_frame"]), float(truth["fps"])
    real_tracker.reset()
    worst = 0.0
    ids = set()
    for index, image in enumerate(_read(folder / "video.mp4", 100)):
        (person,) = real_tracker.update(_frame(index / fps, image))
        ids.add(person.track_id)
        if index < first or person.landmarks is None:
            continue
        joints = truth["joints_camera"][index - first].astype(np.float64)
        zero = np.zeros(3)
        true_px = cv2.projectPoints(joints, zero, zero, truth["K"], truth["dist"])[0][:, 0]
        height_px = np.ptp(true_px[:, 1])
        hips_px = person.landmarks.image_px[23:25, :2].mean(axis=0)
        worst = max(worst, float(np.linalg.norm(hips_px - true_px[6:8].mean(axis=0)) / height_px))
    assert len(ids) == 1
    assert worst < 0.1


def test_a_small_grey_or_widened_copy_gives_the_same_person(
    real_tracker: BlazePoseTracker, shared_data: Path
) -> None:
    image = _read(shared_data / "real3d" / "pose2sim_cam3" / "video.mp4", 1)[0]
    height, width = image.shape[:2]
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    small = cv2.resize(image, (width // 3, height // 3), interpolation=cv2.INTER_AREA)
    wide = np.concatenate([image, np.zeros_like(image)], axis=1)
    boxes = []
    for variant, scale in ((image, 1), (grey, 1), (small, 3), (wide, 1)):
        real_tracker.reset()
        (person,) = real_tracker.update(_frame(0.0, np.asarray(variant, np.uint8)))
        boxes.append(person.bbox_xyxy * scale)
    size = np.ptp(boxes[0])
    np.testing.assert_allclose(boxes, np.broadcast_to(boxes[0], (4, 4)), atol=0.06 * size)
