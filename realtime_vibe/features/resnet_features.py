"""The paper's f(I_t): ResNet-50 on each person's crop, all people in one run (Kocabas et al. 2020, sec. 3.1)."""

import numpy as np

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.features.image_crops import ImageCrops
from realtime_vibe.geometry.camera import SquareBox
from realtime_vibe.packets import FloatArray, Frame, TrackedPerson

RESNET_LAYOUT = "resnet50-crop"
RESNET_LAYOUT_VERSION = 1
RESNET_FEATURE_SIZE = 2048


class ResNetFeatures:
    """Features of tracked people from what they look like.

    Args:
        session: the engine's `features` graph: `crop` (P, 224, 224, 3) uint8 BGR to `features` (P, 2048).
            ImageNet's mean and spread are inside it.
        crop_scale: see `ImageCrops`.
    """

    def __init__(self, session: InferenceSession, crop_scale: float) -> None:
        self._session = session
        self._crops = ImageCrops(crop_scale)

    def square(self, person: TrackedPerson) -> SquareBox:
        """The crop in which the person's weak-perspective camera lives."""
        return self._crops.square(person)

    def extract(
        self, frame: Frame, people: tuple[TrackedPerson, ...], focal_px: float
    ) -> FloatArray:
        """Features (P, 2048) of the people in one frame; (0, 2048), without a run, when there are none."""
        if not people:
            return np.empty((0, RESNET_FEATURE_SIZE), np.float32)
        crops = self._crops.extract(frame, people, focal_px)
        return self._session.run({"crop": crops})["features"]

    def close(self) -> None:
        """Frees the network; may be called twice."""
        self._session.close()
