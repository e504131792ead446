"""Crops of people: where they are cut, what is in them, and one network run for everybody."""

import numpy as np
import pytest

from realtime_vibe.backends.base import TensorSpec
from realtime_vibe.features.resnet_features import CROP_SIZE, ImageCrops, ResNetFeatures
from realtime_vibe.packets import Frame, TrackedPerson


def _person(*bbox_xyxy, track_id=0):
    box = np.array(bbox_xyxy, np.float32)
    return TrackedPerson(track_id=track_id, bbox_xyxy=box, score=1.0, dt_s=0.0)


def _frame(image):
    return Frame(image_bgr=image, index=0, captured_at_s=0.0, grabbed_at_s=0.0)


class SumSession:
    """Gives each crop's mean colour as its feature."""

    inputs = (TensorSpec(name="crop", shape=("P", 224, 224, 3), dtype="uint8"),)
    outputs = ()
    backend = "sum"

    def __init__(self):
        self.runs = []
        self.closed = False

    def run(self, feeds):
        self.runs.append(feeds["crop"].shape)
        means = feeds["crop"].mean(axis=(1, 2, 3))
        return {"features": np.repeat(means[:, None], 2048, axis=1).astype(np.float32)}

    def close(self):
        self.closed = True


def test_the_square_has_the_margin_round_the_longer_side():
    square = ImageCrops(1.1).square(_person(100, 50, 200, 250))
    assert square.center_x, square.center_y == (150, 150)
    assert square.side == pytest.approx(220)
    assert ImageCrops(1.3).square(_person(100, 50, 200, 250)).side == pytest.approx(260)


def test_a_crop_is_the_picture_inside_the_square():
    """A picture whose colours tell the place: red runs with x, green with y."""
    y, x = np.mgrid[0:480, 0:640]
    image = np.stack([np.zeros_like(x), y * 0.5, x * 0.375], axis=-1).astype(np.uint8)
    crop = ImageCrops(1.1).extract(_frame(image), (_person(200, 100, 300, 300),), 500.0)[0]
    left, top, side = 250 - 110, 200 - 110, 220
    for row, column in ((0, 0), (0, 223), (111, 40), (223, 223)):
        at_x = left + (column + 0.5) / CROP_SIZE * side
        at_y = top + (row + 0.5) / CROP_SIZE * side
        np.testing.assert_allclose(crop[row, column], [0, 0.5 * at_y, 0.375 * at_x], atol=1.2)


def test_beyond_the_picture_is_black():
    image = np.full((100, 100, 3), 200, np.uint8)
    crop = ImageCrops(1.1).extract(_frame(image), (_person(-100, -100, 100, 100),), 500.0)[0]
    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3)
    assert crop.dtype == np.uint8
    assert (crop[:90, :90] == 0).all()
    assert (crop[120:200, 120:200] == 200).all()


def test_everybody_goes_through_the_network_in_one_run_and_keeps_the_order():
    session = SumSession()
    image = np.zeros((200, 400, 3), np.uint8)
    image[:, 200:] = 100
    people = (_person(220, 50, 300, 150, track_id=4), _person(20, 50, 100, 150, track_id=2))
    features = ResNetFeatures(session, 1.1).extract(_frame(image), people, 500.0)
    assert session.runs == [(2, 224, 224, 3)]
    assert features.shape == (2, 2048)
    np.testing.assert_allclose(features[:, 0], [100, 0], atol=0.5)


def test_nobody_costs_no_run():
    session = SumSession()
    stage = ResNetFeatures(session, 1.1)
    assert stage.extract(_frame(np.zeros((9, 9, 3), np.uint8)), (), 500.0).shape == (0, 2048)
    assert session.runs == []
    stage.close()
    assert session.closed
