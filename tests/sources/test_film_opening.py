"""What FFmpeg may take a file for, and names that OpenCV cannot stand."""

import os
from pathlib import Path

import pytest

from realtime_vibe.errors import SourceError
from realtime_vibe.sources import film_opening
from realtime_vibe.sources.film_opening import FORMATS, OPTIONS, RESTRICTION, open_address
from realtime_vibe.sources.video_file import VideoFile

HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3,\nfilm.mp4\n#EXT-X-ENDLIST\n"
DASH = (
    b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    b'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT3S"><Period>'
    b'<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>film.mp4</BaseURL>'
    b"</Representation></AdaptationSet></Period></MPD>"
)
SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"
ONE_BYTE = b"#\xe9\n"


def test_files_that_name_others_are_refused(
    tmp_path: Path, demo_clip: Path, subtests: pytest.Subtests
) -> None:
    (tmp_path / "film.mp4").symlink_to(demo_clip)
    for content in [
        HLS + ONE_BYTE,
        b"\xef\xbb\xbf" + HLS,
        b" \n" + HLS + ONE_BYTE,
        b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + HLS,
        b"ffconcat version 1.0\nfile film.mp4\n" + ONE_BYTE,
        b"\xef\xbb\xbfffconcat version 1.0\nfile film.mp4\n",
        DASH + ONE_BYTE,
        SDP + ONE_BYTE,
        b"[playlist]\nFile1=film.mp4\n" + ONE_BYTE,
    ]:
        for name in ["list.m3u8", "list.mp4", "list.txt"]:
            with subtests.test(name=name, content=content):
                path = tmp_path / name
                path.write_bytes(content)
                with pytest.raises(SourceError, match="play list"):
                    VideoFile(path)
    (tmp_path / "list.m3u").write_text("film.mp4\n")
    with pytest.raises(SourceError, match="play list"):
        VideoFile(tmp_path / "list.m3u")


def test_the_users_options_stay_and_addresses_are_not_restricted(
    monkeypatch: pytest.MonkeyPatch, demo_clip: Path
) -> None:
    seen: list[str | None] = []

    class Capture:
        def __init__(self, *_: object) -> None:
            seen.append(os.environ.get(OPTIONS))

    monkeypatch.setattr(film_opening.cv2, "VideoCapture", Capture)
    for own in (None, "rtsp_transport;udp"):
        monkeypatch.delenv(OPTIONS, raising=False)
        if own:
            monkeypatch.setenv(OPTIONS, own)
        film_opening.open_file(demo_clip)
        open_address("rtsp://127.0.0.1/", [])
        film_opening.open_file(demo_clip)
        restricted = f"{own}|{RESTRICTION}" if own else RESTRICTION
        assert seen == [restricted, own, restricted]
        seen.clear()
    assert not {"hls", "concat", "dash", "sdp", "imf", "tty", "image2"} & set(FORMATS.split(","))


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_not_unicode(tmp_path: Path, demo_clip: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe9.mp4"))
    path.write_bytes(demo_clip.read_bytes())
    with VideoFile(path) as source:
        assert source.info.frame_count
