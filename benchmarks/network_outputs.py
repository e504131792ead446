"""What the live outputs cost, and how late and how complete their receivers get the motion.

    python -m benchmarks.network_outputs             # 30 frames a second, as from a camera
    python -m benchmarks.network_outputs --rate 0    # as fast as frames can be processed
    python -m benchmarks.network_outputs --only vmc  # without the others

VMC, VRChat's trackers and the stream that the browser page asks for run together; receivers are processes of
their own on this computer. Frames with and without the outputs take turns, 25 by 25, so that the
other load affects both alike.

received     datagram frames that arrived, of those handed to the sender
added        from the result being ready to the last byte at the receiver; `bare` sends a dozen bytes the
             same way, alone, right after: what this machine takes by itself
step         track to mesh and the hand-over to the outputs, with and without them
processor    time of this process that the outputs of one frame take, all threads: a busy machine
             hardly changes it
encode       making the bytes of a frame, alone
"""

import argparse
import json
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.command_line import command_parser, guarded, keep
from benchmarks.other_work import warn_if_busy
from benchmarks.paced_clip import MEDIA_RATE_HZ, add_clip_options, opened_clip
from benchmarks.results import Collected, Labels
from realtime_vibe.app.run import BuiltPipeline
from realtime_vibe.outputs.base import ResultSink
from realtime_vibe.outputs.stream.address import Address
from realtime_vibe.outputs.stream.avatar_sink import DatagramSender
from realtime_vibe.outputs.stream.newest_sender import NewestSender
from realtime_vibe.outputs.stream.osc import OscMessage, bundles
from realtime_vibe.outputs.stream.vmc import VmcSink
from realtime_vibe.outputs.stream.vrchat_osc import VrchatSink
from realtime_vibe.outputs.stream.websocket_frames import Subscription, encode
from realtime_vibe.outputs.stream.websocket_stream import WebStream
from realtime_vibe.packets import Frame, FrameResult
from realtime_vibe.system.closing import ClosedByWith

NAME = "network_outputs"
KINDS = ("vmc", "vrchat", "web")
WARMUP_FRAMES = 50
BLOCK = 25


class Receiver(ClosedByWith):
    """Another process that writes down when which frame arrived.

    Args:
        kind: `udp` or `web`.
    """

    def __init__(self, kind: str, target: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.network_outputs", kind, target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it listens

    def arrivals(self) -> dict[int, float]:
        """`perf_counter` [s], which all processes of a computer share on Linux, by frame index."""
        time.sleep(0.3)
        written, _ = self._process.communicate("end\n", timeout=20)
        return {int(index): float(at_s) for index, at_s in json.loads(written)}

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()


def receive_udp(port: str) -> list[tuple[int, float]]:
    """Frames by the time stamp at the end of each last datagram, until stdin says so."""
    arrivals = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", int(port)))
        receiver.settimeout(0.1)
        print("ready", flush=True)
        while not _is_over():
            try:
                datagram = receiver.recv(2048)
            except TimeoutError:
                continue
            if b"/VMC/Ext/T\0" in datagram:
                (media_s,) = struct.unpack(">f", datagram[-4:])
                arrivals.append((round(media_s * MEDIA_RATE_HZ), time.perf_counter()))
    return arrivals


def receive_web(url: str) -> list[tuple[int, float]]:
    """Frames of the stream, until stdin says so."""
    from websockets.sync.client import connect

    arrivals = []
    with connect(url, proxy=None, max_size=None) as client:
        client.recv()
        print("ready", flush=True)
        while not _is_over():
            try:
                frame = client.recv(timeout=0.1)
            except TimeoutError:
                continue
            assert isinstance(frame, bytes)
            (index,) = struct.unpack_from("<Q", frame, 16)
            arrivals.append((index, time.perf_counter()))
    return arrivals


def _is_over() -> bool:
    import select

    return bool(select.select([sys.stdin], [], [], 0)[0])


@dataclass(slots=True)
class Times:
    """What was measured; warm-up left out."""

    step_ms: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    """By whether the outputs were on."""
    ready_at_s: dict[int, float] = field(default_factory=dict)
    """When each result was handed to the outputs, by frame index."""

    def latencies_ms(self, arrivals: dict[int, float]) -> list[float]:
        """From ready to received."""
        return [
            (at_s - self.ready_at_s[index]) * 1e3
            for index, at_s in sorted(arrivals.items())
            if index in self.ready_at_s
        ]


def bare_ms(result: FrameResult, count: int = 300) -> list[float]:
    """Latency of a thread that sends ready-made bytes [ms]."""
    port = _free_port()
    datagrams = DatagramSender(Address(host="127.0.0.1", port=port))
    media_time = OscMessage("/VMC/Ext/T", (), "f")

    def send(sent: FrameResult) -> None:
        media_time.set(sent.frame.index / MEDIA_RATE_HZ)
        datagrams.send(bundles([media_time]))

    ready_at_s: dict[int, float] = {}
    with Receiver("udp", str(port)) as receiver:
        with NewestSender("bare", send, datagrams.close).start() as sender:
            for index in range(count):
                numbered = replace(result, frame=replace(result.frame, index=index))
                ready_at_s[index] = time.perf_counter()
                sender.write(numbered)
                time.sleep(0.02)
        arrivals = receiver.arrivals()
    return [(at_s - ready_at_s[index]) * 1e3 for index, at_s in sorted(arrivals.items())]


class Outputs(ClosedByWith):
    """Network outputs, with a receiver each.

    Args:
        names: some of `KINDS`.
    """

    def __init__(self, built: BuiltPipeline, names: Sequence[str]) -> None:
        self._stack = ExitStack()
        self._sinks: list[ResultSink] = []
        self.receivers: dict[str, Receiver] = {}
        here = {name: Address(host="127.0.0.1", port=_free_port()) for name in names}
        if "vmc" in here:
            receiver = Receiver("udp", str(here["vmc"].port))
            self.receivers["vmc"] = self._stack.enter_context(receiver)
            self._add(VmcSink(here["vmc"]).start())
        if "vrchat" in here:
            self._add(VrchatSink(here["vrchat"]).start())
        if "web" in here:
            self._add(WebStream(here["web"], built.faces).start())
            receiver = Receiver(
                "web", f"ws://{here['web']}/stream?rotations=0&rate=60&vertices=float16"
            )
            self.receivers["web"] = self._stack.enter_context(receiver)

    def _add(self, sink: ResultSink) -> None:
        self._sinks.append(sink)
        self._stack.callback(sink.close)

    def write(self, result: FrameResult) -> None:
        """Hands a result to all."""
        for sink in self._sinks:
            sink.write(result)

    def close(self) -> None:
        """Ends outputs and receivers."""
        self._stack.close()


def measure(
    built: BuiltPipeline, outputs: Outputs, frames: list[Frame], rate_hz: float
) -> tuple[Times, FrameResult]:
    """Runs the pipeline over `frames`, every other block with outputs.

    Returns:
        The times and the last result.
    """
    times = Times()
    started_s = time.perf_counter()
    for frame in frames:
        if rate_hz:
            time.sleep(max(0.0, started_s + frame.index / rate_hz - time.perf_counter()))
        is_on = (frame.index // BLOCK) % 2 == 1
        before_s = time.perf_counter()
        result = built.pipeline.step(frame)
        if is_on:
            if frame.index >= WARMUP_FRAMES:
                times.ready_at_s[frame.index] = time.perf_counter()
            outputs.write(result)
        spent_ms = (time.perf_counter() - before_s) * 1e3
        if frame.index >= WARMUP_FRAMES:
            times.step_ms[is_on].append(spent_ms)
    return times, result


def processor_ms(outputs: Outputs, result: FrameResult, repeats: int = 100) -> list[float]:
    """Processor time of handing over, encoding and sending one frame, mean of ten, many times."""
    found = []
    index = result.frame.index
    for _ in range(repeats // 10):
        before_s = time.process_time()
        for _ in range(10):
            index += 1
            outputs.write(replace(result, frame=replace(result.frame, index=index)))
            time.sleep(0.02)
        found.append((time.process_time() - before_s) * 1e3 / 10)
    return found


def encode_ms(result: FrameResult, repeats: int = 300) -> dict[str, list[float]]:
    """Time to make the bytes of one frame, by form."""
    vmc = VmcSink(Address(host="127.0.0.1", port=9))
    forms: dict[str, Any] = {
        "vmc": lambda: vmc.datagrams(result),
        "web joints": lambda: encode(result, Subscription()),
        "web mesh": lambda: encode(result, Subscription(vertices="float16")),
        "web json": lambda: encode(result, Subscription(format="json")),
    }
    found: dict[str, list[float]] = {}
    for name, form in forms.items():
        samples = []
        for _ in range(repeats):
            before_s = time.perf_counter()
            form()
            samples.append((time.perf_counter() - before_s) * 1e3)
        found[name] = samples[10:]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0, or 2 after an error that the user can fix."""
    parser = command_parser(NAME, __doc__)
    add_clip_options(parser)
    parser.add_argument(
        "--only", choices=KINDS, action="append", help="one output; may be repeated (all)"
    )
    options = parser.parse_args(arguments)
    return guarded(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    warn_if_busy()
    built, frames = opened_clip(options)
    with Outputs(built, options.only or KINDS) as outputs:
        # Receivers count time from the first frame they are sent.
        outputs.write(built.pipeline.step(frames[0]))
        built.pipeline.reset()
        times, last = measure(built, outputs, frames, options.rate)
        spent_ms = processor_ms(outputs, last)
        arrivals = {name: one.arrivals() for name, one in outputs.receivers.items()}
    built.pipeline.close()
    collected = Collected(NAME)
    labels = Labels(engine=built.engine, backend=built.backend, precision=built.precision)
    pace = f"{options.rate:g} fps" if options.rate else "as fast as possible"
    pace += f", {' and '.join(options.only)} alone" if options.only else ""
    print(f"{built.engine}, {built.backend}, {pace}, {len(times.ready_at_s)} frames sent\n")
    for name, at_s in arrivals.items():
        latencies_ms = times.latencies_ms(at_s)
        share = len(latencies_ms) / len(times.ready_at_s)
        print(f"{name:<12} received {share:7.1%}   added {_spread(latencies_ms)}")
        collected.add(f"{name}, {pace}", latencies_ms, labels, metric="added")
        collected.add(f"{name}, {pace}", [share], labels, metric="received", unit="share")
    latencies_ms = bare_ms(last)
    print(f"{'bare':<27} added {_spread(latencies_ms)}")
    collected.add(f"bare, {pace}", latencies_ms, labels, metric="added")
    on_ms, off_ms = (statistics.median(times.step_ms[is_on]) for is_on in (True, False))
    for is_on, word in ((False, "without"), (True, "with")):
        print(f"step {word:<7} {_spread(times.step_ms[is_on])}")
        collected.add(f"step {word} outputs, {pace}", times.step_ms[is_on], labels)
    print(f"the outputs cost the step {on_ms / off_ms - 1:+.1%} (at most 10%)")
    print(f"processor time of the outputs {statistics.median(spent_ms):.2f} ms a frame")
    collected.add("processor", spent_ms, labels)
    for name, samples_ms in encode_ms(last).items():
        print(f"encode {name:<12} {_spread(samples_ms)}")
        collected.add(f"encode {name}", samples_ms, labels)
    keep(collected, options.json)


def _spread(samples_ms: list[float]) -> str:
    if len(samples_ms) < 2:
        return "nothing"
    cuts = statistics.quantiles(samples_ms, n=20)
    return f"p50 {cuts[9]:.3f} ms   p95 {cuts[18]:.3f} ms"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    kinds = {"udp": receive_udp, "web": receive_web}
    if len(sys.argv) == 3 and sys.argv[1] in kinds:
        print(json.dumps(kinds[sys.argv[1]](sys.argv[2])))
    else:
        raise SystemExit(main())
