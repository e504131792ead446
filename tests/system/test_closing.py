"""Covers closing: every step is carried out, and no error is lost."""

import pytest

from realtime_vibe.system.closing import run_all


def test_every_step_is_carried_out_and_every_error_told(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def fail(number: int) -> None:
        done.append(number)
        raise ValueError(f"step {number}")

    with pytest.raises(ValueError, match="step 1"):
        run_all(lambda: fail(1), lambda: done.append(2), lambda: fail(3))
    assert done == [1, 2, 3]
    assert [record.message for record in caplog.records] == ["step 3"]


def test_the_error_that_is_on_its_way_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def end_early() -> None:
        try:
            raise KeyError("first")
        finally:
            run_all(lambda: int("later"))

    with pytest.raises(KeyError, match="first"):
        end_early()
    assert "later" in caplog.text
