"""Pickles of plain data: what Python 2 and 3 wrote comes through, everything else is refused unrun."""

import os
import pickle
import random
import tracemalloc

import numpy as np
import pytest

from realtime_vibe.errors import BodyModelError, DatasetError
from realtime_vibe.models.bounded_pickle import PlainObject
from realtime_vibe.models.restricted_pickle import load_pickle
from tests import python2_pickle

CONTENT = {
    "sequence": "courtyard_00",
    "poses": [np.arange(12.0).reshape(2, 6), np.zeros((0, 72))],
    "valid": np.array([True, False]),
    "frames": np.array([7, -7], np.int64),
    "columns": np.arange(6, dtype=np.float32).reshape(2, 3),
    "scalar": np.float64(0.25),
    "nested": ({"a": None}, 3, 0.5, True),
    "objects": np.array([{"k": 1}, "text"], object),
    "gender": np.array([b"male", b"f"]),
}


def _write(path, data):
    path.write_bytes(data)
    return path


def _assert_equal(got, expected):
    if isinstance(expected, np.ndarray):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(np.asarray(got), expected)
    elif isinstance(expected, dict):
        assert got.keys() == expected.keys()
        for key, value in expected.items():
            _assert_equal(got[key], value)
    elif isinstance(expected, list):
        assert len(got) == len(expected)
        for left, right in zip(got, expected, strict=True):
            _assert_equal(left, right)
    else:
        assert got == expected


def test_what_python_2_wrote_comes_back(tmp_path):
    path = _write(tmp_path / "a.pkl", python2_pickle.dumps(CONTENT))
    assert b"numpy.core.multiarray" in path.read_bytes()
    _assert_equal(load_pickle(path), CONTENT)


def test_what_python_3_wrote_comes_back(tmp_path, subtests):
    for protocol in [0, 1, 2, 3, 4, 5]:
        with subtests.test(protocol=protocol):
            path = _write(tmp_path / "a.pkl", pickle.dumps(CONTENT, protocol))
            _assert_equal(load_pickle(path), CONTENT)


def test_column_order_and_byte_order_are_kept(tmp_path):
    array = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    path = _write(tmp_path / "a.pkl", pickle.dumps(array, 2))
    np.testing.assert_array_equal(np.asarray(load_pickle(path)), array)


class _Hostile:
    def __init__(self, function, *arguments):
        self._made_by = function, arguments

    def __reduce__(self):
        return self._made_by


def test_a_hostile_pickle_runs_nothing_and_is_named(tmp_path, subtests):
    for function, arguments, named in [
        (os.system, ("touch {canary}",), "system"),
        (eval, ("open({canary!r}, 'w')",), "eval"),
        (exec, ("open({canary!r}, 'w')",), "exec"),
        (getattr, (os, "system"), "getattr"),
        (__import__, ("os",), "__import__"),
        (np.load, ("{canary}",), "load"),
    ]:
        for protocol in [0, 2, 4]:
            with subtests.test(
                named=named, arguments=arguments, function=function, protocol=protocol
            ):
                canary = tmp_path / "canary"
                texts = [
                    text.format(canary=str(canary)) if isinstance(text, str) else text
                    for text in arguments
                ]
                if function is getattr:
                    texts = [0, "real"]
                data = pickle.dumps({"poses": _Hostile(function, *texts)}, protocol)
                path = _write(tmp_path / "bad.pkl", data)
                with pytest.raises(
                    DatasetError, match=rf"bad\.pkl: the pickle asks for .*\b{named}\b"
                ):
                    load_pickle(path)
                assert not canary.exists()


def test_allowed_names_cannot_be_turned_to_other_uses(tmp_path, subtests):
    for raw in [
        python2_pickle.call("numpy", "ndarray", (10**9,), "f8"),
        python2_pickle.call("numpy", "dtype", "f8,O"),
        python2_pickle.call("numpy.core.multiarray", "scalar", "f8", b"12345678"),
        python2_pickle.call(
            "copy_reg", "_reconstructor", python2_pickle.name("numpy", "dtype"), 0, 0
        ),
        python2_pickle.call("_codecs", "encode", "x", "zlib"),
    ]:
        with subtests.test(raw=raw):
            path = _write(tmp_path / "odd.pkl", python2_pickle.dumps([raw]))
            with pytest.raises(DatasetError, match=r"odd\.pkl: cannot be read"):
                load_pickle(path)


def test_an_array_that_lies_about_its_size_is_refused(tmp_path, subtests):
    for shape in [(3,), (-1, -2), (2**62, 4), ("2",)]:
        with subtests.test(shape=shape):
            good = python2_pickle.dumps(np.zeros(2))
            assert good.count(python2_pickle._item((2,))) == 1
            shape_code = b"(" + b"".join(
                b"U" + bytes([len(size)]) + size.encode()
                if isinstance(size, str)
                else b"\x8a\x09" + size.to_bytes(9, "little", signed=True)
                for size in shape
            ) + b"t"  # fmt: skip
            path = _write(
                tmp_path / "lie.pkl", good.replace(python2_pickle._item((2,)), shape_code)
            )
            with pytest.raises(DatasetError, match=r"lie\.pkl: cannot be read"):
                load_pickle(path)


def test_every_cut_is_said(tmp_path):
    data = python2_pickle.dumps(CONTENT)
    for end in range(0, len(data), 7):
        path = _write(tmp_path / "cut.pkl", data[:end])
        with pytest.raises(DatasetError, match=r"cut\.pkl"):
            load_pickle(path)


def test_flipped_bytes_raise_nothing_but_our_error(tmp_path):
    data = bytearray(python2_pickle.dumps(CONTENT))
    random_bytes = random.Random(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(3):
            damaged[random_bytes.randrange(len(data))] = random_bytes.randrange(256)
        try:
            load_pickle(_write(tmp_path / "a.pkl", bytes(damaged)))
        except DatasetError:
            refused += 1
    assert refused > 100


def test_what_is_no_pickle_is_said(tmp_path, subtests):
    for content in [b"<!DOCTYPE html>", b"\0\0\0 ftypisom"]:
        with subtests.test(content=content), pytest.raises(DatasetError, match="is no pickle"):
            load_pickle(_write(tmp_path / "SMPL_NEUTRAL.pkl", content))


def test_a_missing_file_is_said_with_the_callers_error(tmp_path):
    with pytest.raises(BodyModelError, match=r"none\.pkl: cannot be read"):
        load_pickle(tmp_path / "none.pkl", error=BodyModelError)


def test_more_names_can_be_allowed_and_import_nothing(tmp_path):
    content = {
        "v_template": python2_pickle.instance("chumpy.ch", "Ch", {"x": np.ones((2, 3))}),
        "J_regressor": python2_pickle.instance(
            "scipy.sparse.csc",
            "csc_matrix",
            {"_shape": (1, 2), "data": np.ones(1), "indices": np.zeros(1, np.int32)},
        ),
    }
    path = _write(tmp_path / "body.pkl", python2_pickle.dumps(content))
    with pytest.raises(DatasetError, match=r"asks for chumpy\.ch\.Ch"):
        load_pickle(path)
    extra = {
        ("chumpy.ch", "Ch"): PlainObject,
        ("scipy.sparse.csc", "csc_matrix"): PlainObject,
    }
    body = load_pickle(path, extra=extra)
    np.testing.assert_array_equal(body["v_template"].state["x"], np.ones((2, 3)))
    assert body["J_regressor"].state["_shape"] == (1, 2)


def test_an_old_style_object_of_protocol_0_is_read(tmp_path):
    data = b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR(dS'x'\nI5\nsb."
    path = _write(tmp_path / "text.pkl", data)
    made = load_pickle(path, extra={("chumpy.ch", "Ch"): PlainObject})
    assert made.state == {"x": 5}


def test_a_dozen_bytes_cannot_reserve_gigabytes(tmp_path):
    tracemalloc.start()
    try:
        assert load_pickle(_write(tmp_path / "put.pkl", b"\x80\x02]r\xff\xff\xff\xff.")) == []
        with pytest.raises(DatasetError, match=r"string\.pkl"):
            load_pickle(_write(tmp_path / "string.pkl", b"\x80\x02T\xff\xff\xff\x7fabc."))
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
