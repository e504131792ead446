"""Cameras and network streams: newest frame wins, and a lost signal is waited for."""

import logging
import threading
import time
from dataclasses import dataclass

from realtime_vibe.errors import RealtimeVibeError, SourceError
from realtime_vibe.packets import Frame
from realtime_vibe.sources.base import SourceInfo
from realtime_vibe.sources.session import IsFresh, OpenCapture, ReadSession, SessionPicture
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.threads import SlotClosed
from realtime_vibe.system.timing import Clock

logger = logging.getLogger(__name__)

POLL_S = 0.05
JOIN_S = 1.5
NO_SIGNAL_S = 1.0
FIRST_BACK_OFF_S = 0.25
LONGEST_BACK_OFF_S = 5.0
MAX_STUCK_SESSIONS = 2  # more threads inside a dead driver would not revive it


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDevice:
    """What a live source is opened and judged by."""

    name: str
    """For messages and the HUD."""
    open_capture: OpenCapture
    """Opens it; raises `SourceError` with the reason it does not."""
    open_limit_s: float
    """How long to wait for the first picture [s]."""
    patience_s: float
    """How long reads may fail before it is reopened [s]."""
    stuck_s: float
    """How long one read may block before its thread is given up [s]."""
    is_fresh: IsFresh | None = None
    """Judges its pictures; None trusts them all."""


class LiveSource(ClosedByWith):
    """A camera or a network stream.

    The device is drained in a thread of its own, so `read` returns its newest picture, however long
    ago the last call was; the indexes tell how many were passed over. A device that fails after it
    once worked is reopened for ever, 0.25 s to 5 s apart; meanwhile `read` waits, `status` says
    so, and no stand-in picture is made up.

    Raises:
        SourceError: it cannot be opened or delivers nothing.
    """

    def __init__(self, device: LiveDevice, *, clock: Clock = time.perf_counter) -> None:
        self._device = device
        self._clock = clock
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._stuck: list[ReadSession] = []
        self._pending: SessionPicture | None = None
        self._first_index = 0
        self._next_index = 0
        self._last_captured_s = float("-inf")
        self._back_off_s = FIRST_BACK_OFF_S
        self._lost_at_s: float | None = None
        self._signal_since_s = self._polled_at_s = self._awake_since_s = clock()
        self._session = self._new_session().start()
        try:
            self._pending = first = self._session.take(device.open_limit_s)
        except SlotClosed:
            first = None
        except BaseException:  # Ctrl-C included: leave no thread behind
            self.close()
            raise
        if first is None:
            self.close()
            raise SourceError(
                f"{device.name}: opened, but no picture came within {device.open_limit_s:.0f} s; "
                "check that nothing else uses it"
            )
        height, width = first.image_bgr.shape[:2]
        self.info = SourceInfo(
            name=device.name,
            width=width,
            height=height,
            fps=self._session.fps,
            frame_count=None,
            is_live=True,
        )
        """What the device delivers."""

    @property
    def status(self) -> str:
        """`ok`, or for how long there has been no signal."""
        lost_at_s = self._lost_at_s
        silent_s = self._clock() - (self._session.last_sign_s if lost_at_s is None else lost_at_s)
        if silent_s <= NO_SIGNAL_S:
            return "ok"
        doing = "" if lost_at_s is None else ", reopening"
        return f"no signal {silent_s:.0f} s{doing}"

    def read(self, stop: threading.Event) -> Frame | None:
        """The newest frame that was not read yet; None after `close` or when `stop` is set.

        Waits through any loss of signal. `Frame.captured_at_s` is the clock right after the grab.
        """
        while not (stop.is_set() or self._closed.is_set()):
            try:
                picture = self._session.take(0.0 if self._pending else POLL_S) or self._pending
            except (SlotClosed, RealtimeVibeError) as error:
                if self._closed.is_set():
                    return None
                self._pending = None
                self._lose(str(error))
                self._reopen(stop)
                continue
            self._pending = None
            if picture is not None:
                return self._deliver(picture)
            if self._is_stuck():
                self._session.stop()
                self._stuck.append(self._session)
                self._complain_stuck()
                self._lose("a read never returned")
                self._reopen(stop)
        return None

    def close(self) -> None:
        """Ends `read` at once and the device's thread within 1.5 s, or logs that it hangs."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            self._session.stop()
        if self._session.join(JOIN_S):
            return
        if self._session.is_open:
            self._complain_stuck()
        else:
            logger.info("%s: still being opened; that ends by itself", self._device.name)

    def _new_session(self) -> ReadSession:
        device = self._device
        return ReadSession(
            device.name,
            device.open_capture,
            patience_s=device.patience_s,
            is_fresh=device.is_fresh,
            clock=self._clock,
        )

    def _deliver(self, picture: SessionPicture) -> Frame:
        if self._lost_at_s is not None:
            away_s = self._clock() - self._lost_at_s
            logger.warning("%s: the signal is back after %.1f s", self._device.name, away_s)
            self._lost_at_s = None
            self._signal_since_s = self._clock()
        captured_at_s = max(picture.grabbed_at_s, self._last_captured_s + 1e-6)
        self._last_captured_s = captured_at_s
        index = self._first_index + picture.number
        self._next_index = index + 1
        return Frame(
            image_bgr=picture.image_bgr,
            index=index,
            captured_at_s=captured_at_s,
            grabbed_at_s=picture.grabbed_at_s,
        )

    def _is_stuck(self) -> bool:
        now_s = self._clock()
        if now_s - self._polled_at_s > NO_SIGNAL_S:  # it is the program that was stopped (Ctrl-Z)
            self._awake_since_s = now_s
        self._polled_at_s = now_s
        is_opening = self._lost_at_s is not None
        limit_s = self._device.open_limit_s if is_opening else self._device.stuck_s
        return now_s - max(self._session.last_sign_s, self._awake_since_s) > limit_s

    def _lose(self, reason: str) -> None:
        if self._lost_at_s is not None:
            return
        self._lost_at_s = self._session.last_sign_s
        # A device that delivers one picture per attempt is not well: it keeps its back-off.
        if self._lost_at_s - self._signal_since_s > LONGEST_BACK_OFF_S:
            self._back_off_s = FIRST_BACK_OFF_S
        logger.warning(
            "%s: the signal is lost%s; trying to reopen it until it is back",
            self._device.name,
            f" ({reason})" if reason else "",
        )

    def _complain_stuck(self) -> None:
        logger.error(
            "%s: a call into the driver does not return; its thread is left behind",
            self._device.name,
        )

    def _reopen(self, stop: threading.Event) -> None:
        retry_at_s = self._clock() + self._back_off_s
        self._back_off_s = min(2 * self._back_off_s, LONGEST_BACK_OFF_S)
        while self._clock() < retry_at_s or len(self._stuck) >= MAX_STUCK_SESSIONS:
            if stop.wait(POLL_S) or self._closed.is_set():
                return
            self._stuck = [session for session in self._stuck if not session.join(0.0)]
        session = self._new_session()
        with self._lock:
            if self._closed.is_set():
                return
            self._first_index = self._next_index
            self._session = session
            session.start()
