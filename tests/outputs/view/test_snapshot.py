"""Covers pictures on disk: what is read back, and refusals that leave nothing behind."""

import cv2
import numpy as np
import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.view.snapshot import save_image

IMAGE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)


def test_round_trip_and_replacement(tmp_path):
    path = tmp_path / "Ünïcode picture.PNG"
    save_image(path, np.zeros_like(IMAGE))
    save_image(path, IMAGE, overwrite=True)
    np.testing.assert_array_equal(
        cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), IMAGE
    )
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_refusals_are_clear_and_leave_nothing(tmp_path, subtests):
    for name, image, message in [
        ("picture.jpg", IMAGE, "ends in .png"),
        ("missing/picture.png", IMAGE, "cannot write"),
        ("picture.png", IMAGE[:0], "no picture"),
    ]:
        with subtests.test(name=name, image=image, message=message):
            with pytest.raises(OutputError, match=message):
                save_image(tmp_path / name, image)
            assert not list(tmp_path.iterdir())
