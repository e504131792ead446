"""torch as a backend to compare with: eager or compiled, on the CPU or a GPU.

Random weights of full size: the speed of a network does not depend on what its weights are. A session
takes and gives NumPy arrays like every other backend, so copies to a GPU and back are part of a run.

Legend: P people, L layers, H hidden size.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from realtime_vibe.backends.base import AnyArray, OpenSession, TensorSpec
from realtime_vibe.features import landmark_features
from realtime_vibe.models.motion_network import MotionNetwork
from realtime_vibe.models.regressor import (
    CAMERA_SIZE,
    SHAPE_SIZE,
    MeanParams,
    Regressor,
)
from realtime_vibe.models.resnet import CROP_SIZE, FEATURE_SIZE, ResNet50, normalised
from realtime_vibe.models.temporal_encoder import TemporalEncoder
from realtime_vibe.temporal.motion_model import STEP_INPUTS, STEP_OUTPUTS

Mode = Literal["eager", "compile"]

CROP_INPUT = TensorSpec(name="crop", shape=("P", CROP_SIZE, CROP_SIZE, 3), dtype="uint8")
FEATURES = TensorSpec(name="features", shape=("P", FEATURE_SIZE), dtype="float32")
LANDMARK_FEATURES = TensorSpec(
    name="features", shape=("P", landmark_features.FEATURE_SIZE), dtype="float32"
)


class TorchSession(OpenSession):
    """A module behind the interface of `realtime_vibe.backends.base.InferenceSession`.

    Args:
        module: takes the inputs in order and gives a tensor, or as many as there are outputs.
        mode: `compile` compiles at the first run, which takes a minute for large networks.
        half: weights and activations in float16; on GPUs.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        *,
        mode: Mode = "eager",
        device: str = "cpu",
        half: bool = False,
    ) -> None:
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)
        self._device, self._mode, self._half = device, mode, half
        ready: Any = module.eval().to(device)
        self._call: Callable[..., Any] = torch.compile(ready) if mode == "compile" else ready

    @property
    def backend(self) -> str:
        """Such as `torch-eager` or `torch-compile-cuda`."""
        return f"torch-{self._mode}" + ("" if self._device == "cpu" else f"-{self._device}")

    @property
    def precision(self) -> str:
        """`fp32` or `fp16`."""
        return "fp16" if self._half else "fp32"

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the module once."""
        tensors = [torch.from_numpy(feeds[spec.name]).to(self._device) for spec in self._inputs]
        with torch.inference_mode(), torch.autocast(self._device, torch.float16, self._half):
            result = self._call(*tensors)
        values = (result,) if isinstance(result, Tensor) else tuple(result)
        return {
            spec.name: value.float().cpu().numpy()
            for spec, value in zip(self._outputs, values, strict=True)
        }

    def close(self) -> None:
        """Frees the module; may be called twice."""
        self._call = _closed


class BackboneModule(nn.Module):
    """ResNet-50 with its normalisation, from a crop's bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet50()

    def forward(self, crop: Tensor) -> Tensor:
        """(P, 224, 224, 3) uint8 BGR to (P, 2048)."""
        features: Tensor = self.backbone(normalised(crop))
        return features


class StepModule(nn.Module):
    """One frame of a motion network."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        """(P, F) and (L, P, H) to rotmat, betas, weak camera, next state."""
        params, next_hidden = self.network.step(features, hidden)
        return (params.rotmat, params.betas, params.weak_camera, next_hidden)


def motion_network() -> MotionNetwork:
    """The paper's GRU and regressor, random weights, eval mode."""
    pose = torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(24)
    start = MeanParams(pose, torch.zeros(SHAPE_SIZE), torch.zeros(CAMERA_SIZE))
    return MotionNetwork(TemporalEncoder(), Regressor(start)).eval()


def features_session(mode: Mode, device: str = "cpu", *, half: bool = False) -> TorchSession:
    """The backbone."""
    return TorchSession(
        BackboneModule(), [CROP_INPUT], [FEATURES], mode=mode, device=device, half=half
    )


def step_session(mode: Mode, device: str = "cpu", *, half: bool = False) -> TorchSession:
    """One frame of the paper's motion network, random weights."""
    return network_session(motion_network(), FEATURES, mode=mode, device=device, half=half)


def network_session(
    network: Any,
    features: TensorSpec = LANDMARK_FEATURES,
    *,
    mode: Mode = "eager",
    device: str = "cpu",
    half: bool = False,
) -> TorchSession:
    """One frame of a given motion network."""
    layers, _, size = network.initial_hidden(1).shape
    hidden = TensorSpec(name=STEP_INPUTS[1], shape=(layers, "P", size), dtype="float32")
    shapes: tuple[tuple[int | str, ...], ...] = (
        ("P", 24, 3, 3),
        ("P", SHAPE_SIZE),
        ("P", CAMERA_SIZE),
        hidden.shape,
    )
    outputs = [
        TensorSpec(name=name, shape=shape, dtype="float32")
        for name, shape in zip(STEP_OUTPUTS, shapes, strict=True)
    ]
    module = StepModule(network)
    return TorchSession(module, [features, hidden], outputs, mode=mode, device=device, half=half)


def _closed(*_: Tensor) -> Tensor:
    raise RuntimeError("the session is closed")
