"""Covers the choice of one person: numbers, what is said, the grace while lost, marks, who is picked."""

import numpy as np
import pytest

from realtime_vibe.outputs.person_lock import PersonLock, left_to_right
from realtime_vibe.outputs.stream.humanoid import LeadingPerson
from realtime_vibe.outputs.view.overlay import draw_person_marks
from realtime_vibe.packets import Frame, FrameResult
from tests.outputs.conftest import _drawn_person, _make_figure

FIGURE = _make_figure()


def result_at(at_s, **columns):
    """People `a`, `b`, ... with track ids 0, 1, ... and boxes at the given column of the picture."""
    people = []
    for name, column in columns.items():
        person = _drawn_person(FIGURE, (0, 0, 3), track_id=ord(name) - ord("a"))
        person.person.bbox_xyxy[:] = (column - 30, 150, column + 30, 400)
        people.append(person)
    frame = Frame(
        image_bgr=np.full((480, 640, 3), 90, np.uint8),
        index=0,
        captured_at_s=at_s,
        grabbed_at_s=at_s,
    )
    return FrameResult(frame=frame, people=tuple(people), stage_ms={}, focal_px=800.0)


@pytest.fixture
def lock():
    return PersonLock(max_people=3, grace_s=1.0)


def ids(people):
    return [person.person.track_id for person in people]


def test_numbers_count_from_the_left_of_what_is_seen():
    result = result_at(0.0, a=500, b=100, c=300)
    assert ids(left_to_right(result)) == [1, 2, 0]
    assert ids(left_to_right(result, mirror=True)) == [0, 2, 1]


@pytest.mark.parametrize(("number", "mirror", "track"), [(1, False, 1), (1, True, 0), (2, True, 1)])
def test_choosing_and_releasing(lock, number, mirror, track):
    assert "released" not in lock.choose(number, result_at(0.0, a=400, b=100), mirror=mirror)
    assert lock.track_id == track
    assert lock.release() == "person released"
    assert lock.track_id is None
    assert "nobody is locked" in lock.release()


def test_what_cannot_be_chosen_is_said_and_keeps_the_lock(lock):
    lock.choose(2, result_at(0.0, a=400, b=100))
    for result, words in ((None, "nobody in view"), (result_at(0.1), "nobody in view")):
        assert words in lock.choose(1, result)
    assert lock.choose(3, result_at(0.1, a=400, b=100)) == "there is no person 3: 2 in view"
    assert lock.track_id == 0


def test_with_one_person_followed_the_keys_say_so():
    lock = PersonLock(max_people=1, grace_s=1.0)
    assert "--max-people" in lock.choose(1, result_at(0.0, a=300))
    assert "one person" in lock.release()
    assert lock.track_id is None


def test_the_lock_outlives_a_short_loss_and_is_given_up_once_after_a_long_one(lock):
    lock.choose(1, result_at(0.0, a=100, b=400))
    assert lock.update(result_at(0.9, b=400)) == ""
    assert lock.update(result_at(1.0, a=300, b=400)) == ""
    assert lock.update(result_at(1.9, b=400)) == ""
    assert lock.track_id == 0
    assert "gone" in lock.update(result_at(2.1, b=400))
    assert lock.track_id is None
    assert lock.update(result_at(2.2, b=400)) == ""


def test_a_clip_that_starts_over_releases_who_is_not_in_it(lock):
    lock.choose(1, result_at(9.0, a=100, b=400))
    assert "gone" in lock.update(result_at(0.0, b=400))


def test_avatars_follow_the_lock_rest_while_it_is_lost_and_stay_with_the_person(lock):
    leading = LeadingPerson(lock)
    both, other = result_at(0.0, a=100, b=400), result_at(0.5, b=400)
    lock.choose(1, both)
    assert leading.pick(both).person.track_id == 0
    assert leading.pick(other) is None
    lock.choose(2, both)
    assert leading.pick(both).person.track_id == 1
    lock.release()
    assert leading.pick(both).person.track_id == 1


@pytest.mark.parametrize("mirror", [False, True])
def test_marks_are_where_the_person_is(mirror):
    result = result_at(0.0, a=100, b=500)
    plain = np.full((240, 320, 3), 90, np.uint8)
    free, locked = plain.copy(), plain.copy()
    draw_person_marks(free, result, None, mirror=mirror)
    draw_person_marks(locked, result, 0, mirror=mirror)
    assert (free != plain).any(axis=2)[:, :160].sum() > 100  # a number for each
    assert (free != plain).any(axis=2)[:, 160:].sum() > 100
    columns = np.nonzero((locked != free).any(axis=(0, 2)))[0]
    left, right = (320 - 65, 320 - 35) if mirror else (35, 65)
    assert left - 4 <= columns.min() <= columns.max() <= right + 4


def test_somebody_alone_is_marked_only_when_locked():
    result = result_at(0.0, a=300)
    picture = np.full((480, 640, 3), 90, np.uint8)
    draw_person_marks(picture, result, None)
    assert (picture == 90).all()
    draw_person_marks(picture, result, 0)
    assert (picture != 90).any()


def test_boxes_outside_the_picture_or_unknown_raise_nothing():
    result = result_at(0.0, a=-5000, b=9000, c=300)
    result.people[2].person.bbox_xyxy[:] = np.nan
    picture = np.zeros((48, 64, 3), np.uint8)
    draw_person_marks(picture, result, 1)
    assert picture.any()
