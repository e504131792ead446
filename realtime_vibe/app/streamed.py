"""What the library gives for each frame: everybody by names, as arrays with smplx's names.

Legend: P people, V vertices, J = 24 SMPL joints, L = 33 BlazePose landmarks. Camera frame: OpenCV (x right,
y down, z forward) [m].
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.errors import RealtimeVibeError
from realtime_vibe.geometry.axes import T_WORLD_CAMERA
from realtime_vibe.geometry.rotation import axis_angle_from_rotmat
from realtime_vibe.packets import NUM_SMPL_JOINTS, FloatArray, FrameResult, ImageArray, PersonResult
from realtime_vibe.temporal.confidence import joint_confidence

SMPLX_SHAPES = {"betas": 10, "global_orient": 3, "body_pose": 69, "transl": 3}
"""Arguments of `smplx.SMPL.forward` and their sizes."""


class UnknownJointError(RealtimeVibeError, KeyError):
    """There is no joint of that name."""

    __str__ = Exception.__str__


class JointArray(np.ndarray[Any, Any]):
    """An array whose first axis is the joints: `joints["head"]` is `joints[15]`."""

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return np.asarray(self)[key]
        if key not in SMPL_JOINT_NAMES:
            close = difflib.get_close_matches(key.lower(), SMPL_JOINT_NAMES, n=1)
            hint = (
                f"did you mean '{close[0]}'?"
                if close
                else f"expected {', '.join(SMPL_JOINT_NAMES)}"
            )
            raise UnknownJointError(f"there is no joint '{key}': {hint}")
        return np.asarray(self)[SMPL_JOINT_NAMES.index(key)]

    def __contains__(self, key: Any) -> bool:
        return key in SMPL_JOINT_NAMES if isinstance(key, str) else key in np.asarray(self)

    def keys(self) -> tuple[str, ...]:
        """The names, in order."""
        return SMPL_JOINT_NAMES

    def items(self) -> Iterator[tuple[str, FloatArray]]:
        """Pairs of a name and what belongs to it."""
        return zip(SMPL_JOINT_NAMES, np.asarray(self), strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class StreamedPerson:
    """One person in one frame. All arrays are float32."""

    result: PersonResult
    """All that the pipeline says."""

    @property
    def track_id(self) -> int:
        """The same number as long as the person stays in view."""
        return self.result.person.track_id

    @property
    def joints(self) -> JointArray:
        """(J, 3) positions [m], camera frame; also by name: `joints["left_wrist"]`."""
        return cast(JointArray, self.result.mesh.joints.view(JointArray))

    @property
    def rotations(self) -> JointArray:
        """(J, 3, 3) relative to the parent joint, also by name; `pelvis` relative to the camera."""
        params = self.result.params
        local = np.concatenate([params.global_orient[None], params.body_pose])
        return cast(JointArray, local.view(JointArray))

    @property
    def confidence(self) -> JointArray:
        """(J,) in [0, 1], also by name: whether the landmarks that show a joint are seen; 1 without landmarks."""
        marks = self.result.person.landmarks
        if marks is None:
            return cast(JointArray, np.ones(NUM_SMPL_JOINTS, np.float32).view(JointArray))
        return cast(JointArray, joint_confidence(marks.visibility).view(JointArray))

    @property
    def betas(self) -> FloatArray:
        """(10,) shape [standard deviations of the engine's body]."""
        return self.result.params.betas

    @property
    def global_orient(self) -> FloatArray:
        """(3,) axis-angle [rad], SMPL rest frame to camera frame."""
        return np.asarray(axis_angle_from_rotmat(self.result.params.global_orient), np.float32)

    @property
    def body_pose(self) -> FloatArray:
        """(69,) axis-angle [rad] of the 23 joints after the pelvis, each relative to its parent."""
        turns = axis_angle_from_rotmat(self.result.params.body_pose)
        return np.asarray(turns, np.float32).reshape(-1)

    @property
    def transl(self) -> FloatArray:
        """(3,) translation [m] as smplx adds it, camera frame."""
        return self.result.mesh.transl

    @property
    def landmarks_px(self) -> FloatArray | None:
        """(L, 2) BlazePose's landmarks [px] in the whole picture; None behind a box detector."""
        marks = self.result.person.landmarks
        return None if marks is None else marks.image_px[:, :2]

    @property
    def visibility(self) -> FloatArray | None:
        """(L,) chance in [0, 1] that a landmark is in view and not hidden; None behind a box detector."""
        marks = self.result.person.landmarks
        return None if marks is None else marks.visibility

    @property
    def vertices(self) -> FloatArray:
        """(V, 3) of the surface [m], camera frame; `LiveStream.faces` are its triangles."""
        return self.result.mesh.vertices


@dataclass(frozen=True, slots=True, eq=False)
class StreamedFrame:
    """What is known of one frame."""

    result: FrameResult
    """All that the pipeline says, times of the stages included."""

    @property
    def people(self) -> tuple[StreamedPerson, ...]:
        """Everybody in view; empty when nobody is."""
        return tuple(StreamedPerson(person) for person in self.result.people)

    def stacked(self) -> dict[str, FloatArray]:
        """Everybody's `betas` (P, 10), `global_orient` (P, 3), `body_pose` (P, 69) and `transl` (P, 3).

        As `smplx.SMPL.forward` takes them, once they are tensors; P may be 0. The shape is of the engine's
        own body: an SMPL file of the same name needs an engine that was made with it.
        """
        return {
            name: np.array([getattr(person, name) for person in self.people], np.float32).reshape(
                -1, size
            )
            for name, size in SMPLX_SHAPES.items()
        }

    @property
    def index(self) -> int:
        """Position in the stream; a step of more than one means that frames were left out."""
        return self.result.frame.index

    @property
    def time_s(self) -> float:
        """When the frame was taken [s]: media time for files, `time.perf_counter` for cameras."""
        return self.result.frame.captured_at_s

    @property
    def T_world_camera(self) -> FloatArray:  # noqa: N802 - field name of the literature
        """(4, 4) from the camera's frame to the Z-up world, with the floor at 0 once calibrated."""
        transform = self.result.T_world_camera
        return T_WORLD_CAMERA if transform is None else transform

    @property
    def image_bgr(self) -> ImageArray:
        """(H, W, 3) uint8, the picture itself."""
        return self.result.frame.image_bgr
