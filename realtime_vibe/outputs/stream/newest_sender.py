"""The thread of a network output: newest wins, limited in rate, and never in inference's way."""

import logging
import time
from collections.abc import Callable
from typing import Self

from realtime_vibe.packets import FrameResult
from realtime_vibe.system.closing import ClosedByWith
from realtime_vibe.system.threads import LatestSlot, SlotClosed, Worker

logger = logging.getLogger(__name__)

_JOIN_S = 2.0
AFTER_AVATARS_S = 1e-3
"""Delay of outputs that can wait for those that move an avatar [s]."""


class NewestSender(ClosedByWith):
    """Sends the newest result from a thread of its own; a result that comes too fast is left out.

    Trouble with the network is logged once and the next result tried; nothing is raised into `write`.

    Args:
        name: names the thread and appears in messages.
        send: sends one result; runs in the thread and may raise OSError.
        release: frees what `send` uses; runs once, after the last `send`.
        max_rate_hz: how often to send at most; None for every result.
        delay_s: how long every result waits, so that outputs with less latency to spare go first [s]: all
            share the interpreter's lock, and who has it keeps it while encoding.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[FrameResult], None],
        release: Callable[[], None],
        *,
        max_rate_hz: float | None = None,
        delay_s: float = 0.0,
    ) -> None:
        self._name = name
        self._send = send
        self._release = release
        self._period_s = 1.0 / max_rate_hz if max_rate_hz else 0.0
        self._delay_s = delay_s
        self._slot: LatestSlot[FrameResult] = LatestSlot()
        self._worker = Worker(name, self._run, self._finish)
        self._started = False
        self._closed = False
        self._trouble = ""

    def start(self) -> Self:
        """Starts the thread."""
        self._started = True
        self._worker.start()
        return self

    def write(self, result: FrameResult) -> None:
        """Offers a result; returns at once."""
        self._slot.put(result)

    def close(self) -> None:
        """Sends what waits and ends the thread; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._slot.close()
        if not self._started:
            self._release()
        elif not self._worker.join(_JOIN_S):
            logger.error("%s did not end within %.0f s", self._name, _JOIN_S)

    def _run(self) -> None:
        due_s = 0.0
        while True:
            self._rest_until(due_s)
            try:
                result = self._slot.take()
            except SlotClosed:
                return
            if result is not None:
                started_s = time.perf_counter()
                if self._delay_s:
                    time.sleep(self._delay_s)
                self._try(result)
                # Steps of one period from the last due time, so that 30 of 60 frames stay 30.
                due_s = max(due_s + self._period_s, started_s)

    def _rest_until(self, due_s: float) -> None:
        while not self._closed and (left_s := due_s - time.perf_counter()) > 0:
            time.sleep(min(left_s, 0.1))

    def _try(self, result: FrameResult) -> None:
        try:
            self._send(result)
        except OSError as error:
            trouble = error.strerror or str(error)
            if trouble != self._trouble:
                logger.warning("%s: %s; it keeps trying", self._name, trouble)
                self._trouble = trouble
            return
        if self._trouble:
            logger.info("%s: sending again", self._name)
            self._trouble = ""

    def _finish(self, error: BaseException | None) -> None:
        if error is not None:
            logger.error("%s has ended: %r; everything else goes on", self._name, error)
            self._slot.close()
        self._release()
