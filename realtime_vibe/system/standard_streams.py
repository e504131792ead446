"""Standard output and error that never end a run: there may be no terminal, or one that goes away."""

import contextlib
import faulthandler
import io
import os
import sys
import warnings
from typing import Any, TextIO, cast


class LenientStream:
    """Writes for as long as somebody reads, then says nothing any more; None is no stream, as under `pythonw`.

    A closed pipe or terminal must not cost a recording; whoever took it away does not miss the text.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Takes the text, whatever becomes of it."""
        try:
            if self._stream is not None:
                self._stream.write(text)
        except UnicodeEncodeError as error:  # a terminal of few characters still shows the rest
            self.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        except (OSError, ValueError):
            self._stream = None
        return len(text)

    def flush(self) -> None:
        """Hands on what was written."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except (OSError, ValueError):
            self._stream = None

    def isatty(self) -> bool:
        """Whether a terminal shows it."""
        try:
            return self._stream is not None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        """The descriptor below.

        Raises:
            OSError: there is none.
        """
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def __getattr__(self, name: str) -> Any:
        if self._stream is None and name in ("encoding", "errors"):
            return {"encoding": "utf-8", "errors": "backslashreplace"}[name]
        return getattr(self._stream, name)


def make_lenient() -> None:
    """Puts a `LenientStream` in the place of both; closed descriptors are opened on nothing.

    Else the next file that is opened would get the number 2, and what libraries print would land in it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = cast(TextIO, LenientStream(sys.stdout))
    sys.stderr = cast(TextIO, LenientStream(sys.stderr))


def silence_libraries() -> None:
    """Leaves stderr to this program: what libpng, FFmpeg, absl or LiteRT print there goes nowhere, nor do Python's warnings.

    The stack of a crash inside a library is still shown.
    """
    with contextlib.suppress(OSError, ValueError):
        own = os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors="backslashreplace",
                        buffering=1)  # fmt: skip
        nothing = os.open(os.devnull, os.O_WRONLY)
        sys.stderr.flush()
        os.dup2(nothing, 2)
        os.close(nothing)
        sys.stderr = cast(TextIO, LenientStream(own))
        warnings.simplefilter("ignore")  # such as NumPy's, of a number in a file that does not fit
        faulthandler.enable(own)
