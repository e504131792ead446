"""Every reader against files that are none, damaged, hostile or without end: one error that names the file."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy_clips import load_truth
from benchmarks.datasets.mpi_inf_3dhp import load_3dhp_test_sequence
from benchmarks.datasets.threedpw import load_3dpw_sequence
from realtime_vibe.app.clips import clips_of
from realtime_vibe.app.convert import ConvertSettings, convert, recover
from realtime_vibe.app.settings_file import read_settings_file
from realtime_vibe.backends.fastest import ChoiceCache
from realtime_vibe.backends.graph_folder import Engine
from realtime_vibe.body.model_file import load_body
from realtime_vibe.cli.main import main
from realtime_vibe.cli.settings_template import write_settings_template
from realtime_vibe.errors import EngineError, RealtimeVibeError, SourceError
from realtime_vibe.outputs.base import check_output_path
from realtime_vibe.outputs.record.bvh_reader import read_bvh
from realtime_vibe.outputs.stream.vmc_avatar import read_avatar
from realtime_vibe.sources.factory import open_source
from realtime_vibe.sources.image_folder import folder_source, glob_source
from realtime_vibe.tracking.factory import open_detector
from realtime_vibe.training.datasets.amass import load_amass
from realtime_vibe.training.datasets.bvh_retarget import load_bvh
from realtime_vibe.training.datasets.keypoint_video import load_keypoint_video
from realtime_vibe.training.samples.shards import load_shard
from realtime_vibe.world.calibration import Calibration
from realtime_vibe.world.calibration_file import load_calibration, save_calibration

torch = pytest.importorskip("torch")

from export.darknet_weights import load_yolov3  # noqa: E402
from export.smpl_source import read_extra_regressor, read_smpl  # noqa: E402 - they import torch
from realtime_vibe.models.checkpoint import load_official_discriminator  # noqa: E402
from realtime_vibe.training.checkpoint import read_checkpoint  # noqa: E402
from realtime_vibe.training.network import load_network  # noqa: E402

pytestmark = [pytest.mark.fault, pytest.mark.timeout(30)]

DEEP = 20_000
DIGITS = "9" * 5000
GREATEST_ERROR = 2500
"""The path, which may have a thousand characters, and what is wrong with it."""


def _read_npz_anywhere(path: Path) -> None:
    convert(path, Path("o.csv"), ConvertSettings())


def _play(path: Path) -> None:
    open_source(str(path), paced=False).close()


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "settings": (".toml", read_settings_file),
    "calibration": (".json", load_calibration),
    "body": (".npz", load_body),
    "convert npz": (".npz", _read_npz_anywhere),
    "convert bvh": (".bvh", _read_npz_anywhere),
    "bvh": (".bvh", read_bvh),
    "avatar": (".vrm", read_avatar),
    "amass": (".npz", load_amass),
    "cmu": (".bvh", load_bvh),
    "labelled video": (".npz", load_keypoint_video),
    "3dhp": (".mat", load_3dhp_test_sequence),
    "3dpw": (".pkl", load_3dpw_sequence),
    "shard": (".npz", load_shard),
    "smpl pickle": (".pkl", read_smpl),
    "smpl npz": (".npz", read_smpl),
    "smpl regressor": (".npy", read_extra_regressor),
    "vibe": (".pth.tar", load_official_discriminator),
    "yolo": (".weights", load_yolov3),
    "network": (".pt", load_network),
    "truth": (".npz", load_truth),
    "video": (".mkv", _play),
    "spool": (".part", recover),
    "convert spool": (".part", _read_npz_anywhere),
}


def _npz(
    path: Path, change: Callable[[zipfile.ZipFile], None] = lambda _: None, **arrays: Any
) -> None:
    arrays = arrays or {"poses": np.zeros((2, 66)), "trans": np.zeros((2, 3)), "fps": 30.0}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **arrays)
    with zipfile.ZipFile(path, "a") as archive:
        change(archive)


def _claims_to_unpack_to_100_mb(archive: zipfile.ZipFile) -> None:
    archive.writestr("more.npy", b"0" * 64)
    archive.infolist()[-1].file_size = 100 << 20


def _has_a_header_that_lies(archive: zipfile.ZipFile) -> None:
    header = str({"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 3)}) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    archive.writestr("betas.npy", content)
    archive.writestr("v_template.npy", content)


def _single_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def _encrypted(path: Path) -> None:
    _npz(path)
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 1)
    path.write_bytes(content)


def _laughs(opcode: bytes, levels: int = 60) -> bytes:
    """Tuples (or lists) of twice the one below; in a list, so that nothing has to look them up."""
    empty = {b"t": b")", b"l": b"]"}[opcode]
    content = empty + b"q\x00"
    for level in range(levels):
        inside = b"(" + b"h" + bytes([level]) + b"h" + bytes([level]) + opcode
        content += inside + b"q" + bytes([level + 1])
    return content


def _pickled(content: bytes) -> bytes:
    return b"\x80\x02" + content + b"."


def _pickle_named(name: bytes, content: bytes) -> bytes:
    return _pickled(b"}X" + struct.pack("<I", len(name)) + name + content + b"s")


def _vrm(path: Path, document: str) -> None:
    raw = document.encode()
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(raw))
    path.write_bytes(head + struct.pack("<I4s", len(raw), b"JSON") + raw)


def _torch_pickle(path: Path, content: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")


PLACES: dict[str, Callable[[Path], Path | None]] = {
    "missing": lambda _: None,
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "loop of links": lambda path: path.symlink_to(path),
    "long name": lambda path: path.with_name("n" * 300 + path.name),
    "long path": lambda path: path.parent / ("n/" * 3000) / path.name,
    "nul": lambda path: path.with_name("n\0" + path.name),
    "control characters": lambda path: path.with_name("\x1b]0;own\x07\n" + path.name),
    "no such user": lambda path: Path("~nosuchuser") / path.name,
}
"""Where a file is looked for; each gives another path, or None for the one it was given."""

CONTENTS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "every byte": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "deep brackets": lambda path: path.write_text("[" * DEEP),
    "deep settings": lambda path: path.write_text("engine = " + "[" * DEEP),
    "deep objects": lambda path: path.write_text('{"format":' * DEEP),
    "settings of many digits": lambda path: path.write_text(f"max-frames = {DIGITS}"),
    "settings of many hexadecimal digits": lambda path: path.write_text(f"width = 0x{DIGITS}"),
    "settings out of range": lambda path: path.write_text("person-height = 1e999"),
    "settings with control characters": lambda path: path.write_text(
        'source = "\\u001b[2J"\nx = 1'
    ),
    "json of many digits": lambda path: path.write_text(f'{{"format": {DIGITS}}}'),
    "json out of range": lambda path: path.write_text(
        '{"format": "realtime-vibe calibration", "version": 1, "focal_share": null, "height_m": 1e999, '
        '"T_world_camera": [1e999], "betas": [], "scale": 1, "shift": []}'
    ),
    "npz, encrypted": _encrypted,
    "npz, bomb": lambda path: _npz(path, _claims_to_unpack_to_100_mb),
    "npz, lying": lambda path: _npz(path, _has_a_header_that_lies, poses=np.zeros((1, 66))),
    "npz, objects": lambda path: _npz(
        path, poses=np.array([{"a": 1}], object), kintree_table=np.array([{}], object)
    ),
    "npz, shapes": lambda path: _npz(
        path, poses=np.zeros(3), trans=np.zeros(()), fps=np.zeros((0, 2))
    ),
    "npz, texts": lambda path: _npz(path, poses=np.array(["x"] * 3), trans=np.array("y")),
    "npz, control characters": lambda path: _npz(path, **{"\x1b[2J\n": np.zeros(2)}),
    "npz, cut": lambda path: (_npz(path), path.write_bytes(path.read_bytes()[:-30])),
    "single array": lambda path: path.write_bytes(_single_array()),
    "bvh, deep": lambda path: path.write_text("HIERARCHY\nROOT a\n{\n" + "JOINT b\n{\n" * DEEP),
    "bvh, endless": lambda path: path.write_text(
        "HIERARCHY\nROOT \x1b[2J\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n}\n"
        "MOTION\nFrames: 1\nFrame Time: 1e999\n1e999 0 0\n"
    ),
    "bvh, frames": lambda path: path.write_text(
        f"HIERARCHY\nROOT a\n{{\n}}\nMOTION\nFrames: {DIGITS}\nFrame Time: 1\n"
    ),
    "bvh, joints that never move": lambda path: path.write_text(
        "HIERARCHY\nROOT a\n{\nCHANNELS 1 Xrotation\n"
        + "JOINT b\n{\n}\n" * 3000
        + "}\nMOTION\nFrames: 30000\nFrame Time: 1\n"
        + "0\n" * 30000
    ),
    "vrm, deep": lambda path: _vrm(path, "[" * DEEP),
    "vrm, digits": lambda path: _vrm(path, f'{{"nodes": {DIGITS}}}'),
    "vrm, nodes": lambda path: _vrm(
        path,
        json.dumps(
            {
                "extensions": {
                    "VRM": {"humanoid": {"humanBones": [{"bone": "\x1b[2J" * 999, "node": 1e300}]}}
                }
            }
        ),
    ),
    "pickle, endless text": lambda path: path.write_bytes(
        _pickle_named(b"sequence", _laughs(b"l"))
    ),
    "pickle, endless key": lambda path: path.write_bytes(
        _pickled(b"}" + _laughs(b"t") + b"K\x01s")
    ),
    "pickle, endless array": lambda path: path.write_bytes(
        _pickle_named(b"v_template", _laughs(b"l", 30))
    ),
    "pickle, in itself": lambda path: path.write_bytes(_pickle_named(b"poses", b"]q\x00h\x00a")),
    "pickle, deep": lambda path: path.write_bytes(
        _pickle_named(b"poses", b"]" * DEEP + b"a" * (DEEP - 1))
    ),
    "pickle, digits": lambda path: path.write_bytes(
        b"(dS'sequence'\nL" + DIGITS.encode() + b"L\ns."
    ),
    "pickle, great number": lambda path: path.write_bytes(
        pickle.dumps({"sequence": 1 << 40_000}, 2)
    ),
    "pickle, great bytes": lambda path: path.write_bytes(
        b"\x80\x05\x96" + (1 << 40).to_bytes(8, "little") + b"x."
    ),
    "pickle, control characters": lambda path: path.write_bytes(
        pickle.dumps({"\x1b[2J\n": "\x1b[2J"}, 2)
    ),
    "torch, endless": lambda path: _torch_pickle(path, _pickled(_laughs(b"l") + b")R")),
    "torch, endless name": lambda path: _torch_pickle(path, _pickled(_laughs(b"l") + b"\x85Q")),
    "torch, compressed": lambda path: _torch_pickle(path, _pickled(b"}"), zipfile.ZIP_DEFLATED),
    "torch, other content": lambda path: torch.save({"\x1b[2J": torch.zeros(2), "size": {}}, path),
    "torch, other layout": lambda path: torch.save(
        {"size": {"hidden": 1 << 70}, "state_dict": {"embedding.mean": 3}, "provenance": {}}, path
    ),
}


EXCEPTIONS = {("settings", "empty"), ("video", "pipe")}
"""What is no fault: settings without a setting, and a pipe that another program writes a video into."""


@pytest.mark.timeout(120)
def test_whatever_lies_there_is_one_error_that_names_the_file(
    tmp_path: Path, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = product(READERS.items(), {**PLACES, **CONTENTS}.items())
    for (name, (suffix, read)), (case, make) in pairs:
        if (name, case) in EXCEPTIONS:
            continue
        with subtests.test(name=name, case=case):
            folder = tmp_path / name / case
            folder.mkdir(parents=True)
            path = folder / f"file{suffix}"
            made = make(path)
            asked = made if case in PLACES and made is not None else path
            if name == "calibration" and not _is_there(asked):
                assert load_calibration(asked) is None
                continue
            with pytest.raises(RealtimeVibeError) as caught:
                read(asked)
            _check_message(str(caught.value), asked)


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return True


def _check_message(message: str, path: Path) -> None:
    assert path.name.removeprefix("n\0").rpartition("\n")[2][-9:] in message
    assert message.isprintable()
    assert len(message) < GREATEST_ERROR


def test_files_that_are_found_by_their_folder_are_one_error_too(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    readers: dict[str, Callable[[Path], object]]
    readers = {"checkpoint.pt": read_checkpoint, "engine.json": Engine}
    places = {case: PLACES[case] for case in ("folder", "pipe", "device", "loop of links")}
    for (name, read), (case, make) in product(readers.items(), {**places, **CONTENTS}.items()):
        with subtests.test(name=name, case=case):
            folder = tmp_path / name / case
            folder.mkdir(parents=True)
            make(folder / name)
            with pytest.raises(RealtimeVibeError) as caught:
                read(folder)
            _check_message(str(caught.value), folder / name)


def test_a_name_that_names_nothing_is_one_error(subtests: pytest.Subtests) -> None:
    for name in ["n" * 300, "n\0", "~nosuchuser/engine", "\x1b[2J", "n/" * 3000]:
        with subtests.test(name=name):
            with pytest.raises(EngineError, match="blazepose-gru") as no_engine:
                Engine(name)
            with pytest.raises(SourceError, match="pattern") as no_clips:
                clips_of((f"{name}*",))
            with pytest.raises(EngineError, match=r"export\.yolov3") as no_detector:
                open_detector(name)
            said = (no_engine.value, no_clips.value, no_detector.value)
            assert "".join(map(str, said)).isprintable()
            assert main([name, "--view", "none"]) == 2
            for find, place in ((folder_source, Path(name)), (glob_source, name)):
                with pytest.raises(SourceError):  # it may go, or be closed to us, meanwhile
                    find(place, fps=30.0, paced=False)


def test_a_name_that_cannot_be_written_is_one_error(
    tmp_path: Path, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    writers: dict[str, Callable[[Path], object]] = {
        "output": lambda path: check_output_path(path, overwrite=True, suffixes=(path.suffix,)),
        "settings": write_settings_template,
        "calibration": lambda path: save_calibration(path / "inside.json", _calibration()),
    }
    cases = ("folder", "pipe", "device", "loop of links", "long name", "long path", "nul")
    for (name, write), case in product(writers.items(), cases):
        with subtests.test(name=name, case=case):
            path = tmp_path / name / f"{case}.npz"
            path.parent.mkdir(exist_ok=True)
            made = PLACES[case](path)
            if case == "folder":
                (path / "inside.json").mkdir()
            with pytest.raises(RealtimeVibeError) as caught:
                write(made or path)
            assert str(caught.value).isprintable()


def _calibration() -> Calibration:
    return Calibration(
        T_world_camera=np.eye(4, dtype=np.float32),
        betas=np.zeros(10, np.float32),
        scale=1.0,
        shift=np.zeros(2, np.float32),
        height_m=1.7,
        focal_share=None,
    )


def test_a_damaged_cache_is_left_out_and_written_anew(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for case in [name for name in CONTENTS if "torch" not in name]:
        with subtests.test(case=case):
            path = tmp_path / "backends.json"
            CONTENTS[case](path)
            cache = ChoiceCache(path)
            assert cache.get("key") is None
            cache.put("key", "openvino")
            assert ChoiceCache(path).get("key") == "openvino"


def test_a_cache_of_nested_entries_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "backends.json"
    nested = "[" * 500 + "]" * 500
    path.write_text(f'{{"format_version": 2, "choices": {{"key": {nested}, "{"k" * 9}": 1e999}}}}')
    cache = ChoiceCache(path)
    cache.put("other", "openvino")
    assert ChoiceCache(path).get("other") == "openvino"
    assert "[[" not in path.read_text()
