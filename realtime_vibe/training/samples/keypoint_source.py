"""Training batches from videos of which only 2D keypoints are known: VIBE's in-the-wild branch.

All that such a batch can teach is where points lie in the picture (L_2D) and what the discriminator
says of the motion (L_adv); everything else has weight 0. Legend: S time, B streams.
"""

from collections.abc import Sequence

import numpy as np
import torch

from realtime_vibe.errors import DatasetError
from realtime_vibe.geometry.camera import nominal_focal_px
from realtime_vibe.packets import NUM_BETAS, NUM_LANDMARKS, NUM_SMPL_JOINTS
from realtime_vibe.training.datasets.keypoint_video import KeypointVideo
from realtime_vibe.training.samples.cutting import MIN_FRAMES, Track, TrackSource
from realtime_vibe.training.samples.sequences import (
    Observation,
    SequenceBatch,
    in_crop,
    observed,
)

_NEUTRAL_SCALE = 0.9


class KeypointVideoSource(TrackSource):
    """Draws batches of tracks out of labelled videos; a `SequenceSource`.

    Args:
        num_frames: S.
        num_streams: B.
        half_rate_chance: of a track to be seen at half its frame rate.

    Raises:
        DatasetError: no track is long enough.
    """

    def __init__(
        self,
        videos: Sequence[KeypointVideo],
        *,
        num_frames: int = 128,
        num_streams: int = 48,
        seed: int = 0,
        half_rate_chance: float = 0.2,
    ) -> None:
        tracks = [track for video in videos for track in _tracks_of(video)]
        if not tracks:
            raise DatasetError(
                f"no person is followed for {MIN_FRAMES} frames in {len(videos)} labelled videos; "
                "give more or longer ones"
            )
        super().__init__(
            tracks,
            num_frames=num_frames,
            num_streams=num_streams,
            half_rate_chance=half_rate_chance,
            seed=seed,
        )

    def sample(self) -> SequenceBatch:
        """One batch of random tracks: features and 2D targets, neutral values for what nobody knows."""
        cut = self._cut_tracks()
        seen, principal, lead = Observation(**cut.frames), cut.person["principal"], cut.weight.shape
        features, view = observed(seen, principal, cut.person["nominal_focal"])
        no_joints = torch.zeros(*lead, NUM_SMPL_JOINTS, 3)
        known = seen.visibility * cut.weight[..., None]
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
            point_weight=torch.cat([no_joints[..., 0], known], 2),
        )


def _tracks_of(video: KeypointVideo) -> list[Track]:
    width, height = (int(size) for size in video["size"].tolist())
    principal = np.array([width / 2, height / 2], np.float32)
    nominal_focal = np.array(nominal_focal_px(width, height), np.float32)
    persons = [np.flatnonzero(video["track_id"] == track) for track in np.unique(video["track_id"])]
    return [
        Track(
            frames={
                "image_px": video["image_px"][rows, :, :2] - principal,
                **{name: video[name][rows] for name in ("world_m", "visibility", "dt_s")},
            },
            person={"principal": principal, "nominal_focal": nominal_focal},
        )
        for rows in persons
        if len(rows) >= MIN_FRAMES
    ]
