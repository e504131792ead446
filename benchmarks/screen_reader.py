"""Watches the screen for frame codes, in a process of its own so that it delays nobody's threads.

    python -m benchmarks.screen_reader      # until its standard input ends

Says `ready` once it looks. Answers with one JSON object: when each code was first seen, by `time.perf_counter`, which counts the
same in all processes of a machine, and how long the looks were apart. Only the code's own few pixels
are copied, which takes 0.02 to 0.2 ms.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from benchmarks.frame_code import CodePlace, find, read
from benchmarks.results import thinned
from realtime_vibe.errors import ConfigError, OutputError
from realtime_vibe.packets import ImageArray
from realtime_vibe.system.machine import install_command

_REST_S = 0.0005
"""Between looks: a reader that never rests takes a core from what it measures."""
_LOST_S = 0.5
"""Without a readable code for so long, the window is looked for again."""
_ANSWER_S = 20.0
_READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """What a reader saw."""

    first_seen_s: dict[int, float]
    """`time.perf_counter` at which each number was first on the screen; a little late, never early."""
    looks_ms: tuple[float, ...]
    """Time between neighbouring looks: the resolution of the above."""


class Screen(Protocol):
    """Where pixels come from."""

    def whole(self) -> ImageArray:
        """Everything, (H, W, 3) BGR."""

    def part(self, place: CodePlace) -> ImageArray:
        """The pixels inside an outline."""


@dataclass(slots=True)
class CodeWatcher:
    """Looks at a screen again and again."""

    screen: Screen
    clock: Callable[[], float] = time.perf_counter
    first_seen_s: dict[int, float] = field(default_factory=dict)
    looks_ms: list[float] = field(default_factory=list)
    _place: CodePlace | None = None
    _last_look_s: float | None = None
    _last_code_s: float = 0.0

    def look(self) -> None:
        """One look; the first ones search the whole screen."""
        if self._place is None:
            found = find(self.screen.whole())
            self._place = None if found is None else found.place
            self._last_code_s, self._last_look_s = self.clock(), None
            return
        band = self.screen.part(self._place)
        now_s = self.clock()
        if self._last_look_s is not None:
            self.looks_ms.append((now_s - self._last_look_s) * 1e3)
        self._last_look_s = now_s
        number = read(band, CodePlace(0, 0, band.shape[1], band.shape[0]))
        if number is not None:
            self.first_seen_s.setdefault(number, now_s)
            self._last_code_s = now_s
        elif now_s - self._last_code_s > _LOST_S:
            self._place = None


class ScreenReader:
    """The reading process; `stop` ends it and gives what it saw.

    Args:
        environment: of the process; its DISPLAY is read.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.screen_reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def wait_until_ready(self) -> None:
        """Waits until the process has started and looks at the screen.

        Raises:
            OutputError: it cannot.
        """
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != _READY:
            self.stop()
            raise OutputError("the screen's reader ended before it looked")

    def stop(self) -> Sightings:
        """Ends the process.

        Raises:
            OutputError: the screen could not be read.
        """
        try:
            out, problems = self._process.communicate(timeout=_ANSWER_S)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.communicate()
            raise OutputError("the screen's reader did not answer") from error
        if self._process.returncode:
            reason = problems.strip().splitlines()[-1] if problems.strip() else "no reason given"
            raise OutputError(f"the screen cannot be read: {reason}")
        answer = json.loads(out)
        return Sightings(
            first_seen_s={int(number): at_s for number, at_s in answer["first_seen_s"].items()},
            looks_ms=tuple(answer["looks_ms"]),
        )

    def kill(self) -> None:
        """Ends the process without an answer; harmless after `stop`."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def require_mss() -> None:
    """Makes sure that the screen can be read.

    Raises:
        ConfigError: mss is not installed.
    """
    try:
        import mss  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"reading the screen needs mss: {install_command('benchmarks')}"
        ) from error


def main() -> int:
    """Looks until standard input ends, then answers."""
    from mss import MSS

    done = threading.Event()
    threading.Thread(target=_wait_for_end, args=(done,), daemon=True).start()
    with MSS() as grabber:
        watcher = CodeWatcher(_MssScreen(grabber))
        watcher.look()
        print(_READY, flush=True)
        while not done.wait(_REST_S):
            watcher.look()
    looks_ms = thinned(watcher.looks_ms)
    print(json.dumps({"first_seen_s": watcher.first_seen_s, "looks_ms": looks_ms}))
    return 0


class _MssScreen:
    def __init__(self, grabber: Any) -> None:
        self._grabber = grabber
        self._origin = grabber.monitors[0]

    def whole(self) -> ImageArray:
        return self._pixels(self._origin)

    def part(self, place: CodePlace) -> ImageArray:
        return self._pixels(
            {
                "left": self._origin["left"] + place.left,
                "top": self._origin["top"] + place.top,
                "width": place.right - place.left,
                "height": place.bottom - place.top,
            }
        )

    def _pixels(self, region: dict[str, int]) -> ImageArray:
        shot = self._grabber.grab(region)
        pixels = np.frombuffer(shot.bgra, np.uint8).reshape(shot.height, shot.width, 4)
        return np.ascontiguousarray(pixels[..., :3])


def _wait_for_end(done: threading.Event) -> None:
    sys.stdin.read()
    done.set()


if __name__ == "__main__":
    raise SystemExit(main())
