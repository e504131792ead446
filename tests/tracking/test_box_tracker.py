"""Following boxes through drawn scenes: fit between detections, identities, gaps, places."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.packets import Frame, TrackedPerson
from realtime_vibe.tracking.box_tracker import BoxTracker
from realtime_vibe.tracking.boxes import iou_matrix
from tests.tracking.textured_scene import FPS, HEIGHT, WIDTH, Scene, SceneDetector, Thing, detected

Place = Callable[[int], tuple[float, float, float, float] | None]


def _run(
    scene: Scene,
    indices: range,
    *,
    blind_in: set[int] | None = None,
    sees_hidden: bool = True,
    **options: int,
) -> tuple[list[tuple[TrackedPerson, ...]], SceneDetector]:
    detector = SceneDetector(scene)
    detector.blind_in = blind_in or set()
    detector.sees_hidden = sees_hidden
    tracker = BoxTracker(detector, **options)
    people = []
    for index in indices:
        detector.index = index
        people.append(tracker.update(scene.frame(index)))
    return people, detector


def _fit(person: TrackedPerson, box: np.ndarray) -> float:
    return float(iou_matrix([person.bbox_xyxy], [box])[0, 0])


def _ids(people: list[tuple[TrackedPerson, ...]]) -> set[int]:
    return {person.track_id for row in people for person in row}


def test_a_box_fits_until_the_next_detection(subtests: pytest.Subtests) -> None:
    for place in [
        lambda i: (120 + 9.0 * i, 240, 100, 250),
        lambda i: (300, 200 + 4.0 * i, 100, 220),
        lambda i: (200 + 5.0 * i, 240, 80 * 1.02**i, 190 * 1.02**i),
        lambda i: (250, 250, 120 * 0.98**i, 280 * 0.98**i),
        lambda i: (320 + 90 * np.sin(i / 5), 240, 90, 260),
    ]:
        with subtests.test(place=place):
            scene = Scene(Thing(1, place))
            people, detector = _run(scene, range(15))
            assert detector.calls == [0]
            assert min(_fit(row[0], scene.boxes(i)[0]) for i, row in enumerate(people)) > 0.7
            assert _ids(people) == {0}


def test_detections_come_every_so_many_frames_and_correct_without_a_jump() -> None:
    scene = Scene(Thing(1, lambda i: (200 + 4.0 * i, 240, 80 * 1.02**i, 190 * 1.02**i)))
    people, detector = _run(scene, range(32), detect_every=10)
    assert detector.calls == [0, 10, 20, 30]
    sides = np.array([float(row[0].bbox_xyxy[3] - row[0].bbox_xyxy[1]) for row in people])
    truth = 190 * 1.02 ** np.arange(32)
    assert np.abs(sides / truth - 1).max() < 0.12
    assert abs(sides[29] / truth[29] - 1) > abs(sides[31] / truth[31] - 1)
    assert np.abs(np.diff(np.log(sides))).max() < 0.06


def test_a_slow_stream_waits_no_longer_for_the_next_detection() -> None:
    scene = Scene(Thing(1, lambda _: (300, 240, 80, 190)))
    _, detector = _run(scene, range(0, 40, 3), detect_every=10)
    assert detector.calls == [0, 12, 24, 36]


def test_real_time_between_sights_is_given_and_scores_are_the_detectors() -> None:
    people, _ = _run(Scene(Thing(1, lambda _: (300, 240, 100, 250))), range(0, 9, 2))
    assert [row[0].dt_s for row in people] == pytest.approx([0.0, *[2 / FPS] * 4])
    assert {row[0].score for row in people} == {0.9}


def test_two_who_cross_keep_their_identities(subtests: pytest.Subtests) -> None:
    for detect_every in [1, 8, 15]:
        for sees_hidden in [True, False]:
            with subtests.test(detect_every=detect_every, sees_hidden=sees_hidden):
                scene = Scene(
                    Thing(1, lambda i: (120 + 8.0 * i, 240, 80, 240)),
                    Thing(2, lambda i: (540 - 7.0 * i, 250, 90, 250)),
                )
                people, _ = _run(
                    scene, range(52), sees_hidden=sees_hidden, detect_every=detect_every
                )
                assert _ids(people) == {0, 1}
                for index in (0, 10, 40, 51):
                    fits = {person.track_id: person for person in people[index]}
                    for track_id, box in enumerate(
                        reversed(scene.boxes(index))
                    ):  # the larger came first
                        assert _fit(fits[track_id], box) > 0.6, (index, track_id)


@pytest.mark.parametrize("detect_every", [1, 5])
def test_a_missed_detection_loses_nobody(detect_every: int) -> None:
    scene = Scene(Thing(1, lambda i: (200 + 3.0 * i, 240, 90, 250)))
    people, detector = _run(scene, range(12), blind_in={5}, detect_every=detect_every)
    assert all(len(row) == 1 for row in people)
    assert _ids(people) == {0}
    assert detector.calls[:3] == ([0, 1, 2] if detect_every == 1 else [0, 5, 6])


def test_whoever_the_detector_denies_is_hidden_soon_and_forgotten_after_a_second() -> None:
    scene = Scene(Thing(1, lambda _: (300, 240, 90, 250)))
    for last_blind, expected in ((25, {0}), (50, {0, 1})):
        people, _ = _run(scene, range(60), blind_in=set(range(6, last_blind)), detect_every=5)
        shown = [len(row) for row in people]
        assert shown[:18] == [1] * 18  # 0.3 s after the first miss, at frame 10
        assert 0 in shown[18:24]
        assert shown[last_blind + 1 :] == [1] * (59 - last_blind)
        assert _ids(people) == expected


def test_someone_back_within_a_second_comes_with_how_long_it_took() -> None:
    scene = Scene(Thing(1, lambda i: (300, 240, 90, 250) if not 5 <= i < 20 else None))
    people, _ = _run(scene, range(26), detect_every=5)
    back = next(row[0] for row in people[20:] if row)
    gap = [index for index, row in enumerate(people) if not row]
    assert gap
    assert back.track_id == 0
    assert back.dt_s == pytest.approx((len(gap) + 1) / FPS)


def test_nobody_gives_an_empty_answer_and_every_frame_is_looked_at() -> None:
    people, detector = _run(Scene(), range(5))
    assert people == [()] * 5
    assert detector.calls == [0, 1, 2, 3, 4]


def test_after_a_cut_the_detector_looks_at_once_and_others_are_new_people() -> None:
    before = Scene(Thing(1, lambda _: (120, 240, 80, 240)))
    after = Scene(Thing(2, lambda _: (500, 220, 130, 400)), background=5)
    detector = SceneDetector(before)
    tracker = BoxTracker(detector)
    for index in range(4):
        assert tracker.update(before.frame(index))[0].track_id == 0
    detector.scene = after
    for index in range(4, 10):
        people = tracker.update(after.frame(index))
        assert tracker.saw_cut == (index == 4)
        assert [person.track_id for person in people] == [1]
        assert _fit(people[0], after.boxes(0)[0]) > 0.9


def test_the_largest_get_the_places_and_keep_them() -> None:
    def later(index: int) -> tuple[float, float, float, float] | None:
        return (540, 240, 160, 420) if index >= 3 else None

    scene = Scene(
        Thing(1, lambda _: (80, 240, 60, 180)),
        Thing(2, lambda _: (220, 240, 90, 250)),
        Thing(3, lambda _: (370, 240, 80, 220)),
        Thing(4, later),
    )
    people, _ = _run(scene, range(12), max_people=2, detect_every=2)
    for row in people:
        assert [person.track_id for person in row] == [0, 1]
        assert _fit(row[0], scene.boxes(0)[1]) > 0.8
        assert _fit(row[1], scene.boxes(0)[2]) > 0.8
    assert len(_run(scene, range(12), detect_every=2)[0][-1]) == 4


def test_a_stranger_must_wait_for_the_place_of_someone_just_lost() -> None:
    scene = Scene(
        Thing(1, lambda i: (120, 240, 90, 250) if i < 4 else None),
        Thing(2, lambda i: (500, 240, 90, 250) if i >= 4 else None),
    )
    people, _ = _run(scene, range(40), max_people=1, detect_every=1)
    first = next(index for index, row in enumerate(people) if row and row[0].track_id == 1)
    last = max(index for index, row in enumerate(people) if row and row[0].track_id == 0)
    assert (first - last) / FPS == pytest.approx(0.5, abs=2 / FPS)


def test_time_that_goes_back_and_reset_start_new_tracks() -> None:
    scene = Scene(Thing(1, lambda _: (300, 240, 90, 250)))
    tracker = BoxTracker(SceneDetector(scene))
    frames = [scene.frame(index) for index in (50, 51, 0, 1)]
    people = [tracker.update(frame)[0] for frame in frames]
    assert [person.track_id for person in people] == [0, 0, 1, 1]
    assert people[2].dt_s == 0.0
    tracker.reset()
    assert tracker.update(scene.frame(2))[0].track_id == 2
    assert tracker.update(scene.frame(2))[0].dt_s == 0.0  # the same time again


def test_broken_boxes_and_doubles_start_no_track() -> None:
    class Odd:
        def detect(self, image_bgr: np.ndarray) -> tuple[object, ...]:
            good = np.array([100, 100, 200, 350], np.float32)
            odd = (
                [5, 5, 5, 5],
                [9, 9, 1, 1],
                [0, 0, np.nan, 9],
                [0, 0, 1e9, 9],
                [104, 100, 204, 350],
            )
            return tuple(detected(np.array(box, np.float32)) for box in (good, *odd))

        def close(self) -> None:
            pass

    tracker = BoxTracker(Odd())  # type: ignore[arg-type]
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for time_s in (0.0, 0.1, 0.2):
        frame = Frame(image_bgr=image, index=0, captured_at_s=time_s, grabbed_at_s=time_s)
        assert len(tracker.update(frame)) == 1


def test_a_change_of_the_pictures_size_is_survived() -> None:
    scene = Scene(Thing(1, lambda _: (300, 240, 90, 250)))
    detector = SceneDetector(scene)
    tracker = BoxTracker(detector)
    tracker.update(scene.frame(0))
    small = np.ascontiguousarray(scene.frame(1).image_bgr[:400, :500])
    frame = Frame(image_bgr=small, index=1, captured_at_s=1 / FPS, grabbed_at_s=0.0)
    assert len(tracker.update(frame)) == 1
    assert len(detector.calls) == 2


def test_closing_twice_frees_the_detector() -> None:
    detector = SceneDetector(Scene())
    with BoxTracker(detector) as tracker:
        pass
    tracker.close()
    assert detector.num_closed == 2


def test_a_real_person_is_held_between_detections(shared_data: Path) -> None:
    pytest.importorskip("onnxruntime")
    from benchmarks.clips import read_clip
    from realtime_vibe.tracking.factory import open_detector

    clip = read_clip(shared_data / "real3d" / "pose2sim_cam3" / "video.mp4", 30)
    detector = open_detector("blazepose")
    with BoxTracker(detector) as tracker:
        fits = []
        for index in range(30):
            frame = clip.frame(index)
            (person,) = tracker.update(frame)
            assert person.track_id == 0
            fits.append(_fit(person, detector.detect(frame.image_bgr)[0].bbox_xyxy))
    assert np.mean(fits) > 0.75
