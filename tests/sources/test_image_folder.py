"""Folders, patterns and single images: order, formats, and images that cannot be read."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_vibe.errors import SourceError
from realtime_vibe.packets import Frame
from realtime_vibe.sources.image_folder import (
    ImageFolder,
    folder_source,
    glob_source,
    natural_key,
)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def grey(value: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    return np.full((size[1], size[0]), value, np.uint8)


def read_all(source: ImageFolder, stop: threading.Event) -> list[Frame]:
    frames = []
    while (frame := source.read(stop)) is not None:
        frames.append(frame)
    return frames


def test_natural_order_mixed_sizes(tmp_path: Path, stop: threading.Event) -> None:
    for number in (10, 2, 1):
        save(tmp_path / f"shot{number}.png", grey(number, (40 + number, 30)))
    save(tmp_path / "inner" / "shot3.png", grey(3))
    (tmp_path / "notes.txt").write_text("no image")
    with folder_source(tmp_path, fps=10.0, paced=False) as source:
        frames = read_all(source, stop)
        assert (source.info.frame_count, source.info.fps) == (3, 10.0)
        assert (source.info.width, source.info.height) == (41, 30)
    assert [frame.image_bgr[0, 0, 0] for frame in frames] == [1, 2, 10]
    assert [frame.index for frame in frames] == [0, 1, 2]
    np.testing.assert_allclose([frame.captured_at_s for frame in frames], [0, 0.1, 0.2])
    assert frames[2].image_bgr.shape == (30, 50, 3)


def test_missing_images_keep_their_time(
    caplog: pytest.LogCaptureFixture,
    stop: threading.Event,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    for names, places in (
        (["a1", "a2", "a5"], [0, 1, 4]),
        (["0010", "0020", "0030", "0050"], [0, 1, 2, 4]),
        (["1", "2", "30"], [0, 1, 2]),  # more are missing than there: no film with holes
        (["a1", "b2", "b5"], [0, 1, 2]),
        (["a", "a2", "a5"], [0, 1, 2]),
    ):
        with subtests.test(names=names):
            caplog.clear()
            folder = tmp_path / "-".join(names)
            for name in names:
                save(folder / f"{name}.png", grey(0))
            with folder_source(folder, fps=1.0, paced=False) as source:
                assert [frame.captured_at_s for frame in read_all(source, stop)] == places
            assert ("missing" in caplog.text) == (places[-1] >= len(places))


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=8))
def test_numbers_sort_by_value(numbers: list[int]) -> None:
    names = sorted((Path(f"a{number}b.png") for number in numbers), key=natural_key)
    assert names == [Path(f"a{number}b.png") for number in sorted(numbers)]


def test_names_of_any_kind_can_be_compared() -> None:
    names = ["1a.png", "a1.png", "a.png", "aa.png", "1.png", "ü²1.png", ".png"]
    assert len(sorted((Path(name) for name in names), key=natural_key)) == len(names)


def test_formats(tmp_path: Path, stop: threading.Event, subtests: pytest.Subtests) -> None:
    for name, image, expected in [
        ("grey.png", grey(200), (200, 200, 200)),
        ("grey16.png", np.full((30, 40), 51200, np.uint16), (200, 200, 200)),
        ("colour16.png", np.full((30, 40, 3), (2560, 5120, 7680), np.uint16), (10, 20, 30)),
        ("bgra.png", np.full((30, 40, 4), (10, 20, 30, 0), np.uint8), (10, 20, 30)),
        ("bgr.bmp", np.full((30, 40, 3), (10, 20, 30), np.uint8), (10, 20, 30)),
        ("ünï cödé.webp", np.full((30, 40, 3), 99, np.uint8), (99, 99, 99)),
        ("16.tiff", np.full((30, 40, 3), 51200, np.uint16), (200, 200, 200)),
    ]:
        with subtests.test(expected=expected, image=image, name=name):
            path = save(tmp_path / name, image)
            with ImageFolder(name, [path]) as source:
                frames = read_all(source, stop)
            assert len(frames) == 1
            assert frames[0].image_bgr.dtype == np.uint8
            assert frames[0].image_bgr.shape == (30, 40, 3)
            np.testing.assert_allclose(frames[0].image_bgr[5, 5], expected, atol=2)


def test_unreadable_images_are_skipped_and_counted(
    tmp_path: Path,
    stop: threading.Event,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for number in (1, 4):
        save(tmp_path / f"{number}.jpg", grey(number))
    (tmp_path / "0.jpg").write_bytes(b"")
    (tmp_path / "2.jpg").write_text("not an image")
    (tmp_path / "3.png").write_bytes(save(tmp_path / "x" / "3.png", grey(3)).read_bytes()[:20])
    caplog.set_level(logging.WARNING)
    with folder_source(tmp_path, fps=10.0, paced=False) as source:
        frames = read_all(source, stop)
        assert source.skipped == 3
        assert source.status == "3 unreadable images skipped"
    assert [frame.index for frame in frames] == [0, 1]
    assert [frame.captured_at_s for frame in frames] == pytest.approx([0.1, 0.4])
    assert sum("skipped" in record.message for record in caplog.records) == 3
    assert capfd.readouterr() == ("", "")


@pytest.mark.fault
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_what_becomes_of_an_image_after_it_was_found_ends_no_film(
    tmp_path: Path, stop: threading.Event
) -> None:
    changes: list[Callable[[Path], object]] = [
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: (path.touch(), os.truncate(path, 1 << 42)),
        lambda _: None,
    ]
    paths = [save(tmp_path / f"{number}.png", grey(number)) for number in range(7)]
    with folder_source(tmp_path, fps=10.0, paced=False) as source:
        for path, change in zip(paths[1:], changes, strict=False):
            path.unlink()
            change(path)
        frames = read_all(source, stop)
    assert [frame.captured_at_s for frame in frames] == pytest.approx([0.0, 0.6])
    assert source.skipped == len(changes)


def test_nothing_readable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SourceError, match="holds no images"):
        folder_source(tmp_path, fps=30.0, paced=False)
    (tmp_path / "a.MP4").write_bytes(b"")
    with pytest.raises(SourceError, match=r"\*\.MP4"):
        folder_source(tmp_path, fps=30.0, paced=False)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(SourceError, match="not one of 1 images"):
        folder_source(tmp_path, fps=30.0, paced=False)
    assert "for its videos" in caplog.text  # which are not played


def test_patterns(tmp_path: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a1.png", "a2.png", "b1.png", "deep/a3.png"):
        save(tmp_path / name, grey(9))
    monkeypatch.chdir(tmp_path)
    for pattern, count in (("a*.png", 2), (f"{tmp_path}/[ab]1.png", 2), ("**/a?.png", 3)):
        with glob_source(pattern, fps=30.0, paced=False) as source:
            assert len(read_all(source, stop)) == count
    with pytest.raises(SourceError, match=r"c\*\.png"):
        glob_source("c*.png", fps=30.0, paced=False)
    Path("c.mp4").touch()
    with pytest.raises(SourceError, match=r"1 videos.*such as c\.mp4"):
        glob_source("c*", fps=30.0, paced=False)


def test_paced(tmp_path: Path, stop: threading.Event) -> None:
    paths = [save(tmp_path / f"{number}.png", grey(number)) for number in range(5)]
    with ImageFolder("five", paths, fps=20.0, paced=True) as source:
        started_s = time.perf_counter()
        assert len(read_all(source, stop)) == 5
        assert time.perf_counter() - started_s >= 0.19


def test_impossible_rate(subtests: pytest.Subtests) -> None:
    for fps in [0.0, -1.0, float("nan"), float("inf")]:
        with subtests.test(fps=fps), pytest.raises(SourceError, match="frame rate"):
            ImageFolder("x", [Path("a.png")], fps=fps)
