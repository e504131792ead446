"""Covers recording on the whole program: every format at once agrees with the live joints; faults do not end a run."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.app.run import run
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.smpl_joints import SMPL_JOINT_NAMES
from realtime_vibe.sources.video_file import demo_clip_path
from tests.outputs.record.test_bvh_writer import PlainBvh
from tests.outputs.record.test_glb_writer import _poses, pygltflib

resource = pytest.importorskip("resource", reason="this system has no limits on files")

ONE_MM = 1e-3


def _config(**changes: object) -> LiveConfig:
    return LiveConfig(**{"source": str(demo_clip_path()), "view": "none", **changes})


def test_all_formats_at_once_have_the_live_joints(tmp_path: Path) -> None:
    paths = {e: tmp_path / f"o.{e}" for e in ("npz", "bvh", "glb", "csv", "trc", "mkv")}
    record = tuple(paths.values())
    assert run(_config(max_frames=30, record=record, bvh_bones="live", bvh_unit="cm")) == 0
    assert sorted(tmp_path.iterdir()) == sorted(record)
    with np.load(paths["npz"]) as motion:
        assert motion["valid"].all()
        world = motion["world_camera"][:, :, :3] @ np.swapaxes(motion["joints_camera"], 1, 2)
        world = np.swapaxes(world, 1, 2) + motion["world_camera"][:, None, :, 3]
    joints = np.stack([world[..., 0], world[..., 2], -world[..., 1]], axis=-1)  # y up
    bvh = PlainBvh(paths["bvh"])
    order = [bvh.names.index(name) for name in SMPL_JOINT_NAMES]
    glb = pygltflib.GLTF2().load(str(paths["glb"]))
    with paths["csv"].open(newline="") as file:
        table = [[float(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    trc = [line.split("\t")[2:] for line in paths["trc"].read_text().split("\n")[6:] if line]
    for name, found in (
        ("bvh", bvh.positions()[:, order] / 100),
        ("glb", np.stack([_poses(glb, frame)[:24, :3, 3] for frame in range(30)])),
        ("csv", np.array(table).reshape(30, 24, 3)),
        ("trc", np.array(trc, float).reshape(30, 24, 3) / 1000),
    ):
        assert np.linalg.norm(found - joints, axis=-1).max() < ONE_MM / 10, name


def test_a_full_disk_ends_the_take_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record, stats = tmp_path / "o.csv", tmp_path / "s.json"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=r"o\.csv ends early.*rows are kept"):
            run(_config(max_frames=40, record=(record,), stats=stats))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert json.loads(stats.read_text())["frames"]["processed"] == 40
    assert sum("the rest goes on" in entry.message for entry in caplog.records) == 1
    part, table = tmp_path / "o.csv.part", record
    kept = len(table.read_text().splitlines()) - 1 if table.exists() else 0
    assert kept > 5 or part.exists()
