"""Builds the tracker that the settings ask for, out of engine folders."""

from dataclasses import dataclass
from pathlib import Path

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.engine_folder import find_folder
from realtime_vibe.backends.manifest import ManifestKind, graph_spec, open_spec, read_manifest
from realtime_vibe.backends.opener import GraphOpener
from realtime_vibe.errors import ConfigError, EngineError
from realtime_vibe.tracking.base import PersonDetector, PersonTracker
from realtime_vibe.tracking.blazepose_detector import BlazePoseDetector
from realtime_vibe.tracking.blazepose_models import (
    BLAZEPOSE_KIND,
    blazepose_kind,
    folder_name,
    model_folder,
)
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker
from realtime_vibe.tracking.box_tracker import BoxTracker
from realtime_vibe.tracking.choices import BLAZEPOSE, DETECT_EVERY, FULL, TRACKER_MODELS, TRACKERS
from realtime_vibe.tracking.yolov3_detector import YoloV3Detector

DETECTOR_KIND = ManifestKind(
    file_name="detector.json",
    cure="make it with: python -m export.yolov3 --weights yolov3.weights",
)
_NUM_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerChoice:
    """What can be chosen about a tracker; see the settings of the same names."""

    tracker: str = "auto"
    """`auto`, `blazepose`, `boxes` or `mediapipe`."""
    detector: str = BLAZEPOSE
    """`blazepose`, or name or path of a folder with a `detector.json`."""
    max_people: int = 1
    detect_every: int = DETECT_EVERY
    """Frames."""
    tracker_model: str = FULL
    """Which landmark network: `lite`, `full` or `heavy`."""
    refine: bool = False
    backend: str | GraphOpener = "auto"
    """What opens the graphs, or the name of a backend."""


def make_tracker(
    choice: TrackerChoice, *, needs_landmarks: bool, blazepose_folder: Path | None = None
) -> PersonTracker:
    """Opens what the choice names.

    Args:
        choice: `auto` takes BlazePose's landmark tracker for engines that need landmarks, and for
            others as long as BlazePose is the detector; else the box tracker.
        needs_landmarks: whether the engine's features are made of landmarks.
        blazepose_folder: BlazePose's graphs, see `model_folder`; None: those of this installation.

    Raises:
        ConfigError: the parts do not go together.
        EngineError: a folder is missing, or a file is not what its manifest says.
        BackendUnavailableError: the backend or MediaPipe is not installed.
        TrackerError: MediaPipe cannot start.
    """
    match _resolved(choice, needs_landmarks=needs_landmarks):
        case "mediapipe":
            from realtime_vibe.tracking.mediapipe_tracker import MediaPipeTracker

            return MediaPipeTracker(model=choice.tracker_model)
        case "boxes":
            return BoxTracker(
                open_detector(choice.detector, choice.backend, blazepose_folder),
                max_people=choice.max_people,
                detect_every=choice.detect_every,
            )
        case "blazepose":
            return _landmark_tracker(choice, blazepose_folder)
        case unknown:
            raise ConfigError(f"tracker is {unknown!r}, expected one of {', '.join(TRACKERS)}")


def make_blazepose_tracker(
    engine_dir: Path,
    backend: str | GraphOpener = "auto",
    *,
    refine: bool = False,
    num_threads: int = 2,
    model: str = FULL,
) -> BlazePoseTracker:
    """Builds the tracker of one person from BlazePose's engine folder.

    Args:
        engine_dir: holds `blazepose.json` and the graphs it names.
        backend: what opens the graphs, or the name of a backend.
        refine: take the landmark graph with heat maps: more exact in pixels, and slower.
        num_threads: threads of each network.
        model: which landmark network; others than `full` lie in a folder beside `engine_dir`.

    Raises:
        EngineError: a file is missing or is not what the manifest says.
        BackendUnavailableError: the backend cannot run here.
    """
    detector = BlazePoseDetector(
        _open(engine_dir, BLAZEPOSE_KIND, "detector", backend, num_threads)
    )
    try:
        folder = engine_dir.with_name(folder_name(model, engine_dir.name))
        landmarks = _open_landmarks(folder, model, backend, refine, num_threads)
    except Exception:
        detector.close()
        raise
    return BlazePoseTracker(detector, landmarks)


def open_detector(
    name_or_dir: str,
    backend: str | GraphOpener = "auto",
    blazepose_folder: Path | None = None,
) -> PersonDetector:
    """Opens a person detector.

    Args:
        name_or_dir: `blazepose`, or name or path of a folder with a `detector.json`.
        backend: what opens the graph, or the name of a backend.
        blazepose_folder: see `make_tracker`.

    Raises:
        EngineError: there is no such folder, or a file is not what its manifest says.
        BackendUnavailableError: the backend cannot run here.
    """
    if name_or_dir == BLAZEPOSE:
        folder = blazepose_folder or model_folder(FULL)
        return BlazePoseDetector(_open(folder, BLAZEPOSE_KIND, "detector", backend, _NUM_THREADS))
    found = find_folder(name_or_dir)
    if found is None:
        raise EngineError(
            f"no detector '{name_or_dir}': expected {BLAZEPOSE} or a folder with a "
            f"{DETECTOR_KIND.file_name}; {DETECTOR_KIND.cure}"
        )
    return YoloV3Detector(_open(found, DETECTOR_KIND, "detector", backend, _NUM_THREADS))


def _resolved(choice: TrackerChoice, *, needs_landmarks: bool) -> str:
    """The tracker to build, once it is known that everything fits."""
    tracker = choice.tracker
    if tracker == "auto":
        keeps_to_blazepose = needs_landmarks or choice.detector == BLAZEPOSE
        tracker = "blazepose" if keeps_to_blazepose else "boxes"
    if tracker == "boxes" and needs_landmarks:
        raise ConfigError(
            "tracker is boxes, but this engine needs landmarks: expected auto, blazepose or "
            "mediapipe, or an engine that sees crops"
        )
    if choice.tracker_model not in TRACKER_MODELS:
        raise ConfigError(
            f"tracker-model is {choice.tracker_model!r}, expected one of {', '.join(TRACKER_MODELS)}"
        )
    if tracker == "boxes" and choice.tracker_model != FULL:
        raise ConfigError(
            f"tracker-model is {choice.tracker_model}, but the tracker is boxes, without landmarks: expected "
            f"{FULL}, or tracker blazepose"
        )
    if tracker == "boxes" and choice.refine:
        raise ConfigError(
            "refine is on, but the tracker is boxes, without landmarks: expected refine off, or "
            "tracker blazepose"
        )
    if tracker == "mediapipe" and choice.detector != BLAZEPOSE:
        raise ConfigError(
            f"detector is '{choice.detector}', but mediapipe has its own: expected {BLAZEPOSE}, or "
            "another tracker"
        )
    if tracker == "mediapipe" and choice.max_people > 1:
        raise ConfigError(
            f"max-people is {choice.max_people}, but mediapipe follows one person: expected 1, or "
            "another tracker"
        )
    return tracker


def _landmark_tracker(choice: TrackerChoice, blazepose_folder: Path | None) -> BlazePoseTracker:
    detector = open_detector(choice.detector, choice.backend, blazepose_folder)
    try:
        folder = model_folder(choice.tracker_model, blazepose_folder)
        landmarks = _open_landmarks(
            folder, choice.tracker_model, choice.backend, choice.refine, _NUM_THREADS
        )
    except Exception:
        detector.close()
        raise
    return BlazePoseTracker(
        detector, landmarks, max_people=choice.max_people, detect_every=choice.detect_every
    )


def _open_landmarks(
    folder: Path, model: str, backend: str | GraphOpener, refine: bool, num_threads: int
) -> InferenceSession:
    name = "landmarks_heat" if refine else "landmarks"
    return _open(folder, blazepose_kind(model), name, backend, num_threads)


def _open(
    folder: Path, kind: ManifestKind, name: str, backend: str | GraphOpener, num_threads: int
) -> InferenceSession:
    spec = graph_spec(folder, kind, read_manifest(folder, kind), name)
    return open_spec(spec, backend, num_threads=num_threads)
