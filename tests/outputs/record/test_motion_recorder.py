"""Covers the recording: its names and shapes, and the AMASS frame."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.app.convert import recover
from realtime_vibe.backends.graph_folder import engine_folder
from realtime_vibe.body.model_file import load_body
from realtime_vibe.body.smpl import SmplBody
from realtime_vibe.errors import OutputError
from realtime_vibe.geometry.axes import R_WORLD_CAMERA
from realtime_vibe.geometry.camera import (
    SquareBox,
    crop_ndc_to_image,
    full_image_weak_camera,
    project_in_crop,
)
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder, spool_path
from realtime_vibe.outputs.record.recording_spool import (
    SpoolFacts,
    SpoolWriter,
    row_type,
)
from realtime_vibe.outputs.record.spool_reader import open_spool
from realtime_vibe.outputs.record.take_rows import (
    FALLBACK_RATE_HZ,
    NOBODY,
    WORLD_CAMERA,
    RecordedBody,
)
from realtime_vibe.packets import (
    Frame,
    FrameResult,
    PersonResult,
    SmplParams,
    TrackedPerson,
)

Make = Callable[..., FrameResult]


def _record(path: Path, results: list[FrameResult]) -> dict[str, np.ndarray]:
    with MotionRecorder(path) as recorder:
        for result in results:
            recorder.write(result)
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def test_has_the_amass_names_and_shapes(tmp_path: Path, make_result: Make) -> None:
    data = _record(tmp_path / "o.npz", [make_result(i) for i in range(7)])
    assert {name: array.shape for name, array in data.items()} == {
        "poses": (7, 156),
        "trans": (7, 3),
        "hand_poses": (7, 6),
        "world_camera": (7, 3, 4),
        "betas": (16,),
        "gender": (),
        "mocap_framerate": (),
        "mocap_frame_rate": (),
        "joints_camera": (7, 24, 3),
        "transl_camera": (7, 3),
        "weak_camera": (7, 3),
        "square_px": (7, 3),
        "orig_cam": (7, 4),
        "betas_per_row": (7, 10),
        "joint_confidence": (7, 24),
        "landmarks_px": (7, 33, 2),
        "landmark_visibility": (7, 33),
        "frame_index": (7,),
        "timestamps_s": (7,),
        "valid": (7,),
        "person_id": (7,),
        "focal_px": (7,),
        "image_size": (7, 2),
    }
    assert str(data["gender"]) == "neutral"
    assert data["mocap_framerate"] == data["mocap_frame_rate"] == pytest.approx(25.0)
    assert data["valid"].all()
    assert np.all(data["poses"][:, 66:] == 0)
    assert data["image_size"].tolist() == [[64, 48]] * 7
    np.testing.assert_allclose(data["timestamps_s"], np.arange(7) / 25)


def test_values_are_those_of_the_results(tmp_path: Path, make_result: Make) -> None:
    results = [make_result(i) for i in range(5)]
    data = _record(tmp_path / "o.npz", results)
    for row, result in enumerate(results):
        person = result.people[0]
        np.testing.assert_array_equal(data["joints_camera"][row], person.mesh.joints)
        np.testing.assert_array_equal(data["transl_camera"][row], person.mesh.transl)
        np.testing.assert_array_equal(data["weak_camera"][row], person.params.weak_camera)
        np.testing.assert_array_equal(data["betas_per_row"][row], person.params.betas)
        rotmats = rotmat_from_axis_angle(data["poses"][row, :66].reshape(22, 3))
        np.testing.assert_allclose(
            rotmats[0], R_WORLD_CAMERA @ person.params.global_orient, atol=1e-5
        )
        np.testing.assert_allclose(rotmats[1:], person.params.body_pose[:21], atol=1e-5)
    np.testing.assert_array_equal(data["betas"][:10], results[-1].people[0].params.betas)


def test_posing_the_file_gives_the_camera_joints_turned_to_z_up(
    tmp_path: Path, make_result: Make
) -> None:
    results = [make_result(i) for i in range(4)]
    data = _record(tmp_path / "o.npz", results)
    for row, result in enumerate(results):
        mesh, params = result.people[0].mesh, result.people[0].params
        rest_pelvis = mesh.joints[0] - mesh.transl
        # A vertex v of the body in its rest frame, posed by the root alone (the other joints turn
        # the same way in both frames): once by the camera's numbers, once by the file's.
        v = np.float32([0.3, 0.9, -0.1])
        camera = params.global_orient @ (v - rest_pelvis) + rest_pelvis + mesh.transl
        orient = rotmat_from_axis_angle(data["poses"][row, :3])
        world = orient @ (v - rest_pelvis) + rest_pelvis + data["trans"][row]
        np.testing.assert_allclose(world, R_WORLD_CAMERA @ camera, atol=1e-5)


def test_a_real_body_posed_from_the_file_stands_where_it_was_recorded(tmp_path: Path) -> None:
    body = SmplBody(load_body(engine_folder("blazepose-gru") / "body.npz"))
    rng = np.random.default_rng(3)
    betas = rng.normal(size=10).astype(np.float32)
    path = tmp_path / "o.npz"
    recorded = []
    with MotionRecorder(path) as recorder:
        for index in range(3):
            rotmats = rotmat_from_axis_angle(rng.normal(size=(24, 3)).astype(np.float32))
            transl = rng.normal(size=3).astype(np.float32)
            mesh = body.forward(rotmats[0], rotmats[1:], betas, transl)
            recorded.append(mesh)
            params = SmplParams(
                global_orient=rotmats[0],
                body_pose=rotmats[1:],
                betas=betas,
                weak_camera=np.zeros(3, np.float32),
            )
            person = TrackedPerson(track_id=0, bbox_xyxy=np.zeros(4, np.float32), score=1, dt_s=0)
            frame = Frame(
                image_bgr=np.zeros((2, 2, 3), np.uint8),
                index=index,
                captured_at_s=index,
                grabbed_at_s=0,
            )
            square = np.ones(3, np.float32)
            people = (PersonResult(person=person, params=params, mesh=mesh, square_px=square),)
            recorder.write(FrameResult(frame=frame, people=people, stage_ms={}, focal_px=1.0))
    data = np.load(path)
    for row, mesh in enumerate(recorded):
        rotmats = rotmat_from_axis_angle(data["poses"][row, :72].reshape(24, 3))
        replayed = body.forward(rotmats[0], rotmats[1:], data["betas"][:10], data["trans"][row])
        np.testing.assert_allclose(replayed.joints, mesh.joints @ R_WORLD_CAMERA.T, atol=1e-5)


CORNERS = RecordedBody(
    gender="male",
    keypoint_names=("nose", "left toe", "right toe", "navel"),
    locate_keypoints=lambda mesh: mesh.vertices[:4] - mesh.transl,
)
"""Four of its vertices stand in for the keypoints of a body."""


def test_keypoints_are_recorded_where_the_body_has_them(tmp_path: Path, make_result: Make) -> None:
    path = tmp_path / "o.npz"
    results = [make_result(0, ()), make_result(1, (4, 5)), make_result(2, ()), make_result(3, (5,))]
    with MotionRecorder(path, body=CORNERS) as recorder:
        for result in results:
            recorder.write(result)
    with np.load(path, allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    assert str(data["gender"]) == "male"
    assert data["kp_names"].tolist() == list(CORNERS.keypoint_names)
    assert data["kp_3d"].shape == (5, 4, 3)
    assert data["kp_2d"].shape == (5, 4, 2)
    assert data["kp_3d"].dtype == data["kp_2d"].dtype == np.float32
    people = {1: results[1].people[0], 2: results[1].people[1], 4: results[3].people[0]}
    for row, person in people.items():
        points = person.mesh.vertices[:4] - person.mesh.transl
        np.testing.assert_array_equal(data["kp_3d"][row], points)
        in_crop = project_in_crop(points, person.params.weak_camera)
        expected = crop_ndc_to_image(in_crop, person.square_px)
        np.testing.assert_allclose(data["kp_2d"][row], expected, rtol=1e-5)
    assert np.all(data["kp_3d"][0] == 0)
    assert np.all(data["kp_2d"][0] == 0)
    for name in ("kp_3d", "kp_2d", "square_px", "orig_cam"):
        np.testing.assert_array_equal(data[name][3], data[name][2])


def test_cameras_of_the_crop_and_the_image_are_both_there(
    tmp_path: Path, make_result: Make
) -> None:
    results = [make_result(i) for i in range(3)]
    data = _record(tmp_path / "o.npz", results)
    for row, result in enumerate(results):
        person = result.people[0]
        np.testing.assert_array_equal(data["square_px"][row], person.square_px)
        expected = full_image_weak_camera(
            person.params.weak_camera, SquareBox(*person.square_px.tolist()), (64, 48)
        )
        np.testing.assert_allclose(data["orig_cam"][row], expected, rtol=1e-6)


def test_a_cut_off_recording_keeps_its_keypoints_and_gender(
    tmp_path: Path, make_result: Make
) -> None:
    path = tmp_path / "o.npz"
    recorder = MotionRecorder(path, body=CORNERS)
    for index in range(6):
        recorder.write(make_result(index))
    part = tmp_path / "copy.npz.part"  # what a killed run leaves: the recorder never closes it
    part.write_bytes(spool_path(path).read_bytes()[:-10])
    recorder.close()
    (rescued,) = recover(part)
    with np.load(rescued) as cut, np.load(path) as whole:
        assert str(cut["gender"]) == "male"
        np.testing.assert_array_equal(cut["kp_names"], whole["kp_names"])
        np.testing.assert_array_equal(cut["kp_2d"], whole["kp_2d"][:5])


def test_a_spool_keeps_its_facts_and_is_refused_when_its_head_is_changed(tmp_path: Path) -> None:
    facts = SpoolFacts(gender="male", keypoint_names=("nose", "tóe"))
    path = tmp_path / "a.part"
    writer = SpoolWriter(path, facts)
    rows = np.zeros(3, row_type(facts.keypoint_names))
    rows["kp_3d"], rows["world_camera"] = 7.0, WORLD_CAMERA
    writer.append(rows)
    writer.close()
    good = path.read_bytes()
    first_line = good.index(b"\n")
    for damaged in (None, 3, first_line - 1, first_line, first_line + 3):  # it is there twice
        content = bytearray(good)
        if damaged is not None:
            content[damaged] ^= 1
        path.write_bytes(content)
        with open_spool(path) as spool:
            assert spool.facts == facts
            (found,) = spool.rows.blocks()
            np.testing.assert_array_equal(found, rows)
    for old, new in (
        (b'"version": 4', b'"version": 2'),
        (b'"origin": null', b'"origin": "x"'),
        (b'"gender": "male"', b'"gander": "male"'),
        (b'"nose", ', b""),
        (b'["nose"', b'[["nose"]'),
        (b'"keypoint_names": [', b'"keypoint_names": {"a": '),
        (b"{", b"["),
    ):
        assert old in good
        path.write_bytes(good.replace(old, new))
        with (
            pytest.raises(OutputError, match="not a recording of this version"),
            open_spool(path),
        ):
            pass


def test_world_is_z_up_and_right_handed() -> None:
    down_in_camera, forward_in_camera = np.float32([0, 1, 0]), np.float32([0, 0, 1])
    np.testing.assert_array_equal(R_WORLD_CAMERA @ down_in_camera, [0, 0, -1])
    np.testing.assert_array_equal(R_WORLD_CAMERA @ forward_in_camera, [0, 1, 0])
    assert np.linalg.det(R_WORLD_CAMERA) == pytest.approx(1.0)


def test_nobody_holds_the_last_pose_and_is_invalid(tmp_path: Path, make_result: Make) -> None:
    people = [(), (3,), (), (), (4,)]
    data = _record(tmp_path / "o.npz", [make_result(i, ids) for i, ids in enumerate(people)])
    assert data["valid"].tolist() == [False, True, False, False, True]
    assert data["person_id"].tolist() == [NOBODY, 3, NOBODY, NOBODY, 4]
    for name in ("poses", "trans", "joints_camera", "weak_camera", "orig_cam"):
        assert np.isfinite(data[name]).all()
        assert np.all(data[name][0] == 0)
        np.testing.assert_array_equal(data[name][2], data[name][1])
        np.testing.assert_array_equal(data[name][3], data[name][1])
        assert not np.array_equal(data[name][4], data[name][1])


def test_two_people_have_a_row_each(tmp_path: Path, make_result: Make) -> None:
    results = [make_result(0, (7, 2)), make_result(1, (2,)), make_result(2, (7, 2))]
    data = _record(tmp_path / "o.npz", results)
    assert data["person_id"].tolist() == [7, 2, 2, 7, 2]
    assert data["frame_index"].tolist() == [0, 0, 1, 2, 2]
    assert data["mocap_framerate"] == pytest.approx(25.0)
    # `betas` is the shape of the person with most rows.
    np.testing.assert_array_equal(data["betas"][:10], results[2].people[1].params.betas)


def test_long_recordings_cross_the_chunks_unharmed(tmp_path: Path, make_result: Make) -> None:
    result = make_result(5)
    path = tmp_path / "o.npz"
    with MotionRecorder(path) as recorder:
        for _ in range(5000):
            recorder.write(result)
    with np.load(path) as data:
        assert data["poses"].shape == (5000, 156)
        assert np.all(data["poses"] == data["poses"][0])
        assert data["valid"].all()


def test_one_frame_has_a_rate(tmp_path: Path, make_result: Make) -> None:
    data = _record(tmp_path / "o.npz", [make_result(0)])
    assert data["mocap_framerate"] == FALLBACK_RATE_HZ


def test_only_invalid_rows_are_a_recording(tmp_path: Path, make_result: Make) -> None:
    data = _record(tmp_path / "o.npz", [make_result(i, ()) for i in range(3)])
    assert not data["valid"].any()
    assert np.all(data["poses"] == 0)
    assert np.all(data["betas"] == 0)


def test_nothing_recorded_writes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    MotionRecorder(tmp_path / "o.npz").close()
    assert list(tmp_path.iterdir()) == []
    assert "nothing was recorded" in caplog.text


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, make_result: Make) -> None:
    result = make_result(0)
    page = os.sysconf("SC_PAGE_SIZE")

    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * page

    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc on this system")
    with MotionRecorder(tmp_path / "o.npz") as recorder:
        for _ in range(1000):
            recorder.write(result)
        before = resident_bytes()
        for _ in range(9000):
            recorder.write(result)
        assert resident_bytes() - before < 2_000_000
