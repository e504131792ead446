"""The live outputs that leave the program: checked before the run, hung on it, ended with it."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.app.live_run import LiveRun
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import ResultSink
from realtime_vibe.outputs.person_lock import PersonLock
from realtime_vibe.outputs.stream.address import (
    VMC_PORT,
    VRCHAT_PORT,
    Address,
    parse_address,
    resolve,
)
from realtime_vibe.outputs.stream.vmc import VmcSink
from realtime_vibe.outputs.stream.vmc_avatar import AvatarRest, read_avatar
from realtime_vibe.outputs.stream.vrchat_osc import VrchatSink

logger = logging.getLogger(__name__)


class NetworkOutputs:
    """The network outputs that the settings ask for.

    Args:
        config: checked settings. Hosts, the port and the avatar are tried here, before anything else starts.

    Raises:
        OutputError: a host is unknown or named twice, the port is taken or the avatar cannot be read.
    """

    def __init__(self, config: LiveConfig, lock: PersonLock | None = None) -> None:
        self._config = config
        self._lock = lock
        self._vmc = [parse_address(text, default_port=VMC_PORT) for text in config.vmc]
        self._vrchat = [parse_address(text, default_port=VRCHAT_PORT) for text in config.vrchat]
        self._web = Address(host=config.web_host, port=config.web) if config.web else None
        for protocol, addresses in (("vmc", self._vmc), ("vrchat", self._vrchat)):
            for address in addresses:
                resolve(address)
                if addresses.count(address) > 1:
                    raise OutputError(f"--{protocol} {address} is given twice: name it once")
        self._avatar: AvatarRest | None = (
            read_avatar(config.vmc_avatar) if config.vmc_avatar is not None else None
        )
        if self._web is not None:
            from realtime_vibe.outputs.stream.websocket_stream import listen

            listen(self._web).close()

    def attach(self, live: LiveRun, faces: NDArray[np.integer]) -> None:
        """Starts the outputs and hangs them on the run, which closes them; before it starts. `faces` is (F, 3).

        Raises:
            OutputError: an output cannot start; those before it are on the run already.
        """
        for sink in self._sinks(faces):
            live.add_writer(sink)

    def _sinks(self, faces: NDArray[np.integer]) -> Iterator[ResultSink]:
        rate_hz, mirror = self._config.stream_rate, self._config.mirrors_avatars
        if mirror and (self._vmc or self._vrchat):
            logger.info("avatars move as in a mirror; --no-mirror-avatar keeps left and right")
        for address in self._vmc:
            logger.info("an avatar is moved at %s (VMC)", address)
            yield VmcSink(
                address,
                avatar=self._avatar,
                root_mode=self._config.vmc_root,
                mirror=mirror,
                max_rate_hz=rate_hz,
                lock=self._lock,
            ).start()
        for address in self._vrchat:
            logger.info("trackers are sent to %s (VRChat)", address)
            yield VrchatSink(address, mirror=mirror, max_rate_hz=rate_hz, lock=self._lock).start()
        if self._web is not None:
            # The server's library takes 0.1 s to import.
            from realtime_vibe.outputs.stream.websocket_stream import WebStream

            yield WebStream(self._web, faces, max_rate_hz=rate_hz).start()
