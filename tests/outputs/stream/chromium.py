"""A headless Chromium driven over its DevTools socket, for tests of pages."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_START_S = 40.0


def find_chromium() -> str | None:
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


class Chromium:
    """One page of a browser with a profile of its own; draws in software."""

    def __init__(self, executable: str, profile: Path, size: tuple[int, int] = (640, 640)) -> None:
        command = [
            executable,
            "--headless=new",
            "--no-sandbox",
            "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            f"--window-size={size[0]},{size[1]}",
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
            "about:blank",
        ]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            port, browser_path = self._wait_for(profile / "DevToolsActivePort").split()
            url = f"ws://127.0.0.1:{port}{browser_path}"
            self._connection = ExitStack()
            self._socket = self._connection.enter_context(connect(url, max_size=None, proxy=None))
        except BaseException:
            self._end()
            raise
        self._numbers = itertools.count(1)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._call("Page.enable")
        width, height = size
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    _session: str | None = None

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def wait_until(self, expression: str, timeout_s: float = 40.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not self.evaluate(expression):
            if time.monotonic() > deadline_s:
                raise TimeoutError(expression)
            time.sleep(0.1)

    def screenshot(self) -> bytes:
        """A PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        self._connection.close()
        self._end()

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _wait_for(self, path: Path) -> str:
        deadline_s = time.monotonic() + _START_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            if path.is_file() and (text := path.read_text()).count("\n") == 1:
                return text
            time.sleep(0.1)
        raise TimeoutError(f"{self._process.args[0]} did not start")

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
