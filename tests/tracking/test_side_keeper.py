"""Left and right stay where they were when a scripted tracker exchanges them."""

from collections.abc import Sequence

import numpy as np
import pytest

from realtime_vibe.body.joints import BLAZEPOSE_MIRROR
from realtime_vibe.packets import Frame, PoseLandmarks, TrackedPerson
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.tracking.side_keeper import SideKeeper
from tests.tracking.standing_body import standing_body

MIRROR = list(BLAZEPOSE_MIRROR)
LEGS = slice(23, 33)
HEIGHT_PX = 400.0
STEP_S = 1 / 30


def landmarks(width: float = 1.0) -> PoseLandmarks:
    """Somebody who stands with the legs apart; a width of 0 is seen from the side, below 0 from behind."""
    world = standing_body()
    world[25:29, 0] *= 3
    world[:, 0] *= width
    return PoseLandmarks(
        image_px=(world * HEIGHT_PX + 500).astype(np.float32),
        world_m=world,
        visibility=np.linspace(0.5, 1.0, 33, dtype=np.float32),
        presence=1.0,
    )


def exchanged(seen: PoseLandmarks, part: slice = slice(0, 33)) -> PoseLandmarks:
    """With left and right of some landmarks in each other's place."""
    order = np.arange(33)
    order[part] = np.array(MIRROR)[part]
    return PoseLandmarks(
        image_px=seen.image_px[order],
        world_m=seen.world_m[order],
        visibility=seen.visibility[order],
        presence=seen.presence,
    )


class ScriptedTracker(ClosedByWith):
    """Gives landmarks out of one person, frame after frame."""

    saw_cut = False

    def __init__(self, script: Sequence[PoseLandmarks], step_s: float = STEP_S) -> None:
        self.script = list(script)
        self.step_s = step_s
        self.num_given = 0
        self.is_closed = False

    def update(self, frame: Frame) -> tuple[TrackedPerson, ...]:
        seen = self.script[self.num_given]
        points = seen.image_px[:, :2]
        person = TrackedPerson(
            track_id=0,
            bbox_xyxy=np.concatenate([points.min(axis=0), points.max(axis=0)]),
            score=1.0,
            dt_s=self.step_s if self.num_given else 0.0,
            landmarks=seen,
        )
        self.num_given += 1
        return (person,)

    def reset(self) -> None:
        self.num_given = 0

    def close(self) -> None:
        self.is_closed = True


def kept(
    script: Sequence[PoseLandmarks], step_s: float = STEP_S, height_px: int = 1000
) -> list[PoseLandmarks]:
    """What comes out of a keeper around a tracker that sees `script`."""
    image = np.zeros((height_px, 1, 3), np.uint8)
    frame = Frame(image_bgr=image, index=0, captured_at_s=0.0, grabbed_at_s=0.0)
    with SideKeeper(ScriptedTracker(script, step_s)) as keeper:
        people = [person for _ in script for person in keeper.update(frame)]
    return [person.landmarks for person in people if person.landmarks is not None]


def assert_same(out: PoseLandmarks, expected: PoseLandmarks) -> None:
    for name in ("image_px", "world_m", "visibility"):
        np.testing.assert_array_equal(getattr(out, name), getattr(expected, name))


@pytest.mark.parametrize("part", [slice(0, 33), slice(0, 23), LEGS], ids=["all", "arms", "legs"])
def test_sides_that_are_exchanged_for_some_frames_stay(part: slice) -> None:
    right, wrong = landmarks(), exchanged(landmarks(), part)
    for out in kept([right] * 9 + [wrong] * 6 + [right] * 2 + [wrong] * 3 + [right]):
        assert_same(out, right)


def test_half_a_body_is_given_out_once_two_frames_agree() -> None:
    right, wrong = landmarks(), exchanged(landmarks())
    out = kept([wrong] + [right] * 3, height_px=500)
    assert len(out) == 2
    assert_same(out[0], right)
    assert len(kept([wrong, right] * 5, height_px=500)) == 6


def test_what_lies_between_both_sides_keeps_its_label() -> None:
    right, blurred = landmarks(), landmarks(width=0.05)
    out = kept([right] * 9 + [exchanged(right), exchanged(blurred), exchanged(right), right])
    for seen, expected in zip(out[9:], (right, blurred, right, right), strict=True):
        assert_same(seen, expected)


def test_the_network_is_followed_when_it_insists() -> None:
    right, wrong = landmarks(), exchanged(landmarks())
    out = kept([wrong] + [right] * 3)
    assert_same(out[1], right)  # a first frame has no weight
    out = kept([wrong] * 30 + [right] * 30)
    assert_same(out[35], wrong)
    assert_same(out[-1], right)


def test_a_turn_and_frames_far_apart_are_left_alone() -> None:
    turn = [landmarks(width) for width in np.cos(np.linspace(0, np.pi, 13))]
    seen = landmarks()
    for script, step_s in (([seen] * 9 + turn, STEP_S), ([seen, exchanged(seen)] * 5, 0.2)):
        for out, expected in zip(kept(script, step_s), script, strict=True):
            assert_same(out, expected)


def test_reset_and_close_reach_the_tracker() -> None:
    tracker = ScriptedTracker([landmarks()])
    keeper = SideKeeper(tracker)
    tracker.num_given = 1
    keeper.reset()
    keeper.close()
    assert tracker.num_given == 0
    assert tracker.is_closed
