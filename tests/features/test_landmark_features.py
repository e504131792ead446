"""Landmark features: invariant to where the person stands, exact in their layout."""

import numpy as np
import pytest

from realtime_vibe.errors import ShapeError
from realtime_vibe.features.landmark_features import (
    FEATURE_SIZE,
    LandmarkFeatures,
    landmark_features,
)
from realtime_vibe.geometry.camera import camera_from_sight
from realtime_vibe.packets import Frame, PoseLandmarks, TrackedPerson


def _person(image_px, dt_s=0.04, landmarks=True):
    rng = np.random.default_rng(0)
    marks = PoseLandmarks(
        image_px=image_px,
        world_m=rng.standard_normal((33, 3)).astype(np.float32),
        visibility=rng.random(33).astype(np.float32),
        presence=0.9,
    )
    return TrackedPerson(
        track_id=0,
        bbox_xyxy=np.concatenate([image_px[:, :2].min(axis=0), image_px[:, :2].max(axis=0)]),
        score=0.9,
        dt_s=dt_s,
        landmarks=marks if landmarks else None,
    )


@pytest.fixture
def frame():
    image = np.zeros((480, 640, 3), np.uint8)
    return Frame(image_bgr=image, index=0, captured_at_s=0.0, grabbed_at_s=0.0)


@pytest.fixture
def image_px():
    return np.random.default_rng(1).uniform(100, 300, (33, 3)).astype(np.float32)


def test_layout(frame, image_px):
    person = _person(image_px)
    row = LandmarkFeatures(1.1).extract(frame, (person,), 800.0)[0]
    assert row.shape == (FEATURE_SIZE,)
    center = row[198:200]
    world_m = camera_from_sight(person.landmarks.world_m, center)
    np.testing.assert_allclose(row[66:165].reshape(33, 3), world_m, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(row[165:198], person.landmarks.visibility)
    assert row[201] == pytest.approx(0.04)
    # The crop is 1.1 times the box: its longer side spans -1/1.1 to 1/1.1.
    assert np.abs(row[:66]).max() == pytest.approx(1 / 1.1, rel=1e-5)


def test_moving_in_the_image_changes_only_the_view(frame, image_px):
    extractor = LandmarkFeatures(1.1)
    here = extractor.extract(frame, (_person(image_px),), 800.0)[0]
    there = extractor.extract(
        frame, (_person(image_px + np.array([50, 20, 0], np.float32)),), 800.0
    )[0]
    np.testing.assert_allclose(here[:66], there[:66], atol=1e-5)
    np.testing.assert_allclose(here[165:198], there[165:198], atol=1e-5)
    np.testing.assert_allclose(there[198:200] - here[198:200], [50 / 800, 20 / 800], atol=1e-6)


def test_long_gaps_are_clipped(frame, image_px):
    row = LandmarkFeatures(1.1).extract(frame, (_person(image_px, dt_s=30.0),), 800.0)[0]
    assert row[201] == 1.0


def test_nobody_gives_no_rows(frame):
    assert LandmarkFeatures(1.1).extract(frame, (), 800.0).shape == (0, FEATURE_SIZE)


def test_a_tracker_without_landmarks_does_not_fit(frame, image_px):
    with pytest.raises(ShapeError, match="--tracker blazepose"):
        LandmarkFeatures(1.1).extract(frame, (_person(image_px, landmarks=False),), 800.0)


def test_batches_of_any_shape():
    out = landmark_features(
        np.zeros((4, 5, 33, 2), np.float32),
        np.zeros((4, 5, 33, 3), np.float32),
        np.zeros((4, 5, 33), np.float32),
        np.ones((4, 5, 7), np.float32),
    )
    assert out.shape == (4, 5, FEATURE_SIZE)
