"""Covers the question for a camera: who is asked, what answers count, and what happens without a terminal."""

import io
import logging

import pytest

from realtime_vibe.cli.camera_choice import choose_camera
from realtime_vibe.errors import SourceError
from realtime_vibe.sources.cameras import CameraInfo

LAPTOP = CameraInfo(index=0, name="Integrated Camera", path="/dev/video0")
BRIO = CameraInfo(index=2, name="BRIO", path="")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _choose(typed: str, *cameras: CameraInfo) -> tuple[int, str]:
    questions = Terminal()
    number = choose_camera(Terminal(typed), questions, cameras=lambda: cameras)
    return number, questions.getvalue()


def test_the_user_chooses_by_number(subtests: pytest.Subtests) -> None:
    for typed, number in [("2\n", 2), (" 0 \n", 0), ("\n", 0), ("2", 2)]:
        with subtests.test(number=number, typed=typed):
            chosen, shown = _choose(typed, LAPTOP, BRIO)
            assert chosen == number
            assert "  0  Integrated Camera  /dev/video0\n  2  BRIO\n" in shown
            assert shown.count("Which camera?") == 1


def test_wrong_answers_are_asked_again() -> None:
    chosen, shown = _choose("1\nBRIO\n-2\n2\n", LAPTOP, BRIO)
    assert chosen == 2
    assert shown.count("is none of these") == 3
    assert shown.count("Which camera?") == 4


def test_the_end_of_the_input_is_no_answer() -> None:
    with pytest.raises(SourceError, match="no camera was chosen, expected one of 0, 2"):
        _choose("7\n", LAPTOP, BRIO)


@pytest.mark.parametrize("terminal", [io.StringIO, Terminal])
def test_one_camera_is_taken_without_a_question(
    terminal: type[io.StringIO], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    questions = terminal()
    assert choose_camera(terminal(), questions, cameras=lambda: (BRIO,)) == 2
    assert questions.getvalue() == ""
    assert '2 "BRIO"' in caplog.text


@pytest.mark.parametrize(
    ("answers", "questions"),
    [(io.StringIO, io.StringIO), (Terminal, io.StringIO), (io.StringIO, Terminal)],
)
def test_without_a_terminal_the_cameras_are_named_in_the_error(
    answers: type[io.StringIO], questions: type[io.StringIO]
) -> None:
    asked = questions()
    with pytest.raises(SourceError) as caught:
        choose_camera(answers("2\n"), asked, cameras=lambda: (LAPTOP, BRIO))
    assert asked.getvalue() == ""
    for word in ("no terminal", '0 "Integrated Camera"', '2 "BRIO"', "--source 0"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_camera_is_an_error() -> None:
    with pytest.raises(SourceError, match="found no camera"):
        _choose("0\n")
