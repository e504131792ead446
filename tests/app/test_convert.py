"""Covers conversions between formats."""

import contextlib
import re
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from realtime_vibe.app.convert import ConvertSettings, convert
from realtime_vibe.body.joints import PARENTS
from realtime_vibe.cli.main import main
from realtime_vibe.errors import BodyModelError, MotionFileError, OutputError
from realtime_vibe.geometry.axes import R_WORLD_CAMERA
from realtime_vibe.geometry.rotation import rotmat_from_axis_angle
from realtime_vibe.outputs.record.bvh_reader import read_bvh
from realtime_vibe.outputs.record.motion_import import rows_of_bvh
from realtime_vibe.outputs.record.motion_recorder import MotionRecorder
from realtime_vibe.outputs.record.recording_spool import TakeOptions
from realtime_vibe.outputs.record.take_files import MOTION_SUFFIXES, write_take
from tests.outputs.record import posed_takes

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ConvertSettings()


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """`o.npz` of two people who come and go."""
    ids = [(0,), (0, 1), (0, 1), (), (0,), (0,)]
    path = tmp_path / "o.npz"
    with MotionRecorder(path, body=posed_takes.real_body()) as recorder:
        for frame in posed_takes.results(np.arange(6) / 25, ids):
            recorder.write(frame)
    return path


@pytest.mark.fault
def test_no_room_for_temporary_files_is_one_line(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match=r"temporary files.*TMPDIR"):
        convert(recorded, tmp_path / "o.csv", PLAIN)


def _amass(path: Path, **changes: object) -> Path:
    """A file as AMASS publishes them: SMPL-H, Z up, 120 per second."""
    rng = np.random.default_rng(4)
    arrays: dict[str, object] = {
        "poses": rng.normal(0, 0.3, (20, 156)),
        "trans": rng.normal(0, 1, (20, 3)),
        "betas": rng.normal(0, 1, 16),
        "dmpls": np.zeros((20, 8)),
        "gender": np.array("female"),
        "mocap_framerate": np.array(120.0),
    } | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_an_npz_becomes_what_the_run_would_have_written(
    tmp_path: Path, recorded: Path, subtests: pytest.Subtests
) -> None:
    for ending in [".bvh", ".glb", ".csv", ".trc", ".npz"]:
        with subtests.test(ending=ending):
            frames = posed_takes.results(np.arange(6) / 25, [(0,), (0, 1), (0, 1), (), (0,), (0,)])
            live = tmp_path / f"live{ending}"
            with MotionRecorder(live, body=posed_takes.real_body()) as recorder:
                for frame in frames:
                    recorder.write(frame)
            made = convert(recorded, tmp_path / f"made{ending}", PLAIN)
            assert len(made) == (1 if ending == ".npz" else 2)
            if ending == ".bvh":
                for first, second in zip((live, tmp_path / "live.person2.bvh"), made, strict=True):
                    one, two = posed_takes.all_of_bvh(first), posed_takes.all_of_bvh(second)
                    np.testing.assert_allclose(one.rotmats, two.rotmats, atol=1e-5)
                    np.testing.assert_allclose(one.offsets, two.offsets, atol=1e-5)
            elif ending == ".npz":
                with np.load(live) as one, np.load(made[0]) as two:
                    assert one.files == two.files
                    for name in one.files:
                        if one[name].dtype.kind == "f":
                            np.testing.assert_allclose(
                                one[name], two[name], rtol=1e-5, atol=1e-5, err_msg=name
                            )
                        else:
                            np.testing.assert_array_equal(one[name], two[name], err_msg=name)
            else:
                assert abs(live.stat().st_size - made[0].stat().st_size) < 512  # digits of JSON


def test_blocks_leave_no_seams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [(), *[(0, 1)] * 20, (), (1,), *[(1, 0)] * 7]
    part = posed_takes.cut_off(
        tmp_path, (".npz",), ids=ids, times_s=np.cumsum(np.linspace(0.02, 0.06, 30))
    )
    (tmp_path / "pieces").mkdir()
    for ending in MOTION_SUFFIXES:
        whole = convert(part, tmp_path / f"a{ending}", PLAIN)
        with monkeypatch.context() as changed:
            changed.setattr("realtime_vibe.outputs.record.row_blocks.BLOCK", 7)
            pieces = convert(part, tmp_path / "pieces" / f"a{ending}", PLAIN)
        for one, two in zip(whole, pieces, strict=True):
            if ending == ".npz":
                with np.load(one) as first, np.load(two) as second:
                    for name in first.files:
                        np.testing.assert_array_equal(first[name], second[name])
            else:
                assert two.read_bytes() == one.read_bytes()
    for source in (tmp_path / "a.npz", _amass(tmp_path / "amass.npz")):
        whole = convert(source, tmp_path / "c.csv", ConvertSettings(overwrite=True))
        with monkeypatch.context() as changed:
            changed.setattr("realtime_vibe.outputs.record.row_blocks.BLOCK", 7)
            pieces = convert(source, tmp_path / "d.csv", ConvertSettings(overwrite=True))
        for one, two in zip(whole, pieces, strict=True):
            assert two.read_bytes() == one.read_bytes()


def test_a_bvh_goes_there_and_back_with_its_shape(tmp_path: Path, recorded: Path) -> None:
    (first, _) = convert(recorded, tmp_path / "a.bvh", PLAIN)
    (npz,) = convert(first, tmp_path / "b.npz", PLAIN)
    options = TakeOptions(bvh_names="mixamo", bvh_unit="cm")
    (second,) = convert(npz, tmp_path / "c.bvh", ConvertSettings(options=options))
    one, two = posed_takes.all_of_bvh(first), posed_takes.all_of_bvh(second)
    np.testing.assert_allclose(one.pelvis, two.pelvis, atol=1e-5)
    np.testing.assert_allclose(one.rotmats[:, :22], two.rotmats[:, :22], atol=1e-4)
    assert read_bvh(first).rate_hz == pytest.approx(read_bvh(second).rate_hz)
    shape = np.load(recorded)["betas"]
    np.testing.assert_allclose(np.load(npz)["betas"], shape, atol=2e-3)
    text = second.read_text()
    head, frames = text.partition("Frame Time: 0.040000000\n")[::2]
    second.write_text(
        head.replace("Frames: 6", "Frames: 1") + "Frame Time: 1\n" + frames.split("\n")[0]
    )
    for source in (first, second):
        assert convert(source, tmp_path / f"{source.stem}.glb", PLAIN)
    knee = re.escape("JOINT mixamorig:LeftLeg\n\t\t{\n\t\t\tOFFSET")
    second.write_text(re.sub(rf"({knee}) .*", r"\1 0 0 0", text))  # a bone that points nowhere
    with pytest.raises(OutputError, match=r"from those of this body.*--body"):
        convert(second, tmp_path / "d.glb", PLAIN)


def test_a_bvh_is_read_however_it_is_written_and_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    source, made = tmp_path / "o.bvh", tmp_path / "o.csv"
    write_take(source, posed_takes.take(posed_takes.results(np.arange(50) / 30)))
    text = source.read_text()
    convert(source, made, PLAIN)
    expected = made.read_bytes()
    for name, content in {
        "bom": text.encode("utf-8-sig"),
        "carriage returns": text.replace("\n", "\r\n").encode(),
        "no spaces": text.replace("Frames: ", "Frames:").replace("Time: ", "Time:").encode(),
        "a name in Latin-1": text.replace("End Site", "End Sit\xe9").encode("latin-1"),
    }.items():
        with subtests.test(name=name):
            source.write_bytes(content)
            convert(source, made, ConvertSettings(overwrite=True))
            assert made.read_bytes() == expected
    frames = 20 * [text.partition("Frame Time: 0.033333333\n")[2]]
    source.write_text(text.replace("Frames: 50", "Frames: 1000") + "".join(frames[1:]))
    monkeypatch.setattr("realtime_vibe.outputs.record.row_blocks.BLOCK", 16)
    rows = rows_of_bvh(read_bvh(source), posed_takes.real_body().skin)
    assert len(next(rows)) == 16
    tracemalloc.start()
    assert sum(len(block) for block in rows) == 984
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 1000 * 75 * 8  # a few blocks; rows and rotations were 20 times the numbers


def test_a_motion_of_elsewhere_moves_a_body_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = _amass(tmp_path / "amass.npz")
    (made,) = convert(source, tmp_path / "o.bvh", PLAIN)
    assert "--body" in caplog.text
    motion = posed_takes.all_of_bvh(made)
    assert read_bvh(made).rate_hz == pytest.approx(120)
    poses = np.load(source)["poses"]
    local = rotmat_from_axis_angle(poses[:, 3:66].reshape(20, 21, 3))
    np.testing.assert_allclose(motion.rotmats[:, 1:22], local, atol=1e-5)
    pelvis = (
        posed_takes.body()
        .forward(
            np.eye(3, dtype=np.float32),
            np.tile(np.eye(3, dtype=np.float32), (23, 1, 1)),
            np.zeros(10, np.float32),
            np.zeros(3, np.float32),
        )
        .joints[0]
    )
    world = np.load(source)["trans"] + pelvis
    np.testing.assert_allclose(motion.pelvis, world @ R_WORLD_CAMERA.T, atol=1e-4)


def test_a_named_body_has_the_recorded_shape(tmp_path: Path) -> None:
    source = _amass(tmp_path / "amass.npz")
    settings = ConvertSettings(body=posed_takes.body_file())
    (made,) = convert(source, tmp_path / "o.bvh", settings)
    skin = posed_takes.real_body().skin
    assert skin is not None
    rest = skin.rest_joints(np.load(source)["betas"][:10].astype(np.float32))
    for joint, parent in enumerate(PARENTS[1:], start=1):
        expected = rest[joint] - rest[parent]
        np.testing.assert_allclose(posed_takes.all_of_bvh(made).offsets[joint], expected, atol=1e-5)
    assert convert(source, tmp_path / "o.glb", settings)[0].stat().st_size > 500_000


@pytest.mark.fault
def test_unfit_arrays_are_named(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for changes, message in [
        ({"trans": None}, "trans has shape"),
        ({"poses": None}, "poses has shape"),
        ({"poses": np.zeros((20, 60))}, "poses has shape"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "no row"),
        ({"poses": np.full((20, 156), np.nan)}, "not finite"),
        ({"mocap_framerate": None}, "no frame rate"),
        ({"mocap_framerate": np.array("fast")}, "no frame rate"),
        ({"mocap_framerate": np.array(0.0)}, "no frame rate"),
        ({"mocap_framerate": np.array(1e-310)}, "no frame rate"),
        ({"betas": np.array([{"a": 1}], object)}, "cannot be read"),
        ({"betas": np.full(16, np.nan)}, "betas holds"),
        ({"betas": np.array(["x"] * 16)}, "betas holds"),
        ({"poses": np.full((20, 156), 1e39)}, "poses holds"),
        ({"poses": np.full((20, 156), 1j)}, "poses holds complex"),
        ({"trans": np.full((20, 3), 1e38)}, "trans holds"),
    ]:
        with subtests.test(message=message, changes=changes):
            source = _amass(tmp_path / "a.npz", **changes)
            with pytest.raises(MotionFileError, match=message):
                convert(source, tmp_path / "o.csv", ConvertSettings(body=posed_takes.body_file()))
            assert not (tmp_path / "o.csv").exists()


@pytest.mark.fault
def test_a_recording_with_numbers_that_cannot_be_is_refused(
    tmp_path: Path, recorded: Path, subtests: pytest.Subtests
) -> None:
    with np.load(recorded) as data:
        arrays = dict(data)
    count = len(arrays["valid"])
    for name, array in [
        ("joints_camera", np.full((count, 24, 3), 1e39)),
        ("betas_per_row", np.full((count, 10), 1e38)),
        ("focal_px", np.full(count, 1e39)),
        ("hand_poses", np.full((count, 6), 1e39)),
        ("joint_confidence", np.full((count, 24), np.nan)),
        ("timestamps_s", np.arange(count)[::-1]),
        ("timestamps_s", np.full(count, 1e300)),
        ("frame_index", np.arange(count) + 0.5),
        ("person_id", np.full(count, 2**63, np.uint64)),
        ("valid", np.full(count, 0.3)),
        ("image_size", np.full((count, 2), 1e30)),
        ("world_camera", np.zeros((count, 3, 4))),
    ]:
        with subtests.test(name=name, value=array.flat[0]):
            np.savez(tmp_path / "a.npz", **{**arrays, name: array})
            with pytest.raises(MotionFileError, match=rf"a\.npz: {name}"):
                convert(tmp_path / "a.npz", tmp_path / "o.csv", PLAIN)


@pytest.mark.fault
def test_a_bvh_with_numbers_that_cannot_be_is_refused(
    tmp_path: Path, recorded: Path, subtests: pytest.Subtests
) -> None:
    (good, _) = convert(recorded, tmp_path / "a.bvh", PLAIN)
    head, _, last = good.read_text().rstrip().rpartition("\n")
    values = last.split()
    texts = {
        "place": f"{head}\n{' '.join(['1e38', *values[1:]])}\n",
        "place of nobody": f"{head}\n{' '.join(['5e5', *values[1:]])}\n",
        "turn": f"{head}\n{' '.join([*values[:-1], '1e300'])}\n",
        "offset": good.read_text().replace("OFFSET 0", "OFFSET nan", 1),
        "time": re.sub("Frame Time: .*", "Frame Time: 1e300", good.read_text()),
    }
    for name, text in texts.items():
        with subtests.test(name=name):
            (tmp_path / "bad.bvh").write_text(text)
            with pytest.raises(MotionFileError, match=r"bad\.bvh"):
                convert(tmp_path / "bad.bvh", tmp_path / "bad.npz", PLAIN)


def test_the_gender_of_old_files_is_understood(tmp_path: Path) -> None:
    for given, expected in [(b"male", "male"), ("b'female'", "female"), (3, "neutral")]:
        source = _amass(tmp_path / "a.npz", gender=np.array(given))
        (made,) = convert(source, tmp_path / "o.npz", ConvertSettings(overwrite=True))
        assert np.load(made)["gender"] == expected


@pytest.mark.fault
def test_foreign_files_are_one_clear_error(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for content in [None, b"", b"PK\x03\x04rubbish", b"HIERARCHY\nROOT x\n{\nMOTION\n"]:
        for name in ["a.npz", "a.bvh", "a.npz.part", "a.fbx", "a"]:
            with subtests.test(content=content, name=name):
                source = tmp_path / name
                if content is not None:
                    source.write_bytes(content)
                with pytest.raises(
                    (MotionFileError, OutputError), match=r"cannot (be )?read|not a recording"
                ):
                    convert(source, tmp_path / "o.csv", PLAIN)


@pytest.mark.fault
def test_a_damaged_bvh_never_crashes(tmp_path: Path, recorded: Path) -> None:
    (good, _) = convert(recorded, tmp_path / "a.bvh", PLAIN)
    text = good.read_text()
    rng = np.random.default_rng(0)
    bad = tmp_path / "bad.bvh"
    for _ in range(60):
        cut = int(rng.integers(len(text)))
        bad.write_text(text[:cut] + text[cut + int(rng.integers(1, 40)) :])
        with contextlib.suppress(MotionFileError):  # any other error is a failure
            assert np.isfinite(posed_takes.all_of_bvh(bad).pelvis).all()


def test_targets_are_checked_before_anything_is_read(tmp_path: Path, recorded: Path) -> None:
    existing = tmp_path / "there.bvh"
    existing.write_text("precious")
    with pytest.raises(OutputError, match="--overwrite"):
        convert(recorded, existing, PLAIN)
    assert existing.read_text() == "precious"
    with pytest.raises(OutputError, match="is the input"):
        convert(recorded, recorded, ConvertSettings(overwrite=True))
    with pytest.raises(OutputError, match="ends in"):
        convert(recorded, tmp_path / "o.fbx", PLAIN)
    with pytest.raises(BodyModelError, match="cannot be read"):
        convert(recorded, tmp_path / "o.glb", ConvertSettings(body=tmp_path / "no.npz"))
    convert(recorded, existing, ConvertSettings(overwrite=True))
    assert existing.read_text().startswith("HIERARCHY")


def test_a_resampled_npz_passes_the_checks_of_the_blender_add_on(
    tmp_path: Path, recorded: Path
) -> None:
    # The SMPL Blender add-on loads without pickle, wants these names, and refuses int(rate) < 30.
    options = TakeOptions(rate_hz=30.0)
    (made,) = convert(recorded, tmp_path / "thirty.npz", ConvertSettings(options=options))
    with np.load(made) as data:
        assert {"trans", "gender", "betas", "poses"} <= set(data.files)
        names = ("mocap_frame_rate", "mocap_framerate")
        for name in names:
            assert float(data[name]) == 30.0
            assert int(data[name]) >= 30
        assert str(data["gender"]) in {"neutral", "female", "male"}
        assert data["gender"].dtype.kind == "U"
        count = len(data["timestamps_s"])
        assert data["poses"].shape == (count, 52 * 3)
        assert data["trans"].shape == (count, 3)
        assert data["betas"].ndim == 1
        assert np.isfinite(data["poses"]).all()
        one = data["person_id"] != 1
        np.testing.assert_allclose(np.diff(data["timestamps_s"][one]), 1 / 30, atol=1e-9)


def test_the_command_line_converts(
    tmp_path: Path, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "o2.bvh"
    words = ["convert", str(recorded), str(target), "--bvh-names", "mixamo", "--bvh-unit", "cm"]
    assert main(words) == 0
    assert capsys.readouterr().out.split() == [str(target), str(tmp_path / "o2.person2.bvh")]
    assert "mixamorig:Hips" in target.read_text()
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--record-fps", "0"]) == 2
    assert "record-fps is 0" in capsys.readouterr().err
