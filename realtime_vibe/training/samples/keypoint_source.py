"""Training batches from videos of which only 2D keypoints are known: VIBE's in-the-wild branch.

All that such a batch can teach is where points lie in the picture (L_2D) and what the discriminator
says of the motion (L_adv); everything else has weight 0. Legend: S time, B streams, N rows of a track.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_vibe.errors import DatasetError
from realtime_vibe.features.landmark_features import landmark_features
from realtime_vibe.geometry.camera import CROP_SCALE, nominal_focal_px
from realtime_vibe.packets import NUM_BETAS, NUM_LANDMARKS, NUM_SMPL_JOINTS
from realtime_vibe.training.datasets.keypoint_video import KeypointVideo
from realtime_vibe.training.samples.cutting import random_cut, time_steps
from realtime_vibe.training.samples.sequences import SequenceBatch

FloatArray = NDArray[np.float32]

_MIN_FRAMES = 16
_NEUTRAL_SCALE = 0.9


class _Track(NamedTuple):
    """One person of one video."""

    image_px: FloatArray
    """(N, 33, 2)."""
    world_m: FloatArray
    """(N, 33, 3)."""
    visibility: FloatArray
    """(N, 33)."""
    dt_s: FloatArray
    """(N,)."""
    lens: FloatArray
    """(3,) principal point and nominal focal length [px]."""


class KeypointVideoSource:
    """Draws batches of tracks out of labelled videos; a `SequenceSource`.

    Args:
        videos: labelled by our own tracker, whose 3D guess is part of the network's input.
        num_frames: S.
        num_streams: B.
        skip_chance: chance of a track to be seen at half its frame rate.

    Raises:
        DatasetError: a video was labelled by others, or no track is long enough.
    """

    def __init__(
        self,
        videos: Sequence[KeypointVideo],
        *,
        num_frames: int = 128,
        num_streams: int = 48,
        seed: int = 0,
        skip_chance: float = 0.2,
    ) -> None:
        self._tracks = [track for video in videos for track in _tracks_of(video)]
        if not self._tracks:
            raise DatasetError(
                f"no person is followed for {_MIN_FRAMES} frames in {len(videos)} labelled videos; "
                "give more or longer ones"
            )
        self._num_frames = num_frames
        self._num_streams = num_streams
        self._skip_chance = skip_chance
        self._rng = np.random.default_rng(seed)
        lengths = np.array([len(track.dt_s) for track in self._tracks], np.float64)
        self._chances = lengths / lengths.sum()

    def sample(self) -> SequenceBatch:
        """One batch of random tracks, each cut or filled up to S frames."""
        chosen = self._rng.choice(len(self._tracks), self._num_streams, p=self._chances)
        drawn = [self._piece(self._tracks[index]) for index in chosen]
        image_px, world_m, visibility, dt_s, weight = (
            np.stack(arrays, 1).astype(np.float32) for arrays in zip(*drawn, strict=True)
        )
        lens = np.stack([self._tracks[index].lens for index in chosen])
        return _batch(_Seen(image_px, world_m, visibility, dt_s), weight, lens)

    def state_dict(self) -> dict[str, Any]:
        """State of the choices."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        self._rng.bit_generator.state = state["rng"]

    def _piece(self, track: _Track) -> tuple[NDArray[np.floating], ...]:
        cut = random_cut(len(track.dt_s), self._num_frames, self._skip_chance, self._rng)
        return (
            track.image_px[cut.rows],
            track.world_m[cut.rows],
            track.visibility[cut.rows],
            time_steps(track.dt_s, cut.rows),
            cut.weight,
        )


class _Seen(NamedTuple):
    image_px: FloatArray
    """(S, B, 33, 2)."""
    world_m: FloatArray
    """(S, B, 33, 3)."""
    visibility: FloatArray
    """(S, B, 33)."""
    dt_s: FloatArray
    """(S, B)."""


def _tracks_of(video: KeypointVideo) -> list[_Track]:
    if video.world_m is None:
        raise DatasetError(
            f"{video.name}: labelled by others, without the 3D guess that the network takes in; label "
            "it with python -m realtime_vibe.training.samples.label_videos"
        )
    width, height = video.size
    lens = np.array([width / 2, height / 2, nominal_focal_px(width, height)], np.float32)
    return [
        _Track(
            image_px=video.image_px[rows, :, :2],
            world_m=video.world_m[rows],
            visibility=video.visibility[rows],
            dt_s=video.dt_s[rows],
            lens=lens,
        )
        for rows in video.tracks()
        if len(rows) >= _MIN_FRAMES
    ]


def _batch(seen: _Seen, weight: FloatArray, lens: FloatArray) -> SequenceBatch:
    """Features and 2D targets; neutral values for what nobody knows.

    Args:
        weight: (S, B) 0 where a track has ended.
        lens: (B, 3) principal point and nominal focal length [px].
    """
    lead = seen.dt_s.shape
    low, high = seen.image_px.min(axis=2), seen.image_px.max(axis=2)
    side = CROP_SCALE * np.maximum((high - low).max(axis=-1, keepdims=True), 1.0)
    center = 0.5 * (low + high)
    lenses = np.broadcast_to(lens, (*lead, 3))
    view = np.concatenate([center, side, lenses, seen.dt_s[..., None]], axis=-1)
    in_crop = (seen.image_px - center[:, :, None]) / (0.5 * side[:, :, None])
    features = landmark_features(seen.image_px, seen.world_m, seen.visibility, view)
    no_joints = torch.zeros(*lead, NUM_SMPL_JOINTS, 3)
    confidence = torch.from_numpy(seen.visibility * weight[..., None])
    return SequenceBatch(
        features=torch.from_numpy(features),
        rotmat=torch.eye(3).expand(*lead, NUM_SMPL_JOINTS, 3, 3),
        betas=torch.zeros(*lead, NUM_BETAS),
        weak_camera=torch.tensor([_NEUTRAL_SCALE, 0.0, 0.0]).expand(*lead, 3),
        joints=no_joints,
        landmarks=torch.zeros(*lead, NUM_LANDMARKS, 3),
        crop_points=_after_joints(torch.from_numpy(in_crop), no_joints[..., :2]),
        view=torch.from_numpy(view.astype(np.float32)),
        body_weight=torch.zeros(lead),
        point_weight=_after_joints(confidence, no_joints[..., 0]),
    )


def _after_joints(landmarks: Tensor, joints: Tensor) -> Tensor:
    """`crop_points` holds 24 joints and then 33 landmarks."""
    return torch.cat([joints, landmarks.float()], 2)
