"""Builds the tracker that the settings ask for, out of engine folders."""

from pathlib import Path

from realtime_vibe.backends.graph_folder import GraphFolder, named_folder
from realtime_vibe.errors import ConfigError
from realtime_vibe.tracking.base import PersonDetector, PersonTracker
from realtime_vibe.tracking.blazepose_detector import BlazePoseDetector
from realtime_vibe.tracking.blazepose_models import BlazePoseFolder, model_folder
from realtime_vibe.tracking.blazepose_tracker import BlazePoseTracker
from realtime_vibe.tracking.box_tracker import BoxTracker
from realtime_vibe.tracking.choices import (
    BLAZEPOSE,
    DEFAULT_TRACKER,
    FULL,
    TRACKERS,
    TrackerChoice,
)
from realtime_vibe.tracking.outlier_gate import OutlierGate
from realtime_vibe.tracking.side_keeper import SideKeeper
from realtime_vibe.tracking.yolov3_detector import YoloV3Detector

_MAKE_DETECTOR = "make it with: python -m export.yolov3 --weights yolov3.weights"


class DetectorFolder(GraphFolder):
    """The folder of a person detector other than BlazePose's, see `GraphFolder`."""

    manifest = "detector.json"

    @property
    def advice(self) -> str:
        """See `GraphFolder.advice`."""
        return _MAKE_DETECTOR


def make_tracker(
    choice: TrackerChoice,
    *,
    needs_landmarks: bool,
    blazepose_folder: Path | None = None,
    used: dict[str, str] | None = None,
) -> PersonTracker:
    """Opens what the choice names.

    The tracker `auto` is BlazePose's for engines whose features are made of landmarks, and for others as
    long as BlazePose is the detector; else it is the box tracker. For `blazepose_folder` see `model_folder`,
    for `used` see `GraphFolder.used`.

    Raises:
        ConfigError: the parts do not go together.
        EngineError: a folder is missing, or a file is not what its manifest says.
        BackendUnavailableError: the backend or MediaPipe is not installed.
        TrackerError: MediaPipe cannot start.
    """
    match _resolved(choice, needs_landmarks=needs_landmarks):
        case "mediapipe":
            from realtime_vibe.tracking.mediapipe_tracker import MediaPipeTracker

            return OutlierGate(SideKeeper(MediaPipeTracker(model=choice.tracker_model)))
        case "boxes":
            return BoxTracker(
                open_detector(choice.detector, choice.backend, blazepose_folder, used=used),
                max_people=choice.max_people,
                detect_every=choice.detect_every,
            )
        case "blazepose":
            return make_blazepose_tracker(blazepose_folder, choice, used=used)
        case unknown:
            raise ConfigError(f"tracker is {unknown!r}, expected one of {', '.join(TRACKERS)}")


def make_blazepose_tracker(
    blazepose_folder: Path | None = None,
    choice: TrackerChoice = DEFAULT_TRACKER,
    *,
    num_threads: int = 2,
    used: dict[str, str] | None = None,
) -> OutlierGate:
    """Builds the tracker that follows landmarks, keeps their sides and rejects jumps; see `make_tracker`.

    Raises:
        EngineError: a folder is missing, or a file is not what its manifest says.
        BackendUnavailableError: the backend cannot run here.
    """
    detector = open_detector(
        choice.detector, choice.backend, blazepose_folder, num_threads=num_threads, used=used
    )
    try:
        folder = BlazePoseFolder(
            model_folder(choice.tracker_model, blazepose_folder), choice.backend, used=used
        )
        landmarks = folder.session(choice.landmark_graph, num_threads=num_threads)
    except Exception:
        detector.close()
        raise
    tracker = BlazePoseTracker(
        detector, landmarks, max_people=choice.max_people, detect_every=choice.detect_every
    )
    return OutlierGate(SideKeeper(tracker))


def open_detector(
    name_or_dir: str,
    backend: str = "auto",
    blazepose_folder: Path | None = None,
    *,
    num_threads: int = 2,
    used: dict[str, str] | None = None,
) -> PersonDetector:
    """Opens a person detector: `blazepose`, or name or path of a folder with a `detector.json`; see `make_tracker`.

    Raises:
        EngineError: there is no such folder, or a file is not what its manifest says.
        BackendUnavailableError: the backend cannot run here.
    """
    if name_or_dir == BLAZEPOSE:
        blazepose = BlazePoseFolder(blazepose_folder or model_folder(FULL), backend, used=used)
        return BlazePoseDetector(blazepose.session("detector", num_threads=num_threads))
    expected = f"expected {BLAZEPOSE} or a folder with a {DetectorFolder.manifest}"
    found = named_folder("detector", name_or_dir, f"{expected}; {_MAKE_DETECTOR}")
    folder = DetectorFolder(found, backend, used=used)
    return YoloV3Detector(folder.session("detector", num_threads=num_threads))


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
    if tracker == "boxes" and choice.tracker_model != FULL:
        raise ConfigError(
            f"tracker-model is {choice.tracker_model}, but the tracker is boxes, without landmarks: expected "
            f"{FULL}, or tracker blazepose"
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
