"""Closes sources whose reads wait for a picture that never comes."""

import threading
import time

from realtime_vibe.sources.base import FrameSource


def close_while_read(source: FrameSource, stop: threading.Event, *, after_s: float) -> None:
    """Reads a source in a thread and closes it there: the read must end."""
    ended = threading.Event()

    def drain() -> None:
        while source.read(stop) is not None:
            pass
        ended.set()

    threading.Thread(target=drain).start()
    time.sleep(after_s)
    started_s = time.monotonic()
    source.close()
    assert ended.wait(10)
    assert time.monotonic() - started_s < 10.0  # promised: 2 s on an idle machine
