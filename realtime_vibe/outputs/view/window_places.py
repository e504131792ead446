"""Where windows were when they were closed, kept in a small JSON file until the next run."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import write_atomically
from realtime_vibe.system.timing import Clock

_LOGGER = logging.getLogger(__name__)
_SMALLEST_PX, _LARGEST_PX = 80, 20_000
_VISIBLE_PX = 100
"""So much of a window must be on the desktop, or nobody finds it again."""
_SETTLE_S = 0.5
"""Window managers take a moment to put a window where it was asked to be, and add a frame."""
_LOOK_EVERY_S = 2.0
"""Each look costs some milliseconds on a full desktop; closing looks once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlace:
    """A rectangle on the desktop [px]."""

    left: int
    top: int
    width: int
    height: int

    def is_reachable(self, desktop: "WindowPlace") -> bool:
        """Whether enough of it is inside `desktop` to be seen and moved by its title."""
        return (
            _SMALLEST_PX <= self.width <= _LARGEST_PX
            and _SMALLEST_PX <= self.height <= _LARGEST_PX
            and self.left + self.width >= desktop.left + _VISIBLE_PX
            and self.left <= desktop.left + desktop.width - _VISIBLE_PX
            and desktop.top <= self.top <= desktop.top + desktop.height - _VISIBLE_PX
        )


class WindowPlaces:
    """The places of all windows in a file; trouble with it costs the places and nothing else.

    Args:
        path: the file; None keeps nothing.
        desktop: the rectangle around all monitors, or None where nobody can tell: then no place is
            given back.
    """

    def __init__(self, path: Path | None, desktop: Callable[[], WindowPlace | None]) -> None:
        self._path = path
        self._desktop = desktop

    def last(self, title: str) -> WindowPlace | None:
        """Where a window was; None when that is unknown or no longer on the desktop."""
        entry = self._read().get(title)
        if not isinstance(entry, dict):
            return None
        numbers: dict[str, int] = {
            name: entry[name]
            for name in ("left", "top", "width", "height")
            if type(entry.get(name)) is int
        }
        if len(numbers) < 4:
            _LOGGER.debug("%s: the place of %s is not four whole numbers", self._path, title)
            return None
        place, desktop = WindowPlace(**numbers), self._desktop()
        return place if desktop is not None and place.is_reachable(desktop) else None

    def keep(self, title: str, place: WindowPlace) -> None:
        """Writes where a window is; the other windows' places stay."""
        if self._path is None:
            return
        document = {**self._read(), title: asdict(place)}
        text = json.dumps(document, indent=1).encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, lambda file: file.write(text))
        except (OSError, OutputError) as error:
            _LOGGER.debug("the places of windows are not kept: %s", error)

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            _LOGGER.debug("cannot read the places of windows in %s: %s", self._path, error)
            return {}
        return document if isinstance(document, dict) else {}


NOWHERE = WindowPlaces(None, lambda: None)
"""Keeps nothing."""


class WindowWatch:
    """Follows one open window, so that the next run can ask for what leads to the same place.

    What is asked for and what the system answers differ by the window's frame. A window nobody moved
    must not creep by that frame from run to run, so only what changed since it settled is added.

    Args:
        asked: where the window was told to be.
        clock: monotonic seconds.
    """

    def __init__(self, asked: WindowPlace, clock: Clock = time.perf_counter) -> None:
        self._asked = asked
        self._clock = clock
        self._settles_s = clock() + _SETTLE_S
        self._next_s = self._settles_s
        self._settled: WindowPlace | None = None
        self._now: WindowPlace | None = None

    @property
    def is_due(self) -> bool:
        """Whether it is time to look again."""
        return self._clock() >= self._next_s

    def resized(self, width: int, height: int) -> None:
        """The program itself gave the window another size: it has to settle again."""
        asked = self.place or self._asked
        self._asked = replace(asked, width=width, height=height)
        self._settled = self._now = None
        self._settles_s = self._next_s = self._clock() + _SETTLE_S

    def see(self, place: WindowPlace | None) -> None:
        """Takes what the system says; None is passed over."""
        now_s = self._clock()
        if now_s < self._settles_s:
            return
        self._next_s = now_s + _LOOK_EVERY_S
        if place is None:
            return
        if self._settled is None:
            self._settled = place
        self._now = place

    @property
    def place(self) -> WindowPlace | None:
        """What to ask for the next time; None when the window was too short-lived to know."""
        if self._settled is None or self._now is None:
            return None
        was, now, asked = self._settled, self._now, self._asked
        return replace(
            asked,
            left=asked.left + now.left - was.left,
            top=asked.top + now.top - was.top,
            width=asked.width + now.width - was.width,
            height=asked.height + now.height - was.height,
        )
