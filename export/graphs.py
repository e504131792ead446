"""Writes torch modules as ONNX graphs, and what a manifest says of them.

Legend: P people, F features, L layers, H hidden size.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import onnx.utils
import torch
from torch import Tensor, nn

from export.collapsed import CollapsedMotionNetwork
from realtime_vibe.backends.base import InferenceSession
from realtime_vibe.backends.graph_folder import file_sha256
from realtime_vibe.errors import ExportError
from realtime_vibe.models.motion_network import RecurrentNetwork
from realtime_vibe.temporal.motion_model import STEP_INPUTS, STEP_OUTPUTS

ExportedNetwork = RecurrentNetwork | CollapsedMotionNetwork

OPSET = 20
_MOST_PEOPLE = 64


class StepGraph(nn.Module):
    """One frame's exact interface: two tensors in, four out."""

    def __init__(self, network: ExportedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(P, F) and (L, P, H) to rotmat, betas, weak camera and the next state."""
        params, next_hidden = self.network.step(features, hidden)
        return params.rotmat, params.betas, params.weak_camera, next_hidden


def write_step(network: ExportedNetwork, feature_size: int, path: Path) -> None:
    """Writes the one-frame graph with a free number of people."""
    inputs = (torch.zeros(2, feature_size), network.encoder.initial_hidden(2).float())
    write_graph(StepGraph(network), dict(zip(STEP_INPUTS, inputs, strict=True)), STEP_OUTPUTS, path)


def write_graph(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    *,
    any_number: bool = True,
) -> None:
    """Writes a module.

    Args:
        module: takes the inputs in order.
        path: the `.onnx` file; one file, weights inside.
        any_number: leave the number of people free; the examples are then of two, on the second axis of
            `hidden` and on the first of the others.

    Raises:
        ExportError: the exporter gave nothing.
    """
    _keep_operators()
    people = torch.export.Dim("P", min=1, max=_MOST_PEOPLE)
    shapes = tuple({1 if name == "hidden" else 0: people} for name in inputs)
    with torch.no_grad(), _quiet_exporter():
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=shapes if any_number else None,
            optimize=True,
            verbose=False,
        )
    if program is None:
        raise ExportError("torch.onnx.export returned nothing: check that onnxscript is installed")
    onnx.save(without_sources(program.model_proto), str(path))
    onnx.checker.check_model(str(path), full_check=True)


def without_sources(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the exporter's notes of the lines and folders that each node came from."""
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.value_info,
        *graph.input,
        *graph.output,
        *graph.initializer,
    ):
        del part.metadata_props[:]
    return model


def write_part(whole: Path, outputs: Sequence[str], path: Path) -> None:
    """Writes what leads to some of a graph's outputs, with all of its inputs."""
    model = onnx.load(str(whole))
    inputs = [value.name for value in model.graph.input]
    onnx.save(onnx.utils.Extractor(model).extract_model(inputs, list(outputs)), str(path))
    onnx.checker.check_model(str(path), full_check=True)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keeps the exporter's remarks on its own workings and on torchvision from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _keep_operators() -> None:
    """Lets the exporter make its table of operators once a process.

    It reads the sources of five hundred functions for it, two thirds of the time that a small graph takes.
    """
    with suppress(ImportError, AttributeError):  # another release of torch: slower
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        if not hasattr(ONNXRegistry.from_torchlib, "cache_info"):
            kept = staticmethod(cache(ONNXRegistry.from_torchlib))
            ONNXRegistry.from_torchlib = kept  # type: ignore[method-assign]


def graph_entry(path: Path, session: InferenceSession) -> dict[str, Any]:
    """What `engine.json` says of a graph."""
    return {
        "file": path.name,
        "sha256": file_sha256(path),
        "opset": OPSET,
        "inputs": [asdict(spec) for spec in session.inputs],
        "outputs": [asdict(spec) for spec in session.outputs],
    }
