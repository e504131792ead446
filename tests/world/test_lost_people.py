"""Covers holding and fading of people who were lost."""

import numpy as np
import pytest

from realtime_vibe.world.lost_people import LostPeople
from tests.world.conftest import facing

PLACE = [0, 0.1, 4.0]


@pytest.fixture
def person(stage):
    return lambda track_id: stage.person(stage.params(facing(), PLACE), PLACE, track_id=track_id)


def test_the_last_pose_is_held_then_fades_then_goes(person):
    lost, first = LostPeople(), person(0)
    assert lost.update((first,), 0.0) == ()
    opacity = {}
    for index in range(1, 12):
        held = lost.update((), index / 10)
        opacity[index] = held[0].opacity if held else 0.0
        if held:
            assert held[0].last is first
    assert [opacity[index] for index in (1, 3, 5)] == [1.0, 1.0, 1.0]
    assert np.diff([opacity[index] for index in range(5, 11)]).max() < 0
    assert opacity[8] == pytest.approx(0.4)
    assert opacity[11] == 0.0


def test_who_comes_back_is_no_longer_held(person):
    lost = LostPeople()
    lost.update((person(0), person(1)), 0.0)
    assert [held.last.person.track_id for held in lost.update((person(1),), 0.1)] == [0]
    assert lost.update((person(0), person(1)), 0.2) == ()


def test_somebody_new_takes_the_place(person):
    lost = LostPeople()
    lost.update((person(0),), 0.0)
    assert lost.update((person(7),), 0.1) == ()


def test_time_that_runs_back_and_reset_forget(person):
    lost = LostPeople()
    lost.update((person(0),), 5.0)
    assert lost.update((), 1.0) == ()
    lost.update((person(0),), 5.0)
    lost.reset()
    assert lost.update((), 5.1) == ()
