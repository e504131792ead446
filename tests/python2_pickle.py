"""Writes pickles as Python 2 with NumPy 1.x did: protocol 2, byte strings, modules of that time."""

import pickle
import struct

import numpy as np


def dumps(value):
    """The whole pickle of containers, strings, numbers, NumPy arrays and what else is made here."""
    return pickle.PROTO + b"\x02" + _item(value) + pickle.STOP


def _item(value):
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write(value)
    raise TypeError(type(value))


class Raw:
    """Opcodes that are put in as they are."""

    def __init__(self, code):
        self.code = code


def name(module, attribute):
    """A global, by name."""
    return Raw(pickle.GLOBAL + f"{module}\n{attribute}\n".encode())


def call(module, attribute, *arguments):
    """The result of calling a global."""
    return Raw(_call(module, attribute, *arguments))


def instance(module, attribute, state):
    """An object of a new-style class, with its state."""
    cls = name(module, attribute).code
    return Raw(cls + pickle.EMPTY_TUPLE + pickle.NEWOBJ + _item(state) + pickle.BUILD)


def _call(module, attribute, *arguments):
    return name(module, attribute).code + _item(arguments) + pickle.REDUCE


def _items(values):
    return b"".join(_item(value) for value in values)


def _string(data):
    return pickle.BINSTRING + struct.pack("<i", len(data)) + data


def _dtype(dtype):
    code = "O8" if dtype.kind == "O" else dtype.str.lstrip("<>|=")
    order = "|" if dtype.byteorder == "|" or dtype.kind in "OS" else "<"
    state = (3, order, None, None, None, -1, -1, 63 if dtype.kind == "O" else 0)
    return Raw(_call("numpy", "dtype", code, 0, 1) + _item(state) + pickle.BUILD)


def _array(array):
    made = _call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), (0,), "b")
    if array.dtype.kind == "O":
        data = array.ravel().tolist()
    else:
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return made + _item((1, array.shape, _dtype(array.dtype), False, data)) + pickle.BUILD


def _dict(value):
    flat = [part for pair in value.items() for part in pair]
    return pickle.EMPTY_DICT + pickle.MARK + _items(flat) + pickle.SETITEMS


_WRITERS = {
    Raw: lambda value: value.code,
    type(None): lambda _: pickle.NONE,
    np.generic: lambda value: _call(
        "numpy.core.multiarray", "scalar", _dtype(value.dtype), value.tobytes()
    ),
    bool: lambda value: pickle.NEWTRUE if value else pickle.NEWFALSE,
    int: lambda value: pickle.BININT + struct.pack("<i", value),
    float: lambda value: pickle.BINFLOAT + struct.pack(">d", value),
    str: lambda value: _string(value.encode("latin1")),
    bytes: _string,
    list: lambda value: pickle.EMPTY_LIST + pickle.MARK + _items(value) + pickle.APPENDS,
    tuple: lambda value: pickle.MARK + _items(value) + pickle.TUPLE,
    dict: _dict,
    np.ndarray: _array,
}
