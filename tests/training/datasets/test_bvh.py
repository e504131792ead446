"""BVH files: any order of channels, positions and rotations by hand, damage named with its line."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime_vibe.errors import DatasetError
from realtime_vibe.training.datasets.bvh import read_bvh

TWO_BONES = """HIERARCHY
ROOT Hips {
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT upper arm
  {
    OFFSET 0 10 0
    CHANNELS 3 Xrotation Zrotation Yrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.025
1 2 3 90 0 0 0 0 0
0 0 0 10 20 30 40 50 60
"""


def _write(path, text):
    path.write_text(text)
    return path


def test_a_small_tree_by_hand(tmp_path):
    file = read_bvh(_write(tmp_path / "a.bvh", TWO_BONES))
    assert [joint.name for joint in file.joints] == ["Hips", "upper arm"]
    assert file.joints[1].parent == 0
    assert file.joints[1].end_offset == (5.0, 0.0, 0.0)
    assert file.frame_time_s == 0.025
    # A quarter turn about z brings the arm, 10 up, to the left.
    np.testing.assert_allclose(file.world_positions()[0], [[1, 2, 3], [-9, 2, 3]], atol=1e-12)


def test_rotations_multiply_in_the_order_of_the_channels(tmp_path):
    file = read_bvh(_write(tmp_path / "a.bvh", TWO_BONES))
    root = Rotation.from_euler("ZYX", [10, 20, 30], degrees=True).as_matrix()
    arm = Rotation.from_euler("XZY", [40, 50, 60], degrees=True).as_matrix()
    rotations = file.world_rotations()
    np.testing.assert_allclose(rotations[1, 0], root, atol=1e-12)
    np.testing.assert_allclose(rotations[1, 1], root @ arm, atol=1e-12)


def test_line_ends_and_empty_lines_do_not_matter(tmp_path):
    plain = read_bvh(_write(tmp_path / "a.bvh", TWO_BONES))
    odd = TWO_BONES.replace("{\n", "\n\n{\n").replace("\n", "\r\n").replace("  ", "\t")
    path = tmp_path / "b.bvh"
    path.write_bytes(odd.encode())
    other = read_bvh(path)
    assert other.joints == plain.joints
    np.testing.assert_array_equal(other.frames, plain.frames)


def test_damage_is_named(tmp_path, subtests):
    for old, new, message in [
        ("HIERARCHY", "hello", "begins with 'hello', expected HIERARCHY"),
        ("OFFSET 0 10 0", "OFFSET 0 ten 0", "line 7: 'ten' is no number"),
        ("OFFSET 0 10 0", "OFFSET 0 10", "line 7: 'OFFSET 0 10' does not belong"),
        ("3 Xrotation", "4 Xrotation", "line 8: CHANNELS 4"),
        ("Xrotation Zrotation", "Xrotation Wrotation", "line 8: CHANNELS 3 Xrotation Wrotation"),
        ("JOINT", "ROOT", "line 5: ROOT here, expected one ROOT"),
        ("}\nMOTION", "MOTION", "1 open joints at MOTION"),
        ("Frames: 2", "Frames: 3", "18 numbers, expected 3 frames of 9"),
        ("Frames: 2", "Frames: 0", "18 numbers, expected 0 frames of 9"),
        ("Frames: 2", "Count: 2", "after MOTION, expected 'Frames: N'"),
        ("0.025", "0", "a frame time of 0.0"),
        ("40 50 60", "40 fifty 60", "a word among the numbers"),
        ("40 50 60", "40 nan 60", "not finite"),
    ]:
        with subtests.test(message=message, new=new, old=old):
            path = _write(tmp_path / "bad.bvh", TWO_BONES.replace(old, new, 1))
            with pytest.raises(DatasetError, match=rf"bad\.bvh: .*{message}"):
                read_bvh(path)


def test_every_cut_is_said(tmp_path):
    text = TWO_BONES.rstrip()
    for end in range(len(text) - 3):
        path = _write(tmp_path / "cut.bvh", text[:end])
        with pytest.raises(DatasetError, match=r"cut\.bvh"):
            read_bvh(path)
    with pytest.raises(DatasetError, match=r"none\.bvh: cannot be read"):
        read_bvh(tmp_path / "none.bvh")
