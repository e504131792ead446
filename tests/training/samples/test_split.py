"""The parting of motion into training and test clips: by name alone, and no part empty."""

import numpy as np
import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.samples.motion import MotionClip
from realtime_vibe.training.samples.split import TEST_EVERY, only_part, part_of

NAMES = [f"clip_{number}" for number in range(1200)]


def clip(name):
    return MotionClip(
        name=name, quats=np.zeros((2, 24, 4), np.float32), trans=np.zeros((2, 3), np.float32)
    )


def test_the_parts_of_known_names_stay_what_they_are():
    # Networks were trained on one part and scored on the other: a change would mix them.
    assert part_of("cmu_14_04") == part_of("dm_crawl") == part_of("m2m_base_Idle_Loop") == "test"
    assert part_of("cmu_01_08_part0") == part_of("cmu_02_01") == "train"


def test_parts_are_disjoint_and_make_up_all():
    clips = [clip(name) for name in NAMES]
    train, test = only_part(clips, "train"), only_part(clips, "test")
    assert {each.name for each in train} | {each.name for each in test} == set(NAMES)
    assert len(train) + len(test) == len(NAMES)
    assert len(test) == pytest.approx(len(NAMES) / TEST_EVERY, rel=0.3)


def test_more_clips_move_none():
    few, many = [clip(name) for name in NAMES[:200]], [clip(name) for name in NAMES]
    assert {each.name for each in only_part(few, "test")} <= {
        each.name for each in only_part(many, "test")
    }


def test_an_empty_part_is_an_error():
    with pytest.raises(DatasetError, match=r"none of 1 motion clips is in the part 'test'"):
        only_part([clip("cmu_02_01")], "test")
