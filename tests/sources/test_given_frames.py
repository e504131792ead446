"""Frames that a program makes: order, times, copies, and what is no picture."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.given_frames import GivenFrames, as_picture

PICTURE = np.zeros((4, 6, 3), np.uint8)


def test_one_frame_a_picture_at_the_stated_rate(stop: threading.Event) -> None:
    def pictures() -> Iterator[np.ndarray]:
        buffer = np.zeros((4, 6, 3), np.uint8)
        for number in range(3):
            buffer[:] = number
            yield buffer

    with GivenFrames(pictures(), fps=50) as source:
        frames = list(iter(lambda: source.read(stop), None))
        assert (source.info.width, source.info.height, source.info.fps) == (6, 4, 50)
    assert [frame.image_bgr[0, 0, 0] for frame in frames] == [0, 1, 2]
    np.testing.assert_allclose([frame.captured_at_s for frame in frames], [0, 0.02, 0.04])


def test_what_is_no_picture_is_said(subtests: pytest.Subtests) -> None:
    for pictures in [
        [],
        [None],
        [[1, 2]],
        ["a.png"],
        [np.zeros((4, 6, 2))],
        [np.zeros(3)],
        5,
        PICTURE,
        PICTURE[..., 0],
        [PICTURE.astype(np.int64)],
        [PICTURE.astype(np.float32)],
        [PICTURE.astype(complex)],
    ]:
        with subtests.test(pictures=pictures):
            with pytest.raises(SourceError, match="frames: "):
                GivenFrames(pictures)
    with pytest.raises(SourceError, match="rate of -1"):
        GivenFrames([], fps=-1)
    with pytest.raises(SourceError, match=r"255 \* picture"):
        as_picture(PICTURE.astype(np.float32), "the picture")


def test_arrays_of_any_kind_and_order_are_copied_into_rows(
    stop: threading.Event, subtests: pytest.Subtests
) -> None:
    color = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    for picture in [
        color,
        np.ma.array(color),
        np.asfortranarray(color),
        color[::-1],
        color[..., :1],
    ]:
        with subtests.test(kind=type(picture), strides=picture.strides):
            with GivenFrames([picture]) as source:
                frame = source.read(stop)
            assert frame is not None
            assert type(frame.image_bgr) is np.ndarray
            assert frame.image_bgr.flags.c_contiguous
            assert not np.may_share_memory(frame.image_bgr, color)
            np.testing.assert_array_equal(frame.image_bgr[..., :1], picture[..., :1])


def test_a_locked_array_is_not_copied(stop: threading.Event) -> None:
    locked = PICTURE.copy()
    locked.flags.writeable = False
    with GivenFrames([locked]) as source:
        frame = source.read(stop)
    assert frame is not None
    assert np.may_share_memory(frame.image_bgr, locked)
