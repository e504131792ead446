"""A screen for machines without one: Xvfb, started and ended by whoever needs it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from realtime_vibe.errors import OutputError

SIZE = (1600, 1000)
_END_S = 10.0


def has_screen(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether an X server, or on other systems the desktop, is there to open windows on."""
    return bool(environment.get("DISPLAY")) or os.name == "nt" or os.uname().sysname == "Darwin"


@contextmanager
def virtual_screen(size: tuple[int, int] = SIZE) -> Iterator[dict[str, str]]:
    """Runs Xvfb inside the `with` block.

    Args:
        size: width and height [px].

    Yields:
        The environment for processes that shall use it.

    Raises:
        OutputError: Xvfb is not installed or does not start.
    """
    program = shutil.which("Xvfb")
    if program is None:
        raise OutputError(
            "no display, and no Xvfb to make one: log in to a desktop, or apt-get install xvfb"
        )
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        [
            program,
            "-noreset",
            "-displayfd",
            str(write_end),
            "-screen",
            "0",
            f"{size[0]}x{size[1]}x24",
        ],
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise OutputError(f"Xvfb ended with status {server.wait(_END_S)} before it was ready")
        environment = {**os.environ, "DISPLAY": f":{number}"}
        # Else Open3D and Qt may prefer the desktop's own screen.
        environment.pop("WAYLAND_DISPLAY", None)
        yield environment
    finally:
        server.terminate()
        server.wait(_END_S)
