"""What the manifest of a built engine says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export.parity_report import GraphParity, JointError, joint_content
from realtime_vibe.backends.graph_folder import GraphFolder

_OF_THE_SOURCE = ("latency",)
"""Measured figures that do not hold for other files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityFacts:
    """How the whole engine was compared."""

    joints: JointError
    limit_mm: float
    on_target: str
    """`run`, or why not."""
    clips: tuple[str, ...]
    """Files: compared on the first, calibrated on all."""

    def content(self, graphs: Mapping[str, GraphParity]) -> dict[str, Any]:
        """As a manifest states it under `measured.parity_build`."""
        return {
            "compared_with": "the single precision ONNX engine, on the same crops",
            "clips": list(self.clips),
            "parity_on_target": self.on_target,
            "joints": joint_content(self.joints, self.limit_mm),
            "graphs": {name: parity.content() for name, parity in graphs.items()},
        }


def built_content(
    part: GraphFolder,
    graphs: Mapping[str, Any],
    chosen: Mapping[str, str],
    tied_to: Mapping[str, Any],
    parity: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a built folder.

    Args:
        tied_to: versions, and what else the files depend on.
    """
    content = {key: value for key, value in part.content.items() if key != "allowed_precisions"}
    measured = {
        key: value
        for key, value in content.get("measured", {}).items()
        if key not in _OF_THE_SOURCE
    }
    return {
        **content,
        **chosen,
        "graphs": dict(graphs),
        "built": {
            **tied_to,
            "from": {name: spec.sha256 for name, spec in part.graphs().items()},
        },
        "measured": {**measured, "parity_build": dict(parity)},
    }


def with_allowed_precision(content: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """A manifest that allows backends one more precision."""
    allowed = list(content.get("allowed_precisions", ["fp32"]))
    if precision not in allowed:
        allowed.append(precision)
    return {**content, "allowed_precisions": allowed}
