"""Training batches from videos of which only 2D keypoints are known: VIBE's in-the-wild branch.

All that such a batch can teach is where points lie in the picture (L_2D) and what the discriminator
says of the motion (L_adv); everything else has weight 0. Legend: S time, B streams, N rows of a track.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.camera import nominal_focal_px
from realtime_vibe.packets import NUM_BETAS, NUM_LANDMARKS, NUM_SMPL_JOINTS
from realtime_vibe.training.datasets.keypoint_video import KeypointVideo
from realtime_vibe.training.samples.cutting import random_cut, time_steps
from realtime_vibe.training.samples.sequences import (
    Observation,
    SequenceBatch,
    in_crop,
    observed,
)
from realtime_vibe.training.samples.streams import Seeded

_MIN_FRAMES = 16
_NEUTRAL_SCALE = 0.9


class _Track(NamedTuple):
    """One person of one video."""

    seen: Observation
    """(N, ...) numbers of one stream."""
    principal: Tensor
    """(2,) [px]."""
    nominal_focal: Tensor
    """() [px]."""


class KeypointVideoSource(Seeded):
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
        super().__init__(seed)
        self._tracks = [track for video in videos for track in _tracks_of(video)]
        if not self._tracks:
            raise DatasetError(
                f"no person is followed for {_MIN_FRAMES} frames in {len(videos)} labelled videos; "
                "give more or longer ones"
            )
        self._num_frames = num_frames
        self._num_streams = num_streams
        self._skip_chance = skip_chance
        lengths = np.array([len(track.seen.dt_s) for track in self._tracks], np.float64)
        self._chances = lengths / lengths.sum()

    def sample(self) -> SequenceBatch:
        """One batch of random tracks, each cut or filled up to S frames."""
        chosen = self._rng.choice(len(self._tracks), self._num_streams, p=self._chances)
        tracks = [self._tracks[index] for index in chosen]
        pieces, weights = zip(*(self._piece(track.seen) for track in tracks), strict=True)
        seen = Observation(*(torch.stack(parts, 1) for parts in zip(*pieces, strict=True)))
        principal = torch.stack([track.principal for track in tracks])
        nominal_focal = torch.stack([track.nominal_focal for track in tracks])
        return _batch(seen, torch.stack(weights, 1), principal, nominal_focal)

    def _piece(self, seen: Observation) -> tuple[Observation, Tensor]:
        """S rows of a track, and (S,) 0 where it has ended."""
        cut = random_cut(len(seen.dt_s), self._num_frames, self._skip_chance, self._rng)
        piece = Observation(*(part[cut.rows] for part in seen))
        dt_s = torch.from_numpy(time_steps(seen.dt_s.numpy(), cut.rows))
        return piece._replace(dt_s=dt_s), torch.from_numpy(cut.weight)


def _tracks_of(video: KeypointVideo) -> list[_Track]:
    if video.world_m is None:
        raise DatasetError(
            f"{video.name}: labelled by others, without the 3D guess that the network takes in; label "
            "it with python -m realtime_vibe.training.samples.label_videos"
        )
    width, height = video.size
    principal = torch.tensor([width / 2, height / 2])
    return [
        _Track(
            seen=Observation(
                image_px=torch.from_numpy(video.image_px[rows, :, :2]) - principal,
                world_m=torch.from_numpy(video.world_m[rows]),
                visibility=torch.from_numpy(video.visibility[rows]),
                dt_s=torch.from_numpy(video.dt_s[rows]),
            ),
            principal=principal,
            nominal_focal=torch.tensor(nominal_focal_px(width, height)),
        )
        for rows in video.tracks()
        if len(rows) >= _MIN_FRAMES
    ]


def _batch(
    seen: Observation, weight: Tensor, principal: Tensor, nominal_focal: Tensor
) -> SequenceBatch:
    """Features and 2D targets; neutral values for what nobody knows.

    Args:
        weight: (S, B) 0 where a track has ended.
        principal: (B, 2) [px].
        nominal_focal: (B,) [px].
    """
    lead = weight.shape
    features, view = observed(seen, principal, nominal_focal)
    no_joints = torch.zeros(*lead, NUM_SMPL_JOINTS, 3)
    return SequenceBatch(
        features=features,
        rotmat=torch.eye(3).expand(*lead, NUM_SMPL_JOINTS, 3, 3),
        betas=torch.zeros(*lead, NUM_BETAS),
        weak_camera=torch.tensor([_NEUTRAL_SCALE, 0.0, 0.0]).expand(*lead, 3),
        joints=no_joints,
        landmarks=torch.zeros(*lead, NUM_LANDMARKS, 3),
        # 24 joints and then 33 landmarks.
        crop_points=torch.cat([no_joints[..., :2], in_crop(seen.image_px, principal, view)], 2),
        view=view,
        body_weight=torch.zeros(lead),
        point_weight=torch.cat([no_joints[..., 0], seen.visibility * weight[..., None]], 2),
    )
