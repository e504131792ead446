"""The paper's f(I_t): ResNet-50 on each person's square crop, all in one run (Kocabas et al. 2020, sec. 3.1)."""

import numpy as np

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.features.base import Features
from realtime_vibe.geometry.crop import RotatedSquare, crop_square
from realtime_vibe.packets import FloatArray, Frame, ImageArray, TrackedPerson

CROP_LAYOUT = "image-crop"
CROP_LAYOUT_VERSION = 1
CROP_SIZE = 224
"""[px]; the 7x7 map that ResNet-50 averages over needs it."""

RESNET_LAYOUT = "resnet50-crop"
RESNET_LAYOUT_VERSION = 1
RESNET_FEATURE_SIZE = 2048


class ImageCrops(Features):
    """Crops as the features themselves: for engines whose one graph goes from picture to parameters."""

    def extract(
        self, frame: Frame, people: tuple[TrackedPerson, ...], focal_px: float
    ) -> ImageArray:
        """Crops (P, 224, 224, 3) uint8 BGR, bilinear, black beyond the image; the focal length is not used."""
        del focal_px
        crops = np.empty((len(people), CROP_SIZE, CROP_SIZE, 3), np.uint8)
        for crop, person in zip(crops, people, strict=True):
            box = self.square(person)
            square = RotatedSquare(
                center_x_px=box.center_x, center_y_px=box.center_y, side_px=box.side, roll_rad=0.0
            )
            crop[:] = crop_square(frame.image_bgr, square, CROP_SIZE)
        return crops


class ResNetFeatures(Features):
    """Features of tracked people from what they look like.

    Args:
        session: the engine's `features` graph: `crop` (P, 224, 224, 3) uint8 BGR to `features` (P, 2048).
            ImageNet's mean and spread are inside it.
    """

    def __init__(self, session: InferenceSession, crop_scale: float) -> None:
        super().__init__(crop_scale)
        self._session = session
        self._crops = ImageCrops(crop_scale)

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
