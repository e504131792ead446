"""Covers the checks before a run writes anything."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from realtime_vibe.errors import OutputError
from realtime_vibe.outputs.base import check_inputs_stay, check_output_path

NPZ = (".npz",)


def test_a_new_name_in_a_writable_folder_is_fine(tmp_path: Path) -> None:
    check_output_path(tmp_path / "o.NPZ", overwrite=False, suffixes=NPZ)
    assert list(tmp_path.iterdir()) == []


def test_wrong_ending_names_the_right_ones(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.mkv or \.avi"):
        check_output_path(tmp_path / "o.npz", overwrite=False, suffixes=(".mkv", ".avi"))


def test_an_existing_file_needs_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "o.npz"
    path.write_bytes(b"old")
    dangling = tmp_path / "link.npz"
    dangling.symlink_to("gone")
    for taken in (path, dangling):
        with pytest.raises(OutputError, match="--overwrite"):
            check_output_path(taken, overwrite=False, suffixes=NPZ)
        check_output_path(taken, overwrite=True, suffixes=NPZ)
    assert path.read_bytes() == b"old"
    assert dangling.is_symlink()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "o.npz").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_output_path(tmp_path / "o.npz", overwrite=True, suffixes=NPZ)


def test_names_that_would_fail_at_the_end(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, message in [
        ("x" * 239 + ".npz", "too long"),
        ("x" * 300 + ".npz", "too long"),
        ("\udcff.npz", "UTF-8"),
        ("\0.npz", "null"),
    ]:
        with subtests.test(name=name, message=message):
            with pytest.raises(OutputError, match=message):
                check_output_path(tmp_path / name, overwrite=False, suffixes=NPZ)
            check_output_path(tmp_path / ("ü" * 100 + ".npz"), overwrite=False, suffixes=NPZ)
            assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        check_output_path(tmp_path / "gone" / "o.npz", overwrite=False, suffixes=NPZ)


def test_a_folder_nobody_can_write_is_found_before_starting() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a folder that even root cannot write to")
    with pytest.raises(OutputError, match="cannot be written"):
        check_output_path(Path("/proc/self/o.npz"), overwrite=False, suffixes=NPZ)


def test_outputs_do_not_become_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films").mkdir()
    Path("films/a.mp4").touch()
    for source, output, is_read in (
        ("films", "films/new.png", True),
        ("films", "films/o.npz", False),
        ("films/*.png", "films/new.png", True),
        ("films/?.png", "films/new.png", False),
        ("films/*.png", "films/below/new.png", False),
        ("films/**/*.png", "films/below/new.png", True),
        ("films/**/*.png", "films/new.png", True),
        ("films/a.mp4", "films/../films/a.mp4", True),
        ("0", "films/0.png", False),
        ("http://camera/?*.png", "new.png", False),
    ):
        refused = pytest.raises(OutputError, match="is the input or would be")
        with subtests.test(source=source, output=output), refused if is_read else nullcontext():
            check_inputs_stay([Path(output)], [source])
