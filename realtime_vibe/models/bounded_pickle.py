"""Unpickles without letting a small file grow: no gigabytes from a dozen bytes, no structure without end.

Objects in a pickle are shared by reference, so that forty tuples, each of twice the one before, hold 2^40 values.
To build them costs nothing; to hash, compare, copy or print them never ends.
"""

import pickle
from collections.abc import Callable, Iterable
from typing import IO, Any, ClassVar

import numpy as np

_MOST_VALUES = 10_000_000
"""What a file may hold when every reference is followed."""
_MOST_IN_TUPLES = 10_000
"""The same of tuples inside a tuple: to look one up as a key is to follow all of it."""
_DEEPEST = 100
_FREE_BYTES = 1 << 20
_REFERENCE_BYTES = 8


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


class BoundedUnpickler(pickle._Unpickler):
    """Python's unpickler in Python, which weighs what it builds. Subclasses say which names are allowed.

    Args:
        file: at the start of a pickle; of Python 2, strings are taken as latin-1.
        max_copied_bytes: what arrays, bytes and sets made of other values of the file may take, beside a megabyte.
    """

    dispatch: ClassVar[dict[int, Callable[[Any], None]]]
    stack: list[Any]
    append: Callable[[object], None]
    read: Callable[[int], bytes]

    def __init__(self, file: IO[bytes], *, max_copied_bytes: int) -> None:
        super().__init__(file, encoding="latin1")
        self._copied_left = max_copied_bytes + _FREE_BYTES
        self._tuples: dict[int, tuple[object, int]] = {}
        """By identity: the tuple, which is kept so that no other gets its place, and how many are in it."""

    def load(self) -> Any:
        """The content.

        Raises:
            Exception: it is none, is cut off, or grows without end.
        """
        try:
            return super().load()
        except KeyError:  # of the operations: Python names a number
            raise pickle.UnpicklingError(
                "it is no pickle, or a damaged one; downloads without a log-in are web pages"
            ) from None

    def weigh_tuple(self) -> None:
        """Of the tuple that was made last."""
        made = self.stack[-1]
        inside = (self._tuples[id(each)][1] for each in made if id(each) in self._tuples)
        weight = 1 + sum(inside)
        if weight > _MOST_IN_TUPLES:
            raise pickle.UnpicklingError("tuples of tuples without end")
        self._tuples[id(made)] = made, weight

    def weigh_copy(self) -> None:
        """Of the object that was made or filled last."""
        made = self.stack[-1]
        if isinstance(made, np.ndarray):
            self._copied_left -= made.nbytes
        elif isinstance(made, bytes):
            self._copied_left -= len(made)
        elif isinstance(made, (set, frozenset)):
            self._copied_left -= _REFERENCE_BYTES * len(made)
        if self._copied_left < 0:
            raise pickle.UnpicklingError("it would grow to many times its size")

    def load_bytearray(self) -> None:
        """Not as Python does, which takes the memory before it looks whether there is anything to fill it."""
        length = int.from_bytes(self.read(8), "little")
        content = self.read(length)
        if len(content) != length:
            raise pickle.UnpicklingError("pickle data was truncated")
        self.append(bytearray(content))


def _then(
    load: Callable[[Any], None], weigh: Callable[[BoundedUnpickler], None]
) -> Callable[[Any], None]:
    def weighed(unpickler: BoundedUnpickler) -> None:
        load(unpickler)
        weigh(unpickler)

    return weighed


_LOADS = pickle._Unpickler.dispatch
BoundedUnpickler.dispatch = {
    **_LOADS,
    **{
        code[0]: _then(_LOADS[code[0]], BoundedUnpickler.weigh_tuple)
        for code in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)
    },
    **{
        code[0]: _then(_LOADS[code[0]], BoundedUnpickler.weigh_copy)
        for code in (pickle.REDUCE, pickle.BUILD, pickle.FROZENSET)
    },
    pickle.BYTEARRAY8[0]: BoundedUnpickler.load_bytearray,
}


def check_expanded(root: object) -> None:
    """Refuses a structure that has no end, or that is too large or too deep once every reference is followed.

    Raises:
        ValueError: says which.
    """
    found: dict[int, tuple[int, int] | None] = {}
    """Values and depth by identity; None while what is inside is counted."""
    waiting: list[tuple[object, bool]] = [(root, False)]
    while waiting:
        value, is_counted = waiting.pop()
        if is_counted:
            below = [found[id(each)] or (1, 0) for each in _content(value)]
            size = 1 + sum(each[0] for each in below)
            depth = 1 + max((each[1] for each in below), default=0)
            if size > _MOST_VALUES or depth > _DEEPEST:
                raise ValueError("a structure without end")
            found[id(value)] = size, depth
        elif id(value) not in found:
            found[id(value)] = None
            waiting.append((value, True))
            waiting.extend((each, False) for each in _content(value))
        elif found[id(value)] is None:
            raise ValueError("a structure that holds itself")


def _content(value: object) -> Iterable[object]:
    if isinstance(value, _Anything):
        return [value.state, value.arguments, *value.keys(), *value.values()]
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if isinstance(value, PlainObject):
        return [value.state]
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return value.ravel().tolist()
    return ()


class _Anything(dict[Any, Any], PlainObject):
    """Whatever a pickle asks for, without any of its abilities."""

    def __init__(self, *arguments: object) -> None:
        super().__init__()
        self.arguments = arguments

    __hash__ = object.__hash__  # type: ignore[assignment]


class _DryUnpickler(BoundedUnpickler):
    def find_class(self, _module: str, _name: str, /) -> Any:
        return _Anything

    def persistent_load(self, pid: object) -> Any:
        check_expanded(pid)
        return None


def check_pickle(file: IO[bytes]) -> None:
    """Reads one pickle without making any of the objects it names, to see whether it has an end.

    For files that another library will read, whose error messages may follow all that it holds.

    Raises:
        Exception: it is none, is cut off, or has no end.
    """
    check_expanded(_DryUnpickler(file, max_copied_bytes=0).load())
