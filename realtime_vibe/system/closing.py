"""What is closed, and what is opened as well, by a `with` block."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class ClosedByWith(ABC):
    """Gives a class with `close` its context manager."""

    @abstractmethod
    def close(self) -> None:
        """Frees what is held; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class OpenedByWith(ClosedByWith):
    """Gives a class with `open` and `close` its context manager: open on entry, close on exit."""

    @abstractmethod
    def open(self) -> None:
        """Takes what is needed."""

    def __enter__(self) -> Self:
        self.open()
        return self
