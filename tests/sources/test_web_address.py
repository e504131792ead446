"""What HTTP servers answer, in words; and passwords that nobody may read."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from realtime_vibe.errors import RealtimeVibeError, SourceError, without_secrets
from realtime_vibe.sources.stream_url import stream_source
from realtime_vibe.sources.web_address import is_near


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
            if word.isdigit():
                self.send_error(int(word))
                return
            self.send_response(200)
            self.send_header("Content-Type", word)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


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
                stream_source(f"http://{server}/{path}?token=secret").open()
            assert "secret" not in str(caught.value)
            assert "\n" not in str(caught.value)


def test_a_refused_log_in_and_a_proxy_are_named(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="check name and password") as caught:
        stream_source(f"http://me:secret@{server}/401").open()
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", f"http://me:secret@{server}")
    with pytest.raises(SourceError, match="set no_proxy=camera") as caught:
        stream_source("http://camera.example.org/live").open()
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
