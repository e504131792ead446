"""The library's front door: `for result in realtime_vibe.stream(source=0): ...`."""

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.app.clips import clip_names, named_after
from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.outputs import LiveOutputs
from realtime_vibe.app.run import build_pipeline, source_of, start
from realtime_vibe.app.setting import unknown_setting
from realtime_vibe.app.settings import SETTINGS, LiveConfig, renamed
from realtime_vibe.app.settings_file import build_config
from realtime_vibe.app.streamed import StreamedFrame
from realtime_vibe.errors import ConfigError
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.packets import FrameResult, ImageArray
from realtime_vibe.sources.base import FrameSource
from realtime_vibe.sources.given_frames import GivenFrames, as_picture
from realtime_vibe.sources.turned import turned
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.threads import SlotClosed

SETTLING_FRAMES = 16
_OF_FILMS = frozenset({"source", "frames", "fps", "every_frame", "max_frames"})
_WAIT_S = 0.2
"""How often a wait for the next result looks whether Ctrl-C was pressed."""


class LiveStream(ClosedByWith):
    """Results of one run, one after the other; an iterator and a context manager.

    Cameras and network streams give the newest result, however slow the loop is; files give every
    frame in order. Nothing is opened before the first result is asked for (or the `with` entered).
    When the loop is left, by its end, `break` or an error, threads end and outputs are finished:
    at once where the stream is used up or closed, else when nobody holds the stream any more.

    Args:
        config: checked settings; windows are not opened.
        frames: pictures to take instead of the source of the settings.
    """

    def __init__(self, config: LiveConfig, frames: Iterable[Any] | None = None) -> None:
        self._config = config
        self._frames = frames
        self._cleanup = ExitStack()
        self._live: LiveRun | None = None
        self._opening = threading.RLock()
        self._faces: NDArray[np.integer] | None = None
        self._is_closed = False
        self._finalizer: Callable[[], object] | None = None
        self._owner = 0

    @property
    def faces(self) -> NDArray[np.integer]:
        """(F, 3) triangles of every person's vertices; opens the stream."""
        self._opened()
        assert self._faces is not None
        return self._faces

    def close(self) -> None:
        """Ends the threads and finishes the outputs; may be called twice, and from any thread.

        Raises:
            RealtimeVibeError: an output could not be finished.
        """
        self._is_closed = True
        with self._opening:  # what another thread is opening has to be there to be closed
            if self._finalizer is not None:
                self._finalizer()

    def __iter__(self) -> Iterator[StreamedFrame]:
        return self

    def __next__(self) -> StreamedFrame:
        if self._is_closed:
            raise StopIteration
        result = self._taken()
        if result is None:
            self.close()  # outside of any handler, so that what an output raises gets to the caller
            raise StopIteration
        return StreamedFrame(result)

    def _taken(self) -> FrameResult | None:
        """The next result; None when there will be none."""
        try:
            live = self._opened()
            while (result := live.take(_WAIT_S)) is None:
                pass
        except SlotClosed:
            return None
        except BaseException:
            self.close()
            raise
        return result

    def __enter__(self) -> Self:
        self._opened()
        return self

    def _opened(self) -> LiveRun:
        if self._live is not None and self._owner != os.getpid():
            raise ConfigError("this stream is of another process: call realtime_vibe.stream here")
        with self._opening:  # whoever else asks meanwhile gets the same run
            if self._live is None:
                if self._is_closed:
                    raise ConfigError("this stream was closed: call realtime_vibe.stream again")
                self._owner = os.getpid()
                # The threads hold no reference to the stream, so a forgotten one is collected and closed.
                self._finalizer = weakref.finalize(self, _close, self._cleanup, self._owner)
                try:
                    self._live = self._open()
                except BaseException:
                    self.close()
                    raise
            return self._live

    def _open(self) -> LiveRun:
        name = "frames" if self._frames is not None else clip_names([self._config.source])[0]
        config, cleanup = named_after(self._config, name), self._cleanup
        outputs = LiveOutputs(config)
        built = build_pipeline(config)
        cleanup.callback(built.pipeline.close)
        source = self._new_source(config)
        cleanup.callback(source.close)
        self._faces = built.faces
        every = not source.info.is_live if config.every_frame is None else config.every_frame
        live = LiveRun(
            source,
            built.pipeline,
            StatsCollector(),
            every_frame=every,
            max_frames=config.max_frames,
            every_result=every,
        )
        start(config, live, built, outputs, cleanup)
        return live

    def _new_source(self, config: LiveConfig) -> FrameSource:
        if self._frames is not None:
            return turned(GivenFrames(self._frames, fps=config.fps), config.rotate)
        return source_of(config)


def _close(cleanup: ExitStack, owner: int) -> None:
    """Ends a run, but not in a fork of its process: the threads are not there, and the files are the parent's."""
    if os.getpid() == owner:
        cleanup.close()


def stream(
    source: int | str | Path | None = None,
    *,
    frames: Iterable[Any] | None = None,
    **settings: object,
) -> LiveStream:
    """Results of a camera, a file, a stream or given pictures, one after the other.

    Args:
        source: as `--source`: a camera's number, a path, a URL, `auto` (the default) or `synthetic`.
        frames: instead of a source, pictures (H, W, 3) uint8 BGR from any iterable, `fps` a second (30
            where that is not given). It is iterated over in a thread of its own.
        settings: any other setting of the command line by its name with `_`, such as
            `max_people=2`, `smooth=0`, `record="o.npz"`.

    Raises:
        ConfigError: a setting is unknown or wrong. What else can go wrong (no such camera, a damaged
            engine) is raised when the first result is asked for; all of it is a `RealtimeVibeError`.
    """
    known = [name for name in SETTINGS if name not in {"source", "view"}]
    settings = renamed(settings)
    if "view" in settings:
        raise ConfigError("the library opens no windows: leave out view")
    for name in settings.keys() - set(known):
        raise ConfigError(unknown_setting(name, known))
    if frames is not None and source is not None:
        raise ConfigError("stream() got a source and frames: give one of them")
    chosen = "auto" if source is None else source
    return LiveStream(build_config({"view": "none", "source": chosen, **settings}), frames)


def process_image(image_bgr: ImageArray, **settings: Any) -> StreamedFrame:
    """Everybody in a single picture (H, W, 3) uint8 BGR, with settings as for `stream`: `max_people=4` finds four.

    The picture is shown to the networks as a short film of somebody who stands still: the motion network
    settles within a few frames. The engine is loaded at each call; for a film use `stream(frames=...)`.

    Raises:
        RealtimeVibeError: a setting is wrong or of films alone, or the array is no picture.
    """
    if image_bgr is None:
        raise ConfigError("process_image() got None: cv2.imread gives it for a file it cannot read")
    for name in _OF_FILMS & settings.keys():
        raise ConfigError(f"{name} is for films: process_image() takes one picture alone")
    picture = np.array(as_picture(image_bgr, "the picture"))
    picture.flags.writeable = False  # spares a copy of it for every frame
    with stream(frames=[picture] * SETTLING_FRAMES, **settings) as results:
        *_, last = results
    picture.flags.writeable = True
    return last
