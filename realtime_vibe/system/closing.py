"""What is closed, and what is opened as well, by a `with` block."""

import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, Self

logger = logging.getLogger(__name__)


def run_all(*steps: Callable[[], object]) -> None:
    """Carries out every step, whatever becomes of the others.

    Raises:
        Exception: the first error, unless one is on its way already; the others are logged, a line each.
    """
    errors: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the other steps must still be carried out
            errors.append(error)
    is_travelling = sys.exc_info()[1] is not None
    for other in errors if is_travelling else errors[1:]:
        logger.error("%s", other)
    if errors and not is_travelling:
        raise errors[0]


class Closable(Protocol):
    """What a `with` block closes."""

    def close(self) -> None:
        """Frees what is held; may be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class ClosedByWith(ABC):
    """Gives a class with `close` its context manager."""

    @abstractmethod
    def close(self) -> None:
        """Frees what is held; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OpenedByWith(ClosedByWith):
    """Gives a class with `open` and `close` its context manager: open on entry, close on exit."""

    @abstractmethod
    def open(self) -> None:
        """Takes what is needed."""

    def __enter__(self) -> Self:
        self.open()
        return self
