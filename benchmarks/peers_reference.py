"""The reference's way of working, live: torch, one crop a frame, and the last 16 frames run again.

Random weights of full size (`torch_sessions`). Kind to it in two ways: the features of the 15 frames
before are kept, not computed again, and neither its detector nor its body are in the figure. The same
crop goes through our ResNet-50 engine, to the same parameters.
"""

from collections import deque

import torch
from torch import Tensor

from benchmarks.stages import EngineStages
from benchmarks.torch_sessions import BackboneModule, motion_network
from realtime_vibe.errors import EngineError
from realtime_vibe.features.resnet_features import ImageCrops
from realtime_vibe.geometry.camera import CROP_SCALE
from realtime_vibe.packets import Frame, SmplParams, TrackedPerson
from realtime_vibe.temporal.stage import WINDOW_FRAMES


class ReferenceWay:
    """Crop to parameters by re-running the window.

    Args:
        person: where the person is; the same in all frames, as finding people is not timed.
    """

    def __init__(self, person: TrackedPerson, num_threads: int) -> None:
        torch.set_num_threads(num_threads)
        self._people = (person,)
        self._crops = ImageCrops(CROP_SCALE)
        self._backbone = BackboneModule().eval()
        self._motion = motion_network()
        self._features: deque[Tensor] = deque(maxlen=WINDOW_FRAMES)

    def __call__(self, frame: Frame) -> Tensor:
        """The newest frame's rotations (1, 24, 3, 3)."""
        crops = self._crops.extract(frame, self._people, 1.0)
        with torch.inference_mode():
            self._features.append(self._backbone(torch.from_numpy(crops)))
            window = torch.stack(tuple(self._features))
            rotmat: Tensor = self._motion(window, self._motion.initial_hidden(1)).params.rotmat[-1]
        return rotmat


class OurWay:
    """Crop to parameters by our engine, with the carried state.

    Args:
        stages: of an engine that looks at crops.
    """

    def __init__(self, stages: EngineStages, person: TrackedPerson) -> None:
        self._people = (person,)
        self._features = stages.features
        self._temporal = stages.temporal()

    def __call__(self, frame: Frame) -> tuple[SmplParams, ...]:
        """The frame's parameters."""
        features = self._features.extract(frame, self._people, 1.0)
        (params,) = self._temporal.step(self._people, features, frame.captured_at_s)
        if params is None:
            raise EngineError("the engine's numbers are not finite")
        self._temporal.place(self._people[0].track_id, params.weak_camera, frame.captured_at_s)
        return (params,)
