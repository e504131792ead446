"""Standard streams that nobody reads, that are not there, or that know few characters."""

import io
import subprocess
import sys

import pytest

from realtime_vibe.system.standard_streams import LenientStream

pytestmark = pytest.mark.fault


class _PipeWithoutReader(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self):
        raise BrokenPipeError(32, "Broken pipe")


def _closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("make", [_PipeWithoutReader, _closed, lambda: None])
def test_nothing_that_is_written_raises(make):
    stream = LenientStream(make())
    for _ in range(2):
        print("text", file=stream)
        stream.flush()
    assert stream.isatty() is False
    assert stream.encoding


def test_characters_a_terminal_lacks_are_spelled_out():
    raw = io.BytesIO()
    stream = LenientStream(io.TextIOWrapper(raw, encoding="ascii"))
    print("J\u00fcrgen", file=stream)
    stream.flush()
    assert raw.getvalue().strip() == rb"J\xfcrgen"


def test_libraries_write_nowhere_and_a_closed_stderr_is_no_file(tmp_path):
    """One process without stderr, in which the next file would get its number."""
    code = """
import os, sys, warnings
from realtime_vibe.system.standard_streams import make_lenient, silence_libraries
make_lenient()
silence_libraries()
with open(sys.argv[1], "w") as kept:
    os.write(2, b"libpng warning")
    warnings.warn("overflow encountered in cast")
    print("ours", file=sys.stderr)
    kept.write("row")
"""
    kept = tmp_path / "kept"
    command = [sys.executable, "-c", code, str(kept)]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=True, timeout=60)
    assert done.stderr == b"ours\n"
    assert kept.read_text() == "row"
    subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *command], check=True, timeout=60)
    assert kept.read_text() == "row"
