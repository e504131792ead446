"""The threads of a live run: capture -> inference -> whoever shows the newest result.

    capture thread --LatestSlot[Frame]--> inference thread --LatestSlot[FrameResult]--> main thread

Recorders and the video file hang on the inference thread and miss nothing that was processed; the
main thread only ever sees the newest result. An error in any thread ends the run and is raised by
`take`, after which `close` still finishes every output.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from realtime_vibe.outputs.base import ResultSink
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.packets import Frame, FrameResult
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.sources.base import FrameSource, SourceInfo
from realtime_vibe.system.closing import run_all
from realtime_vibe.system.threads import LatestSlot, SlotClosed, Worker
from realtime_vibe.system.timing import RateMeter

logger = logging.getLogger(__name__)
_CAPTURE_JOIN_S, _INFERENCE_JOIN_S = 2.0, 5.0
_SILENCE_S = 1.0
"""A source without a frame for longer is shown as silent."""


class LiveRun:
    """Owns the threads of one run.

    Args:
        source: open; closed by `close`.
        every_frame: process all frames in order, else the newest.
        every_result: hand over all results in order, which makes inference wait for whoever takes
            them; else the newest.
    """

    def __init__(
        self,
        source: FrameSource,
        pipeline: MotionCapturePipeline,
        stats: StatsCollector,
        *,
        every_frame: bool,
        max_frames: int | None,
        every_result: bool = False,
    ) -> None:
        self._source = source
        self.pipeline = pipeline
        """Touch it only by `post`."""
        self.stats = stats
        self.every_frame = every_frame
        """Whether no frame is left out."""
        self._max_frames = max_frames
        self._frames: LatestSlot[Frame] = LatestSlot(lossless=every_frame)
        self._results: LatestSlot[FrameResult] = LatestSlot(lossless=every_result)
        self._capture = Worker("capture", self._grab, self._frames.close)
        self._inference = Worker("inference", self._infer, self._results.close)
        self._commands: deque[Callable[[], None]] = deque()
        self._writers: list[ResultSink] = []
        self._stop = threading.Event()
        self._resumed = threading.Event()
        self._resumed.set()
        self._capture_rate, self._inference_rate = RateMeter(), RateMeter()
        self.latest_result: FrameResult | None = None
        """The last processed frame, also after the end."""
        self.frames_grabbed = 0
        """Frames the source delivered, those that were replaced by newer ones included."""
        self._grabbed_at_s = time.perf_counter()
        self._last_index = -1
        self.dropped = 0
        """Frames that a newer one replaced before they were processed."""

    def start(self) -> None:
        """Starts both threads."""
        self._grabbed_at_s = time.perf_counter()
        self._capture.start()
        self._inference.start()

    def take(self, timeout_s: float | None = None) -> FrameResult | None:
        """The newest result, once; None when none came in time.

        Raises:
            SlotClosed: the source has ended and everything was taken.
            BaseException: whatever broke a thread.
        """
        return self._results.take(timeout_s)

    def add_writer(self, writer: ResultSink) -> None:
        """Gives every result from the next one on to `writer`; before `start`, or by `post`."""
        self._writers.append(writer)

    def remove_writer(self, writer: ResultSink) -> None:
        """Takes a writer out, for whoever asks to close; only by `post`."""
        self._writers.remove(writer)

    def post(self, command: Callable[[], None]) -> None:
        """Runs `command` in the inference thread between two frames."""
        self._commands.append(command)

    @property
    def paused(self) -> bool:
        """Whether inference rests."""
        return not self._resumed.is_set()

    def toggle_pause(self) -> None:
        """Rests or goes on."""
        if self._resumed.is_set():
            self._resumed.clear()
        else:
            self._resumed.set()

    @property
    def trouble(self) -> str:
        """What is wrong with the source, for people; empty when nothing is."""
        if self._source.status != "ok":
            return self._source.status
        if self.every_frame:  # the source waits for its frames to be processed
            return ""
        silent_s = time.perf_counter() - self._grabbed_at_s
        return f"no signal for {silent_s:.0f} s" if silent_s > _SILENCE_S else ""

    @property
    def info(self) -> SourceInfo:
        """What the source is like."""
        return self._source.info

    @property
    def frames_processed(self) -> int:
        """Frames that went through the pipeline."""
        return self.stats.num_processed

    @property
    def capture_fps(self) -> float:
        """Current rate of frames from the source [1/s]."""
        return self._capture_rate.rate_at(time.perf_counter())

    @property
    def inference_fps(self) -> float:
        """Current rate of results [1/s]."""
        return self._inference_rate.rate_at(time.perf_counter())

    def close(self) -> None:
        """Stops both threads and the source, then finishes every writer; safe at any point, may be called twice.

        A thread that hangs is logged and left behind.

        Raises:
            RealtimeVibeError: the first error of a writer that could not finish.
        """
        self._stop.set()
        self._resumed.set()
        self._source.close()
        self._frames.close()
        self._results.close()
        if not self._capture.join(_CAPTURE_JOIN_S):
            logger.error("the capture thread did not end within %.0f s", _CAPTURE_JOIN_S)
        if not self._inference.join(_INFERENCE_JOIN_S):
            logger.error("the inference thread did not end within %.0f s", _INFERENCE_JOIN_S)
        writers, self._writers = self._writers, []
        run_all(*(writer.close for writer in reversed(writers)))

    def _grab(self) -> None:
        while not self._stop.is_set():
            frame = self._source.read(self._stop)
            if frame is None:
                return
            self.frames_grabbed = frame.index + 1
            self._grabbed_at_s = time.perf_counter()
            self._frames.put(frame)

    def _infer(self) -> None:
        while not self._stop.is_set() and not self._done():
            self._run_commands()
            if not self._resumed.wait(0.1):
                continue
            try:
                frame = self._frames.take(0.2)
            except SlotClosed:
                break
            if frame is not None:
                self._process(frame)
        self._run_commands()

    def _process(self, frame: Frame) -> None:
        self._count_grabbed(frame)
        result = self.pipeline.step(frame)
        ready_at_s = time.perf_counter()
        self.stats.add(result, ready_at_s)
        self._inference_rate.tick(ready_at_s)
        self.latest_result = result
        for writer in self._writers:
            writer.write(result)
        self._results.put(result)

    def _count_grabbed(self, frame: Frame) -> None:
        """Keeps the rate and the number of drops."""
        step = frame.index - self._last_index
        self._capture_rate.tick(frame.grabbed_at_s, events=max(1, step))
        # Gaps in the index are frames that a newer one replaced, in the slot or inside the source.
        self.dropped += max(0, step - 1)
        self._last_index = frame.index

    def _done(self) -> bool:
        return self._max_frames is not None and self.stats.num_processed >= self._max_frames

    def _run_commands(self) -> None:
        while self._commands:
            self._commands.popleft()()
