"""Where a detector looks: small people are found part by part, large ones come first, nobody is made up."""

import cv2
import numpy as np
import pytest

from realtime_vibe.geometry.crop import RotatedSquare
from realtime_vibe.packets import Frame
from realtime_vibe.tracking.base import DetectedPerson
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker
from realtime_vibe.tracking.glances import Glances
from tests.tracking.test_several_people import DiscLandmarks
from tests.tracking.textured_scene import detected

SIZE = 600
RADIUS = {60: 9, 200: 30}
"""Radius of a white disc by the half side of the person's box [px]; the large disc is grey around."""


class Eye:
    """Sees a disc whose person fills a quarter of what it is shown, or more."""

    def __init__(self) -> None:
        self.sides: list[int] = []

    def detect(self, image_bgr: np.ndarray) -> tuple[DetectedPerson, ...]:
        self.sides.append(len(image_bgr))
        white = (image_bgr[..., 0] > 200).astype(np.uint8)
        count, _, stats, middles = cv2.connectedComponentsWithStats(white)
        found = []
        for blob in range(1, count):
            half = 60 if stats[blob, cv2.CC_STAT_WIDTH] < 40 else 200
            if half >= 0.15 * len(image_bgr) and stats[blob, cv2.CC_STAT_WIDTH] >= 17:
                found.append(detected(np.concatenate([middles[blob] - half, middles[blob] + half])))
        return tuple(found)

    def close(self) -> None:
        pass


def _picture(*people: tuple[int, int, int]) -> np.ndarray:
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    for x, y, half in people:
        cv2.circle(image, (x, y), RADIUS[half], (255, 255, 255), -1)
    return image


def _where(tracker: BlazePoseTracker, image: np.ndarray, first: int, count: int) -> list[list[int]]:
    """x [px] of everybody who is shown in each of the next frames, from tens to tens."""
    places = []
    for index in range(first, first + count):
        frame = Frame(image_bgr=image, index=index, captured_at_s=index / 30, grabbed_at_s=0.0)
        people = tracker.update(frame)
        places.append(sorted(10 * round(float(person.bbox_xyxy[0]) / 10) for person in people))
    return places


def test_who_is_small_is_found_by_parts_in_turn_and_makes_room_for_who_is_large() -> None:
    eye = Eye()
    with BlazePoseTracker(eye, DiscLandmarks()) as tracker:
        shown = _where(tracker, _picture((480, 110, 60)), 0, 60)
        assert shown[0] == []
        assert shown[-1] == [480]
        assert set(eye.sides[:8]) == {SIZE}
        assert eye.sides[8:].count(SIZE) >= len(eye.sides[8:]) // 2  # who is large is not missed
        assert eye.sides.count(SIZE) < len(eye.sides)
        both = _picture((480, 110, 60), (200, 350, 200))
        assert _where(tracker, both, 60, 40)[-1] == [200]


def test_a_second_person_who_is_small_is_found_beside_a_large_one() -> None:
    with BlazePoseTracker(Eye(), DiscLandmarks(), max_people=2, detect_every=4) as tracker:
        both = _picture((540, 80, 60), (200, 350, 200))
        assert _where(tracker, both, 0, 100)[-1] == [200, 540]


def test_parts_cover_the_picture_and_come_first_where_it_changes() -> None:
    still = np.zeros((360, 640, 3), np.uint8)
    glances = Glances(Eye())
    shown = [glances.look(still, [], [], has_place=True).shown for _ in range(80)]
    assert len({part.corners for part in shown}) == 1 + 3 + 21
    covered = np.zeros(still.shape[:2], np.int64)
    for part in shown:
        if part.height_px < 360:
            x0, y0, x1, y1 = part.corners
            covered[y0:y1, x0:x1] += 1
    assert covered.min() >= 1
    moved = still.copy()
    moved[300:350, 580:630] = 255
    looks = [glances.look(moved, [], [], has_place=True).shown for _ in range(2)]
    part = min(looks, key=lambda part: part.height_px)
    assert part.corners == (460, 180, 640, 360)


def test_somebody_small_in_doubt_is_looked_at_from_near(subtests: pytest.Subtests) -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    for side_px, width_px in ((60.0, 96), (100.0, 160), (300.0, 640)):
        with subtests.test(side_px=side_px):
            region = RotatedSquare(
                center_x_px=630.0, center_y_px=100.0, side_px=side_px, roll_rad=0.0
            )
            glance = Glances(Eye()).look(image, [region], [], has_place=False)
            assert glance.shown.width_px == width_px
            assert glance.shown.shows(region)
