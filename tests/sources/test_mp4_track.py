"""What the tracks of MP4 and MOV say beyond the pictures: turns, mirrors, and what an edit list leaves out."""

import io
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.sources.mp4_track import VideoTrack, track_in
from realtime_vibe.sources.video_file import VideoFile


@pytest.mark.parametrize("fourcc", ["mp4v", "MJPG"])
def test_a_display_matrix_turns_and_mirrors(
    write_clip: Callable[..., Path],
    tmp_path: Path,
    stop: threading.Event,
    subtests: pytest.Subtests,
    fourcc: str,
) -> None:
    """All eight ways to put a picture onto a screen, as ffmpeg's own player does."""
    straight = write_clip("straight.mov", 2, (64, 48), fourcc=fourcc)
    with VideoFile(straight) as source:
        stored = source.read(stop)
    assert stored is not None
    stored_at = np.indices(stored.image_bgr.shape[:2]).transpose(1, 2, 0)
    data = bytearray(straight.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    path = tmp_path / "shown.mov"
    for across, down in [((1, 0), (0, 1)), ((0, 1), (1, 0))]:
        for sign_across in (1, -1):
            for sign_down in (1, -1):
                matrix = np.array([sign_across * np.array(across), sign_down * np.array(down)])
                with subtests.test(matrix=matrix.tolist()):
                    (a, b), (c, d) = (matrix << 16).tolist()
                    struct.pack_into(">9i", data, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
                    path.write_bytes(data)
                    with VideoFile(path) as source:
                        shown = source.read(stop)
                    assert shown is not None
                    xy = stored_at[..., ::-1] @ matrix  # x' = a x + c y, y' = b x + d y
                    x, y = np.moveaxis(xy - xy.min((0, 1)), 2, 0)
                    wanted = np.empty((y.max() + 1, x.max() + 1, 3), np.uint8)
                    wanted[y, x] = stored.image_bgr
                    assert shown.image_bgr.shape == wanted.shape
                    assert np.abs(shown.image_bgr.astype(int) - wanted).mean() < 12


def test_what_an_edit_list_leaves_out_is_not_missing(
    demo_clip: Path, tmp_path: Path, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    data = bytearray(demo_clip.read_bytes())
    edit = data.index(b"elst") + 12
    (length,) = struct.unpack_from(">I", data, edit)
    struct.pack_into(">I", data, edit, length // 2)
    path = tmp_path / "trimmed.mp4"
    path.write_bytes(data)
    with VideoFile(path) as source:
        assert len(list(iter(lambda: source.read(stop), None))) == source.info.frame_count == 48
    assert not caplog.records


def test_what_is_no_mp4_says_nothing(subtests: pytest.Subtests) -> None:
    cut_off = struct.pack(">I4s", 16, b"moov") + b"\0\0\0\x20trak"
    beyond_any_end = struct.pack(">I4sQ", 1, b"ftyp", 2**64 - 1)
    for content in [b"", b"\0" * 64, cut_off, beyond_any_end]:
        with subtests.test(content=content):
            assert track_in(io.BytesIO(content)) == VideoTrack()
