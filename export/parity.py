"""Does an exported graph compute what torch computes, also after hundreds of steps?

Legend: T frames, P people, F features.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.models.motion_network import RecurrentNetwork
from realtime_vibe.models.resnet import normalised
from realtime_vibe.models.smpl_layer import SmplLayer
from realtime_vibe.models.vibe import VIBE
from realtime_vibe.packets import FloatArray


class Parity(NamedTuple):
    """The largest difference anywhere."""

    absolute: float
    relative: float
    """Of an output's largest magnitude."""


def random_features(
    num_frames: int, people: int, mean: FloatArray, std: FloatArray, *, seed: int = 0
) -> FloatArray:
    """(T, P, F) of normal numbers with each feature's mean and deviation (F,)."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((num_frames, people, len(mean)))
    return (mean + std * noise).astype(np.float32)


def stream_parity(
    network: RecurrentNetwork, session: InferenceSession, features: FloatArray
) -> Parity:
    """Runs both with their own carried state over one stream.

    Args:
        network: the torch network, eval mode, float32.
        features: (T, P, F).

    Returns:
        The worst of rotation matrices, betas and camera in any frame.
    """
    hidden_torch = network.initial_hidden(features.shape[1])
    hidden_graph = hidden_torch.numpy().copy()
    found: dict[str, list[tuple[NDArray[np.generic], NDArray[np.generic]]]] = {}
    for frame in features:
        with torch.no_grad():
            params, hidden_torch = network.step(torch.from_numpy(frame), hidden_torch)
        out = session.run({"features": frame, "hidden": hidden_graph})
        hidden_graph = out["next_hidden"]
        for name in ("rotmat", "betas", "weak_camera"):
            found.setdefault(name, []).append((out[name], getattr(params, name).numpy()))
    return worst(compared(*map(np.stack, zip(*pairs, strict=True))) for pairs in found.values())


def fused_parity(
    network: VIBE,
    session: InferenceSession,
    crops: NDArray[np.uint8],
    body: SmplLayer | None = None,
    people: int = 2,
) -> Parity:
    """Runs a whole network and its fused graph, each with its own carried state.

    Args:
        network: torch, eval mode, float32.
        session: the graph from crop to parameters, or on to joints and vertices.
        crops: (T * P, 224, 224, 3) BGR.
    """
    hidden = network.motion.initial_hidden(people)
    state = hidden.numpy().copy()
    found = []
    for frame in crops.reshape(-1, people, *crops.shape[1:]):
        with torch.no_grad():
            features = network.backbone(normalised(torch.from_numpy(frame)))
            params, hidden = network.motion.step(features, hidden)
        out = session.run({"crop": frame, "hidden": state})
        state = out["next_hidden"]
        expected = params._asdict()
        if body is not None:
            expected["vertices"], expected["joints"] = body(params.rotmat, params.betas)
        found += [compared(out[name], value.numpy()) for name, value in expected.items()]
    return worst(found)


def compared(got: NDArray[np.generic], expected: NDArray[np.generic]) -> Parity:
    """The difference of two arrays of one shape."""
    difference = float(np.abs(np.subtract(got, expected)).max())
    return Parity(difference, difference / max(float(np.abs(expected).max()), 1e-12))


def worst(parities: Iterable[Parity]) -> Parity:
    """The larger of each."""
    absolute, relative = zip(*parities, strict=True)
    return Parity(max(absolute), max(relative))
