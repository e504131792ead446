"""The synthetic figure: exact, deterministic, marked with its number."""

import itertools
import threading
import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.synthetic import MIN_SIZE_PX, SyntheticSource, decode_index, stamp_index


@given(
    index=st.integers(0, 2**32 - 1),
    width=st.integers(MIN_SIZE_PX, 2000),
    noise=st.integers(0, 2**32 - 1),
)
def test_number_is_read_back(index: int, width: int, noise: int) -> None:
    image = np.random.default_rng(noise).integers(0, 255, (60, width, 3), dtype=np.uint8)
    stamp_index(image, index)
    assert decode_index(image) == index


def test_number_survives_jpeg() -> None:
    image = np.full((480, 640, 3), 90, np.uint8)
    for index in (0, 1, 12345, 2**32 - 1):
        stamp_index(image, index)
        decoded = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)
        assert decode_index(np.asarray(decoded, np.uint8)) == index


@pytest.mark.parametrize("value", [0, 90, 255])
def test_other_pictures_carry_no_number(value: int) -> None:
    assert decode_index(np.full((480, 640, 3), value, np.uint8)) is None
    assert decode_index(np.full((5, 5, 3), value, np.uint8)) is None


def test_any_size_and_deterministic(stop: threading.Event, subtests: pytest.Subtests) -> None:
    for size in [(640, 480), (480, 640), (641, 479), (76, 76), (1920, 1080)]:
        with (
            subtests.test(size=size),
            SyntheticSource(size=size, paced=False, fps=25.0) as one,
            SyntheticSource(size=size, paced=False, fps=25.0) as two,
        ):
            for index in range(5):
                a, b = one.read(stop), two.read(stop)
                assert a is not None
                assert b is not None
                assert a.index == index == decode_index(a.image_bgr)
                assert a.captured_at_s == pytest.approx(index / 25)
                assert a.image_bgr.shape == (size[1], size[0], 3)
                np.testing.assert_array_equal(a.image_bgr, b.image_bgr)
            assert not one.info.is_live


def test_the_figure_moves_without_jumps(stop: threading.Event) -> None:
    with SyntheticSource(size=(320, 240), paced=False) as source:
        images = [source.read(stop).image_bgr[20:].astype(int) for _ in range(90)]  # type: ignore[union-attr]
    steps = [np.abs(b - a).mean() for a, b in itertools.pairwise(images)]
    assert min(steps) > 0.01
    assert max(steps) < 12


def test_paced_like_a_camera(stop: threading.Event) -> None:
    """Never early; a late reader misses frames; the mark tells the true age."""
    with SyntheticSource(size=(160, 120), fps=50.0, paced=True) as source:
        assert source.info.is_live
        frames = []
        for number in range(15):
            frame = source.read(stop)
            assert frame is not None
            assert decode_index(frame.image_bgr) == frame.index
            age_s = frame.captured_at_s - source.started_at_s - frame.index / 50
            assert 0 <= age_s < 10.0
            frames.append(frame)
            if number == 5:
                time.sleep(0.2)
    indexes = [frame.index for frame in frames]
    assert all(a < b for a, b in itertools.pairwise(indexes))
    assert indexes[6] - indexes[5] >= 9


def test_close_and_stop_end_a_wait() -> None:
    for end in ("close", "stop"):
        stop = threading.Event()
        source = SyntheticSource(fps=0.01)
        source.open()
        assert source.read(stop) is not None
        reader = threading.Thread(target=source.read, args=(stop,))
        reader.start()
        source.close() if end == "close" else stop.set()
        reader.join(5)
        assert not reader.is_alive()


def test_impossible_requests(subtests: pytest.Subtests) -> None:
    for size, fps in [
        ((0, 480), 30.0),
        ((64, 64), 30.0),
        ((640, 480), 0.0),
        ((640, 480), float("nan")),
    ]:
        with subtests.test(fps=fps, size=size):
            with pytest.raises(SourceError, match="expected at least"):
                SyntheticSource(size=size, fps=fps)
