"""Network streams against a real MJPEG server: faults, time-outs, and coming back."""

import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_vibe.errors import RealtimeVibeError, SourceError, without_secrets
from realtime_vibe.sources.stream_url import is_near, stream_source
from realtime_vibe.sources.video_file import VideoFile
from tests.sources.conftest import mirrored, number_of

NewServer = Callable[..., Any]


def later(seconds: float, action: Callable[[], Any]) -> None:
    timer = threading.Timer(seconds, action)
    timer.start()


def test_healthy_stream_in_order(new_server: NewServer, stop: threading.Event) -> None:
    with stream_source(new_server().url) as source:
        frames = [source.read(stop) for _ in range(20)]
        assert source.status == "ok"
        assert (source.info.width, source.info.height, source.info.is_live) == (320, 240, True)
    for frame in frames:
        assert frame is not None
        assert number_of(frame.image_bgr) == frame.index % 40  # of 40 pictures


@pytest.mark.parametrize("fault", ["stall", "garbage", "cut"])
def test_faulty_stream_recovers(
    new_server: NewServer,
    stop: threading.Event,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    server = new_server()
    with stream_source(server.url) as source:
        last = source.read(stop)
        assert last is not None
        server.mode = fault
        # A stall shorter than the time-out of reads, 2 s, is no loss.
        later(3.0 if fault == "stall" else 0.8, lambda: setattr(server, "mode", "ok"))
        deadline_s = time.monotonic() + 30
        while "signal is back" not in caplog.text or server.mode != "ok":
            assert time.monotonic() < deadline_s
            frame = source.read(stop)
            assert frame is not None
            assert frame.index > last.index
            assert frame.captured_at_s > last.captured_at_s
            assert number_of(frame.image_bgr) is not None
            last = frame
        assert source.status == "ok"
    assert capfd.readouterr() == ("", "")


def test_server_dies_and_returns_on_its_port(
    new_server: NewServer, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    server = new_server()
    with stream_source(server.url) as source:
        before = source.read(stop)
        server.close()
        later(1.5, partial(new_server, server.port))
        deadline_s = time.monotonic() + 30
        after = before
        while "signal is back" not in caplog.text:
            assert time.monotonic() < deadline_s
            after = source.read(stop)
        assert before is not None
        assert after is not None
        assert after.index > before.index
        assert caplog.text.count("signal is lost") == 1


@pytest.mark.parametrize("fault", ["stall", "dead"])
def test_stop_and_close_in_every_state(
    new_server: NewServer, fault: str, stop: threading.Event
) -> None:
    server = new_server()
    source = stream_source(server.url)
    reader = threading.Thread(target=lambda: [None for _ in iter(lambda: source.read(stop), None)])
    reader.start()
    if fault == "dead":
        server.close()
    else:
        server.mode = fault
    time.sleep(0.7)
    started_s = time.monotonic()
    source.close()
    reader.join(10)
    assert time.monotonic() - started_s < 10.0  # promised: 2 s on an idle machine
    assert not reader.is_alive()


def test_url_that_never_answers(silent_port: int) -> None:
    started_s = time.monotonic()
    with pytest.raises(SourceError, match="no video stream answers") as caught:
        stream_source(f"rtsp://user:secret@127.0.0.1:{silent_port}/live")
    assert time.monotonic() - started_s < 20.0  # 3 s on an idle machine
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_server_that_takes_the_request_and_says_nothing(
    new_server: NewServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server()
    server.mode = "mute"
    started_s = time.monotonic()
    with pytest.raises(SourceError, match=r"127\.0\.0\.1"):
        stream_source(server.url)
    assert time.monotonic() - started_s < 20.0
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answered.wait(30))  # hears no Ctrl-C
    monkeypatch.setattr("realtime_vibe.sources.stream_url._ASKING_S", 0.05)
    with pytest.raises(SourceError, match="slow/x: no video stream answers there"):
        stream_source("http://slow/x")
    assert not answered.is_set()
    answered.set()


def test_nobody_listens(silent_port: int) -> None:
    with pytest.raises(SourceError, match="no video stream answers"):
        stream_source("http://127.0.0.1:9/live")


def test_urls_that_make_no_sense(subtests: pytest.Subtests) -> None:
    for url in ["gopher://host/x", "http:///x", "://", "http://[::1/x", "concat://a|b", "file://x"]:
        with subtests.test(url=url), pytest.raises(SourceError):
            stream_source(url)


@contextmanager
def _serving(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answers on a free port until the end; gives host and port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def file_server(demo_clip: Path, tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            given = self.headers.get("Range", "")
            if not given or not self.path.startswith("/ranged"):
                super().do_GET()
                return
            data = (tmp_path / self.path[1:]).read_bytes()
            start = int(given.removeprefix("bytes=").partition("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(data[start:])

    data = demo_clip.read_bytes()
    (tmp_path / "whole.mp4").write_bytes(data)
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    index = data.index(b"moov") - 4
    length = int.from_bytes(data[index : index + 4])
    (tmp_path / "late.mp4").write_bytes(
        data[:index] + data[index + length :] + data[index : index + length]
    )
    (tmp_path / "mirrored.mp4").write_bytes(mirrored(data))
    with _serving(partial(Quiet, directory=str(tmp_path))) as address:
        yield f"http://{address}"


def test_recording_on_a_server_is_played_once(
    file_server: str, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    with stream_source(f"{file_server}/whole.mp4") as source:
        frames = list(iter(lambda: source.read(stop), None))
        assert source.status == "at its end"
        assert source.info.frame_count == 94
    with stream_source(f"{file_server}/mirrored.mp4") as source:
        other_way = source.read(stop).image_bgr[:, ::-1].astype(int)
    assert np.abs(other_way - frames[0].image_bgr).mean() < 3
    assert [frame.index for frame in frames] == list(range(94))
    np.testing.assert_allclose([f.captured_at_s for f in frames], np.arange(94) / 30, atol=2e-3)
    assert not caplog.records
    with stream_source(f"{file_server}/cut.mp4") as source:
        count = sum(1 for _ in iter(lambda: source.read(stop), None))
    assert f"{count} of 94 frames" in caplog.text
    with pytest.raises(SourceError, match="404"):
        stream_source(f"{file_server}/absent.mp4")
    with pytest.raises(SourceError, match="ended before its first frame"):
        stream_source(f"{file_server}/late.mp4")


def test_an_index_that_comes_last_is_read_as_of_a_file(
    file_server: str, write_clip: Callable[..., Path], stop: threading.Event
) -> None:
    path = write_clip("ranged.mp4", 40, (320, 240), fourcc="mp4v")
    data = path.read_bytes()
    assert data.index(b"moov") > 1 << 16
    path.write_bytes(mirrored(data))
    with VideoFile(path) as local, stream_source(f"{file_server}/ranged.mp4") as source:
        np.testing.assert_array_equal(source.read(stop).image_bgr, local.read(stop).image_bgr)


def test_what_a_server_says_to_have_an_end_is_a_film(
    file_server: str, write_clip: Callable[..., Path], stop: threading.Event
) -> None:
    clip = write_clip("a.ts", 13, (64, 48), fourcc="MPG2")
    clip.with_name("film").write_bytes(clip.read_bytes())
    play_list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.43,\na.ts\n#EXT-X-ENDLIST\n"
    clip.with_name("list.m3u8").write_text(play_list)
    variants = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=64x48\nlist.m3u8\n"
    clip.with_name("variants.m3u8").write_text(variants)
    for name in ("film", "list.m3u8", "variants.m3u8"):
        with stream_source(f"{file_server}/{name}") as source:
            assert not source.info.is_live
            assert sum(1 for _ in iter(lambda: source.read(stop), None)) >= 12


@pytest.fixture
def server() -> Iterator[str]:
    """Answers `/404` with that status, `/image/png` with that type; gives host and port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            word = self.path.strip("/").split("?")[0].removesuffix(".mp4")
            if word == "302":
                self.send_response(302)
                self.send_header("Location", self.path)  # for ever
                self.end_headers()
                return
            if word == "basic":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
                return
            if word.isdigit():
                self.send_error(int(word))
                return
            self.send_response(200)
            self.send_header("Content-Type", word)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler) as address:
        yield address


def test_every_answer_has_its_words(
    server: str, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    # A proxy must not come between this program and its own machine.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    for path, message in [
        ("404", "404 Not Found; there is nothing at this path"),
        ("404.mp4", "404 Not Found"),
        ("401", "asks for a name and a password"),
        ("403", "403"),
        ("503", "busy or starting"),
        ("500", "itself failed"),
        ("429", "asked too often"),
        ("301", "301 and leads nowhere"),
        ("302", "302 and leads nowhere"),
        ("image/jpeg", "is a single picture"),
        ("text/html", "is a web page"),
    ]:
        with subtests.test(path=path, message=message):
            with pytest.raises(SourceError, match=message) as caught:
                stream_source(f"http://{server}/{path}?token=secret")
            assert "secret" not in str(caught.value)
            assert "\n" not in str(caught.value)


def test_a_refused_log_in_and_a_proxy_are_named(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, message in (
        ("401", "check name and password"),
        ("basic", "401: it refuses this name and password"),
    ):
        with pytest.raises(SourceError, match=message) as caught:
            stream_source(f"http://me:secret@{server}/{path}")
        assert "secret" not in str(caught.value)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", f"http://me:secret@{server}")
    with pytest.raises(SourceError, match="set no_proxy=camera") as caught:
        stream_source("http://camera.example.org/live")
    assert "secret" not in str(caught.value)


def test_no_error_shows_a_password(subtests: pytest.Subtests) -> None:
    for text in [
        "rtsp://me:SECRET@host/a",
        "rtsp:/me:SECRET@host/a",
        "'http://me:SEC/RET@x@host:80/a?b=c'",
        "http://SECRET@host/",
        "me:SECRET@host/a",
        "http://host/a?user=me&password=SECRET&x=1",
        "http://host/a?auth_token=SECRET",
        "x (rtsp://a:SECRET@h/1, rtsp://b:SECRET@h/2)",
    ]:
        with subtests.test(text=text):
            for shown in (
                without_secrets(text),
                str(RealtimeVibeError(text)),
                str(SourceError(f"no {text}")),
            ):
                assert not {"SECRET", "SEC", "RET"} & set(
                    shown.replace("/", " ").replace("=", " ").split()
                )
                assert "SEC" not in shown
                assert "h" in shown


def test_ordinary_text_stays() -> None:
    for text in (
        "o.mp4: got 1:2, expected http://host:8080/video?size=3",
        "C:\\\\clips\\a@b.mp4",
        "see https://docs.example.org/a@2",
        "size=640x480@30",
        "write http://NAME:PASSWORD@HOST/..",
    ):
        assert without_secrets(text) == text


def test_what_is_near() -> None:
    assert all(map(is_near, ("127.0.0.1", "localhost", "192.168.1.7", "cam.local", "::1", "cam")))
    assert not any(map(is_near, ("example.org", "8.8.8.8")))
