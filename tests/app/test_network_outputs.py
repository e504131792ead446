"""Covers network outputs on a real run: every result arrives, mistakes are refused before it, nothing is left."""

import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.app.network_outputs import NetworkOutputs
from realtime_vibe.app.run import run
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import OutputError
from tests.outputs.stream.test_websocket_stream import free_port
from tests.outputs.stream.udp_receiver import UdpReceiver, decode
from tests.outputs.stream.vrm_files import vrm_document, write_vrm


class _Collector:
    """Reads all the time, as a receiver does: the system's buffer holds a second or two alone."""

    def __init__(self, receiver: UdpReceiver) -> None:
        self.messages: list[tuple[str, tuple[object, ...]]] = []
        self._socket = receiver.socket
        self._socket.settimeout(0.2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def all(self) -> list[tuple[str, tuple[object, ...]]]:
        """Ends reading."""
        self._over.set()
        self._thread.join()
        return self.messages

    def _read(self) -> None:
        while True:
            try:
                self.messages.extend(decode(self._socket.recv(65536)))
            except TimeoutError:
                if self._over.is_set():
                    return


def test_a_run_sends_every_result_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = {thread.name for thread in threading.enumerate()}
    avatar = write_vrm(tmp_path / "a.vrm", vrm_document(1)[0])
    with UdpReceiver() as vmc, UdpReceiver() as other, UdpReceiver() as vrchat:
        settings = LiveConfig(
            source="synthetic",
            view="none",
            max_frames=60,
            vmc=(f"127.0.0.1:{vmc.port}", f"127.0.0.1:{other.port}"),
            vmc_avatar=avatar,
            vmc_root="both",
            vrchat=f"127.0.0.1:{vrchat.port}",
            web=free_port(),
        )
        collectors = [_Collector(vmc), _Collector(other), _Collector(vrchat)]
        assert run(settings) == 0
        received, second, trackers = [collector.all() for collector in collectors]
    assert {address for address, _ in second} == {address for address, _ in received}
    times = [arguments[0] for address, arguments in received if address == "/VMC/Ext/T"]
    # The source is faster here than any camera, and the machine may be busy: newest wins then.
    assert 40 <= len(times) <= 60
    assert (np.diff(times) > 0).all()
    bones = {arguments[0] for address, arguments in received if address == "/VMC/Ext/Bone/Pos"}
    assert len(bones) == 22
    heads = [address for address, _ in trackers if address == "/tracking/trackers/head/position"]
    assert len(heads) >= 35
    assert {thread.name for thread in threading.enumerate()} <= before


def test_mistakes_are_refused_before_anything_starts(tmp_path: Path) -> None:
    damaged = tmp_path / "a.vrm"
    damaged.write_bytes(b"not a model")
    with pytest.raises(OutputError, match="cannot find the host"):
        NetworkOutputs(LiveConfig(vmc="no-such-host.invalid"))
    with pytest.raises(OutputError, match="cannot find the host"):
        NetworkOutputs(LiveConfig(vrchat=("127.0.0.1", "no-such-host.invalid")))
    with pytest.raises(OutputError, match=r"--vmc 127\.0\.0\.1:39539 is given twice"):
        NetworkOutputs(LiveConfig(vmc=("127.0.0.1", "127.0.0.1:39539")))
    with pytest.raises(OutputError, match=r"a\.vrm: is not a usable VRM avatar"):
        NetworkOutputs(LiveConfig(vmc="127.0.0.1", vmc_avatar=damaged))
    with pytest.raises(OutputError, match="no such address, leave --web-host out"):
        NetworkOutputs(LiveConfig(web=free_port(), web_host="192.0.2.1"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            OutputError, match=f"cannot listen on 127.0.0.1:{port}.*end the program"
        ):
            NetworkOutputs(LiveConfig(web=port))
