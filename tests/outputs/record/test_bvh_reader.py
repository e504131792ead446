"""BVH files that went through an editor come back as the motion that was written, or are refused with what to set."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime_vibe.errors import MotionFileError
from realtime_vibe.geometry.bvh import BvhFile, parse_bvh
from realtime_vibe.geometry.smpl_joints import PARENTS, SMPL_JOINT_NAMES
from realtime_vibe.geometry.smpl_skeleton import REST_JOINTS_M, bone_offsets, joint_positions
from realtime_vibe.outputs.record.bvh_reader import Skeleton
from realtime_vibe.outputs.record.recording_spool import TakeOptions
from realtime_vibe.outputs.record.take_files import write_take
from tests.outputs.record import posed_takes

Y_UP, Z_UP = np.eye(3), Rotation.from_euler("x", 90, degrees=True).as_matrix()
HALF_TURN = Rotation.from_euler("y", 180, degrees=True).as_matrix()
ARMS = {16: -1, 18: -1, 20: -1, 22: -1, 17: 1, 19: 1, 21: 1, 23: 1}
"""SMPL's numbers of the arms' joints, and which way each side is lowered about z."""


def _through_blender(
    text: str,
    *,
    axes: np.ndarray = Z_UP,
    everything_moves: bool = True,
    scale: float = 1.0,
    lowered_deg: float = 0.0,
    order: str = "XYZ",
) -> str:
    """What Blender's exporter writes of an armature that its importer made.

    Compared with the exporters of Blender 4.2.23 and 5.0.1: a hierarchy's numbers differ in the last digit, joints by
    less than 0.001 mm.

    Args:
        text: of the file that was imported.
        axes: from the file's axes to the armature's; the importer turns Y up to Z up.
        everything_moves: position channels for every joint, as without "Root Translation Only".
        scale: of the export.
        lowered_deg: how far the arms hang in an A-pose that was applied as the rest pose.
        order: of the rotation channels.
    """
    file = parse_bvh(text)
    worlds, locals_m = file.world_rotations(), file.local_positions()
    lowered = np.tile(np.eye(3), (len(file.joints), 1, 1))
    for joint, sign in ARMS.items():
        lowered[joint] = Rotation.from_euler("z", sign * lowered_deg, degrees=True).as_matrix()
    order_of_file = _smpl_order(file)
    rest = np.empty_like(lowered)
    rest[order_of_file] = lowered
    worlds = axes @ (worlds @ np.swapaxes(rest, -1, -2)) @ axes.T
    lines, rows = ["HIERARCHY"], [[] for _ in file.frames]

    def turned(vector: np.ndarray, joint: int) -> np.ndarray:
        return scale * (axes @ (rest[joint] if joint >= 0 else np.eye(3)) @ vector)

    def write(number: int, tab: str) -> None:
        joint = file.joints[number]
        moves = everything_moves or joint.parent < 0
        offset = " ".join(f"{value:.6f}" for value in turned(np.array(joint.offset), joint.parent))
        positions = "6 Xposition Yposition Zposition" if moves else "3"
        rotations = " ".join(f"{axis}rotation" for axis in order)
        lines.append(f"{tab}{'JOINT' if joint.parent >= 0 else 'ROOT'} {joint.name}")
        lines.extend(
            [f"{tab}{{", f"{tab}\tOFFSET {offset}", f"{tab}\tCHANNELS {positions} {rotations}"]
        )
        above = worlds[:, joint.parent] if joint.parent >= 0 else np.eye(3)
        euler = Rotation.from_matrix(np.swapaxes(above, -1, -2) @ worlds[:, number]).as_euler(
            order, degrees=True
        )
        for row, place, angles in zip(rows, locals_m[:, number], euler, strict=True):
            row.extend([*(turned(place, joint.parent) if moves else ()), *angles])
        for child, other in enumerate(file.joints):
            if other.parent == number:
                write(child, tab + "\t")
        if joint.end_offset is not None:
            end = " ".join(f"{value:.6f}" for value in turned(np.array(joint.end_offset), number))
            lines.extend([f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {end}", f"{tab}\t}}"])
        lines.append(f"{tab}}}")

    write(0, "")
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {file.frame_time_s:.6f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def _smpl_order(file: BvhFile) -> list[int]:
    names = [joint.name for joint in file.joints]
    return [names.index(name) for name in SMPL_JOINT_NAMES]


def _joints(motion: Skeleton) -> np.ndarray:
    return joint_positions(motion.rotmats, motion.offsets, motion.pelvis)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "o.bvh"
    write_take(path, posed_takes.take(posed_takes.results(np.arange(6) / 25)))
    return path


def test_what_blender_exports_is_the_motion_it_imported(
    written: Path, subtests: pytest.Subtests
) -> None:
    imported, before = written.read_text(), posed_takes.all_of_bvh(written)
    for axes, order, scale in [
        (Z_UP, "XYZ", 1.0),
        (Y_UP, "ZXY", 100.0),
        (Z_UP @ HALF_TURN, "YZX", 1.0),
    ]:
        for everything_moves in [True, False]:
            with subtests.test(
                everything_moves=everything_moves, axes=axes, order=order, scale=scale
            ):
                text = _through_blender(
                    imported, axes=axes, order=order, scale=scale, everything_moves=everything_moves
                )
                written.write_text(text)
                after = posed_takes.all_of_bvh(written)
                np.testing.assert_allclose(after.rotmats, before.rotmats, atol=1e-5)
                np.testing.assert_allclose(after.offsets, before.offsets, atol=1e-5)
                np.testing.assert_allclose(after.pelvis, before.pelvis, atol=1e-5)


def test_a_root_above_the_pelvis_carries_the_body(written: Path) -> None:
    before = posed_takes.all_of_bvh(written)
    head, motion = written.read_text().removeprefix("HIERARCHY\n").split("MOTION\n")
    frames, rate, *rows = motion.splitlines()
    for offset, channels, numbers, turn in [
        (
            "0.0 0.0 0.0",
            "0",
            "",
            np.eye(3),
        ),  # as Blender writes it where a bone stands beside the body
        ("0 0.5 0", "4 Xposition Yposition Zposition Yrotation", "1 2 3 180 ", HALF_TURN),
    ]:
        above = f"HIERARCHY\nROOT __0\n{{\nOFFSET {offset}\nCHANNELS {channels}\n"
        tree = f"{above}{head.replace('ROOT', 'JOINT')}}}\nMOTION\n{frames}\n{rate}\n"
        written.write_text(tree + "".join(f"{numbers}{row}\n" for row in rows))
        place = [1, 2, 3] if numbers else [0, 0, 0]
        np.testing.assert_allclose(
            _joints(posed_takes.all_of_bvh(written)), _joints(before) @ turn.T + place, atol=1e-4
        )


def test_an_a_pose_applied_as_rest_is_taken_back(written: Path, subtests: pytest.Subtests) -> None:
    imported, before = written.read_text(), posed_takes.all_of_bvh(written)
    for everything_moves in [True, False]:
        with subtests.test(everything_moves=everything_moves):
            written.write_text(
                _through_blender(imported, lowered_deg=45.0, everything_moves=everything_moves)
            )
            after = posed_takes.all_of_bvh(written)
            np.testing.assert_allclose(_joints(after), _joints(before), atol=1e-4)
            # All but the twist comes back: up to how far the shape's arms are from the usual one's.
            off = Rotation.from_matrix(
                (np.swapaxes(after.rotmats, -1, -2) @ before.rotmats).reshape(-1, 3, 3)
            )
            assert np.degrees(off.magnitude()).max() < 5
            usual = bone_offsets(REST_JOINTS_M)[18]
            along = (
                after.offsets[18]
                @ usual
                / np.linalg.norm(usual)
                / np.linalg.norm(after.offsets[18])
            )
            assert along == pytest.approx(1, abs=1e-4)


def test_bones_that_change_in_length_are_read_back(tmp_path: Path) -> None:
    frames = posed_takes.results(np.arange(6) / 25, shape_drift=1.5)
    path = tmp_path / "live.bvh"
    write_take(path, posed_takes.take(frames, TakeOptions(bvh_bones="live")))
    for text in (path.read_text(), _through_blender(path.read_text())):
        path.write_text(text)
        np.testing.assert_allclose(
            _joints(posed_takes.all_of_bvh(path)), posed_takes.joints_yup(frames), atol=1e-4
        )


def test_what_cannot_be_taken_back_is_refused_with_what_to_set(
    written: Path, subtests: pytest.Subtests
) -> None:
    imported = written.read_text()
    for changes, advice in [
        (
            {"axes": Z_UP @ Rotation.from_euler("x", 20, degrees=True).as_matrix()},
            "rest pose as it was imported",
        ),
        (
            {"axes": Rotation.from_euler("y", 45, degrees=True).as_matrix()},
            "rest pose as it was imported",
        ),
        *(({"scale": scale}, "Scale 1") for scale in (0.01, 0.5, 2.0, 7.0, 39.37, 200.0)),
    ]:
        with subtests.test(changes=changes, advice=advice):
            written.write_text(_through_blender(imported, **changes))  # type: ignore[arg-type]
            with pytest.raises(MotionFileError, match=advice):
                posed_takes.all_of_bvh(written)


def test_positions_that_come_on_top_of_the_offsets_are_refused(written: Path) -> None:
    text = _through_blender(written.read_text())
    head, motion = text.split("Frame Time:")
    rate, *rows = motion.splitlines()
    numbers = np.array([row.split() for row in rows], float)
    for joint in range(1, len(PARENTS)):
        numbers[:, 6 * joint : 6 * joint + 3] = 0
    lines = [" ".join(f"{value:.6f}" for value in row) for row in numbers]
    written.write_text("\n".join([f"{head}Frame Time:{rate}", *lines]) + "\n")
    with pytest.raises(MotionFileError, match="Root Translation Only"):
        posed_takes.all_of_bvh(written)
