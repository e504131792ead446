"""Builds everything a live run needs and runs it: the only module that constructs the stages."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from realtime_vibe.app.calibration import LiveCalibration
from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.outputs import LiveOutputs
from realtime_vibe.app.recorded_body import recorded_body
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.app.status_line import follow, summary_text
from realtime_vibe.backends.graph import ONNX
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import BodyModel, load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import ConfigError
from realtime_vibe.features.factory import make_features, needs_landmarks
from realtime_vibe.outputs.record.take_rows import RecordedBody
from realtime_vibe.outputs.stats import RunFacts, StatsCollector
from realtime_vibe.pipeline import MotionCapturePipeline
from realtime_vibe.sources.base import FrameSource
from realtime_vibe.sources.factory import open_source
from realtime_vibe.sources.turned import turned
from realtime_vibe.system.closing import run_all
from realtime_vibe.system.signals import EndingSignals
from realtime_vibe.temporal.motion_model import MotionModel
from realtime_vibe.temporal.stage import TemporalStage
from realtime_vibe.tracking.base import PersonTracker
from realtime_vibe.tracking.choices import TrackerChoice
from realtime_vibe.tracking.factory import make_tracker
from realtime_vibe.world.corrections import BodyCorrections
from realtime_vibe.world.landmark_fit import LandmarkFit
from realtime_vibe.world.leveler import Leveler

logger = logging.getLogger(__name__)

TRACKER_FOLDER = "tracker"
"""Where an engine that was built for one machine keeps BlazePose, built for the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPipeline:
    """A pipeline and what the outputs must know about it."""

    pipeline: MotionCapturePipeline
    faces: NDArray[np.integer]
    """(F, 3) of the body's mesh."""
    body_model: BodyModel
    recorded_body: RecordedBody
    engine: str
    backends: Mapping[str, str]
    """What really runs each graph: `{"landmarks": "openvino:CPU:f32"}`."""
    precision: str

    @property
    def backend(self) -> str:
        """`backends` in one line; no names of graphs where all run on the same."""
        graphs: dict[str, list[str]] = {}
        for graph, backend in self.backends.items():
            graphs.setdefault(backend, []).append(graph)
        if len(graphs) == 1:
            return next(iter(graphs))
        return ", ".join(f"{backend} ({', '.join(names)})" for backend, names in graphs.items())


def build_pipeline(config: LiveConfig) -> BuiltPipeline:
    """Opens the engine and the tracker the settings name.

    Raises:
        EngineError: an engine folder is missing, damaged or does not fit this version.
        BackendUnavailableError: the backend or the tracker is not installed.
        BodyModelError: the engine's body file is damaged.
    """
    # OpenBLAS's workers spin after the body's matrix products, into the next run of the landmark
    # network, and doubled its time on two cores. One thread is as fast for products of this size.
    threadpool_limits(1, user_api="blas")
    engine = Engine(config.engine, config.backend)
    model = _open_model(engine, config)
    body = SmplBody(load_body(engine.body))
    pipeline = MotionCapturePipeline(
        tracker=_build_tracker(config, engine),
        features=make_features(engine),
        temporal=TemporalStage(model, mode=config.temporal, smooth=config.smooth),
        body=body,
        fov_deg=config.fov_deg,
        fit=LandmarkFit(body) if needs_landmarks(engine) else None,
        corrections=_corrections(config, body.model),
        leveler=Leveler() if config.level else None,
    )
    return BuiltPipeline(
        pipeline=pipeline,
        faces=body.model.faces,
        body_model=body.model,
        recorded_body=recorded_body(body.model, engine.body),
        engine=engine.name,
        backends=engine.used,
        precision=engine.precision,
    )


def run(config: LiveConfig) -> int:
    """Runs until the source ends, the user quits or a signal comes; returns 0, or 128 + the signal's number.

    Raises:
        RealtimeVibeError: something the user can fix; every output was finished before.
        Interrupted: a signal came while the engine, a window or the source was being opened.
    """
    outputs = LiveOutputs(config)
    with EndingSignals() as signals, ExitStack() as cleanup:
        with signals.raising():
            built = build_pipeline(config)
            cleanup.callback(built.pipeline.close)
            # Windows come before the camera: without a display nothing needs to be opened.
            display = outputs.open_display(built.faces) if config.has_windows else None
            if display is not None:
                cleanup.callback(display.close)
            source = source_of(config)
            cleanup.callback(source.close)
        every_frame = _wants_every_frame(config, source)
        live = LiveRun(
            source,
            built.pipeline,
            StatsCollector(),
            every_frame=every_frame,
            max_frames=config.max_frames,
        )
        start(config, live, built, outputs, cleanup)
        caught = signals.caught
        if display is not None:
            titles = (built.engine, f"{built.backend} {built.precision}")
            while not caught and outputs.serve(display, live, titles):
                pass
        else:
            num_frames = config.max_frames or source.info.frame_count
            follow(live, num_frames, lambda: outputs.recording, caught)
        logger.info("%s", summary_text(live))
    return 128 + caught[0] if caught else 0


def start(
    config: LiveConfig,
    live: LiveRun,
    built: BuiltPipeline,
    outputs: LiveOutputs,
    cleanup: ExitStack,
) -> None:
    """Starts a run with its outputs and calibration.

    Args:
        cleanup: ends the run, finishes its outputs and writes the reports.

    Raises:
        RealtimeVibeError: a file cannot be opened, or the body cannot have the stated height.
    """

    def finish() -> None:
        try:
            run_all(live.close, lambda: _write_reports(outputs, live, built))
        except KeyboardInterrupt:
            outputs.say_what_is_left()
            raise

    cleanup.callback(finish)
    outputs.attach(live, built.faces, built.recorded_body)
    calibration = LiveCalibration(config, built.body_model, built.engine)
    outputs.calibrate_with(calibration)
    calibration.attach(live)
    live.start()


def source_of(config: LiveConfig) -> FrameSource:
    """Opens the source that the settings name."""
    size = (config.width, config.height) if config.width and config.height else None
    source = open_source(config.source, paced=config.is_paced, size=size, fps=config.fps)
    return turned(source, config.rotate)


def _corrections(config: LiveConfig, model: BodyModel) -> BodyCorrections | None:
    """None where the network's own words are wanted."""
    rest_legs = config.smooth > 0
    if not (config.locks_feet or rest_legs):
        return None
    return BodyCorrections(model, foot_lock=config.locks_feet, rest_legs=rest_legs)


def _wants_every_frame(config: LiveConfig, source: FrameSource) -> bool:
    if config.every_frame is not None:
        return config.every_frame
    return not (config.has_windows or config.sends or source.info.is_live)


def _write_reports(outputs: LiveOutputs, live: LiveRun, built: BuiltPipeline) -> None:
    """Writes the snapshot and the statistics of a run that is over.

    Raises:
        OutputError: a file cannot be written.
    """
    facts = RunFacts(
        frames_grabbed=live.frames_grabbed,
        frames_dropped=live.dropped,
        frames_started_over=live.pipeline.num_started_over,
        engine=built.engine,
        backend=built.backend,
        backends=built.backends,
        precision=built.precision,
    )
    outputs.finish(live, facts, built.faces)


def _open_model(engine: Engine, config: LiveConfig) -> MotionModel:
    """The motion model, with the backbone in the same graph where the engine is built so."""
    if "fused" not in engine.graph_names:
        # A small graph is done before a second thread has woken up.
        threads = 1 if needs_landmarks(engine) else 2
        return MotionModel(engine.session("step", num_threads=threads))
    if config.temporal == "window":
        raise ConfigError(
            f"engine {engine.name} goes from picture to parameters in one graph and keeps no features "
            "to run again: use --temporal stream, or export it without --fused"
        )
    return MotionModel(engine.session("fused", num_threads=2))


def _build_tracker(config: LiveConfig, engine: Engine) -> PersonTracker:
    own_folder = engine.path / TRACKER_FOLDER
    choice = TrackerChoice(
        tracker=config.tracker,
        detector=config.detector,
        max_people=config.max_people,
        detect_every=config.detect_every,
        tracker_model=config.tracker_model,
        refine=config.refine,
        # A built folder opens with its own backend alone; the tracker beside it may be built for another.
        backend=config.backend if engine.target == ONNX else "auto",
    )
    return make_tracker(
        choice,
        needs_landmarks=needs_landmarks(engine),
        blazepose_folder=own_folder if own_folder.is_dir() else None,
        used=engine.used,
    )
