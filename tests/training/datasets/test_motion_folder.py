"""Folders of motion: all layouts at any depth, bad files named or skipped and counted, the command."""

import logging
import re

import numpy as np
import pytest

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.__main__ import main
from realtime_vibe.training.datasets.motion_folder import (
    load_motion_file,
    load_motion_folder,
    mean_up,
    source_of,
)


@pytest.fixture
def tree(tmp_path, write_smplh, write_smplx, write_bvh):
    """Two AMASS subsets with their side files, and a BVH file."""
    write_smplh(tmp_path / "ACCAD" / "s1" / "walk_poses.npz")
    np.savez(tmp_path / "ACCAD" / "s1" / "shape.npz", betas=np.zeros(16), gender=np.array("male"))
    write_smplx(tmp_path / "SFU" / "0005" / "jump_stageii.npz", rate=60.0)
    np.savez(tmp_path / "SFU" / "0005" / "male_stagei.npz", betas=np.zeros(16))
    write_bvh(tmp_path / "cmu" / "13" / "13_11.BVH")
    write_smplh(tmp_path / "ACCAD" / "s1" / "blink_poses.npz", frames=20)
    (tmp_path / "LICENSE.txt").write_text("free")
    return tmp_path


def _break(tree):
    bad = [tree / "ACCAD" / "s1" / "cut_poses.npz", tree / "cmu" / "13" / "odd.bvh"]
    bad[0].write_bytes((tree / "ACCAD" / "s1" / "walk_poses.npz").read_bytes()[:5000])
    bad[1].write_text("HIERARCHY\nnonsense\n")
    return bad


def test_all_layouts_are_found_at_any_depth(tree):
    found = load_motion_folder(tree)
    assert [clip.name for clip in found.clips] == ["walk_poses", "jump_stageii", "13_11"]
    assert [path.name for path in found.side_files] == ["shape.npz", "male_stagei.npz"]
    assert [path.name for path in found.too_short] == ["blink_poses.npz"]
    assert found.skipped == ()
    assert found.minutes == pytest.approx((1.0 + 2.0 + 53 / 120) / 60, abs=0.05 / 60)


def test_the_first_bad_file_ends_the_job(tree):
    _break(tree)
    with pytest.raises(DatasetError, match=r"cut_poses\.npz: cannot be read"):
        load_motion_folder(tree)


def test_bad_files_are_skipped_counted_and_logged(tree, caplog):
    bad = _break(tree)
    with caplog.at_level(logging.WARNING):
        found = load_motion_folder(tree, skip_bad=True)
    assert [reason.partition(": ")[0] for reason in found.skipped] == [str(path) for path in bad]
    assert all(str(path) in caplog.text for path in bad)
    assert "skipped 2 of 6 files" in caplog.text
    assert len(found.clips) == 3


def test_a_source_is_a_subject_a_folder_or_the_beginning_of_a_name(tmp_path, subtests):
    for name, source in [
        ("13_11.bvh", "13"),
        ("cmu/13/13_11.bvh", "13"),
        ("ACCAD/s1/walk_poses.npz", "ACCAD/s1"),
        ("cmu_13_38_part1.npz", "cmu_13"),
        ("syn_sit_004.npz", "syn_sit"),
        ("dm_crawl.npz", "dm"),
    ]:
        with subtests.test(source=source, name=name):
            assert source_of(tmp_path / name, tmp_path) == source


def test_a_folder_without_motion_is_said(tmp_path, write_smplh):
    with pytest.raises(DatasetError, match=r"no motion clips in .*: 0 \.npz and \.bvh files"):
        load_motion_folder(tmp_path)
    (tmp_path / "bad.npz").write_bytes(b"")
    write_smplh(tmp_path / "short.npz", frames=10)
    with pytest.raises(DatasetError, match=r"2 \.npz and \.bvh files, 1 of them bad, 1 shorter"):
        load_motion_folder(tmp_path, skip_bad=True)
    with pytest.raises(DatasetError, match="no folder"):
        load_motion_folder(tmp_path / "none")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"walk\.fbx: a '\.fbx' file, expected \.npz"):
        load_motion_file(tmp_path / "walk.fbx")


def test_a_world_with_y_up_is_noticed_and_can_be_turned(tmp_path, write_smplh, caplog):
    poses = np.zeros((120, 156))
    write_smplh(tmp_path / "a.npz", poses=poses)
    with caplog.at_level(logging.WARNING):
        found = load_motion_folder(tmp_path)
    np.testing.assert_allclose(mean_up(found.clips), [0, 1, 0], atol=1e-5)
    assert "--up y" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        turned = load_motion_folder(tmp_path, up_axis="y")
    np.testing.assert_allclose(mean_up(turned.clips), [0, 0, 1], atol=1e-5)
    assert caplog.text == ""


def test_the_command_reports_what_it_found(tree, capsys):
    assert main([str(tree)]) == 0
    out, err = capsys.readouterr()
    assert "clips       3, 0.1 min" in out
    assert "1 at 60, 2 at 120" in out
    assert "2 female, 1 neutral; 2 with a shape" in out
    assert "side files  2" in out
    assert "skipped     0" in out
    assert re.search(r"ACCAD/s1 +0\.0( +\d+){4}", out)
    # Of the random figure of the BVH file, whose limbs are bent all the time or left alone.
    assert all("nobody straightens" in line for line in err.splitlines())


def test_the_command_ends_with_one_line_and_two(tree, capsys):
    bad = _break(tree)
    assert main([str(tree)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert str(bad[0]) in err
    assert main([str(tree), "--skip-bad"]) == 0
    out, _ = capsys.readouterr()
    assert "skipped     2" in out
    assert all(str(path) in out for path in bad)


def test_the_shared_motion_stands_and_is_whole(shared_data):
    found = load_motion_folder(shared_data / "motion")
    assert len(found.clips) == 429
    assert found.minutes == pytest.approx(58.8, abs=0.1)
    assert mean_up(found.clips)[2] > 0.8
