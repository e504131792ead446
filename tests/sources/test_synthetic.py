"""The synthetic figure: exact and deterministic."""

import itertools
import threading
import time

import numpy as np
import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.synthetic import SyntheticSource


def test_any_size_and_deterministic(stop: threading.Event, subtests: pytest.Subtests) -> None:
    for size in [(640, 480), (480, 640), (641, 479), (64, 64), (1920, 1080)]:
        with (
            subtests.test(size=size),
            SyntheticSource(size=size, paced=False, fps=25.0) as one,
            SyntheticSource(size=size, paced=False, fps=25.0) as two,
        ):
            for index in range(5):
                a, b = one.read(stop), two.read(stop)
                assert a is not None
                assert b is not None
                assert a.index == b.index == index
                assert a.captured_at_s == pytest.approx(index / 25)
                assert a.image_bgr.shape == (size[1], size[0], 3)
                np.testing.assert_array_equal(a.image_bgr, b.image_bgr)
            assert not one.info.is_live


def test_the_figure_moves_without_jumps(stop: threading.Event) -> None:
    with SyntheticSource(size=(320, 240), paced=False) as source:
        images = [source.read(stop).image_bgr.astype(int) for _ in range(90)]  # type: ignore[union-attr]
    steps = [np.abs(b - a).mean() for a, b in itertools.pairwise(images)]
    assert min(steps) > 0.01
    assert max(steps) < 12


def test_paced_like_a_camera(stop: threading.Event) -> None:
    """Never early; a late reader misses frames; the index tells when a frame was due."""
    ticks: list[float] = []

    def clock() -> float:
        ticks.append(time.perf_counter())
        return ticks[-1]

    with SyntheticSource(size=(160, 120), fps=50.0, paced=True, clock=clock) as source:
        assert source.info.is_live
        frames = []
        for number in range(15):
            frame = source.read(stop)
            assert frame is not None
            age_s = frame.captured_at_s - ticks[0] - frame.index / 50
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
        assert source.read(stop) is not None
        reader = threading.Thread(target=source.read, args=(stop,))
        reader.start()
        source.close() if end == "close" else stop.set()
        reader.join(5)
        assert not reader.is_alive()


def test_impossible_requests(subtests: pytest.Subtests) -> None:
    for size, fps in [
        ((0, 480), 30.0),
        ((63, 64), 30.0),
        ((640, 480), 0.0),
        ((640, 480), float("nan")),
    ]:
        with subtests.test(fps=fps, size=size):
            with pytest.raises(SourceError, match="expected at least"):
                SyntheticSource(size=size, fps=fps)
