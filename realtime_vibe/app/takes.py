"""The takes of a live run: the first starts with it, key r ends one and starts the next, each with names of its own."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import ResultSink, is_of_person
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder, spool_path
from realtime_vibe.outputs.record.recording_spool import TakeOptions
from realtime_vibe.outputs.record.take_files import MOTION_SUFFIXES
from realtime_vibe.outputs.record.take_rows import ANY_BODY, RecordedBody
from realtime_vibe.packets import FrameResult
from realtime_vibe.system.closing import run_all
from realtime_vibe.system.threads import Worker

logger = logging.getLogger(__name__)

_FINISH_TIMEOUT_S = 600.0
_DEFAULT_NAME = Path("recording.npz")


def take_options(config: LiveConfig) -> TakeOptions:
    """How the settings want a take written."""
    return TakeOptions(
        rate_hz=config.record_fps,
        bvh_names=config.bvh_names,
        bvh_unit=config.bvh_unit,
        bvh_bones=config.bvh_bones,
        origin=config.origin,
    )


def check_names(paths: Sequence[Path]) -> None:
    """Makes sure that no file is to be written twice, by whatever names it goes.

    Raises:
        OutputError: two names are of one file, or differ in upper and lower case alone, or one is what a further
            person of the other gets.
    """
    for number, path in enumerate(paths):
        for other in paths[:number]:
            is_same = str(path.resolve()).casefold() == str(other.resolve()).casefold()
            if is_same or (path.exists() and other.exists() and path.samefile(other)):
                raise OutputError(f"{path} is given twice: name each file once")
            for person, output in ((path, other), (other, path)):
                if is_of_person(person, output):
                    raise OutputError(
                        f"{person} is what another person in {output} would be called: choose another name"
                    )


class TakeSink:
    """A writer (a recorder or a video) whose fault ends the take, not the run; `name` is for messages."""

    def __init__(self, name: str, writer: ResultSink) -> None:
        self.name = name
        self._writer = writer
        self._error: OutputError | None = None
        self._closing: Worker | None = None

    @property
    def is_broken(self) -> bool:
        """Whether it stopped taking results."""
        return self._error is not None

    def write(self, result: FrameResult) -> None:
        """Takes one result; after a fault it takes no more and has said so once."""
        if self._error is not None:
            return
        try:
            self._writer.write(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other outputs go on
            self._error = _output_error(self.name, error)
            logger.error("recording stopped, the rest goes on: %s", self._error)

    def close(self) -> None:
        """Finishes the files.

        Raises:
            OutputError: the take ended early or a file cannot be written.
        """
        try:
            self._writer.close()
        except Exception as error:
            closing = _output_error(self.name, error)
            if self._error is None or str(self._error) == str(closing):
                raise closing from error
            raise OutputError(f"{self.name} ends early: {self._error}; {closing}") from error
        if self._error is not None:
            raise OutputError(f"{self.name} ends early: {self._error}")

    def close_later(self) -> None:
        """Finishes the files in a thread of its own, while the run goes on; `wait` says how that ended."""
        self._closing = Worker(f"finish {self.name}", self.close, self._note).start()

    def wait(self) -> None:
        """Waits for a `close_later`, if there was one.

        Raises:
            OutputError: the take ended early or a file cannot be written.
        """
        if self._closing is None:
            return
        if not self._closing.join(_FINISH_TIMEOUT_S):
            raise OutputError(f"{self.name} is still being written: is the disk stuck?")
        if self._error is not None:
            raise self._error

    def _note(self, error: BaseException | None) -> None:
        if error is None:
            return
        logger.error("%s", error)
        self._error = _output_error(self.name, error)


def _output_error(name: str, error: BaseException) -> OutputError:
    """An error as one of outputs: what broke inside a writer is no reason to lose the others."""
    if isinstance(error, OutputError):
        return error
    logger.debug("writing %s failed", name, exc_info=error)
    return OutputError(f"cannot write {name}: {type(error).__name__}: {error}")


def _end(live: LiveRun, sink: TakeSink) -> None:
    live.remove_writer(sink)
    sink.close_later()


class Takes:
    """Starts and ends the takes of a run.

    Args:
        config: names the files of the first take, which were checked; without any nothing is recorded
            before key r. Later takes never replace files.
        open_video: opens an overlay video at a path; the flag says whether an existing file may be replaced.
    """

    def __init__(
        self,
        config: LiveConfig,
        open_video: Callable[[Path, bool], ResultSink],
        body: RecordedBody = ANY_BODY,
    ) -> None:
        self._config = config
        self._open_video = open_video
        self._body = body
        self._running: list[TakeSink] = []
        self._finished: list[TakeSink] = []
        self._spools: list[Path] = []
        self._since_s = 0.0
        self._number = 0

    @property
    def unfinished(self) -> list[Path]:
        """Spools of recordings whose files are not made yet."""
        return [path for path in self._spools if path.exists()]

    @property
    def is_recording(self) -> bool:
        """Whether a take is running and can still be written."""
        return any(not sink.is_broken for sink in self._running)

    @property
    def name(self) -> str:
        """The files of the running take that can still be written; empty when there are none."""
        return ", ".join(sink.name for sink in self._running if not sink.is_broken)

    @property
    def recorded_s(self) -> float:
        """How long the running take is [s]; 0 when there is none."""
        return time.perf_counter() - self._since_s if self._running else 0.0

    def start_first(self, live: LiveRun) -> None:
        """Starts the take that the settings name, if they do; before the run starts.

        Raises:
            OutputError: a file cannot be opened.
        """
        if self._config.record:
            for sink in self._open(self._config.record, overwrite=self._config.overwrite):
                live.add_writer(sink)

    def toggle(self, live: LiveRun) -> str:
        """Ends the running take or starts a new one; returns what to tell the user."""
        if self._running:
            ended, self._running = self._running, []
            for sink in ended:
                self._finished.append(sink)
                live.post(partial(_end, live, sink))
            return "writing " + ", ".join(sink.name for sink in ended)
        paths = self._next_paths()
        try:
            sinks = self._open(paths, overwrite=False)
        except OutputError as error:
            logger.error("%s", error)
            return f"cannot record: {error}"
        for sink in sinks:
            live.post(partial(live.add_writer, sink))
        return "recording to " + ", ".join(sink.name for sink in sinks)

    def wait(self) -> None:
        """Waits for takes that are still being written.

        Raises:
            OutputError: the first that could not be.
        """
        finished, self._finished = self._finished, []
        run_all(*(sink.wait for sink in finished))

    def _open(self, paths: tuple[Path, ...], *, overwrite: bool) -> list[TakeSink]:
        motion = tuple(path for path in paths if path.suffix.lower() in MOTION_SUFFIXES)
        sinks = []
        if motion:
            recorder = MotionRecorder(
                *motion,
                body=self._body,
                options=take_options(self._config),
                overwrite=overwrite,
            )
            sinks.append(TakeSink(", ".join(path.name for path in motion), recorder))
            self._spools.append(spool_path(motion[0]))
        videos = (path for path in paths if path not in motion)
        sinks += [TakeSink(path.name, self._open_video(path, overwrite)) for path in videos]
        self._running, self._since_s = sinks, time.perf_counter()
        self._number += 1
        return sinks

    def _next_paths(self) -> tuple[Path, ...]:
        """Dated and numbered names that are free."""
        wanted = self._config.record or (_DEFAULT_NAME,)
        date = f"{datetime.now():%Y%m%d-%H%M%S}"
        number = self._number + 1
        while True:
            paths = tuple(
                path.with_name(f"{path.stem}-{date}-take{number}{path.suffix}") for path in wanted
            )
            if not any(path.exists() or spool_path(path).exists() for path in paths):
                return paths
            number += 1
