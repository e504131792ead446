"""Human3.6M's test subjects in the owner's layout, as clips to score.

`DIR/S9` and `DIR/S11`, each with `Videos` and `MyPoseFeatures/D3_Positions_mono`; every video is a clip.
Protocol 2 of the papers has the frontal camera alone: leave the other cameras' files away (`*.60457274.*`
stay). `--joints lsp14 --regressor J_regressor_h36m.npy` scores the papers' 14 joints.
"""

from pathlib import Path

from benchmarks.accuracy_clips import ClipTruth, EvaluationClip, video_frames
from benchmarks.datasets.human36m import JOINT_NAMES, RATE_HZ, Human36mSequence, load_human36m_test


def find_h36m_clips(folder: Path) -> tuple[EvaluationClip, ...]:
    """One clip per video of S9 and S11.

    Args:
        folder: holds `S9` and `S11`.

    Raises:
        DatasetError: a folder or a video is missing, or a file of poses is bad.
    """
    return tuple(_clip(sequence) for sequence in load_human36m_test(folder))


def _clip(sequence: Human36mSequence) -> EvaluationClip:
    truth = ClipTruth(joints=sequence.joints, names=JOINT_NAMES, first_frame=0, fps=RATE_HZ)
    return EvaluationClip(
        name=sequence.name,
        truth=truth,
        open_frames=lambda: video_frames(sequence.video, RATE_HZ),
    )
