"""Reads pickles of plain data without running what a pickle may ask for.

3DPW and SMPL ship as pickles written by Python 2. `pickle.load` runs whatever such a file names; here
only containers, numbers, strings and numeric NumPy arrays come through, and every other name is
refused before anything of it is imported.
"""

import math
import pickle
import pickletools
import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from realtime_vibe.errors import DatasetError, RealtimeVibeError

Global = tuple[str, str]
"""Module and name, as the pickle spells them."""

_DAMAGE = (
    pickle.UnpicklingError, AssertionError, AttributeError, EOFError, IndexError, KeyError,
    MemoryError, NameError, OverflowError, RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip
"""What the unpickler raises on a damaged file: its opcodes work on whatever lies on its stack."""
_KINDS = "biufcSUO"
"""Kinds of NumPy dtypes that may come: numbers, strings, and objects (unpickled the same way)."""


class PlainObject:
    """Stands in for an object of a class that is not imported: keeps its state, does nothing.

    For an extended allow-list: `{("chumpy.ch", "Ch"): PlainObject}` makes a chumpy array a
    `PlainObject` whose `state["x"]` is the NumPy array.
    """

    state: Any = None

    def __new__(cls, *_arguments: object) -> "PlainObject":
        """Accepts and drops constructor arguments."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Called by the unpickler with the object's attributes."""
        self.state = state


def load_pickle(
    path: Path,
    *,
    extra: Mapping[Global, Callable[..., object]] | None = None,
    error: type[RealtimeVibeError] = DatasetError,
) -> Any:
    """Reads one pickle of plain data; strings of Python 2 are taken as latin-1.

    Arrays come out as a subclass of `numpy.ndarray`; `numpy.asarray` gives a plain one.

    Args:
        path: the file.
        extra: more names to allow, and what to call for each: nothing is ever imported. The pickle
            chooses the arguments, so it must be as harmless as `PlainObject`.
        error: what to raise.

    Raises:
        RealtimeVibeError: `error`: the file is missing, is no pickle, is cut off, or names anything
            outside the allow-list.
    """
    try:
        content = path.read_bytes()
        _check_memo(content)
        return _RestrictedUnpickler(content, {**_PLAIN_DATA, **(extra or {})}).load()
    except _RefusedGlobalError as refused:
        raise error(
            f"{path}: the pickle asks for {refused.name}, expected numbers, strings, containers and "
            "NumPy arrays only; nothing was run: get the file from its owner again"
        ) from refused
    except OSError as failure:
        raise error(f"{path}: cannot be read ({failure.strerror or failure})") from failure
    except _DAMAGE as failure:
        raise error(
            f"{path}: not a readable pickle ({type(failure).__name__}: {failure}); the file is cut "
            "off or damaged"
        ) from failure


class _RefusedGlobalError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _check_memo(content: bytes) -> None:
    """Refuses a memo index beyond the file's size: 12 bytes can ask the unpickler for gigabytes."""
    for opcode, argument, _ in pickletools.genops(content):
        is_put = opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"}
        if is_put and isinstance(argument, int) and argument > len(content):
            raise ValueError(f"memo index {argument} in a file of {len(content)} bytes")


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, content: bytes, allowed: Mapping[Global, object]) -> None:
        super().__init__(BytesIO(content), encoding="latin1")
        self._allowed = allowed

    def find_class(self, module: str, name: str, /) -> Any:
        try:
            target = self._allowed[module, name]
        except KeyError:
            raise _RefusedGlobalError(f"{module}.{name}") from None
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
            raise TypeError(f"dtype {code!r}")
        self.dtype: np.dtype[Any] = np.dtype(code)
        if self.dtype.kind not in _KINDS:
            raise ValueError(f"dtype {code!r}")

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
            raise ValueError(f"an array of shape {shape}")
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
    raise TypeError(f"an object of {cls!r}")


def _encode(text: object, encoding: object) -> bytes:
    """How Python 3 writes bytes in protocol 2."""
    if not isinstance(text, str) or encoding not in {"latin1", "latin-1"}:
        raise ValueError(f"text encoded as {encoding!r}")
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
        for kind in (object, list, tuple, dict, set, frozenset):
            allowed[builtins, kind.__name__] = kind
    return allowed


_PLAIN_DATA = _plain_data()

NUMPY_SCALARS: Mapping[str, Callable[..., object]] = {
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}
"""Harmless readers of NumPy's scalars by the names in a pickle, for other restricted unpicklers."""
