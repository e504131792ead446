r"""Turns the released VIBE and SPIN files and a SMPL body into an engine that runs live.

    python -m export.vibe --vibe vibe_model_w_3dpw.pth.tar --spin spin_model_checkpoint.pth.tar \
        --body SMPL_NEUTRAL.pkl --out engines/vibe-resnet50

The files are the user's own: both licences allow non-commercial research only and forbid passing on what is
made from them, so nothing of this engine may be published or committed. Every graph is compared with torch,
the video half over 300 frames with carried state; the folder changes only when all agree.
"""

import argparse
import copy
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from export.backbone import (
    CROP_INPUT,
    FEATURES_OUTPUT,
    MESH_OUTPUTS,
    CropFeatures,
    FusedStep,
    WholeFrame,
    folded,
)
from export.body import SMPL_NOTICE, import_smpl, is_our_body, write_npz
from export.built_folder import write_manifest
from export.collapsed import CollapsedMotionNetwork
from export.graphs import graph_entry, write_graph, write_part, write_step
from export.parity import Parity, compared, fused_parity, random_features, stream_parity
from realtime_vibe.backends.graph_folder import FORMAT_VERSION, MANIFEST_NAME, file_sha256
from realtime_vibe.backends.onnxruntime_session import OnnxRuntimeSession
from realtime_vibe.body.joints import SMPL_JOINT_NAMES
from realtime_vibe.body.model_file import load_body
from realtime_vibe.errors import ExportError, RealtimeVibeError
from realtime_vibe.features.resnet_features import (
    CROP_LAYOUT,
    CROP_LAYOUT_VERSION,
    RESNET_LAYOUT,
    RESNET_LAYOUT_VERSION,
)
from realtime_vibe.geometry.camera import CROP_SCALE
from realtime_vibe.models.checkpoint import load_official_vibe
from realtime_vibe.models.precision import PRECISIONS, Precision, with_products_in
from realtime_vibe.models.resnet import CROP_SIZE, FEATURE_SIZE, normalised
from realtime_vibe.models.smpl_layer import SmplLayer
from realtime_vibe.models.vibe import VIBE
from realtime_vibe.temporal.motion_model import STEP_INPUTS, STEP_OUTPUTS

LICENCE = "VIBE and SMPL: non-commercial research only, not to be passed on (vibe.is.tue.mpg.de, smpl.is.tue.mpg.de)"
PARITY_FRAMES = 300
PARITY_CROPS = 6
"""Two people, three frames."""
_PRECISION_LIMITS = {"fp32": 1e-4, "fp16": 1e-2}
"""Of an output's largest magnitude."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VibeFiles:
    """What the user brings."""

    vibe: Path
    spin: Path
    body: Path
    mean_params: Path | None = None
    extra_regressor: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VibeOptions:
    """What the user chooses."""

    precision: Precision = "fp32"
    fused: bool = False
    """One graph from crop to parameters in place of two; stream mode only."""
    whole_frame: bool = False
    """One more graph, from crop to mesh, for programs that drive the engine by themselves."""
    crop_scale: float = CROP_SCALE


def export_vibe(files: VibeFiles, out: Path, options: VibeOptions) -> dict[str, Parity]:
    """Builds the engine folder.

    Args:
        files: the user's.
        out: the engine folder; what it holds is replaced when everything has passed.

    Returns:
        How well each graph agrees with torch.

    Raises:
        CheckpointError: a file of weights does not fit.
        BodyModelError: the body does not.
        ExportError: a graph does not agree with torch.
    """
    network = load_official_vibe(files.vibe, files.spin, files.mean_params)
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as scratch_name:
        scratch = Path(scratch_name)
        _write_body(files, scratch / "body.npz")
        graphs, parities = _write_graphs(network, scratch, options)
        _check(parities, options.precision)
        manifest = _manifest(out.name, files, options, graphs, parities)
        manifest["body"] = {"file": "body.npz", "sha256": file_sha256(scratch / "body.npz")}
        for path in sorted(scratch.iterdir()):
            path.replace(out / path.name)
    write_manifest(out / MANIFEST_NAME, manifest)
    return parities


def _write_body(files: VibeFiles, path: Path) -> None:
    """A body of ours as it is, a SMPL file in our form."""
    if is_our_body(files.body):
        load_body(files.body)
        path.write_bytes(files.body.read_bytes())
    else:
        write_npz(path, import_smpl(files.body, files.extra_regressor))


def _write_graphs(
    network: VIBE, folder: Path, options: VibeOptions
) -> tuple[dict[str, Any], dict[str, Parity]]:
    """Writes and compares; returns the manifest's entries and the differences."""
    exported = copy.deepcopy(network)
    with_products_in(folded(exported.backbone), options.precision)
    motion = CollapsedMotionNetwork(exported.motion)
    with_products_in(motion, options.precision)
    crop_features = CropFeatures(exported.backbone)
    crops = torch.zeros(2, CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8)
    entries: dict[str, Any] = {}
    parities: dict[str, Parity] = {}
    inputs = {CROP_INPUT: crops, STEP_INPUTS[1]: network.motion.initial_hidden(2)}
    fused = FusedStep(crop_features, motion)
    if options.whole_frame:
        path, body = folder / "frame.onnx", SmplLayer(load_body(folder / "body.npz"))
        write_graph(WholeFrame(fused, body), inputs, (*STEP_OUTPUTS, *MESH_OUTPUTS), path)
        with OnnxRuntimeSession(path) as session:
            entries["frame"] = graph_entry(path, session)
            parities["frame"] = fused_parity(network, session, random_crops(), body)
    if options.fused:
        if options.whole_frame:
            write_part(folder / "frame.onnx", STEP_OUTPUTS, folder / "fused.onnx")
        else:
            write_graph(fused, inputs, STEP_OUTPUTS, folder / "fused.onnx")
        with OnnxRuntimeSession(folder / "fused.onnx") as session:
            entries["fused"] = graph_entry(folder / "fused.onnx", session)
            parities["fused"] = fused_parity(network, session, random_crops())
        return entries, parities
    write_graph(crop_features, {CROP_INPUT: crops}, [FEATURES_OUTPUT], folder / "features.onnx")
    write_step(motion, FEATURE_SIZE, folder / "step.onnx")
    with OnnxRuntimeSession(folder / "features.onnx") as session:
        entries["features"] = graph_entry(folder / "features.onnx", session)
        spread, parities["features"] = _features_parity(network, session)
    with OnnxRuntimeSession(folder / "step.onnx") as session:
        entries["step"] = graph_entry(folder / "step.onnx", session)
        stream = random_features(PARITY_FRAMES, 2, *spread)
        parities["step"] = stream_parity(network.motion, session, np.maximum(stream, 0))
    return entries, parities


def random_crops(count: int = PARITY_CROPS, seed: int = 0) -> np.ndarray:
    """(N, 224, 224, 3) uint8: coloured clouds with some grain, as pictures have."""
    rng = np.random.default_rng(seed)
    clouds = torch.from_numpy(rng.uniform(0, 255, (count, 3, 9, 9)))
    smooth = torch.nn.functional.interpolate(clouds, (CROP_SIZE, CROP_SIZE), mode="bilinear")
    grain = rng.normal(0, 6, (count, CROP_SIZE, CROP_SIZE, 3))
    return np.clip(smooth.permute(0, 2, 3, 1).numpy() + grain, 0, 255).astype(np.uint8)


def _features_parity(
    network: VIBE, session: OnnxRuntimeSession
) -> tuple[tuple[np.ndarray, np.ndarray], Parity]:
    """Mean and deviation of the features of some crops, and the largest difference."""
    crops = random_crops()
    with torch.no_grad():
        expected = network.backbone(normalised(torch.from_numpy(crops))).numpy()
    got = session.run({CROP_INPUT: crops})[FEATURES_OUTPUT]
    return (expected.mean(0), expected.std(0)), compared(got, expected)


def _check(parities: dict[str, Parity], precision: Precision) -> None:
    limit = _PRECISION_LIMITS[precision]
    for name, parity in parities.items():
        if not parity.relative <= limit:
            raise ExportError(
                f"the {name} graph in {precision} differs from torch by {parity.relative:.1e} of its range, "
                f"expected at most {limit:.0e}: nothing was replaced"
            )


def _manifest(
    name: str,
    files: VibeFiles,
    options: VibeOptions,
    graphs: dict[str, Any],
    parities: dict[str, Parity],
) -> dict[str, Any]:
    layout: dict[str, Any] = {"layout": RESNET_LAYOUT, "version": RESNET_LAYOUT_VERSION}
    layout["size"] = FEATURE_SIZE
    if options.fused:
        layout = {"layout": CROP_LAYOUT, "version": CROP_LAYOUT_VERSION, "size": CROP_SIZE**2 * 3}
    sources = {"vibe": files.vibe, "spin": files.spin, "body": files.body}
    return {
        "format_version": FORMAT_VERSION,
        "name": name,
        "family": "vibe-resnet50",
        "precision": options.precision,
        "graphs": graphs,
        "features": {**layout, "crop_scale": options.crop_scale},
        # Trained at the rates of its videos, 25 to 30; nothing in it knows of time.
        "frame_rate_hz": [15, 60],
        "joint_set": list(SMPL_JOINT_NAMES),
        "licence": LICENCE,
        "training": {
            key: {"file": path.name, "sha256": file_sha256(path)} for key, path in sources.items()
        },
        "measured": {"parity": {key: parity._asdict() for key, parity in parities.items()}},
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.vibe",
        description="Build a live engine from your own VIBE, SPIN and SMPL files.",
    )
    parser.add_argument("--vibe", type=Path, required=True, help="vibe_model_w(o)_3dpw.pth.tar")
    parser.add_argument("--spin", type=Path, required=True, help="spin_model_checkpoint.pth.tar")
    parser.add_argument(
        "--body", type=Path, required=True, help="SMPL_NEUTRAL.pkl or .npz, or a body.npz of ours"
    )
    parser.add_argument("--mean-params", type=Path, help="smpl_mean_params.npz; seldom needed")
    parser.add_argument(
        "--extra",
        type=Path,
        help="J_regressor_extra.npy, for the 49 joints; found beside the SMPL file by itself",
    )
    parser.add_argument("--out", type=Path, default=Path("engines/vibe-resnet50"))
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument(
        "--fused", action="store_true", help="one graph from crop to parameters (stream mode only)"
    )
    parser.add_argument(
        "--whole-frame",
        action="store_true",
        help="one more graph, from crop to joints and vertices, for programs of your own",
    )
    parser.add_argument(
        "--crop-scale", type=float, default=CROP_SCALE, help="margin around a person (default 1.1)"
    )
    given = parser.parse_args()
    files = VibeFiles(
        vibe=given.vibe,
        spin=given.spin,
        body=given.body,
        mean_params=given.mean_params,
        extra_regressor=given.extra,
    )
    options = VibeOptions(
        precision=given.precision,
        fused=given.fused,
        whole_frame=given.whole_frame,
        crop_scale=given.crop_scale,
    )
    try:
        parities = export_vibe(files, given.out, options)
    except (RealtimeVibeError, OSError) as error:
        print(f"export.vibe: error: {error}", file=sys.stderr)
        return 2
    size_mib = sum(path.stat().st_size for path in given.out.iterdir()) / 2**20
    print(LICENCE if is_our_body(given.body) else f"{LICENCE}\n{SMPL_NOTICE}")
    for name, parity in parities.items():
        print(
            f"{name}: differs from torch by {parity.absolute:.1e}, {parity.relative:.1e} of its range"
        )
    print(f"{given.out}: {size_mib:.0f} MiB; run it with: realtime-vibe --engine {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
