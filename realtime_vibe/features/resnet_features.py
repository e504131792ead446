"""The paper's f(I_t): ResNet-50 on each person's square crop, all in one run (Kocabas et al. 2020, sec. 3.1)."""

import numpy as np

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.geometry.camera import SquareBox, square_of_bbox
from realtime_vibe.geometry.crop import RotatedSquare, crop_square
from realtime_vibe.packets import FloatArray, Frame, ImageArray, TrackedPerson

CROP_LAYOUT = "image-crop"
CROP_LAYOUT_VERSION = 1
CROP_SIZE = 224
"""[px]; the 7x7 map that ResNet-50 averages over needs it."""

RESNET_LAYOUT = "resnet50-crop"
RESNET_LAYOUT_VERSION = 1
RESNET_FEATURE_SIZE = 2048


class ImageCrops:
    """Crops as the features themselves: for engines whose one graph goes from picture to parameters.

    Args:
        crop_scale: side of the square over the longer side of a person's box. The camera that the network
            predicts lives in the square with this margin, never in the bare box.
    """

    def __init__(self, crop_scale: float) -> None:
        self._crop_scale = crop_scale

    def square(self, person: TrackedPerson) -> SquareBox:
        """The crop in which the person's weak-perspective camera lives."""
        return square_of_bbox(person.bbox_xyxy, self._crop_scale)

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

    def close(self) -> None:
        """Nothing to free."""


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
