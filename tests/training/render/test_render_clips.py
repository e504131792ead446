"""Rendered test clips: readable by the accuracy benchmark, truth in the file is that in the video."""

import cv2
import numpy as np
import pytest

from benchmarks.accuracy_clips import find_clips
from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.training.render import render_clips

pytest.importorskip("open3d", reason="Open3D casts the rays")


def words_of(motion_folder, out, *more):
    body = engine_folder("blazepose-gru") / "body.npz"
    return [
        "--motion", str(motion_folder), "--out", str(out), "--body", str(body),
        "--clips", "2", "--frames", "4", *more,
    ]  # fmt: skip


def test_clips_are_what_the_benchmark_reads(motion_folder, tmp_path, body_model):
    out = tmp_path / "clips"
    assert render_clips.main(words_of(motion_folder, out)) == 0
    clips = find_clips(out)
    # Both are of the test part; the other two clips of the folder are not.
    assert sorted(clip.name[3:] for clip in clips) == ["cmu_14_04", "m2m_base_Idle_Loop"]
    body = SmplBody(body_model)
    for clip in clips:
        frames = list(clip.open_frames())
        assert len(frames) == clip.truth.num_frames == 4
        assert frames[0].image_bgr.shape == (480, 640, 3)
        assert clip.truth.fps == 30.0
        pose = clip.truth.pose
        with (out / clip.name / "truth.npz").open("rb") as file, np.load(file) as archive:
            transl = archive["transl"]
        for row in range(4):
            mesh = body.forward(
                rotmat_from_axis_angle(pose.global_orient[row].astype(np.float32)),
                rotmat_from_axis_angle(pose.body_pose[row].reshape(23, 3).astype(np.float32)),
                pose.betas.astype(np.float32),
                transl[row],
            )
            np.testing.assert_allclose(mesh.joints, clip.truth.joints[row], atol=1e-4)


def test_clips_there_are_left_alone_and_rests_are_cleared(motion_folder, tmp_path):
    out = tmp_path / "clips"
    assert render_clips.main(words_of(motion_folder, out)) == 0
    first, second = sorted(path for path in out.iterdir())
    before = (first / "truth.npz").read_bytes(), (second / "truth.npz").read_bytes()
    (first / "truth.npz").write_bytes(b"kept")
    rest = second.with_name(f"{second.name}.part")
    second.rename(rest)
    (rest / "video.mp4").write_bytes(b"half")
    assert render_clips.main(words_of(motion_folder, out)) == 0
    assert sorted(path.name for path in out.iterdir()) == [first.name, second.name]
    assert (first / "truth.npz").read_bytes() == b"kept"
    with np.load(second / "truth.npz") as again:
        assert again["joints_camera"].shape == (4, 24, 3)
    assert (second / "truth.npz").read_bytes() == before[1]
    capture = cv2.VideoCapture(str(second / "video.mp4"))
    assert capture.isOpened()
    capture.release()


def test_mistakes_are_one_line(motion_folder, tmp_path, caplog, subtests):
    for more, message in [
        (["--clips", "0"], "--clips 0, expected at least 1"),
        (["--frames", "1"], "--frames 1, expected at least 2"),
        (["--kind", "walking"], "has a name that says walking"),
        (["--body", "absent.npz"], "absent.npz: cannot be read"),
    ]:
        with subtests.test(message=message, more=more):
            assert render_clips.main(words_of(motion_folder, tmp_path / "clips", *more)) == 2
            assert message in caplog.records[-1].getMessage()
            assert "\n" not in caplog.records[-1].getMessage()
