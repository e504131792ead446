"""The library's front door: `for result in realtime_vibe.stream(source=0): ...`.

Legend: V vertices. Camera frame: OpenCV (x right, y down, z forward) [m].
"""

import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.app.clips import clip_names, named_after
from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.outputs import LiveOutputs
from realtime_vibe.app.run import build_pipeline, connect, write_reports
from realtime_vibe.app.settings import SETTINGS, LiveConfig, renamed
from realtime_vibe.app.settings_file import build_config
from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.errors import ConfigError
from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.outputs.stats import StatsCollector
from realtime_vibe.packets import FloatArray, FrameResult, ImageArray, PersonResult
from realtime_vibe.sources.base import FrameSource
from realtime_vibe.sources.factory import open_source
from realtime_vibe.sources.given_frames import GivenFrames
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.threads import SlotClosed

SETTLING_FRAMES = 16
_WAIT_S = 0.2
"""How often a wait for the next result looks whether Ctrl-C was pressed."""


@dataclass(frozen=True, slots=True)
class StreamedPerson:
    """One person in one frame, by names."""

    result: PersonResult
    """All that the pipeline says, as arrays."""

    @property
    def track_id(self) -> int:
        """The same number as long as the person stays in view."""
        return self.result.person.track_id

    @property
    def joints(self) -> dict[str, FloatArray]:
        """Name -> (3,) position [m], camera frame; the names are `SMPL_JOINT_NAMES`."""
        return dict(zip(SMPL_JOINT_NAMES, self.result.mesh.joints, strict=True))

    @property
    def rotations(self) -> dict[str, FloatArray]:
        """Name -> (3, 3) rotation relative to the parent joint; `pelvis` relative to the camera."""
        params = self.result.params
        local = {"pelvis": params.global_orient}
        local.update(zip(SMPL_JOINT_NAMES[1:], params.body_pose, strict=True))
        return local

    @property
    def vertices(self) -> FloatArray:
        """(V, 3) of the surface [m], camera frame; `LiveStream.faces` are its triangles."""
        return self.result.mesh.vertices


@dataclass(frozen=True, slots=True)
class StreamedFrame:
    """What is known of one frame."""

    result: FrameResult
    """All that the pipeline says, times of the stages included."""

    @property
    def people(self) -> tuple[StreamedPerson, ...]:
        """Everybody in view; empty when nobody is."""
        return tuple(StreamedPerson(person) for person in self.result.people)

    @property
    def index(self) -> int:
        """Position in the stream; a step of more than one means that frames were left out."""
        return self.result.frame.index

    @property
    def time_s(self) -> float:
        """When the frame was taken [s]: media time for files, `time.perf_counter` for cameras."""
        return self.result.frame.captured_at_s

    @property
    def T_world_camera(self) -> FloatArray:  # noqa: N802 - field name of the literature
        """(4, 4) from the camera's frame to the Z-up world, with the floor at 0 once calibrated."""
        transform = self.result.T_world_camera
        return T_WORLD_CAMERA if transform is None else transform

    @property
    def image_bgr(self) -> ImageArray:
        """(H, W, 3) uint8, the picture itself."""
        return self.result.frame.image_bgr


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
        self._opening = threading.Lock()
        self._faces: NDArray[np.integer] | None = None
        self._is_closed = False
        # The threads hold no reference to the stream, so a forgotten one is collected and closed.
        self._finalizer = weakref.finalize(self, self._cleanup.close)

    @property
    def faces(self) -> NDArray[np.integer]:
        """(F, 3) triangles of every person's vertices; opens the stream."""
        self._opened()
        assert self._faces is not None
        return self._faces

    def close(self) -> None:
        """Ends the threads and finishes the outputs; may be called twice.

        Raises:
            RealtimeVibeError: an output could not be finished.
        """
        self._is_closed = True
        self._finalizer()

    def __iter__(self) -> Iterator[StreamedFrame]:
        return self

    def __next__(self) -> StreamedFrame:
        if self._is_closed:
            raise StopIteration
        try:
            live = self._opened()
            while (result := live.take(_WAIT_S)) is None:
                pass
        except SlotClosed:
            self.close()
            raise StopIteration from None
        except BaseException:
            self.close()
            raise
        return StreamedFrame(result)

    def __enter__(self) -> Self:
        self._opened()
        return self

    def _opened(self) -> LiveRun:
        with self._opening:  # whoever else asks meanwhile gets the same run
            if self._live is None:
                if self._is_closed:
                    raise ConfigError("this stream was closed: call realtime_vibe.stream again")
                try:
                    self._live = self._open()
                except BaseException:
                    self.close()
                    raise
            return self._live

    def _open(self) -> LiveRun:
        name = "frames" if self._frames is not None else clip_names([self._config.source])[0]
        config, cleanup = named_after(self._config, name), self._cleanup
        stats = StatsCollector()
        outputs = LiveOutputs(config)
        built = build_pipeline(config)
        cleanup.callback(built.pipeline.close)
        source = self._new_source(config)
        source.open()
        cleanup.callback(source.close)
        every_frame = not source.info.is_live
        if config.every_frame is not None:
            every_frame = config.every_frame
        live = LiveRun(
            source,
            built.pipeline,
            stats,
            every_frame=every_frame,
            max_frames=config.max_frames,
            every_result=every_frame,
        )
        cleanup.callback(write_reports, outputs, live, stats, built)
        cleanup.callback(live.close)
        connect(config, outputs, live, built, source.info)
        self._faces = built.faces
        live.start()
        return live

    def _new_source(self, config: LiveConfig) -> FrameSource:
        if self._frames is not None:
            return GivenFrames(self._frames, fps=config.fps)
        size = (config.width, config.height) if config.width and config.height else None
        return open_source(config.source, paced=config.is_paced, size=size, fps=config.fps)


def stream(
    source: int | str | None = None, *, frames: Iterable[Any] | None = None, **settings: object
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
    known = SETTINGS.keys() - {"source", "view"}
    settings = renamed(settings)
    unknown = sorted(set(settings) - known)
    if unknown:
        raise ConfigError(
            f"stream() got the setting '{unknown[0]}', expected one of {', '.join(sorted(known))}"
        )
    if frames is not None and source is not None:
        raise ConfigError("stream() got a source and frames: give one of them")
    chosen = "auto" if source is None else source
    return LiveStream(build_config({"view": "none", "source": chosen, **settings}), frames)


def process_image(image_bgr: ImageArray, **settings: Any) -> StreamedFrame:
    """Everybody in a single picture.

    The picture is shown to the networks as a short film of somebody who stands still: the motion network
    settles within a few frames. The engine is loaded at each call; for a film use `stream(frames=...)`.

    Args:
        image_bgr: (H, W, 3) uint8, as `cv2.imread` gives it.
        settings: as for `stream`; `max_people=4` finds four.

    Raises:
        RealtimeVibeError: a setting is wrong, or the array is no picture.
    """
    if image_bgr is None:
        raise ConfigError("process_image() got None: cv2.imread gives it for a file it cannot read")
    with stream(frames=[image_bgr] * SETTLING_FRAMES, **settings) as results:
        *_, last = results
    return last
