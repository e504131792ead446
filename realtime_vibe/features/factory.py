"""Builds the features that an engine was made for, as its manifest says."""

from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.errors import EngineError
from realtime_vibe.features.base import Features
from realtime_vibe.features.landmark_features import (
    FEATURE_LAYOUT,
    FEATURE_LAYOUT_VERSION,
    FEATURE_SIZE,
    LandmarkFeatures,
)
from realtime_vibe.features.resnet_features import (
    CROP_LAYOUT,
    CROP_LAYOUT_VERSION,
    CROP_SIZE,
    RESNET_FEATURE_SIZE,
    RESNET_LAYOUT,
    RESNET_LAYOUT_VERSION,
    ImageCrops,
    ResNetFeatures,
)

LAYOUTS = {
    FEATURE_LAYOUT: (FEATURE_LAYOUT_VERSION, FEATURE_SIZE),
    RESNET_LAYOUT: (RESNET_LAYOUT_VERSION, RESNET_FEATURE_SIZE),
    CROP_LAYOUT: (CROP_LAYOUT_VERSION, CROP_SIZE * CROP_SIZE * 3),
}
"""Version and numbers a person of every layout this version makes."""


def needs_landmarks(engine: Engine) -> bool:
    """Whether the engine reads BlazePose's landmarks, rather than the picture."""
    return engine.feature_layout == FEATURE_LAYOUT


def make_features(engine: Engine) -> Features:
    """The stage that makes what the engine's motion model reads, with the engine's own graph where that needs one.

    Raises:
        EngineError: the engine wants a layout, a version or a size this version does not make.
        BackendUnavailableError: the backend is not installed.
    """
    wanted = engine.feature_layout_version, engine.feature_size
    if LAYOUTS.get(engine.feature_layout) != wanted:
        made = "; ".join(
            f"{name} version {version}, {size} numbers" for name, (version, size) in LAYOUTS.items()
        )
        raise EngineError(
            f"engine {engine.name} wants features {engine.feature_layout} version {wanted[0]}, "
            f"{wanted[1]} numbers; this version makes {made}: rebuild the engine with `python -m "
            "export.engine` or `python -m export.vibe`"
        )
    if needs_landmarks(engine):
        return LandmarkFeatures(engine.crop_scale)
    if engine.feature_layout == CROP_LAYOUT:
        return ImageCrops(engine.crop_scale)
    session = engine.session("features", num_threads=2)
    return ResNetFeatures(session, engine.crop_scale)
