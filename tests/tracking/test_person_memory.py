"""Who is who by colours and place, on flat pictures of people."""

import numpy as np
import pytest

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import PoseLandmarks
from realtime_vibe.tracking.appearance import Appearance, difference, look_at
from realtime_vibe.tracking.person_memory import FORGET_S, MOST_PEOPLE, PersonMemory
from tests.tracking.standing_body import standing_body

GREY, BLACK, RED = (130, 130, 130), (20, 15, 15), (40, 40, 200)
WIDTH = 640
MIDDLE, EDGE = 320.0, 30.0


def _at(x_px: float) -> RotatedSquare:
    return RotatedSquare(center_x_px=x_px, center_y_px=240.0, side_px=300.0, roll_rad=0.0)


def _looks(bgr: tuple[int, int, int], *, gain: float = 1.0, hidden: bool = False) -> Appearance:
    image = np.full((480, 640, 3), np.array(bgr) * gain, np.uint8)
    body = standing_body()
    return look_at(
        image,
        PoseLandmarks(
            image_px=(body * 200 + [1000.0 if hidden else 320.0, 240, 0]).astype(np.float32),
            world_m=body,
            visibility=np.ones(33, np.float32),
            presence=1.0,
        ),
    )


def _seen(memory: PersonMemory, track_id: int, looks: Appearance, frames: range) -> list[bool]:
    return [memory.is_other(track_id, looks, index / 30) for index in frames]


def test_a_cloud_changes_less_than_other_clothes() -> None:
    cloud = difference(_looks(GREY), _looks(GREY, gain=0.85))
    other = difference(_looks(GREY), _looks(BLACK))
    assert cloud is not None
    assert other is not None
    assert 2 * cloud < other


def test_who_is_out_of_the_picture_has_no_colours() -> None:
    assert difference(_looks(GREY), _looks(GREY, hidden=True)) is None
    assert PersonMemory().recall(_looks(GREY, hidden=True), _at(MIDDLE), 0.0, set()) is None


def test_who_bends_and_is_lost_for_a_moment_is_known_by_the_colours_just_now() -> None:
    memory = PersonMemory()
    assert not any(_seen(memory, 0, _looks(GREY), range(60)))
    for index in range(60, 75):
        assert not memory.is_other(0, _looks(GREY, gain=1 - (index - 60) / 24), index / 30)
    assert memory.differs(0, _looks(RED))
    assert not memory.differs(0, _looks(GREY, gain=0.4))
    assert not memory.differs(0, _looks(GREY))


def test_other_colours_that_stay_are_somebody_else_and_a_flash_is_not() -> None:
    memory = PersonMemory()
    assert not any(_seen(memory, 0, _looks(GREY), range(30)))
    assert not any(_seen(memory, 0, _looks(RED), range(30, 32)))
    assert not any(_seen(memory, 0, _looks(GREY), range(32, 60)))
    taken_over = _seen(memory, 0, _looks(BLACK), range(60, 75))
    assert any(taken_over)
    assert not any(taken_over[:4])
    # The colours of the covered one are kept.
    assert memory.recall(_looks(GREY), _at(MIDDLE), 2.6, set()) == 0


def test_slow_changes_are_learnt() -> None:
    memory = PersonMemory()
    for index, gain in enumerate(np.linspace(0.5, 1.5, 300)):
        assert not memory.is_other(0, _looks(GREY, gain=gain), index / 30)


@pytest.mark.parametrize(("now_s", "taken", "expected"), [
    (1.0, set(), 1),
    (1.0, {1}, None),
    (0.5 + 2 * FORGET_S, set(), None),
])  # fmt: skip
def test_people_are_known_again_for_a_while(
    now_s: float, taken: set[int], expected: int | None
) -> None:
    memory = PersonMemory()
    memory.is_other(0, _looks(GREY), 0.0)
    memory.is_other(1, _looks(BLACK), 0.5)
    assert memory.recall(_looks(BLACK, gain=1.1), _at(MIDDLE), now_s, taken) == expected


def test_the_place_tells_who_is_back(subtests: pytest.Subtests) -> None:
    like_that = (110, 120, 135)
    for lost_px, found_px, gap_s, bgr, expected in (
        (MIDDLE, MIDDLE, 3.0, RED, 0),  # nobody can have walked out of the picture from there
        (MIDDLE, MIDDLE, 0.7, RED, None),  # somebody may stand in front
        (MIDDLE, MIDDLE, 2 * FORGET_S, RED, None),
        (MIDDLE, 600.0, 3.0, RED, None),
        (EDGE, EDGE, 2.0, RED, None),
        (EDGE, EDGE, 2.0, like_that, 0),  # rather, and back where the person left
        (EDGE, EDGE, 5.0, like_that, None),
        (EDGE, 600.0, 1.0, like_that, None),
    ):
        with subtests.test(lost_px=lost_px, found_px=found_px, gap_s=gap_s, bgr=bgr):
            memory = PersonMemory()
            memory.is_other(0, _looks(GREY), 0.0)
            memory.place({0: _at(lost_px)}, WIDTH)
            assert memory.recall(_looks(bgr), _at(found_px), gap_s, set()) == expected
            memory.place({1: _at(lost_px + 20.0)}, WIDTH)  # somebody else was there
            assert memory.recall(_looks(bgr), _at(found_px), gap_s, set()) is None


def test_another_scene_and_a_body_that_took_over_say_nothing_by_their_place() -> None:
    for forget in (PersonMemory.leave, lambda memory: memory.lose(0)):
        memory = PersonMemory()
        memory.is_other(0, _looks(GREY), 0.0)
        memory.place({0: _at(MIDDLE)}, WIDTH)
        forget(memory)
        assert memory.recall(_looks(RED), _at(MIDDLE), 3.0, set()) is None


def test_memory_is_bounded() -> None:
    memory = PersonMemory()
    for track_id in range(3 * MOST_PEOPLE):
        memory.is_other(track_id, _looks((track_id, 0, 0)), track_id / 30)
    known = [memory.is_certain(track_id) for track_id in range(3 * MOST_PEOPLE)]
    assert sum(known) <= MOST_PEOPLE + 1


def test_who_turns_keeps_the_identity_in_other_colours() -> None:
    memory = PersonMemory()
    assert not any(_seen(memory, 0, _looks(GREY), range(30)))
    _seen(memory, 0, _looks(RED), range(30, 90))
    assert memory.is_certain(0)
    assert memory.is_same(0, _looks(RED))
