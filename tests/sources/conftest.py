"""Real servers, files and pipes for the sources, and a scripted camera."""

import contextlib
import http.server
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.frame_code import find, stamp
from realtime_vibe.sources.synthetic import SyntheticSource
from realtime_vibe.sources.video_file import demo_clip_path

LEAK_WAIT_S = 10.0


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fails a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    deadline_s = time.monotonic() + LEAK_WAIT_S
    while left := [thread for thread in threading.enumerate() if thread not in before]:
        assert time.monotonic() < deadline_s, f"threads left behind: {left}"
        time.sleep(0.02)


@pytest.fixture
def stop() -> threading.Event:
    """A stop event that nobody sets unless the test does."""
    return threading.Event()


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    """40 synthetic pictures of 320x240 px with the codes 0..39."""
    never = threading.Event()
    with SyntheticSource(size=(320, 240), paced=False) as source:
        made = [source.read(never).image_bgr for _ in range(40)]
    for number, picture in enumerate(made):
        stamp(picture, number)
    return made


def number_of(picture: np.ndarray) -> int | None:
    """The number in the code of a picture."""
    found = find(picture)
    return None if found is None else found.number


def mirrored(film: bytes) -> bytes:
    """An MP4 of one unturned track, with a display matrix that exchanges left and right."""
    matrix = film.index(b"tkhd") + 44
    assert film[matrix : matrix + 4] == struct.pack(">i", 1 << 16)
    return film[:matrix] + struct.pack(">i", -1 << 16) + film[matrix + 4 :]


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    """The bundled clip: 94 frames, 512x640 px, index at the front."""
    return demo_clip_path()


@pytest.fixture
def write_clip(tmp_path: Path) -> Callable[..., Path]:
    """Writes a Motion-JPEG AVI (or what `fourcc` says) of noise frames."""

    def write(
        name: str, count: int, size: tuple[int, int], fps: float = 30.0, fourcc: str = "MJPG"
    ) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), fps, size)
        assert writer.isOpened()
        rng = np.random.default_rng(0)
        for _ in range(count):
            small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
            writer.write(cv2.resize(small, size))
        writer.release()
        return path

    return write


@pytest.fixture
def ffmpeg(tmp_path: Path) -> Callable[..., Path]:
    """Runs the ffmpeg program where there is one."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("no ffmpeg program here to make this file with")

    def run(name: str, *arguments: str) -> Path:
        path = tmp_path / name
        subprocess.run([program, "-v", "error", "-y", *arguments, str(path)], check=True)
        return path

    return run


class MjpegServer:
    """A camera on the network: marked JPEGs over HTTP, and every way in which they stop.

    `mode` may change at any time: `ok`, `stall` (connected, silent), `mute` (a request is never
    answered), `cut` (the connection ends in the middle of a picture), `garbage`.
    """

    def __init__(self, jpegs: Sequence[bytes], port: int = 0) -> None:
        self.mode = "ok"
        self.fps = 40.0
        self._jpegs = jpegs
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/live"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="mjpeg server"
        )
        self._thread.start()

    def close(self) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, request: http.server.BaseHTTPRequestHandler) -> None:
        while self.mode == "mute" and not self._closing.wait(0.02):
            pass
        with contextlib.suppress(OSError):  # the reader went away
            self._stream(request)

    def _stream(self, request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        count = 0
        while not self._closing.wait(1.0 / self.fps):
            if self.mode in {"stall", "mute"}:
                continue
            jpeg = self._jpegs[count % len(self._jpegs)]
            count += 1
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            if self.mode == "garbage":
                jpeg = bytes(len(jpeg))
            elif self.mode == "cut":
                request.wfile.write(head.encode() + jpeg[: len(jpeg) // 2])
                return
            request.wfile.write(head.encode() + jpeg + b"\r\n")


@pytest.fixture
def new_server(pictures: list[np.ndarray]) -> Iterator[Callable[..., MjpegServer]]:
    """Starts MJPEG servers on 127.0.0.1."""
    jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
    servers: list[MjpegServer] = []

    def start(port: int = 0) -> MjpegServer:
        servers.append(MjpegServer(jpegs, port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class ScriptedCamera:
    """Stands for `cv2.VideoCapture` of one camera and does what its script says.

    The script maps the number of a grab, counted over all reopenings, to a picture, to None (the
    grab fails), or to an exception; or it blocks. It is shared by all captures of the test.
    """

    def __init__(self, script: Callable[[int], Any], *, opens: Callable[[int], bool]) -> None:
        self.script = script
        self.opens = opens
        self.open_count = 0
        self.grab_count = 0
        self.open_now = 0
        self.targets: list[tuple[int | str, int]] = []

    def __call__(self, target: int | str, backend: int) -> "ScriptedCapture":
        self.targets.append((target, backend))
        self.open_count += 1
        is_open = self.opens(self.open_count)
        self.open_now += is_open
        return ScriptedCapture(self, is_open)


class ScriptedCapture:
    """One opened capture of a `ScriptedCamera`."""

    def __init__(self, camera: ScriptedCamera, is_open: bool) -> None:
        self._camera = camera
        self._is_open = is_open
        self._picture: Any = None
        self.properties: dict[int, float] = {cv2.CAP_PROP_FPS: 30.0}

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._is_open

    def grab(self) -> bool:
        time.sleep(0.003)
        number = self._camera.grab_count
        self._camera.grab_count += 1
        self._picture = self._camera.script(number)
        if isinstance(self._picture, Exception):
            raise self._picture
        return self._picture is not None

    def retrieve(self) -> tuple[bool, Any]:
        return True, None if isinstance(self._picture, str) else self._picture

    def get(self, name: int) -> float:
        return self.properties.get(name, 0.0)

    def set(self, name: int, value: float) -> bool:
        self.properties[name] = value
        return True

    def release(self) -> None:
        self._camera.open_now -= self._is_open
        self._is_open = False


@pytest.fixture
def new_camera() -> Callable[..., ScriptedCamera]:
    """Makes scripted cameras; by default each grab gives a new noise picture."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(1, 255, (48, 64, 3), dtype=np.uint8) for _ in range(64)]

    def make(
        script: Callable[[int], Any] | None = None,
        opens: Callable[[int], bool] = lambda _: True,
    ) -> ScriptedCamera:
        fresh = lambda number: noise[number % 64]  # noqa: E731
        if script is None:
            return ScriptedCamera(fresh, opens=opens)

        def with_noise(number: int) -> Any:
            answer = script(number)
            return fresh(number) if isinstance(answer, str) and answer == "new" else answer

        return ScriptedCamera(with_noise, opens=opens)

    return make
