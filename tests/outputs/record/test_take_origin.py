"""Covers the origin of takes: feet on the floor below the first place, the camera, worlds that turn or jump."""

from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.record.recording_spool import Rows, SpoolFacts, TakeOptions, row_type
from realtime_vibe.outputs.record.row_blocks import TakeRows
from realtime_vibe.outputs.record.take_files import Take, write_take
from realtime_vibe.outputs.record.take_origin import with_origin
from realtime_vibe.outputs.record.take_rows import SkinnedBody
from realtime_vibe.packets import BodyMesh
from tests.outputs.record import posed_takes


def _placed(rows: Rows, origin: str, skin: SkinnedBody | None) -> Rows:
    return posed_takes.loaded(with_origin(TakeRows.of(rows), origin, skin))


_STILL = np.tile(np.eye(3, dtype=np.float32), (23, 1, 1))


def _standing(tilt_rad: float = 0.0) -> tuple[Rows, list[BodyMesh]]:
    """Somebody who stands for a second and then moves aside, before a camera that looks down by the tilt."""
    camera = rotmat_from_axis_angle(np.array([tilt_rad, 0, 0], np.float32))
    turn = (camera @ np.diag([1.0, -1.0, -1.0])).astype(np.float32)
    rows, meshes = [], []
    for index in range(40):
        transl = camera @ np.float32([0.4 + 0.05 * max(0, index - 30), 0.3, 3.0])
        mesh = posed_takes.body().forward(turn, _STILL, np.zeros(10, np.float32), transl)
        row = np.zeros((), row_type())
        row["frame_index"], row["timestamp_s"], row["valid"] = index, index / 30, True
        row["rot6d"] = np.concatenate([turn[None], _STILL])[..., :2].reshape(24, 6)
        row["joints_camera"], row["transl_camera"] = mesh.joints, mesh.transl
        row["world_camera"] = T_WORLD_CAMERA[:3]
        row["world_camera"][:, :3] = T_WORLD_CAMERA[:3, :3] @ camera.T
        rows.append(row)
        meshes.append(mesh)
    return np.stack(rows), meshes


def _in_world(points: np.ndarray, world: np.ndarray) -> np.ndarray:
    return np.asarray(points @ world[:, :3].T + world[:, 3])


@pytest.mark.parametrize(("has_mesh", "off_m"), [(True, 1e-3), (False, 0.015)])
def test_feet_stand_on_the_floor_below_the_first_place(has_mesh: bool, off_m: float) -> None:
    rows, meshes = _standing(tilt_rad=0.3)
    placed = _placed(rows, "floor", posed_takes.real_body().skin if has_mesh else None)
    world = placed["world_camera"]
    assert abs(_in_world(meshes[0].vertices, world[0])[:, 2].min()) < off_m
    np.testing.assert_allclose(_in_world(meshes[0].joints[0], world[0])[:2], 0, atol=1e-5)
    np.testing.assert_allclose(_in_world(meshes[-1].joints[0], world[-1])[:2], [0.45, 0], atol=1e-4)


def test_every_format_has_the_same_origin(tmp_path: Path) -> None:
    rows, meshes = _standing()
    facts = SpoolFacts(options=TakeOptions(origin="floor"))
    take = Take(rows=TakeRows.of(rows), facts=facts, skin=posed_takes.real_body().skin)
    for suffix in (".bvh", ".npz"):
        write_take(tmp_path / f"o{suffix}", take)
    pelvis_m = float(meshes[0].vertices[:, 1].max() - meshes[0].joints[0, 1])
    np.testing.assert_allclose(
        posed_takes.all_of_bvh(tmp_path / "o.bvh").pelvis[0], [0, pelvis_m, 0], atol=1e-3
    )
    with np.load(tmp_path / "o.npz") as motion:
        rest_pelvis = meshes[0].joints[0] - meshes[0].transl
        np.testing.assert_allclose(motion["trans"][0] + rest_pelvis, [0, 0, pelvis_m], atol=1e-3)


def test_the_camera_can_be_the_origin_again() -> None:
    rows, _ = _standing(tilt_rad=0.2)
    back = _placed(_placed(rows, "floor", None), "camera", None)
    np.testing.assert_array_equal(back["world_camera"], rows["world_camera"])


def test_a_world_that_turns_slowly_is_the_last_one_throughout() -> None:
    rows, _ = _standing()
    for index in range(30):
        turn = rotmat_from_axis_angle(np.array([0.03 * (index - 30), 0, 0], np.float32))
        rows["world_camera"][index, :, :3] = T_WORLD_CAMERA[:3, :3] @ turn
    placed = _placed(rows, "floor", None)["world_camera"]
    np.testing.assert_array_equal(placed, np.broadcast_to(placed[-1], placed.shape))
    np.testing.assert_array_equal(placed[0, :, :3], T_WORLD_CAMERA[:3, :3])


def test_a_calibrated_world_keeps_its_floor_and_goes_on_where_the_person_is() -> None:
    rows, meshes = _standing()
    rows["world_camera"][20:, :, 3] = [5.0, 7.0, 1.31]
    placed = _placed(rows, "floor", None)["world_camera"]
    assert placed[-1, 2, 3] == np.float32(1.31)
    before, after = (_in_world(meshes[at].joints[0], placed[at])[:2] for at in (19, 20))
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_another_scene_is_another_world() -> None:
    rows, _ = _standing(tilt_rad=0.2)
    rows["world_camera"][20:] = T_WORLD_CAMERA[:3]  # a cut to a camera whose tilt nobody knows yet
    placed = _placed(rows, "floor", None)["world_camera"][:, :, :3]
    np.testing.assert_array_equal(placed, rows["world_camera"][:, :, :3])


def test_nobody_in_view_changes_nothing() -> None:
    rows, _ = _standing()
    rows["valid"] = False
    np.testing.assert_array_equal(_placed(rows, "floor", None), rows)
