"""VIBE made live: a webcam in, a moving SMPL body out.

`realtime_vibe.stream(source=0)` gives results frame by frame; see docs/api.md. Importing this package
loads nothing heavy: what it offers is imported when it is first used.
"""

import sys
from typing import TYPE_CHECKING

if sys.version_info < (3, 11):  # noqa: UP036 - a checkout runs without pip, which would have said so
    raise ImportError(
        f"realtime-vibe needs Python 3.11 or newer, this is {sys.version_info[0]}.{sys.version_info[1]}: "
        "make a virtual environment with a newer one"
    )

if TYPE_CHECKING:
    from realtime_vibe.app.api import LiveStream, process_image, stream
    from realtime_vibe.app.streamed import StreamedFrame, StreamedPerson
    from realtime_vibe.errors import RealtimeVibeError

__version__ = "0.1.0"

__all__ = [
    "LiveStream",
    "RealtimeVibeError",
    "StreamedFrame",
    "StreamedPerson",
    "__version__",
    "process_image",
    "stream",
]


def __getattr__(name: str) -> object:
    if name == "RealtimeVibeError":
        from realtime_vibe.errors import RealtimeVibeError

        return RealtimeVibeError
    if name in __all__:
        from realtime_vibe.app import api, streamed

        return getattr(streamed if name.startswith("Streamed") else api, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
