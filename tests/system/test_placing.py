"""Covers files put in place: whole or not at all, never onto a file that may not be replaced."""

import os
import sys
from pathlib import Path
from typing import IO

import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import check_output_path
from realtime_vibe.system.placing import create_beside, move_beside, try_lock, write_atomically

pytestmark = pytest.mark.fault


def _write(path: Path, content: bytes, *, overwrite: bool) -> Path:
    return write_atomically(path, lambda file: file.write(content), overwrite=overwrite)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("bad row")])
def test_the_old_file_stays_when_writing_fails(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "o.json"
    path.write_bytes(b"old")

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise error

    with pytest.raises((OutputError, ValueError), match=r"No space left|bad row"):
        write_atomically(path, fail, overwrite=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_was_taken_meanwhile_is_left_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    has_links: bool,
) -> None:
    if not has_links:

        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.link", refuse)  # as FAT does
    path = tmp_path / "o.bvh"
    assert _write(path, b"one", overwrite=False) == path
    assert _write(path, b"two", overwrite=False) == tmp_path / "o-2.bvh"
    assert "o-2.bvh" in caplog.text
    assert _write(path, b"three", overwrite=False) == tmp_path / "o-3.bvh"
    assert _write(path, b"four", overwrite=True) == path
    contents = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert contents == {"o.bvh": b"four", "o-2.bvh": b"two", "o-3.bvh": b"three"}


def test_a_file_that_is_written_under_its_own_name_is_one_runs_alone(tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    name, file = create_beside(path, overwrite=False)
    other, other_file = create_beside(path, overwrite=False)
    assert (name.name, other.name) == ("o.mkv", "o-2.mkv")
    if sys.platform != "win32":
        with pytest.raises(OutputError, match="another run"):
            create_beside(path, overwrite=True)
    file.close()
    for is_link in (False, True):
        if is_link:
            path.unlink()
            path.symlink_to("gone")
        again, file = create_beside(path, overwrite=True)
        assert again == path
        file.close()
    other_file.close()


def test_what_is_moved_aside_replaces_nothing(tmp_path: Path) -> None:
    part = tmp_path / "o.part"
    for number in (1, 2):
        part.write_text(str(number))
        assert move_beside(part).name == f"o.part.{number}"


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed there")
@pytest.mark.timeout(10)
def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left, used, pipe, link = (
        tmp_path / f".realtime-vibe-{number}-0123abcd.tmp" for number in range(4)
    )
    foreign = (tmp_path / ".other.tmp", tmp_path / ".realtime-vibe-notes.tmp")
    for file in (left, used, *foreign):
        file.write_bytes(b"half")
    os.mkfifo(pipe)
    link.symlink_to(foreign[0])
    with used.open("rb") as file:
        assert try_lock(file)
        check_output_path(tmp_path / "o.npz", overwrite=False, suffixes=(".npz",))
        assert sorted(tmp_path.iterdir()) == sorted([used, pipe, link, *foreign])
