"""Covers BVH: two readers of other hands get the live joints back, in every naming and unit."""

import logging
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime_vibe.geometry.smpl_joints import SMPL_JOINT_NAMES
from realtime_vibe.outputs.record.bvh_names import BVH_BONES, BVH_NAMES, BVH_UNITS
from realtime_vibe.outputs.record.bvh_reader import read_bvh
from realtime_vibe.outputs.record.recording_spool import TakeOptions
from realtime_vibe.outputs.record.take_files import write_take
from tests.outputs.record import posed_takes

TIMES_S = np.arange(40) / 25
ONE_MM = 1e-3


class PlainBvh:
    """A reader of BVH written from the format's description: joints, end sites, their positions."""

    def __init__(self, path: Path) -> None:
        head, motion = path.read_text().split("MOTION\n")
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[np.ndarray] = []
        self.channels: list[list[str]] = []
        stack: list[int] = []
        for words in (line.split() for line in head.splitlines()[1:]):
            if words[0] in {"ROOT", "JOINT", "End"}:
                self.parents.append(stack[-1] if stack else -1)
                name = words[1] if words[0] != "End" else f"{self.names[stack[-1]]} end"
                self.names.append(name)
                self.channels.append([])
            elif words[0] == "{":
                stack.append(len(self.names) - 1)
            elif words[0] == "}":
                stack.pop()
            elif words[0] == "OFFSET":
                self.offsets.append(np.array(words[1:], float))
            elif words[0] == "CHANNELS":
                self.channels[-1] = words[2:]
        lines = motion.splitlines()
        self.frames = int(lines[0].split()[1])
        self.frame_time_s = float(lines[1].split()[2])
        self.table = np.array([line.split() for line in lines[2:]], float)
        assert self.table.shape == (self.frames, sum(map(len, self.channels)))

    def positions(self) -> np.ndarray:
        """(N, joints and ends, 3)."""
        out = np.zeros((self.frames, len(self.names), 3))
        for frame in range(self.frames):
            values = iter(self.table[frame])
            turned: list[np.ndarray] = []
            for node, parent in enumerate(self.parents):
                moved, positions = np.zeros(3), 0
                axes, angles = "", []
                for channel in self.channels[node]:
                    value = next(values)
                    if channel.endswith("position"):
                        moved["XYZ".index(channel[0])] = value
                        positions += 1
                    else:
                        axes, angles = axes + channel[0], [*angles, value]
                local = (
                    Rotation.from_euler(axes, angles, degrees=True).as_matrix()
                    if axes
                    else np.eye(3)
                )
                above = turned[parent] if parent >= 0 else np.eye(3)
                start = out[frame, parent] if parent >= 0 else np.zeros(3)
                out[frame, node] = start + above @ (moved if positions else self.offsets[node])
                turned.append(above @ local)
        return out


def _write(folder: Path, **options: str) -> tuple[Path, np.ndarray]:
    frames = posed_takes.results(TIMES_S)
    path = folder / "o.bvh"
    take = posed_takes.take(frames, TakeOptions(**options))
    assert write_take(path, take) == (path,)
    return path, posed_takes.joints_yup(frames)


def test_forward_kinematics_gives_the_live_joints(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for names, unit in [("smpl", "m"), ("mixamo", "cm"), ("vrm", "m")]:
        with subtests.test(names=names, unit=unit):
            (tmp_path / names).mkdir()
            path, joints = _write(tmp_path / names, bvh_names=names, bvh_unit=unit)
            plain = PlainBvh(path)
            assert plain.frame_time_s == pytest.approx(1 / 25)
            known = list(BVH_NAMES[names])
            # Where the names end at the wrist, its end site is the knuckle.
            known += [f"{known[wrist]} end" for wrist in (20, 21)][: 24 - len(known)]
            order = [plain.names.index(name) for name in known]
            positions = plain.positions()[:, order] / BVH_UNITS[unit]
            assert np.linalg.norm(positions - joints, axis=-1).max() < ONE_MM / 50


def test_pybvh_gets_the_live_joints(tmp_path: Path) -> None:
    pybvh = pytest.importorskip("pybvh")
    path, joints = _write(tmp_path)
    motion = pybvh.read_bvh_file(path, world_up="+y")
    order = [motion.joint_names.index(name) for name in SMPL_JOINT_NAMES]
    positions = motion.joint_positions()[:, order]
    assert motion.fps == pytest.approx(25)
    assert np.linalg.norm(positions - joints, axis=-1).max() < ONE_MM / 50


def test_angles_do_not_jump_where_a_body_turns_round_and_round(tmp_path: Path) -> None:
    frames = posed_takes.results(np.arange(150) / 25)  # nearly two turns
    path = tmp_path / "o.bvh"
    write_take(path, posed_takes.take(frames))
    plain = PlainBvh(path)
    steps = np.abs(np.diff(plain.table[:, 3:6], axis=0))
    assert steps.max() < 20
    assert np.ptp(plain.table[:, 3:6], axis=0).max() > 600


def test_bends_far_beyond_a_right_angle_are_smooth(subtests: pytest.Subtests) -> None:
    from realtime_vibe.geometry.rotation import euler_from_rotmat, rotmat_from_axis_angle
    from realtime_vibe.outputs.record.bvh_writer import continuous, euler_order

    # A knee bends about x, an elbow about y, an arm rises about z: up to 150 degrees, each alone.
    for axis, joint in enumerate((4, 18, 16)):
        with subtests.test(axis=axis):
            bend = np.linspace(0, np.deg2rad(150), 40)
            vectors = np.zeros((40, 3), np.float32)
            vectors[:, axis] = bend
            vectors += np.random.default_rng(0).normal(0, 0.02, (40, 3)).astype(np.float32)
            angles = euler_from_rotmat(rotmat_from_axis_angle(vectors), euler_order(joint))
            steps = np.degrees(np.diff(continuous(angles[:, None]), axis=0))
            assert np.abs(steps).max() < 15


def test_reading_back_is_exact(tmp_path: Path) -> None:
    for names in BVH_NAMES:
        path, joints = _write(tmp_path, bvh_names=names, bvh_unit="cm")
        motion = posed_takes.all_of_bvh(path)
        assert read_bvh(path).rate_hz == pytest.approx(25)
        np.testing.assert_allclose(motion.pelvis, joints[:, 0], atol=1e-5)
        frames = posed_takes.results(TIMES_S)
        rotmats = np.stack([frame.people[0].params.body_pose for frame in frames])
        last = 24 if names == "smpl" else 22
        np.testing.assert_allclose(motion.rotmats[:, 1:last], rotmats[:, : last - 1], atol=1e-4)
        path.unlink()


def test_several_people_have_a_file_each_on_the_same_time(tmp_path: Path) -> None:
    ids = [(7, 3), (7, 3), (7,), (7, 3), (7,), (7,)]
    frames = posed_takes.results(np.arange(6) / 30, ids)
    path = tmp_path / "tänzer 1.bvh"
    written = write_take(path, posed_takes.take(frames))
    assert [file.name for file in written] == ["tänzer 1.bvh", "tänzer 1.person2.bvh"]
    first, second = (PlainBvh(file) for file in written)
    assert first.frames == second.frames == 6
    expected = posed_takes.joints_yup(frames, person=7)
    np.testing.assert_allclose(first.positions()[:, 0], expected[:, 0], atol=1e-5)
    held = second.positions()
    np.testing.assert_array_equal(held[2], held[1])


def test_somebody_lost_and_found_again_stays_one_person(tmp_path: Path) -> None:
    frames = posed_takes.results(np.arange(6) / 30, [(1,), (1,), (), (2,), (2,), (2,)])
    assert len(write_take(tmp_path / "o.bvh", posed_takes.take(frames))) == 1


def test_live_bones_follow_a_shape_that_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = posed_takes.results(TIMES_S, shape_drift=1.5)
    joints = posed_takes.joints_yup(frames)
    errors = {}
    for bones in BVH_BONES:
        path = tmp_path / f"{bones}.bvh"
        with caplog.at_level(logging.INFO):
            write_take(path, posed_takes.take(frames, TakeOptions(bvh_bones=bones)))
        plain = PlainBvh(path)
        order = [plain.names.index(name) for name in SMPL_JOINT_NAMES]
        errors[bones] = np.linalg.norm(plain.positions()[:, order] - joints, axis=-1)
    assert errors["live"].max() < ONE_MM / 50
    assert errors["constant"].max() > 10 * ONE_MM
    assert errors["constant"][-1].max() < ONE_MM / 50  # the shape of the end
    (warning,) = [record.message for record in caplog.records]
    assert f"{1000 * errors['constant'].max():.0f} mm" in warning
