"""Everything a live run writes or shows, checked before the run and finished after it."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.app.calibration import LiveCalibration
from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.network_outputs import NetworkOutputs
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.app.takes import Takes, TakeSink, check_names
from realtime_vibe.app.view_files import ViewFiles
from realtime_vibe.outputs.base import check_inputs_stay, check_output_path
from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.outputs.record.take_files import MOTION_SUFFIXES
from realtime_vibe.outputs.record.take_rows import ANY_BODY, RecordedBody
from realtime_vibe.outputs.record.video_writer import VIDEO_SUFFIXES, VideoWriter
from realtime_vibe.outputs.sink_thread import SinkThread
from realtime_vibe.outputs.stats import RunFacts, write_stats
from realtime_vibe.outputs.view.background import Background, parse_background
from realtime_vibe.outputs.view.composite import SNAPSHOT_SUFFIXES, CompositeRenderer, save_image
from realtime_vibe.outputs.view.display import Display
from realtime_vibe.outputs.view.hud import HudState
from realtime_vibe.outputs.view.keys import PERSON_NUMBERS, Action
from realtime_vibe.packets import FrameResult
from realtime_vibe.sources.base import DEFAULT_FPS
from realtime_vibe.system.closing import run_all
from realtime_vibe.system.threads import SlotClosed
from realtime_vibe.tracking.base import MAX_GAP_S

logger = logging.getLogger(__name__)
_POLL_S = 0.008
"""How long the main thread waits for a result before it serves the windows again."""
_MESSAGE_S = 2.5
_HURRY_S = 3.0
"""How long whoever presses Ctrl-C a second time waits for a file that can be played."""


class VideoSink:
    """Draws results beside their meshes into a video file, in a thread of its own.

    `lossless` waits for a slow disk or renderer; else pictures are left out.
    """

    def __init__(self, writer: VideoWriter, renderer: CompositeRenderer, *, lossless: bool) -> None:
        self._writer = writer
        self._renderer = renderer
        self._is_closed = False
        self._thread: SinkThread[FrameResult] = SinkThread(
            "video", self._draw, writer.close, lossless=lossless
        )

    def write(self, result: FrameResult) -> None:
        """Queues one result."""
        self._thread.put(result)

    def close(self) -> None:
        """Waits until the file is complete; may be called twice."""
        self._thread.close()
        self._is_closed = True
        if self._thread.dropped:
            logger.warning(
                "the video left out %d frames that came too fast to draw (use --every-frame)",
                self._thread.dropped,
            )

    def hurry(self) -> None:
        """Finishes the file with the pictures that are in it, where `close` was interrupted or never came."""
        if self._is_closed:
            return
        is_done = self._thread.hurry(_HURRY_S)
        logger.warning(
            "stopped before %s was complete: %s",
            self._writer.path,
            f"it has its first {self._writer.num_frames} frames"
            if is_done
            else "it may not play, delete it",
        )

    def _draw(self, result: FrameResult) -> None:
        self._writer.write(self._renderer.draw(result), at_s=result.frame.captured_at_s)


def check_outputs(config: LiveConfig, inputs: Sequence[str | Path] = ()) -> None:
    """Makes sure that every output of a clip can be written, without touching anything.

    `inputs` is what is read besides that the settings name: other clips, the settings file.

    Raises:
        OutputError: a file exists and `overwrite` is off or it is an input, or its folder cannot be written.
    """
    of_takes = (*MOTION_SUFFIXES, *VIDEO_SUFFIXES)
    given = []
    for path, suffixes in (
        *((path, of_takes) for path in config.record),
        (config.save_video, VIDEO_SUFFIXES),
        (config.snapshot, SNAPSHOT_SUFFIXES),
        (config.stats, (".json",)),
    ):
        if path is not None:
            check_output_path(path, overwrite=config.overwrite, suffixes=suffixes)
            given.append(path)
    check_names(given)  # last: it looks up names that may not be looked up at all
    check_inputs_stay(given, [config.source, *inputs, *filter(None, [config.vmc_avatar])])


class LiveOutputs:
    """The outputs that the settings ask for. Every path is tested here, before anything else starts.

    Raises:
        OutputError: a file exists and `overwrite` is off, or its folder cannot be written.
    """

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        check_outputs(config)
        self._background: Background = parse_background(config.background)
        self._lock = PersonLock(max_people=config.max_people, grace_s=MAX_GAP_S)
        self._network = NetworkOutputs(config, self._lock)
        self._takes: Takes | None = None
        self._videos: list[VideoSink] = []
        self._message, self._message_until_s = "", 0.0
        self._calibration: LiveCalibration | None = None

    def attach(
        self, live: LiveRun, faces: NDArray[np.integer], body: RecordedBody = ANY_BODY
    ) -> None:
        """Hangs recorder and video on the run, before it starts.

        Raises:
            OutputError: a file cannot be opened.
        """
        config = self._config

        def open_video(path: Path, overwrite: bool) -> VideoSink:
            fps = live.info.fps or DEFAULT_FPS
            writer = VideoWriter(path, fps=min(fps, 60.0), overwrite=overwrite)
            renderer = CompositeRenderer(faces, mirror=config.mirror, background=self._background)
            self._videos.append(VideoSink(writer, renderer, lossless=live.every_frame))
            return self._videos[-1]

        self._takes = Takes(config, open_video, body)
        self._takes.start_first(live)
        if config.save_video is not None:
            video = open_video(config.save_video, config.overwrite)
            live.add_writer(TakeSink(config.save_video.name, video))
        if config.view == "files":
            live.add_writer(
                ViewFiles(
                    lambda path: open_video(path, False),
                    lambda path, result: self._save_snapshot(path, result, faces),
                )
            )
        self._network.attach(live, faces)

    @property
    def recording(self) -> str:
        """Names of the take's files and its length so far; empty when there is none."""
        if self._takes is None or not self._takes.is_recording:
            return ""
        return f"{self._takes.name} {self._takes.recorded_s:.0f} s"

    def calibrate_with(self, calibration: LiveCalibration) -> None:
        """Gives the key for calibrating something to start."""
        self._calibration = calibration

    def open_display(self, faces: NDArray[np.integer]) -> Display:
        """Opens the windows of the view.

        Raises:
            OutputError: there is no display, or a library is missing.
        """
        display = Display(
            faces,
            view=self._config.view,  # type: ignore[arg-type]  # checked by LiveConfig
            mirror=self._config.mirror,
            background=self._background,
        )
        display.lock = self._lock
        display.open()
        return display

    def serve(self, display: Display, live: LiveRun, titles: tuple[str, str]) -> bool:
        """One round of the main thread: the newest result to the windows, their keys to the run; False when all is over."""
        try:
            result = live.take(_POLL_S)
        except SlotClosed:
            return False
        if result is not None and (news := self._lock.update(result)):
            self._say(news)
        display.show(result, self._hud(live, titles))
        for action in display.poll():
            if action is Action.QUIT:
                return False
            self._carry_out(action, display, live)
        return True

    def say_what_is_left(self) -> None:
        """Finishes videos as they are and says how to complete recordings, as after a second Ctrl-C."""
        for video in self._videos:
            video.hurry()
        for path in [] if self._takes is None else self._takes.unfinished:
            logger.warning(
                "stopped before the recording was complete: 'realtime-vibe recover %s' makes its files",
                path,
            )

    def finish(self, live: LiveRun, facts: RunFacts, faces: NDArray[np.integer]) -> None:
        """Waits for takes that are still being written, then writes the snapshot and the statistics.

        Raises:
            OutputError: a file cannot be written.
        """
        config = self._config
        steps: list[Callable[[], object]] = []
        if (snapshot := config.snapshot) is not None:
            steps.append(lambda: self._save_snapshot(snapshot, live.latest_result, faces))
        if (path := config.stats) is not None:
            steps.append(
                lambda: write_stats(path, live.stats.document(facts), overwrite=config.overwrite)
            )
        if self._takes is not None:
            steps.append(self._takes.wait)
        run_all(*steps)

    def _save_snapshot(
        self, path: Path, last: FrameResult | None, faces: NDArray[np.integer]
    ) -> None:
        if last is None:
            logger.warning("no frame was processed: no snapshot %s", path)
            return
        renderer = CompositeRenderer(faces, mirror=self._config.mirror, background=self._background)
        cutout = self._background.is_transparent
        picture = renderer.draw_cutout(last) if cutout else renderer.draw(last)
        save_image(path, picture, overwrite=self._config.overwrite)

    def _carry_out(self, action: Action, display: Display, live: LiveRun) -> None:
        match action:
            case Action.PAUSE:
                live.toggle_pause()
            case Action.RECORD:
                if self._takes is not None:
                    self._say(self._takes.toggle(live))
            case Action.SCREENSHOT:
                self._screenshot(display)
            case Action.RESET_SHAPE:
                live.post(live.pipeline.reset_shape)
                self._say("body shape starts over")
            case Action.CALIBRATE:
                if self._calibration is not None:
                    self._calibration.start()
            case Action.RELEASE:
                self._say(self._lock.release())
            case _ if (number := PERSON_NUMBERS.get(action)) is not None:
                news = self._lock.choose(number, live.latest_result, mirror=display.mirror)
                self._say(news)
            case _:
                pass  # the display did it already

    def _screenshot(self, display: Display) -> None:
        picture = display.last_picture()
        if picture is not None:
            name = f"screenshot-{datetime.now():%Y%m%d-%H%M%S-%f}.png"
            path = save_image(Path(name), picture)
            self._say(f"saved {path}")

    def _say(self, message: str) -> None:
        self._message, self._message_until_s = message, time.perf_counter() + _MESSAGE_S
        logger.info("%s", message)

    def _news(self, now_s: float) -> str:
        if now_s < self._message_until_s:
            return self._message
        return "" if self._calibration is None else self._calibration.message

    def _hud(self, live: LiveRun, titles: tuple[str, str]) -> HudState:
        now_s = time.perf_counter()
        last = live.latest_result
        return HudState(
            capture_fps=live.capture_fps,
            inference_fps=live.inference_fps,
            latency_p50_ms=live.stats.recent_ms("end_to_end", 50),
            latency_p95_ms=live.stats.recent_ms("end_to_end", 95),
            dropped=live.dropped,
            engine=titles[0],
            backend=titles[1],
            temporal=self._config.temporal,
            num_people=len(last.people) if last is not None else 0,
            setup_state=last.level if last is not None else "",
            is_recording=self._takes is not None and self._takes.is_recording,
            recorded_s=self._takes.recorded_s if self._takes is not None else 0.0,
            is_paused=live.paused,
            source_status="" if live.paused else live.trouble,
            message=self._news(now_s),
        )
