"""What a body can be: lengths, and how frames add up."""

import numpy as np
import pytest

from realtime_vibe.packets import PoseLandmarks
from realtime_vibe.tracking.plausibility import (
    DOUBTFUL,
    NOBODY,
    SURE,
    after_frame,
    after_second_look,
    first_log_odds,
    frame_log_odds,
    is_gone,
)
from tests.tracking.standing_body import standing_body

SIZE = (640, 480)


def _log_odds(
    world_m: np.ndarray,
    *,
    leg_visibility: float = 1.0,
    shift_px: float = 320.0,
    side_px: float = 300.0,
) -> float:
    visibility = np.ones(33, np.float32)
    visibility[25:] = leg_visibility
    image_px = (world_m * 200 + [shift_px, 240, 0]).astype(np.float32)
    return frame_log_odds(
        PoseLandmarks(image_px=image_px, world_m=world_m, visibility=visibility, presence=0.95),
        SIZE,
        side_px,
    )


def _turned(world_m: np.ndarray, rad: float) -> np.ndarray:
    turn = np.array([[np.cos(rad), -np.sin(rad), 0], [np.sin(rad), np.cos(rad), 0], [0, 0, 1]])
    return (world_m @ turn.T).astype(np.float32)


def test_a_body_is_one_however_it_lies(subtests: pytest.Subtests) -> None:
    for rad in [0.0, 1.6, 3.1]:
        with subtests.test(rad=rad):
            assert _log_odds(_turned(standing_body(), rad)) > 1.0


def test_who_is_gone_sideways_is_told_by_the_trunk(subtests: pytest.Subtests) -> None:
    for x_px, expected in [
        (-40.0, True),
        (15.0, True),
        (40.0, False),
        (600.0, False),
        (630.0, True),
    ]:
        with subtests.test(x_px=x_px):
            marks = PoseLandmarks(
                image_px=(standing_body() * 200 + [x_px, 240, 0]).astype(np.float32),
                world_m=standing_body(),
                visibility=np.ones(33, np.float32),
                presence=0.95,
            )
            assert is_gone(marks, SIZE[0]) == expected


def test_small_and_tall_people_are_people(subtests: pytest.Subtests) -> None:
    for scale in [0.85, 1.0, 1.15]:
        with subtests.test(scale=scale):
            assert _log_odds(standing_body() * np.float32(scale)) > 0.0


def test_a_body_folded_onto_a_table_is_none() -> None:
    folded = standing_body() * np.array([0.5, 0.55, 1.0], np.float32)
    assert _log_odds(folded) == pytest.approx(-2.0)
    trunk_alone = standing_body()
    trunk_alone[:17, 1] *= 0.5
    assert _log_odds(trunk_alone) < 0.0


def test_a_head_that_comes_into_view_is_no_whole_body_seen_from_its_end() -> None:
    assert _log_odds(standing_body(), side_px=900.0) < 0.0


def test_the_length_of_legs_counts_only_where_they_are_seen() -> None:
    at_a_desk = standing_body()
    at_a_desk[25:29, 1] *= 0.4
    assert _log_odds(at_a_desk) < 0.0
    assert _log_odds(at_a_desk, leg_visibility=0.1) > 1.0


def test_who_is_outside_the_picture_is_not_there() -> None:
    assert _log_odds(standing_body(), shift_px=700.0) == pytest.approx(-2.0)


def test_a_clear_detection_needs_one_good_frame_and_a_poor_one_several() -> None:
    assert after_frame(first_log_odds(0.9), 2.0) >= SURE
    poor = [first_log_odds(0.52)]
    for _ in range(3):
        poor.append(after_frame(poor[-1], 2.0))
    assert poor[1] < SURE <= poor[3]


def test_a_phantom_ends_at_once_and_a_known_person_survives_a_few_odd_frames() -> None:
    assert after_frame(after_frame(first_log_odds(0.55), -2.0), -2.0) < NOBODY
    known = 0.0
    for _ in range(100):
        known = after_frame(known, 2.0)
    for _ in range(4):
        known = after_frame(known, -2.0)
    assert known >= DOUBTFUL
    assert after_frame(known, -2.0) < DOUBTFUL


def test_the_detectors_second_look_decides() -> None:
    assert after_second_look(0.5, 0.95) > SURE
    assert after_second_look(0.4, 0.0) < DOUBTFUL
