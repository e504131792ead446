"""Every error this package raises on purpose.

A message says what we got, what we expected and what to do. The command line prints it as one line
and exits with status 2; anything that is not a `RealtimeVibeError` is a bug and keeps its trace.
"""

import re
import reprlib

_MESSAGE_LENGTH = 600


def one_line(value: object, length: int = _MESSAGE_LENGTH) -> str:
    """A value from a file, or another library's message, as part of a message of ours.

    Args:
        value: text; anything else is described without following all that it holds.
        length: the most characters; of a longer text both ends are kept.
    """
    text = value if isinstance(value, str) else reprlib.repr(value)
    if len(text) > length:
        text = f"{text[: length // 2]} … {text[-(length // 2) :]}"
    line = " ".join(part.strip() for part in text.splitlines())
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in line
    )


_LOG_IN = re.compile(
    r"(?!/?NAME:PASSWORD@)(?:"  # advice of ours
    r"(?<=:/)(/?)[^\s/'\"]*:[^\s'\"]*@"  # scheme://name:password@, one slash forgotten or not
    r"|(?<=://)[^\s/@'\"]+@"  # scheme://name@
    r"|\b[\w.+-]+:[^\s/\\'\"]+@(?=[\w\[]))"  # name:password@host
)
_SECRET = re.compile(
    r"([?&;](?:\w*pass\w*|\w*pwd|\w*token|\w*key|auth\w*|\w*secret|sig\w*)=)[^&\s'\"]+",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """`text` without the names, passwords and keys in its URLs."""
    return _SECRET.sub(r"\1***", _LOG_IN.sub(r"\1***@", text))


class RealtimeVibeError(Exception):
    """Root of all errors that a user can cause or fix; its text shows no password of a URL."""

    def __str__(self) -> str:
        return without_secrets(super().__str__())


class SourceError(RealtimeVibeError):
    """A frame source cannot be opened, or broke and cannot be reopened."""


class EngineError(RealtimeVibeError):
    """An engine folder is missing, incomplete or does not match its manifest."""


class BackendUnavailableError(RealtimeVibeError):
    """The requested inference backend is not installed or refuses to run."""


class BodyModelError(RealtimeVibeError):
    """A body file lacks an array or an array has the wrong shape."""


class TrackerError(RealtimeVibeError):
    """A person tracker cannot be built."""


class OutputError(RealtimeVibeError):
    """A file or a window to write results to cannot be used."""


class ConfigError(RealtimeVibeError):
    """A setting is unknown, of the wrong type or out of range."""


class DatasetError(RealtimeVibeError):
    """A training or evaluation file is missing, damaged or has the wrong layout."""


class CheckpointError(RealtimeVibeError):
    """A file of weights is missing, damaged or not of the network it is taken for."""


class TrainingError(RealtimeVibeError):
    """A stage of training failed."""


class ExportError(RealtimeVibeError):
    """An exported graph does not agree with the network it was made from."""


class ShapeError(RealtimeVibeError, ValueError):
    """An array that crosses a stage border has the wrong shape."""


class MotionFileError(RealtimeVibeError):
    """A motion file to convert is missing, damaged or of a layout that is not known."""
