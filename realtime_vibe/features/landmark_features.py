"""BlazePose landmarks as the feature vector of one frame: the default engine's f(I_t).

Layout (version 1), 202 numbers a person, L = 33 landmarks:

| slice | content |
|---|---|
| 0:66 | x, y of each landmark in the square crop, -1 to 1 across the square |
| 66:165 | world landmarks x, y, z [m], camera axes, origin at the middle of the hips |
| 165:198 | visibility in [0, 1] |
| 198:201 | crop centre relative to the principal point, and crop side, in focal lengths |
| 201 | time since this person was last seen [s], at most 1; 0 on the first frame |

The z of image landmarks is left out: on real video it follows the world z with a correlation of 0.99.
"""

import numpy as np

from realtime_vibe.errors import ShapeError
from realtime_vibe.features.base import Features
from realtime_vibe.geometry.camera import camera_from_sight
from realtime_vibe.packets import NUM_LANDMARKS, FloatArray, Frame, TrackedPerson

FEATURE_LAYOUT = "blazepose-landmarks"
FEATURE_LAYOUT_VERSION = 1
FEATURE_SIZE = 202
MAX_DT_S = 1.0
"""Longer gaps say no more than that the past is stale."""

_L = NUM_LANDMARKS
CROP_POINTS = slice(0, 2 * _L)
WORLD_POINTS = slice(2 * _L, 5 * _L)
VISIBILITY = slice(5 * _L, 6 * _L)
CROP_CENTER = slice(6 * _L, 6 * _L + 2)
CROP_SIDE = slice(6 * _L + 2, 6 * _L + 3)
"""Places in the vector; the table above."""


def landmark_features(
    image_px: FloatArray,
    world_m: FloatArray,
    visibility: FloatArray,
    view: FloatArray,
) -> FloatArray:
    """Packs landmarks; any leading batch shape, so training packs whole sequences at once.

    Args:
        image_px: (..., 33, 2+) x, y [px]; further columns are not used.
        world_m: (..., 33, 3) axes of the line of sight, as a tracker gives them.
        visibility: (..., 33).
        view: (..., 7): crop centre x, y and side [px], principal point x, y [px], focal length
            [px], dt [s].

    Returns:
        (..., 202) float32.
    """
    center, side = view[..., None, 0:2], view[..., 2:3]
    half = 0.5 * side[..., None]
    lead = view.shape[:-1]
    out = np.empty((*lead, FEATURE_SIZE), np.float32)
    line_of_sight = (view[..., 0:2] - view[..., 3:5]) / view[..., 5:6]
    world_m = camera_from_sight(world_m, line_of_sight)
    out[..., CROP_POINTS] = ((image_px[..., :2] - center) / half).reshape(*lead, 2 * _L)
    out[..., WORLD_POINTS] = world_m.reshape(*lead, 3 * _L)
    out[..., VISIBILITY] = visibility
    out[..., CROP_CENTER] = line_of_sight
    out[..., CROP_SIDE] = view[..., 2:3] / view[..., 5:6]
    out[..., 201] = np.clip(view[..., 6], 0.0, MAX_DT_S)
    return out


class LandmarkFeatures(Features):
    """Features of people tracked with landmarks."""

    def extract(
        self, frame: Frame, people: tuple[TrackedPerson, ...], focal_px: float
    ) -> FloatArray:
        """Features (P, 202) of the people in one frame; (0, 202) when there are none.

        Raises:
            ShapeError: a person has no landmarks (the tracker does not fit the engine).
        """
        features = np.empty((len(people), FEATURE_SIZE), np.float32)
        height, width = frame.image_bgr.shape[:2]
        for row, person in enumerate(people):
            marks = person.landmarks
            if marks is None:
                raise ShapeError(
                    f"person {person.track_id} has no landmarks: the blazepose-gru engine needs a "
                    "landmark tracker (--tracker blazepose)"
                )
            square = self.square(person)
            view = np.array([*square, 0.5 * width, 0.5 * height, focal_px, person.dt_s], np.float32)
            features[row] = landmark_features(marks.image_px, marks.world_m, marks.visibility, view)
        return features
