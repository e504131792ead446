"""Frame codes: read back after scaling, moving and compression; never read where there is none."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.coded_source import CodedSource, with_room_for_code
from benchmarks.frame_code import MAX_NUMBER, CodePlace, find, height_px, read, stamp


def _picture(seed, size=(640, 480)):
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def _on_screen(image, left, top):
    screen = np.full((760, 1100, 3), (60, 70, 80), np.uint8)
    screen[top : top + image.shape[0], left : left + image.shape[1]] = image
    return screen


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(0, MAX_NUMBER),
    scale=st.floats(0.5, 1.5),
    quality=st.integers(60, 100),
    left=st.integers(0, 140),
    top=st.integers(0, 40),
    seed=st.integers(0, 5),
)
def test_a_code_survives_scaling_jpeg_and_moving(number, scale, quality, left, top, seed):
    image = _picture(seed)
    stamp(image, number)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
    _, jpeg = cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, quality])
    screen = _on_screen(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), left, top)
    found = find(screen)
    assert found is not None
    assert found.number == number
    assert found.place.left >= left
    # The same place reads the next number, as a watcher does that looks at a part of the screen.
    part = screen[found.place.top : found.place.bottom, found.place.left : found.place.right]
    assert read(part, CodePlace(0, 0, part.shape[1], part.shape[0])) == number


def test_extreme_numbers_are_read_and_others_refused():
    for number in (0, 1, 0x5555, MAX_NUMBER):
        image = _picture(0)
        stamp(image, number)
        found = find(image)
        assert found is not None
        assert found.number == number
    for number in (-1, MAX_NUMBER + 1):
        with pytest.raises(ValueError, match="expected 0 to"):
            stamp(_picture(0), number)


def test_nothing_is_read_where_nothing_was_written():
    assert find(_picture(1)) is None
    assert find(np.zeros((480, 640, 3), np.uint8)) is None
    for level in (0, 128, 255):
        flat = np.full((16, 400, 3), level, np.uint8)
        assert read(flat, CodePlace(0, 0, 400, 16)) is None
    assert read(_picture(2), CodePlace(0, 0, 10, 4)) is None


def test_half_a_new_code_over_an_old_one_is_not_taken_for_a_third():
    old, new = _picture(0), _picture(0)
    stamp(old, 1000)
    stamp(new, 1001)
    place = find(old).place
    read_numbers = set()
    for cut in range(place.left, place.right, 3):
        torn = old.copy()
        torn[:, :cut] = new[:, :cut]
        read_numbers.add(read(torn, place))
    assert read_numbers <= {1000, 1001, None}


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (1280, 720)])
def test_room_is_left_for_the_code(size):
    image = with_room_for_code(_picture(0, (512, 640)), size)
    assert image.shape == (size[1], size[0], 3)
    assert not image[-height_px(size[0]) :].any()
    stamp(image, 77)
    assert find(image).number == 77


def test_the_source_stamps_every_frame_and_skips_what_is_late(monkeypatch):
    import threading
    import time

    images = [with_room_for_code(_picture(seed), (320, 240)) for seed in range(3)]
    source = CodedSource(images, count=4000, rate_hz=200.0)  # 20 s: a busy machine skips many
    never = threading.Event()
    with source:
        first = [source.read(never) for _ in range(3)]
        time.sleep(0.05)
        late = source.read(never)
        rest = [source.read(never) for _ in range(3)]
    frames = [*first, late, *rest]
    assert late.index >= first[-1].index + 8
    indices = [frame.index for frame in frames]
    assert indices == sorted(set(indices))
    for frame in frames:
        assert find(frame.image_bgr).number == frame.index
    assert not images[0][-height_px(320) :].any()  # the clip's own pictures stay as they were
    assert source.info.is_live
