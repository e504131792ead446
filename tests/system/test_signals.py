"""Signals end what opens at once and what runs between two rounds; handlers come back."""

import contextlib
import os
import signal
import threading
import time

import pytest

from realtime_vibe.system.signals import ENDING, EndingSignals, Interrupted

pytestmark = pytest.mark.fault


@pytest.mark.parametrize("number", ENDING)
def test_while_something_opens_a_signal_ends_the_wait(number):
    inherited = signal.signal(number, signal.SIG_DFL)  # nohup has SIGHUP ignored
    before = signal.getsignal(number)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), number))
    with EndingSignals() as signals:
        timer.start()
        with pytest.raises(Interrupted) as caught, signals.raising():
            time.sleep(30)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) == before
    signal.signal(number, inherited)


def _opening(signals, step):
    with signals, signals.raising():
        step()


def test_otherwise_it_is_noted_and_a_second_one_falls_through():
    outer = EndingSignals()

    def run():
        with EndingSignals() as signals:
            os.kill(os.getpid(), signal.SIGTERM)
            assert signals.caught == [signal.SIGTERM]
            with pytest.raises(Interrupted), signals.raising():
                pass
            assert outer.caught == []
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)

    with pytest.raises(Interrupted):
        _opening(outer, run)
    assert outer.caught == [signal.SIGTERM]


@pytest.mark.parametrize("error", [None, ImportError("initialization failed")])
def test_what_a_library_makes_of_a_signal_is_still_one(error):
    def load():
        with contextlib.suppress(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)
        if error is not None:
            raise error

    with pytest.raises(Interrupted):
        _opening(EndingSignals(), load)


def test_in_another_thread_the_signals_are_left_alone():
    handlers = []

    def run():
        with EndingSignals():
            handlers.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [before]
