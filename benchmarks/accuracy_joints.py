"""The joints that accuracy is measured on: names, named sets, and where each method has them.

A truth of SMPL bodies has SMPL's joints. A truth made from pictures has joints where people mark
them: shoulders 5 cm above the joint's centre, ankles 4 cm. Papers read such joints off the mesh with
a regressor of the data set; the set `marked` does, with the body's BlazePose landmarks. What is left of
a difference in definition, 20 to 30 mm, is in every method's error.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from realtime_vibe.body.joints import BLAZEPOSE_LANDMARK_NAMES, SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import BodyModel
from realtime_vibe.errors import DatasetError
from realtime_vibe.packets import BodyMesh

_LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_LIMB_JOINTS = tuple(f"{side}_{joint}" for joint in _LIMBS for side in ("left", "right"))
_TORSO_EXTRAS = {"spine": "spine2"}
"""`spine` of H36M and MPI-INF-3DHP lies half way from pelvis to neck: SMPL's spine2."""

HEAD_TOP = "head_top"
"""Not a joint of SMPL: the mesh's vertex that is highest in the rest pose."""

KNOWN_JOINTS = (*SMPL_JOINT_NAMES, *_TORSO_EXTRAS, HEAD_TOP)
"""Every joint a truth may have."""

_FEWEST_JOINTS = 3  # a similarity transform is not determined by fewer


@dataclass(frozen=True, slots=True, kw_only=True)
class JointSet:
    """Which joints are scored, and what is put at the origin first."""

    name: str
    joints: tuple[str, ...]
    """The scored joints; full names."""
    root: tuple[str, ...]
    """The root is the middle of these; they need not be scored."""
    has_landmarks: bool
    """Whether BlazePose has all of them, so that it can be compared."""
    are_marked: bool = False
    """Whether ours are read off the mesh where people mark them, not at SMPL's joints."""
    regressor: NDArray[np.float64] | None = field(default=None, compare=False)
    """(K, V) shares of the vertices that make ours, in the order of `gathered`; None: SMPL's joints."""

    @property
    def gathered(self) -> tuple[str, ...]:
        """The scored joints, then the root's that are not scored."""
        return (*self.joints, *(name for name in self.root if name not in self.joints))

    @property
    def root_weights(self) -> NDArray[np.float64]:
        """(K,) over `gathered`; they sum to 1."""
        is_root = [float(name in self.root) for name in self.gathered]
        return np.array(is_root) / len(self.root)


NAMED_SETS = (
    JointSet(
        name="lsp14",
        joints=(*_LIMB_JOINTS, "neck", "head"),
        root=("left_hip", "right_hip"),
        has_landmarks=False,
    ),
    JointSet(
        name="h36m14",
        joints=(*_LIMB_JOINTS, "neck", "head"),
        root=("pelvis",),
        has_landmarks=False,
    ),
    JointSet(
        name="mpi17",
        joints=(*_LIMB_JOINTS, HEAD_TOP, "neck", "pelvis", "spine", "head"),
        root=("pelvis",),
        has_landmarks=False,
    ),
    JointSet(name="smpl24", joints=SMPL_JOINT_NAMES, root=("pelvis",), has_landmarks=False),
)
"""Protocols by name. `lsp14` is 3DPW's (root: middle of the hips, Kocabas et al. 2020), `h36m14`
the same joints about the pelvis (Kolotouros et al. 2019), `mpi17` MPI-INF-3DHP's test joints. The
papers regress their joints from the mesh with a matrix that is not free (`--regressor` takes it); without it they
are SMPL's own joints, so figures come near the published protocol without being it."""

COMMON = "common"
"""The truth's joints that our body and BlazePose both have, about their middle."""

MARKED = "marked"
"""The same joints, ours where people mark them."""

AUTO = "auto"
"""The default: `marked` for a truth made from pictures, `common` for one of bodies."""

SET_NAMES = (AUTO, COMMON, MARKED, *(known.name for known in NAMED_SETS))


def full_joint_name(name: str) -> str:
    """`left_hip` for `l_hip`, `right_hip` for `r_hip`; other names stay."""
    for short, full in (("l_", "left_"), ("r_", "right_")):
        if name.startswith(short):
            return full + name.removeprefix(short)
    return name


def choose_joint_set(name: str, truth_joints: tuple[str, ...]) -> JointSet:
    """The joints to score on a truth.

    Args:
        name: one of `SET_NAMES`.
        truth_joints: full names.

    Raises:
        DatasetError: the set is unknown, or the truth lacks joints of it.
    """
    if name in {COMMON, MARKED}:
        shared = tuple(
            joint
            for joint in truth_joints
            if joint in SMPL_JOINT_NAMES and joint in BLAZEPOSE_LANDMARK_NAMES
        )
        if len(shared) < _FEWEST_JOINTS:
            raise DatasetError(
                f"the truth has {len(shared)} of the joints that both bodies have, expected at "
                f"least {_FEWEST_JOINTS} of {', '.join(_LIMB_JOINTS)}"
            )
        return JointSet(
            name=name, joints=shared, root=shared, has_landmarks=True, are_marked=name == MARKED
        )
    for known in NAMED_SETS:
        if known.name == name:
            missing = [joint for joint in known.gathered if joint not in truth_joints]
            if missing:
                raise DatasetError(
                    f"the truth lacks {', '.join(missing)} of the joint set {name}; choose "
                    f"another set (--joints {COMMON} takes what there is)"
                )
            return known
    raise DatasetError(f"no joint set '{name}', expected one of {', '.join(SET_NAMES)}")


def joint_rows(names: tuple[str, ...], known: tuple[str, ...]) -> list[int]:
    """Where each of `names` (full or `l_hip`) stands in `known`.

    Raises:
        DatasetError: a name is not among them.
    """
    full = [full_joint_name(name) for name in names]
    unknown = [name for name in full if name not in known]
    if unknown:
        raise DatasetError(
            f"unknown joints {', '.join(unknown)}; expected some of {', '.join(known)}"
        )
    return [known.index(name) for name in full]


class BodyJoints:
    """Reads named joints off posed bodies of one model.

    Args:
        joints: `gathered` is read: full names, out of `KNOWN_JOINTS`; where people mark them, all must be
            landmarks of BlazePose.
        body: the model.

    Raises:
        DatasetError: a name is unknown, or the body does not say where its landmarks are.
    """

    def __init__(self, joints: JointSet, body: BodyModel) -> None:
        names = joints.gathered
        self._regressor = joints.regressor
        joint_rows(names, KNOWN_JOINTS)
        self._crown = int(np.argmax(body.v_template[:, 1]))
        self._marks: list[tuple[int, NDArray[np.intp], NDArray[np.float64]]] = []
        if joints.are_marked:
            self._marks = _moved_marks(names, body)
        self._from_mesh = [row for row, name in enumerate(names) if name == HEAD_TOP]
        self._at = [
            SMPL_JOINT_NAMES.index(_TORSO_EXTRAS.get(name, name)) if name != HEAD_TOP else 0
            for name in names
        ]

    def of(self, mesh: BodyMesh) -> NDArray[np.float64]:
        """(K, 3) [m] in the mesh's frame."""
        if self._regressor is not None:
            return self._regressor @ mesh.vertices
        joints = mesh.joints[self._at].astype(np.float64)
        joints[self._from_mesh] = mesh.vertices[self._crown]
        for row, vertices, shares in self._marks:
            joints[row] = shares @ mesh.vertices[vertices]
        return joints


def _moved_marks(
    names: tuple[str, ...], body: BodyModel
) -> list[tuple[int, NDArray[np.intp], NDArray[np.float64]]]:
    """Row, vertices and their shares of every joint that is marked elsewhere than at its centre."""
    if body.blazepose_regressor is None:
        raise DatasetError(
            f"the engine's body has no blazepose_regressor, which --joints {MARKED} needs; "
            f"choose --joints {COMMON}"
        )
    marks = []
    for row, landmark in enumerate(joint_rows(names, BLAZEPOSE_LANDMARK_NAMES)):
        shares = body.blazepose_regressor[landmark]
        if np.array_equal(shares, body.J_regressor[joint_rows(names, SMPL_JOINT_NAMES)[row]]):
            continue
        vertices = np.flatnonzero(shares)
        marks.append((row, vertices, shares[vertices].astype(np.float64)))
    return marks
