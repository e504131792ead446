"""Builds the features that an engine was made for, as its manifest says."""

from typing import Protocol

from realtime_vibe.backends.base import AnyArray
from realtime_vibe.backends.manifest import EngineManifest, open_graph
from realtime_vibe.backends.opener import GraphOpener
from realtime_vibe.errors import EngineError
from realtime_vibe.features.image_crops import (
    CROP_LAYOUT,
    CROP_LAYOUT_VERSION,
    CROP_SIZE,
    ImageCrops,
)
from realtime_vibe.features.landmark_features import (
    FEATURE_LAYOUT,
    FEATURE_LAYOUT_VERSION,
    FEATURE_SIZE,
    LandmarkFeatures,
)
from realtime_vibe.features.resnet_features import (
    RESNET_FEATURE_SIZE,
    RESNET_LAYOUT,
    RESNET_LAYOUT_VERSION,
    ResNetFeatures,
)
from realtime_vibe.geometry.boxes import SquareBox
from realtime_vibe.packets import Frame, TrackedPerson

LAYOUTS = {
    FEATURE_LAYOUT: (FEATURE_LAYOUT_VERSION, FEATURE_SIZE),
    RESNET_LAYOUT: (RESNET_LAYOUT_VERSION, RESNET_FEATURE_SIZE),
    CROP_LAYOUT: (CROP_LAYOUT_VERSION, CROP_SIZE * CROP_SIZE * 3),
}
"""Version and numbers a person of every layout this version makes."""


class Features(Protocol):
    """What the pipeline asks for the vectors of a frame."""

    def square(self, person: TrackedPerson) -> SquareBox:
        """The crop in which the person's weak-perspective camera lives."""
        ...

    def extract(self, frame: Frame, people: tuple[TrackedPerson, ...], focal_px: float) -> AnyArray:
        """One row for each person; no rows when there are none.

        Args:
            frame: the whole picture.
            people: P of them.
            focal_px: of the camera [px].
        """
        ...

    def close(self) -> None:
        """Frees networks; may be called twice."""
        ...


def needs_landmarks(manifest: EngineManifest) -> bool:
    """Whether the engine reads BlazePose's landmarks, rather than the picture."""
    return manifest.feature_layout == FEATURE_LAYOUT


def make_features(manifest: EngineManifest, backend: str | GraphOpener) -> Features:
    """The stage that makes what the engine's motion model reads.

    Args:
        manifest: the engine.
        backend: what opens its graph where the features need one, or the name of a backend.

    Raises:
        EngineError: the engine wants a layout, a version or a size this version does not make.
        BackendUnavailableError: the backend is not installed.
    """
    wanted = manifest.feature_layout_version, manifest.feature_size
    if LAYOUTS.get(manifest.feature_layout) != wanted:
        made = "; ".join(
            f"{name} version {version}, {size} numbers" for name, (version, size) in LAYOUTS.items()
        )
        raise EngineError(
            f"engine {manifest.name} wants features {manifest.feature_layout} version {wanted[0]}, "
            f"{wanted[1]} numbers; this version makes {made}: rebuild the engine with `python -m "
            "export.engine` or `python -m export.vibe`"
        )
    if needs_landmarks(manifest):
        return LandmarkFeatures(manifest.crop_scale)
    if manifest.feature_layout == CROP_LAYOUT:
        return ImageCrops(manifest.crop_scale)
    session = open_graph(manifest, "features", backend, num_threads=2)
    return ResNetFeatures(session, manifest.crop_scale)
