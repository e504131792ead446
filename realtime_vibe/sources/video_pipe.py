"""Video that another program writes into a named pipe."""

import io
import logging
import os
import queue
import select
import stat
import threading
from pathlib import Path

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.film import Film
from realtime_vibe.sources.film_capture import FilmCapture, is_jpeg
from realtime_vibe.sources.film_opening import open_contained
from realtime_vibe.sources.mp4_track import track_in
from realtime_vibe.system.file_boundary import file_boundary
from realtime_vibe.system.threads import Worker

logger = logging.getLogger(__name__)

POLL_S = 0.1
JOIN_S = 1.5
_FORMATS = "MKV, MPEG-TS or MJPEG (the index of an MP4 comes last, so it cannot be piped)"
CHUNK_BYTES = 1 << 16
MOST_CHUNKS = 1024
HEAD_BYTES = 1 << 20


def is_pipe(path: Path) -> bool:
    """Whether `path` is a named pipe (FIFO) or a shell's process substitution."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


def pipe_source(path: Path, *, paced: bool = False, fps: float | None = None) -> Film:
    """A source for a named pipe with a streamable video in it (MKV, MPEG-TS, MJPEG).

    Nothing is ever sought in a pipe and its length is unknown. Its bytes pass through a pump that can
    be shut off, so neither a writer that never comes nor one that falls silent can hang `close`.
    The other arguments are those of `Film`.
    """
    return Film(
        str(path),
        lambda stop: open_pipe(path, stop),
        if_silent=f"start the program that writes the video into the pipe, as {_FORMATS}",
        paced=paced,
        fps=fps,
    )


def open_pipe(path: Path, stop: threading.Event) -> FilmCapture:
    """Opens a pipe behind a pump that ends when `stop` is set.

    Raises:
        SourceError: what comes through is no video that can be streamed.
    """
    source = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    drain, feed = os.pipe()
    copy = _PipeCopy(stop)

    def log_breakage(error: BaseException | None) -> None:
        # A broken pipe only says that the decoder left first.
        if error is not None and not isinstance(error, BrokenPipeError):
            logger.error("%s: the pipe broke: %s", path, error)

    pump = Worker(f"pump {path}", lambda: _pump(source, feed, copy, stop), log_breakage).start()
    capture = open_contained(f"pipe:{drain}")

    def free() -> None:
        os.close(drain)
        copy.close()
        pump.join(JOIN_S)

    if not capture.isOpened():
        capture.release()
        free()
        raise SourceError(
            f"{path}: what comes through the pipe is no streamable video; write {_FORMATS}"
        )
    if is_jpeg(capture):
        copy.close()
    with file_boundary(path, SourceError):
        return FilmCapture(
            capture,
            is_recorded=True,
            packets=lambda: open_contained(f"pipe:{copy.drain}"),
            track=track_in(io.BytesIO(copy.head)),
            then=free,
        )


class _PipeCopy:
    """The same bytes for a second reader, which never asks for more than the first has had."""

    def __init__(self, stop: threading.Event) -> None:
        self.drain, self._feed = os.pipe()
        self._stop = stop
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._is_over = False
        self._is_closed = False
        self.head = b""
        """The first bytes: of an MP4 that can be piped the index comes first."""
        self._worker = Worker("copy of a pipe", self._write, lambda _: None).start()

    def put(self, chunk: bytes) -> None:
        """Hands on some bytes; none at all are the end."""
        if len(self.head) < HEAD_BYTES:
            self.head += chunk
        if self._chunks.qsize() > MOST_CHUNKS:  # nobody reads it
            self._is_over = True
        if not self._is_over:
            self._chunks.put(chunk)

    def close(self) -> None:
        """Ends the copy; may be called twice."""
        self._is_over = True
        if not self._is_closed:
            self._is_closed = True
            self._chunks.put(b"")
            os.close(self.drain)
            self._worker.join(JOIN_S)

    def _write(self) -> None:
        try:
            while chunk := self._chunks.get():
                _feed(self._feed, chunk, self._stop)
        except BrokenPipeError:  # closed
            pass
        finally:
            self._is_over = True
            os.close(self._feed)


def _pump(source: int, feed: int, copy: _PipeCopy, stop: threading.Event) -> None:
    """Copies bytes until the writer has gone or `stop` is set; closes both ends.

    Before the first writer comes, a pipe opened without blocking reads as ended; `poll` tells the
    two apart, as it reports a hang-up only once there was a writer.
    """
    poller = select.poll()
    poller.register(source, select.POLLIN)
    try:
        while not stop.is_set():
            if not poller.poll(POLL_S * 1e3):
                continue
            chunk = os.read(source, CHUNK_BYTES)
            if not chunk:
                return
            copy.put(chunk)
            _feed(feed, chunk, stop)
    finally:
        copy.put(b"")
        os.close(source)
        os.close(feed)


def _feed(feed: int, chunk: bytes, stop: threading.Event) -> None:
    poller = select.poll()
    poller.register(feed, select.POLLOUT)
    rest = memoryview(chunk)
    while rest and not stop.is_set():
        if poller.poll(POLL_S * 1e3):
            # A write no longer than PIPE_BUF never blocks once poll has said that there is room.
            rest = rest[os.write(feed, rest[: select.PIPE_BUF]) :]
