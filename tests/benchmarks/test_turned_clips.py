"""A turned camera's pictures and truth belong together, and nothing but the view has changed."""

import cv2
import numpy as np
import pytest

from benchmarks.accuracy_clips import ClipTruth, EvaluationClip, Intrinsics
from benchmarks.turned_clips import turned_clip
from realtime_vibe.errors import DatasetError
from realtime_vibe.packets import Frame

CAMERA = Intrinsics(
    K=np.array([[500.0, 0, 330], [0, 500, 240], [0, 0, 1]]), dist=np.array([0.05, 0, 0, 0, 0])
)
JOINTS = np.array([[[-0.2, -0.4, 3.0], [0.3, 0.5, 3.3]]])


def _clip(**changes):
    image = np.zeros((480, 640, 3), np.uint8)
    for x, y in CAMERA.project(JOINTS)[0]:
        cv2.circle(image, (round(x), round(y)), 4, (255, 255, 255), -1)
    frame = Frame(image_bgr=image, index=0, captured_at_s=0.0, grabbed_at_s=0.0)
    given = {"joints": JOINTS, "names": ("left_hip", "left_knee"), "intrinsics": CAMERA} | changes
    truth = ClipTruth(first_frame=0, fps=30.0, **given)
    return EvaluationClip(name="dots", truth=truth, open_frames=lambda: iter_frames(frame))


def iter_frames(frame):
    yield frame


@pytest.mark.parametrize("beside_deg", [-20.0, 0.0, 20.0])
def test_dots_are_where_the_turned_truth_says(beside_deg):
    clip = turned_clip(_clip(), beside_deg)
    (frame,) = clip.open_frames()
    assert clip.truth.intrinsics is not None
    for x, y in clip.truth.intrinsics.project(clip.truth.joints)[0]:
        assert frame.image_bgr[round(y), round(x)].min() > 200
    middle = clip.truth.joints.mean((0, 1))
    assert np.degrees(np.arctan2(middle[0], middle[2])) == pytest.approx(beside_deg)
    np.testing.assert_allclose(np.diff(clip.truth.joints[0, :, 1]), np.diff(JOINTS[0, :, 1]))
    np.testing.assert_allclose(
        np.linalg.norm(clip.truth.joints, axis=-1), np.linalg.norm(JOINTS, axis=-1)
    )


def test_what_cannot_be_turned_is_refused():
    with pytest.raises(DatasetError, match="leaves the picture in 1 of 1 frames"):
        turned_clip(_clip(), 50.0)
    with pytest.raises(DatasetError, match="expected a truth with the camera K"):
        turned_clip(_clip(intrinsics=None), 10.0)
