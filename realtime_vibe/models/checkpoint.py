"""Reads the released VIBE and SPIN files into our networks, whole or not at all.

The video half is in `vibe_model_w_3dpw.pth.tar` or `vibe_model_wo_3dpw.pth.tar`, under `gen_state_dict`, with
the motion discriminator beside it; the backbone, which VIBE keeps frozen, is in
`spin_model_checkpoint.pth.tar`, under `model`. Both are licensed for non-commercial research: users bring
them, nothing made from them may be passed on.

Nothing that a file asks to be run is run: torch's restricted loader, and of NumPy's names only scalars.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realtime_vibe.errors import CheckpointError, one_line
from realtime_vibe.models.motion_discriminator import MotionDiscriminator
from realtime_vibe.models.motion_network import MotionNetwork
from realtime_vibe.models.regressor import CAMERA_SIZE, POSE_SIZE, SHAPE_SIZE, MeanParams, Regressor
from realtime_vibe.models.resnet import ResNet50
from realtime_vibe.models.temporal_encoder import TemporalEncoder
from realtime_vibe.models.torch_file import load_torch
from realtime_vibe.models.vibe import VIBE
from realtime_vibe.system.file_boundary import file_boundary
from realtime_vibe.system.npz_file import open_npz

GENERATOR_KEY = "gen_state_dict"
DISCRIMINATOR_KEY = "disc_motion_state_dict"
BACKBONE_KEY = "model"
_BODY = "regressor.smpl."
"""The released file carries the body's arrays with the weights; ours come from the user's own SMPL file."""
_SPIN_REGRESSOR = ("fc1.", "fc2.", "decpose.", "decshape.", "deccam.", "init_", "smpl.")
"""SPIN's own regressor, which VIBE replaces."""
_COUNTER = ".num_batches_tracked"
"""Training's own; files older than it lack it."""
_ADVICE = "nothing of it was run; is it another file? else get it from its owner again"
_NAMED = 6
"""So many wrong names are listed; the rest is counted."""


def load_official_vibe(
    vibe_path: Path | str, spin_path: Path | str, mean_params_path: Path | str | None = None
) -> VIBE:
    """The published model in eval mode, float32, on the CPU.

    Args:
        vibe_path: `vibe_model_w_3dpw.pth.tar` or `vibe_model_wo_3dpw.pth.tar`.
        spin_path: `spin_model_checkpoint.pth.tar`.
        mean_params_path: `smpl_mean_params.npz`, for files of weights without `regressor.init_*`; where
            both are given they must agree.

    Raises:
        CheckpointError: a file cannot be read, or a key is missing, unknown, of another shape or not
            finite; the message names it.
    """
    vibe_path, spin_path = Path(vibe_path), Path(spin_path)
    with torch.device("meta"):
        blank = MeanParams(
            torch.empty(POSE_SIZE), torch.empty(SHAPE_SIZE), torch.empty(CAMERA_SIZE)
        )
        network = VIBE(ResNet50(), MotionNetwork(TemporalEncoder(), Regressor(blank)))
    spin = _section(spin_path, BACKBONE_KEY)
    trunk = {key: value for key, value in spin.items() if not key.startswith(_SPIN_REGRESSOR)}
    _fill(network.backbone, trunk, spin_path)
    released = _section(vibe_path, GENERATOR_KEY)
    video = {key: value for key, value in released.items() if not key.startswith(_BODY)}
    if mean_params_path is not None:
        video = _with_mean_params(video, Path(mean_params_path), vibe_path)
    _fill(network.motion, video, vibe_path)
    return network.eval()


def load_official_discriminator(vibe_path: Path | str) -> MotionDiscriminator:
    """The motion discriminator that was trained beside the published model, from the same file.

    Raises:
        CheckpointError: as for `load_official_vibe`.
    """
    with torch.device("meta"):
        discriminator = MotionDiscriminator()
    _fill(discriminator, _section(Path(vibe_path), DISCRIMINATOR_KEY), Path(vibe_path))
    return discriminator.eval()


def _section(path: Path, key: str) -> dict[str, Any]:
    """One state dict of a checkpoint."""
    with file_boundary(path, CheckpointError, _ADVICE):
        content = load_torch(path)
        found = content.get(key) if isinstance(content, Mapping) else None
        if not isinstance(found, Mapping):
            names = (
                ", ".join(map(one_line, content))
                if isinstance(content, Mapping)
                else type(content).__name__
            )
            raise CheckpointError(
                f"holds {one_line(names)}, expected weights under '{key}': is it another file?"
            )
        return {str(name): value for name, value in found.items()}


def _fill(module: nn.Module, found: Mapping[str, Any], path: Path) -> None:
    """Puts weights into a module without memory; all keys are compared before the first one is used."""
    expected = module.state_dict()
    for key, blank in expected.items():
        if key.endswith(_COUNTER) and key not in found:
            found = {**found, key: torch.zeros(blank.shape, dtype=blank.dtype)}
    faults = [f"no {key} {tuple(expected[key].shape)}" for key in expected if key not in found]
    faults += [f"unknown {one_line(key, 80)}" for key in found if key not in expected]
    faults += [
        f"{key}: {fault}"
        for key, blank in expected.items()
        if key in found and (fault := _fault(found[key], blank))
    ]
    if faults:
        more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise CheckpointError(
            f"{path}: {'; '.join(faults[:_NAMED])}{more}; expected the released files' layers and sizes, "
            "nothing was loaded"
        )
    module.load_state_dict(
        {key: found[key].to(blank.dtype) for key, blank in expected.items()}, assign=True
    )


def _fault(value: object, blank: Tensor) -> str:
    """What is wrong with one entry; empty when nothing is."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}, expected a tensor"
    if value.shape != blank.shape:
        return f"shape {tuple(value.shape)}, expected {tuple(blank.shape)}"
    if value.is_floating_point() != blank.is_floating_point():
        return f"dtype {value.dtype}, expected {blank.dtype}"
    return "" if bool(torch.isfinite(value).all()) else "has values that are not finite"


def _with_mean_params(video: dict[str, Any], path: Path, vibe_path: Path) -> dict[str, Any]:
    """Adds the start of the regressor's iteration where the weights lack it."""
    for name, values in _mean_params(path).items():
        key = f"regressor.init_{name}"
        inside = video.get(key)
        if inside is None:
            video = {**video, key: values}
        elif not isinstance(inside, Tensor) or not torch.equal(inside.float(), values):
            raise CheckpointError(
                f"{path}: '{name}' differs from {key} in {vibe_path}, expected the file the weights were "
                "trained with: leave it out, the weights carry their own"
            )
    return video


def _mean_params(path: Path) -> dict[str, Tensor]:
    sizes = {"pose": POSE_SIZE, "shape": SHAPE_SIZE, "cam": CAMERA_SIZE}
    with open_npz(
        path, CheckpointError, "expected pose (144,), shape (10,) and cam (3,)"
    ) as archive:
        arrays = {name: np.asarray(archive[name], np.float32) for name in sizes}
        for name, size in sizes.items():
            if arrays[name].shape != (size,) or not np.isfinite(arrays[name]).all():
                raise ValueError(
                    f"{name} has shape {arrays[name].shape}, expected ({size},) of finite numbers"
                )
        return {name: torch.from_numpy(array[None].copy()) for name, array in arrays.items()}
