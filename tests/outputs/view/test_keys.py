"""Covers the key table that both windows share."""

from realtime_vibe.outputs.view.keys import KEYS, Action, action_of_character, glfw_code


def test_every_action_has_a_key_and_no_key_has_two():
    assert set(KEYS.values()) == set(Action)
    assert len({glfw_code(key) for key in KEYS}) == len(KEYS)


def test_codes_of_opencv(subtests):
    for code, action in [
        (ord("q"), Action.QUIT),
        (ord("Q"), Action.QUIT),
        (27, Action.QUIT),
        (32, Action.PAUSE),
        (ord("r") | 0x100000, Action.RECORD),
        (-1, None),
        (0, None),
        (ord("x"), None),
        (ord("1"), Action.LOCK_1),
        (ord("9"), Action.LOCK_9),
        (ord("0"), Action.RELEASE),
        (0xFF51, None),
        (0x250000, None),
        (63234, None),
    ]:
        with subtests.test(action=action, code=code):
            assert action_of_character(code) is action
