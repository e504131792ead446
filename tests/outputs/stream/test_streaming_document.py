"""Covers docs/streaming.md: its bones, its ports, and its example, run against a stream."""

import re
import threading
from pathlib import Path

from realtime_vibe.outputs.stream.address import VMC_PORT, VRCHAT_PORT, WEB_PORT, Address
from realtime_vibe.outputs.stream.humanoid import BONES
from realtime_vibe.outputs.stream.websocket_frames import HEAD, PERSON_HEAD
from realtime_vibe.outputs.stream.websocket_stream import WebStream
from tests.outputs.stream.posed_body import default_body, random_result
from tests.outputs.stream.test_websocket_stream import free_port

DOCUMENT = (Path(__file__).parents[3] / "docs" / "streaming.md").read_text(encoding="utf-8")


def test_bones_and_ports_are_those_in_use() -> None:
    listed = DOCUMENT.split("Bones, joint 0 to 21 of SMPL: ")[1].split(".")[0]
    assert tuple(re.split(r",\s+", listed)) == BONES
    for option, port in (("vmc", VMC_PORT), ("vrchat", VRCHAT_PORT), ("web", WEB_PORT)):
        assert re.search(rf"^\| `--{option}` \|.*\| {port} \|", DOCUMENT, re.MULTILINE)
    assert f"| {HEAD.size} | | people" in DOCUMENT


def test_the_example_reads_the_stream(capsys) -> None:
    code = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert code is not None
    result = random_result(3)
    with WebStream(
        Address(host="127.0.0.1", port=free_port()), default_body().model.faces
    ).start() as server:
        server.write(result)
        url = server.url.replace("http:", "ws:") + "stream"
        example = code[1].replace("ws://127.0.0.1:8765/stream", url)
        ender = threading.Timer(0.7, server.close)
        ender.start()
        exec(compile(example, "streaming.md", "exec"), {})
        ender.join()
    line = capsys.readouterr().out.splitlines()[0]
    x, y, z = result.people[0].mesh.joints[20]
    wrist = [float(number) for number in re.findall(r"-?\d+\.\d*", line)[:3]]
    assert line.startswith("3 left wrist")
    assert abs(wrist[0] - x) + abs(wrist[1] - z) + abs(wrist[2] + y) < 0.003
    assert HEAD.size + PERSON_HEAD.size == 96
