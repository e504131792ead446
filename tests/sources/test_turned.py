"""Turned pictures, whatever the source: the picture, its size, and the setting on every way in."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_vibe.app.run import source_of
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import ConfigError


def test_a_turned_picture_is_upright_again(
    tmp_path: Path, stop: threading.Event, subtests: pytest.Subtests
) -> None:
    upright = np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)
    for degrees in (0, 90, 180, 270):
        with subtests.test(degrees=degrees):
            path = tmp_path / f"{degrees}.png"
            cv2.imwrite(str(path), np.rot90(upright, degrees // 90))  # as the camera stands
            config = LiveConfig(source=str(path), rotate=degrees, view="none")
            with source_of(config) as source:
                frame = source.read(stop)
                assert frame is not None
                np.testing.assert_array_equal(frame.image_bgr, upright)
                assert (source.info.width, source.info.height) == (40, 30)
                assert source.read(stop) is None
    for wrong in (45, "left", True, 1.5):
        with subtests.test(wrong=wrong), pytest.raises(ConfigError, match="rotate is"):
            LiveConfig(rotate=wrong)
