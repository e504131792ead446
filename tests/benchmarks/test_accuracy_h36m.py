"""Human3.6M's test subjects, written in the owner's layout, scored by the command line."""

import cdflib.cdfwrite
import numpy as np
import pytest

from benchmarks.accuracy import main
from benchmarks.accuracy_h36m import find_h36m_clips
from benchmarks.accuracy_joints import choose_joint_set
from realtime_vibe.sources.video_file import demo_clip_path

NAME = "Walking 1.60457274"
LEFT_HIP_ROW = 6
"""Of the 32 joints of a file."""


def _write_poses(path, pose):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    file = cdflib.cdfwrite.CDF(str(path))
    variable = {
        "Variable": "Pose", "Data_Type": cdflib.cdfwrite.CDF.CDF_FLOAT, "Num_Elements": 1,
        "Rec_Vary": True, "Dim_Sizes": list(pose.shape[1:]),
    }  # fmt: skip
    file.write_var(variable, var_data=pose.astype(np.float32))
    file.close()


@pytest.fixture
def folder(tmp_path):
    """The demo clip as one walk of S9: its joints are a guess, all in one row at 3 m."""
    videos = tmp_path / "S9" / "Videos"
    videos.mkdir(parents=True)
    (videos / f"{NAME}.mp4").symlink_to(demo_clip_path())
    joints = np.zeros((1, 8, 32, 3))
    joints[..., 0] = np.arange(32) * 30.0
    joints[..., 2] = 3000.0
    _write_poses(
        tmp_path / f"S9/MyPoseFeatures/D3_Positions_mono/{NAME}.cdf", joints.reshape(1, 8, 96)
    )
    return tmp_path


def test_every_video_is_a_clip_with_the_papers_joints(folder, capsys):
    (clip,) = find_h36m_clips(folder)
    assert (clip.name, clip.truth.fps) == (f"S9 {NAME}", 50.0)
    hip = clip.truth.joints[3, clip.truth.names.index("left_hip")]
    np.testing.assert_allclose(hip, [0.03 * LEFT_HIP_ROW, 0, 3], atol=1e-6)
    assert len(choose_joint_set("lsp14", clip.truth.names).joints) == 14
    assert main([str(folder), "--dataset", "h36m", "--joints", "lsp14"]) == 0
    table = capsys.readouterr().out
    assert "Walking" in table
    assert "at 25 fps" in table


def test_what_is_wrong_is_named_in_one_line(folder, tmp_path, capsys):
    poses = folder / f"S9/MyPoseFeatures/D3_Positions_mono/{NAME}.cdf"

    def refused():
        assert main([str(folder), "--dataset", "h36m", "--joints", "lsp14"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    whole = poses.read_bytes()
    for damaged in (b"", whole[:400], b"no CDF" * 100):
        poses.write_bytes(damaged)
        assert poses.name in refused()
    _write_poses(poses, np.zeros((1, 8, 51)))
    assert "expected (1, frames, 96)" in refused()
    poses.write_bytes(whole)
    (folder / "S9" / "Videos" / f"{NAME}.mp4").unlink()
    assert "its video is missing" in refused()
    poses.unlink()
    assert "expected Human3.6M's poses" in refused()
