"""Reads SMPL's official model files without running anything that is in them.

Three kinds are known: the `.pkl` of 2015 to 2020, pickled by Python 2 with chumpy arrays and a SciPy
matrix; the same, cleaned of chumpy; and `.npz` of plain arrays. Neither chumpy nor SciPy is imported.
Legend: V = 6890 vertices, F = 13776 triangles.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.errors import BodyModelError, one_line
from realtime_vibe.models.bounded_pickle import PlainObject
from realtime_vibe.models.restricted_pickle import load_pickle
from realtime_vibe.system.file_boundary import file_boundary, open_regular, reason_of
from realtime_vibe.system.npz_file import open_npz, read_npy

NUM_VERTICES = 6890
NUM_FACES = 13776
NUM_EXTRA_JOINTS = 9
MAX_UNPACKED_BYTES = 1 << 27
"""Of arrays. With 300 shape components in doubles they have 90 MB; a small archive can unpack to more."""

_SHAPES: Mapping[str, tuple[int | None, ...]] = {
    "v_template": (NUM_VERTICES, 3),
    "shapedirs": (NUM_VERTICES, 3, None),
    "posedirs": (NUM_VERTICES, 3, 207),
    "J_regressor": (24, NUM_VERTICES),
    "weights": (NUM_VERTICES, 24),
    "kintree_table": (2, 24),
    "f": (NUM_FACES, 3),
}
_INTEGERS = ("kintree_table", "f")
_MAX_NESTING = 4
"""Selections of selections; official files have one."""


class _Chumpy(PlainObject):
    """`chumpy.ch.Ch`: `x` holds the values."""


class _ChumpySelection(PlainObject):
    """`chumpy.reordering.Select`: the values `idxs` of `a`, in `preferred_shape`."""


class _SparseColumns(PlainObject):
    """SciPy's matrix in compressed columns."""


class _OtherSparse(PlainObject):
    """Matrices of other layouts, which chumpy objects may keep as caches."""


_FOREIGN = {
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _ChumpySelection,
    ("scipy.sparse.csc", "csc_matrix"): _SparseColumns,
    ("scipy.sparse._csc", "csc_matrix"): _SparseColumns,
    ("scipy.sparse._csc", "csc_array"): _SparseColumns,
    ("scipy.sparse.csr", "csr_matrix"): _OtherSparse,
    ("scipy.sparse._csr", "csr_matrix"): _OtherSparse,
    ("scipy.sparse.coo", "coo_matrix"): _OtherSparse,
    ("scipy.sparse._coo", "coo_matrix"): _OtherSparse,
}


def read_smpl(path: Path) -> dict[str, NDArray[Any]]:
    """The seven arrays of an official SMPL file, checked for presence, shape and kind.

    Floats stay as they are stored (double); `shapedirs` keeps all its components.

    Raises:
        BodyModelError: the file is missing, damaged, hostile, or not a SMPL model.
    """
    with file_boundary(path, BodyModelError, _EXPECTED):
        if path.suffix == ".npz":
            arrays = _read_npz(path)
        else:
            content = load_pickle(path, extra=_FOREIGN, error=BodyModelError)
            if not isinstance(content, dict):
                raise BodyModelError(f"a pickled {type(content).__name__}, {_EXPECTED}")
            arrays = {name: _dense(name, content) for name in _SHAPES}
        for name, array in arrays.items():
            _check(name, array, _SHAPES[name], name in _INTEGERS)
        return arrays


def read_extra_regressor(path: Path) -> NDArray[Any]:
    """(9, V) of `J_regressor_extra.npy`: the joints of the paper's list that SMPL does not have.

    Raises:
        BodyModelError: the file is missing, damaged, or of another shape.
    """
    advice = "expected J_regressor_extra.npy from VIBE's vibe_data folder"
    with file_boundary(path, BodyModelError, advice), open_regular(path) as file:
        array = read_npy(file, min(path.stat().st_size, MAX_UNPACKED_BYTES), "the array")
        _check("it", array, (NUM_EXTRA_JOINTS, NUM_VERTICES), integer=False)
        return array


_EXPECTED = (
    "expected the dictionary of an official SMPL model; get SMPL_NEUTRAL.pkl or the like from "
    "smpl.is.tue.mpg.de"
)


def _check(name: str, array: NDArray[Any], shape: tuple[int | None, ...], integer: bool) -> None:
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        expected = ", ".join("10 or more" if size is None else str(size) for size in shape)
        raise BodyModelError(
            f"{name} has shape {array.shape}, expected ({expected}): only SMPL fits, not SMPL-H, "
            "SMPL-X or STAR"
        )
    if array.dtype.kind not in ("iu" if integer else "f"):
        wanted = "integers" if integer else "floating point numbers"
        raise BodyModelError(f"{name} has dtype {array.dtype}, expected {wanted}")
    if shape[-1] is None and array.shape[-1] < 10:
        raise BodyModelError(f"{name} has {array.shape[-1]} components, expected 10 or more")
    if not integer and not np.isfinite(array).all():
        raise BodyModelError(f"{name} has values that are not finite; the file is damaged")


def _missing(name: str, got: Mapping[Any, Any]) -> BodyModelError:
    names = ", ".join(sorted(one_line(key, 40) for key in got)[:20]) or "nothing"
    return BodyModelError(f"no {name}; got {names}; {_EXPECTED}")


def _dense(name: str, content: Mapping[Any, Any]) -> NDArray[Any]:
    if name not in content:
        raise _missing(name, content)
    try:
        if isinstance(content[name], _SparseColumns):
            return _dense_columns(content[name].state, _SHAPES[name])
        return _values(content[name], _MAX_NESTING)
    except Exception as error:
        raise BodyModelError(
            f"{name} is not a readable array ({reason_of(error)}); the file is damaged: get it from "
            "its owner again"
        ) from error


def _values(value: object, nesting: int) -> NDArray[Any]:
    """The numbers of a NumPy or chumpy array."""
    if nesting == 0:
        raise ValueError("selections of selections without end")
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if isinstance(value, _Chumpy):
        return _values(value.state["x"], nesting - 1)
    if isinstance(value, _ChumpySelection):
        state = value.state
        indices = _values(state["idxs"], 1)
        if indices.dtype.kind not in "iu":
            raise TypeError(f"indices of {indices.dtype}")
        chosen: NDArray[Any] = _values(state["a"], nesting - 1).reshape(-1)[indices]
        return chosen.reshape(state.get("preferred_shape", chosen.shape))
    raise TypeError(f"a {type(value).__name__.lstrip('_')} in place of an array")


def _dense_columns(state: Any, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """The matrix of a SciPy object's state; its size is known before memory is taken."""
    if not isinstance(state, Mapping):
        raise TypeError("a sparse matrix without content")
    stated = state["_shape"]
    if stated != shape:
        raise ValueError(f"a sparse matrix of shape {one_line(stated, 60)}, expected {shape}")
    data, rows, starts = (_values(state[key], 1) for key in ("data", "indices", "indptr"))
    num_rows, num_columns = stated
    if any(array.ndim != 1 for array in (data, rows, starts)) or data.dtype.kind != "f":
        raise ValueError("a sparse matrix whose parts are no rows of numbers")
    if rows.dtype.kind not in "iu" or starts.dtype.kind not in "iu":
        raise TypeError(f"sparse indices of {rows.dtype} and {starts.dtype}")
    starts = starts.astype(np.int64)
    counts = starts[1:] - starts[:-1]
    fits = len(starts) == num_columns + 1 and starts[0] == 0 and (counts >= 0).all()
    if not fits or not len(data) == len(rows) == starts[-1]:
        raise ValueError("a sparse matrix whose columns do not add up")
    if len(rows) and not 0 <= rows.min() <= rows.max() < num_rows:
        raise ValueError(f"a sparse matrix that names row {rows.max()} of {num_rows}")
    dense = np.zeros((num_rows, num_columns))
    np.add.at(dense, (rows, np.repeat(np.arange(num_columns), counts)), data)
    return dense


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    with open_npz(path, BodyModelError, _EXPECTED, max_bytes=MAX_UNPACKED_BYTES) as archive:
        arrays = {}
        for name in _SHAPES:
            if name not in archive:
                raise _missing(name, archive)
            arrays[name] = archive[name]
        return arrays
