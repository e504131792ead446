"""Checkpoints: complete or absent, and refused with a reason."""

import errno
import os

import pytest
import torch

from realtime_vibe.errors import ConfigError, DatasetError, OutputError
from realtime_vibe.training.checkpoint import (
    CHECKPOINT_NAME,
    check_same_settings,
    read_checkpoint,
    write_checkpoint,
)

CONTENT = {
    "settings": {"steps": 5},
    "step": 3,
    "elapsed_s": 1.5,
    "ranks": [{"rng": {"state": 2**127 + 1}, "torch": torch.get_rng_state()}],
}


def test_what_is_written_is_read(tmp_path):
    write_checkpoint(tmp_path, CONTENT)
    content = read_checkpoint(tmp_path)
    assert content["ranks"][0]["rng"] == {"state": 2**127 + 1}
    assert torch.equal(content["ranks"][0]["torch"], CONTENT["ranks"][0]["torch"])
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]


def test_a_full_disk_is_named_and_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_checkpoint(tmp_path, CONTENT)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=rf"{CHECKPOINT_NAME}: .*No space left"):
        write_checkpoint(tmp_path, CONTENT | {"step": 4})
    assert read_checkpoint(tmp_path)["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]


def test_nothing_to_go_on_with(tmp_path):
    with pytest.raises(DatasetError, match="leave --resume out"):
        read_checkpoint(tmp_path)


def test_damage_is_named(tmp_path):
    write_checkpoint(tmp_path, CONTENT)
    path = tmp_path / CHECKPOINT_NAME
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DatasetError, match="cannot be read"):
        read_checkpoint(tmp_path)


def test_another_layout_or_version_is_refused(tmp_path):
    torch.save({"weights": 1}, tmp_path / CHECKPOINT_NAME)
    with pytest.raises(DatasetError, match="expected a checkpoint with"):
        read_checkpoint(tmp_path)
    torch.save(CONTENT | {"format_version": 99}, tmp_path / CHECKPOINT_NAME)
    with pytest.raises(DatasetError, match="version 99"):
        read_checkpoint(tmp_path)


def test_other_settings_are_named():
    check_same_settings({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2}})
    with pytest.raises(ConfigError, match=r"b was \{'c': 2\}, is \{'c': 3\}"):
        check_same_settings({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}})
