"""Times several things in turn, so that whatever the machine does meanwhile happens to all of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from realtime_vibe.system.timing import Clock


@dataclass(slots=True, kw_only=True)
class Contender:
    """One thing to time, and what came of it."""

    name: str
    run: Callable[[], object]
    samples_ms: list[float] = field(default_factory=list)
    error: str = ""
    """Why it was given up; its samples are empty then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """How the turns go.

    A turn's first run is not counted as a rule: it finds the caches full of the others' data and the others'
    threads still spinning, which is their cost and not its own.
    """

    rounds: int = 40
    """At most."""
    runs: int = 5
    """Counted runs of each turn."""
    skipped_runs: int = 1
    """Not counted at the beginning of each turn; 0 for runs so long that it does not matter."""
    warmup_runs: int = 5
    """Of each contender, before all turns."""
    budget_s: float = 10.0
    """No round begins later than this after the first."""


def time_in_turns(
    contenders: Sequence[Contender], turns: Turns, clock: Clock = time.perf_counter
) -> None:
    """Fills the contenders' samples; who fails is given up and the others go on.

    At least one round is run, whatever the budget. Each round begins with another contender.
    """
    for contender in contenders:
        _guarded(contender, partial(_warm_up, contender, turns.warmup_runs))
    started_s = clock()
    for number in range(turns.rounds):
        if number and clock() - started_s > turns.budget_s:
            break
        first = number % max(len(contenders), 1)
        for contender in (*contenders[first:], *contenders[:first]):
            if not contender.error:
                _guarded(contender, partial(_turn, contender, turns, clock))


def _warm_up(contender: Contender, runs: int) -> None:
    for _ in range(runs):
        contender.run()


def _turn(contender: Contender, turns: Turns, clock: Clock) -> None:
    for _ in range(turns.skipped_runs):
        contender.run()
    for _ in range(turns.runs):
        started_s = clock()
        contender.run()
        contender.samples_ms.append((clock() - started_s) * 1e3)


def _guarded(contender: Contender, action: Callable[[], object]) -> None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - a backend may fail with anything; the table says so
        contender.error = one_line(error)
        contender.samples_ms.clear()


def one_line(error: BaseException) -> str:
    """An error as the first line of its text, with its class where it is not one of ours."""
    text = (str(error).strip().splitlines() or [""])[0][:200]
    kind = type(error).__name__
    return (
        text if text and type(error).__module__.startswith("realtime_vibe") else f"{kind}: {text}"
    )
