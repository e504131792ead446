"""Covers holding and fading of people who were lost."""

from dataclasses import replace

import numpy as np
import pytest

from realtime_vibe.world.lost_people import LostPeople
from tests.world.conftest import facing

PLACE = [0, 0.1, 4.0]
VIEW = WIDTH, FOCAL = 640, 600.0


@pytest.fixture
def person(stage):
    return lambda track_id: stage.person(stage.params(facing(), PLACE), PLACE, track_id=track_id)


def test_the_last_pose_is_held_then_fades_then_goes(person):
    lost, first = LostPeople(), person(0)
    assert lost.update((first,), 0.0, *VIEW) == ()
    opacity = {}
    for index in range(1, 12):
        held = lost.update((), index / 10, *VIEW)
        opacity[index] = held[0].opacity if held else 0.0
        if held:
            assert held[0].last is first
    assert [opacity[index] for index in (1, 3, 5)] == [1.0, 1.0, 1.0]
    assert np.diff([opacity[index] for index in range(5, 11)]).max() < 0
    assert opacity[8] == pytest.approx(0.4)
    assert opacity[11] == 0.0


def test_who_comes_back_is_no_longer_held(person):
    lost = LostPeople()
    lost.update((person(0), person(1)), 0.0, *VIEW)
    assert [held.last.person.track_id for held in lost.update((person(1),), 0.1, *VIEW)] == [0]
    assert lost.update((person(0), person(1)), 0.2, *VIEW) == ()


def test_somebody_new_takes_the_place(person):
    lost = LostPeople()
    lost.update((person(0),), 0.0, *VIEW)
    assert lost.update((person(7),), 0.1, *VIEW) == ()


def test_time_that_runs_back_and_reset_forget(person):
    lost = LostPeople()
    lost.update((person(0),), 5.0, *VIEW)
    assert lost.update((), 1.0, *VIEW) == ()
    lost.update((person(0),), 5.0, *VIEW)
    lost.reset()
    assert lost.update((), 5.1, *VIEW) == ()


def test_who_walks_out_at_a_side_is_not_held(stage):
    def seen(place_px):
        place = [(place_px - WIDTH / 2) * 4.0 / FOCAL, 0.1, 4.0]
        one = stage.person(stage.params(facing(), place), place)
        box = np.array([place_px - 40, 50, place_px + 40, 350], np.float32)
        return replace(one, person=replace(one.person, bbox_xyxy=box))

    def held_after(places_px):
        lost = LostPeople()
        for index, place_px in enumerate(places_px):
            lost.update((seen(place_px),), index / 30, *VIEW)
        return [bool(lost.update((), (len(places_px) + later) / 30, *VIEW)) for later in range(12)]

    walk_px = 13 * np.arange(20)
    assert not any(held_after(300 - walk_px))
    assert not any(held_after(340 + walk_px))
    assert all(held_after(72 + 0 * walk_px)), "stands at the side"
    assert all(held_after(72 + walk_px)), "walks in"
    assert all(held_after(500 - walk_px)), "still in the middle"
