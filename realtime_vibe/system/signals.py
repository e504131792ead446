"""Signals that end a program: at once while something opens, between two rounds once it runs."""

import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""SIGHUP comes when the terminal is closed; Windows has none."""


class Interrupted(KeyboardInterrupt):
    """A signal came while nothing would have noticed it otherwise."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number
        """As shells count."""


class EndingSignals:
    """Collects `ENDING` signals instead of dying of them; a second one of a kind falls through.

    Outside of the main thread it takes none: they are the caller's.
    """

    def __init__(self) -> None:
        self.caught: list[int] = []
        """Numbers of those that came."""
        self._raises = False
        self._raised: Interrupted | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in ENDING:
            # nohup has a program ignore that its terminal goes.
            if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN:
                continue
            with contextlib.suppress(ValueError):  # not the main thread
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Raises `Interrupted` in the block: for what opens, which may take long or for ever.

        Libraries swallow it, or make an error of their own of it, as a module that is being imported does: it is
        raised again at the end of the block.
        """
        self._raises = True
        try:
            if self.caught:
                raise Interrupted(self.caught[0])
            yield
        finally:
            self._raises = False
            if self._raised is not None:
                raise self._raised

    def _note(self, number: int, _: FrameType | None) -> None:
        self.caught.append(number)
        signal.signal(number, self._previous[number])
        if self._raises:
            self._raises = False
            self._raised = Interrupted(number)
            raise self._raised
