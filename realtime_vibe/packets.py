"""The frozen records that cross stage borders.

Legend of shapes: H, W image height and width [px]; J = 24 SMPL joints; V vertices; L = 33 BlazePose
landmarks. Camera frame: OpenCV (x right, y down, z forward) [m]. Nobody writes into an array that
arrived in a packet. The shape checks cost under a microsecond and stay on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from realtime_vibe.errors import ShapeError

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]

NUM_BETAS = 10
NUM_SMPL_JOINTS = 24
NUM_LANDMARKS = 33

LARGEST = 1e6
"""No place, turn or picture is larger [m, rad, px]: what is computed of such numbers stays finite."""


def are_sound(*arrays: ArrayLike, largest: float = LARGEST) -> bool:
    """Whether every number is finite and no larger than `largest`."""
    return all(bool((np.abs(array) <= largest).all()) for array in arrays)  # NaN is no smaller


def _check(name: str, array: NDArray[np.generic], shape: tuple[int | None, ...]) -> None:
    got = array.shape
    if len(got) != len(shape) or any(
        want is not None and have != want for have, want in zip(got, shape, strict=True)
    ):
        expected = tuple("*" if size is None else size for size in shape)
        raise ShapeError(f"{name} has shape {got}, expected {expected}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One image as the source delivered it."""

    image_bgr: ImageArray
    """(H, W, 3) uint8."""
    index: int
    """Position in the stream, counting every grabbed frame from 0."""
    captured_at_s: float
    """`time.perf_counter` [s] right after the grab for live sources; media time [s] for files."""
    grabbed_at_s: float
    """`time.perf_counter` [s] right after the grab, before any work; latency counts from here."""

    def __post_init__(self) -> None:
        _check("Frame.image_bgr", self.image_bgr, (None, None, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseLandmarks:
    """BlazePose's 33 landmarks of one person in one frame."""

    image_px: FloatArray
    """(33, 3) x, y [px] in the full image; z in the same scale, relative to the hips' middle."""
    world_m: FloatArray
    """(33, 3) [m], origin at the middle of the hips, axes of the line of sight to the person: z along it, x to the
    right, y down; see `geometry.camera.camera_from_sight`."""
    visibility: FloatArray
    """(33,) chance in [0, 1] that the landmark is in view and not hidden."""
    presence: float
    """Chance in [0, 1] that there is a person in the tracked region."""

    def __post_init__(self) -> None:
        _check("PoseLandmarks.image_px", self.image_px, (NUM_LANDMARKS, 3))
        _check("PoseLandmarks.world_m", self.world_m, (NUM_LANDMARKS, 3))
        _check("PoseLandmarks.visibility", self.visibility, (NUM_LANDMARKS,))

    @property
    def is_sound(self) -> bool:
        """Whether every number can be a landmark's: a network in half may overflow."""
        return are_sound(self.image_px, self.world_m, self.visibility, self.presence)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedPerson:
    """One person found in a frame, with an identity that lasts over frames."""

    track_id: int
    bbox_xyxy: FloatArray
    """(4,) tight box [px] in the full image; may reach beyond its borders."""
    score: float
    dt_s: float
    """Time since this track was last seen [s]; 0 on its first frame."""
    landmarks: PoseLandmarks | None = None
    """Set by landmark trackers; box detectors leave it out."""

    def __post_init__(self) -> None:
        _check("TrackedPerson.bbox_xyxy", self.bbox_xyxy, (4,))


@dataclass(frozen=True, slots=True, kw_only=True)
class SmplParams:
    """SMPL pose and shape of one person, and the weak-perspective camera of its crop."""

    global_orient: FloatArray
    """(3, 3) rotation from the SMPL rest frame (y up) to the camera frame (y down)."""
    body_pose: FloatArray
    """(23, 3, 3) rotation of each joint relative to its parent."""
    betas: FloatArray
    """(10,) shape coefficients [standard deviations]."""
    weak_camera: FloatArray
    """(3,) scale s, offsets tx, ty [m] in the square crop (Kocabas et al. 2020, sec. 3.1)."""

    def __post_init__(self) -> None:
        _check("SmplParams.global_orient", self.global_orient, (3, 3))
        _check("SmplParams.body_pose", self.body_pose, (NUM_SMPL_JOINTS - 1, 3, 3))
        _check("SmplParams.betas", self.betas, (NUM_BETAS,))
        _check("SmplParams.weak_camera", self.weak_camera, (3,))


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyMesh:
    """A posed body in the camera frame."""

    skin: Callable[[], FloatArray]
    """Gives `vertices`; any thread may call it, at any time."""
    joints: FloatArray
    """(24, 3) [m], `transl` included."""
    transl: FloatArray
    """(3,) [m], SMPL's translation: added after posing about the rest pelvis."""

    def __post_init__(self) -> None:
        _check("BodyMesh.joints", self.joints, (NUM_SMPL_JOINTS, 3))
        _check("BodyMesh.transl", self.transl, (3,))

    @property
    def vertices(self) -> FloatArray:
        """(V, 3) [m], `transl` included; skinned when it is asked for the first time."""
        return self.skin()

    @classmethod
    def of(cls, vertices: FloatArray, joints: FloatArray, transl: FloatArray) -> Self:
        """A mesh whose vertices are there already."""
        return cls(skin=vertices.view, joints=joints, transl=transl)

    def __reduce__(self) -> tuple[object, ...]:
        # Copies and other processes get the vertices, not the body that skins them.
        return BodyMesh.of, (self.vertices, self.joints, self.transl)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonResult:
    """All that the pipeline says about one person in one frame."""

    person: TrackedPerson
    params: SmplParams
    mesh: BodyMesh
    square_px: FloatArray
    """(3,) centre x, y and side [px] of the square that `params.weak_camera` is of, margin included."""
    nearer_m: FloatArray = field(default_factory=lambda: np.zeros(3, np.float32))
    """(3,) camera frame [m], from where the mesh is to where this frame alone shows it, along the line of
    sight: the mesh's distance is filtered over time, so that its size in the picture is not exact."""

    def __post_init__(self) -> None:
        _check("PersonResult.square_px", self.square_px, (3,))
        _check("PersonResult.nearer_m", self.nearer_m, (3,))

    def in_picture(self, points: FloatArray) -> FloatArray:
        """Points (..., 3) of the mesh where they are to be drawn over the picture [m]."""
        return points + self.nearer_m


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPerson:
    """Somebody who was just lost: for the eye alone, nothing of it was seen in this frame."""

    last: PersonResult
    """As last seen."""
    opacity: float
    """1 while the pose is held, then fading towards 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameResult:
    """The pipeline's answer to one frame; `people` is empty when nobody is in view."""

    frame: Frame
    people: tuple[PersonResult, ...]
    stage_ms: Mapping[str, float]
    """Wall time of each stage [ms]; `step` is the whole of track to joints: whoever asks for vertices pays for them."""
    focal_px: float
    """Focal length the meshes were placed with [px]; the principal point is the image centre."""
    T_world_camera: FloatArray | None = None
    """(4, 4) from the camera's frame to the Z-up world; None where nobody said."""
    level: str = ""
    """How the world's vertical is known: empty (a level camera is assumed), `levelling`, `level` or `calibrated`."""
    held: tuple[HeldPerson, ...] = ()
    """Who was lost within the last second, for viewers; recordings and streams leave them out."""
