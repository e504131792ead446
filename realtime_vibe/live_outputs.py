"""Everything a live run writes or shows, checked before the run and finished after it."""

import logging
import math
import time
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.config import LiveConfig
from realtime_vibe.live_run import LiveRun
from realtime_vibe.network_outputs import NetworkOutputs
from realtime_vibe.outputs.base import check_output_path
from realtime_vibe.outputs.composite import CompositeRenderer
from realtime_vibe.outputs.display import Display
from realtime_vibe.outputs.hud import HudState
from realtime_vibe.outputs.keys import Action
from realtime_vibe.outputs.npz_recorder import ANY_BODY, NpzRecorder, RecordedBody
from realtime_vibe.outputs.sink_thread import SinkThread
from realtime_vibe.outputs.snapshot import SNAPSHOT_SUFFIXES, save_image
from realtime_vibe.outputs.stats import RunFacts, StatsCollector, write_stats
from realtime_vibe.outputs.video_writer import VideoWriter
from realtime_vibe.packets import FrameResult
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.threads import SlotClosed

_LOGGER = logging.getLogger(__name__)
_POLL_S = 0.008
"""How long the main thread waits for a result before it serves the windows again."""
_MESSAGE_S = 2.5
_SILENCE_S = 1.0
"""A live source without a frame for longer is shown as silent."""


class VideoSink:
    """Draws results beside their meshes into a video file, in a thread of its own.

    Args:
        writer: the file.
        renderer: draws the pictures.
        lossless: wait for a slow disk or renderer, else leave pictures out.
    """

    def __init__(self, writer: VideoWriter, renderer: CompositeRenderer, *, lossless: bool) -> None:
        self._writer = writer
        self._renderer = renderer
        self._thread: SinkThread[FrameResult] = SinkThread(
            "video", self._draw, writer.close, lossless=lossless
        ).start()

    def write(self, result: FrameResult) -> None:
        """Queues one result."""
        self._thread.put(result)

    def close(self) -> None:
        """Waits until the file is complete."""
        self._thread.close()
        if self._thread.dropped:
            _LOGGER.warning(
                "the video left out %d frames that came too fast to draw (use --every-frame)",
                self._thread.dropped,
            )

    def _draw(self, result: FrameResult) -> None:
        self._writer.write(self._renderer.draw(result), at_s=result.frame.captured_at_s)


class LiveOutputs:
    """The outputs that the settings ask for.

    Args:
        config: checked settings. Every output path is tested here, before anything else starts.

    Raises:
        OutputError: a file exists and `overwrite` is off, or its folder cannot be written.
    """

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        for path, suffixes in (
            (config.record, (".npz",)),
            (config.save_video, (".mkv", ".mp4", ".avi")),
            (config.snapshot, SNAPSHOT_SUFFIXES),
            (config.stats, (".json",)),
        ):
            if path is not None:
                check_output_path(path, overwrite=config.overwrite, suffixes=suffixes)
        self._network = NetworkOutputs(config)
        self._recorder: NpzRecorder | None = None
        self._body = ANY_BODY
        self._recording_since_s = 0.0
        self._message, self._message_until_s = "", 0.0

    def attach(
        self,
        live: LiveRun,
        faces: NDArray[np.integer],
        info: SourceInfo,
        *,
        lossless: bool,
        body: RecordedBody = ANY_BODY,
    ) -> None:
        """Hangs the recorder and the video on the run; before it starts.

        Args:
            live: the run.
            faces: (F, 3) of the body's mesh.
            info: what the source says about itself.
            lossless: write every frame, however long it takes.
            body: what recordings say about the body.

        Raises:
            OutputError: a file cannot be opened.
        """
        config = self._config
        self._body = body
        if config.record is not None:
            self._recorder = NpzRecorder(config.record, body=body, overwrite=config.overwrite)
            self._recording_since_s = time.perf_counter()
            live.add_writer(self._recorder)
        if config.save_video is not None:
            fps = info.fps if info.fps and math.isfinite(info.fps) else 30.0
            writer = VideoWriter(config.save_video, fps=min(fps, 60.0), overwrite=config.overwrite)
            renderer = CompositeRenderer(faces, mirror=config.mirror)
            live.add_writer(VideoSink(writer, renderer, lossless=lossless))
        self._network.attach(live, faces)

    def open_display(self, faces: NDArray[np.integer]) -> Display:
        """Opens the windows of the view.

        Raises:
            OutputError: there is no display, or a library is missing.
        """
        display = Display(faces, view=self._config.view, mirror=self._config.mirror)  # type: ignore[arg-type]  # checked by LiveConfig
        display.open()
        return display

    def serve(
        self, display: Display, live: LiveRun, stats: StatsCollector, titles: tuple[str, str]
    ) -> bool:
        """One round of the main thread: the newest result to the windows, their keys to the run.

        Args:
            display: open windows.
            live: the run.
            stats: latencies for the HUD.
            titles: the engine's and the backend's name.

        Returns:
            False when the user wants to quit or the source has ended.
        """
        try:
            result = live.take(_POLL_S)
        except SlotClosed:
            return False
        display.show(result, self._hud(live, stats, titles))
        for action in display.poll():
            if action is Action.QUIT:
                return False
            self._carry_out(action, display, live)
        return True

    def finish(
        self,
        last: FrameResult | None,
        stats: StatsCollector,
        facts: RunFacts,
        faces: NDArray[np.integer],
    ) -> None:
        """Writes the snapshot and the statistics.

        Raises:
            OutputError: a file cannot be written.
        """
        config = self._config
        if config.snapshot is not None:
            if last is None:
                _LOGGER.warning("no frame was processed: no snapshot %s", config.snapshot)
            else:
                renderer = CompositeRenderer(faces, mirror=config.mirror)
                save_image(config.snapshot, renderer.draw(last))
        if config.stats is not None:
            write_stats(config.stats, stats.document(facts))

    def _carry_out(self, action: Action, display: Display, live: LiveRun) -> None:
        match action:
            case Action.PAUSE:
                live.toggle_pause()
            case Action.RECORD:
                self._toggle_recording(live)
            case Action.SCREENSHOT:
                self._screenshot(display)
            case Action.RESET_SHAPE:
                live.post(live.pipeline.reset_shape)
                self._say("body shape starts over")
            case _:
                pass  # the display did it already

    def _toggle_recording(self, live: LiveRun) -> None:
        if self._recorder is not None:
            recorder, self._recorder = self._recorder, None
            live.post(lambda: live.finish_writer(recorder))
            self._say(f"recorded {recorder.path.name}")
            return
        path = Path(f"recording-{datetime.now():%Y%m%d-%H%M%S}.npz")
        recorder = NpzRecorder(path, body=self._body)
        self._recorder = recorder
        self._recording_since_s = time.perf_counter()
        live.post(lambda: live.add_writer(recorder))
        self._say(f"recording to {path}")

    def _screenshot(self, display: Display) -> None:
        picture = display.last_picture()
        if picture is not None:
            path = Path(f"screenshot-{datetime.now():%Y%m%d-%H%M%S-%f}.png")
            save_image(path, picture)
            self._say(f"saved {path}")

    def _say(self, message: str) -> None:
        self._message, self._message_until_s = message, time.perf_counter() + _MESSAGE_S
        _LOGGER.info("%s", message)

    def _hud(self, live: LiveRun, stats: StatsCollector, titles: tuple[str, str]) -> HudState:
        now_s = time.perf_counter()
        rates = live.rates
        last = live.latest_result
        tracked = bool(last and last.people)
        status = live.source_status
        silent_s = live.seconds_since_frame()
        if status == "ok":
            status = f"no signal for {silent_s:.0f} s" if silent_s > _SILENCE_S else ""
        return HudState(
            capture_fps=rates.capture_fps,
            inference_fps=rates.inference_fps,
            latency_p50_ms=stats.percentile_ms("end_to_end", 50),
            latency_p95_ms=stats.percentile_ms("end_to_end", 95),
            dropped=rates.dropped,
            engine=titles[0],
            backend=titles[1],
            temporal=self._config.temporal,
            track_state="tracking" if tracked else "searching",
            is_tracking=tracked,
            is_recording=self._recorder is not None,
            recorded_s=now_s - self._recording_since_s if self._recorder else 0.0,
            is_paused=live.paused,
            source_status="" if live.paused else status,
            message=self._message if now_s < self._message_until_s else "",
        )
