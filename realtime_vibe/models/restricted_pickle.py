"""Reads pickles of plain data without running what a pickle may ask for.

3DPW and SMPL ship as pickles written by Python 2. `pickle.load` runs whatever such a file names; here
only containers, numbers, strings and numeric NumPy arrays come through, and every other name is
refused before anything of it is imported. What comes through is bounded as well, see `bounded_pickle`.
"""

import math
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from realtime_vibe.errors import DatasetError, RealtimeVibeError, one_line
from realtime_vibe.models.bounded_pickle import BoundedUnpickler, PlainObject, check_expanded
from realtime_vibe.system.file_boundary import file_boundary, read_regular

Global = tuple[str, str]
"""Module and name, as the pickle spells them."""

_MAX_BYTES = 1 << 30
_COPIED_SHARE = 16
"""So many times its own size a file may fill with arrays: a reference of two bytes can copy all of another."""
_KINDS = "biufcSUO"
"""Kinds of NumPy dtypes that may come: numbers, strings, and objects (unpickled the same way)."""


def load_pickle(
    path: Path,
    *,
    extra: Mapping[Global, Callable[..., object]] | None = None,
    error: type[RealtimeVibeError] = DatasetError,
) -> Any:
    """Reads one pickle of plain data; strings of Python 2 are taken as latin-1.

    Arrays come out as a subclass of `numpy.ndarray`; `numpy.asarray` gives a plain one.

    Args:
        extra: more names to allow, and what to call for each: nothing is ever imported. The pickle
            chooses the arguments, so it must be as harmless as `PlainObject`.

    Raises:
        RealtimeVibeError: `error`: the file is missing, is no pickle, is cut off, or names anything
            outside the allow-list.
    """
    with file_boundary(path, error, "expected a pickle of plain data; it is cut off or damaged"):
        content = read_regular(path, _MAX_BYTES)
        value = _RestrictedUnpickler(content, {**_PLAIN_DATA, **(extra or {})}, error).load()
        check_expanded(value)
        return value


class _RestrictedUnpickler(BoundedUnpickler):
    def __init__(
        self, content: bytes, allowed: Mapping[Global, object], error: type[RealtimeVibeError]
    ) -> None:
        super().__init__(BytesIO(content), max_copied_bytes=_COPIED_SHARE * len(content))
        self._allowed, self._error = allowed, error

    def find_class(self, module: str, name: str, /) -> Any:
        try:
            target = self._allowed[module, name]
        except KeyError:
            raise self._error(
                f"the pickle asks for {one_line(module, 80)}.{one_line(name, 80)}, expected numbers, strings, "
                "containers and NumPy arrays only; nothing was run: get the file from its owner again"
            ) from None
        if isinstance(target, type) or not callable(target):
            return target
        return _throw_away(target)


def _throw_away(function: Callable[..., object]) -> Callable[..., object]:
    """The function behind one of its own: a pickle can set attributes on what it is given."""

    def call(*arguments: object) -> object:
        return function(*arguments)

    return call


class _Dtype:
    """A dtype as the pickle describes it, built only when it is known to be harmless.

    NumPy's own `dtype.__setstate__` believes any flags and offsets it is given.
    """

    def __init__(self, code: object, *_align_and_copy: object) -> None:
        if not isinstance(code, str):
            raise TypeError("a dtype without a name")
        self.dtype: np.dtype[Any] = np.dtype(code)
        if self.dtype.kind not in _KINDS:
            raise ValueError(f"dtype {one_line(code, 40)}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, subdtype, names, fields = state[1:5]
        if (subdtype, names, fields) != (None, None, None):
            raise ValueError("a structured dtype")
        if order in {"<", ">"}:
            self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray[Any, Any]):
    """An array that checks its state before NumPy takes it."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, described, is_fortran, data = state
        dtype = _checked(described)
        if any(not isinstance(size, int) or size < 0 for size in shape):
            raise ValueError(f"an array of shape {one_line(shape)}")
        count = math.prod(shape)
        if dtype.kind == "O":
            if not isinstance(data, list) or len(data) != count:
                raise ValueError(f"an object array {shape} without its items")
        else:
            data = _bytes(data)
            if len(data) != count * dtype.itemsize:
                raise ValueError(f"{len(data)} bytes for an array {shape} of {dtype}")
        checked_state: Any = (1, tuple(shape), dtype, bool(is_fortran), data)
        super().__setstate__(checked_state)


def _checked(described: object) -> np.dtype[Any]:
    if not isinstance(described, _Dtype):
        raise TypeError(f"{type(described).__name__} in place of a dtype")
    return described.dtype


def _bytes(data: object) -> bytes:
    """Raw values; Python 2's byte strings were decoded as latin-1 on the way."""
    if isinstance(data, str):
        return data.encode("latin1")
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    raise TypeError(f"{type(data).__name__} in place of an array's bytes")


def _reconstruct(*_subtype_shape_code: object) -> _Array:
    return _Array((0,), np.int8)


def _scalar(described: object, data: object = b"") -> Any:
    dtype = _checked(described)
    if dtype.kind == "O":
        raise ValueError("an object scalar")
    return np.frombuffer(_bytes(data), dtype, count=1)[0]


def _from_buffer(data: object, described: object, shape: object, order: object) -> Any:
    dtype = _checked(described)
    if dtype.kind == "O" or order not in {"C", "F"}:
        raise ValueError("an array that is no block of numbers")
    flat: Any = np.frombuffer(_bytes(data), dtype)
    return flat.reshape(shape, order=order)


def _reconstructor(cls: object, _base: object, _state: object) -> PlainObject:
    """How protocols 0 and 1 make an object."""
    if isinstance(cls, type) and issubclass(cls, PlainObject):
        return cls()
    raise TypeError("an object of a class that is not read")


def _encode(text: object, encoding: object) -> bytes:
    """How Python 3 writes bytes in protocol 2."""
    if not isinstance(text, str) or encoding not in {"latin1", "latin-1"}:
        raise ValueError("text in another encoding than latin-1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How Python 3 writes empty bytes in protocol 2."""
    return b""


def _plain_data() -> dict[Global, object]:
    allowed: dict[Global, object] = {
        # Only ever an argument of _reconstruct. Calling it would be a way to allocate at will.
        ("numpy", "ndarray"): "ndarray",
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _encode,
        ("__builtin__", "bytes"): _no_bytes,
        ("copy_reg", "_reconstructor"): _reconstructor,
        ("copyreg", "_reconstructor"): _reconstructor,
    }
    for core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
        allowed[f"{core}.multiarray", "_reconstruct"] = _reconstruct
        allowed[f"{core}.multiarray", "scalar"] = _scalar
        allowed[f"{core}.numeric", "_frombuffer"] = _from_buffer
    for builtins in ("__builtin__", "builtins"):  # Python 2 and 3
        for kind in (object, set, frozenset):  # the other containers have opcodes of their own
            allowed[builtins, kind.__name__] = kind
    return allowed


_PLAIN_DATA = _plain_data()

NUMPY_SCALARS: Mapping[str, Callable[..., object]] = {
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}
"""Harmless readers of NumPy's scalars by the names in a pickle, for other restricted unpicklers."""
