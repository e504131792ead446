"""The error of the vertical on a captured person who stands; the files of each kind."""

import json

import numpy as np
import pytest

from benchmarks.leveling import MOST, SECONDS, TILT_DEG, errors_deg, kinds
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.training.datasets.clip import MotionClip


def test_a_tilt_is_found_from_the_start_and_after_the_camera_moved(body_model):
    quats = np.tile(np.eye(1, 4, dtype=np.float32), (30, 24, 1))
    quats[:, 0] = [np.sqrt(0.5), np.sqrt(0.5), 0, 0]  # upright where z is up
    clip = MotionClip(name="stands", quats=quats, trans=np.tile([5.0, 5.0, 0.9], (30, 1)))
    tilt = rotmat_from_axis_angle(np.deg2rad([TILT_DEG[0], 0, 0]).astype(np.float32))
    level = np.eye(3, dtype=np.float32)
    body = SmplBody(body_model)
    for cameras in ([tilt], [level, tilt]):
        errors = errors_deg(clip, body, cameras)
        assert list(errors) == list(SECONDS)
        assert errors[SECONDS[-1]] < 4.0
    assert errors[SECONDS[0]] == pytest.approx(TILT_DEG[0], abs=2.0)  # not noticed yet
    assert errors_deg(clip, body, [level])[SECONDS[-1]] < 0.5


def test_files_are_sorted_by_name_and_label(tmp_path):
    for name in ("syn_stand_1", "a", "b", "c_walk"):
        (tmp_path / f"{name}.npz").touch()
    with pytest.raises(DatasetError, match=r"no \w+ motion"):
        kinds(tmp_path / "absent")
    labels = [{"file": "a.npz", "label": "A Walk"}, {"file": "b.npz", "label": "dance"}]
    (tmp_path / "index.json").write_text(json.dumps(labels))
    found = {kind: {path.stem for path in paths} for kind, paths in kinds(tmp_path).items()}
    assert found == {"standing": {"syn_stand_1"}, "walking": {"a", "c_walk"}, "other": {"b"}}
    assert all(len(paths) <= MOST for paths in kinds(tmp_path).values())
