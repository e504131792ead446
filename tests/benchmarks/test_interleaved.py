"""Turns: everybody gets as many, the first run of a turn does not count, a failure stops nobody else."""

import pytest

from benchmarks.interleaved import Contender, Turns, one_line, time_in_turns
from realtime_vibe.errors import EngineError


class _Work:
    """Runs that move a clock: the first of a turn dear, the others cheap."""

    def __init__(self):
        self.now_s = 0.0
        self.order = []
        self._last = None

    def run(self, name):
        def action():
            self.now_s += 0.001 if self._last == name else 1.0
            self._last = name
            self.order.append(name)

        return Contender(name=name, run=action)


def test_turns_are_fair_and_the_first_run_is_left_out():
    work = _Work()
    contenders = [work.run("a"), work.run("b"), work.run("c")]
    turns = Turns(rounds=4, runs=3, warmup_runs=2, budget_s=1e9)
    time_in_turns(contenders, turns, clock=lambda: work.now_s)
    for contender in contenders:
        assert contender.samples_ms == pytest.approx([1.0] * 12)
    order = "".join(work.order)
    assert order[:6] == "aabbcc"
    assert order[6:] == "aaaabbbbcccc" + "bbbbccccaaaa" + "ccccaaaabbbb" + "aaaabbbbcccc"


def test_no_round_begins_beyond_the_budget_but_the_first():
    for budget_s, rounds in ((0.0, 1), (2.5, 2), (3.5, 3)):
        work = _Work()
        contenders = [work.run("a"), work.run("b")]
        turns = Turns(rounds=100, runs=1, warmup_runs=0, budget_s=budget_s)
        time_in_turns(contenders, turns, clock=lambda work=work: work.now_s)
        assert len(contenders[0].samples_ms) == len(contenders[1].samples_ms) == rounds


def test_who_fails_is_given_up_and_the_others_go_on():
    runs = iter(range(100))

    def breaks():
        if next(runs) == 5:
            raise RuntimeError("out of memory\nsecond line")

    bad, good = Contender(name="bad", run=breaks), Contender(name="good", run=int)
    time_in_turns([bad, good], Turns(rounds=3, runs=2, warmup_runs=2))
    assert bad.error == "RuntimeError: out of memory"
    assert bad.samples_ms == []
    assert len(good.samples_ms) == 6


def test_errors_in_one_line():
    assert one_line(EngineError("no engine\nmore")) == "no engine"
    assert one_line(ValueError()) == "ValueError: "
