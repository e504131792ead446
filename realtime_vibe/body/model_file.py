"""Reads a body file: SMPL's arrays under SMPL's names in one `.npz`.

Legend: V vertices, F triangles, J = 24 joints, K = 33 landmarks, P pose blend components (207 or
0). Rest frame: T-pose, y up, facing +z, left arm along +x, metres.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import PARENTS
from realtime_vibe.errors import BodyModelError, one_line
from realtime_vibe.packets import (
    LARGEST,
    NUM_BETAS,
    NUM_LANDMARKS,
    NUM_SMPL_JOINTS,
    FloatArray,
    are_sound,
)
from realtime_vibe.system.file_boundary import reason_of
from realtime_vibe.system.npz_file import open_npz

NUM_POSE_FEATURES = (NUM_SMPL_JOINTS - 1) * 9
"""207: the rotation matrices of all joints but the root, minus the identity."""

NUM_EXTRA_JOINTS = 9
"""Rows of `J_regressor_extra` (Kolotouros et al. 2019 publish them, SPIN)."""

_ROW_SUM_TOLERANCE = 1e-3
_LARGEST_WEIGHT = 10.0
"""Of one vertex; fitted regressors have a few beyond 1, and below 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyModel:
    """The arrays of one body; SMPL and bodies in its format look alike."""

    v_template: FloatArray
    """(V, 3) [m]."""
    shapedirs: FloatArray
    """(V, 3, 10) [m per standard deviation]."""
    posedirs: FloatArray
    """(V, 3, P) [m]; P = 207, or 0 for a body without pose blend shapes."""
    J_regressor: FloatArray
    """(24, V), rows sum to 1."""
    weights: FloatArray
    """(V, 24) skinning weights, rows sum to 1."""
    faces: NDArray[np.int32]
    """(F, 3) triangles, normals outwards."""
    blazepose_regressor: FloatArray | None = None
    """(33, V) rows that sum to 1 and give BlazePose's landmarks; None where the file has none."""
    J_regressor_extra: FloatArray | None = None
    """(9, V) the joints that complete the paper's list of 49; only licensed bodies have them."""
    metadata: Mapping[str, object] = field(default_factory=dict)
    """What the file says about itself: source, licence, heights."""

    def __post_init__(self) -> None:
        num_vertices = self.v_template.size // 3
        _expect("v_template", self.v_template, (num_vertices, 3))
        _expect("shapedirs", self.shapedirs, (num_vertices, 3, NUM_BETAS))
        _expect("J_regressor", self.J_regressor, (NUM_SMPL_JOINTS, num_vertices))
        _expect("weights", self.weights, (num_vertices, NUM_SMPL_JOINTS))
        _expect("f", self.faces, (self.faces.size // 3, 3))
        components = NUM_POSE_FEATURES if self.posedirs.shape[-1] else 0
        _expect("posedirs", self.posedirs, (num_vertices, 3, components))
        if self.faces.size and not 0 <= self.faces.min() <= self.faces.max() < num_vertices:
            raise BodyModelError(
                f"f names vertex {self.faces.max()}, expected 0 to {num_vertices - 1}"
            )
        _expect_unit_rows("J_regressor", self.J_regressor)
        _expect_unit_rows("weights", self.weights)
        if self.blazepose_regressor is not None:
            _expect("blazepose_regressor", self.blazepose_regressor, (NUM_LANDMARKS, num_vertices))
            _expect_unit_rows("blazepose_regressor", self.blazepose_regressor)
        if self.J_regressor_extra is not None:
            # Their rows need not sum to 1: the paper applies them to bodies at the origin only.
            _expect("J_regressor_extra", self.J_regressor_extra, (NUM_EXTRA_JOINTS, num_vertices))

    @property
    def gender(self) -> str:
        """As AMASS files state it: neutral, male or female."""
        return str(self.metadata.get("gender", "neutral"))

    @property
    def num_vertices(self) -> int:
        """V."""
        return len(self.v_template)


class RestSkeleton(NamedTuple):
    """Where a body's joints are before it is posed."""

    joints: NDArray[np.float64]
    """(24, 3) of the mean shape [m]."""
    shapedirs: NDArray[np.float64]
    """(24, 3, 10) [m per standard deviation]."""


def rest_skeleton(model: BodyModel) -> RestSkeleton:
    """The joints that a body's regressor finds in the template, and how shape moves them."""
    regressor = model.J_regressor.astype(np.float64)
    return RestSkeleton(
        joints=regressor @ model.v_template,
        shapedirs=np.einsum("jv,vcb->jcb", regressor, model.shapedirs, optimize=True),
    )


def load_body(path: Path) -> BodyModel:
    """Reads and checks a body file.

    Shape components beyond the first ten are left out (SMPL's files hold up to 300).

    Raises:
        BodyModelError: the file is missing or damaged, or an array is missing or unfit.
    """
    with open_npz(path, BodyModelError, "expected a body file (.npz)") as archive:
        return body_from_arrays(dict(archive))


def body_from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> BodyModel:
    """The body of a file's arrays, checked.

    Raises:
        BodyModelError: an array is missing or unfit.
    """
    _check_tree(_array(arrays, "kintree_table", "iu"))
    shapedirs = _floats(arrays, "shapedirs")
    landmarks, extra = "blazepose_regressor", "J_regressor_extra"
    return BodyModel(
        v_template=_floats(arrays, "v_template"),
        shapedirs=np.ascontiguousarray(shapedirs[..., :NUM_BETAS]),
        posedirs=_floats(arrays, "posedirs"),
        J_regressor=_floats(arrays, "J_regressor"),
        weights=_floats(arrays, "weights"),
        faces=_indices(arrays, "f"),
        blazepose_regressor=_floats(arrays, landmarks) if landmarks in arrays else None,
        J_regressor_extra=_floats(arrays, extra) if extra in arrays else None,
        metadata=_metadata(arrays),
    )


def _array(arrays: Mapping[str, NDArray[np.generic]], name: str, kinds: str) -> NDArray[np.generic]:
    if name not in arrays:
        raise BodyModelError(
            f"no array {name}; got {one_line(', '.join(sorted(arrays)) or 'none')}"
        )
    array = arrays[name]
    if array.dtype.kind not in kinds:
        wanted = "floating point" if kinds == "f" else "integer"
        raise BodyModelError(f"{name} has dtype {array.dtype}, expected {wanted}")
    return array


def _floats(arrays: Mapping[str, NDArray[np.generic]], name: str) -> FloatArray:
    array = np.ascontiguousarray(_array(arrays, name, "f"), np.float32)
    if not are_sound(array):
        raise BodyModelError(f"{name} has values that are not finite or beyond {LARGEST:g}")
    return array


def _indices(arrays: Mapping[str, NDArray[np.generic]], name: str) -> NDArray[np.int32]:
    array = _array(arrays, name, "iu")
    indices = array.astype(np.int32)
    if not (indices == array).all():
        raise BodyModelError(f"{name} has numbers of no vertex")
    return indices


def _check_tree(kintree_table: NDArray[np.generic]) -> None:
    _expect("kintree_table", kintree_table, (2, NUM_SMPL_JOINTS))
    # The root's parent is -1, which SMPL's unsigned table holds as 4294967295.
    parents = kintree_table[0].astype(np.int64)
    if tuple(parents[1:]) != PARENTS[1:]:
        raise BodyModelError(
            f"kintree_table has parents {parents[1:].tolist()}, expected SMPL's {list(PARENTS[1:])}"
        )


def _metadata(arrays: Mapping[str, NDArray[np.generic]]) -> Mapping[str, object]:
    if "metadata" not in arrays:
        return {}
    try:
        metadata = json.loads(str(arrays["metadata"]))
    except (ValueError, RecursionError) as error:
        raise BodyModelError(f"metadata is not JSON ({reason_of(error)})") from error
    if not isinstance(metadata, dict):
        raise BodyModelError(f"metadata is a {type(metadata).__name__}, expected a JSON object")
    return metadata


def _expect(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise BodyModelError(f"{name} has shape {array.shape}, expected {shape}")


def _expect_unit_rows(name: str, array: FloatArray) -> None:
    worst = float(np.abs(array.sum(axis=1, dtype=np.float64) - 1.0).max(initial=0.0))
    if worst > _ROW_SUM_TOLERANCE:
        raise BodyModelError(f"{name} has a row whose sum is {worst:.3g} away from 1")
    if not are_sound(array, largest=_LARGEST_WEIGHT):
        raise BodyModelError(f"{name} has weights beyond {_LARGEST_WEIGHT:g}, expected 0 to 1")
