"""BlazePose on several people: newcomers, losses, tracks on one body, and what a search may cost.

People are white discs; a fake landmark network finds the disc in its crop.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.packets import Frame, TrackedPerson
from realtime_vibe.tracking.base import DetectedPerson
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker
from tests.tracking.standing_body import as_output, spread_out, standing_body
from tests.tracking.textured_scene import detected

SIZE = 600
RADIUS = 90
Places = list[tuple[float, float]]


class Crowd:
    """A detector of the discs, or of anything a test adds."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.ghosts: Places = []
        self.calls = 0

    def detect(self, image_bgr: np.ndarray) -> tuple[DetectedPerson, ...]:
        if len(image_bgr) < SIZE:
            return ()  # of a part: `test_glances.py`
        self.calls += 1
        half = np.array([RADIUS, RADIUS])
        spots = [np.array(place) for place in (*self.ghosts, *self.places)]
        return tuple(detected(np.concatenate([spot - half, spot + half])) for spot in spots)

    def close(self) -> None:
        pass


class DiscLandmarks:
    """Puts all points into the middle of what is white near the crop's own middle."""

    inputs = (TensorSpec(name="image_bgr", shape=(1, 256, 256, 3), dtype="uint8"),)
    outputs: tuple[TensorSpec, ...] = ()
    backend = "scripted"

    def __init__(self) -> None:
        self.calls = 0

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.calls += 1
        white = np.argwhere(feeds["image_bgr"][0, 50:206, 50:206, 0] > 128)
        points = np.full((39, 5), 128.0, np.float32)
        if len(white):
            points[:, :2] = white.mean(axis=0)[::-1] + 50
        spread_out(points)
        points[34, 1] -= 256 / 2.5
        return {
            "landmarks": points.reshape(1, 195),
            "world_landmarks": as_output(standing_body()),
            "presence": np.array([[float(len(white) > 0)]], np.float32),
        }

    def close(self) -> None:
        pass

    def __enter__(self) -> "DiscLandmarks":
        return self

    def __exit__(self, *args: object) -> None:
        pass


class Stage:
    """A tracker in front of discs that the test moves; 30 frames a second."""

    def __init__(self, places: Places, **options: int) -> None:
        self.crowd, self.landmarks = Crowd(places), DiscLandmarks()
        self.tracker = BlazePoseTracker(self.crowd, self.landmarks, **options)
        self.index = 0

    def step(self, num_frames: int = 1) -> tuple[TrackedPerson, ...]:
        """The people in the last of the next frames."""
        people: tuple[TrackedPerson, ...] = ()
        for _ in range(num_frames):
            image = np.zeros((SIZE, SIZE, 3), np.uint8)
            for x, y in self.crowd.places:
                cv2.circle(image, (round(x), round(y)), 9, (255, 255, 255), -1)
            time_s = self.index / 30
            people = self.tracker.update(
                Frame(image_bgr=image, index=self.index, captured_at_s=time_s, grabbed_at_s=time_s)
            )
            self.index += 1
        return people


def _where(people: tuple[TrackedPerson, ...]) -> dict[int, int]:
    return {person.track_id: round(float(person.bbox_xyxy[0])) for person in people}


def test_everybody_is_followed_and_a_full_house_is_not_searched() -> None:
    stage = Stage([(100, 300), (300, 300), (500, 300)], max_people=3)
    people = stage.step(10)
    assert sorted(_where(people).values()) == pytest.approx([100, 300, 500], abs=2)
    assert [person.track_id for person in people] == [0, 1, 2]
    calls = stage.crowd.calls
    runs = stage.landmarks.calls
    stage.crowd.places = [(x + 20, y) for x, y in stage.crowd.places]
    moved = _where(stage.step(30))
    assert moved == {
        track_id: pytest.approx(x + 20, abs=2) for track_id, x in _where(people).items()
    }
    assert stage.crowd.calls == calls
    assert stage.landmarks.calls == runs + 3 * 30


def test_one_place_means_one_person() -> None:
    stage = Stage([(100, 300), (500, 300)])
    assert len(stage.step(40)) == 1
    assert stage.crowd.calls == 1


def test_newcomers_are_looked_for_now_and_then_and_cost_nothing_when_known() -> None:
    stage = Stage([(100, 300)], max_people=3, detect_every=10)
    stage.step(41)
    assert stage.crowd.calls == 1 + 4
    assert stage.landmarks.calls == 41  # the detection on the known person was not tried


def test_a_newcomer_is_shown_after_a_short_trial_as_on_a_first_frame() -> None:
    stage = Stage([(100, 300)], max_people=2, detect_every=5)
    stage.step(1)
    stage.crowd.places.append((400, 300))
    shown = [stage.step() for _ in range(10)]
    counts = [len(people) for people in shown]
    assert counts == [1] * 8 + [2] * 2
    assert shown[8][1].dt_s == 0.0
    assert shown[9][1].dt_s == pytest.approx(1 / 30)


def test_a_newcomer_who_is_gone_at_once_was_never_shown() -> None:
    stage = Stage([(100, 300)], max_people=2, detect_every=5)
    stage.step(1)
    stage.crowd.places.append((400, 300))
    assert len(stage.step(6)) == 1
    stage.crowd.places.pop()
    calls = stage.crowd.calls
    assert {len(stage.step()) for _ in range(20)} == {1}
    assert stage.crowd.calls <= calls + 4  # nobody known was lost: no hurry


def test_the_lost_one_of_two_is_searched_at_once_and_keeps_the_identity() -> None:
    stage = Stage([(100, 300), (400, 300)], max_people=2)
    people = stage.step(10)
    gone = _where(people)[1]
    staying = [place for place in stage.crowd.places if abs(place[0] - gone) > 50]
    back = [place for place in stage.crowd.places if abs(place[0] - gone) <= 50]
    stage.crowd.places = staying
    calls = stage.crowd.calls
    assert list(_where(stage.step())) == [0]
    assert stage.crowd.calls == calls + 1
    stage.step(10)
    assert stage.crowd.calls == calls + 1 + 3  # then every third frame instead of every 15th
    stage.crowd.places = staying + back
    for _ in range(6):
        people = stage.step()
        if len(people) == 2:
            break
    assert list(_where(people)) == [0, 1]
    assert people[1].dt_s > 10 / 30


def test_someone_gone_for_more_than_a_second_is_known_again() -> None:
    stage = Stage([(100, 300), (400, 300)], max_people=2, detect_every=3)
    stage.step(10)
    places, stage.crowd.places = stage.crowd.places, stage.crowd.places[:1]
    stage.step(33)
    stage.crowd.places = places
    assert {person.track_id for person in stage.step(10)} == {0, 1}


def test_two_people_keep_their_identities_over_a_pause() -> None:
    stage = Stage([(150, 300), (400, 300)], max_people=2, detect_every=3)
    before = _where(stage.step(10))
    stage.index += 90
    stage.crowd.places.reverse()  # the detector's order says nothing
    assert _where(stage.step(10)) == before


def test_of_two_tracks_on_one_body_the_older_stays_and_the_other_comes_back() -> None:
    stage = Stage([(200, 300), (400, 300)], max_people=2)
    first = _where(stage.step(10))
    apart = stage.crowd.places
    for step in range(1, 11):  # they walk into each other, until one disc is all there is
        stage.crowd.places = [(200 + 10 * step, 300), (400 - 10 * step, 300)]
        people = stage.step()
    assert list(_where(people)) == [0]
    assert list(_where(stage.step(3))) == [0]
    for step in range(11):
        stage.crowd.places = [(300 - 10 * step, 300), (300 + 10 * step, 300)]
        people = stage.step()
    stage.crowd.places = apart
    assert set(_where(stage.step(10))) == set(first)


def test_garbage_costs_few_landmark_runs_and_hides_nobody() -> None:
    stage = Stage([(100, 500)], max_people=2, detect_every=5)
    stage.step(1)
    rng = np.random.default_rng(0)
    stage.crowd.ghosts = [(x, y) for x, y in rng.uniform(0, 300, (100, 2))]
    for _ in range(20):
        runs = stage.landmarks.calls
        people = stage.step()
        assert list(_where(people)) == [0]
        assert stage.landmarks.calls - runs <= 1 + 2 + 3


def test_time_that_goes_back_and_reset_forget_everybody() -> None:
    stage = Stage([(100, 300), (400, 300)], max_people=2)
    assert set(_where(stage.step(10))) == {0, 1}
    stage.index = 0
    assert not set(_where(stage.step(10))) & {0, 1}
    stage.tracker.reset()
    assert min(_where(stage.step(10))) > 3
