"""Does an exported graph compute what torch computes, also after hundreds of steps?"""

import numpy as np
import torch

from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.models.motion_network import MotionNetwork
from realtime_vibe.training.network import feature_statistics


def stream_parity(
    network: MotionNetwork,
    session: InferenceSession,
    num_frames: int,
    *,
    people: int = 3,
    seed: int = 0,
) -> float:
    """Runs both with their own carried state over one random stream.

    Args:
        network: the torch network, eval mode.
        session: the exported step graph.
        num_frames: length of the stream.
        people: P, how many streams at once.
        seed: of the features.

    Returns:
        Largest absolute difference of rotation matrices, betas and camera in any frame.
    """
    rng = np.random.default_rng(seed)
    mean, std = feature_statistics(network)
    hidden_torch = network.initial_hidden(people)
    hidden_graph = hidden_torch.numpy().copy()
    worst = 0.0
    for _ in range(num_frames):
        noise = rng.standard_normal((people, len(mean))).astype(np.float32)
        features = mean + std * noise
        with torch.no_grad():
            params, hidden_torch = network.step(torch.from_numpy(features), hidden_torch)
        out = session.run({"features": features, "hidden": hidden_graph})
        hidden_graph = out["next_hidden"]
        for expected, name in (
            (params.rotmat, "rotmat"),
            (params.betas, "betas"),
            (params.weak_camera, "weak_camera"),
        ):
            worst = max(worst, float(np.abs(out[name] - expected.numpy()).max()))
    return worst
